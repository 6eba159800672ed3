/**
 * The three roles of a tenant as least-privilege rules of our own: the built-in ones grow with aggregation labels that
 * anyone with a chart may set. What is deliberately in none of them: exec, attach, port-forward and proxy, ephemeral
 * containers, token creation, escalate, bind, impersonate, writes to quotas, limits, endpoints or the namespace.
 */
import type { Role } from '../../model/tenant.ts'

export interface PolicyRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly verbs: readonly string[]
  readonly resourceNames?: readonly string[]
}

const see = ['get', 'list', 'watch'] as const
const change = ['create', 'update', 'patch', 'delete', 'deletecollection'] as const
const rule = (apiGroup: string, resources: readonly string[], verbs: readonly string[]): PolicyRule => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
})

const workloads = ['deployments', 'replicasets', 'statefulsets', 'daemonsets'] as const
const scalable = ['deployments/scale', 'replicasets/scale', 'statefulsets/scale'] as const
const rbac = 'rbac.authorization.k8s.io'

/** Sees everything of the namespace but Secrets and who holds which role. */
const viewer: readonly PolicyRule[] = [
  rule('', ['namespaces'], ['get']),
  rule('', ['pods', 'pods/log', 'pods/status'], see),
  rule(
    '',
    ['services', 'endpoints', 'configmaps', 'persistentvolumeclaims', 'serviceaccounts', 'replicationcontrollers'],
    see,
  ),
  rule('', ['events', 'resourcequotas', 'limitranges'], see),
  rule('events.k8s.io', ['events'], see),
  rule('discovery.k8s.io', ['endpointslices'], see),
  rule('apps', [...workloads, 'controllerrevisions'], see),
  rule('apps', scalable, ['get']),
  rule('batch', ['jobs', 'cronjobs'], see),
  rule('autoscaling', ['horizontalpodautoscalers'], see),
  rule('policy', ['poddisruptionbudgets'], see),
  rule('networking.k8s.io', ['ingresses', 'networkpolicies'], see),
]

/** Runs things: may make pods, and with them reach every Secret and ServiceAccount of the namespace. */
const editor: readonly PolicyRule[] = [
  ...viewer,
  rule(
    '',
    ['pods', 'services', 'configmaps', 'persistentvolumeclaims', 'serviceaccounts', 'replicationcontrollers'],
    change,
  ),
  rule('', ['secrets'], [...see, ...change]),
  rule('', ['pods/eviction'], ['create']),
  rule('apps', workloads, change),
  rule('apps', scalable, ['update', 'patch']),
  rule('batch', ['jobs', 'cronjobs'], change),
  rule('autoscaling', ['horizontalpodautoscalers'], change),
  rule('policy', ['poddisruptionbudgets'], change),
  rule('networking.k8s.io', ['ingresses'], change),
]

/** Also says who may do what in the namespace, never more than it may itself, and narrows its network. */
const owner: readonly PolicyRule[] = [
  ...editor,
  rule(rbac, ['roles', 'rolebindings'], [...see, ...change]),
  rule('networking.k8s.io', ['networkpolicies'], change),
]

export const roleRules: { readonly [role in Role]: readonly PolicyRule[] } = { owner, editor, viewer }

export const clusterRoleName = (role: Role): string => `ringfence-${role}`
