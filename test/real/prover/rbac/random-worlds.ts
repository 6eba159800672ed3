/**
 * Random RBAC worlds and questions about them, from a seed. Every world has names of its own, so that hundreds of them
 * live on one server; questions lean towards what its rules speak of, so that many are allowed.
 */
import type { AccessRequest } from '../../../../src/prover/rbac/authorizer.ts'

/** mulberry32. */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const verbs = [
  'get',
  'list',
  'watch',
  'create',
  'update',
  'patch',
  'delete',
  'deletecollection',
  'impersonate',
  'bind',
  'escalate',
  'use',
]
const groups = ['', 'apps', 'batch', 'example.com', 'rbac.authorization.k8s.io']
const resources = ['pods', 'secrets', 'deployments', 'namespaces', 'widgets', 'nodes', 'clusterroles', 'services']
const subresources = ['log', 'exec', 'scale', 'status', 'proxy']
const objectNames = ['one', 'two', 'three']
const paths = ['/healthz', '/metrics', '/apis/x/v1', '/apis', '/logs/kube', '/logs/']
const patterns = ['/healthz', '/metrics', '/apis/*', '/logs/*', '/apis', '*', '/log*']

export interface Rule {
  readonly verbs: readonly string[]
  readonly apiGroups?: readonly string[]
  readonly resources?: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly nonResourceURLs?: readonly string[]
}

export interface RandomWorld {
  readonly namespaces: readonly string[]
  /** API objects to create, roles before bindings. */
  readonly objects: readonly {
    readonly path: string
    readonly body: { readonly metadata: { readonly name: string }; readonly [field: string]: unknown }
  }[]
  readonly questions: readonly {
    readonly user: string
    readonly groups: readonly string[]
    readonly request: AccessRequest
  }[]
}

