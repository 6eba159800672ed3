/**
 * What holding a role amounts to: its rules matched against the escalation table and against what is harmless. Computed
 * once a role, however many bindings grant it.
 */
import { resourceMatches } from './authorizer.ts'
import { escalations, type EscalationRow, type Target } from './escalation.ts'
import type { PolicyRule } from './policy.ts'
import { isBuiltinGroup, isClusterScoped, isFree, isFreePath, isReading, mayBeClusterScoped } from './resources.ts'

/** One thing that a role allows, with a request that shows it. */
export interface Match {
  readonly rule: string
  readonly target: Target
  readonly verb: string
  readonly group: string
  readonly resource: string
  /** Names that the permission is limited to; empty means any. */
  readonly names: readonly string[]
  readonly act?: string
}

export interface Profile {
  /** Held in one namespace, most telling first. */
  readonly inNamespace: readonly Match[]
  /** Held for the whole cluster. */
  readonly clusterWide: readonly Match[]
  /** All that it allows in a namespace, where that is `get` on named objects alone. */
  readonly namedGets:
    | readonly { readonly group: string; readonly resource: string; readonly name: string }[]
    | undefined
  /** Custom resources that it writes, by API group: their operators may act for whoever writes them. */
  readonly deputies: readonly string[]
}

/** The matches of a role's rules. Pure. */
export function profileOf(rules: readonly PolicyRule[]): Profile {
  const all = rules.filter((rule) => rule.verbs.length > 0)
  const everything = all
    .filter((rule) => isEverything(rule))
    .map((): Match => ({
      rule: 'everything',
      target: 'administration',
      verb: '*',
      group: '*',
      resource: '*',
      names: [],
    }))
  const rows = escalations.flatMap((row) => matchesOf(all, row).map((match) => ({ row, match })))
  const inNamespace = [
    ...everything,
    ...rows.filter(({ row }) => row.scope === 'namespaced').map(({ match }) => match),
    ...all.flatMap((rule) => namespacedMatches(rule, true)),
  ]
  const clusterWide = [
    ...everything.map((match) => ({ ...match, target: 'cluster' as const })),
    ...rows.map(({ match }) => match),
    ...all.flatMap((rule) => [...namespacedMatches(rule, false), ...clusterMatches(rule), ...pathMatches(rule)]),
  ]
  return { inNamespace, clusterWide, namedGets: namedGetsOf(all), deputies: deputiesOf(all) }
}

const isEverything = (rule: PolicyRule): boolean =>
  rule.resourceNames.length === 0 && [rule.verbs, rule.apiGroups, rule.resources].every((list) => list.includes('*'))

/** Requests of a row that some rule allows, one for each set of names. */
function matchesOf(rules: readonly PolicyRule[], row: EscalationRow): readonly Match[] {
  const found: Match[] = []
  for (const rule of rules) {
    const match = matchOf(rule, row)
    if (match === undefined) continue
    if (match.names.length === 0) return [match]
    found.push(match)
  }
  return found
}

const hasVerb = (rule: PolicyRule, verb: string): boolean =>
  // Constrained impersonation spells its verbs `impersonate:<mode>`.
  rule.verbs.includes('*') ||
  rule.verbs.includes(verb) ||
  (verb === 'impersonate' && rule.verbs.some((own) => own.startsWith('impersonate')))

