/**
 * The Kubernetes kinds that are driven or read, whether from an API server or from files. Data only: adding a plain
 * kind is adding a line.
 */

export interface KubeKind {
  readonly kind: string
  /** Empty for the core group. */
  readonly group: string
  readonly version: string
  readonly plural: string
  readonly namespaced: boolean
}

/** One line of the table. */
export const kubeKind = (
  group: string,
  version: string,
  kind: string,
  plural: string,
  namespaced: boolean,
): KubeKind => ({ kind, group, version, plural, namespaced })
const core = (kind: string, plural: string, namespaced = true) => kubeKind('', 'v1', kind, plural, namespaced)
const rbac = (kind: string, plural: string, namespaced: boolean) =>
  kubeKind('rbac.authorization.k8s.io', 'v1', kind, plural, namespaced)
const admission = (kind: string, plural: string) => kubeKind('admissionregistration.k8s.io', 'v1', kind, plural, false)

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
  NetworkPolicy: kubeKind('networking.k8s.io', 'v1', 'NetworkPolicy', 'networkpolicies', true),
  ValidatingAdmissionPolicy: admission('ValidatingAdmissionPolicy', 'validatingadmissionpolicies'),
  ValidatingAdmissionPolicyBinding: admission('ValidatingAdmissionPolicyBinding', 'validatingadmissionpolicybindings'),
  CustomResourceDefinition: kubeKind(
    'apiextensions.k8s.io',
    'v1',
    'CustomResourceDefinition',
    'customresourcedefinitions',
    false,
  ),
  CiliumNetworkPolicy: kubeKind('cilium.io', 'v2', 'CiliumNetworkPolicy', 'ciliumnetworkpolicies', true),
  CiliumClusterwideNetworkPolicy: kubeKind(
    'cilium.io',
    'v2',
    'CiliumClusterwideNetworkPolicy',
    'ciliumclusterwidenetworkpolicies',
    false,
  ),
  CalicoNetworkPolicy: kubeKind('projectcalico.org', 'v3', 'NetworkPolicy', 'networkpolicies', true),
  CalicoGlobalNetworkPolicy: kubeKind('projectcalico.org', 'v3', 'GlobalNetworkPolicy', 'globalnetworkpolicies', false),
}

/** Kinds that isolation depends on besides those with a driver. Secrets are read apart, as metadata. */
const readKinds: readonly KubeKind[] = [
  core('Pod', 'pods'),
  core('Service', 'services'),
  kubeKind('discovery.k8s.io', 'v1', 'EndpointSlice', 'endpointslices', true),
  admission('ValidatingWebhookConfiguration', 'validatingwebhookconfigurations'),
  admission('MutatingWebhookConfiguration', 'mutatingwebhookconfigurations'),
  kubeKind('admissionregistration.k8s.io', '', 'MutatingAdmissionPolicy', 'mutatingadmissionpolicies', false),
  kubeKind(
    'admissionregistration.k8s.io',
    '',
    'MutatingAdmissionPolicyBinding',
    'mutatingadmissionpolicybindings',
    false,
  ),
  kubeKind('policy.networking.k8s.io', '', 'AdminNetworkPolicy', 'adminnetworkpolicies', false),
  kubeKind('policy.networking.k8s.io', '', 'BaselineAdminNetworkPolicy', 'baselineadminnetworkpolicies', false),
  kubeKind('policy.networking.k8s.io', '', 'ClusterNetworkPolicy', 'clusternetworkpolicies', false),
  kubeKind('cilium.io', '', 'CiliumCIDRGroup', 'ciliumcidrgroups', false),
  kubeKind('projectcalico.org', '', 'Tier', 'tiers', false),
  kubeKind('projectcalico.org', '', 'NetworkSet', 'networksets', true),
  kubeKind('projectcalico.org', '', 'GlobalNetworkSet', 'globalnetworksets', false),
  kubeKind('crd.projectcalico.org', '', 'NetworkPolicy', 'networkpolicies', true),
  kubeKind('crd.projectcalico.org', '', 'GlobalNetworkPolicy', 'globalnetworkpolicies', false),
  kubeKind('crd.projectcalico.org', '', 'Tier', 'tiers', false),
  kubeKind('crd.projectcalico.org', '', 'NetworkSet', 'networksets', true),
  kubeKind('crd.projectcalico.org', '', 'GlobalNetworkSet', 'globalnetworksets', false),
]

/** ConfigMaps hold whatever people put there and open no way; CRDs are looked up one by one. */
const notRead = new Set(['ConfigMap', 'CustomResourceDefinition'])

/** What a snapshot holds. A `version` that is empty is the one the server prefers. */
export const snapshotKinds: readonly KubeKind[] = [
  ...Object.values(drivenKinds).filter((kind) => !notRead.has(kind.kind)),
  ...readKinds,
]

export const secretKind: KubeKind = core('Secret', 'secrets')

/** `group/Kind`, the core group as `/Kind`: how snapshots name what was listed. */
export const groupKind = (kind: KubeKind): string => `${kind.group}/${kind.kind}`
