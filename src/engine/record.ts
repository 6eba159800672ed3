/** The words of the audit log and of progress for what a pass does. Names and paths only, never values. Pure. */
import type { AuditFact, Classification } from '../audit/entry.ts'
import type { RingfenceError } from '../model/errors.ts'
import { layerOf } from '../model/resource.ts'
import type { Step } from '../planner/step.ts'
import type { EventFact } from '../store/ledger.ts'

export const engineActor = 'system:engine'

interface Context {
  readonly owner: string
  readonly ownerName: string
  readonly requestId: string
}

const classificationOf = (step: Step): Classification =>
  step.verb === 'delete' || step.verb === 'replace' ? 'confidential' : 'internal'

const factOf = (context: Context, step: Step, phase: 'intent' | 'outcome', journal: string) => ({
  chain: context.owner,
  actor: engineActor,
  action: `resource.${step.verb}.${phase}`,
  object: step.address,
  classification: classificationOf(step),
  requestId: context.requestId,
  details: {
    journal,
    kind: step.resource.kind,
    name: step.resource.externalName,
    why: step.why,
    paths: step.drift.map((difference) => difference.path),
    ...(step.rotations.length === 0
      ? {}
      : { credential: step.rotations.map((rotation) => `${rotation.slot} v${rotation.version}`) }),
  },
})

export const intentFact = (context: Context, step: Step, journal: string): AuditFact => ({
  ...factOf(context, step, 'intent', journal),
  decision: 'intended',
  severity: step.why === 'drift' || step.why === 'lost' ? 'warning' : 'info',
})

export function outcomeFact(
  context: Context,
  step: Step,
  journal: string,
  error: RingfenceError | undefined,
): AuditFact {
  const fact = factOf(context, step, 'outcome', journal)
  return error === undefined
    ? { ...fact, decision: 'done', severity: 'info' }
    : { ...fact, decision: 'failed', severity: 'error', details: { ...fact.details, code: error.code } }
}

const past: { readonly [verb in Step['verb']]: string } = {
  create: 'created',
  update: 'updated',
  replace: 'replaced',
  delete: 'deleted',
  adopt: 'adopted',
  release: 'released',
  none: 'kept',
}

export const progressOf = (context: Context, step: Step, error: RingfenceError | undefined): EventFact => ({
  tenant: context.ownerName,
  type: 'step',
  reason: error === undefined ? past[step.verb].replace(/^./, (letter) => letter.toUpperCase()) : error.code,
  message:
    error === undefined
      ? `${step.resource.kind} ${step.resource.externalName} ${past[step.verb]}${step.why === 'drift' || step.why === 'lost' ? ' (repaired)' : ''}`
      : `${step.resource.kind} ${step.resource.externalName}: ${error.message}`,
  layer: layerOf(step.address),
  address: step.address,
})