function matchOf(rule: PolicyRule, row: EscalationRow): Match | undefined {
  const group = row.groups.find((candidate) => rule.apiGroups.includes('*') || rule.apiGroups.includes(candidate))
  if (group === undefined) return undefined
  for (const resource of row.resources) {
    const [plain, subresource] = resource.split('/') as [string, string | undefined]
    // Extra fields are impersonated as userextras/<key>, any key.
    const extras = plain === 'userextras' && rule.resources.some((own) => own.startsWith('userextras/'))
    if (!extras && !resourceMatches(rule, plain, subresource)) continue
    // A create has no name yet, so a rule with names never allows it; a subresource's parent has one.
    const verb = row.verbs.find(
      (candidate) =>
        hasVerb(rule, candidate) &&
        (candidate !== 'create' || subresource !== undefined || rule.resourceNames.length === 0),
    )
    if (verb === undefined) continue
    const { rule: name, leadsTo: target, act } = row
    return {
      rule: name,
      target,
      verb,
      group,
      resource,
      names: rule.resourceNames,
      ...(act === undefined ? {} : { act }),
    }
  }
  return undefined
}

/** Verbs of a rule on a resource that can succeed at all. */
const effective = (rule: PolicyRule, resource: string): readonly string[] =>
  rule.resourceNames.length > 0 && !resource.includes('/') ? rule.verbs.filter((verb) => verb !== 'create') : rule.verbs

/** Anything at all in a namespace, writing before reading. `own`: granted there, where the Namespace object counts too. */
function namespacedMatches(rule: PolicyRule, own: boolean): readonly Match[] {
  for (const group of rule.apiGroups) {
    for (const resource of rule.resources) {
      const isNamespace = own && resource.split('/', 1)[0] === 'namespaces'
      if (isClusterScoped(group, resource) && !isNamespace) continue
      const verbs = effective(rule, resource)
      const verb = verbs.find((candidate) => !isReading(candidate)) ?? verbs[0]
      if (verb === undefined) continue
      return [
        {
          rule: isReading(verb) ? 'namespace.read' : 'namespace.write',
          target: 'namespace',
          verb,
          group,
          resource,
          names: rule.resourceNames,
        },
      ]
    }
  }
  return []
}

/** Anything outside namespaces that is not free for everybody. */
function clusterMatches(rule: PolicyRule): readonly Match[] {
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource): Match[] => {
      if (!mayBeClusterScoped(group, resource)) return []
      const verbs = effective(rule, resource).filter((verb) => !isFree(verb, group, resource))
      const verb = verbs.find((candidate) => !isReading(candidate)) ?? verbs[0]
      if (verb === undefined) return []
      const what = resource.split('/', 1)[0] as string
      const target = `platform:${what === '*' ? 'cluster-scoped' : what}` as const
      return [
        {
          rule: isReading(verb) ? 'cluster.read' : 'cluster.write',
          target,
          verb,
          group,
          resource,
          names: rule.resourceNames,
        },
      ]
    }),
  )
}

const pathMatches = (rule: PolicyRule): readonly Match[] =>
  rule.nonResourceURLs
    .filter((pattern) => !isFreePath(pattern))
    .slice(0, 1)
    .map((pattern) => ({
      rule: 'paths.read',
      target: 'platform:paths',
      verb: rule.verbs[0] === '*' ? 'get' : (rule.verbs[0] ?? 'get'),
      group: '',
      resource: pattern === '*' ? '/metrics' : pattern,
      names: [],
    }))

function namedGetsOf(rules: readonly PolicyRule[]): Profile['namedGets'] {
  const onlyNamed = rules.every(
    (rule) =>
      rule.verbs.every((verb) => verb === 'get') &&
      rule.resourceNames.length > 0 &&
      ![...rule.apiGroups, ...rule.resources].includes('*'),
  )
  if (!onlyNamed) return undefined
  return rules.flatMap((rule) =>
    rule.apiGroups.flatMap((group) =>
      rule.resources.flatMap((resource) => rule.resourceNames.map((name) => ({ group, resource, name }))),
    ),
  )
}

const deputiesOf = (rules: readonly PolicyRule[]): readonly string[] => [
  ...new Set(
    rules
      .filter((rule) => rule.resources.length > 0 && rule.verbs.some((verb) => !isReading(verb)))
      .flatMap((rule) => rule.apiGroups.filter((group) => group === '*' || !isBuiltinGroup(group))),
  ),
]
