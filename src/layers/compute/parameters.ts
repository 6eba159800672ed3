/**
 * What the admission policies must know about one tenant, carried as annotations of its namespace: the API server has
 * the namespace at hand for every object in it, and only we may write it. Lists are one entry a line, because CEL can
 * split a string but cannot parse JSON.
 */
import type { LayerContext } from '../../model/layer.ts'
import type { Tenant } from '../../model/tenant.ts'
import type { Labels } from '../manifest.ts'

/** The spelling of the parameters. A namespace without it has none, and what depends on them is refused. */
export const admissionVersion = '1'

export const parameter = {
  version: 'ringfence.dev/admission',
  groups: 'ringfence.dev/allowed-groups',
  serviceAccounts: 'ringfence.dev/allowed-service-accounts',
  imageRegistries: 'ringfence.dev/allowed-image-registries',
  storageClasses: 'ringfence.dev/allowed-storage-classes',
  ingressClasses: 'ringfence.dev/allowed-ingress-classes',
  ingressHosts: 'ringfence.dev/allowed-ingress-hosts',
  priorityClasses: 'ringfence.dev/allowed-priority-classes',
  runtimeClasses: 'ringfence.dev/allowed-runtime-classes',
  runtimeClass: 'ringfence.dev/required-runtime-class',
  nodeSelector: 'ringfence.dev/required-node-selector',
} as const

/** An entry with a line break would be two entries on the other side; it names nothing real and is left out. */
// oxlint-disable-next-line no-control-regex -- exactly the control characters are meant
const isOneLine = (value: string): boolean => value !== '' && !/[\u0000-\u001f\u007f\u2028\u2029]/.test(value)

const lines = (values: readonly string[]): string =>
  [...new Set(values.filter((value) => isOneLine(value)))].toSorted().join('\n')

/** Groups that may be bound in a tenant: those that its document names, never Kubernetes' own. */
export const boundGroups = (tenant: Tenant): readonly string[] =>
  [...new Set(tenant.spec.access.roleBindings.flatMap((binding) => binding.groups))]
    .filter((group) => isOneLine(group) && !group.startsWith('system:'))
    .toSorted()

/** ServiceAccounts from outside the namespace that may be bound: `namespace/name`. */
export function boundServiceAccounts(tenant: Tenant, context: LayerContext): readonly string[] {
  const system = context.platform.kubernetes.systemNamespace
  const named = tenant.spec.access.roleBindings.flatMap((binding) => binding.serviceAccounts)
  const ours = (['owner', 'editor', 'viewer'] as const).map((role) => `${system}/${tenant.name}-${role}`)
  const others = named
    .filter((account) => account.namespace !== system)
    .map((account) => `${account.namespace}/${account.name}`)
  return [...new Set([...ours, ...others])].toSorted()
}

/** Hosts that an Ingress of the tenant may answer for: its own domain and what lies under it, and those named. */
const hostsOf = (tenant: Tenant): readonly string[] => {
  const { domain } = tenant.spec
  const own = domain === undefined ? [] : [domain, `*.${domain}`]
  return [...own, ...tenant.spec.compute.allowed.ingressHosts].map((host) => host.toLowerCase())
}

export function admissionParameters(tenant: Tenant, context: LayerContext): Labels {
  const { allowed, runtimeClass } = tenant.spec.compute
  return {
    [parameter.version]: admissionVersion,
    [parameter.groups]: lines(boundGroups(tenant)),
    [parameter.serviceAccounts]: lines(boundServiceAccounts(tenant, context)),
    [parameter.imageRegistries]: lines(allowed.imageRegistries),
    [parameter.storageClasses]: lines(allowed.storageClasses),
    [parameter.ingressClasses]: lines(allowed.ingressClasses),
    [parameter.ingressHosts]: lines(hostsOf(tenant)),
    [parameter.priorityClasses]: lines(allowed.priorityClasses),
    [parameter.runtimeClasses]: lines(
      runtimeClass === undefined ? allowed.runtimeClasses : [runtimeClass, ...allowed.runtimeClasses],
    ),
    [parameter.runtimeClass]: runtimeClass ?? '',
    [parameter.nodeSelector]: lines(Object.entries(allowed.nodeSelector).map(([key, value]) => `${key}=${value}`)),
  }
}
