/** Kinds of other products that hand out rights which RBAC objects do not show. Read as undecided, by name. */
import type { KubeObject } from '../../model/world.ts'
import { rbacGroup } from './policy.ts'

/** API groups whose controllers or authorizers grant access, or copy grants between namespaces. */
const groups = new Set([
  'authorization.openshift.io', 'security.openshift.io', 'rbacmanager.reactiveops.io', 'hnc.x-k8s.io', 'capsule.clastix.io', 'management.cattle.io',
  'tenancy.kiosk.sh', 'rbac.hnc.x-k8s.io', 'apiserver.config.k8s.io', 'apiserver.k8s.io', 'abac.authorization.kubernetes.io', 'paralus.dev',
  'permissions.kubeops.dev', 'tenantoperator.stakater.com', 'toolchain.dev.openshift.com',
]) // prettier-ignore

export function foreignAuthorities(objects: readonly KubeObject[]): readonly string[] {
  return objects.flatMap(({ apiVersion, kind, metadata }) => {
    const group = apiVersion.includes('/') ? (apiVersion.split('/', 1)[0] as string) : ''
    if (group === rbacGroup || !(groups.has(group) || kind.endsWith('RoleBinding'))) return []
    const place = metadata.namespace === undefined ? '' : `${metadata.namespace}/`
    return [`${kind} ${place}${metadata.name} (${apiVersion}) may grant access, and is not understood`]
  })
}
