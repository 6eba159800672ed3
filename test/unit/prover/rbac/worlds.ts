/** Small worlds for the RBAC logic: two tenants, acme and globex, each in a namespace of its name, and kube-system. */
import type { KubeObject, TenantBoundary, World } from '../../../../src/model/world.ts'
import type { Report, Verdict } from '../../../../src/model/verdict.ts'
import { prove } from '../../../../src/prover/prove.ts'
import { rbacLogic } from '../../../../src/prover/rbac/logic.ts'

export const rbac = 'rbac.authorization.k8s.io'
const uid = (kind: string, name: string) => `uid-${kind}-${name}`

export const namespace = (name: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, uid: uid('ns', name), labels },
})
export const tenantNamespace = (name: string, labels: Record<string, string> = {}): KubeObject =>
  namespace(name, { 'ringfence.dev/tenant': name, 'pod-security.kubernetes.io/enforce': 'restricted', ...labels })

export interface RuleInput {
  readonly groups?: readonly string[]
  readonly resources?: readonly string[]
  readonly verbs: readonly string[]
  readonly names?: readonly string[]
  readonly paths?: readonly string[]
}
const ruleOf = ({ groups, resources, verbs, names, paths }: RuleInput) => ({
  verbs,
  ...(paths === undefined ? { apiGroups: groups ?? [''], resources: resources ?? [] } : { nonResourceURLs: paths }),
  ...(names === undefined ? {} : { resourceNames: names }),
})

export type SubjectInput = {
  readonly kind: string
  readonly name: string
  readonly namespace?: string
  readonly apiGroup?: string
}
export const account = (home: string, name: string): SubjectInput => ({ kind: 'ServiceAccount', namespace: home, name })
export const group = (name: string): SubjectInput => ({ kind: 'Group', apiGroup: rbac, name })
export const user = (name: string): SubjectInput => ({ kind: 'User', apiGroup: rbac, name })

/** A role and a binding of it, in a namespace or for the whole cluster (`*`). */
export function grant(
  name: string,
  place: string,
  subject: SubjectInput,
  ...rules: readonly RuleInput[]
): readonly KubeObject[] {
  const prefix = place === '*' ? 'Cluster' : ''
  const metadata = { name, uid: uid('binding', name), ...(place === '*' ? {} : { namespace: place }) }
  return [
    { apiVersion: `${rbac}/v1`, kind: `${prefix}Role`, metadata, rules: rules.map((rule) => ruleOf(rule)) },
    {
      apiVersion: `${rbac}/v1`,
      kind: `${prefix}RoleBinding`,
      metadata,
      roleRef: { apiGroup: rbac, kind: `${prefix}Role`, name },
      subjects: [subject],
    },
  ]
}

export const boundary = (name: string, more: Partial<TenantBoundary> = {}): TenantBoundary => ({
  name, namespaces: [name], subjects: [], databases: [], shared: [], ...more,
}) // prettier-ignore

export const kinds = [
  '/Namespace',
  '/Secret',
  ...['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'].map((kind) => `${rbac}/${kind}`),
]

export function worldOf(objects: readonly KubeObject[], more: Partial<World> = {}, system = 'ringfence-system'): World {
  const own = new Set(objects.filter(({ kind }) => kind === 'Namespace').map(({ metadata }) => metadata.name))
  const usual = [tenantNamespace('acme'), tenantNamespace('globex'), namespace('kube-system'), namespace(system)]
  return {
    source: 'live',
    observed: ['2026-01-01T00:00:00.000Z', '2026-01-01T00:00:01.000Z'],
    tenants: [boundary('acme'), boundary('globex')],
    kubernetes: {
      objects: [...usual.filter(({ metadata }) => !own.has(metadata.name)), ...objects],
      kinds,
      ranges: [],
      sharedNamespaces: [],
      systemNamespace: system,
    },
    unreadable: [],
    trusted: [],
    trustedRoles: [],
    ...more,
  }
}

export const judge = (world: World): Report => prove(world, { logics: [rbacLogic] })

export function verdictOn(report: Report, claim: string, tenant: string): Verdict {
  const found = report.verdicts.find((verdict) => verdict.claim === claim && verdict.tenant === tenant)
  if (found === undefined) throw new Error(`no verdict on ${claim} of ${tenant}`)
  return found
}

/** The rules along the way in, or the verdict where there is none. */
export function wayIn(report: Report, claim: string, tenant: string): readonly string[] | string {
  const verdict = verdictOn(report, claim, tenant)
  return verdict.verdict === 'refuted' ? verdict.counterexample.path.map(({ rule }) => rule) : verdict.verdict
}
