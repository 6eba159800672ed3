/** The NetworkPolicies of a tenant: everything shut both ways, and beside it what is opened. */
import type { JsonObject } from '../../model/json.ts'
import type { LayerContext } from '../../model/layer.ts'
import type { Resource } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { addresses, kubernetesResource, tenantLabels, withinNamespace } from '../manifest.ts'
import { backendOpenings, isolationOpenings, ruleOpenings, type Opening } from './openings.ts'

type Key = 'default-deny' | 'isolation' | 'rules' | 'backends'

/** Policies add up, so each names both directions and what it does not open stays an explicit empty list. */
function policy(tenant: Tenant, context: LayerContext, key: Key, openings: readonly Opening[]): Resource {
  const known = addresses(tenant.name)
  const base = tenant.names.networkPolicy
  const rules = (direction: Opening['direction'], peers: 'from' | 'to'): readonly JsonObject[] =>
    openings
      .filter((opening) => opening.direction === direction)
      .map(({ rule }) => ({ [peers]: rule.peers, ...(rule.ports === undefined ? {} : { ports: rule.ports }) }))
  return kubernetesResource(
    tenant,
    context,
    {
      layer: 'network',
      kind: 'network-policy',
      key,
      needs: key === 'default-deny' ? [known.namespace] : [known.namespace, known.defaultDeny],
      ...withinNamespace(tenant),
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: {
        name: key === 'isolation' ? base : `${base}-${key}`,
        namespace: tenant.names.namespace,
        labels: tenantLabels(tenant),
        annotations: {},
      },
      spec: {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: rules('ingress', 'from'),
        egress: rules('egress', 'to'),
      },
    },
  )
}

/** The policy of the backends is one of its own, so that an endpoint that is not known yet delays nothing else. */
export function networkPolicies(tenant: Tenant, context: LayerContext): readonly Resource[] {
  const [rules, backends] = [ruleOpenings(tenant, context), backendOpenings(tenant)]
  return [
    policy(tenant, context, 'default-deny', []),
    policy(tenant, context, 'isolation', isolationOpenings(tenant, context)),
    ...(rules.length > 0 ? [policy(tenant, context, 'rules', rules)] : []),
    ...(backends.length > 0 ? [policy(tenant, context, 'backends', backends)] : []),
  ]
}
