/**
 * Takes due keys from the queue, runs a pass on each under its lease, and writes where the tenant stands. Several
 * workers, in one process or in many, share one queue; a key that fails waits by itself and delays nobody.
 */
import { randomUUID } from 'node:crypto'
import { type RingfenceError, toRingfenceError } from '../model/errors.ts'
import type { StoreConnection } from '../store/connection.ts'
import { claim, fence, type Lease, release } from '../store/leases.ts'
import { appendEvents, type EventFact, type Ledger } from '../store/ledger.ts'
import { appendAudit } from '../store/audit-log.ts'
import { platformStands, setPlatformStands } from '../store/operations.ts'
import { findTenantByUid, markGone, type NameClaim, tenantOf, type TenantRow, writeStatus } from '../store/tenants.ts'
import { isChange } from '../planner/plan.ts'
import { standing } from './conditions.ts'
import type { Execution } from './execute.ts'
import { createLeaseKeeper, type HeldLease, type LeaseKeeper } from './held-lease.ts'
import { type PassResult, runPass } from './pass.ts'
import type { Products } from './products.ts'
import type { ProofRunner } from './proof-runner.ts'
import { engineActor } from './record.ts'
import { nextPassMs, type Trouble } from './retry.ts'

export const platformKey = 'platform'

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
  const keeper = createLeaseKeeper(options.store, (error) => options.log('warn', `leases could not be renewed: ${toRingfenceError(error).message}`))
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
    context.log(fault.code === 'LeaseLost' || fault.code === 'StaleFence' ? 'info' : 'error', `the pass over ${lease.key} failed: ${fault.message}`, { code: fault.code })
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
  if (context.products.context.backends.kubernetes === undefined && context.products.pending.size > 0) {
    await release(context.store, held.lease, { runAfterMs: 1_000, failed: false })
    return
  }
  const result = await runPass({ ...passBasis(context, held), subject: 'platform', fresh: false, mustProve: false })
  const troubles = troublesOf(result)
  // What was just written takes a moment to bite (an admission rule about half a second): only a pass that found
  // nothing to do lets tenants be built.
  const changed = result.plan?.steps.some(isChange) === true
  const stands = troubles.length === 0 && !changed
  const stood = await context.store.run((db) => platformStands(db))
  if (stands !== stood) {
    await context.store.transact(async (tx) => {
      await fence(tx, held.lease)
      await setPlatformStands(tx, stands)
    })
  }
  for (const trouble of troubles) context.log('warn', `platform objects: ${trouble.message}`, { code: trouble.code })
  if (!stood && stands) context.log('info', 'the platform’s own objects are in place')
  if (changed && troubles.length === 0) await release(context.store, held.lease, { runAfterMs: platformSettlesMs, failed: false })
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
  if (context.products.pending.size === 0 && !(await store.run((db) => platformStands(db)))) {
    await release(store, held.lease, { runAfterMs: 300, failed: false })
    return
  }
  const verified = row.conditions.some((condition) => condition.type === 'Verified' && condition.status === 'True')
  const mustProve = !verified || held.lease.reasons.length > 0 || row.observedGeneration !== row.generation
  const fresh = held.lease.attempts > 0 || held.lease.reasons.includes('fresh')
  const result = await runPass({ ...passBasis(context, held), subject: { row, tenant: tenantOf(row) }, fresh, mustProve })
  if (result.gone) await concludeGone(context, held, row, result)
  else await conclude(context, held, row, result)
}

async function conclude(context: Context, held: HeldLease, row: TenantRow, result: PassResult): Promise<void> {
  const troubles = troublesOf(result)
  const refuted = result.verdicts?.some((verdict) => verdict.verdict !== 'proved') === true
  const waitMs = nextPassMs(refuted ? [...troubles, { code: 'Waiting' }] : troubles, held.lease.attempts, (context.random ?? Math.random)())
  const now = new Date()
  const removing = row.deletingAt !== null
  const after = standing(
    { phase: row.phase, conditions: row.conditions },
    {
      layers: result.layers,
      problems: result.problems,
      blocked: result.plan?.blocked ?? [],
      results: result.results,
      verdicts: result.verdicts,
      rendered: context.products.context.facts.kubernetes?.medium === 'manifests',
      removing,
      ...(result.fault === undefined ? {} : { fault: result.fault }),
    },
    now.toISOString(),
    new Date(now.getTime() + waitMs).toISOString(),
  )
  const events = eventsOf(row, after, result)
  const observedGeneration = result.fault === undefined ? row.generation : row.observedGeneration
  const same =
    after.phase === row.phase && observedGeneration === row.observedGeneration && result.verdicts === undefined && sameConditions(row, after.conditions)
  if (!same || events.length > 0) {
    await context.store.transact(async (tx) => {
      await fence(tx, held.lease)
      await writeStatus(tx, row.uid, {
        phase: after.phase,
        observedGeneration,
        conditions: after.conditions,
        ...(result.verdicts === undefined ? {} : { proof: proofOf(result.verdicts, now) }),
      })
      await appendEvents(tx, events)
      if (result.verdicts !== undefined) {
        await appendAudit(tx, [
          {
            chain: row.uid,
            actor: engineActor,
            action: 'proof',
            object: `tenant/${row.name}`,
            decision: 'found',
            severity: refuted ? 'warning' : 'info',
            classification: 'internal',
            requestId: `generation-${row.generation}`,
            details: proofOf(result.verdicts, now),
          },
        ])
      }
    })
  }
  const allDone = removing && troubles.length === 0
  await release(context.store, held.lease, { runAfterMs: allDone ? 0 : waitMs, failed: troubles.some((trouble) => trouble.code !== 'Waiting') })
}

