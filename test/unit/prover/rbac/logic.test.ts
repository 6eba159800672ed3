/** What the two RBAC claims say about bindings of every sort, and when they say nothing. */
import { describe, expect, test } from 'vitest'
import type { RingfenceError } from '../../../../src/model/errors.ts'
import { prove } from '../../../../src/prover/prove.ts'
import {
  account,
  boundary,
  grant,
  group,
  judge,
  namespace,
  tenantNamespace,
  user,
  verdictOn,
  wayIn,
  worldOf,
} from './worlds.ts'

const readPods = { resources: ['pods'], verbs: ['get', 'list'] }
const makePods = { resources: ['pods'], verbs: ['create'] }

describe('who is let in', () => {
  test.each([
    ['everybody signed in', group('system:authenticated')],
    ['everybody', group('system:unauthenticated')],
    ['every account', group('system:serviceaccounts')],
    ['an unknown user', user('mallory')],
    ['an unknown group', group('strangers')],
    ['an unknown group with a reserved name', group('system:friends')],
    ['an account elsewhere', account('default', 'default')],
    ['the accounts of a namespace elsewhere', group('system:serviceaccounts:default')],
    ['an account spelt as a user', user('system:serviceaccount:default:default')],
  ])('%s refutes the fence, and the binding is named', (_, subject) => {
    const report = judge(worldOf(grant('let-all', 'acme', subject, readPods)))
    const verdict = verdictOn(report, 'rbac.fenced', 'acme')
    expect(verdict).toMatchObject({
      verdict: 'refuted',
      counterexample: {
        path: [{ rule: 'namespace.read', by: 'RoleBinding acme/let-all', to: 'k8s:ns:acme' }],
        culprits: [{ kind: 'RoleBinding', namespace: 'acme', name: 'let-all', uid: 'uid-binding-let-all' }],
      },
    })
    expect(wayIn(report, 'rbac.fenced', 'globex')).toBe('proved')
  })

  test.each([
    ["the tenant's own account", account('acme', 'app')],
    ["the tenant's own accounts", group('system:serviceaccounts:acme')],
    ['a group that the document names', group('acme-admins')],
    ['an account of our own namespace', account('ringfence-system', 'engine')],
    ['a controller of Kubernetes', account('kube-system', 'deployment-controller')],
    ['the controller manager', user('system:kube-controller-manager')],
    ['someone trusted', user('operator')],
  ])('%s does not', (_, subject) => {
    const world = worldOf(grant('fine', 'acme', subject, readPods), {
      tenants: [boundary('acme', { subjects: [{ kind: 'Group', name: 'acme-admins' }] }), boundary('globex')],
      trusted: [{ kind: 'User', name: 'operator' }],
    })
    expect(judge(world).summary).toEqual({ proved: 4, refuted: 0, undecided: 0 })
  })

  test('a cluster-wide grant to a stranger refutes every fence', () => {
    const report = judge(worldOf(grant('all', '*', user('mallory'), { groups: ['*'], resources: ['*'], verbs: ['*'] })))
    for (const tenant of ['acme', 'globex'])
      expect(wayIn(report, 'rbac.fenced', tenant)).toEqual(['everything', 'every-namespace'])
    expect(wayIn(report, 'rbac.contained', 'acme')).toBe('proved')
  })

  test('a changed binding of Kubernetes is judged by whom it names now', () => {
    const [role, binding] = grant('cluster-admin', '*', group('system:masters'), {
      groups: ['*'],
      resources: ['*'],
      verbs: ['*'],
    }) as unknown as readonly [never, { subjects: unknown[] }]
    const fine = worldOf([role, binding as never])
    expect(judge(fine).summary.refuted).toBe(0)
    const changed = worldOf([
      role,
      { ...binding, subjects: [...binding.subjects, group('system:authenticated')] } as never,
    ])
    expect(judge(changed).summary.refuted).toBe(4)
  })

  test("the group that two documents name lets each into the other's namespace", () => {
    const shared = { subjects: [{ kind: 'Group' as const, name: 'both' }] }
    const world = worldOf(
      [...grant('a', 'acme', group('both'), readPods), ...grant('b', 'globex', group('both'), readPods)],
      { tenants: [boundary('acme', shared), boundary('globex', shared)] },
    )
    expect(judge(world).summary).toEqual({ proved: 0, refuted: 4, undecided: 0 })
  })
})

