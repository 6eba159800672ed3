/** Whatever a document holds that the schema accepts, the fences come out whole. */
import fc from 'fast-check'
import { BlockList, isIPv6 } from 'node:net'
import { describe, expect, test } from 'vitest'
import { computeLayer } from '../../../src/layers/compute/layer.ts'
import { parameter } from '../../../src/layers/compute/parameters.ts'
import { networkLayer } from '../../../src/layers/network/layer.ts'
import { openingsOf } from '../../../src/layers/network/openings.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import type { Resource } from '../../../src/model/resource.ts'
import type { Tenant } from '../../../src/model/tenant.ts'
import { contextOf, hostileLabels, hostileSpec, tenantOf } from './documents.ts'

const runs = { numRuns: 400 }
const context = contextOf()
const metadataOf = (resource: Resource) =>
  resource.spec['metadata'] as {
    labels: { [key: string]: string }
    annotations: { [key: string]: string }
    name: string
    namespace?: string
  }
const hostile = fc.tuple(hostileSpec, hostileLabels).map(([spec, labels]) => tenantOf('acme', spec, context, labels))
const all = (tenant: Tenant): readonly Resource[] => [
  ...computeLayer.desired(tenant, context),
  ...networkLayer.desired(tenant, context),
]
const objects = (tenant: Tenant) => all(tenant).filter((resource) => resource.kind !== 'kubernetes/Workloads')

interface Block {
  readonly cidr: string
  readonly except?: readonly string[]
}
interface Rule {
  readonly from?: readonly JsonObject[]
  readonly to?: readonly JsonObject[]
}
const rulesOf = (resource: Resource, direction: 'ingress' | 'egress'): readonly Rule[] =>
  (resource.spec['spec'] as unknown as { [key: string]: Rule[] })[direction] ?? []
const peersOf = (rule: Rule): readonly JsonObject[] => rule.from ?? rule.to ?? []

/** Node's own matcher, as an oracle that shares no code with ours. */
function opens(block: Block, address: string): boolean {
  const family = isIPv6(address) ? 'ipv6' : 'ipv4'
  const matches = (text: string): boolean => {
    const [base = '', bits] = text.split('/')
    if (isIPv6(base) !== isIPv6(address)) return false
    const one = new BlockList()
    one.addSubnet(base, Number(bits), family)
    return one.check(address, family)
  }
  return matches(block.cidr) && !(block.except ?? []).some((hole) => matches(hole))
}

const never = [
  '169.254.169.254',
  '169.254.1.1',
  '169.254.170.2',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '168.63.129.16',
  '192.0.0.192',
  '0.0.0.1',
  '10.244.3.7',
  '10.96.0.1',
  'fd00:ec2::254',
  'fe80::1',
  '::1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b::af4:307',
  '2002:a9fe:a9fe::1',
  'fd00:10:96::1',
]
const privateAddresses = ['10.1.2.3', '172.20.0.1', '192.168.1.1', 'fd12::1', '64:ff9b::a01:203']

