/**
 * Peers and ports of NetworkPolicy, built so that none can come out wider than meant: a namespace is selected by the
 * name label that the API server sets, a range has what stays shut cut out, and an empty list is never written.
 */
import type { JsonObject } from '../../model/json.ts'
import type { LayerContext } from '../../model/layer.ts'
import type { PlatformPods } from '../../model/platform.ts'
import type { NetworkPeer, NetworkRule, Tenant } from '../../model/tenant.ts'
import { namespaceNameLabel, tenantLabel } from '../manifest.ts'
import { clusterRanges, clusterRangesKnown, neverRanges, privateRanges } from './forbidden.ts'
import { contains, type AddressRange } from '../../model/ranges.ts'
import { cut, rangesOf, readRange } from './ranges.ts'

export type Peer = JsonObject
export type Port = JsonObject
/** One direction of one rule; `ports` absent means all ports. */
export interface Rule {
  readonly peers: readonly Peer[]
  readonly ports?: readonly Port[]
}

export const namedNamespaces = (names: readonly string[]): JsonObject =>
  names.length === 1
    ? { matchLabels: { [namespaceNameLabel]: names[0] as string } }
    : { matchExpressions: [{ key: namespaceNameLabel, operator: 'In', values: [...new Set(names)].toSorted() }] }

export const podsOf = (pods: PlatformPods): Rule => ({
  peers: [{ namespaceSelector: namedNamespaces([pods.namespace]), podSelector: { matchLabels: pods.podLabels } }],
  ports: pods.ports.map(({ protocol, port }) => ({ protocol, port })),
})

export const present = <T>(values: readonly (T | undefined)[]): readonly T[] =>
  values.filter((value) => value !== undefined)

/** A range as a peer with the forbidden ones cut out; undefined when nothing is left of it. */
export function rangePeer(range: AddressRange, forbidden: readonly AddressRange[]): Peer | undefined {
  const left = cut(range, forbidden)
  if (left === undefined) return undefined
  return { ipBlock: { cidr: left.cidr, ...(left.except.length > 0 ? { except: left.except } : {}) } }
}

/** Private addresses are open as a whole only by the tenant's switch, and never in production. */
export const privateOpen = (tenant: Tenant): boolean =>
  tenant.spec.network.allowPrivateNetworks && tenant.spec.environment !== 'production'

/** The whole outside, without what is not the outside. */
export function externalPeers(tenant: Tenant, context: LayerContext): readonly Peer[] {
  const shut = [...neverRanges, ...clusterRanges(context), ...(privateOpen(tenant) ? [] : privateRanges)]
  return present(rangesOf(['0.0.0.0/0', '::/0']).map((range) => rangePeer(range, shut)))
}

/**
 * What a tenant's own range may open: a range inside private space names it on purpose (a database of the house) and
 * is let through outside the cluster's ranges, provided that those are known; a wider one has private space cut out.
 */
export function ruleRangePeer(
  block: { readonly cidr: string; readonly except: readonly string[] },
  tenant: Tenant,
  context: LayerContext,
): Peer | undefined {
  const range = readRange(block.cidr)
  if (range === undefined) return undefined
  const excepted = block.except.map((text) => readRange(text))
  if (excepted.includes(undefined)) return undefined
  const meant =
    privateOpen(tenant) || (clusterRangesKnown(context) && privateRanges.some((one) => contains(one, range)))
  const shut = [
    ...neverRanges,
    ...clusterRanges(context),
    ...(meant ? [] : privateRanges),
    ...(excepted as AddressRange[]),
  ]
  return rangePeer(range, shut)
}

/** Namespaces that no rule of a tenant selects, whatever its selector says. */
const shutNamespaces = (context: LayerContext): readonly string[] =>
  ['default', 'kube-node-lease', 'kube-public', 'kube-system', context.platform.kubernetes.systemNamespace].toSorted()

type Selector = { readonly matchLabels: JsonObject; readonly matchExpressions: readonly JsonObject[] }

const selector = (written: Selector): JsonObject => ({
  ...(Object.keys(written.matchLabels).length > 0 ? { matchLabels: written.matchLabels } : {}),
  ...(written.matchExpressions.length > 0
    ? {
        matchExpressions: written.matchExpressions.map((expression) => {
          const { values, ...rest } = expression
          return Array.isArray(values) && values.length > 0 ? { ...rest, values } : rest
        }),
      }
    : {}),
})

/** Whatever labels it asks for, a namespace selector of a rule matches no tenant and no namespace of the system. */
function outsideTenants(written: Selector, context: LayerContext): JsonObject {
  return selector({
    matchLabels: written.matchLabels,
    matchExpressions: [
      ...written.matchExpressions,
      { key: tenantLabel, operator: 'DoesNotExist' },
      { key: namespaceNameLabel, operator: 'NotIn', values: shutNamespaces(context) },
    ],
  })
}

function peerOf(peer: NetworkPeer, tenant: Tenant, context: LayerContext): Peer | undefined {
  if ('ipBlock' in peer) return ruleRangePeer(peer.ipBlock, tenant, context)
  const pods = peer.podSelector === undefined ? undefined : selector(peer.podSelector)
  if (!('namespaceSelector' in peer)) return { podSelector: pods ?? {} }
  return {
    namespaceSelector: outsideTenants(peer.namespaceSelector, context),
    ...(pods === undefined ? {} : { podSelector: pods }),
  }
}

/** A rule of the tenant, or undefined when none of its peers may be opened: an empty list would mean everywhere. */
export function tenantRule(rule: NetworkRule, tenant: Tenant, context: LayerContext): Rule | undefined {
  const peers = present(rule.peers.map((peer) => peerOf(peer, tenant, context)))
  if (peers.length === 0) return undefined
  const ports = rule.ports.map(({ protocol, port, endPort }) => ({
    protocol,
    port,
    ...(endPort === undefined ? {} : { endPort }),
  }))
  return { peers, ...(ports.length > 0 ? { ports } : {}) }
}