/** The end: names are freed, but for those of what was retained. */
async function concludeGone(context: Context, held: HeldLease, row: TenantRow, result: PassResult): Promise<void> {
  const retained = result.plan?.retained ?? []
  const kept: readonly NameClaim[] = retained.map((one) => ({ space: one.resource.kind, name: one.resource.externalName }))
  await context.store.transact(async (tx) => {
    await fence(tx, held.lease)
    await markGone(tx, row.uid, kept)
    await appendEvents(tx, [
      {
        tenant: row.name,
        type: 'phase',
        reason: 'Gone',
        message: retained.length === 0 ? 'nothing is left' : `kept by retain: ${retained.map((one) => `${one.resource.kind} ${one.resource.externalName}`).join(', ')}`,
      },
    ])
    await appendAudit(tx, [
      {
        chain: row.uid,
        actor: engineActor,
        action: 'tenant.gone',
        object: `tenant/${row.name}`,
        decision: 'done',
        severity: 'warning',
        classification: 'confidential',
        requestId: `generation-${row.generation}`,
        details: { retained: retained.map((one) => `${one.resource.kind} ${one.resource.externalName}`) },
      },
    ])
  })
  await release(context.store, held.lease, { runAfterMs: 0, failed: false, forget: true })
}

async function endPass(context: Context, held: HeldLease, troubles: readonly (RingfenceError | Trouble)[]): Promise<void> {
  const list = troubles.map((trouble) => ({ code: trouble.code, ...('facts' in trouble && trouble.facts.retryAfterMs !== undefined ? { retryAfterMs: trouble.facts.retryAfterMs } : {}) }))
  const runAfterMs = nextPassMs(list, held.lease.attempts, (context.random ?? Math.random)())
  await release(context.store, held.lease, { runAfterMs, failed: list.length > 0 })
}

/** What went wrong in a pass, for the retry and the log. */
function troublesOf(result: PassResult): readonly (Trouble & { readonly message: string })[] {
  const errors = [
    ...(result.fault === undefined ? [] : [result.fault]),
    ...result.problems.values(),
    ...result.results.flatMap((one) => (one.error === undefined ? [] : [one.error])),
  ]
  return [
    ...errors.map((error) => ({
      code: error.code,
      message: error.message,
      ...(error.facts.retryAfterMs === undefined ? {} : { retryAfterMs: error.facts.retryAfterMs }),
    })),
    ...(result.plan?.blocked ?? []).map((block) => ({ code: block.code, message: `${block.address}: ${block.message}` })),
  ]
}

function eventsOf(row: TenantRow, after: { readonly phase: string; readonly conditions: TenantRow['conditions'] }, result: PassResult): readonly EventFact[] {
  const events: EventFact[] = []
  const common = { tenant: row.name }
  if (result.verdicts !== undefined) {
    const counts = proofOf(result.verdicts, new Date())
    const refuted = result.verdicts.filter((verdict) => verdict.verdict === 'refuted').map((verdict) => verdict.claim)
    events.push({
      ...common,
      type: 'proof',
      reason: refuted.length > 0 ? 'Refuted' : counts.undecided > 0 ? 'Undecided' : 'Proved',
      message: refuted.length > 0 ? `refuted: ${refuted.join(', ')}` : `${counts.proved} proved, ${counts.undecided} undecided`,
    })
  }
  for (const condition of after.conditions) {
    const before = row.conditions.find((one) => one.type === condition.type)
    if (before?.status === condition.status && before.reason === condition.reason) continue
    events.push({ ...common, type: 'condition', reason: `${condition.type}${condition.reason}`, message: `${condition.type} is ${condition.status}: ${condition.message}` })
  }
  if (after.phase !== row.phase) events.push({ ...common, type: 'phase', reason: after.phase, message: `${row.name} is ${after.phase}` })
  return events
}

const proofOf = (verdicts: NonNullable<PassResult['verdicts']>, at: Date) => {
  const count = (kind: string) => verdicts.filter((verdict) => verdict.verdict === kind).length
  return { at: at.toISOString(), proved: count('proved'), refuted: count('refuted'), undecided: count('undecided') }
}

const sameConditions = (row: TenantRow, conditions: TenantRow['conditions']): boolean => {
  const bare = (list: TenantRow['conditions']) => JSON.stringify(list.map(({ type, status, reason, message }) => [type, status, reason, message]))
  return bare(row.conditions) === bare(conditions)
}
