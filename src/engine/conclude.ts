/**
 * The one exit of a tenant's pass: where the tenant stands, what is told and recorded, and when it is looked at again;
 * or its end, when nothing of it is left.
 */
import type { AuditFact } from '../audit/entry.ts'
import { RingfenceError } from '../model/errors.ts'
import { appendAudit } from '../store/audit-log.ts'
import { fence, release } from '../store/leases.ts'
import { appendEvents, type EventFact } from '../store/ledger.ts'
import { markGone, type NameClaim, tenantOf, type TenantRow, writeStatus } from '../store/tenants.ts'
import { isChange } from '../planner/step.ts'
import { standing, type Standing } from './conditions.ts'
import type { HeldLease } from './held-lease.ts'
import type { PassResult } from './pass.ts'
import { engineActor } from './record.ts'
import { nextPassMs, type Trouble } from './retry.ts'
import type { WorkerOptions } from './worker.ts'

export async function conclude(
  context: WorkerOptions,
  held: HeldLease,
  row: TenantRow,
  result: PassResult,
): Promise<void> {
  const troubles = troublesOf(result)
  const refuted = result.verdicts?.some((verdict) => verdict.verdict !== 'proved') === true
  const waitMs = nextPassMs(
    refuted ? [...troubles, { code: 'Waiting' }] : troubles,
    held.lease.attempts,
    (context.random ?? Math.random)(),
  )
  const now = new Date()
  const removing = row.deletingAt !== null
  const after = standingAfter(context, row, result, now, waitMs)
  // What is not proved is looked at again and again; the same finding is told and recorded once.
  const repeated =
    refuted &&
    after.phase === row.phase &&
    sameConditions(row, after.conditions) &&
    !(result.plan?.steps.some(isChange) ?? false)
  const events = repeated ? [] : eventsOf(row, after, result)
  const observedGeneration = result.fault === undefined ? row.generation : row.observedGeneration
  const same =
    after.phase === row.phase &&
    observedGeneration === row.observedGeneration &&
    result.verdicts === undefined &&
    sameConditions(row, after.conditions)
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
      if (result.verdicts !== undefined && !repeated) {
        await appendAudit(tx, [proofFact(row, refuted, proofOf(result.verdicts, now))])
      }
    })
  }
  const allDone = removing && troubles.length === 0
  await release(context.store, held.lease, {
    runAfterMs: allDone ? 0 : waitMs,
    failed: refuted || troubles.some((trouble) => trouble.code !== 'Waiting'),
  })
}

function standingAfter(
  context: WorkerOptions,
  row: TenantRow,
  result: PassResult,
  now: Date,
  waitMs: number,
): Standing {
  const found = {
    layers: result.layers,
    problems: result.problems,
    blocked: result.plan?.blocked ?? [],
    results: result.results,
    verdicts: result.verdicts,
    rendered: context.products.context.facts.kubernetes?.medium === 'manifests',
    removing: row.deletingAt !== null,
    ...(result.fault === undefined ? {} : { fault: result.fault }),
  }
  const retryAt = new Date(now.getTime() + waitMs).toISOString()
  return standing({ phase: row.phase, conditions: row.conditions }, found, now.toISOString(), retryAt)
}

const proofFact = (row: TenantRow, refuted: boolean, details: AuditFact['details']): AuditFact => ({
  chain: row.uid,
  actor: engineActor,
  action: 'proof',
  object: `tenant/${row.name}`,
  decision: 'found',
  severity: refuted ? 'warning' : 'info',
  classification: 'internal',
  requestId: `generation-${row.generation}`,
  details,
})

/**
 * A tenant that waits for the platform's own objects. While these settle it only waits; where something is in their way
 * the tenant says what. What the pass was called for stays to be answered.
 */
