/** What tenants get, in files that a person can read: one simple tenant, and one in the manner of each described system. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { stringify } from 'yaml'
import { computeLayer } from '../../../src/layers/compute/layer.ts'
import { installation } from '../../../src/layers/compute/platform.ts'
import { roleRules } from '../../../src/layers/compute/roles.ts'
import { networkLayer } from '../../../src/layers/network/layer.ts'
import { presetNames, presetPlatform } from '../../../src/model/presets.ts'
import { contextOf, platformOf, tenantOf } from './documents.ts'

const yaml = (value: unknown): string =>
  stringify(JSON.parse(JSON.stringify(value)), { aliasDuplicateObjects: false, lineWidth: 0 })

const spec = {
  tags: { 'cost-center': '42', 'charged to': 'R&D' },
  domain: 'data.acme.example',
  access: { roleBindings: [{ role: 'owner' as const, groups: ['acme-admins'] }] },
}

test('a simple tenant', async () => {
  const context = contextOf()
  const tenant = tenantOf('acme', spec, context)
  expect(computeLayer.problem(tenant, context)).toBeUndefined()
  expect(networkLayer.problem(tenant, context)).toBeUndefined()
  const resources = [...computeLayer.desired(tenant, context), ...networkLayer.desired(tenant, context)]
  await expect(yaml(resources)).toMatchFileSnapshot('golden/simple.yaml')
})

test.each(presetNames)('a tenant in the manner of %s', async (preset) => {
  const context = contextOf(presetPlatform(preset))
  const tenant = tenantOf('acme', spec, context)
  const manifests = [...computeLayer.desired(tenant, context), ...networkLayer.desired(tenant, context)].map(
    (resource) => resource.spec,
  )
  await expect(yaml(manifests)).toMatchFileSnapshot(`golden/${preset}.yaml`)
})

test('everything that a document can open', async () => {
  const platform = platformOf({
    kubernetes: {
      cni: 'cilium',
      sharedNamespaces: ['shared-data', 'catalog'],
      resolvers: ['169.254.20.10/32'],
      services: [{ namespace: 'platform', podLabels: { app: 'registry' }, ports: [{ port: 5000 }] }],
      gateway: { namespace: 'gateway', podLabels: { app: 'gateway' }, ports: [{ port: 8080 }] },
      monitoring: { namespace: 'monitoring', podLabels: { app: 'prometheus' }, ports: [{ port: 9090 }] },
    },
  })
  const context = contextOf(platform, { fqdn: 'cilium' })
  const rules = {
    allowKubernetesAPI: true,
    allowFrom: [
      { peers: [{ namespaceSelector: { matchLabels: { team: 'partner' } }, podSelector: {} }], ports: [{ port: 443 }] },
    ],
    allowTo: [
      {
        peers: [
          { ipBlock: { cidr: '10.20.0.0/16' } },
          { ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.7/32'] } },
        ],
        ports: [{ port: 5432, endPort: 5440 }],
      },
    ],
    egress: { fqdns: ['api.example.com', '*.example.org'] },
  }
  const tenant = tenantOf('acme', { network: rules, database: { mode: 'none' } }, context)
  expect(networkLayer.problem(tenant, context)).toBeUndefined()
  await expect(yaml(networkLayer.desired(tenant, context).map((resource) => resource.spec))).toMatchFileSnapshot(
    'golden/openings.yaml',
  )
  const calico = networkLayer
    .desired(tenant, contextOf(platform, { fqdn: 'calico' }))
    .find((resource) => resource.address.endsWith('/fqdn'))
  expect(calico?.kind).toBe('kubernetes/CalicoNetworkPolicy')
  await expect(yaml(calico?.spec)).toMatchFileSnapshot('golden/calico.yaml')
})

test('the platform, its admission rules and the engine’s own rights', async () => {
  const context = contextOf(platformOf({ kubernetes: { breakGlassGroups: ['emergency'] } }))
  await expect(yaml(computeLayer.platform(context).map((resource) => resource.spec))).toMatchFileSnapshot(
    'golden/platform.yaml',
  )
  await expect(yaml(installation(context))).toMatchFileSnapshot('golden/installation.yaml')
})

test('the rules of the three roles are those of the golden file, which changes by hand alone', () => {
  const golden: unknown = JSON.parse(readFileSync(new URL('compute/roles.golden.json', import.meta.url), 'utf8'))
  expect(roleRules).toEqual(golden)
})
