/**
 * Finds namespaces whose tenant label says something else than the registry does. The registry decides who owns what;
 * a label that disagrees would let every selector on it be wrong.
 */
import type { TenantBoundary } from '../../model/world.ts'
import { shellQuote } from '../logic.ts'
import { namespaceNode, podsNode, type Told } from './counterexample.ts'
import type { Namespaces } from './namespaces.ts'

export interface Contradiction {
  readonly tenant: string
  readonly told: Told
}

export function nameContradictions(
  tenants: readonly TenantBoundary[],
  namespaces: Namespaces,
  label: string,
): readonly Contradiction[] {
  const known = new Set(tenants.map((tenant) => tenant.name))
  const found: Contradiction[] = []
  const claimed = new Map<string, string>()
  for (const tenant of tenants) {
    for (const name of tenant.namespaces) {
      const other = claimed.get(name)
      claimed.set(name, tenant.name)
      if (other === undefined || other === tenant.name) continue
      for (const one of [other, tenant.name])
        found.push(
          contradiction(one, name, name, `namespace ${name} belongs to both ${other} and ${tenant.name}`, label),
        )
    }
  }
  for (const namespace of namespaces.all) {
    const says = Object.hasOwn(namespace.labels, label) ? namespace.labels[label] : undefined
    if (says === undefined || says === namespace.owner) continue
    const by = `namespace ${namespace.name} is labelled ${label}=${says}, but the registry says it belongs to ${namespace.owner ?? 'no tenant'}`
    for (const tenant of [namespace.owner, says]) {
      if (tenant !== undefined && known.has(tenant))
        found.push(contradiction(tenant, namespace.name, namespace.name, by, label))
    }
  }
  return found
}

function contradiction(tenant: string, from: string, to: string, by: string, label: string): Contradiction {
  return {
    tenant,
    told: {
      subject: `namespace ${from}`,
      object: `tenant ${tenant}`,
      edge: {
        from: namespaceNode(from),
        to: podsNode(to),
        rule: 'network.namespace-label',
        by,
        command: `kubectl get namespace ${shellQuote(from)} -L ${shellQuote(label)}`,
      },
    },
  }
}
