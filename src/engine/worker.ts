/**
 * Takes due keys from the queue, runs a pass on each under its lease, and writes where the tenant stands. Several
 * workers, in one process or in many, share one queue; a key that fails waits by itself and delays nobody.
 */
import { randomUUID } from 'node:crypto'
import { type RingfenceError, toRingfenceError } from '../model/errors.ts'
import type { StoreConnection } from '../store/connection.ts'
import { claim, fence, type Lease, release } from '../store/leases.ts'
import type { Ledger } from '../store/ledger.ts'
import { platformStanding, setPlatformStands } from '../store/operations.ts'
import { findTenantByUid, tenantOf } from '../store/tenants.ts'
import { isChange } from '../planner/step.ts'
import { conclude, concludeGone, concludeWaiting, troublesOf } from './conclude.ts'
import type { Execution } from './execute.ts'
import { createLeaseKeeper, type HeldLease, type LeaseKeeper } from './held-lease.ts'
import { runPass } from './pass.ts'
import type { Products } from './products.ts'
import type { ProofRunner } from './proof-runner.ts'
import { nextPassMs, type Trouble } from './retry.ts'

export const platformKey = 'platform'
/** A trigger with this reason is answered by a pass that observes past the caches. */
export const freshReason = 'fresh'

export interface WorkerOptions {
  readonly store: StoreConnection
  readonly ledger: Ledger
  readonly products: Products
  readonly proofs: ProofRunner
  readonly holder: string
  readonly concurrency: number
  readonly log: (level: 'info' | 'warn' | 'error', message: string, facts?: Record<string, unknown>) => void
  readonly random?: () => number
  readonly newId?: () => string
  readonly checkpoint?: Execution['checkpoint']
}

export interface Worker {
  /** Looks at the queue now; called on notifications and by the timer. */
  wake(): void
  /** Takes no more keys, lets running passes end within `graceMs`, then aborts them. */
  stop(graceMs: number): Promise<void>
}

interface Context extends WorkerOptions {
  readonly keeper: LeaseKeeper
}

const pollMs = 1_000

/** Runs one pass on each lease that it is given. */
export interface PassRunner {
  run(lease: Lease): Promise<void>
  readonly keeper: LeaseKeeper
}

export function createPassRunner(options: WorkerOptions): PassRunner {
  const keeper = createLeaseKeeper(options.store, (error) =>
    options.log('warn', `leases could not be renewed: ${toRingfenceError(error).message}`),
  )
  const context: Context = { ...options, keeper }
  return { keeper, run: (lease) => runKey(context, lease) }
}

export function startWorker(options: WorkerOptions): Worker {
  const passes = createPassRunner(options)
  const running = new Set<Promise<void>>()
  let stopping = false
  let looking = false
  let again = false
  const look = async () => {
    if (looking || stopping) {
      again = true
      return
    }
    looking = true
    try {
      do {
        again = false
        const free = options.concurrency - running.size
        if (free <= 0) break
        const leases = await claim(options.store, options.holder, free)
        for (const lease of leases) {
          const task = passes.run(lease).finally(() => {
            running.delete(task)
            void look()
          })
          running.add(task)
        }
        if (leases.length === free) again = true
      } while (again && !stopping && running.size < options.concurrency)
    } catch (error) {
      options.log('warn', `nothing is written while the store does not answer: ${toRingfenceError(error).message}`)
    } finally {
      looking = false
    }
  }
  const timer = setInterval(() => void look(), pollMs)
  void look()
  return {
    wake: () => void look(),
    async stop(graceMs) {
      stopping = true
      clearInterval(timer)
      const grace = new Promise((resolve) => setTimeout(resolve, graceMs).unref())
      await Promise.race([Promise.allSettled(running), grace])
      passes.keeper.abort()
      await Promise.allSettled(running)
      passes.keeper.stop()
    },
  }
}

