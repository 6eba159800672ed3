/**
 * Carries out a plan's steps: intent before the call, outcome after it, side by side wherever nothing orders them. It
 * decides nothing; a step whose ground failed is not started. Outcomes and the intents of what became ready are
 * written together, so that many steps cost few transactions.
 */
import type { Call, Driver, Material, Owned } from '../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../model/errors.ts'
import { type Address, type Outputs, type Resource, resolveOutputs } from '../model/resource.ts'
import type { CredentialRow } from '../planner/credentials.ts'
import { isChange, type Plan, type Step } from '../planner/step.ts'
import type { JournalVerb, Ledger } from '../store/ledger.ts'
import type { HeldLease } from './held-lease.ts'
import { type Author, type Finished, ledgerEntry, type Running } from './bookkeeping.ts'
import { makeMaterial } from './material.ts'

export interface Execution extends Author {
  readonly held: HeldLease
  readonly ledger: Ledger
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
      .then((ended) => {
        run.checkpoint?.('after-call', job.step)
        finished.push(ended)
      })
      .catch((error: unknown) => {
        crash = { error }
      })
      .finally(() => running.delete(task))
    running.add(task)
  }

  const unwritten: Finished[] = []
  for (;;) {
    if (crash !== undefined) throw crash.error
    const ended = finished.splice(0)
    for (const job of ended) settleStep(job, results, outputs)
    unwritten.push(...ended)
    const ready = takeReady(waiting, results)
    // An outcome that lets nothing begin waits a moment for those of its neighbours.
    if (ended.length > 0 && ready.length === 0 && running.size > 0) {
      await firstOf(running, gatherMs)
      if (finished.length > 0) continue
    }
    if (unwritten.length > 0 || ready.length > 0) {
      const done = unwritten.splice(0)
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
  return plan.steps.map(
    (step) => results.get(step.address) ?? { step, outcome: isChange(step) ? 'not started' : 'done' },
  )
}

/** How long an outcome may wait for others before it is written. */
const gatherMs = 20

/** Until one of the tasks has ended, but no longer than this. */
async function firstOf(tasks: Iterable<Promise<void>>, atMostMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, atMostMs)))
  await Promise.race([...tasks, late])
  clearTimeout(timer)
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
  if (error !== undefined)
    results.set(step.address, { step, outcome: error.code === 'Aborted' ? 'unknown' : 'failed', error })
  else if (step.verb === 'delete' && job.gone !== true) {
    const pending = new RingfenceError('Waiting', `${step.resource.kind} ${step.resource.externalName} is not gone yet`)
    results.set(step.address, { step, outcome: 'failed', error: pending })
  } else if (owned !== undefined && !owned.ready) {
    const pending = new RingfenceError(
      'Waiting',
      `${step.resource.kind} ${step.resource.externalName} is not ready yet`,
      owned.retryAfterMs === undefined ? {} : { retryAfterMs: owned.retryAfterMs },
    )
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
  return {
    step,
    intent: { id: run.newId(), address: step.address, verb: journalVerb(step), resource: step.resource },
    material,
  }
}

const journalVerb = (step: Step): JournalVerb => {
  if (step.verb === 'none') throw new RingfenceError('Internal', `${step.address} has nothing to do`)
  // A replacement is journalled as the creation that it ends with: recovery looks for the new object's mark.
  return step.verb === 'replace' ? 'create' : step.verb
}

async function call(
  job: Running,
  run: Execution,
  outputsOf: (address: Address) => Outputs | undefined,
): Promise<Finished> {
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

type Window = () => Call

async function act(
  driver: Driver,
  resource: Resource,
  step: Step,
  window: Window,
): Promise<{ owned?: Owned; gone?: boolean }> {
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
