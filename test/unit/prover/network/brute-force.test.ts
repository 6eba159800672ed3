/**
 * The oracle: on random small worlds the answer by classes equals trying every pod, label set, port and address there
 * is. The evaluator here is written from the API's text, apart from the one under test.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { parseAddress } from '../../../../src/prover/network/addresses.ts'
import { allowed, isolating, type Pod } from '../../../../src/prover/network/evaluate.ts'
import { parsePolicy, type Policy } from '../../../../src/prover/network/policy.ts'
import {
  lets,
  type Other,
  type Expression,
  type Labels,
  type LabelSelector,
  type PeerSpec,
  peerTakes,
  type PolicySpec,
  type PortSpec,
  portTakes,
  type RuleSpec,
  type Side,
  written,
} from './naive.ts'
import { boundary, judge, nameLabel, namespace, policy, sure, tenantLabel, worldOf } from './worlds.ts'

// ── random pieces ──
const key = fc.constantFrom('a', 'b')
const value = fc.constantFrom('1', '2')
const expression = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('In', 'NotIn'), values: fc.uniqueArray(value, { minLength: 1 }) }),
  fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
)
const podSelector: fc.Arbitrary<LabelSelector> = fc.oneof(
  { weight: 2, arbitrary: fc.constant({}) },
  {
    weight: 3,
    arbitrary: fc.record({
      matchLabels: fc.dictionary(key, value, { maxKeys: 1 }),
      matchExpressions: fc.array(expression, { maxLength: 2 }),
    }),
  },
)
const nsExpression: fc.Arbitrary<Expression> = fc.oneof(
  fc.record({
    key: fc.constant(nameLabel),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom('acme', 'globex', 'plat', 'shared-tools', 'kube-system'), {
      minLength: 1,
      maxLength: 4,
    }),
  }),
  fc.record({
    key: fc.constant(tenantLabel),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom('acme', 'globex'), { minLength: 1 }),
  }),
  fc.record({ key: fc.constantFrom(tenantLabel, 'team'), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
  fc.record({
    key: fc.constant('team'),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom('x', 'y'), { minLength: 1 }),
  }),
)
const namespaceSelector: fc.Arbitrary<LabelSelector> = fc
  .array(nsExpression, { maxLength: 3 })
  .map((matchExpressions) => ({ matchExpressions }))
const ipBlock = fc.record({
  cidr: fc.constantFrom('0.0.0.0/0', '8.0.0.0/8', '10.0.0.0/8', '169.254.0.0/16', '100.64.0.0/10', '0.0.0.0/1'),
  except: fc.subarray(['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '100.64.0.0/10'], {
    minLength: 3,
  }),
})
const peer: fc.Arbitrary<PeerSpec> = fc.oneof(
  fc.record({ podSelector }),
  fc.record({ namespaceSelector }),
  fc.record({ namespaceSelector, podSelector }),
  fc.record({ ipBlock }),
)
const port: fc.Arbitrary<PortSpec> = fc.oneof(
  fc.record({ port: fc.constantFrom(53, 60, 80) }),
  fc.record({ protocol: fc.constantFrom('TCP', 'UDP'), port: fc.constantFrom(53, 80) }),
  fc.record({ protocol: fc.constantFrom('TCP', 'UDP') }),
  fc.constant({ port: 50, endPort: 90 }),
)
const ports = fc.array(port, { minLength: 1, maxLength: 2 })
const rule: fc.Arbitrary<RuleSpec> = fc.record(
  { peers: fc.array(peer, { minLength: 1, maxLength: 2 }), ports },
  { requiredKeys: [] },
)
const narrowRule = fc.record(
  { peers: fc.array(peer, { minLength: 1, maxLength: 1 }), ports },
  { requiredKeys: ['peers'] },
)
const spec: fc.Arbitrary<PolicySpec> = fc.record(
  {
    podSelector,
    policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    ingress: fc.array(fc.oneof({ weight: 1, arbitrary: rule }, { weight: 5, arbitrary: narrowRule }), { maxLength: 2 }),
    egress: fc.array(fc.oneof({ weight: 1, arbitrary: rule }, { weight: 5, arbitrary: narrowRule }), { maxLength: 2 }),
  },
  { requiredKeys: ['podSelector'] },
)
/** Half of the worlds start from a full fence, or nearly all would be refuted for want of one. */
const specs = fc
  .tuple(fc.boolean(), fc.array(spec, { minLength: 1, maxLength: 3 }))
  .map(([fenced, list]) => (fenced ? [{ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }, ...list] : list))
const opening = fc.option(
  fc.record(
    {
      direction: fc.constantFrom('ingress', 'egress'),
      peers: fc.array(fc.record({ namespaceSelector, podSelector }), { minLength: 1, maxLength: 1 }),
      ports,
    },
    { requiredKeys: ['direction', 'peers'] },
  ),
  { nil: undefined },
)