export async function concludeWaiting(
  context: WorkerOptions,
  held: HeldLease,
  row: TenantRow,
  because: string | null,
): Promise<void> {
  if (because !== null) {
    const fault = new RingfenceError('Waiting', `waits for the platform’s own objects: ${because}`)
    const now = new Date()
    const layers = context.products.layers
      .filter((layer) => layer.wanted(tenantOf(row), context.products.context))
      .map((layer) => layer.name)
    const rendered = context.products.context.facts.kubernetes?.medium === 'manifests'
    const found = {
      layers,
      problems: new Map(),
      blocked: [],
      results: [],
      verdicts: undefined,
      rendered,
      removing: row.deletingAt !== null,
      fault,
    }
    const after = standing(
      { phase: row.phase, conditions: row.conditions },
      found,
      now.toISOString(),
      new Date(now.getTime() + platformBlockedMs).toISOString(),
    )
    if (after.phase !== row.phase || !sameConditions(row, after.conditions)) {
      await context.store.transact(async (tx) => {
        await fence(tx, held.lease)
        await writeStatus(tx, row.uid, {
          phase: after.phase,
          observedGeneration: row.observedGeneration,
          conditions: after.conditions,
        })
        await appendEvents(tx, [{ tenant: row.name, type: 'warning', reason: 'Waiting', message: fault.message }])
      })
    }
  }
  await release(context.store, held.lease, {
    runAfterMs: because === null ? platformSettlesMs : platformBlockedMs,
    failed: false,
    unanswered: true,
  })
}

const platformSettlesMs = 300
const platformBlockedMs = 10_000

/** The end: names are freed, but for those of what was retained. */
export async function concludeGone(
  context: WorkerOptions,
  held: HeldLease,
  row: TenantRow,
  result: PassResult,
): Promise<void> {
  const retained = result.plan?.retained ?? []
  const kept: readonly NameClaim[] = retained.map((one) => ({
    space: one.resource.kind,
    name: one.resource.externalName,
  }))
  await context.store.transact(async (tx) => {
    await fence(tx, held.lease)
    await markGone(tx, row.uid, kept)
    await appendEvents(tx, [
      {
        tenant: row.name,
        type: 'phase',
        reason: 'Gone',
        message:
          retained.length === 0
            ? 'nothing is left'
            : `kept by retain: ${retained.map((one) => `${one.resource.kind} ${one.resource.externalName}`).join(', ')}`,
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

/** What went wrong in a pass, for the retry and the log. */
export function troublesOf(result: PassResult): readonly (Trouble & { readonly message: string })[] {
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
    ...(result.plan?.blocked ?? []).map((block) => ({
      code: block.code,
      message: `${block.address}: ${block.message}`,
    })),
  ]
}

function eventsOf(
  row: TenantRow,
  after: { readonly phase: string; readonly conditions: TenantRow['conditions'] },
  result: PassResult,
): readonly EventFact[] {
  const events: EventFact[] = []
  const common = { tenant: row.name }
  if (result.verdicts !== undefined) {
    const counts = proofOf(result.verdicts, new Date())
    const refuted = result.verdicts.filter((verdict) => verdict.verdict === 'refuted').map((verdict) => verdict.claim)
    events.push({
      ...common,
      type: 'proof',
      reason: refuted.length > 0 ? 'Refuted' : counts.undecided > 0 ? 'Undecided' : 'Proved',
      message:
        refuted.length > 0
          ? `refuted: ${refuted.join(', ')}`
          : `${counts.proved} proved, ${counts.undecided} undecided`,
    })
  }
  for (const condition of after.conditions) {
    const before = row.conditions.find((one) => one.type === condition.type)
    if (before?.status === condition.status && before.reason === condition.reason) continue
    events.push({
      ...common,
      type: 'condition',
      reason: condition.reason,
      message: `${condition.type} is ${condition.status}: ${condition.message}`,
    })
  }
  if (after.phase !== row.phase)
    events.push({ ...common, type: 'phase', reason: after.phase, message: `${row.name} is ${after.phase}` })
  return events
}

const proofOf = (verdicts: NonNullable<PassResult['verdicts']>, at: Date) => {
  const count = (kind: string) => verdicts.filter((verdict) => verdict.verdict === kind).length
  return { at: at.toISOString(), proved: count('proved'), refuted: count('refuted'), undecided: count('undecided') }
}

const sameConditions = (row: TenantRow, conditions: TenantRow['conditions']): boolean => {
  const bare = (list: TenantRow['conditions']) =>
    JSON.stringify(list.map(({ type, status, reason, message }) => [type, status, reason, message]))
  return bare(row.conditions) === bare(conditions)
}
