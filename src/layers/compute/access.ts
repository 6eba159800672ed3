/**
 * Who may act in a tenant's namespace: one ServiceAccount a role, in our namespace where no tenant pod can borrow it,
 * one RoleBinding a role, and what the platform shares with the tenant, by name and for reading.
 */
import type { LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import { roles, type Role, type Tenant } from '../../model/tenant.ts'
import { addresses, kubernetesResource, tenantLabels, withinNamespace } from '../manifest.ts'
import { boundGroups, boundServiceAccounts } from './parameters.ts'
import { clusterRoleName } from './roles.ts'
import { pluralOf } from './sharable.ts'

export const rbacGroup = 'rbac.authorization.k8s.io'

export type Subject = {
  readonly kind: string
  readonly apiGroup: string
  readonly name: string
  readonly namespace?: string
}
const group = (name: string): Subject => ({ kind: 'Group', apiGroup: rbacGroup, name })
const account = (namespace: string, name: string): Subject => ({
  kind: 'ServiceAccount',
  apiGroup: '',
  name,
  namespace,
})
const accountOf = (pair: string): Subject =>
  account(pair.slice(0, pair.indexOf('/')), pair.slice(pair.indexOf('/') + 1))

/** Unique: no role name holds a dash, so the part before the last dash is the tenant. */
export const roleAccountName = (tenant: string, role: Role): string => `${tenant}-${role}`

function roleAccount(tenant: Tenant, role: Role, context: LayerContext): Resource {
  return kubernetesResource(
    tenant,
    context,
    { layer: 'compute', kind: 'service-account', key: role },
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: {
        name: roleAccountName(tenant.name, role),
        namespace: context.platform.kubernetes.systemNamespace,
        labels: tenantLabels(tenant),
        annotations: {},
      },
      automountServiceAccountToken: false,
    },
  )
}

/** Subjects of one role: our account, and the groups and accounts that the document names and admission allows. */
function subjectsOf(tenant: Tenant, role: Role, context: LayerContext): readonly Subject[] {
  const bindings = tenant.spec.access.roleBindings.filter((binding) => binding.role === role)
  const [groups, accounts] = [new Set(boundGroups(tenant)), new Set(boundServiceAccounts(tenant, context))]
  const named = bindings.flatMap((binding) =>
    binding.serviceAccounts.map(({ namespace, name }) => `${namespace}/${name}`),
  )
  return [
    account(context.platform.kubernetes.systemNamespace, roleAccountName(tenant.name, role)),
    ...sortedSet(bindings.flatMap((binding) => binding.groups))
      .filter((name) => groups.has(name))
      .map((name) => group(name)),
    ...sortedSet(named)
      .filter((pair) => accounts.has(pair))
      .map((pair) => accountOf(pair)),
  ]
}

const sortedSet = (values: readonly string[]): readonly string[] => [...new Set(values)].toSorted()

/** Nobody is let in before the fences stand. */
function roleBinding(tenant: Tenant, role: Role, context: LayerContext): Resource {
  const known = addresses(tenant.name)
  return kubernetesResource(
    tenant,
    context,
    {
      layer: 'compute',
      kind: 'role-binding',
      key: role,
      needs: [known.namespace, known.quota, known.limits, known.defaultDeny],
      ...withinNamespace(tenant),
    },
    {
      apiVersion: `${rbacGroup}/v1`,
      kind: 'RoleBinding',
      metadata: {
        name: clusterRoleName(role),
        namespace: tenant.names.namespace,
        labels: tenantLabels(tenant),
        annotations: {},
      },
      roleRef: { apiGroup: rbacGroup, kind: 'ClusterRole', name: clusterRoleName(role) },
      subjects: subjectsOf(tenant, role, context),
    },
  )
}

/** Everyone of the tenant: its people, its automation and the pods in its namespace. */
export const allSubjects = (tenant: Tenant, context: LayerContext): readonly Subject[] => [
  ...boundServiceAccounts(tenant, context).map((pair) => accountOf(pair)),
  ...boundGroups(tenant).map((name) => group(name)),
  group(`system:serviceaccounts:${tenant.names.namespace}`),
]

/** `get` on the named objects alone: what is not named cannot be listed, and so not be discovered. */
function sharing(tenant: Tenant, context: LayerContext): readonly Resource[] {
  const byNamespace = Object.groupBy(tenant.spec.access.shared, (shared) => shared.namespace)
  return Object.entries(byNamespace).flatMap(([namespace, objects]) => {
    const name = `ringfence-shared-${tenant.name}`
    const metadata = { name, namespace, labels: tenantLabels(tenant), annotations: {} }
    const byKind = Object.groupBy(
      objects ?? [],
      (shared) => `${shared.apiGroup}/${pluralOf(shared.apiGroup, shared.kind) ?? ''}`,
    )
    const rules = Object.entries(byKind)
      .filter(([key]) => !key.endsWith('/'))
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, group]) => ({
        apiGroups: [key.slice(0, key.indexOf('/'))],
        resources: [key.slice(key.indexOf('/') + 1)],
        resourceNames: sortedSet((group ?? []).map((shared) => shared.name)),
        verbs: ['get'],
      }))
    if (rules.length === 0) return []
    const role = kubernetesResource(
      tenant,
      context,
      { layer: 'compute', kind: 'shared-role', key: namespace },
      { apiVersion: `${rbacGroup}/v1`, kind: 'Role', metadata, rules },
    )
    const binding = kubernetesResource(
      tenant,
      context,
      { layer: 'compute', kind: 'shared-role-binding', key: namespace, needs: [role.address] },
      {
        apiVersion: `${rbacGroup}/v1`,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: rbacGroup, kind: 'Role', name },
        subjects: allSubjects(tenant, context),
      },
    )
    return [role, binding]
  })
}

export const accessResources = (tenant: Tenant, context: LayerContext): readonly Resource[] => [
  ...roles.flatMap((role) => [roleAccount(tenant, role, context), roleBinding(tenant, role, context)]),
  ...sharing(tenant, context),
]
