/** Whether the objects that fence stand as the layers state them, for the prover. Reads only. */
import { toRingfenceError } from '../model/errors.ts'
import { type Address, type Outputs, type Resource, resolveOutputs } from '../model/resource.ts'
import type { Tenant } from '../model/tenant.ts'
import type { FenceState, World } from '../model/world.ts'
import { type Plan } from '../planner/plan.ts'
import type { Products } from './products.ts'

/** Kinds that keep tenants apart. Accounts, bindings and data are judged by what they allow, not by their shape. */
const fenceKinds: ReadonlySet<string> = new Set([
  'kubernetes/Namespace',
  'kubernetes/NetworkPolicy',
  'kubernetes/CiliumNetworkPolicy',
  'kubernetes/CalicoNetworkPolicy',
  'kubernetes/ResourceQuota',
  'kubernetes/LimitRange',
  'kubernetes/ClusterRole',
  'kubernetes/ConfigMap',
  'kubernetes/ValidatingAdmissionPolicy',
  'kubernetes/ValidatingAdmissionPolicyBinding',
  'postgres/ServerFence',
])

const callMs = 8_000

export async function readFences(
  products: Products,
  tenants: readonly Tenant[],
  outputsOf: (tenant: Tenant, address: Address) => Outputs | undefined,
  fresh: boolean,
  signal: AbortSignal,
): Promise<readonly FenceState[]> {
  const { context, layers } = products
  const platform = layers.flatMap((layer) => layer.platform(context)).filter(isFence)
  const jobs = platform.map((resource) => stateOf(products, resource, undefined, () => undefined, fresh, signal))
  for (const tenant of tenants) {
    if (tenant.deleting === true) continue
    for (const layer of layers.filter((one) => one.wanted(tenant, context))) {
      const problem = products.problem(layer, tenant)
      if (problem !== undefined) {
        const state: FenceState = { tenant: tenant.name, kind: 'layer', name: layer.name, status: 'unreadable', detail: problem.message }
        jobs.push(Promise.resolve(state))
        continue
      }
      for (const resource of layer.desired(tenant, context).filter(isFence)) {
        jobs.push(stateOf(products, resource, tenant.name, (address) => outputsOf(tenant, address), fresh, signal))
      }
    }
  }
  return await Promise.all(jobs)
}

const isFence = (resource: Resource): boolean => fenceKinds.has(resource.kind)

async function stateOf(
  products: Products,
  resource: Resource,
  tenant: string | undefined,
  outputs: (address: Address) => Outputs | undefined,
  fresh: boolean,
  signal: AbortSignal,
): Promise<FenceState> {
  const fence = { ...(tenant === undefined ? {} : { tenant }), kind: resource.kind, name: resource.externalName }
  try {
    const resolved = resolveOutputs(resource.spec, outputs)
    if ('missing' in resolved) return { ...fence, status: 'missing', detail: `waits for ${resolved.missing.join(', ')}` }
    const stated = { ...resource, spec: resolved.spec }
    const driver = products.driverOf(resource)
    const seen = await driver.observe(stated, { signal, deadlineMs: Date.now() + callMs, key: '', fresh })
    if (seen.status === 'unreadable') return { ...fence, status: 'unreadable', detail: seen.cause.message }
    if (seen.status === 'absent' || seen.status === 'deleting') return { ...fence, status: 'missing' }
    // Whose object it is does not matter here: what it says does.
    const drift = driver.diff(stated, seen.state)
    return drift.length === 0 ? { ...fence, status: 'stands' } : { ...fence, status: 'differs', detail: drift.map((one) => one.path).join(', ') }
  } catch (error) {
    return { ...fence, status: 'unreadable', detail: toRingfenceError(error).message }
  }
}

/** The tenant's fences as a plan would leave them: a block leaves its fence unbuilt. */
export function plannedFences(world: World, plan: Plan, tenant: string): readonly FenceState[] {
  const others = (world.fences ?? []).filter((fence) => fence.tenant !== tenant)
  const steps = plan.steps.filter((step) => isFence(step.resource) && step.verb !== 'delete' && step.verb !== 'release')
  return [...others, ...steps.map((step): FenceState => ({ tenant, kind: step.resource.kind, name: step.resource.externalName, status: 'stands' }))]
}
