/**
 * Carries out a plan's steps: intent before the call, outcome after it, side by side wherever nothing orders them. It
 * decides nothing; a step whose ground failed is not started. Outcomes and the intents of what became ready are
 * written together, so that many steps cost few transactions.
 */
import type { AuditFact } from '../audit/entry.ts'
import type { Call, Driver, Material, Owned } from '../model/driver.ts'
import { type ErrorCode, RingfenceError, toRingfenceError } from '../model/errors.ts'
import { type Address, layerOf, type Outputs, type Resource, resolveOutputs } from '../model/resource.ts'
import type { CredentialRow } from '../planner/credentials.ts'
import { isChange, type InventoryRow, type Plan, type Step } from '../planner/plan.ts'
import type { EventFact, Intent, JournalVerb, Ledger, LedgerEntry } from '../store/ledger.ts'
import type { HeldLease } from './held-lease.ts'
import { makeMaterial } from './material.ts'
import { intentFact, outcomeFact, progressOf } from './record.ts'

export interface Execution {
  readonly held: HeldLease
  readonly ledger: Ledger
  /** Tenant uid or `platform`. */
  readonly owner: string
  readonly ownerName: string
  readonly requestId: string
  readonly credentials: readonly CredentialRow[]
  outputsOf(address: Address): Outputs | undefined
  driverOf(resource: Resource): Driver
  newId(): string
  /** Called at every boundary of the journal; tests stop the world there. */
  checkpoint?(boundary: Boundary, step: Step): void
}

/** The moments at which a kill leaves a different trace. */
export type Boundary = 'before-intent' | 'after-intent' | 'after-call' | 'after-outcome'
export const boundaries: readonly Boundary[] = ['before-intent', 'after-intent', 'after-call', 'after-outcome']

export interface StepResult {
  readonly step: Step
  readonly outcome: 'done' | 'failed' | 'not started' | 'unknown'
  readonly error?: RingfenceError
}

interface Running {
  readonly step: Step
  readonly intent: Intent
  readonly material: { readonly [slot: string]: Material }
}
interface Finished extends Running {
  readonly owned?: Owned
  readonly gone?: boolean
  readonly error?: RingfenceError
}

export async function execute(plan: Plan, run: Execution): Promise<readonly StepResult[]> {
  const changes = plan.steps.filter(isChange)
  const results = new Map<Address, StepResult>()
  const outputs = new Map<Address, Outputs>()
  const materials = new Map<string, Material>()
  const credentials = new Map(run.credentials.map((row) => [`${row.source}#${row.slot}`, row]))
  const waiting = new Set(changes)
  const finished: Finished[] = []
  const running = new Set<Promise<void>>()
  let crash: { readonly error: unknown } | undefined
  const outputsOf = (address: Address) => outputs.get(address) ?? run.outputsOf(address)

  const start = (job: Running) => {
    const task = call(job, run, outputsOf)
      .then((done) => {
        run.checkpoint?.('after-call', job.step)
        finished.push(done)
      })
      .catch((error: unknown) => {
        crash = { error }
      })
      .finally(() => running.delete(task))
    running.add(task)
  }

  for (;;) {
    if (crash !== undefined) throw crash.error
    const done = finished.splice(0)
    for (const job of done) settleStep(job, results, outputs)
    const ready = takeReady(waiting, results)
    if (done.length > 0 || ready.length > 0) {
      const jobs = ready.map((step) => prepare(step, run, materials))
      for (const { step } of jobs) run.checkpoint?.('before-intent', step)
      await run.ledger.write(run.held.lease, run.owner, ledgerEntry(done, jobs, credentials, run))
      for (const { step } of done) run.checkpoint?.('after-outcome', step)
      for (const job of jobs) {
        run.checkpoint?.('after-intent', job.step)
        start(job)
      }
      continue
    }
    if (running.size === 0) break
    await Promise.race(running)
  }
  return plan.steps.map((step) => results.get(step.address) ?? { step, outcome: isChange(step) ? 'not started' : 'done' })
}

/** Steps whose ground is done; what stands on a failure is never started. */
function takeReady(waiting: Set<Step>, results: Map<Address, StepResult>): readonly Step[] {
  const ready: Step[] = []
  for (const step of waiting) {
    const before = step.after.map((address) => results.get(address)?.outcome)
    if (before.some((outcome) => outcome !== undefined && outcome !== 'done')) {
      waiting.delete(step)
      results.set(step.address, { step, outcome: 'not started' })
    } else if (before.every((outcome) => outcome === 'done')) {
      waiting.delete(step)
      ready.push(step)
    }
  }
  return ready
}

