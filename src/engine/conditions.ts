/** From what a pass found to the tenant's phase and conditions. Pure. */
import type { RingfenceError } from '../model/errors.ts'
import { layerOf } from '../model/resource.ts'
import type { Condition, Phase } from '../model/status.ts'
import type { Verdict } from '../model/verdict.ts'
import type { Block } from '../planner/step.ts'
import type { StepResult } from './execute.ts'

export interface Findings {
  /** Layers that the tenant has. */
  readonly layers: readonly string[]
  /** Layers that cannot be served. */
  readonly problems: ReadonlyMap<string, RingfenceError>
  readonly blocked: readonly Block[]
  readonly results: readonly StepResult[]
  /** Undefined when the pass did not come to a proof. */
  readonly verdicts: readonly Verdict[] | undefined
  readonly rendered: boolean
  readonly removing: boolean
  /** A fault of the pass itself. */
  readonly fault?: RingfenceError
}

export interface Standing {
  readonly phase: Phase
  readonly conditions: readonly Condition[]
}

type Draft = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>

/** `retryAt` is when the engine looks again, for conditions that say that something is wrong. */
export function standing(before: Standing, found: Findings, now: string, retryAt: string): Standing {
  const layers = layersOf(found).map((layer) => layerCondition(layer, found))
  const verified = verifiedCondition(found, before)
  const broken = brokenCondition(found.verdicts, before)
  const conflicts = found.blocked.filter((block) => block.code === 'NameConflict')
  const conflict: Draft =
    conflicts.length === 0
      ? { type: 'NameConflict', status: 'False', reason: 'NoConflict', message: 'no name is held by somebody else' }
      : {
          type: 'NameConflict',
          status: 'True',
          reason: 'Foreign',
          message: conflicts.map((block) => block.message).join('; '),
        }
  const parts = [...layers, verified]
  const allTrue =
    parts.every((condition) => condition.status === 'True') && broken.status === 'False' && found.fault === undefined
  const phase = phaseOf(allTrue, before.phase, found, parts)
  const ready = readyCondition(phase, found, [...parts, broken])
  const drafts = [ready, verified, broken, conflict, ...layers]
  return { phase, conditions: drafts.map((draft) => timed(draft, before.conditions, now, retryAt)) }
}

/** Layers that the tenant has, and those that it has no more while something of theirs will not go. */
function layersOf(found: Findings): readonly string[] {
  const stuck = found.results.filter((result) => result.outcome !== 'done').map((result) => result.step.address)
  return [...new Set([...found.layers, ...[...found.blocked.map((block) => block.address), ...stuck].map(layerOf)])]
}

function layerCondition(layer: string, found: Findings): Draft {
  const type = layer.replace(/^./, (letter) => letter.toUpperCase())
  const problem = found.problems.get(layer)
  if (problem !== undefined) return { type, status: 'False', reason: problem.code, message: problem.message }
  const failed = found.results.find((result) => layerOf(result.step.address) === layer && result.outcome !== 'done')
  const cause =
    found.results.find((result) => layerOf(result.step.address) === layer && result.error !== undefined) ?? failed
  if (cause !== undefined) {
    const message =
      cause.error?.message ??
      `${cause.step.resource.kind} ${cause.step.resource.externalName} waits for what it stands on`
    return { type, status: 'False', reason: cause.error?.code ?? 'Waiting', message }
  }
  const blocks = found.blocked.filter((block) => layerOf(block.address) === layer)
  const block = blocks.find((one) => one.code !== 'Waiting') ?? blocks[0]
  if (block !== undefined) return { type, status: 'False', reason: block.code, message: block.message }
  if (found.fault !== undefined)
    return { type, status: 'Unknown', reason: found.fault.code, message: found.fault.message }
  return {
    type,
    status: 'True',
    reason: found.rendered && layer !== 'database' ? 'Rendered' : 'InPlace',
    message: 'everything is as it should be',
  }
}

