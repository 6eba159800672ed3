/**
 * Guards the namespaces of tenants, and bindings of the whole cluster that name them. A namespace is looked at as it
 * was and as it would be, through the object, its status and its finalizers: one request that drops the label and
 * weakens pod security is seen like any other.
 */
import type { LayerContext } from '../../../model/layer.ts'
import { tenantLabel } from '../../manifest.ts'
import { controllers, list, text, type PolicyText } from './cel.ts'

/** What all names of tenants' namespaces begin with; empty where the pattern begins with a placeholder. */
export const namespacePrefix = (context: LayerContext): string =>
  context.platform.names.namespace.split('<', 1)[0] ?? ''

const same = (field: string, absent: string): string =>
  `(has(object.metadata.${field}) ? object.metadata.${field} : ${absent}) == (has(oldObject.metadata.${field}) ? oldObject.metadata.${field} : ${absent})`

export function namespaces(context: LayerContext): PolicyText {
  const prefix = namespacePrefix(context)
  const marked = `[object, oldObject].exists(o, o != null && has(o.metadata.labels) && ${text(tenantLabel)} in o.metadata.labels)`
  const system = context.platform.kubernetes.systemNamespace
  const named = `request.operation == 'CREATE' && object.metadata.name.startsWith(${text(prefix)}) && object.metadata.name != ${text(system)}`
  return {
    key: 'namespaces',
    scope: 'Cluster',
    rules: [
      {
        apiGroups: [''],
        resources: ['namespaces', 'namespaces/status', 'namespaces/finalize'],
        operations: ['CREATE', 'UPDATE', 'DELETE'],
      },
    ],
    conditions: [{ name: 'of-a-tenant', expression: prefix === '' ? marked : `${marked} || (${named})` }],
    variables: [
      { name: 'controller', expression: `request.userInfo.username in ${list(controllers)}` },
      {
        name: 'unchanged',
        expression: [same('labels', '{}'), same('annotations', '{}'), same('ownerReferences', '[]')].join(' && '),
      },
    ],
    validations: [
      {
        expression: `request.operation != 'CREATE'`,
        message: `only Ringfence makes the namespace of a tenant: the label ${tenantLabel}${prefix === '' ? ' is' : ` and names that begin with "${prefix}" are`} its own`,
      },
      { expression: `request.operation != 'DELETE'`, message: 'only Ringfence removes the namespace of a tenant' },
      {
        expression: `request.operation != 'UPDATE' || (variables.controller && variables.unchanged)`,
        message: 'only Ringfence changes the namespace of a tenant, its labels and its annotations',
      },
    ],
  }
}

/** Rights in the whole cluster are never a tenant's. Known by name, so this needs a pattern that begins with one. */
export function clusterBindings(context: LayerContext): PolicyText | undefined {
  const prefix = namespacePrefix(context)
  if (prefix === '') return undefined
  const system = text(context.platform.kubernetes.systemNamespace)
  const group = 'system:serviceaccounts:'
  return {
    key: 'cluster-bindings',
    scope: 'Cluster',
    rules: [
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['clusterrolebindings'],
        operations: ['CREATE', 'UPDATE'],
      },
    ],
    conditions: [],
    variables: [
      {
        name: 'namespaces',
        expression:
          `!has(object.subjects) ? [] : object.subjects.map(s, s.kind == 'ServiceAccount' && has(s.namespace) ? s.namespace : ` +
          `s.kind == 'Group' && s.name.startsWith(${text(group)}) ? s.name.substring(${group.length}) : '')`,
      },
    ],
    validations: [
      {
        expression: `!variables.namespaces.exists(n, n.startsWith(${text(prefix)}) && n != ${system})`,
        message: 'a binding for the whole cluster may not name accounts of a tenant',
      },
    ],
  }
}