function settleStep(job: Finished, results: Map<Address, StepResult>, outputs: Map<Address, Outputs>): void {
  const { step, owned, error } = job
  if (owned?.ready === true) outputs.set(step.address, owned.outputs)
  if (error !== undefined) results.set(step.address, { step, outcome: error.code === 'Aborted' ? 'unknown' : 'failed', error })
  else if (step.verb === 'delete' && job.gone !== true) {
    const pending = new RingfenceError('Waiting', `${step.resource.kind} ${step.resource.externalName} is not gone yet`)
    results.set(step.address, { step, outcome: 'failed', error: pending })
  } else if (owned !== undefined && !owned.ready) {
    const pending = new RingfenceError('Waiting', `${step.resource.kind} ${step.resource.externalName} is not ready yet`, {
      ...(owned.retryAfterMs === undefined ? {} : { retryAfterMs: owned.retryAfterMs }),
    })
    results.set(step.address, { step, outcome: 'failed', error: pending })
  } else results.set(step.address, { step, outcome: 'done' })
}

function prepare(step: Step, run: Execution, materials: Map<string, Material>): Running {
  const material: { [slot: string]: Material } = {}
  for (const rotation of step.rotations) {
    const key = `${rotation.source}#${rotation.slot}`
    const made = materials.get(key) ?? makeMaterial()
    materials.set(key, made)
    material[rotation.name] = made
  }
  return { step, intent: { id: run.newId(), address: step.address, verb: journalVerb(step), resource: step.resource }, material }
}

const journalVerb = (step: Step): JournalVerb => {
  if (step.verb === 'none') throw new RingfenceError('Internal', `${step.address} has nothing to do`)
  // A replacement is journalled as the creation that it ends with: recovery looks for the new object's mark.
  return step.verb === 'replace' ? 'create' : step.verb
}

async function call(job: Running, run: Execution, outputsOf: (address: Address) => Outputs | undefined): Promise<Finished> {
  const { step } = job
  try {
    const resolved = resolveOutputs(step.resource.spec, outputsOf)
    if ('missing' in resolved) throw new RingfenceError('Waiting', `waits for ${resolved.missing.join(', ')}`)
    const resource: Resource = { ...step.resource, spec: resolved.spec }
    const window = () => ({ ...run.held.callWindow(), key: job.intent.id, material: job.material })
    return { ...job, ...(await act(run.driverOf(resource), resource, step, window)) }
  } catch (error) {
    return { ...job, error: toRingfenceError(error) }
  }
}

/** Answers that leave no doubt that nothing was done. After any other failure the intent stays open for recovery. */
const definite: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'AlreadyExists',
  'Conflict',
  'Forbidden',
  'Guarded',
  'NotConfigured',
  'NotFound',
  'PreconditionFailed',
  'RateLimited',
  'Rejected',
  'Unauthenticated',
  'Waiting',
])

type Window = () => Call

async function act(driver: Driver, resource: Resource, step: Step, window: Window): Promise<{ owned?: Owned; gone?: boolean }> {
  switch (step.verb) {
    case 'create':
      return { owned: await create(driver, resource, window) }
    case 'update':
      return { owned: await driver.update(resource, step.seen, step.drift, { ...window(), knownId: step.seen.id }) }
    case 'adopt': {
      if (driver.adopt === undefined) throw new RingfenceError('Rejected', `${resource.kind} cannot be adopted`)
      return { owned: await driver.adopt(resource, step.seen, window()) }
    }
    case 'release': {
      if (driver.release === undefined) throw new RingfenceError('Rejected', `${resource.kind} cannot be released`)
      await driver.release(resource, step.seen, { ...window(), knownId: step.seen.id })
      return { gone: true }
    }
    case 'delete':
      return { gone: await removeAndWatch(driver, resource, step.seen, window) }
    case 'replace': {
      const gone = await removeAndWatch(driver, resource, step.seen, window)
      if (!gone) throw new RingfenceError('Waiting', `${resource.kind} ${resource.externalName} is not gone yet`)
      return { owned: await create(driver, resource, window) }
    }
    case 'none':
      return {}
  }
}

