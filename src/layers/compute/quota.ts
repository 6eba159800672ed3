/** The ResourceQuota and LimitRange of a tenant: what the namespace may use, and what a container gets unasked. */
import type { LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { addresses, kubernetesResource, sorted, tenantLabels, withinNamespace, type Labels } from '../manifest.ts'

/**
 * What is limited whatever the documents leave out: an amount that nobody set would be no limit at all. The counts
 * are the nine of the multi-tenancy benchmark.
 */
const floor: Labels = {
  'requests.cpu': '32',
  'requests.memory': '64Gi',
  'limits.cpu': '64',
  'limits.memory': '128Gi',
  'requests.ephemeral-storage': '64Gi',
  'limits.ephemeral-storage': '128Gi',
  'requests.storage': '1Ti',
  pods: '100',
  services: '30',
  'services.loadbalancers': '2',
  persistentvolumeclaims: '20',
  configmaps: '200',
  secrets: '200',
  replicationcontrollers: '50',
  resourcequotas: '1',
}

/** Names that the API takes as the same amount; the spelled-out one is kept, or the two would contradict each other. */
const synonyms: { readonly [name: string]: string } = {
  cpu: 'requests.cpu',
  memory: 'requests.memory',
  'ephemeral-storage': 'requests.ephemeral-storage',
}

const spelledOut = (quota: Labels): Labels =>
  Object.fromEntries(
    Object.entries(quota).map(([name, amount]) => [
      Object.hasOwn(synonyms, name) ? (synonyms[name] as string) : name,
      amount,
    ]),
  )

/** Platform defaults under the tenant's own amounts; a node port is a door beside the gateway and stays at 0. */
export function quotaOf(tenant: Tenant, context: LayerContext): Labels {
  const platform = context.platform.defaults.quota
  return sorted({
    ...floor,
    ...spelledOut(platform),
    ...spelledOut(tenant.spec.compute.quota),
    'services.nodeports': '0',
  })
}

export const resourceQuota = (tenant: Tenant, context: LayerContext): Resource =>
  kubernetesResource(
    tenant,
    context,
    {
      layer: 'compute',
      kind: 'resource-quota',
      key: 'main',
      needs: [addresses(tenant.name).namespace],
      ...withinNamespace(tenant),
    },
    {
      apiVersion: 'v1',
      kind: 'ResourceQuota',
      metadata: { name: 'ringfence', namespace: tenant.names.namespace, labels: tenantLabels(tenant), annotations: {} },
      spec: { hard: quotaOf(tenant, context) },
    },
  )

export function limitRange(tenant: Tenant, context: LayerContext): Resource {
  const { cpu, memory, ephemeralStorage } = {
    ...context.platform.defaults.limits,
    ...definedOnly(tenant.spec.compute.limits),
  }
  const amounts = { cpu, 'ephemeral-storage': ephemeralStorage, memory }
  return kubernetesResource(
    tenant,
    context,
    {
      layer: 'compute',
      kind: 'limit-range',
      key: 'main',
      needs: [addresses(tenant.name).namespace],
      ...withinNamespace(tenant),
    },
    {
      apiVersion: 'v1',
      kind: 'LimitRange',
      metadata: { name: 'ringfence', namespace: tenant.names.namespace, labels: tenantLabels(tenant), annotations: {} },
      spec: { limits: [{ type: 'Container', default: amounts, defaultRequest: amounts }] },
    },
  )
}

const definedOnly = <T extends object>(value: T): { [K in keyof T]?: NonNullable<T[K]> } =>
  Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== undefined)) as {
    [K in keyof T]?: NonNullable<T[K]>
  }