describe('what is no trespass', () => {
  const shared = boundary('acme', {
    shared: [{ apiGroup: '', kind: 'ConfigMap', namespace: 'ringfence-system', name: 'ca' }],
  })
  const tenants = [shared, boundary('globex')]

  test('what a document shares may be read by name, and not be listed', () => {
    const rule = { resources: ['configmaps'], verbs: ['get'], names: ['ca'] }
    expect(
      judge(worldOf(grant('share', 'ringfence-system', account('acme', 'app'), rule), { tenants })).summary.refuted,
    ).toBe(0)
    for (const wider of [
      { ...rule, verbs: ['get', 'list'] },
      { ...rule, names: ['ca', 'key'] },
      { resources: ['configmaps'], verbs: ['get'] },
    ]) {
      expect(
        wayIn(
          judge(worldOf(grant('share', 'ringfence-system', account('acme', 'app'), wider), { tenants })),
          'rbac.contained',
          'acme',
        ),
      ).toEqual(['namespace.read'])
    }
    expect(
      wayIn(
        judge(worldOf(grant('share', 'ringfence-system', account('globex', 'app'), rule), { tenants })),
        'rbac.contained',
        'globex',
      ),
    ).toEqual(['namespace.read'])
  })

  test('questions about oneself, discovery and offers are free; the names of others are not', () => {
    const free = grant('free', '*', group('system:authenticated'),
      { groups: ['authorization.k8s.io'], resources: ['selfsubjectaccessreviews'], verbs: ['create'] },
      { groups: ['storage.k8s.io'], resources: ['storageclasses'], verbs: ['get', 'list'] },
      { verbs: ['get'], paths: ['/healthz', '/version/', '/apis/*', '/openid/v1/jwks/'] }) // prettier-ignore
    expect(judge(worldOf(free)).summary.refuted).toBe(0)
    const names = grant('names', '*', account('acme', 'app'), { resources: ['namespaces'], verbs: ['list'] })
    expect(wayIn(judge(worldOf(names)), 'rbac.contained', 'acme')).toEqual(['cluster.read'])
    const metrics = grant('metrics', '*', account('acme', 'app'), { verbs: ['get'], paths: ['/metrics'] })
    expect(wayIn(judge(worldOf(metrics)), 'rbac.contained', 'acme')).toEqual(['paths.read'])
  })

  test('creating with resourceNames allows nothing', () => {
    expect(
      judge(worldOf(grant('none', 'globex', account('acme', 'app'), { ...makePods, names: ['x'] }))).summary.refuted,
    ).toBe(0)
  })
})

describe('pod security', () => {
  const runs = grant('runs', 'acme', account('acme', 'app'), makePods)
  test.each([['restricted'], ['baseline']])('%s keeps who runs pods off the node', (level) => {
    const world = worldOf([tenantNamespace('acme', { 'pod-security.kubernetes.io/enforce': level }), ...runs])
    expect(judge(world).summary.refuted).toBe(0)
  })
  test.each([['privileged'], ['nonsense']])('%s does not, and the namespace is named', (level) => {
    const report = judge(worldOf([tenantNamespace('acme', { 'pod-security.kubernetes.io/enforce': level }), ...runs]))
    expect(verdictOn(report, 'rbac.contained', 'acme')).toMatchObject({
      verdict: 'refuted',
      counterexample: { path: [{ rule: 'pods.privileged' }], culprits: [{ kind: 'Namespace', name: 'acme' }] },
    })
  })
  test('a namespace without a level is no fence, unless nobody runs pods there', () => {
    const bare = namespace('acme', { 'ringfence.dev/tenant': 'acme' })
    expect(wayIn(judge(worldOf([bare, ...runs])), 'rbac.contained', 'acme')).toEqual(['pods.privileged'])
    expect(wayIn(judge(worldOf([bare])), 'rbac.contained', 'acme')).toBe('proved')
  })
})

describe('binding roles', () => {
  const bind = (...names: string[]) =>
    grant('binder', 'acme', account('acme', 'app'), {
      groups: ['rbac.authorization.k8s.io'],
      resources: ['roles', 'clusterroles'],
      verbs: ['bind'],
      names,
    })
  const role = (name: string, rules: readonly object[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name },
    rules,
  })
  test('only of a harmless role stays at home, of a strong one does not', () => {
    const roles = [
      role('weak', [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }]),
      role('strong', [{ apiGroups: [''], resources: ['namespaces'], verbs: ['patch'] }]),
    ]
    const weak = [...bind('weak')].map((object) =>
      object.kind === 'Role'
        ? {
            ...object,
            rules: [
              {
                apiGroups: ['rbac.authorization.k8s.io'],
                resources: ['clusterroles'],
                verbs: ['bind'],
                resourceNames: ['weak'],
              },
            ],
          }
        : object,
    )
    expect(wayIn(judge(worldOf([...roles, ...weak])), 'rbac.contained', 'acme')).toBe('proved')
    const strong = [...bind('strong')].map((object) =>
      object.kind === 'Role'
        ? {
            ...object,
            rules: [
              {
                apiGroups: ['rbac.authorization.k8s.io'],
                resources: ['clusterroles'],
                verbs: ['bind'],
                resourceNames: ['strong'],
              },
            ],
          }
        : object,
    )
    expect(wayIn(judge(worldOf([...roles, ...strong])), 'rbac.contained', 'acme')).toEqual(['roles.bind'])
  })
})

