/**
 * The RBAC logic: what every principal that a tenant is, or could make, may do outside its boundary, and what everybody
 * else may do inside. Assembles the edges of bindings, whose each node is, and what could not be judged.
 */
import type { World } from '../../model/world.ts'
import { type Analysis, type ClaimSpec, type Logic, type LogicEdge, type Node, outsider, tenantNode } from '../logic.ts'
import { assumptionsOf } from './assumptions.ts'
import { foreignAuthorities } from './foreign-authorities.ts'
import { createGranted, type Granted } from './edges.ts'
import { clusterFacts, type ClusterFacts, mislabelled } from './namespaces.ts'
import { grantedKey, type RbacBinding, type RbacPolicy, readPolicy } from './policy.ts'
import {
  accountNode, administrationNode, cluster, everybody, everyNamespace, groupNode, namespaceNode, platformOwner, type Principals, principalsOf, secretNode, subjectNode,
} from './principals.ts' // prettier-ignore
import type { Profile } from './profile.ts'
import { withBuiltinRoles } from './builtin-roles.ts'

export const contained = 'rbac.contained'
export const fenced = 'rbac.fenced'

const claims: readonly ClaimSpec[] = [
  {
    id: contained,
    statement:
      "What the tenant's accounts and people may do on the Kubernetes API, or may come to do, reaches nothing outside its namespaces.",
  },
  {
    id: fenced,
    statement: "Nobody but the tenant, the platform and who is trusted may do anything in the tenant's namespaces.",
  },
]

/** Without these listed completely nothing about access is known. */
const needed = [
  '/Namespace',
  'rbac.authorization.k8s.io/Role',
  'rbac.authorization.k8s.io/ClusterRole',
  'rbac.authorization.k8s.io/RoleBinding',
  'rbac.authorization.k8s.io/ClusterRoleBinding',
]

export const rbacLogic: Logic = {
  name: 'rbac',
  claims,
  applies: (world) =>
    world.kubernetes !== undefined ||
    world.unreadable.some(({ product }) => product === 'kubernetes' || product === 'file'),
  analyse,
}

type Undecided = Analysis['undecided'][number]
const both = (because: string, tenant?: string): readonly Undecided[] =>
  [contained, fenced].map((claim) => ({ claim, because, ...(tenant === undefined ? {} : { tenant }) }))

const nothing: Analysis = {
  edges: [],
  starts: new Map(),
  owners: new Map(),
  undecided: [],
  refuted: [],
  checked: new Map(),
  assuming: [],
}

function analyse(world: World): Analysis {
  const { kubernetes } = world
  if (kubernetes === undefined) return { ...nothing, undecided: both('no Kubernetes was read') }
  const fromFiles = world.source === 'manifests'
  // Files do not hold the roles that every cluster comes with, nor has a controller filled in aggregated ones.
  const objects = fromFiles ? withBuiltinRoles(kubernetes.objects) : kubernetes.objects
  const policy = readPolicy(objects, { aggregate: world.source !== 'live' })
  const principals = principalsOf(world)
  const facts = clusterFacts(world)
  const granted = createGranted({ world, policy, principals, namespaces: facts })
  const bound = boundNodes(policy)
  const edges = [...granted.edges, ...structure(world, facts, bound, granted.edges)]
  return {
    edges,
    starts: startsOf(world, principals, bound),
    owners: ownersOf(world, facts, principals, bound, edges),
    undecided: [
      ...needed
        .filter((kind) => !kubernetes.kinds.includes(kind))
        .flatMap((kind) => both(`${kind.replace(/^\//, '')} objects were not listed`)),
      ...policy.problems.flatMap(({ because }) => both(because)),
      ...foreignAuthorities(objects).flatMap((because) => both(because)),
      ...missingNamespaces(world, facts),
      ...danglingRoles(world, policy, principals),
    ],
    refuted: refutedLabels(world, facts),
    checked: checkedOf(world, policy, principals, facts),
    assuming: assumptionsOf(world, tenantProfiles(policy, principals, granted)),
  }
}

/** Every subject that some binding names. */
const boundNodes = (policy: RbacPolicy): ReadonlySet<Node> =>
  new Set(policy.bindings.flatMap((binding) => binding.subjects.map((subject) => subjectNode(subject))))

const accountParts = /^k8s:sa:([^/]+)\/(.+)$/

