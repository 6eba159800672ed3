/**
 * What all tenants stand on: our namespace, the three roles and the admission rules; and what must be there before the
 * control plane can make any of it: its own rights.
 */
import type { LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import { roles } from '../../model/tenant.ts'
import { kubernetesResource, platformLabels, type Manifest } from '../manifest.ts'
import { admissionResources } from './admission/admission.ts'
import { rbacGroup } from './access.ts'
import { engineClusterRole, engineRules, engineServiceAccount, engineUser } from './engine-rules.ts'
import { podSecurityLabels } from './namespace.ts'
import { clusterRoleName, roleRules, type PolicyRule } from './roles.ts'

const rulesOf = (rules: readonly PolicyRule[]) => rules.map((rule) => ({ ...rule }))

const systemNamespace = (context: LayerContext): Manifest => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name: context.platform.kubernetes.systemNamespace,
    labels: { ...platformLabels, ...podSecurityLabels('restricted') },
    annotations: {},
  },
})

/** Resources that the engine makes and keeps, in an order that `needs` states. */
export function platformResources(context: LayerContext): readonly Resource[] {
  const namespace = kubernetesResource(
    'platform',
    context,
    { layer: 'compute', kind: 'namespace', key: 'system' },
    systemNamespace(context),
  )
  const clusterRoles = roles.map((role) =>
    kubernetesResource(
      'platform',
      context,
      { layer: 'compute', kind: 'cluster-role', key: role },
      {
        apiVersion: `${rbacGroup}/v1`,
        kind: 'ClusterRole',
        metadata: { name: clusterRoleName(role), labels: platformLabels, annotations: {} },
        rules: rulesOf(roleRules[role]),
      },
    ),
  )
  return [namespace, ...clusterRoles, ...admissionResources(context, namespace.address)]
}

/**
 * Plain manifests to be applied by the identity that sets the platform up, before the engine starts: the engine could
 * not give itself these rights. Our namespace is not among them, since the engine makes it and knows it as its own.
 */
export const installation = (context: LayerContext): readonly Manifest[] => [
  {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRole',
    metadata: { name: engineClusterRole, labels: platformLabels, annotations: {} },
    rules: rulesOf(engineRules),
  },
  {
    apiVersion: `${rbacGroup}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: engineClusterRole, labels: platformLabels, annotations: {} },
    roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: engineClusterRole },
    subjects: [
      { kind: 'User', apiGroup: rbacGroup, name: engineUser },
      {
        kind: 'ServiceAccount',
        apiGroup: '',
        name: engineServiceAccount,
        namespace: context.platform.kubernetes.systemNamespace,
      },
    ],
  },
]