describe('for every document that the schema accepts', () => {
  test('system labels win on every object, and pod security is what the document’s field says', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        for (const resource of objects(tenant)) {
          const { labels } = metadataOf(resource)
          expect(labels).toMatchObject({
            'ringfence.dev/tenant': 'acme',
            'ringfence.dev/tenant-uid': tenant.uid,
            'app.kubernetes.io/managed-by': 'ringfence',
          })
          const system = Object.keys(labels).filter(
            (key) =>
              key.includes('ringfence.dev/') ||
              key.includes('kubernetes.io/') ||
              key.includes('gatekeeper') ||
              key === 'istio-injection',
          )
          const fence = resource.kind === 'kubernetes/Namespace' ? 6 : 0
          expect(system).toHaveLength(3 + fence)
          for (const [key, value] of Object.entries(labels)) {
            expect(key).toMatch(/^([a-z0-9]([a-z0-9.-]*[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$/)
            expect(value).toMatch(/^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/)
          }
        }
        const namespace = objects(tenant).find((resource) => resource.kind === 'kubernetes/Namespace')
        expect(namespace && metadataOf(namespace).labels).toMatchObject({
          'pod-security.kubernetes.io/enforce': tenant.spec.compute.podSecurity,
          'pod-security.kubernetes.io/enforce-version': 'latest',
        })
      }),
      runs,
    )
  })

  test('no tag is lost: what is no label of ours is in the annotation', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        const namespace = objects(tenant).find((resource) => resource.kind === 'kubernetes/Namespace')
        const { labels = {}, annotations = {} } = namespace === undefined ? {} : metadataOf(namespace)
        const kept = JSON.parse(annotations['ringfence.dev/tags'] ?? '{}') as { [key: string]: string }
        for (const [key, value] of Object.entries(tenant.spec.tags)) expect([labels[key], kept[key]]).toContain(value)
      }),
      runs,
    )
  })

  test('node ports stay at 0, and every amount and count of the benchmark is limited', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        const quota = objects(tenant).find((resource) => resource.kind === 'kubernetes/ResourceQuota')
        const { hard } = (quota as Resource).spec['spec'] as { hard: { [name: string]: string } }
        expect(hard['services.nodeports']).toBe('0')
        expect(Object.keys(hard)).toEqual(
          expect.arrayContaining([
            'requests.cpu',
            'limits.memory',
            'requests.ephemeral-storage',
            'pods',
            'secrets',
            'configmaps',
            'resourcequotas',
          ]),
        )
        expect(Object.keys(hard)).not.toContain('cpu')
      }),
      runs,
    )
  })

  test('metadata, link-local, carrier, loopback, pod and service addresses stay shut, and private ones unless named', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        for (const policy of networkLayer
          .desired(tenant, context)
          .filter((resource) => resource.kind === 'kubernetes/NetworkPolicy')) {
          for (const rule of [...rulesOf(policy, 'ingress'), ...rulesOf(policy, 'egress')]) {
            for (const peer of peersOf(rule).filter((one) => 'ipBlock' in one)) {
              const block = peer['ipBlock'] as unknown as Block
              // The switch for the Kubernetes API opens one observed address, which is not among these.
              for (const address of never)
                expect(opens(block, address), `${JSON.stringify(block)} opens ${address}`).toBe(false)
              const meant = tenant.spec.network.allowPrivateNetworks && tenant.spec.environment !== 'production'
              const broad = block.cidr.endsWith('/0') || /^(0|8)\./.test(block.cidr)
              if (!meant && broad)
                for (const address of privateAddresses)
                  expect(opens(block, address), `${JSON.stringify(block)} opens ${address}`).toBe(false)
            }
          }
        }
      }),
      runs,
    )
  })

  test('no rule is without peers, and none selects a tenant or a namespace of the system', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        const policies = networkLayer
          .desired(tenant, context)
          .filter((resource) => resource.kind === 'kubernetes/NetworkPolicy')
        for (const policy of policies) {
          for (const rule of [...rulesOf(policy, 'ingress'), ...rulesOf(policy, 'egress')])
            expect(peersOf(rule).length).toBeGreaterThan(0)
        }
        const rules = policies.find((policy) => policy.address.endsWith('/rules'))
        if (rules === undefined) return
        for (const peer of [...rulesOf(rules, 'ingress'), ...rulesOf(rules, 'egress')].flatMap((rule) =>
          peersOf(rule),
        )) {
          if (!('namespaceSelector' in peer)) continue
          const { matchExpressions } = peer['namespaceSelector'] as {
            matchExpressions: { key: string; operator: string; values?: string[] }[]
          }
          expect(matchExpressions).toContainEqual({ key: 'ringfence.dev/tenant', operator: 'DoesNotExist' })
          expect(
            matchExpressions.find((one) => one.operator === 'NotIn' && one.values?.includes('kube-system'))?.values,
          ).toContain('ringfence-system')
        }
      }),
      runs,
    )
  })

  test('nobody is bound but groups of the document, and no line break makes two entries of one', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        for (const binding of objects(tenant).filter((resource) => resource.kind === 'kubernetes/RoleBinding')) {
          for (const subject of binding.spec['subjects'] as { kind: string; name: string }[]) {
            if (subject.kind === 'Group') expect(['people', 'CN=x,OU=y']).toContain(subject.name)
          }
        }
        const namespace = objects(tenant).find((resource) => resource.kind === 'kubernetes/Namespace')
        const { annotations = {} } = namespace === undefined ? {} : metadataOf(namespace)
        for (const name of Object.values(parameter)) expect(annotations).toHaveProperty([name])
        expect((annotations[parameter.groups] ?? '').split('\n')).not.toContain('system:masters')
        expect((annotations[parameter.ingressHosts] ?? '').split('\n')).not.toContain('b.example')
      }),
      runs,
    )
  })

  test('every opening that the policies write is among those told to the prover', () => {
    fc.assert(
      fc.property(hostile, (tenant) => {
        const openings = openingsOf(tenant, context).map((opening) => JSON.stringify(opening))
        for (const policy of networkLayer
          .desired(tenant, context)
          .filter(
            (resource) => resource.kind === 'kubernetes/NetworkPolicy' && !resource.address.endsWith('/backends'),
          )) {
          for (const direction of ['ingress', 'egress'] as const) {
            for (const rule of rulesOf(policy, direction) as readonly (Rule & { ports?: JsonObject[] })[]) {
              expect(openings).toContain(JSON.stringify({ direction, peers: peersOf(rule), ports: rule.ports ?? [] }))
            }
          }
        }
      }),
      runs,
    )
  })
})

describe('adversarial names', () => {
  const longest = 'a'.repeat(40)
  const pairs = [
    ['ab', 'ab2'],
    ['a1', 'a1-b'],
    ['acme', 'acme-owner'],
    ['ab', 'ab-viewer'],
    [longest, `${'a'.repeat(39)}b`],
  ] as const

  test.each(pairs)('%s and %s share no name and no address, and neither selects the other', (one, other) => {
    const [first, second] = [all(tenantOf(one, {}, context)), all(tenantOf(other, {}, context))]
    const names = (resources: readonly Resource[]) =>
      new Set(resources.map((resource) => `${resource.kind} ${resource.externalName}`))
    expect(names(first).intersection(names(second))).toEqual(new Set())
    const addresses = (resources: readonly Resource[]) => new Set(resources.map((resource) => resource.address))
    expect(addresses(first).intersection(addresses(second))).toEqual(new Set())
    const spoken = JSON.stringify(first.map((resource) => resource.spec))
    for (const name of names(second)) {
      const own = name.slice(name.indexOf(' ') + 1)
      expect(spoken.includes(`"${own}"`), own).toBe(false)
    }
  })
})