/** Edges that hold in every cluster: what the group of masters is, where cluster-wide power reaches, who lives where. */
function structure(
  world: World,
  facts: ClusterFacts,
  bound: ReadonlySet<Node>,
  granted: readonly LogicEdge[],
): readonly LogicEdge[] {
  const names = new Set([...facts.namespaces.keys(), ...world.tenants.flatMap((tenant) => tenant.namespaces)])
  const administered = new Set(granted.flatMap((edge) => (edge.to.startsWith('k8s:admin:') ? [edge.to.slice(10)] : [])))
  const modify = (namespace: string) => `kubectl auth can-i patch namespaces/${namespace} -n ${namespace}`
  const tenants = new Set(world.tenants.flatMap((tenant) => tenant.namespaces))
  return [
    { from: groupNode('system:masters'), to: cluster, rule: 'masters', by: 'the API server' },
    { from: cluster, to: everyNamespace, rule: 'cluster', by: 'power over the whole cluster' },
    ...[...names].map((name) => ({
      from: everyNamespace,
      to: namespaceNode(name),
      rule: 'every-namespace',
      by: 'a grant for the whole cluster',
    })),
    ...[...administered].flatMap((name) => [
      { from: administrationNode(name), to: namespaceNode(name), rule: 'administration', by: `Namespace ${name}` },
      {
        from: administrationNode(name),
        to: cluster,
        rule: 'namespaces.modify',
        by: `Namespace ${name}`,
        command: modify(name),
      },
    ]),
    ...[...bound].flatMap((node): readonly LogicEdge[] => {
      const [, namespace, name] = accountParts.exec(node) ?? []
      if (namespace === undefined || name === undefined || tenants.has(namespace)) return []
      return [
        { from: accountNode(namespace, '*'), to: node, rule: 'account', by: `ServiceAccount ${namespace}/${name}` },
      ]
    }),
    ...facts.secrets.map(({ metadata: { name, namespace = 'default' } }) => ({
      from: tenants.has(namespace) ? namespaceNode(namespace) : accountNode(namespace, '*'),
      to: secretNode(namespace, name),
      rule: 'secret',
      by: `Secret ${namespace}/${name}`,
    })),
  ]
}

/** A tenant is every account that exists or could exist in its namespaces, and whom its document names. */
function startsOf(
  world: World,
  principals: Principals,
  bound: ReadonlySet<Node>,
): ReadonlyMap<string, readonly Node[]> {
  const starts = new Map<string, Node[]>([[outsider, [...everybody]]])
  for (const tenant of world.tenants) {
    const homes = tenant.namespaces.flatMap((namespace) => [
      accountNode(namespace, '*'),
      namespaceNode(namespace),
      groupNode(`system:serviceaccounts:${namespace}`),
    ])
    const common = ['system:authenticated', 'system:serviceaccounts'].map((name) => groupNode(name))
    starts.set(tenant.name, [...homes, ...tenant.subjects.map((subject) => subjectNode(subject)), ...common])
  }
  for (const node of bound) {
    const belonging = principals.belongingOf(node)
    if (belonging.kind === 'stranger') starts.get(outsider)?.push(node)
    if (belonging.kind === 'tenants') for (const name of belonging.names) starts.get(name)?.push(node)
  }
  for (const [name, nodes] of starts) starts.set(name, [...new Set(nodes)])
  return starts
}

function ownersOf(
  world: World,
  facts: ClusterFacts,
  principals: Principals,
  bound: ReadonlySet<Node>,
  edges: readonly LogicEdge[],
): ReadonlyMap<Node, string> {
  const owners = new Map<Node, string>([
    [cluster, platformOwner],
    [everyNamespace, platformOwner],
  ])
  const homes = new Set([...facts.namespaces.keys(), ...world.tenants.flatMap((tenant) => tenant.namespaces)])
  const own = (node: Node): void => {
    if (owners.has(node)) return
    const home = /^k8s:(?:ns:|sa:|secret:)([^/]+)/.exec(node)?.[1]
    const belonging = principals.belongingOf(node)
    if (belonging.kind === 'tenants') {
      // What two tenants share belongs to neither: the way through it is the finding.
      if (belonging.names.size === 1) owners.set(node, [...belonging.names][0] as string)
    } else if (node.startsWith('k8s:platform:') || belonging.kind === 'platform') owners.set(node, platformOwner)
    else if (home !== undefined) owners.set(node, principals.ownerOf(home))
  }
  for (const home of homes) for (const node of [namespaceNode(home), accountNode(home, '*')]) own(node)
  for (const node of bound) own(node)
  for (const subject of world.trusted) own(subjectNode(subject))
  for (const tenant of world.tenants) for (const subject of tenant.subjects) own(subjectNode(subject))
  for (const edge of edges) own(edge.to)
  return owners
}

