/** What the network layer writes, judged by the network logic: proved as written, refuted as soon as it is opened. */
import { describe, expect, test } from 'vitest'
import { computeLayer } from '../../../../src/layers/compute/layer.ts'
import { networkLayer } from '../../../../src/layers/network/layer.ts'
import { openingsOf } from '../../../../src/layers/network/openings.ts'
import type { LayerContext } from '../../../../src/model/layer.ts'
import { resolveNames } from '../../../../src/model/names.ts'
import { parseTenant } from '../../../../src/model/parse.ts'
import { type Outputs, resolveOutputs } from '../../../../src/model/resource.ts'
import type { Tenant } from '../../../../src/model/tenant.ts'
import type { KubeObject, World } from '../../../../src/model/world.ts'
import { platformOf, tenantInput } from '../../model/documents.ts'
import { boundary, judge, namespace, policy, worldOf } from './worlds.ts'

const uids: Record<string, string> = {
  acme: 'a0000000-0000-4000-8000-000000000001',
  globex: 'a0000000-0000-4000-8000-000000000002',
}
const facts: LayerContext['facts'] = {
  kubernetes: {
    medium: 'live',
    ranges: ['10.96.0.0/12', '10.244.0.0/16', 'fd00:10::/32'],
    apiServer: [{ address: '10.96.0.1', port: 6443 }],
    resolvers: ['169.254.20.10/32'],
  },
}
const platformSpec = {
  kubernetes: {
    sharedNamespaces: ['shared-tools'],
    resolvers: ['10.96.0.10/32'],
    services: [{ namespace: 'catalogue', podLabels: { app: 'trino' }, ports: [{ port: 8443 }] }],
    gateway: { namespace: 'gateway', podLabels: { app: 'envoy' }, ports: [{ port: 8080 }] },
    monitoring: { namespace: 'monitoring', podLabels: { app: 'prometheus' }, ports: [{ port: 9090 }] },
  },
}
const databaseOutputs: Outputs = { addresses: [{ ipBlock: { cidr: '10.0.7.9/32' } }], port: 5432 }
const outputs = () => databaseOutputs

interface Rendered {
  readonly world: World
  readonly policies: readonly KubeObject[]
}

/** Two tenants with one document, as the layers write them, and the platform around them. */
function rendered(spec: object, platformInput: object = platformSpec, extra: readonly KubeObject[] = []): Rendered {
  const platform = platformOf(platformInput)
  const context: LayerContext = { platform, facts, backends: { kubernetes: 'kube', postgres: 'pg' } }
  const tenants = Object.entries(uids).map(([name, uid]): Tenant => {
    const document = parseTenant(tenantInput(spec, name))
    const names = resolveNames(platform, { name, slug: name, uid, spec: document.spec })
    return { name, uid, generation: 1, spec: document.spec, labels: {}, names }
  })
  const objects = tenants.flatMap((tenant) =>
    [...computeLayer.desired(tenant, context), ...networkLayer.desired(tenant, context)]
      .filter((resource) => /\/(Namespace|\w*NetworkPolicy)$/.test(resource.kind))
      .map((resource) => {
        const resolved = resolveOutputs(resource.spec, outputs)
        if (!('spec' in resolved)) throw new Error(`${resource.kind} needs outputs that are not there`)
        return resolved.spec as unknown as KubeObject
      }),
  )
  const around = ['kube-system', 'default', 'catalogue', 'gateway', 'monitoring', 'shared-tools', 'ringfence-system']
  const world = worldOf({
    objects: [...around.map((name) => namespace(name)), ...objects, ...extra],
    tenants: tenants.map((tenant) =>
      boundary(tenant.name, { namespaces: [tenant.names.namespace], openings: openingsOf(tenant, context, outputs) }),
    ),
    kubernetes: { ranges: facts.kubernetes?.ranges ?? [], sharedNamespaces: platform.kubernetes.sharedNamespaces },
  })
  return { world, policies: objects.filter((object) => object.kind === 'NetworkPolicy') }
}

const both = (world: World, tenant = 'acme') =>
  (['contained', 'fenced'] as const).map((side) => judge(world, tenant, side))

describe('a tenant as the layers write it', () => {
  const documents: [what: string, spec: object][] = [
    ['by default', {}],
    ['without the outside', { network: { allowExternalAPIs: false } }],
    ['with private networks, in development', { environment: 'development', network: { allowPrivateNetworks: true } }],
    ['with the Kubernetes API', { network: { allowKubernetesAPI: true } }],
    [
      'without shared namespaces and database',
      { network: { allowSharedNamespaces: false }, database: { mode: 'none' } },
    ],
    [
      'with rules of its own',
      {
        network: {
          allowTo: [
            { peers: [{ ipBlock: { cidr: '172.20.0.0/16' } }], ports: [{ port: 443 }] },
            { peers: [{ namespaceSelector: { matchLabels: { team: 'data' } } }], ports: [{ port: 80, endPort: 90 }] },
          ],
          allowFrom: [{ peers: [{ namespaceSelector: {} }] }, { peers: [{ ipBlock: { cidr: '203.0.113.0/24' } }] }],
        },
      },
    ],
  ]
  test.each(documents)('%s is proved, on both sides', (_, spec) => {
    const { world, policies } = rendered(spec)
    expect(policies.length).toBeGreaterThanOrEqual(4)
    for (const outcome of both(world)) expect(outcome).toEqual({ verdict: 'proved', rules: [], by: [], because: [] })
  })

  test('is refuted without its policies, and with one that opens it', () => {
    const { world, policies } = rendered({})
    const kubernetes = world.kubernetes
    if (kubernetes === undefined) throw new Error('no Kubernetes in the world')
    const ns = policies[0]?.metadata.namespace ?? ''
    const changed = (objects: readonly KubeObject[]): World => ({ ...world, kubernetes: { ...kubernetes, objects } })
    const bare = changed(
      kubernetes.objects.filter((object) => object.kind !== 'NetworkPolicy' || object.metadata.namespace !== ns),
    )
    expect(both(bare).map((outcome) => outcome.rules)).toEqual([['network.egress'], ['network.ingress']])
    expect(both(bare, 'globex').map((outcome) => outcome.verdict)).toEqual(['proved', 'proved'])
    const allowAll = policy(ns, 'allow-all', {
      podSelector: {},
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{}],
      egress: [{}],
    })
    const opened = both(changed([...kubernetes.objects, allowAll]))
    expect(opened.map((outcome) => outcome.by)).toEqual([
      [`NetworkPolicy ${ns}/allow-all`],
      [`NetworkPolicy ${ns}/allow-all`],
    ])
  })

  test('is refuted where its own policy no longer fits the document: an opening that was taken back', () => {
    const { world } = rendered({})
    const closed = { ...world, tenants: world.tenants.map((tenant) => ({ ...tenant, openings: [] })) }
    expect(both(closed).map((outcome) => outcome.verdict)).toEqual(['refuted', 'refuted'])
  })
})