function verifiedCondition(found: Findings, before: Standing): Draft {
  const type = 'Verified'
  const { verdicts } = found
  if (verdicts === undefined) {
    const previous = before.conditions.find((condition) => condition.type === type)
    const unchanged = found.results.every((result) => result.step.verb === 'none') && found.fault === undefined
    return previous !== undefined && unchanged
      ? previous
      : { type, status: 'Unknown', reason: 'NotProved', message: 'isolation was not proved since the last change' }
  }
  const refuted = verdicts.filter((verdict) => verdict.verdict === 'refuted')
  if (refuted.length > 0) {
    const claims = refuted.map((verdict) => verdict.claim).join(', ')
    return { type, status: 'False', reason: 'Refuted', message: `refuted: ${claims}; ringfence prove shows the way in` }
  }
  const undecided = verdicts.filter((verdict) => verdict.verdict === 'undecided')
  if (undecided.length > 0 || verdicts.length === 0) {
    const because = undecided.flatMap((verdict) => verdict.because)[0] ?? 'no claim was judged'
    return {
      type,
      status: 'Unknown',
      reason: 'Undecided',
      message: `${undecided.map((verdict) => verdict.claim).join(', ')}: ${because}`,
    }
  }
  return { type, status: 'True', reason: 'Proved', message: `all ${verdicts.length} claims are proved` }
}

function brokenCondition(verdicts: readonly Verdict[] | undefined, before: Standing): Draft {
  const type = 'IsolationBroken'
  if (verdicts === undefined) {
    return (
      before.conditions.find((condition) => condition.type === type) ?? {
        type,
        status: 'Unknown',
        reason: 'NotProved',
        message: 'not judged yet',
      }
    )
  }
  const first = verdicts.find((verdict) => verdict.verdict === 'refuted')
  if (first === undefined) return { type, status: 'False', reason: 'NotRefuted', message: 'no way in is known' }
  const { subject, object, path } = first.counterexample
  return {
    type,
    status: 'True',
    reason: 'WayIn',
    message: `${subject} can reach ${object} by ${path.map((edge) => edge.by).join(', ')}`,
  }
}

function phaseOf(allTrue: boolean, before: Phase, found: Findings, parts: readonly Draft[]): Phase {
  if (found.removing) return 'TearingDown'
  if (allTrue) return found.rendered ? 'Rendered' : 'Ready'
  // What waits cannot be proved yet: while it is being built, that is no failure.
  const unproved = parts.some((part) => part.reason === 'Waiting')
    ? ['Waiting', 'NotProved', 'Undecided']
    : ['Waiting', 'NotProved']
  const waiting = parts.every((part) => part.status === 'True' || unproved.includes(part.reason))
  return waiting && before !== 'Ready' && before !== 'Degraded' && before !== 'Rendered' ? 'Provisioning' : 'Degraded'
}

function readyCondition(phase: Phase, found: Findings, parts: readonly Draft[]): Draft {
  const type = 'Ready'
  if (phase === 'Ready') return { type, status: 'True', reason: 'Ready', message: 'provisioned and proved isolated' }
  if (phase === 'Rendered')
    return {
      type,
      status: 'False',
      reason: 'Rendered',
      message: 'manifests are written and proved; somebody else applies them',
    }
  if (phase === 'TearingDown') return { type, status: 'False', reason: 'TearingDown', message: 'is being removed' }
  if (found.fault !== undefined)
    return { type, status: 'False', reason: found.fault.code, message: found.fault.message }
  const worst =
    parts.find((part) => part.status !== 'True' && part.type !== 'IsolationBroken') ??
    parts.find((part) => part.status !== 'False')
  return {
    type,
    status: 'False',
    reason: worst?.reason ?? 'Provisioning',
    message: worst === undefined ? 'under way' : `${worst.type}: ${worst.message}`,
  }
}

function timed(draft: Draft, before: readonly Condition[], now: string, retryAt: string): Condition {
  const previous = before.find((condition) => condition.type === draft.type)
  const wrong = draft.status !== 'True' && draft.type !== 'NameConflict' && draft.type !== 'IsolationBroken'
  return {
    type: draft.type,
    status: draft.status,
    reason: draft.reason,
    message: draft.message.slice(0, 1_000),
    lastTransitionTime: previous?.status === draft.status ? previous.lastTransitionTime : now,
    ...(wrong ? { nextRetryTime: retryAt } : {}),
  }
}
