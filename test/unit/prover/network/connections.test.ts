/** What NetworkPolicies let through, corner by corner, and which lines that makes. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { connectionLines } from '../../../../src/prover/network/connection-lines.ts'
import { a, b, into, lines, pod } from './pods.ts'
import { namespace, policy, sure } from './worlds.ts'

/** What `a` may do towards `b`. */
const between = (...objects: KubeObject[]) =>
  lines(a, b, ...objects)
    .find((line) => line.startsWith('ns/a[Pod] => ns/b[Pod]'))
    ?.split(' : ')[1]

describe('NetworkPolicy, corner by corner', () => {
  const cases: [what: string, policy: KubeObject, answer: string | undefined][] = [
    ['no rules: nothing comes in', into(undefined), undefined],
    ['an empty list of rules: nothing comes in', into([]), undefined],
    ['an empty rule: everything comes in', into([{}]), 'All Connections'],
    ['an empty list of peers: from everywhere', into([{ from: [] }]), 'All Connections'],
    ['an empty list of ports: all of them', into([{ from: [{ podSelector: {} }], ports: [] }]), 'All Connections'],
    ['a missing protocol is TCP', into([{ ports: [{ port: 80 }] }]), 'TCP 80'],
    ['a missing port is all of the protocol', into([{ ports: [{ protocol: 'SCTP' }] }]), 'SCTP 1-65535'],
    ['endPort', into([{ ports: [{ port: 80, endPort: 90 }] }]), 'TCP 80-90'],
    ['a named port is every port of that name', into([{ ports: [{ port: 'web' }] }]), 'TCP 8080,8443'],
    ['a named port of another protocol is none', into([{ ports: [{ port: 'web', protocol: 'UDP' }] }]), undefined],
    ['a named port with its protocol', into([{ ports: [{ port: 'dns', protocol: 'UDP' }] }]), 'UDP 53'],
    ['a named port that the pod lacks is none', into([{ ports: [{ port: 'metrics' }] }]), undefined],
    [
      'rules add up',
      into([{ ports: [{ port: 80 }] }, { ports: [{ port: 81 }, { port: 53, protocol: 'UDP' }] }]),
      'TCP 80-81,UDP 53',
    ],
    [
      'both selectors of one peer must match',
      into([{ from: [{ namespaceSelector: { matchLabels: { x: 'y' } }, podSelector: {} }] }]),
      undefined,
    ],
    [
      'two peers: one is enough',
      into([
        { from: [{ namespaceSelector: { matchLabels: { x: 'y' } } }, { podSelector: { matchLabels: { app: 'a' } } }] },
      ]),
      'All Connections',
    ],
    [
      'a pod selector alone means the own namespace',
      { ...into([{ from: [{ podSelector: {} }] }]), metadata: { name: 'p', namespace: 'elsewhere' } },
      'All Connections',
    ],
    ['an ipBlock selects no pods', into([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }]), undefined],
    ['absent types with egress rules are both', into(undefined, { egress: [{}] }), undefined],
    [
      'types Egress alone leave ingress open',
      into([{ ports: [{ port: 80 }] }], { policyTypes: ['Egress'] }),
      'All Connections',
    ],
    ['an empty selector of namespaces selects all', into([{ from: [{ namespaceSelector: {} }] }]), 'All Connections'],
    [
      'the namespace is known by its name without being defined',
      into([{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ns' } } }] }]),
      'All Connections',
    ],
    [
      'DoesNotExist on pods',
      into([{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }] }]),
      undefined,
    ],
    [
      'NotIn on pods',
      into([{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['c'] }] } }] }]),
      'All Connections',
    ],
  ]
  test.each(cases)('%s', (_, object, answer) => {
    expect(between(object)).toBe(answer)
  })

  test('policies add up, and egress and ingress are cut with each other', () => {
    const out = policy('ns', 'out', {
      podSelector: { matchLabels: { app: 'a' } },
      policyTypes: ['Egress'],
      egress: [{ to: [{ podSelector: {} }], ports: [{ port: 80, endPort: 100 }] }],
    })
    const more = policy('ns', 'more', { podSelector: {}, ingress: [{ ports: [{ port: 95 }] }] })
    expect(between(out, into([{ ports: [{ port: 90, endPort: 93 }] }]), more)).toBe('TCP 90-93,95')
  })

  test('a policy of another namespace, and of the default one by omission, selects only there', () => {
    const elsewhere = { ...into([]), metadata: { name: 'p' } } as KubeObject
    expect(between(elsewhere)).toBe('All Connections')
    const there = pod('b', { app: 'b' }, { namespace: 'default' })
    expect(lines(a, there, elsewhere).some((line) => line.includes('=> default/b[Pod]'))).toBe(false)
  })
})

