/**
 * The Kubernetes kinds that are driven, watched or read here, and where the API serves them. Data only: adding a plain
 * kind is adding a line.
 */
import type { JsonObject } from '../../model/json.ts'

export interface KubeKind {
  readonly kind: string
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespaced: boolean
}

const kindOf = (group: string, version: string, kind: string, plural: string, namespaced: boolean): KubeKind => ({ kind, group, version, plural, namespaced })
const core = (kind: string, plural: string, namespaced = true) => kindOf('', 'v1', kind, plural, namespaced)
const rbac = (kind: string, plural: string, namespaced: boolean) => kindOf('rbac.authorization.k8s.io', 'v1', kind, plural, namespaced)
const admission = (kind: string, plural: string) => kindOf('admissionregistration.k8s.io', 'v1', kind, plural, false)

/** Kinds with a driver, by the name after `kubernetes/`. */
export const drivenKinds: { readonly [kind: string]: KubeKind } = {
  Namespace: core('Namespace', 'namespaces', false),
  ResourceQuota: core('ResourceQuota', 'resourcequotas'),
  LimitRange: core('LimitRange', 'limitranges'),
  ServiceAccount: core('ServiceAccount', 'serviceaccounts'),
  ConfigMap: core('ConfigMap', 'configmaps'),
  Role: rbac('Role', 'roles', true),
  RoleBinding: rbac('RoleBinding', 'rolebindings', true),
  ClusterRole: rbac('ClusterRole', 'clusterroles', false),
  ClusterRoleBinding: rbac('ClusterRoleBinding', 'clusterrolebindings', false),
  NetworkPolicy: kindOf('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies', true),
  ValidatingAdmissionPolicy: admission('ValidatingAdmissionPolicy', 'validatingadmissionpolicies'),
  ValidatingAdmissionPolicyBinding: admission('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings'),
  CustomResourceDefinition: kindOf('apiextensions.k8s.io', 'v1', 'CustomResourceDefinition', 'customresourcedefinitions', false),
  CiliumNetworkPolicy: kindOf('cilium.io', 'v2', 'CiliumNetworkPolicy', 'ciliumnetworkpolicies', true),
  CiliumClusterwideNetworkPolicy: kindOf('cilium.io', 'v2', 'CiliumClusterwideNetworkPolicy', 'ciliumclusterwidenetworkpolicies', false),
  CalicoNetworkPolicy: kindOf('projectcalico.org', 'v3', 'NetworkPolicy', 'networkpolicies', true),
  CalicoGlobalNetworkPolicy: kindOf('projectcalico.org', 'v3', 'GlobalNetworkPolicy', 'globalnetworkpolicies', false),
}

/** Kinds that isolation depends on besides those with a driver. Secrets are read apart, as metadata. */
const readKinds: readonly KubeKind[] = [
  core('Pod', 'pods'),
  core('Service', 'services'),
  kindOf('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices', true),
  admission('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations'),
  admission('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations'),
  kindOf('admissionregistration.k8s.io', '', 'MutatingAdmissionPolicy', 'mutatingadmissionpolicies', false),
  kindOf('admissionregistration.k8s.io', '', 'MutatingAdmissionPolicyBinding', 'mutatingadmissionpolicybindings', false),
  kindOf('policy.networking.k8s.io', '', 'AdminNetworkPolicy', 'adminnetworkpolicies', false),
  kindOf('policy.networking.k8s.io', '', 'BaselineAdminNetworkPolicy', 'baselineadminnetworkpolicies', false),
  kindOf('policy.networking.k8s.io', '', 'ClusterNetworkPolicy', 'clusternetworkpolicies', false),
  kindOf('cilium.io', '', 'CiliumCIDRGroup', 'ciliumcidrgroups', false),
  kindOf('projectcalico.org', '', 'Tier', 'tiers', false),
  kindOf('projectcalico.org', '', 'NetworkSet', 'networksets', true),
  kindOf('projectcalico.org', '', 'GlobalNetworkSet', 'globalnetworksets', false),
  kindOf('crd.projectcalico.org', '', 'NetworkPolicy', 'networkpolicies', true),
  kindOf('crd.projectcalico.org', '', 'GlobalNetworkPolicy', 'globalnetworkpolicies', false),
  kindOf('crd.projectcalico.org', '', 'Tier', 'tiers', false),
  kindOf('crd.projectcalico.org', '', 'NetworkSet', 'networksets', true),
  kindOf('crd.projectcalico.org', '', 'GlobalNetworkSet', 'globalnetworksets', false),
]

/** ConfigMaps hold whatever people put there and open no way; CRDs are looked up one by one. */
const notRead = new Set(['ConfigMap', 'CustomResourceDefinition'])

/** What a snapshot holds. A `version` that is empty is the one the server prefers. */
export const snapshotKinds: readonly KubeKind[] = [...Object.values(drivenKinds).filter((kind) => !notRead.has(kind.kind)), ...readKinds]

/** Controllers of pods, owners before what they own, then pods: the order in which work is ended. */
export const workloadKinds: readonly KubeKind[] = [
  kindOf('batch', 'v1', 'CronJob', 'cronjobs', true),
  kindOf('batch', 'v1', 'Job', 'jobs', true),
  kindOf('apps', 'v1', 'Deployment', 'deployments', true),
  kindOf('apps', 'v1', 'StatefulSet', 'statefulsets', true),
  kindOf('apps', 'v1', 'DaemonSet', 'daemonsets', true),
  kindOf('apps', 'v1', 'ReplicaSet', 'replicasets', true),
  core('ReplicationController', 'replicationcontrollers'),
  core('Pod', 'pods'),
]

export const namespaceKind = drivenKinds['Namespace'] as KubeKind
export const secretKind: KubeKind = core('Secret', 'secrets')

/** `group/Kind`, the core group as `/Kind`: how snapshots name what was listed. */
export const groupKind = (kind: KubeKind): string => `${kind.group}/${kind.kind}`

export const apiVersionOf = (kind: KubeKind): string => (kind.group === '' ? kind.version : `${kind.group}/${kind.version}`)

export const groupPath = (kind: KubeKind): string =>
  kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`

/** Path of a collection; of all namespaces when none is named. */
export const collectionPath = (kind: KubeKind, namespace?: string): string =>
  `${groupPath(kind)}${kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${kind.plural}`

export const objectPath = (kind: KubeKind, namespace: string | undefined, name: string): string =>
  `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`

/** `namespace/name`, or the name alone where the kind is not namespaced: the external name of resources. */
export const externalNameOf = (object: JsonObject): string => {
  const { namespace, name } = object['metadata'] as { namespace?: string; name: string }
  return namespace === undefined ? name : `${namespace}/${name}`
}
