/**
 * Turns bindings into edges of the joint graph: who, by which named rule, reaches what. Decides nothing about good or
 * bad; what belongs to nobody else, and what a document shares, is simply no edge.
 */
import type { Culprit } from '../../model/verdict.ts'
import type { World } from '../../model/world.ts'
import type { LogicEdge, Node } from '../logic.ts'
import { commandOf } from './command.ts'
import { runsPods } from './escalation.ts'
import { grantedKey, roleKey, type RbacBinding, type RbacPolicy } from './policy.ts'
import {
  accountNode, administrationNode, cluster, everyNamespace, groupNode, namespaceNode, platformNode, type Principals, secretNode, subjectNode,
} from './principals.ts' // prettier-ignore
import { profileOf, type Match, type Profile } from './profile.ts'
import { isPublicInfo } from './resources.ts'
import { isShared } from './shared.ts'

/** What is known of namespaces besides RBAC. */
export interface NamespaceFacts {
  /** Whether pods there may be privileged, and the object to blame. */
  weakness(namespace: string): { readonly by: string; readonly culprit: Culprit | undefined } | undefined
  /** The ServiceAccount that a Secret holds a token of. */
  tokenOf(namespace: string, secret: string): string | undefined
}

export interface BindingContext {
  readonly world: World
  readonly policy: RbacPolicy
  readonly principals: Principals
  readonly namespaces: NamespaceFacts
}

/** One binding as edges from each of its subjects. */
export interface Granted {
  readonly edges: LogicEdge[]
  readonly profiles: (binding: RbacBinding) => Profile | undefined
}

export function createGranted(context: BindingContext): Granted {
  const cache = new Map<string, Profile>()
  const profileBy = (key: string): Profile | undefined => {
    const known = cache.get(key)
    if (known !== undefined) return known
    const role = context.policy.roles.get(key)
    if (role === undefined) return undefined
    const profile = profileOf(role.rules)
    cache.set(key, profile)
    return profile
  }
  const edges: LogicEdge[] = []
  for (const binding of context.policy.bindings) {
    const profile = profileBy(grantedKey(binding))
    if (profile === undefined) continue
    for (const subject of binding.subjects) {
      const from = subjectNode(subject)
      const grant: Grant = { from, by: nameOf(binding), culprits: [culpritOf(binding)] }
      if (binding.namespace === undefined) edges.push(...clusterEdges(grant, profile))
      else edges.push(...namespaceEdges(grant, profile, binding, context, profileBy))
    }
  }
  return { edges, profiles: (binding) => profileBy(grantedKey(binding)) }
}

interface Grant {
  readonly from: Node
  readonly by: string
  readonly culprits: readonly Culprit[]
}

export const nameOf = (binding: RbacBinding): string => `${binding.kind} ${roleKey(binding.namespace, binding.name)}`

export const culpritOf = (binding: RbacBinding): Culprit => ({
  product: 'kubernetes',
  apiVersion: binding.apiVersion,
  kind: binding.kind,
  ...(binding.namespace === undefined ? {} : { namespace: binding.namespace }),
  name: binding.name,
  ...(binding.uid === undefined ? {} : { uid: binding.uid }),
})

/** Edges, the first for each destination only: the table puts the most telling one first. */
class Fan {
  readonly edges: LogicEdge[] = []
  readonly #reached = new Set<Node>()
  readonly #grant: Grant

  constructor(grant: Grant) {
    this.#grant = grant
  }