describe('what cannot be judged', () => {
  test('a kind that was not listed leaves all undecided', () => {
    const world = worldOf([])
    const kubernetes = { ...(world.kubernetes as NonNullable<typeof world.kubernetes>), kinds: ['/Namespace'] }
    expect(judge({ ...world, kubernetes }).summary).toEqual({ proved: 0, refuted: 0, undecided: 4 })
  })
  test('no Kubernetes at all leaves all undecided', () => {
    const { kubernetes: _, ...world } = worldOf([])
    expect(
      judge({ ...world, unreadable: [{ product: 'kubernetes', what: 'the API server', why: 'refused' }] }).summary,
    ).toEqual({ proved: 0, refuted: 0, undecided: 4 })
  })
  test('a namespace that is not there proves nothing about its tenant', () => {
    const report = judge(worldOf([], { tenants: [boundary('acme'), boundary('gone')] }))
    expect(verdictOn(report, 'rbac.fenced', 'gone')).toMatchObject({
      verdict: 'undecided',
      because: ['Namespace gone is not there'],
    })
    expect(wayIn(report, 'rbac.fenced', 'acme')).toBe('proved')
  })
  test.each([
    [
      'another version',
      {
        apiVersion: 'rbac.authorization.k8s.io/v1beta1',
        kind: 'RoleBinding',
        metadata: { name: 'x', namespace: 'acme' },
      },
      'RoleBinding acme/x is of the version v1beta1',
    ],
    [
      'an odd subject',
      {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        metadata: { name: 'x' },
        roleRef: { kind: 'ClusterRole', name: 'view' },
        subjects: [{ kind: 'Team', name: 'y' }],
      },
      'RoleBinding default/x has a subject of the kind "Team"',
    ],
    [
      'rights of another product',
      { apiVersion: 'capsule.clastix.io/v1beta2', kind: 'Tenant', metadata: { name: 'oil' } },
      'Tenant oil (capsule.clastix.io/v1beta2) may grant access, and is not understood',
    ],
  ])('%s is undecided by name', (_, object, because) => {
    expect(verdictOn(judge(worldOf([object])), 'rbac.contained', 'acme')).toMatchObject({
      verdict: 'undecided',
      because: [because],
    })
  })
  test('objects that grant nothing change nothing', () => {
    const harmless = ['ConfigMap', 'Deployment', 'Widget'].map((kind) => ({
      apiVersion: kind === 'Widget' ? 'example.com/v1' : 'v1',
      kind,
      metadata: { name: 'x', namespace: 'acme' },
    }))
    expect(judge(worldOf(harmless)).summary.proved).toBe(4)
  })
})

test('a namespace label that contradicts the registry is refuted', () => {
  const stolen = judge(worldOf([namespace('elsewhere', { 'ringfence.dev/tenant': 'acme' })]))
  expect(wayIn(stolen, 'rbac.fenced', 'acme')).toEqual(['namespaces.label'])
  const dropped = judge(worldOf([namespace('acme', { 'pod-security.kubernetes.io/enforce': 'restricted' })]))
  expect(wayIn(dropped, 'rbac.fenced', 'acme')).toEqual(['namespaces.label'])
})

test('a tenant that is not there is NotFound, a world without tenants proves nothing', () => {
  expect(() => prove(worldOf([]), { tenants: ['nobody'] })).toThrow(
    expect.objectContaining({ code: 'NotFound' }) as RingfenceError,
  )
  expect(prove(worldOf([], { tenants: [] })).verdicts).toEqual([])
})

test('the command of a counterexample is safe for a shell', () => {
  const report = judge(worldOf(grant('x', 'acme', user("it's; rm -rf /"), { resources: ['secrets'], verbs: ['get'] })))
  expect(verdictOn(report, 'rbac.fenced', 'acme')).toMatchObject({
    counterexample: {
      command: `kubectl '--as=it'\\''s; rm -rf /' --as-group=system:authenticated get secrets -n acme`,
    },
  })
})
