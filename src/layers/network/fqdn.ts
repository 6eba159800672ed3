/**
 * Outgoing traffic by domain name, in the kinds of the two network plug-ins that can do it. Names that resolve to
 * addresses which stay shut are denied by address as well: whoever owns a name decides what it resolves to.
 */
import type { JsonObject } from '../../model/json.ts'
import type { LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { addresses, kubernetesResource, tenantLabels, withinNamespace } from '../manifest.ts'
import { metadataRanges, neverRanges, texts } from './forbidden.ts'
import { resolverRanges } from './openings.ts'
import { contains, overlaps, type AddressRange } from '../../model/ranges.ts'
import { isMapped, minimal, rangesOf } from './ranges.ts'

const fqdnPattern = /^(\*\.)?[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)+$/

/** Domain names in one spelling; those that are none are left out, and named by the layer's problem. */
export const fqdnsOf = (tenant: Tenant): readonly string[] =>
  [...new Set(tenant.spec.network.egress.fqdns.map((name) => name.toLowerCase()))]
    .filter((name) => fqdnPattern.test(name))
    .toSorted()

/** Which plug-in's kinds to write: what the cluster was seen to have, or, into a folder, what the document says. */
export function fqdnKind(context: LayerContext): 'cilium' | 'calico' | undefined {
  const { kubernetes } = context.facts
  if (kubernetes?.fqdn !== undefined) return kubernetes.fqdn
  const { cni } = context.platform.kubernetes
  return kubernetes?.medium === 'manifests' && cni !== 'auto' ? cni : undefined
}

/** Shut addresses, without the resolvers among them (a node-local cache answers on a link-local address). */
function denied(
  context: LayerContext,
): readonly { readonly range: AddressRange; readonly except: readonly AddressRange[] }[] {
  const resolvers = rangesOf(resolverRanges(context)).filter(
    (range) => !metadataRanges.some((shut) => overlaps(range, shut)),
  )
  return minimal(neverRanges)
    .filter((range) => !isMapped(range) && !resolvers.some((resolver) => contains(resolver, range)))
    .map((range) => ({ range, except: minimal(resolvers.filter((resolver) => contains(range, resolver))) }))
}

const name = (tenant: Tenant): string => `${tenant.names.networkPolicy}-fqdn`

/** Cilium learns a name's addresses from the answers that pass its DNS proxy, so the policy needs the DNS rule. */
function cilium(tenant: Tenant, context: LayerContext): JsonObject {
  const dnsPods = { 'k8s:io.kubernetes.pod.namespace': 'kube-system', 'k8s:k8s-app': 'kube-dns' }
  const dnsPorts = [
    { port: '53', protocol: 'UDP' },
    { port: '53', protocol: 'TCP' },
  ]
  return {
    endpointSelector: {},
    egress: [
      {
        toEndpoints: [{ matchLabels: dnsPods }],
        toPorts: [{ ports: dnsPorts, rules: { dns: [{ matchPattern: '*' }] } }],
      },
      {
        toFQDNs: fqdnsOf(tenant).map((fqdn) => (fqdn.startsWith('*.') ? { matchPattern: fqdn } : { matchName: fqdn })),
      },
    ],
    egressDeny: [
      {
        toCIDRSet: denied(context).map(({ range, except }) => ({
          cidr: texts([range])[0] as string,
          ...(except.length > 0 ? { except: texts(except) } : {}),
        })),
      },
    ],
  }
}

/** After the Kubernetes policies (order 1000), so that resolvers they allow stay open; real `domains`, no ranges. */
function calico(tenant: Tenant, context: LayerContext): JsonObject {
  return {
    tier: 'default',
    order: 2000,
    selector: 'all()',
    types: ['Egress'],
    egress: [
      { action: 'Deny', destination: { nets: denied(context).flatMap(({ range }) => texts([range])) } },
      { action: 'Allow', destination: { domains: fqdnsOf(tenant) } },
    ],
  }
}

export function fqdnPolicy(tenant: Tenant, context: LayerContext): readonly Resource[] {
  const kind = fqdnKind(context)
  if (kind === undefined || fqdnsOf(tenant).length === 0) return []
  const known = addresses(tenant.name)
  const place = {
    layer: 'network',
    kind: 'network-policy',
    key: 'fqdn',
    needs: [known.namespace, known.defaultDeny],
    ...withinNamespace(tenant),
  } as const
  const metadata = {
    name: name(tenant),
    namespace: tenant.names.namespace,
    labels: tenantLabels(tenant),
    annotations: {},
  }
  return [
    kind === 'cilium'
      ? kubernetesResource(tenant, context, place, {
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata,
          spec: cilium(tenant, context),
        })
      : kubernetesResource(
          tenant,
          context,
          { ...place, driver: 'CalicoNetworkPolicy' },
          { apiVersion: 'projectcalico.org/v3', kind: 'NetworkPolicy', metadata, spec: calico(tenant, context) },
        ),
  ]
}