describe('outside addresses', () => {
  const outside = (...objects: KubeObject[]) =>
    lines(b, ...objects).map((line) => line.replace('[External]', '').replace('ns/b[Pod]', 'b'))

  test('are cut where a rule of that direction begins or ends, the other direction stays whole', () => {
    const blocks = into([
      { from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80 }] },
    ])
    expect(outside(blocks)).toEqual([
      '10.0.0.0-10.0.255.255 => b : TCP 80',
      '10.2.0.0-10.255.255.255 => b : TCP 80',
      'b => 0.0.0.0-255.255.255.255 : All Connections',
    ])
  })

  test('are cut for every workload alike, and pieces are not joined again', () => {
    const other = pod('c')
    const found = lines(b, other, into([{ from: [{ ipBlock: { cidr: '128.0.0.0/1' } }] }])).filter((line) =>
      line.includes('[External] =>'),
    )
    expect(found).toEqual([
      '0.0.0.0-127.255.255.255[External] => ns/c[Pod] : All Connections',
      '128.0.0.0-255.255.255.255[External] => ns/b[Pod] : All Connections',
      '128.0.0.0-255.255.255.255[External] => ns/c[Pod] : All Connections',
    ])
  })

  test('a named port leads to no outside address; IPv6 blocks cut nothing in IPv4', () => {
    const out = policy('ns', 'p', {
      podSelector: {},
      policyTypes: ['Egress'],
      egress: [{ ports: [{ port: 'web' }] }, { to: [{ ipBlock: { cidr: '2001:db8::/32' } }] }],
    })
    expect(outside(out)).toEqual(['0.0.0.0-255.255.255.255 => b : All Connections'])
  })
})

describe('workloads', () => {
  test('every kind that makes pods is one, named by its kind', () => {
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [] } }
    const made = (apiVersion: string, kind: string, spec: object = { template }): KubeObject => ({
      apiVersion,
      kind,
      metadata: { name: kind.toLowerCase(), namespace: 'ns' },
      spec,
    })
    const found = lines(
      made('apps/v1', 'Deployment'),
      made('apps/v1', 'ReplicaSet'),
      made('apps/v1', 'StatefulSet'),
      made('apps/v1', 'DaemonSet'),
      made('v1', 'ReplicationController'),
      made('batch/v1', 'Job'),
      made('batch/v1', 'CronJob', { jobTemplate: { spec: { template } } }),
      made('v1', 'Service'),
    ).filter((line) => line.startsWith('0.0.0.0'))
    expect(found.map((line) => sure(line.split(' => ')[1]).split(' : ')[0])).toEqual(
      [
        'cronjob[CronJob]',
        'daemonset[DaemonSet]',
        'deployment[Deployment]',
        'job[Job]',
        'replicaset[ReplicaSet]',
        'replicationcontroller[ReplicationController]',
        'statefulset[StatefulSet]',
      ].map((name) => `ns/${name}`),
    )
  })

  test('pods of one controller are one workload without a line to itself; a node is no controller', () => {
    const owned = (name: string) => pod(name, {}, { owner: { kind: 'ReplicaSet', name: 'web' } })
    expect(lines(owned('web-1'), owned('web-2'))).toEqual([
      '0.0.0.0-255.255.255.255[External] => ns/web[ReplicaSet] : All Connections',
      'ns/web[ReplicaSet] => 0.0.0.0-255.255.255.255[External] : All Connections',
    ])
    expect(lines(pod('static', {}, { owner: { kind: 'Node', name: 'n1' } }))[0]).toContain('ns/static[Pod]')
  })

  test('pods of one controller that a selector tells apart have no one answer', () => {
    const owned = (name: string, role: string) => pod(name, { role }, { owner: { kind: 'ReplicaSet', name: 'web' } })
    const objects = (key: string) => [
      owned('web-1', 'x'),
      owned('web-2', 'y'),
      policy('ns', 'p', { podSelector: { matchLabels: { [key]: 'x' } } }),
    ]
    expect(connectionLines(objects('role'))).toEqual({ undecided: [expect.stringContaining('ns/web[ReplicaSet]')] })
    expect(connectionLines(objects('tier'))).toHaveProperty('lines')
  })

  test('no workloads, no lines', () => {
    expect(connectionLines([namespace('ns'), into([{}])])).toEqual({ lines: [] })
  })
})

describe('what is not understood gives no lines', () => {
  test.each([
    ['a policy with an unknown field', policy('ns', 'odd', { podSelector: {}, tier: 'x' }), 'NetworkPolicy ns/odd'],
    [
      'a policy of an older API',
      { ...policy('ns', 'odd', { podSelector: {} }), apiVersion: 'extensions/v1beta1' },
      'NetworkPolicy ns/odd',
    ],
    [
      'a kind of another product',
      { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'odd', namespace: 'ns' } },
      'CiliumNetworkPolicy ns/odd',
    ],
    [
      'another network',
      { apiVersion: 'k8s.ovn.org/v1', kind: 'ClusterUserDefinedNetwork', metadata: { name: 'odd' } },
      'ClusterUserDefinedNetwork odd',
    ],
  ])('%s', (_, object, name) => {
    expect(connectionLines([a, b, object])).toEqual({ undecided: [expect.stringContaining(name)] })
  })
})
