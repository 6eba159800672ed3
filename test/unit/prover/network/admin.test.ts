/** AdminNetworkPolicy, NetworkPolicy and the baseline in their order, for lists of connections. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { connectionLines } from '../../../../src/prover/network/connection-lines.ts'
import { judge, policy, twoTenants, worldOf } from './worlds.ts'
import { a, b, lines } from './pods.ts'

const all = { namespaces: {} }
const onB = { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'b' } } } }
const fromA = [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: 'a' } } } }]
const numbered = (port: number, protocol = 'TCP') => ({ portNumber: { protocol, port } })
const admin = (name: string, priority: number, spec: object): KubeObject => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha1',
  kind: 'AdminNetworkPolicy',
  metadata: { name },
  spec: { priority, subject: onB, ...spec },
})
const baseline = (spec: object, name = 'default'): KubeObject => ({
  apiVersion: 'policy.networking.k8s.io/v1alpha1',
  kind: 'BaselineAdminNetworkPolicy',
  metadata: { name },
  spec: { subject: onB, ...spec },
})
const rule = (action: string, ports?: object[]) => ({ action, from: fromA, ...(ports === undefined ? {} : { ports }) })
const isolate = policy('ns', 'p', { podSelector: { matchLabels: { app: 'b' } }, ingress: [{ ports: [{ port: 443 }] }] })
const between = (...objects: KubeObject[]) =>
  lines(a, b, ...objects)
    .find((line) => line.startsWith('ns/a[Pod] => ns/b[Pod]'))
    ?.split(' : ')[1]

describe('the order of policies', () => {
  const cases: [what: string, objects: KubeObject[], answer: string | undefined][] = [
    ['a deny closes', [admin('x', 1, { ingress: [rule('Deny')] })], undefined],
    [
      'the lower number counts first',
      [admin('y', 2, { ingress: [rule('Deny')] }), admin('x', 1, { ingress: [rule('Allow')] })],
      'All Connections',
    ],
    [
      'the first rule counts first',
      [admin('x', 1, { ingress: [rule('Deny', [numbered(80)]), rule('Allow')] })],
      'SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535',
    ],
    [
      'an allow goes past NetworkPolicies',
      [admin('x', 1, { ingress: [rule('Allow', [numbered(80)])] }), isolate],
      'TCP 80,443',
    ],
    [
      'a pass leaves it to NetworkPolicies',
      [admin('x', 1, { ingress: [rule('Pass')] }), admin('y', 2, { ingress: [rule('Allow')] }), isolate],
      'TCP 443',
    ],
    [
      'a deny goes past NetworkPolicies',
      [admin('x', 1, { ingress: [rule('Deny', [numbered(443)])] }), isolate],
      undefined,
    ],
    [
      'the baseline decides where no NetworkPolicy isolates',
      [baseline({ ingress: [rule('Allow', [numbered(80)]), rule('Deny')] })],
      'TCP 80',
    ],
    ['the baseline is not asked where one does', [baseline({ ingress: [rule('Deny')] }), isolate], 'TCP 443'],
    [
      'a pass without NetworkPolicy leads to the baseline',
      [
        admin('x', 1, { ingress: [rule('Pass', [numbered(80)]), rule('Allow')] }),
        baseline({ ingress: [rule('Deny')] }),
      ],
      'SCTP 1-65535,TCP 1-79,81-65535,UDP 1-65535',
    ],
    [
      'what no rule speaks about is open',
      [admin('x', 1, { ingress: [rule('Deny', [{ portRange: { protocol: 'TCP', start: 1, end: 65_535 } }])] })],
      'SCTP 1-65535,UDP 1-65535',
    ],
    [
      'a named port is looked up in the destination, whatever its protocol',
      [admin('x', 1, { ingress: [rule('Allow', [{ namedPort: 'dns' }, { namedPort: 'web' }]), rule('Deny')] })],
      'TCP 8080,8443,UDP 53',
    ],
    [
      'egress of the other side counts too',
      [
        admin('x', 1, {
          subject: { pods: { podSelector: { matchLabels: { app: 'a' } } } },
          egress: [{ action: 'Deny', to: [all] }],
        }),
      ],
      undefined,
    ],
    [
      'a subject that is another pod changes nothing',
      [admin('x', 1, { subject: { pods: { podSelector: { matchLabels: { app: 'c' } } } }, ingress: [rule('Deny')] })],
      'All Connections',
    ],
  ]
  test.each(cases)('%s', (_, objects, answer) => {
    expect(between(...objects)).toBe(answer)
  })

  test('networks are outside addresses, and egress is cut by them', () => {
    const out = admin('x', 1, { egress: [{ action: 'Deny', to: [{ networks: ['10.0.0.0/8'] }] }] })
    expect(lines(b, out)).toEqual([
      '0.0.0.0-255.255.255.255[External] => ns/b[Pod] : All Connections',
      'ns/b[Pod] => 0.0.0.0-9.255.255.255[External] : All Connections',
      'ns/b[Pod] => 11.0.0.0-255.255.255.255[External] : All Connections',
    ])
  })
})

describe('what is not understood gives no lines', () => {
  test.each([
    [
      'nodes as peers',
      [admin('x', 1, { egress: [{ action: 'Allow', to: [{ nodes: {} }] }] })],
      'AdminNetworkPolicy x: a peer with the unknown field "nodes"',
    ],
    ['an unknown action', [admin('x', 1, { ingress: [rule('Log')] })], 'AdminNetworkPolicy x: the action "Log"'],
    [
      'a pass in the baseline',
      [baseline({ ingress: [rule('Pass')] })],
      'BaselineAdminNetworkPolicy default: the action "Pass"',
    ],
    ['a missing priority', [{ ...admin('x', 1, {}), spec: { subject: all } }], 'AdminNetworkPolicy x: the priority'],
    ['equal priorities', [admin('x', 1, {}), admin('y', 1, {})], 'AdminNetworkPolicy x: has the same priority as y'],
    [
      'two baselines',
      [baseline({}), baseline({}, 'other')],
      'BaselineAdminNetworkPolicy other: there is more than one',
    ],
    [
      'a later version',
      [{ ...admin('x', 1, {}), apiVersion: 'policy.networking.k8s.io/v1alpha2' }],
      'AdminNetworkPolicy x: the version',
    ],
    [
      'a subject that names nothing',
      [admin('x', 1, { subject: {} })],
      'AdminNetworkPolicy x: a subject that names nothing',
    ],
    [
      'an empty rule',
      [admin('x', 1, { ingress: [{ action: 'Deny', from: [] }] })],
      'AdminNetworkPolicy x: a rule without peers',
    ],
    [
      'a network that is none',
      [admin('x', 1, { egress: [{ action: 'Deny', to: [{ networks: ['10/8'] }] }] })],
      'AdminNetworkPolicy x: the networks',
    ],
    [
      'two forms of one port',
      [admin('x', 1, { ingress: [rule('Deny', [{ ...numbered(1), namedPort: 'a' }])] })],
      'AdminNetworkPolicy x: the port',
    ],
  ] as [string, KubeObject[], string][])('%s', (_, objects, reason) => {
    expect(connectionLines([a, b, ...objects])).toEqual({ undecided: [expect.stringContaining(reason)] })
  })
})

test('the prover does not take them for understood: a tenant that one may concern stays undecided', () => {
  const world = worldOf({ objects: [...twoTenants(), admin('x', 1, { subject: all, ingress: [rule('Deny')] })] })
  expect(judge(world, 'acme', 'fenced').verdict).toBe('undecided')
})
