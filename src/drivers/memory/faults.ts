/** Faults on order: which call fails, before or after it took effect, or hangs, or is where the process dies. */
import type { Call, Driver } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { Resource } from '../../model/resource.ts'

export type Verb = Exclude<keyof Driver, 'fencing' | 'diff'>

export interface Moment {
  readonly verb: Verb
  readonly resource: Resource
  /** Before the effect, or after it and before the answer. */
  readonly when: 'before' | 'after'
}

export interface Fault {
  readonly verb?: Verb
  readonly kind?: string
  readonly externalName?: string
  readonly when: 'before' | 'after'
  /** How often; without end when absent. */
  readonly times?: number
  /** Thrown; `hang` waits for the abort or the deadline instead; `lose` has a create answer `unknown`. */
  readonly what: RingfenceError | 'hang' | 'lose' | { readonly delayMs: number }
}

export interface Faults {
  add(fault: Fault): void
  clear(): void
  /** Called at every moment of every call; what it throws is passed on as it is: a simulated kill. */
  onMoment: ((moment: Moment) => void) | undefined
  /** Every call so far that began, for tests of order and of zero writes. */
  readonly calls: { readonly verb: Verb; readonly kind: string; readonly externalName: string; readonly key: string }[]
}

export interface FaultPoint extends Faults {
  pass(moment: Moment, call: Call): Promise<'go on' | 'answer lost'>
}

export function createFaults(): FaultPoint {
  let faults: { fault: Fault; left: number }[] = []
  const point: FaultPoint = {
    onMoment: undefined,
    calls: [],
    add: (fault) => void faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY }),
    clear: () => void (faults = []),
    async pass(moment, call) {
      const { verb, resource, when } = moment
      if (when === 'before')
        point.calls.push({ verb, kind: resource.kind, externalName: resource.externalName, key: call.key })
      refuseEnded(call, verb, resource, when)
      point.onMoment?.(moment)
      const armed = faults.find(({ fault, left }) => left > 0 && fits(fault, moment))
      if (!armed) return 'go on'
      armed.left -= 1
      const { what } = armed.fault
      if (what instanceof RingfenceError) throw what
      if (what === 'lose') return 'answer lost'
      await ended(call, what === 'hang' ? Number.POSITIVE_INFINITY : what.delayMs)
      refuseEnded(call, verb, resource, 'before')
      return 'go on'
    },
  }
  return point
}

const fits = (fault: Fault, { verb, resource, when }: Moment): boolean =>
  fault.when === when &&
  (fault.verb ?? verb) === verb &&
  (fault.kind ?? resource.kind) === resource.kind &&
  (fault.externalName ?? resource.externalName) === resource.externalName

function refuseEnded(call: Call, verb: Verb, resource: Resource, when: Moment['when']): void {
  if (when === 'after') return
  const what = `${verb} ${resource.kind} ${resource.externalName}`
  if (call.signal.aborted) throw new RingfenceError('Aborted', `${what}: given up by the caller`)
  if (call.deadlineMs <= Date.now()) throw new RingfenceError('Timeout', `${what}: no answer in time`)
}

/** Waits, but no longer than the call may. */
function ended(call: Call, waitMs: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer)
      call.signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, Math.max(0, Math.min(waitMs, call.deadlineMs - Date.now())))
    call.signal.addEventListener('abort', done, { once: true })
  })
}
