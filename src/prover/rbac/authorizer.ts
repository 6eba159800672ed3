/**
 * Decides requests exactly as the API server's RBAC authorizer does (plugin/pkg/auth/authorizer/rbac, and the always
 * allowed group system:masters before it). Pure over given roles and bindings; compared with the real server by test.
 */
import { grantedKey, type PolicyRule, type RbacBinding, type RbacPolicy, type RbacSubject } from './policy.ts'

export interface AskingUser {
  readonly name: string
  /** All groups, the implied ones included; `impliedUser` fills them in. */
  readonly groups: readonly string[]
}

export type AccessRequest =
  | {
      readonly verb: string
      readonly group: string
      readonly resource: string
      readonly subresource?: string
      /** Undefined for cluster-scoped and all-namespaces requests. */
      readonly namespace?: string
      /** Empty for create, and for list, watch and deletecollection without a name in the field selector. */
      readonly name?: string
    }
  | { readonly verb: string; readonly path: string }

export type Decision =
  | { readonly allowed: false }
  | { readonly allowed: true; readonly by: RbacBinding | 'system:masters' }

const serviceAccount = /^system:serviceaccount:([^:]+):[^:]+$/

/** A user with the groups that the API server adds on its own account after authentication. */
export function impliedUser(name: string, groups: readonly string[] = []): AskingUser {
  if (name === 'system:anonymous') return { name, groups: ['system:unauthenticated'] }
  const account = serviceAccount.exec(name)
  const implied =
    account === null
      ? ['system:authenticated']
      : ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`, 'system:authenticated']
  return { name, groups: [...new Set([...groups, ...implied])] }
}

const matches = (list: readonly string[], value: string): boolean => list.includes('*') || list.includes(value)

/** `*` is everything; `pods/log` is exact; any resource's subresource is spelt as a star, a slash and its name. */
export function resourceMatches(rule: PolicyRule, resource: string, subresource: string | undefined): boolean {
  const combined = subresource === undefined || subresource === '' ? resource : `${resource}/${subresource}`
  return rule.resources.some(
    (own) => own === '*' || own === combined || (combined !== resource && own === `*/${subresource}`),
  )
}

const pathMatches = (pattern: string, path: string): boolean =>
  pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')))

export function ruleAllows(rule: PolicyRule, request: AccessRequest): boolean {
  if (!matches(rule.verbs, request.verb)) return false
  if ('path' in request) return rule.nonResourceURLs.some((pattern) => pathMatches(pattern, request.path))
  return (
    matches(rule.apiGroups, request.group) &&
    resourceMatches(rule, request.resource, request.subresource) &&
    (rule.resourceNames.length === 0 || rule.resourceNames.includes(request.name ?? ''))
  )
}

const keyOf = (subject: RbacSubject): string =>
  subject.kind === 'ServiceAccount'
    ? `User:system:serviceaccount:${subject.namespace}:${subject.name}`
    : `${subject.kind}:${subject.name}`

/** An authorizer over one policy. A role that is not there grants nothing, as on the server. */
export function createAuthorizer(policy: RbacPolicy): (user: AskingUser, request: AccessRequest) => Decision {
  const bySubject = new Map<string, Set<RbacBinding>>()
  for (const binding of policy.bindings) {
    for (const subject of binding.subjects) {
      const key = keyOf(subject)
      const known = bySubject.get(key)
      if (known === undefined) bySubject.set(key, new Set([binding]))
      else known.add(binding)
    }
  }
  return (user, request) => {
    if (user.groups.includes('system:masters')) return { allowed: true, by: 'system:masters' }
    const namespace = 'path' in request || request.namespace === '' ? undefined : request.namespace
    for (const key of [`User:${user.name}`, ...user.groups.map((group) => `Group:${group}`)]) {
      for (const binding of bySubject.get(key) ?? []) {
        if (binding.kind === 'RoleBinding' && binding.namespace !== namespace) continue
        const rules = policy.roles.get(grantedKey(binding))?.rules ?? []
        if (rules.some((rule) => ruleAllows(rule, request))) return { allowed: true, by: binding }
      }
    }
    return { allowed: false }
  }
}
