import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { connectionLines } from '../../../../src/prover/network/connection-lines.ts'
import { namespace, policy } from './worlds.ts'

const pod = (name: string, labels: Record<string, string> = {}, more: { namespace?: string; ports?: object[]; owner?: object } = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: more.namespace ?? 'ns', labels, ...(more.owner ? { ownerReferences: [{ controller: true, ...more.owner }] } : {}) },
  spec: { containers: [{ name: 'c', ports: more.ports ?? [] }] },
})
const a = pod('a', { app: 'a' })
const b = pod('b', { app: 'b' }, { ports: [{ name: 'web', containerPort: 8080 }, { name: 'dns', containerPort: 53, protocol: 'UDP' }, { name: 'web', containerPort: 8443 }] })
const into = (rules: object[] | undefined, more: object = {}) => policy('ns', 'p', { podSelector: { matchLabels: { app: 'b' } }, ...(rules === undefined ? {} : { ingress: rules }), ...more })
const lines = (...objects: KubeObject[]): readonly string[] => {
  const answer = connectionLines(objects)
  expect(answer).toHaveProperty('lines')
  return 'lines' in answer ? answer.lines : []
}
/** What `a` may do towards `b`. */
const between = (...objects: KubeObject[]) => lines(a, b, ...objects).find((line) => line.startsWith('ns/a[Pod] => ns/b[Pod]'))?.split(' : ')[1]

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
    ['rules add up', into([{ ports: [{ port: 80 }] }, { ports: [{ port: 81 }, { port: 53, protocol: 'UDP' }] }]), 'TCP 80-81,UDP 53'],
    ['both selectors of one peer must match', into([{ from: [{ namespaceSelector: { matchLabels: { x: 'y' } }, podSelector: {} }] }]), undefined],
    ['two peers: one is enough', into([{ from: [{ namespaceSelector: { matchLabels: { x: 'y' } } }, { podSelector: { matchLabels: { app: 'a' } } }] }]), 'All Connections'],
    ['a pod selector alone means the own namespace', { ...into([{ from: [{ podSelector: {} }] }]), metadata: { name: 'p', namespace: 'elsewhere' } }, 'All Connections'],
    ['an ipBlock selects no pods', into([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }]), undefined],
    ['absent types with egress rules are both', into(undefined, { egress: [{}] }), undefined],
    ['types Egress alone leave ingress open', into([{ ports: [{ port: 80 }] }], { policyTypes: ['Egress'] }), 'All Connections'],
    ['an empty selector of namespaces selects all', into([{ from: [{ namespaceSelector: {} }] }]), 'All Connections'],
    ['the namespace is known by its name without being defined', into([{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ns' } } }] }]), 'All Connections'],
    ['DoesNotExist on pods', into([{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }] }]), undefined],
    ['NotIn on pods', into([{ from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['c'] }] } }] }]), 'All Connections'],
  ]
  test.each(cases)('%s', (_, object, answer) => {
    expect(between(object)).toBe(answer)
  })

  test('policies add up, and egress and ingress are cut with each other', () => {
    const out = policy('ns', 'out', { podSelector: { matchLabels: { app: 'a' } }, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }], ports: [{ port: 80, endPort: 100 }] }] })
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
  const outside = (...objects: KubeObject[]) => lines(b, ...objects).map((line) => line.replace('[External]', '').replace('ns/b[Pod]', 'b'))

  test('are cut where a rule of that direction begins or ends, the other direction stays whole', () => {
    const blocks = into([{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }], ports: [{ port: 80 }] }])
    expect(outside(blocks)).toEqual([
      '10.0.0.0-10.0.255.255 => b : TCP 80',
      '10.2.0.0-10.255.255.255 => b : TCP 80',
      'b => 0.0.0.0-255.255.255.255 : All Connections',
    ])
  })

  test('are cut for every workload alike, and pieces are not joined again', () => {
    const other = pod('c')
    const found = lines(b, other, into([{ from: [{ ipBlock: { cidr: '128.0.0.0/1' } }] }])).filter((line) => line.includes('[External] =>'))
    expect(found).toEqual([
      '0.0.0.0-127.255.255.255[External] => ns/c[Pod] : All Connections',
      '128.0.0.0-255.255.255.255[External] => ns/b[Pod] : All Connections',
      '128.0.0.0-255.255.255.255[External] => ns/c[Pod] : All Connections',
    ])
  })

  test('a named port leads to no outside address; IPv6 blocks cut nothing in IPv4', () => {
    const out = policy('ns', 'p', { podSelector: {}, policyTypes: ['Egress'], egress: [{ ports: [{ port: 'web' }] }, { to: [{ ipBlock: { cidr: '2001:db8::/32' } }] }] })
    expect(outside(out)).toEqual(['0.0.0.0-255.255.255.255 => b : All Connections'])
  })
})

