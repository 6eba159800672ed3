/**
 * Reads rbac.authorization.k8s.io objects into roles and bindings with the API's defaults filled in. What the API would
 * refuse, or this version does not know, is a named problem and never guessed. Decides nothing.
 */
import { isObject } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'

export const rbacGroup = 'rbac.authorization.k8s.io'

export interface PolicyRule {
  readonly verbs: readonly string[]
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames: readonly string[]
  readonly nonResourceURLs: readonly string[]
}

export interface RbacRole {
  readonly kind: 'Role' | 'ClusterRole'
  /** Undefined for a ClusterRole. */
  readonly namespace: string | undefined
  readonly name: string
  readonly rules: readonly PolicyRule[]
  /** `matchLabels`-style and expression selectors of an aggregated ClusterRole, as written. */
  readonly aggregates: readonly unknown[]
  readonly labels: { readonly [key: string]: string }
}

export interface RbacSubject {
  readonly kind: 'User' | 'Group' | 'ServiceAccount'
  readonly name: string
  /** ServiceAccounts only. */
  readonly namespace: string | undefined
}

export interface RbacBinding {
  readonly kind: 'RoleBinding' | 'ClusterRoleBinding'
  /** Undefined for a ClusterRoleBinding. */
  readonly namespace: string | undefined
  readonly name: string
  readonly uid: string | undefined
  readonly apiVersion: string
  readonly role: { readonly kind: 'Role' | 'ClusterRole'; readonly name: string }
  readonly subjects: readonly RbacSubject[]
}

export interface RbacPolicy {
  /** By `roleKey`. */
  readonly roles: ReadonlyMap<string, RbacRole>
  readonly bindings: readonly RbacBinding[]
  /** What was there and could not be understood, with the namespace it is about. */
  readonly problems: readonly { readonly namespace: string | undefined; readonly because: string }[]
}

export const roleKey = (namespace: string | undefined, name: string): string =>
  namespace === undefined ? name : `${namespace}/${name}`

/** The key of the role that a binding grants. */
export const grantedKey = (binding: RbacBinding): string =>
  roleKey(binding.role.kind === 'Role' ? binding.namespace : undefined, binding.role.name)

class NotUnderstood extends Error {}

/**
 * Everything RBAC among the objects. `aggregate` fills ClusterRoles with an aggregationRule from the labels, as the
 * controller does; the live API has them filled in already.
 */
export function readPolicy(objects: readonly KubeObject[], options: { readonly aggregate: boolean }): RbacPolicy {
  const roles = new Map<string, RbacRole>()
  const bindings: RbacBinding[] = []
  const problems: { namespace: string | undefined; because: string }[] = []
  for (const object of objects) {
    const [group, version] = object.apiVersion.split('/')
    if (group !== rbacGroup) continue
    const { kind } = object
    const clusterScoped = kind === 'ClusterRole' || kind === 'ClusterRoleBinding'
    const namespace = clusterScoped ? undefined : (object.metadata.namespace ?? 'default')
    const name = `${kind} ${roleKey(namespace, object.metadata.name)}`
    try {
      if (version !== 'v1') throw new NotUnderstood(`is of the version ${String(version)}`)
      if (kind === 'Role' || kind === 'ClusterRole')
        roles.set(roleKey(namespace, object.metadata.name), readRole(object, kind, namespace))
      else if (kind === 'RoleBinding' || kind === 'ClusterRoleBinding')
        bindings.push(readBinding(object, kind, namespace))
      else throw new NotUnderstood('is of a kind that is not known')
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error
      problems.push({ namespace, because: `${name} ${error.message}` })
    }
  }
  if (options.aggregate) aggregate(roles, problems)
  return { roles, bindings, problems }
}

function readRole(object: KubeObject, kind: RbacRole['kind'], namespace: string | undefined): RbacRole {
  const rules = listOf(object['rules'], 'rules').map((rule) => readRule(rule))
  const aggregation = object['aggregationRule']
  const aggregates = isObject(aggregation) ? listOf(aggregation['clusterRoleSelectors'], 'clusterRoleSelectors') : []
  return { kind, namespace, name: object.metadata.name, rules, aggregates, labels: object.metadata.labels ?? {} }
}

const ruleFields = ['verbs', 'apiGroups', 'resources', 'resourceNames', 'nonResourceURLs'] as const

function readRule(rule: unknown): PolicyRule {
  if (!isObject(rule)) throw new NotUnderstood('has a rule that is not an object')
  const unknown = Object.keys(rule).find((key) => !ruleFields.some((field) => field === key))
  if (unknown !== undefined) throw new NotUnderstood(`has a rule with the unknown field ${JSON.stringify(unknown)}`)
  const [verbs, apiGroups, resources, resourceNames, nonResourceURLs] = ruleFields.map((field) => textsOf(rule[field], field)) as [
    readonly string[], readonly string[], readonly string[], readonly string[], readonly string[],
  ] // prettier-ignore
  return { verbs, apiGroups, resources, resourceNames, nonResourceURLs }
}

