/**
 * Ways around packet filtering that objects in a tenant's namespace open: pods on the node's network, Services that
 * claim foreign addresses, endpoints written by hand. Judges only what is in the world.
 */
import type { Json } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'
import { parseAddress } from './addresses.ts'
import { child, items } from './fields.ts'
import { type NamedRange, touches } from './ranges.ts'

export interface Bypass {
  readonly rule: 'network.host-network' | 'network.external-ip' | 'network.endpoints'
  readonly object: KubeObject
  /** What it leads to, for people. */
  readonly reaches: string
}

/** A pod, or the template of one, that shares the node's network. */
export function hostNetwork(objects: readonly KubeObject[]): readonly Bypass[] {
  return objects
    .filter((object) => {
      const spec =
        object.kind === 'CronJob'
          ? child(child(object['spec'], 'jobTemplate'), 'spec')
          : (object['spec'] as Json | undefined)
      const podSpec = object.kind === 'Pod' ? spec : child(child(spec, 'template'), 'spec')
      return child(podSpec, 'hostNetwork') === true
    })
    .map((object) => ({
      rule: 'network.host-network' as const,
      object,
      reaches: 'everything that its node reaches, past every policy',
    }))
}

/** `externalIPs` catch the whole cluster's traffic to an address, whoever owns it. */
export function externalAddresses(services: readonly KubeObject[]): readonly Bypass[] {
  return services.flatMap((object) => {
    const addresses = items(child(object['spec'], 'externalIPs'))
    if (addresses.length === 0) return []
    return [
      {
        rule: 'network.external-ip' as const,
        object,
        reaches: `all traffic of the cluster to ${addresses.map(String).join(', ')}`,
      },
    ]
  })
}

/** Where each pod address is, as far as pods are in the world. */
export type PodAddresses = ReadonlyMap<string, string>

export function podAddresses(pods: ReadonlyMap<string, readonly KubeObject[]>): PodAddresses {
  const addresses = new Map<string, string>()
  for (const [namespace, objects] of pods) {
    for (const object of objects) {
      if (object.kind !== 'Pod') continue
      const status = child(object, 'status')
      for (const ip of [child(status, 'podIP'), ...items(child(status, 'podIPs')).map((entry) => child(entry, 'ip'))]) {
        if (typeof ip === 'string') addresses.set(ip, namespace)
      }
    }
  }
  return addresses
}

function addressesOf(object: KubeObject): readonly string[] {
  const slices = items(object['endpoints'] as Json | undefined).flatMap((endpoint) =>
    items(child(endpoint, 'addresses')),
  )
  const subsets = items(object['subsets'] as Json | undefined).flatMap((subset) =>
    [...items(child(subset, 'addresses')), ...items(child(subset, 'notReadyAddresses'))].map(
      (entry) => child(entry, 'ip') ?? null,
    ),
  )
  return [...slices, ...subsets].filter((address) => typeof address === 'string')
}

/** Kept by the EndpointSlice controllers from a selector. The label can be forged, so it counts only without pods to compare. */
const kept = new Set(['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'])

/**
 * Endpoints that name addresses which are not the namespace's own pods: others' pods, or reserved ranges. Where no
 * pods are in the world, those that a controller keeps are passed over.
 */
export function foreignEndpoints(
  endpoints: readonly KubeObject[],
  own: string,
  pods: PodAddresses | undefined,
  ranges: readonly NamedRange[],
): readonly Bypass[] {
  return endpoints.flatMap((object) => {
    if (pods === undefined && kept.has(object.metadata.labels?.['endpointslice.kubernetes.io/managed-by'] ?? ''))
      return []
    for (const address of addressesOf(object)) {
      const at = pods?.get(address)
      if (at === own) continue
      const set = parseAddress(address)
      const reserved = set === undefined ? undefined : touches(set, ranges)?.range.name
      const reaches =
        at !== undefined
          ? `a pod in namespace ${at}`
          : (reserved ?? (set === undefined ? `the unreadable address ${address}` : undefined))
      if (reaches !== undefined)
        return [{ rule: 'network.endpoints' as const, object, reaches: `${address}: ${reaches}` }]
    }
    return []
  })
}
