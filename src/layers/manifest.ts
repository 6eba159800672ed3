/**
 * How a layer wraps a Kubernetes manifest into a resource, and which labels it carries. Owns the rule that system
 * labels win over whatever a tenant document holds; knows no particular kind.
 */
import type { JsonObject } from '../model/json.ts'
import type { LayerContext } from '../model/layer.ts'
import { addressOf, type Address, type Resource } from '../model/resource.ts'
import type { Tenant } from '../model/tenant.ts'

export const tenantLabel = 'ringfence.dev/tenant'
const tenantUidLabel = 'ringfence.dev/tenant-uid'
export const managedByLabel = 'app.kubernetes.io/managed-by'
export const managedBy = 'ringfence'
/** Set by the API server on every namespace and immutable, so it is the one label a peer may be selected by. */
export const namespaceNameLabel = 'kubernetes.io/metadata.name'

export type Labels = { readonly [key: string]: string }

const labelKey = /^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
const labelValue = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/

/**
 * Domains whose labels other controllers take for orders: pod security, service meshes, policy engines, network
 * plug-ins. A tenant that could set them on its namespace could take itself out of a fence.
 */
const reservedDomains = [
  'kubernetes.io',
  'k8s.io',
  'ringfence.dev',
  'gatekeeper.sh',
  'kyverno.io',
  'istio.io',
  'linkerd.io',
  'cilium.io',
  'projectcalico.org',
  'openshift.io',
  'cattle.io',
  'sigstore.dev',
]
const reservedKeys = new Set(['istio-injection', 'control-plane', 'name'])

/** Whether a label or annotation key is the platform's own, and so never taken from a tenant document. */
export function isReservedKey(key: string): boolean {
  const slash = key.indexOf('/')
  if (slash < 0) return reservedKeys.has(key)
  const domain = key.slice(0, slash)
  return reservedDomains.some((reserved) => domain === reserved || domain.endsWith(`.${reserved}`))
}

const isLabel = (key: string, value: string): boolean =>
  labelKey.test(key) && (key.includes('/') ? key.indexOf('/') <= 253 : true) && labelValue.test(value)

/** The labels of every object made for a tenant: its tags where they are valid labels, then ours, which win. */
export function tenantLabels(tenant: Tenant): Labels {
  const tags = Object.entries(tenant.spec.tags).filter(([key, value]) => isLabel(key, value) && !isReservedKey(key))
  return sorted({ ...Object.fromEntries(tags), ...systemLabels(tenant) })
}

/** What a person wrote for the namespace, under the tags, under ours. */
export function namespaceLabels(tenant: Tenant, fence: Labels): Labels {
  const asked = Object.entries({ ...tenant.labels, ...tenant.spec.compute.namespace.labels })
  const own = asked.filter(([key, value]) => isLabel(key, value) && !isReservedKey(key))
  return sorted({ ...Object.fromEntries(own), ...tenantLabels(tenant), ...fence })
}

/** Tags that are no valid labels, as one annotation: nothing of the cost attribution is lost. */
export function tagAnnotations(tenant: Tenant): Labels {
  const rest = Object.entries(tenant.spec.tags).filter(([key, value]) => !isLabel(key, value) || isReservedKey(key))
  return rest.length === 0 ? {} : { 'ringfence.dev/tags': JSON.stringify(sorted(Object.fromEntries(rest))) }
}

export const systemLabels = (tenant: Tenant): Labels => ({
  [tenantLabel]: tenant.name,
  [tenantUidLabel]: tenant.uid,
  [managedByLabel]: managedBy,
})

export const platformLabels: Labels = { [managedByLabel]: managedBy }

export const sorted = (labels: Labels): Labels =>
  Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))

/** Where a piece stands in its layer, and what it stands on. */
export interface Place {
  readonly layer: 'compute' | 'network'
  /** The kind and key of the address. */
  readonly kind: string
  readonly key: string
  readonly needs?: readonly Address[]
  readonly within?: Address
  readonly adopt?: boolean
  /** The driver's name for the kind, where two groups have kinds of one name. */
  readonly driver?: string
}

/** A manifest as layers write it; `metadata.namespace` absent for cluster-wide kinds. */
export type Manifest = JsonObject & {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: JsonObject & { readonly name: string; readonly namespace?: string }
}

/** Wraps a manifest; the whole of it is the spec, so that a fence is compared and restored whole. */
export function kubernetesResource(
  owner: Tenant | 'platform',
  context: LayerContext,
  place: Place,
  manifest: Manifest,
): Resource {
  const { name, namespace } = manifest.metadata
  return {
    kind: `kubernetes/${place.driver ?? manifest.kind}`,
    address: addressOf(owner === 'platform' ? 'platform' : owner.name, place.layer, place.kind, place.key),
    backend: context.backends.kubernetes ?? 'kubernetes',
    externalName: namespace === undefined ? name : `${namespace}/${name}`,
    owner: owner === 'platform' ? 'platform' : { name: owner.name, uid: owner.uid },
    spec: manifest,
    secrets: [],
    needs: place.needs ?? [],
    onRemove: 'delete',
    ...(place.within === undefined ? {} : { within: place.within }),
    ...(place.adopt ? { adopt: true } : {}),
  }
}

/** The addresses that the layers know of each other: data, so that no layer needs another's code. */
export const addresses = (tenant: string) => ({
  namespace: addressOf(tenant, 'compute', 'namespace', 'main'),
  quota: addressOf(tenant, 'compute', 'resource-quota', 'main'),
  limits: addressOf(tenant, 'compute', 'limit-range', 'main'),
  defaultDeny: addressOf(tenant, 'network', 'network-policy', 'default-deny'),
  database: addressOf(tenant, 'database', 'database', 'main'),
})

/** An adopted namespace is emptied of ours one by one, since it is not deleted at the end. */
export const withinNamespace = (tenant: Tenant): { within?: Address } =>
  tenant.spec.compute.namespace.adopt ? {} : { within: addresses(tenant.name).namespace }
