/**
 * What a tenant's network is opened for, before it is written as policies: the one list that the policies and the
 * prover's notion of a legitimate opening both come from.
 */
import type { JsonObject } from '../../model/json.ts'
import type { LayerContext } from '../../model/layer.ts'
import { output, resolveOutputs, type Address, type Outputs } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { addresses } from '../manifest.ts'
import { metadataRanges } from './forbidden.ts'
import {
  externalPeers,
  namedNamespaces,
  podsOf,
  present,
  rangePeer,
  tenantRule,
  type Port,
  type Rule,
} from './peers.ts'
import { overlaps } from '../../model/ranges.ts'
import { rangesOf, readRange } from './ranges.ts'

export interface Opening {
  readonly direction: 'ingress' | 'egress'
  readonly rule: Rule
}

const dnsPorts: readonly Port[] = [
  { protocol: 'UDP', port: 53 },
  { protocol: 'TCP', port: 53 },
]

const egress = (rule: Rule): Opening => ({ direction: 'egress', rule })
const ingress = (rule: Rule): Opening => ({ direction: 'ingress', rule })

/** Resolver addresses; one that is also a metadata server is left out, since that stays shut on every port. */
export function resolverRanges(context: LayerContext): readonly string[] {
  const named = [...(context.facts.kubernetes?.resolvers ?? []), ...context.platform.kubernetes.resolvers]
  return [...new Set(named)].toSorted()
}

function dns(context: LayerContext): Opening {
  const resolvers = rangesOf(resolverRanges(context)).filter(
    (range) => !metadataRanges.some((shut) => overlaps(range, shut)),
  )
  return egress({
    peers: [
      { namespaceSelector: namedNamespaces(['kube-system']), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } },
      ...present(resolvers.map((range) => rangePeer(range, []))),
    ],
    ports: dnsPorts,
  })
}

const sameNamespace: readonly Opening[] = [
  ingress({ peers: [{ podSelector: {} }] }),
  egress({ peers: [{ podSelector: {} }] }),
]

/** What of the platform may be reached, and what of it may enter. */
function platformOpenings(tenant: Tenant, context: LayerContext): readonly Opening[] {
  const { services, gateway, monitoring, sharedNamespaces, systemNamespace } = context.platform.kubernetes
  const shared = sharedNamespaces.filter(
    (name) => name !== 'default' && name !== systemNamespace && !name.startsWith('kube-'),
  )
  return [
    ...services.map((pods) => egress(podsOf(pods))),
    ...(gateway === undefined ? [] : [ingress(podsOf(gateway))]),
    ...(monitoring === undefined ? [] : [ingress(podsOf(monitoring))]),
    ...(tenant.spec.network.allowSharedNamespaces && shared.length > 0
      ? [egress({ peers: [{ namespaceSelector: namedNamespaces(shared) }] })]
      : []),
  ]
}

/** The broad rule is off as soon as names are given: an address that any name may have is any address. */
export const externalOpen = (tenant: Tenant): boolean => {
  const { allowExternalAPIs, egress: named } = tenant.spec.network
  return named.fqdns.length === 0 && (allowExternalAPIs ?? true)
}

function external(tenant: Tenant, context: LayerContext): readonly Opening[] {
  return externalOpen(tenant) ? [egress({ peers: externalPeers(tenant, context) })] : []
}

/** The API server by its observed addresses alone; they lie in ranges that stay shut otherwise. */
function kubernetesApi(tenant: Tenant, context: LayerContext): readonly Opening[] {
  if (!tenant.spec.network.allowKubernetesAPI) return []
  return (context.facts.kubernetes?.apiServer ?? []).flatMap(({ address, port }) => {
    const range = readRange(address)
    const peer = range === undefined ? undefined : rangePeer(range, metadataRanges)
    return peer === undefined ? [] : [egress({ peers: [peer], ports: [{ protocol: 'TCP', port }] })]
  })
}

/** What every tenant has. */
export const isolationOpenings = (tenant: Tenant, context: LayerContext): readonly Opening[] => [
  dns(context),
  ...sameNamespace,
  ...platformOpenings(tenant, context),
  ...external(tenant, context),
  ...kubernetesApi(tenant, context),
]

/** What the tenant's document adds, as far as it may be opened. */
export function ruleOpenings(tenant: Tenant, context: LayerContext): readonly Opening[] {
  const { allowFrom, allowTo } = tenant.spec.network
  return [
    ...present(allowFrom.map((rule) => tenantRule(rule, tenant, context))).map((rule) => ingress(rule)),
    ...present(allowTo.map((rule) => tenantRule(rule, tenant, context))).map((rule) => egress(rule)),
  ]
}

/** The observed endpoints of the tenant's own backends: peers and port are outputs of the database layer. */
export function backendOpenings(tenant: Tenant): readonly Opening[] {
  if (tenant.spec.database.mode !== 'shared') return []
  const { database } = addresses(tenant.name)
  return [
    egress({ peers: [output(database, 'addresses')], ports: [{ protocol: 'TCP', port: output(database, 'port') }] }),
  ]
}

/**
 * The legitimate openings of a tenant, for the prover: `{direction, peers, ports}` in NetworkPolicy's own shapes, an
 * empty `ports` meaning all. An opening whose outputs are not there yet is left out, as its policy is.
 */
export function openingsOf(
  tenant: Tenant,
  context: LayerContext,
  outputs: (address: Address) => Outputs | undefined = () => undefined,
): readonly JsonObject[] {
  const all = [...isolationOpenings(tenant, context), ...ruleOpenings(tenant, context), ...backendOpenings(tenant)]
  return all.flatMap(({ direction, rule }) => {
    const resolved = resolveOutputs({ direction, peers: rule.peers, ports: rule.ports ?? [] }, outputs)
    return 'spec' in resolved ? [resolved.spec] : []
  })
}