describe('workloads', () => {
  test('every kind that makes pods is one, named by its kind', () => {
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [] } }
    const made = (apiVersion: string, kind: string, spec: object = { template }): KubeObject => ({ apiVersion, kind, metadata: { name: kind.toLowerCase(), namespace: 'ns' }, spec })
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
    expect(found.map((line) => line.split(' => ')[1]!.split(' : ')[0])).toEqual(['cronjob[CronJob]', 'daemonset[DaemonSet]', 'deployment[Deployment]', 'job[Job]', 'replicaset[ReplicaSet]', 'replicationcontroller[ReplicationController]', 'statefulset[StatefulSet]'].map((name) => `ns/${name}`))
  })

  test('pods of one controller are one workload without a line to itself; a node is no controller', () => {
    const owned = (name: string) => pod(name, {}, { owner: { kind: 'ReplicaSet', name: 'web' } })
    expect(lines(owned('web-1'), owned('web-2'))).toEqual(['0.0.0.0-255.255.255.255[External] => ns/web[ReplicaSet] : All Connections', 'ns/web[ReplicaSet] => 0.0.0.0-255.255.255.255[External] : All Connections'])
    expect(lines(pod('static', {}, { owner: { kind: 'Node', name: 'n1' } }))[0]).toContain('ns/static[Pod]')
  })

  test('pods of one controller that a selector tells apart have no one answer', () => {
    const owned = (name: string, role: string) => pod(name, { role }, { owner: { kind: 'ReplicaSet', name: 'web' } })
    const objects = (key: string) => [owned('web-1', 'x'), owned('web-2', 'y'), policy('ns', 'p', { podSelector: { matchLabels: { [key]: 'x' } } })]
    expect(connectionLines(objects('role'))).toEqual({ undecided: [expect.stringContaining('ns/web[ReplicaSet]')] })
    expect(connectionLines(objects('tier'))).toHaveProperty('lines')
  })

  test('no workloads, no lines', () => {
    expect(connectionLines([namespace('ns'), into([{}])])).toEqual({ lines: [] })
  })
})

