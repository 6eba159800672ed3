/**
 * What the API serves where: which resources live outside namespaces, and which requests everybody may make because
 * they tell nothing about anyone. Data only.
 */
import type { PolicyRule } from './policy.ts'

/** Cluster-scoped resources of Kubernetes, virtual ones included, by API group. */
const clusterScoped: { readonly [group: string]: readonly string[] } = {
  '': ['nodes', 'persistentvolumes', 'componentstatuses', 'namespaces', 'users', 'groups'],
  'admissionregistration.k8s.io': [
    'mutatingwebhookconfigurations', 'validatingwebhookconfigurations', 'validatingadmissionpolicies', 'validatingadmissionpolicybindings',
    'mutatingadmissionpolicies', 'mutatingadmissionpolicybindings',
  ],
  'apiextensions.k8s.io': ['customresourcedefinitions'],
  'apiregistration.k8s.io': ['apiservices'],
  'authentication.k8s.io': ['tokenreviews', 'selfsubjectreviews', 'uids', 'userextras'],
  'authorization.k8s.io': ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'subjectaccessreviews'],
  'certificates.k8s.io': ['certificatesigningrequests', 'signers', 'clustertrustbundles'],
  'flowcontrol.apiserver.k8s.io': ['flowschemas', 'prioritylevelconfigurations'],
  'internal.apiserver.k8s.io': ['storageversions'],
  'metrics.k8s.io': ['nodes'],
  'networking.k8s.io': ['ingressclasses', 'ipaddresses', 'servicecidrs'],
  'node.k8s.io': ['runtimeclasses'],
  'rbac.authorization.k8s.io': ['clusterroles', 'clusterrolebindings'],
  'resource.k8s.io': ['deviceclasses', 'resourceslices', 'devicetaintrules'],
  'scheduling.k8s.io': ['priorityclasses'],
  'snapshot.storage.k8s.io': ['volumesnapshotclasses', 'volumesnapshotcontents'],
  'storage.k8s.io': ['storageclasses', 'csidrivers', 'csinodes', 'volumeattachments', 'volumeattributesclasses'],
  'storagemigration.k8s.io': ['storageversionmigrations'],
  'gateway.networking.k8s.io': ['gatewayclasses'],
  'policy.networking.k8s.io': ['adminnetworkpolicies', 'baselineadminnetworkpolicies', 'clusternetworkpolicies'],
  'policy': ['podsecuritypolicies'],
} // prettier-ignore

/** Groups in which nothing is namespaced, so that a star in them reaches no namespace. */
const withoutNamespaced = new Set([
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'authentication.k8s.io',
  'flowcontrol.apiserver.k8s.io',
  'internal.apiserver.k8s.io',
  'node.k8s.io',
  'scheduling.k8s.io',
  'storagemigration.k8s.io',
])

const listed = new Set(
  Object.entries(clusterScoped).flatMap(([group, resources]) => resources.map((resource) => `${group}/${resource}`)),
)
const anyGroup = new Set(Object.values(clusterScoped).flat())

const base = (resource: string): string => resource.split('/', 1)[0] as string

/** Whether a rule's resource (of this group, star allowed) lives outside namespaces for sure. */
export function isClusterScoped(group: string, resource: string): boolean {
  const plain = base(resource)
  if (plain === '*') return withoutNamespaced.has(group)
  return group === '*' ? anyGroup.has(plain) : listed.has(`${group}/${plain}`)
}

/** Whether a rule may reach anything cluster-scoped. Groups that are not Kubernetes' own may serve anything. */
export function mayBeClusterScoped(group: string, resource: string): boolean {
  if (isClusterScoped(group, resource)) return true
  return base(resource) === '*' && (group === '*' || Object.hasOwn(clusterScoped, group))
}

/** API groups that Kubernetes itself serves, and so no operator acts on. */
export const isBuiltinGroup = (group: string): boolean => !group.includes('.') || /(^|\.)k8s\.io$/.test(group)

const reading = new Set(['get', 'list', 'watch'])
export const isReading = (verb: string): boolean => reading.has(verb)

/** Classes that a workload has to name; they describe offers, not anybody's things. */
const offers = new Set([
  'storage.k8s.io/storageclasses', 'storage.k8s.io/volumeattributesclasses', 'storage.k8s.io/csidrivers', 'networking.k8s.io/ingressclasses',
  'scheduling.k8s.io/priorityclasses', 'node.k8s.io/runtimeclasses', 'snapshot.storage.k8s.io/volumesnapshotclasses',
  'gateway.networking.k8s.io/gatewayclasses', 'resource.k8s.io/deviceclasses', 'apiextensions.k8s.io/customresourcedefinitions',
  'apiregistration.k8s.io/apiservices',
]) // prettier-ignore
const aboutOneself = new Set([
  'authorization.k8s.io/selfsubjectaccessreviews',
  'authorization.k8s.io/selfsubjectrulesreviews',
  'authentication.k8s.io/selfsubjectreviews',
])

/** Whether a request on a cluster-scoped resource tells nothing of others: questions about oneself, and offers. */
export function isFree(verb: string, group: string, resource: string): boolean {
  const name = `${group}/${resource}`
  return (verb === 'create' && aboutOneself.has(name)) || (isReading(verb) && offers.has(name))
}

/** What system:discovery, system:public-info-viewer and system:service-account-issuer-discovery let everybody see. */
const freePath =
  /^\/((healthz|livez|readyz|version|api|apis|openapi)(\/.*)?|\.well-known\/openid-configuration\/?|openid\/v1\/jwks\/?)$/
export const isFreePath = (pattern: string): boolean => freePath.test(pattern)

/** `cluster-info` in kube-public is public by kubeadm's design: the address and CA that joining nodes need. */
export const isPublicInfo = (namespace: string, rules: readonly PolicyRule[]): boolean =>
  namespace === 'kube-public' &&
  rules.every(
    (rule) =>
      rule.verbs.every((verb) => verb === 'get') &&
      rule.apiGroups.every((group) => group === '') &&
      rule.resources.every((resource) => resource === 'configmaps') &&
      rule.resourceNames.length > 0 &&
      rule.resourceNames.every((name) => name === 'cluster-info'),
  )