/** A lost answer is looked up once by the mark that the create left; what stays unclear is for the next pass. */
async function create(driver: Driver, resource: Resource, window: Window): Promise<Owned> {
  const made = await driver.create(resource, window())
  if (made !== 'unknown') return made
  const call = window()
  const seen = await driver.observe(resource, { ...call, openCreateKey: call.key, fresh: true })
  if (seen.status === 'owned') return seen
  throw new RingfenceError('Aborted', `whether ${resource.kind} ${resource.externalName} was made is not known yet`)
}

/** Removal is done when absence was observed; quick objects are gone at the first or second look. */
async function removeAndWatch(driver: Driver, resource: Resource, seen: Owned, window: Window): Promise<boolean> {
  await driver.remove(resource, seen, { ...window(), knownId: seen.id })
  for (const pauseMs of [0, 50, 150, 400, 1_000]) {
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
    const after = await driver.observe(resource, { ...window(), knownId: seen.id, fresh: true })
    if (after.status === 'absent' || after.status === 'foreign') return true
    if (after.status === 'unreadable') throw after.cause
  }
  return false
}

function ledgerEntry(done: readonly Finished[], jobs: readonly Running[], credentials: Map<string, CredentialRow>, run: Execution): LedgerEntry {
  const audit: AuditFact[] = []
  const events: EventFact[] = []
  const remember: InventoryRow[] = []
  const forget: Address[] = []
  const touched = new Set<string>()
  for (const job of done) {
    const { step, owned } = job
    if (owned !== undefined) {
      remember.push({
        address: step.address,
        id: owned.id,
        resource: step.resource,
        outputs: owned.outputs,
        adopted: step.verb === 'adopt' || (step.resource.adopt === true && step.verb !== 'create'),
      })
      for (const key of learnVerifiers(job, owned, credentials)) touched.add(key)
    }
    if (job.gone === true && step.verb !== 'replace') forget.push(step.address)
    audit.push(outcomeFact(run, job.step, job.intent.id, job.error))
    events.push(progressOf(run, job.step, job.error))
  }
  for (const job of jobs) {
    audit.push(intentFact(run, job.step, job.intent.id))
    if (job.step.why === 'drift' || job.step.why === 'lost') events.push(driftEvent(run, job.step))
    for (const key of beginRotation(job, credentials)) touched.add(key)
  }
  return {
    intents: jobs.map((job) => job.intent),
    outcomes: done
      .filter((job) => job.error === undefined || definite.has(job.error.code))
      .map((job) => ({ id: job.intent.id, outcome: job.error === undefined ? ('done' as const) : ('failed' as const) })),
    remember,
    forget,
    forgetCredentials: forget,
    credentials: [...touched].flatMap((key) => credentials.get(key) ?? []).filter((row) => !forget.includes(row.source)),
    audit,
    events,
  }
}

const driftEvent = (run: Execution, step: Step): EventFact => ({
  tenant: run.ownerName,
  type: 'drift',
  reason: step.why === 'lost' ? 'Lost' : 'Drift',
  message: `${step.resource.kind} ${step.resource.externalName} ${step.why === 'lost' ? 'is gone' : `differs at ${step.drift.map((one) => one.path).join(', ')}`}`,
  layer: layerOf(step.address),
  address: step.address,
})

/** From the intent on, until both ends confirm, the credential is in doubt. */
function beginRotation(job: Running, credentials: Map<string, CredentialRow>): readonly string[] {
  return job.step.rotations
    .filter((rotation) => rotation.role === 'source')
    .map((rotation) => {
      const key = `${rotation.source}#${rotation.slot}`
      const material = job.material[rotation.name]
      if (material === undefined) throw new RingfenceError('Internal', `no material for ${key}`)
      credentials.set(key, {
        source: rotation.source,
        slot: rotation.slot,
        version: rotation.version,
        state: 'pending',
        sourceFingerprint: material.sourceFingerprint,
        verifiers: {},
      })
      return key
    })
}

function learnVerifiers(job: Finished, owned: Owned, credentials: Map<string, CredentialRow>): readonly string[] {
  return job.step.rotations
    .filter((rotation) => rotation.role === 'verifier')
    .flatMap((rotation) => {
      const key = `${rotation.source}#${rotation.slot}`
      const row = credentials.get(key)
      if (row === undefined) return []
      const verifiers = { ...row.verifiers, [job.step.address]: owned.credentials?.[rotation.name] ?? null }
      credentials.set(key, { ...row, verifiers, state: 'settled' })
      return [key]
    })
}