describe('what Ingress and Route open', () => {
  const service = (spec: object): KubeObject => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'svc', namespace: 'ns' }, spec })
  const web = service({ selector: { app: 'b' }, ports: [{ name: 'http', port: 80, targetPort: 'web' }, { name: 'tls', port: 443, targetPort: 8443 }] })
  const ingress = (spec: object): KubeObject => ({ apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata: { name: 'i', namespace: 'ns' }, spec })
  const backend = (port: object) => ({ service: { name: 'svc', port } })
  const rule = (port: object) => ingress({ rules: [{ http: { paths: [{ backend: backend(port) }] } }] })
  const route = (spec: object): KubeObject => ({ apiVersion: 'route.openshift.io/v1', kind: 'Route', metadata: { name: 'r', namespace: 'ns' }, spec })
  const opened = (...objects: KubeObject[]) => lines(b, ...objects).find((line) => line.startsWith('{ingress-controller}'))?.split(' : ')[1]

  const cases: [what: string, objects: KubeObject[], answer: string | undefined][] = [
    ['by number', [web, rule({ number: 443 })], 'TCP 8443'],
    ['by name, to a named target', [web, rule({ name: 'http' })], 'TCP 8080'],
    ['a default backend', [web, ingress({ defaultBackend: backend({ number: 80 }) })], 'TCP 8080'],
    ['several backends', [web, rule({ number: 80 }), { ...rule({ number: 443 }), metadata: { name: 'j', namespace: 'ns' } }], 'TCP 8080,8443'],
    ['a port that the Service lacks', [web, rule({ number: 81 })], undefined],
    ['a Service that is not there', [rule({ number: 80 })], undefined],
    ['a Service without selector', [service({ ports: [{ port: 80, targetPort: 8080 }] }), rule({ number: 80 })], undefined],
    ['a Service of another namespace', [{ ...web, metadata: { name: 'svc', namespace: 'other' } }, rule({ number: 80 })], undefined],
    ['a target that the pod does not declare', [service({ selector: { app: 'b' }, ports: [{ port: 80, targetPort: 9999 }] }), rule({ number: 80 })], undefined],
    ['a named target that is no TCP port', [service({ selector: { app: 'b' }, ports: [{ port: 80, targetPort: 'dns' }] }), rule({ number: 80 })], undefined],
    ['no target: the port itself', [service({ selector: { app: 'b' }, ports: [{ port: 8080 }] }), rule({ number: 8080 })], 'TCP 8080'],
    ['a rule without http, a backend without Service', [web, ingress({ rules: [{ host: 'x' }, { http: { paths: [{ backend: { resource: {} } }] } }] })], undefined],
    ['a Route without a port: every port', [web, route({ to: { kind: 'Service', name: 'svc' } })], 'TCP 8080,8443'],
    ['a Route by target', [web, route({ to: { kind: 'Service', name: 'svc' }, port: { targetPort: 8443 } })], 'TCP 8443'],
    ['a Route by name', [web, route({ to: { name: 'svc' }, port: { targetPort: 'http' } })], 'TCP 8080'],
    ['an alternate backend', [web, route({ to: { kind: 'Service', name: 'none' }, alternateBackends: [{ kind: 'Service', name: 'svc' }], port: { targetPort: 'tls' } })], 'TCP 8443'],
    ['a target of another kind', [web, route({ to: { kind: 'Pod', name: 'svc' } })], undefined],
    ['nothing asks', [web], undefined],
  ]
  test.each(cases)('%s', (_, objects, answer) => {
    expect(opened(...objects)).toBe(answer)
  })

  test('policies cut it: from all namespaces it passes, from chosen ones not', () => {
    const asked = [web, rule({ number: 443 })]
    expect(opened(...asked, into([{ from: [{ namespaceSelector: {} }] }]))).toBe('TCP 8443')
    expect(opened(...asked, into([{ from: [{ namespaceSelector: {} }], ports: [{ port: 80 }] }]))).toBeUndefined()
    expect(opened(...asked, into([{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } } }] }]))).toBeUndefined()
    expect(opened(...asked, into([{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }]))).toBeUndefined()
    expect(opened(...asked, into([]))).toBeUndefined()
  })
})

describe('what is not understood gives no lines', () => {
  test.each([
    ['a policy with an unknown field', policy('ns', 'odd', { podSelector: {}, tier: 'x' }), 'NetworkPolicy ns/odd'],
    ['a policy of an older API', { ...policy('ns', 'odd', { podSelector: {} }), apiVersion: 'extensions/v1beta1' }, 'NetworkPolicy ns/odd'],
    ['a kind of another product', { apiVersion: 'cilium.io/v2', kind: 'CiliumNetworkPolicy', metadata: { name: 'odd', namespace: 'ns' } }, 'CiliumNetworkPolicy ns/odd'],
    ['another network', { apiVersion: 'k8s.ovn.org/v1', kind: 'ClusterUserDefinedNetwork', metadata: { name: 'odd' } }, 'ClusterUserDefinedNetwork odd'],
  ])('%s', (_, object, name) => {
    expect(connectionLines([a, b, object as KubeObject])).toEqual({ undecided: [expect.stringContaining(name)] })
  })
})
