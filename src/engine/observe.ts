/**
 * Observes everything that a pass may touch, and closes what an earlier pass left open: an intent without outcome is
 * settled by looking, never by guessing. Reads only; what was recovered is written by the pass.
 */
import type { Driver, Observation } from '../model/driver.ts'
import { toRingfenceError } from '../model/errors.ts'
import type { Address, Outputs, Resource } from '../model/resource.ts'
import { resolveOutputs } from '../model/resource.ts'
import type { InventoryRow } from '../planner/step.ts'
import type { OpenIntent, OwnerState } from '../store/ledger.ts'
import type { HeldLease } from './held-lease.ts'

export interface Observed {
  readonly observed: ReadonlyMap<Address, Observation>
  /** Intents whose outcome is known by now. */
  readonly recovered: readonly OpenIntent[]
  /** Objects that a lost answer had made: they are ours from here on. */
  readonly found: readonly InventoryRow[]
}

export interface Observer {
  driverOf(resource: Resource): Driver
  window(): { readonly signal: AbortSignal; readonly deadlineMs: number }
}

export const observerOf = (held: HeldLease, driverOf: Observer['driverOf']): Observer => ({
  driverOf,
  window: () => held.callWindow(),
})

/** Observes all desired and remembered resources. Never throws for one of them: what fails is `unreadable`. */
export async function observeAll(
  desired: readonly Resource[],
  state: OwnerState,
  fresh: boolean,
  observer: Observer,
): Promise<Observed> {
  const resources = new Map<Address, Resource>()
  for (const row of state.inventory.values()) resources.set(row.address, row.resource)
  for (const intent of state.open) resources.set(intent.address, intent.resource)
  for (const resource of desired) resources.set(resource.address, resource)
  const remembered = (address: Address): Outputs | undefined => state.inventory.get(address)?.outputs
  const entries = await Promise.all(
    [...resources.values()].map(async (resource) => {
      const open = state.open.findLast((intent) => intent.address === resource.address && intent.verb === 'create')
      const observation = await observeOne(
        resource,
        state.inventory.get(resource.address),
        open,
        fresh || open !== undefined,
        remembered,
        observer,
      )
      return [resource.address, observation] as const
    }),
  )
  const observed = new Map(entries)
  const recovered = state.open.filter(
    (intent) => (observed.get(intent.address)?.status ?? 'unreadable') !== 'unreadable',
  )
  return { observed, recovered, found: recovered.flatMap((intent) => foundBy(intent, observed, state)) }
}

async function observeOne(
  resource: Resource,
  row: InventoryRow | undefined,
  open: OpenIntent | undefined,
  fresh: boolean,
  outputs: (address: Address) => Outputs | undefined,
  observer: Observer,
): Promise<Observation> {
  try {
    const resolved = resolveOutputs(resource.spec, outputs)
    const readable = 'spec' in resolved ? { ...resource, spec: resolved.spec } : resource
    return await observer.driverOf(resource).observe(readable, {
      ...observer.window(),
      key: open?.id ?? '',
      fresh,
      ...(row === undefined ? {} : { knownId: row.id }),
      ...(open === undefined ? {} : { openCreateKey: open.id }),
    })
  } catch (error) {
    const cause = toRingfenceError(error)
    if (cause.code === 'LeaseLost' || cause.code === 'StaleFence') throw cause
    return { status: 'unreadable', cause }
  }
}

function foundBy(
  intent: OpenIntent,
  observed: ReadonlyMap<Address, Observation>,
  state: OwnerState,
): readonly InventoryRow[] {
  const seen = observed.get(intent.address)
  if (intent.verb !== 'create' || seen?.status !== 'owned') return []
  if (state.inventory.get(intent.address)?.id === seen.id) return []
  return [{ address: intent.address, id: seen.id, resource: intent.resource, outputs: seen.outputs, adopted: false }]
}