  add(to: Node, match: Match, namespace: string | undefined, rule = match.rule): void {
    const { from, by, culprits } = this.#grant
    if (this.#reached.has(to) || to === from) return
    this.#reached.add(to)
    this.edges.push({ from, to, rule, by, command: commandOf(from, match, namespace), culprits })
  }

  addWith(edge: LogicEdge): void {
    if (this.#reached.has(edge.to)) return
    this.#reached.add(edge.to)
    this.edges.push(edge)
  }
}

const impersonated: { readonly [rule: string]: (name: string) => Node } = {
  'users.impersonate': (name) => `k8s:user:${name}`,
  'groups.impersonate': (name) => groupNode(name),
}

/** A grant for the whole cluster holds in every namespace, the platform's own included. */
function clusterEdges(grant: Grant, profile: Profile): readonly LogicEdge[] {
  const fan = new Fan(grant)
  for (const match of profile.clusterWide) {
    const become = impersonated[match.rule]
    if (become !== undefined && match.names.length > 0) {
      for (const name of match.names) fan.add(become(name), match, undefined)
    } else if (match.rule === 'configmaps.authority' && !namesAuthority(match)) continue
    else if (match.target.startsWith('platform:'))
      fan.add(platformNode(match.target.slice(9)), match, isInNamespaces(match, profile) ? '*' : undefined)
    else if (match.target !== 'namespace') fan.add(cluster, match, isInNamespaces(match, profile) ? '*' : undefined)
    if (isInNamespaces(match, profile)) fan.add(everyNamespace, match, '*')
  }
  return fan.edges
}

/** Whether a match also speaks about things in namespaces. */
const isInNamespaces = (match: Match, profile: Profile): boolean =>
  match.rule === 'everything' ||
  match.rule.startsWith('namespace.') ||
  profile.inNamespace.some((other) => other.rule === match.rule && other.resource === match.resource)

function namespaceEdges(
  grant: Grant,
  profile: Profile,
  binding: RbacBinding,
  context: BindingContext,
  profileBy: (key: string) => Profile | undefined,
): readonly LogicEdge[] {
  const namespace = binding.namespace as string
  const { principals, policy, namespaces } = context
  const belonging = principals.belongingOf(grant.from)
  const owner = principals.ownerOf(namespace)
  const own = belonging.kind === 'tenants' && belonging.names.size === 1 && belonging.names.has(owner)
  if (belonging.kind === 'tenants' && isShared(context.world, belonging.names, namespace, profile)) return []
  if (isPublicInfo(namespace, policy.roles.get(grantedKey(binding))?.rules ?? [])) return []
  const fan = new Fan(grant)
  const walk = (matches: readonly Match[], through: string | undefined): void => {
    for (const match of matches) {
      if (match.rule === 'roles.bind' && match.names.length > 0) {
        for (const name of match.names) {
          const bound = profileBy(match.resource === 'roles' ? roleKey(namespace, name) : name)
          // A role that is not there now may be made by whoever may bind it.
          if (bound === undefined) fan.add(administrationNode(namespace), match, namespace)
          else if (through === undefined) walk(bound.inNamespace, 'roles.bind')
        }
        if (!own) fan.add(namespaceNode(namespace), match, namespace)
      } else step(fan, match, { namespace, own, foreign: owner, through, namespaces })
      if (match.rule === runsPods) privileged(fan, grant, match, namespace, namespaces)
    }
  }
  walk(profile.inNamespace, undefined)
  return fan.edges
}

interface Step {
  readonly namespace: string
  /** The subject's own namespace: being there is no step. */
  readonly own: boolean
  readonly foreign: string
  readonly through: string | undefined
  readonly namespaces: NamespaceFacts
}

function step(fan: Fan, match: Match, { namespace, own, foreign, through, namespaces }: Step): void {
  const { target } = match
  const rule = through ?? match.rule
  if (
    target === 'cluster' &&
    match.rule === 'configmaps.authority' &&
    (namespace !== 'kube-system' || !namesAuthority(match))
  )
    return
  if (!own) fan.add(namespaceNode(namespace), match, namespace, rule)
  if (target === 'cluster') fan.add(cluster, match, namespace, rule)
  else if (target === 'administration') fan.add(administrationNode(namespace), match, namespace, rule)
  else if (target.startsWith('platform:')) fan.add(platformNode(target.slice(9)), match, namespace, rule)
  // Another tenant's namespace ends the way; only into the platform's does it go on as the accounts that live there.
  else if (target === 'accounts' && foreign === 'platform') become(fan, match, namespace, rule, namespaces)
}

function become(fan: Fan, match: Match, namespace: string, rule: string, namespaces: NamespaceFacts): void {
  if (match.names.length === 0) return fan.add(accountNode(namespace, '*'), match, namespace, rule)
  for (const name of match.names) {
    if (match.rule === 'serviceaccounts.token' || match.rule === 'serviceaccounts.impersonate')
      fan.add(accountNode(namespace, name), match, namespace, rule)
    else if (match.rule.startsWith('secrets.')) {
      fan.add(secretNode(namespace, name), match, namespace, rule)
      const account = namespaces.tokenOf(namespace, name)
      if (account !== undefined) fan.add(accountNode(namespace, account), match, namespace, rule)
    } else fan.add(accountNode(namespace, '*'), match, namespace, rule)
  }
}

/** Where pod security does not stand in the way, who runs pods takes the node, and with it everything on it. */
function privileged(fan: Fan, grant: Grant, match: Match, namespace: string, namespaces: NamespaceFacts): void {
  const weakness = namespaces.weakness(namespace)
  if (weakness === undefined) return
  const culprits = weakness.culprit === undefined ? grant.culprits : [weakness.culprit]
  fan.addWith({
    from: grant.from,
    to: cluster,
    rule: 'pods.privileged',
    by: weakness.by,
    command: commandOf(grant.from, privilegedMatch(match), namespace),
    culprits,
  })
}

const privilegedMatch = (match: Match): Match => {
  const { act: _, ...rest } = match
  return match.resource === 'pods'
    ? { ...rest, act: 'run probe --image=registry.k8s.io/pause --privileged --dry-run=server' }
    : rest
}

/** ConfigMaps of kube-system that say who is who. */
const namesAuthority = (match: Match): boolean =>
  match.names.length === 0 ||
  match.names.some((name) => name === 'aws-auth' || name === 'extension-apiserver-authentication')