async function runKey(context: Context, lease: Lease): Promise<void> {
  const held = context.keeper.hold(lease)
  try {
    if (lease.key === platformKey) await runPlatform(context, held)
    else await runTenant(context, held)
  } catch (error) {
    const fault = toRingfenceError(error)
    context.log(
      fault.code === 'LeaseLost' || fault.code === 'StaleFence' ? 'info' : 'error',
      `the pass over ${lease.key} failed: ${fault.message}`,
      { code: fault.code },
    )
    await endPass(context, held, [fault]).catch(() => undefined)
  } finally {
    context.keeper.drop(lease)
  }
}

const passBasis = (context: Context, held: HeldLease) => ({
  held,
  ledger: context.ledger,
  products: context.products,
  requestId: `pass-${randomUUID()}`,
  newId: context.newId ?? randomUUID,
  verdictsOn: (tenant: string) => context.proofs.verdictsOn(tenant),
  ...(context.checkpoint === undefined ? {} : { checkpoint: context.checkpoint }),
})

async function runPlatform(context: Context, held: HeldLease): Promise<void> {
  const result = await runPass({
    ...passBasis(context, held),
    subject: 'platform',
    fresh: held.lease.reasons.includes(freshReason),
    mustProve: false,
  })
  // A layer whose product is still on its way has nothing of the platform's yet, and nothing of any tenant's either.
  const troubles = troublesOf({ ...result, problems: new Map() })
  // What was just written takes a moment to bite (an admission rule about half a second): only a pass that found
  // nothing to do lets tenants be built.
  const changed = result.plan?.steps.some(isChange) === true
  const stands = troubles.length === 0 && !changed
  const because = troubles[0]?.message ?? null
  const before = await context.store.run((db) => platformStanding(db))
  if (stands !== before.stands || because !== before.because) {
    await context.store.transact(async (tx) => {
      await fence(tx, held.lease)
      await setPlatformStands(tx, stands, because)
    })
  }
  for (const trouble of troubles) context.log('warn', `platform objects: ${trouble.message}`, { code: trouble.code })
  if (!before.stands && stands && context.products.pending.size === 0)
    context.log('info', 'the platform’s own objects are in place')
  if (changed && troubles.length === 0)
    await release(context.store, held.lease, { runAfterMs: platformSettlesMs, failed: false })
  else await endPass(context, held, troubles)
}

const platformSettlesMs = 1_000

async function runTenant(context: Context, held: HeldLease): Promise<void> {
  const { store } = context
  const row = await store.run((db) => findTenantByUid(db, held.lease.key))
  if (row === undefined) {
    await release(store, held.lease, { runAfterMs: 0, failed: false, forget: true })
    return
  }
  // Tenants stand on roles and admission rules; until these are in place, nothing of a tenant is touched.
  const platform = await store.run((db) => platformStanding(db))
  if (!platform.stands) {
    await concludeWaiting(context, held, row, platform.because)
    return
  }
  const verified = row.conditions.some((condition) => condition.type === 'Verified' && condition.status === 'True')
  const mustProve = !verified || held.lease.reasons.length > 0 || row.observedGeneration !== row.generation
  const fresh = held.lease.attempts > 0 || held.lease.reasons.includes(freshReason)
  const result = await runPass({
    ...passBasis(context, held),
    subject: { row, tenant: tenantOf(row) },
    fresh,
    mustProve,
  })
  if (result.gone) await concludeGone(context, held, row, result)
  else await conclude(context, held, row, result)
}

async function endPass(
  context: Context,
  held: HeldLease,
  troubles: readonly (RingfenceError | Trouble)[],
): Promise<void> {
  const list = troubles.map((trouble) => ({
    code: trouble.code,
    ...('facts' in trouble && trouble.facts.retryAfterMs !== undefined
      ? { retryAfterMs: trouble.facts.retryAfterMs }
      : {}),
  }))
  const runAfterMs = nextPassMs(list, held.lease.attempts, (context.random ?? Math.random)())
  await release(context.store, held.lease, { runAfterMs, failed: list.length > 0, unanswered: list.length > 0 })
}
