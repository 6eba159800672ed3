/** The network layer: default deny both ways, then exactly what the platform and the document open. */
import { RingfenceError } from '../../model/errors.ts'
import type { Claim, Layer, LayerContext } from '../../model/layer.ts'
import type { Tenant } from '../../model/tenant.ts'
import { clusterRangesKnown } from './forbidden.ts'
import { fqdnKind, fqdnPolicy, fqdnsOf } from './fqdn.ts'
import { networkPolicies } from './policies.ts'
import { ruleRangePeer } from './peers.ts'

const notConfigured = (message: string) => new RingfenceError('NotConfigured', message)

function fqdnProblem(tenant: Tenant, context: LayerContext): RingfenceError | undefined {
  const { fqdns } = tenant.spec.network.egress
  if (fqdns.length === 0) return undefined
  const known = new Set(fqdnsOf(tenant))
  const wrong = fqdns.find((name) => !known.has(name.toLowerCase()))
  if (wrong !== undefined) {
    const [path, reason] = ['/spec/network/egress/fqdns', `${JSON.stringify(wrong)} is not a domain name`]
    const fix = 'write a name such as api.example.com or *.example.com'
    return new RingfenceError('InvalidDocument', `${path}: ${reason}; ${fix}`, { problems: [{ path, reason, fix }] })
  }
  if (fqdnKind(context) !== undefined) return undefined
  return notConfigured(
    'rules by domain name (network.egress.fqdns) need Cilium, or a Calico version with domain rules, and this cluster has the kinds of ' +
      'neither; install one of them, or remove network.egress.fqdns and open addresses with allowExternalAPIs or allowTo',
  )
}

/** A range of a rule of which nothing may be opened. */
function shutRange(tenant: Tenant, context: LayerContext): RingfenceError | undefined {
  for (const direction of ['allowFrom', 'allowTo'] as const) {
    const blocks = tenant.spec.network[direction].flatMap((rule) =>
      rule.peers.flatMap((peer) => ('ipBlock' in peer ? [peer.ipBlock] : [])),
    )
    const shut = blocks.find((block) => ruleRangePeer(block, tenant, context) === undefined)
    if (shut === undefined) continue
    if (!clusterRangesKnown(context)) {
      return notConfigured(
        `network.${direction} names ${JSON.stringify(shut.cidr)}, and whether that is inside the cluster is not known here; ` +
          "name the cluster's pod, service and node ranges in kubernetes.ranges of the platform document",
      )
    }
    const [path, reason] = [`/spec/network/${direction}`, `nothing of ${JSON.stringify(shut.cidr)} may be opened`]
    const fix =
      'pod, service, node, link-local, carrier and metadata addresses stay shut; name addresses outside of them'
    return new RingfenceError('InvalidDocument', `${path}: ${reason}; ${fix}`, { problems: [{ path, reason, fix }] })
  }
  return undefined
}

function problem(tenant: Tenant, context: LayerContext): RingfenceError | undefined {
  if (context.backends.kubernetes === undefined) {
    return notConfigured('no Kubernetes is configured; name a context, or render manifests with --kubernetes render')
  }
  if (tenant.spec.network.egress.gateway !== undefined) {
    return notConfigured(
      'no backend for a fixed outgoing address (network.egress.gateway) is configured; remove it from the document',
    )
  }
  if (tenant.spec.network.allowKubernetesAPI && (context.facts.kubernetes?.apiServer.length ?? 0) === 0) {
    return notConfigured(
      'network.allowKubernetesAPI needs the addresses of the API server, and none were observed here; remove it, or apply to a live cluster',
    )
  }
  return fqdnProblem(tenant, context) ?? shutRange(tenant, context)
}

const claims = (tenant: Tenant): readonly Claim[] => [
  {
    id: 'network.contained',
    tenant: tenant.name,
    statement: `No pod of ${tenant.name} can reach a pod of others, or an address that stays shut.`,
  },
  {
    id: 'network.fenced',
    tenant: tenant.name,
    statement: `No pod of others and no address outside can reach a pod of ${tenant.name} uninvited.`,
  },
]

export const networkLayer: Layer = {
  name: 'network',
  wanted: () => true,
  problem,
  platform: () => [],
  desired: (tenant, context) => [...networkPolicies(tenant, context), ...fqdnPolicy(tenant, context)],
  claims,
}
