/** Tenants and platforms for tests, and their manifests in an order in which they can be applied. */
import type { JsonObject } from '../../src/model/json.ts'
import type { LayerContext } from '../../src/model/layer.ts'
import { platformDocument } from '../../src/model/platform.ts'
import { resolveOutputs, type Resource } from '../../src/model/resource.ts'
import { tenantDocument, type Tenant, type TenantInput } from '../../src/model/tenant.ts'

export function contextOf(spec: JsonObject = {}): LayerContext {
  const document = platformDocument.parse({
    apiVersion: 'ringfence.dev/v1alpha1',
    kind: 'Platform',
    metadata: { name: 'test' },
    spec,
  })
  const kubernetes = {
    medium: 'live',
    ranges: ['10.96.0.0/16', '10.244.0.0/16'],
    apiServer: [{ address: '10.0.0.1', port: 6443 }],
    resolvers: [],
  } as const
  return { platform: document.spec, facts: { kubernetes }, backends: { kubernetes: 'kubernetes' } }
}

export function tenantOf(input: TenantInput): Tenant {
  const { metadata, spec } = tenantDocument.parse(input)
  const { name, labels } = metadata
  return {
    name,
    uid: `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').padStart(12, '0').slice(-12)}`,
    generation: 1,
    spec,
    labels,
    names: {
      namespace: spec.compute.namespace.name ?? `ringfence-${name}`,
      database: `${name}_db`,
      databaseOwner: `${name}_owner`,
      databaseLogin: `${name}_user`,
      networkPolicy: 'ringfence-isolation',
    },
  }
}

/** Sorts resources so that each comes after those that it needs. */
function inOrder(resources: readonly Resource[]): readonly Resource[] {
  const done: Resource[] = []
  let rest = [...resources]
  const known = new Set(resources.map((resource) => resource.address))
  while (rest.length > 0) {
    const next = rest.filter((one) =>
      one.needs.every((need) => !known.has(need) || done.some((other) => other.address === need)),
    )
    if (next.length === 0) throw new Error(`needs go round: ${rest.map((one) => one.address).join(', ')}`)
    done.push(...next)
    rest = rest.filter((one) => !next.includes(one))
  }
  return done
}

/** What is applied for resources; outputs of the database layer are made up. */
export const manifestsOf = (resources: readonly Resource[]): readonly JsonObject[] =>
  inOrder(resources)
    .filter((resource) => resource.kind !== 'kubernetes/Workloads')
    .flatMap((resource) => {
      const resolved = resolveOutputs(resource.spec, () => ({
        addresses: [{ ipBlock: { cidr: '10.9.8.7/32' } }],
        port: 5432,
      }))
      return 'spec' in resolved ? [resolved.spec] : []
    })