function readBinding(object: KubeObject, kind: RbacBinding['kind'], namespace: string | undefined): RbacBinding {
  const reference = object['roleRef']
  if (!isObject(reference)) throw new NotUnderstood('has no roleRef')
  const role = reference['kind']
  if (role !== 'ClusterRole' && (role !== 'Role' || kind === 'ClusterRoleBinding')) {
    throw new NotUnderstood(`refers to a role of the kind ${JSON.stringify(role)}`)
  }
  const name = reference['name']
  if (typeof name !== 'string' || name === '') throw new NotUnderstood('refers to a role without a name')
  const subjects = listOf(object['subjects'], 'subjects').map((subject) => readSubject(subject, namespace))
  const { metadata, apiVersion } = object
  return { kind, namespace, name: metadata.name, uid: metadata.uid, apiVersion, role: { kind: role, name }, subjects }
}

const accountUser = /^system:serviceaccount:([^:]+):([^:]+)$/

/** A User called `system:serviceaccount:<ns>:<name>` is that ServiceAccount: the authorizer compares user names. */
function readSubject(subject: unknown, bindingNamespace: string | undefined): RbacSubject {
  if (!isObject(subject)) throw new NotUnderstood('has a subject that is not an object')
  const { kind, name, namespace } = subject
  if (typeof name !== 'string' || name === '') throw new NotUnderstood('has a subject without a name')
  if (kind === 'Group') return { kind, name, namespace: undefined }
  if (kind === 'User') {
    const account = accountUser.exec(name)
    if (account === null) return { kind, name, namespace: undefined }
    return { kind: 'ServiceAccount', namespace: account[1], name: account[2] as string }
  }
  if (kind !== 'ServiceAccount') throw new NotUnderstood(`has a subject of the kind ${JSON.stringify(kind)}`)
  // rbac/v1: a RoleBinding's own namespace where none is given (appliesToUser in the RBAC authorizer).
  const home = typeof namespace === 'string' && namespace !== '' ? namespace : bindingNamespace
  if (home === undefined)
    throw new NotUnderstood(`names the ServiceAccount ${JSON.stringify(name)} without a namespace`)
  return { kind, name, namespace: home }
}

function listOf(value: unknown, field: string): readonly unknown[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new NotUnderstood(`has ${field} that are not a list`)
  return value
}

function textsOf(value: unknown, field: string): readonly string[] {
  const list = listOf(value, field)
  if (list.some((item) => typeof item !== 'string')) throw new NotUnderstood(`has ${field} that are not texts`)
  return list as readonly string[]
}

/** The clusterrole-aggregation controller: the union of the rules of all roles that any selector matches. */
function aggregate(roles: Map<string, RbacRole>, problems: { namespace: string | undefined; because: string }[]): void {
  const clusterRoles = [...roles.values()].filter((role) => role.kind === 'ClusterRole')
  const filled = new Map<string, RbacRole>()
  // Aggregated roles may aggregate each other; rules only grow, so a fixpoint is reached in at most that many rounds.
  const current = (role: RbacRole): RbacRole => filled.get(role.name) ?? role
  const aggregated = clusterRoles.filter((role) => role.aggregates.length > 0)
  for (let round = 0; round < aggregated.length; round += 1) {
    let grew = false
    for (const role of aggregated) {
      const sources = clusterRoles.filter(
        (other) => other.name !== role.name && role.aggregates.some((selector) => selects(selector, other.labels)),
      )
      const rules = [...new Set(sources.flatMap((source) => current(source).rules))]
      if (rules.length === current(role).rules.length && filled.has(role.name)) continue
      filled.set(role.name, { ...role, rules })
      grew = true
    }
    if (!grew) break
  }
  for (const role of filled.values()) roles.set(role.name, role)
  for (const role of aggregated) {
    if (!role.aggregates.every((selector) => understood(selector))) {
      problems.push({
        namespace: undefined,
        because: `ClusterRole ${role.name} has an aggregationRule that is not understood`,
      })
    }
  }
}

const operators = ['In', 'NotIn', 'Exists', 'DoesNotExist']

const understood = (selector: unknown): boolean => {
  if (!isObject(selector)) return false
  const { matchLabels, matchExpressions } = selector
  if (Object.keys(selector).some((key) => key !== 'matchLabels' && key !== 'matchExpressions')) return false
  if (matchLabels !== undefined && !isObject(matchLabels)) return false
  return (
    matchExpressions === undefined ||
    (Array.isArray(matchExpressions) &&
      matchExpressions.every((item) => isObject(item) && operators.includes(String(item['operator']))))
  )
}

function selects(selector: unknown, labels: RbacRole['labels']): boolean {
  if (!understood(selector)) return false
  const { matchLabels, matchExpressions } = selector as {
    matchLabels?: object
    matchExpressions?: readonly { key: string; operator: string; values?: readonly string[] }[]
  }
  const has = (key: string) => Object.hasOwn(labels, key)
  if (!Object.entries(matchLabels ?? {}).every(([key, value]) => has(key) && labels[key] === value)) return false
  return (matchExpressions ?? []).every(({ key, operator, values = [] }) => {
    const inside = has(key) && values.includes(labels[key] as string)
    if (operator === 'In') return inside
    if (operator === 'NotIn') return !inside
    return operator === 'Exists' ? has(key) : !has(key)
  })
}