/** A namespace that is not there has no fences, and says nothing about the tenant. */
const missingNamespaces = (world: World, facts: ClusterFacts): readonly Undecided[] =>
  world.tenants.flatMap((tenant) => {
    if (tenant.namespaces.length === 0) return both('the tenant has no namespace', tenant.name)
    return tenant.namespaces
      .filter((namespace) => !facts.namespaces.has(namespace))
      .flatMap((namespace) => both(`Namespace ${namespace} is not there`, tenant.name))
  })

/** In files a role that is not there may be in the cluster; the API server itself says that it is not. */
function danglingRoles(world: World, policy: RbacPolicy, principals: Principals): readonly Undecided[] {
  if (world.source !== 'manifests') return []
  return policy.bindings
    .filter((binding) => !policy.roles.has(grantedKey(binding)) && binding.subjects.length > 0)
    .flatMap((binding) => dangling(binding, principals))
}

function dangling(binding: RbacBinding, principals: Principals): readonly Undecided[] {
  const place = binding.namespace === undefined ? '' : `${binding.namespace}/`
  const because = `${binding.kind} ${place}${binding.name} grants the ${binding.role.kind} ${binding.role.name}, which is not among the files`
  const belongings = binding.subjects.map((subject) => principals.belongingOf(subjectNode(subject)))
  if (belongings.every((belonging) => belonging.kind === 'platform')) return []
  const owner = binding.namespace === undefined ? undefined : principals.ownerOf(binding.namespace)
  const onlyOwn = belongings.every(
    (belonging) =>
      belonging.kind === 'tenants' && belonging.names.size === 1 && owner !== undefined && belonging.names.has(owner),
  )
  // Held by a tenant at home it may still lead out; held by anyone else it may also lead in.
  if (onlyOwn && owner !== undefined) return [{ claim: contained, tenant: owner, because }]
  return both(because)
}

function refutedLabels(world: World, facts: ClusterFacts): Analysis['refuted'] {
  return mislabelled(world, facts).map(({ tenant, namespace, by, culprit }) => ({
    claim: fenced,
    tenant,
    subject: `Namespace ${namespace}`,
    object: `the fences of tenant ${tenant}`,
    edge: {
      from: namespaceNode(namespace), to: tenantNode(tenant), rule: 'namespaces.label', by,
      command: `kubectl get namespace ${namespace} --show-labels`, culprits: [culprit],
    },
  })) // prettier-ignore
}

/** Pairs of a binding and the claims that it bears on, and the tenant's own principals; 0 for who has no namespace. */
function checkedOf(
  world: World,
  policy: RbacPolicy,
  principals: Principals,
  facts: ClusterFacts,
): ReadonlyMap<string, number> {
  const everywhere = policy.bindings.filter((binding) => binding.namespace === undefined).length
  const counts = new Map(
    world.tenants.map((tenant) => [tenant.name, everywhere + tenant.namespaces.length * 3 + tenant.subjects.length]),
  )
  for (const binding of policy.bindings) {
    if (binding.namespace === undefined) continue
    const about = new Set([principals.ownerOf(binding.namespace)])
    for (const subject of binding.subjects) {
      const belonging = principals.belongingOf(subjectNode(subject))
      if (belonging.kind === 'tenants') for (const name of belonging.names) about.add(name)
    }
    for (const name of about) if (counts.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  for (const tenant of world.tenants) {
    if (!tenant.namespaces.some((namespace) => facts.namespaces.has(namespace))) counts.set(tenant.name, 0)
  }
  return counts
}

function tenantProfiles(policy: RbacPolicy, principals: Principals, granted: Granted): ReadonlySet<Profile> {
  const profiles = new Set<Profile>()
  for (const binding of policy.bindings) {
    const profile = granted.profiles(binding)
    if (profile === undefined || profiles.has(profile)) continue
    if (binding.subjects.some((subject) => principals.belongingOf(subjectNode(subject)).kind === 'tenants'))
      profiles.add(profile)
  }
  return profiles
}
