/**
 * What the control plane itself may do in a cluster. No wildcard, no `escalate`, no `impersonate`, no token creation,
 * no pod creation: it holds what it hands on (so that the API server lets it write roles) and `bind` on exactly the
 * three roles of tenants. Installed once by whoever sets the platform up; the engine can never widen it, since the
 * API server lets nobody grant what they do not hold.
 */
import { roles } from '../../model/tenant.ts'
import { clusterRoleName, roleRules, type PolicyRule } from './roles.ts'
import { sharableRules } from './sharable.ts'

/** User of the embedded control plane; in a cluster it is the ServiceAccount below. */
export const engineUser = 'ringfence:engine'
export const engineClusterRole = 'ringfence-engine'
export const engineServiceAccount = 'ringfence-engine'

const see = ['get', 'list', 'watch'] as const
const own = [...see, 'create', 'update', 'patch', 'delete'] as const
const rule = (
  apiGroup: string,
  resources: readonly string[],
  verbs: readonly string[],
  resourceNames?: readonly string[],
): PolicyRule => ({
  apiGroups: [apiGroup],
  resources,
  verbs,
  ...(resourceNames === undefined ? {} : { resourceNames }),
})

/** What it makes and keeps. */
const keeps: readonly PolicyRule[] = [
  rule('', ['namespaces', 'resourcequotas', 'limitranges', 'serviceaccounts', 'configmaps', 'secrets'], own),
  rule('rbac.authorization.k8s.io', ['roles', 'rolebindings', 'clusterroles', 'clusterrolebindings'], own),
  rule(
    'rbac.authorization.k8s.io',
    ['clusterroles'],
    ['bind'],
    roles.map((role) => clusterRoleName(role)),
  ),
  rule('networking.k8s.io', ['networkpolicies'], own),
  rule('admissionregistration.k8s.io', ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'], own),
  rule('cilium.io', ['ciliumnetworkpolicies'], own),
  rule('projectcalico.org', ['networkpolicies', 'tier.networkpolicies'], own),
  rule('ringfence.dev', ['tenants', 'tenants/status'], own),
]

/** What it ends at a removal: pods, and what would make new ones. */
const ends: readonly PolicyRule[] = [
  rule('', ['pods', 'replicationcontrollers'], [...see, 'delete', 'deletecollection']),
  rule('apps', ['deployments', 'replicasets', 'statefulsets', 'daemonsets'], [...see, 'delete', 'deletecollection']),
  rule('batch', ['jobs', 'cronjobs'], [...see, 'delete', 'deletecollection']),
]

/** What it reads to know the cluster and to prove isolation over it. */
const reads: readonly PolicyRule[] = [
  rule('', ['nodes', 'pods', 'services', 'endpoints', 'persistentvolumes', 'persistentvolumeclaims', 'events'], see),
  rule('discovery.k8s.io', ['endpointslices'], see),
  rule('apiextensions.k8s.io', ['customresourcedefinitions'], see),
  rule('apiregistration.k8s.io', ['apiservices'], see),
  rule(
    'admissionregistration.k8s.io',
    [
      'validatingwebhookconfigurations',
      'mutatingwebhookconfigurations',
      'mutatingadmissionpolicies',
      'mutatingadmissionpolicybindings',
    ],
    see,
  ),
  rule('networking.k8s.io', ['ingresses', 'ingressclasses', 'servicecidrs', 'ipaddresses'], see),
  rule(
    'policy.networking.k8s.io',
    ['adminnetworkpolicies', 'baselineadminnetworkpolicies', 'clusternetworkpolicies'],
    see,
  ),
  rule('cilium.io', ['ciliumclusterwidenetworkpolicies', 'ciliumcidrgroups'], see),
  rule(
    'projectcalico.org',
    ['globalnetworkpolicies', 'tier.globalnetworkpolicies', 'tiers', 'networksets', 'globalnetworksets'],
    see,
  ),
  rule(
    'crd.projectcalico.org',
    ['networkpolicies', 'globalnetworkpolicies', 'tiers', 'networksets', 'globalnetworksets'],
    see,
  ),
  rule('certificates.k8s.io', ['certificatesigningrequests'], see),
  rule('storage.k8s.io', ['storageclasses'], see),
  rule('scheduling.k8s.io', ['priorityclasses'], see),
  rule('node.k8s.io', ['runtimeclasses'], see),
]

/** Rules of ClusterRole `ringfence-engine`. The tenants' own rules are in it, since nobody may grant what they lack. */
export const engineRules: readonly PolicyRule[] = [...keeps, ...ends, ...reads, ...roleRules.owner, ...sharableRules]
