/** Whether the objects that fence stand as the layers state them, for the prover. Reads only. */
import { toRingfenceError } from '../model/errors.ts'
import { type Address, type BackendId, type Outputs, type Resource, resolveOutputs } from '../model/resource.ts'
import type { Tenant } from '../model/tenant.ts'
import type { FenceState, World } from '../model/world.ts'
import type { Plan } from '../planner/step.ts'
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

/** What the store remembers, and how to look. */
export interface FenceReading {
  outputsOf(owner: string, address: Address): Outputs | undefined
  idOf(owner: string, address: Address): BackendId | undefined
  readonly fresh: boolean
  readonly signal: AbortSignal
}

export async function readFences(
  products: Products,
  tenants: readonly Tenant[],
  reading: FenceReading,
): Promise<readonly FenceState[]> {
  const { context, layers } = products
  const platform = layers.flatMap((layer) => layer.platform(context)).filter(isFence)
  const jobs = platform.map((resource) => stateOf(products, resource, undefined, reading))
  for (const tenant of tenants) {
    if (tenant.deleting === true) continue
    for (const layer of layers.filter((one) => one.wanted(tenant, context))) {
      const problem = products.problem(layer, tenant)
      if (problem !== undefined) {
        const state: FenceState = {
          tenant: tenant.name,
          kind: 'layer',
          name: layer.name,
          status: 'unreadable',
          detail: problem.message,
        }
        jobs.push(Promise.resolve(state))
        continue
      }
      for (const resource of layer.desired(tenant, context).filter(isFence)) {
        jobs.push(stateOf(products, resource, tenant, reading))
      }
    }
  }
  return await Promise.all(jobs)
}

const isFence = (resource: Resource): boolean => fenceKinds.has(resource.kind)

async function stateOf(
  products: Products,
  resource: Resource,
  tenant: Tenant | undefined,
  reading: FenceReading,
): Promise<FenceState> {
  const { fresh, signal } = reading
  const owner = tenant?.uid ?? 'platform'
  const fence = {
    ...(tenant === undefined ? {} : { tenant: tenant.name }),
    kind: resource.kind,
    name: resource.externalName,
  }
  try {
    const resolved = resolveOutputs(resource.spec, (address) => reading.outputsOf(owner, address))
    if ('missing' in resolved)
      return { ...fence, status: 'missing', detail: `waits for ${resolved.missing.join(', ')}` }
    const stated = { ...resource, spec: resolved.spec }
    const driver = products.driverOf(resource)
    const knownId = reading.idOf(owner, resource.address)
    const call = {
      signal,
      deadlineMs: Date.now() + callMs,
      key: '',
      fresh,
      ...(knownId === undefined ? {} : { knownId }),
    }
    const seen = await driver.observe(stated, call)
    if (seen.status === 'unreadable') return { ...fence, status: 'unreadable', detail: seen.cause.message }
    if (seen.status === 'absent' || seen.status === 'deleting') return { ...fence, status: 'missing' }
    // Whose object it is does not matter here: what it says does.
    const drift = driver.diff(stated, seen.state)
    return drift.length === 0
      ? { ...fence, status: 'stands' }
      : { ...fence, status: 'differs', detail: drift.map((one) => one.path).join(', ') }
  } catch (error) {
    return { ...fence, status: 'unreadable', detail: toRingfenceError(error).message }
  }
}

/** The tenant's fences as a plan would leave them: a block leaves its fence unbuilt. */
export function plannedFences(world: World, plan: Plan, tenant: string): readonly FenceState[] {
  const others = (world.fences ?? []).filter((fence) => fence.tenant !== tenant)
  const steps = plan.steps.filter((step) => isFence(step.resource) && step.verb !== 'delete' && step.verb !== 'release')
  return [
    ...others,
    ...steps.map((step): FenceState => ({
      tenant,
      kind: step.resource.kind,
      name: step.resource.externalName,
      status: 'stands',
    })),
  ]
}