// ── everything there is ──
const podLabelSets: Labels[] = ['', '1', '2', 'other'].flatMap((a) =>
  ['', '1', '2', 'other'].map((b) => ({ ...(a ? { a } : {}), ...(b ? { b } : {}) })),
)
const connections = ['TCP', 'UDP'].flatMap((protocol) =>
  [53, 60, 80, 8080].map((number) => [protocol, number] as const),
)
const addresses = {
  '8.8.8.8': 'public',
  '200.1.2.3': 'public',
  '10.1.1.1': 'private',
  '172.16.9.9': 'private',
  '192.168.1.1': 'private',
  '169.254.169.254': 'metadata',
  '100.64.3.4': 'nat',
}
const acme: Labels = { [tenantLabel]: 'acme', [nameLabel]: 'acme', team: 'x' }
const others = (team: string): { ns: string; nsLabels: Labels; kind: 'tenant' | 'shared' | 'platform' }[] => [
  { ns: 'globex', nsLabels: { [tenantLabel]: 'globex', [nameLabel]: 'globex', team }, kind: 'tenant' },
  {
    ns: 'future',
    nsLabels: { [tenantLabel]: 'future', [nameLabel]: 'future', ...(team === 'x' ? { team } : { team: 'z' }) },
    kind: 'tenant',
  },
  // Where tenants differ in a label, a future one may have any value of its own; where they agree, it may lack it.
  {
    ns: 'future',
    nsLabels: { [tenantLabel]: 'future', [nameLabel]: 'future', ...(team === 'x' ? {} : { team: 'w' }) },
    kind: 'tenant',
  },
  { ns: 'plat', nsLabels: { [nameLabel]: 'plat', team: 'y' }, kind: 'platform' },
  { ns: 'kube-system', nsLabels: { [nameLabel]: 'kube-system' }, kind: 'platform' },
  { ns: 'shared-tools', nsLabels: { [nameLabel]: 'shared-tools' }, kind: 'shared' },
]

interface OpeningSpec {
  direction: string
  peers: PeerSpec[]
  ports?: PortSpec[]
}

function breach(list: readonly PolicySpec[], side: Side, team: string, open: OpeningSpec | undefined): boolean {
  const opened = (other: Other, protocol: string, number: number) =>
    open?.direction === side &&
    open.peers.some((one) => peerTakes(one, '', other)) &&
    (!open.ports || open.ports.some((entry) => portTakes(entry, protocol, number)))
  for (const pod of podLabelSets) {
    for (const [protocol, number] of connections) {
      for (const { ns, nsLabels, kind } of others(team)) {
        if (kind === 'shared') continue
        for (const labels of podLabelSets) {
          const other = { ns, nsLabels, labels }
          const resolver = side === 'egress' && ns === 'kube-system' && number === 53
          if (kind === 'platform' && (resolver || opened(other, protocol, number))) continue
          if (lets(list, side, 'acme', pod, other, protocol, number)) return true
        }
      }
      for (const [ip, kind] of Object.entries(addresses)) {
        if (side === 'egress' && kind === 'public' && open === undefined) continue
        if (lets(list, side, 'acme', pod, { ip }, protocol, number)) return true
      }
    }
  }
  return false
}

const objectsOf = (list: readonly PolicySpec[], team: string): KubeObject[] => [
  ...['plat', 'kube-system', 'shared-tools'].map((name) =>
    namespace(name, undefined, name === 'plat' ? { team: 'y' } : {}),
  ),
  namespace('acme', 'acme', { team: 'x' }),
  namespace('globex', 'globex', { team }),
  ...list.map((one, index) => policy('acme', `p${index}`, written(one))),
]

describe('the answer by classes equals trying everything', () => {
  test.each(['egress', 'ingress'] as const)('for %s', (side) => {
    const seen = { proved: 0, refuted: 0 }
    fc.assert(
      fc.property(specs, fc.constantFrom('x', 'y'), opening, (list, team, open) => {
        const tenants = [boundary('acme', open === undefined ? {} : { openings: [open] as never }), boundary('globex')]
        const answer = judge(
          worldOf({ objects: objectsOf(list, team), tenants }),
          'acme',
          side === 'egress' ? 'contained' : 'fenced',
        ).verdict
        const truth = breach(list, side, team, open) ? 'refuted' : 'proved'
        seen[truth]++
        expect(answer).toBe(truth)
      }),
      { numRuns: 800, seed: 20260101 },
    )
    // Vacuous if one of the answers hardly ever came up.
    expect(Math.min(seen.proved, seen.refuted)).toBeGreaterThan(80)
  })

  test('for single connections between given pods and addresses', () => {
    let through = 0
    let decided = 0
    fc.assert(
      fc.property(
        specs,
        fc.constantFrom(...podLabelSets),
        fc.constantFrom(...podLabelSets),
        fc.constantFrom<Side>('ingress', 'egress'),
        fc.nat(),
        (list, labels, otherLabels, side, pick) => {
          const policies = list
            .map((one) => parsePolicy(policy('acme', 'p', written(one))))
            .map((parsed) => (parsed as { policy: Policy }).policy)
          const pod: Pod = { type: 'pod', namespace: 'acme', namespaceLabels: acme, labels, ports: [] }
          const all = others('y')
          const { ns, nsLabels } = sure(all[pick % all.length])
          const ip = sure(Object.keys(addresses)[pick % 7])
          const ends = [
            {
              end: { type: 'pod', namespace: ns, namespaceLabels: nsLabels, labels: otherLabels, ports: [] } as const,
              other: { ns, nsLabels, labels: otherLabels },
            },
            {
              end: { type: 'pod', namespace: 'acme', namespaceLabels: acme, labels: otherLabels, ports: [] } as const,
              other: { ns: 'acme', nsLabels: acme, labels: otherLabels },
            },
            { end: { type: 'outside', addresses: sure(parseAddress(ip)) } as const, other: { ip } },
          ]
          for (const { end, other } of ends) {
            const set = allowed(isolating(policies, pod, side), side, pod, end)
            for (const [protocol, number] of connections) {
              const answer = set[protocol as 'TCP'].some(([from, to]) => number >= from && number < to)
              expect(answer).toBe(lets(list, side, 'acme', labels, other, protocol, number))
              decided++
              if (answer) through++
            }
          }
        },
      ),
      { numRuns: 2000, seed: 20260102 },
    )
    expect(through / decided).toBeGreaterThan(0.1)
    expect(through / decided).toBeLessThan(0.9)
  })
})