export function randomWorld(
  id: string,
  random: () => number,
  homes: readonly string[],
  questions: number,
): RandomWorld {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const some = <T>(list: readonly T[], most: number): T[] => [
    ...new Set(Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(list))),
  ]
  const chance = (share: number) => random() < share
  const starred = (list: readonly string[], most: number, share: number) => (chance(share) ? ['*'] : some(list, most))
  const resource = () =>
    chance(0.12)
      ? '*'
      : chance(0.1)
        ? `*/${pick(subresources)}`
        : chance(0.35)
          ? `${pick(resources)}/${pick(subresources)}`
          : pick(resources)
  const rule = (cluster: boolean): Rule => {
    if (cluster && chance(0.15)) return { verbs: starred(['get', 'post'], 2, 0.3), nonResourceURLs: some(patterns, 2) }
    const limited = chance(0.25) ? { resourceNames: some(objectNames, 2) } : {}
    return {
      verbs: starred(verbs, 5, 0.2),
      apiGroups: starred(groups, 2, 0.3),
      resources: [...new Set(Array.from({ length: 1 + Math.floor(random() * 4) }, resource))],
      ...limited,
    }
  }
  const users = ['u1', 'u2', 'u3'].map((name) => `${id}-${name}`)
  const people = ['g1', 'g2'].map((name) => `${id}-${name}`)
  const accounts = homes.flatMap((home) => ['a1', 'a2'].map((name) => ({ home, name: `${id}-${name}` })))
  const rbac = { apiVersion: 'rbac.authorization.k8s.io/v1' }
  const apiGroup = 'rbac.authorization.k8s.io'
  const base = '/apis/rbac.authorization.k8s.io/v1'
  const rules: Rule[] = []
  const make = (cluster: boolean) => {
    const made = Array.from({ length: 1 + Math.floor(random() * 3) }, () => rule(cluster))
    rules.push(...made)
    return made
  }
  const clusterRoles = [0, 1].map((index) => ({
    path: `${base}/clusterroles`,
    body: { ...rbac, kind: 'ClusterRole', metadata: { name: `${id}-c${index}` }, rules: make(true) },
  }))
  const roles = [0, 1].map((index) => ({
    path: `${base}/namespaces/${pick(homes)}/roles`,
    body: { ...rbac, kind: 'Role', metadata: { name: `${id}-r${index}` }, rules: make(false) },
  }))
  const subject = () => {
    const share = random()
    if (share < 0.4) return { kind: 'User', apiGroup, name: pick(users) }
    if (share < 0.65) return { kind: 'Group', apiGroup, name: pick(people) }
    const chosen = pick(accounts)
    // The same account in its two spellings.
    if (share < 0.75) return { kind: 'User', apiGroup, name: `system:serviceaccount:${chosen.home}:${chosen.name}` }
    return { kind: 'ServiceAccount', namespace: chosen.home, name: chosen.name }
  }
  const subjects = () => Array.from({ length: 1 + Math.floor(random() * 3) }, subject)
  const bindings = [0, 1, 2, 3].map((index) => {
    const dangling = chance(0.1)
    if (index === 0) {
      const name = dangling ? `${id}-none` : pick(clusterRoles).body.metadata.name
      return {
        path: `${base}/clusterrolebindings`,
        body: {
          ...rbac,
          kind: 'ClusterRoleBinding',
          metadata: { name: `${id}-b${index}` },
          roleRef: { apiGroup, kind: 'ClusterRole', name },
          subjects: subjects(),
        },
      }
    }
    const role = pick(roles)
    const own = chance(0.6)
    const home = own ? role.path.slice(`${base}/namespaces/`.length, -'/roles'.length) : pick(homes)
    const roleRef = {
      apiGroup,
      kind: own ? 'Role' : 'ClusterRole',
      name: dangling ? `${id}-none` : own ? role.body.metadata.name : pick(clusterRoles).body.metadata.name,
    }
    return {
      path: `${base}/namespaces/${home}/rolebindings`,
      body: { ...rbac, kind: 'RoleBinding', metadata: { name: `${id}-b${index}` }, roleRef, subjects: subjects() },
    }
  })
  const granted = new Map([...clusterRoles, ...roles].map(({ body }) => [body.metadata.name, body.rules]))
  const concrete = (value: string, list: readonly string[]) => (value === '*' ? pick(list) : value)
  const question = () => {
    const binding = pick(bindings)
    const near = chance(0.9) ? pick(granted.get(binding.body.roleRef.name) ?? rules) : pick(rules)
    const asked = pick(binding.body.subjects)
    const place = /namespaces\/([^/]+)\//.exec(binding.path)?.[1]
    const user =
      asked.kind === 'User'
        ? asked.name
        : 'namespace' in asked
          ? `system:serviceaccount:${asked.namespace}:${asked.name}`
          : `${id}-member`
    const implied = user.startsWith('system:serviceaccount:')
      ? ['system:serviceaccounts', `system:serviceaccounts:${user.split(':')[2]}`]
      : []
    const member = asked.kind === 'Group' ? [asked.name] : chance(0.2) ? [pick(people)] : []
    const groupsOf = [...member, ...implied, 'system:authenticated']
    if (near.nonResourceURLs !== undefined && chance(0.5))
      return { user, groups: groupsOf, request: { verb: pick(['get', 'post']), path: pick(paths) } }
    const close = chance(0.85)
    const [plain, sub] = (close ? pick(near.resources ?? resources) : pick(resources)).split('/') as [
      string,
      string | undefined,
    ]
    const name =
      near.resourceNames !== undefined && chance(0.8) ? pick(near.resourceNames) : chance(0.4) ? pick(objectNames) : ''
    const home = place !== undefined && chance(0.75) ? place : chance(0.85) ? pick(homes) : ''
    return {
      user,
      groups: groupsOf,
      request: {
        verb: concrete(close ? pick(near.verbs) : pick(verbs), verbs),
        group: concrete(close ? pick(near.apiGroups ?? groups) : pick(groups), groups),
        resource: concrete(plain, resources),
        ...(sub === undefined ? (chance(0.1) ? { subresource: pick(subresources) } : {}) : { subresource: sub }),
        ...(home === '' ? {} : { namespace: home }),
        ...(name === '' ? {} : { name }),
      },
    }
  }
  return {
    namespaces: homes,
    objects: [...clusterRoles, ...roles, ...bindings],
    questions: Array.from({ length: questions }, question),
  }
}
