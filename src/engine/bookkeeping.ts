/**
 * What a moment of an execution writes: outcomes of what finished and intents of what begins, with inventory, audit
 * entries, progress, and what is known of credentials. Pure but for the credential map, which follows the pass.
 */
import type { AuditFact } from '../audit/entry.ts'
import type { Material, Owned } from '../model/driver.ts'
import { type ErrorCode, RingfenceError } from '../model/errors.ts'
import { type Address, layerOf } from '../model/resource.ts'
import type { CredentialRow } from '../planner/credentials.ts'
import type { InventoryRow, Step } from '../planner/step.ts'
import type { EventFact, Intent, LedgerEntry } from '../store/ledger.ts'
import { intentFact, outcomeFact, progressOf } from './record.ts'

/** Whose execution it is. */
export interface Author {
  readonly owner: string
  readonly ownerName: string
  readonly requestId: string
}

export interface Running {
  readonly step: Step
  readonly intent: Intent
  readonly material: { readonly [slot: string]: Material }
}
export interface Finished extends Running {
  readonly owned?: Owned
  readonly gone?: boolean
  readonly error?: RingfenceError
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

export function ledgerEntry(
  done: readonly Finished[],
  jobs: readonly Running[],
  credentials: Map<string, CredentialRow>,
  run: Author,
): LedgerEntry {
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
      .map((job) => ({
        id: job.intent.id,
        outcome: job.error === undefined ? ('done' as const) : ('failed' as const),
      })),
    remember,
    forget,
    forgetCredentials: forget,
    credentials: [...touched]
      .flatMap((key) => credentials.get(key) ?? [])
      .filter((row) => !forget.includes(row.source)),
    audit,
    events,
  }
}

const driftEvent = (run: Author, step: Step): EventFact => ({
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
