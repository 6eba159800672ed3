/**
 * Waits until a tenant is where it was asked to be. The tenant's state decides, read again and again; events only wake
 * the next look and are shown, so that a lost or late event can neither end the wait nor make it hang.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ProgressEvent, TenantView } from '../engine/control-plane.ts'
import { errorTraits, isRingfenceError, RingfenceError } from '../model/errors.ts'
import type { ErrorCode } from '../model/errors.ts'
import type { ApiClient } from './client.ts'
import { isGood } from './views/tenant.ts'

export interface WaitOptions {
  readonly name: string
  readonly until: 'ready' | 'gone'
  /** The generation that must have been taken up. */
  readonly generation: number
  readonly timeoutMs: number
  readonly pollMs?: number
  readonly signal: AbortSignal
  readonly onView: (view: TenantView) => void
  readonly onEvent: (event: ProgressEvent) => void
}

/** `undefined` when the tenant is gone. */
export type Reached = TenantView | undefined

const settled = ({ metadata, status }: TenantView, generation: number): boolean =>
  status.observedGeneration >= Math.max(generation, metadata.generation) &&
  (status.phase === 'Ready' || status.phase === 'Rendered')

/** A condition that only a person can change ends the wait early. */
function hopeless({ status: { conditions }, metadata, status }: TenantView): string | undefined {
  if (status.observedGeneration < metadata.generation) return undefined
  const stuck = conditions.find(({ status: is, reason, nextRetryTime }) => {
    const traits = Object.hasOwn(errorTraits, reason) ? errorTraits[reason as ErrorCode] : undefined
    return is === 'False' && nextRetryTime === undefined && traits?.retry === 'never'
  })
  return stuck === undefined ? undefined : `${stuck.type}: ${stuck.message} (${stuck.reason})`
}

const missingOf = (view: TenantView | undefined): string =>
  view === undefined
    ? 'its state could not be read'
    : [
        `phase ${view.status.phase}`,
        ...view.status.conditions.filter((one) => !isGood(one)).map(({ type, message }) => `${type}: ${message}`),
      ].join('; ')

async function pump(
  client: ApiClient,
  { name, onEvent }: WaitOptions,
  signal: AbortSignal,
  wake: () => void,
): Promise<void> {
  try {
    for await (const event of client.events({ tenant: name, after: 0 }, signal)) {
      onEvent(event)
      wake()
    }
  } catch {
    // The stream is for show and speed; the state is read regardless, and its errors are told there.
  }
}

/** Resolves when reached; `Timeout` with what is missing, `Rejected` when waiting cannot help, `Aborted` on Ctrl-C. */
export async function waitFor(client: ApiClient, options: WaitOptions): Promise<Reached> {
  const { name, until, generation, timeoutMs, pollMs = 1000, signal, onView } = options
  const ended = new AbortController()
  const deadline = performance.now() + timeoutMs
  let wake = Promise.withResolvers<void>()
  const pumping = pump(client, options, AbortSignal.any([ended.signal, signal]), () => wake.resolve())
  let view: TenantView | undefined
  try {
    while (!signal.aborted) {
      const seen = await look(client, name)
      if (until === 'gone' && (seen === 'absent' || seen.status.phase === 'Gone')) return undefined
      if (seen === 'absent') throw new RingfenceError('NotFound', `Tenant ${name} is not there any more.`)
      view = seen
      onView(view)
      if (until === 'ready' && settled(view, generation)) return view
      const stuck = until === 'ready' ? hopeless(view) : undefined
      if (stuck !== undefined)
        throw new RingfenceError('Rejected', `Tenant ${name} will not become ready by waiting. ${stuck}`)
      const leftMs = deadline - performance.now()
      if (leftMs <= 0)
        throw new RingfenceError(
          'Timeout',
          `Tenant ${name} is not ${until} after ${Math.round(timeoutMs / 1000)} s: ${missingOf(view)}`,
        )
      await nap(wake.promise, Math.min(pollMs, leftMs), signal)
      // Events come in bursts: one look serves them all.
      wake = Promise.withResolvers<void>()
    }
    throw new RingfenceError(
      'Aborted',
      `Stopped waiting; the work on tenant ${name} goes on. Look with: ringfence tenant describe ${name}`,
    )
  } finally {
    ended.abort()
    await pumping
  }
}

/** Sleeps until woken, and leaves no timer behind. */
async function nap(woken: Promise<void>, ms: number, signal: AbortSignal): Promise<void> {
  const over = new AbortController()
  const asleep = sleep(ms, undefined, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => undefined)
  await Promise.race([woken, asleep])
  over.abort()
}

async function look(client: ApiClient, name: string): Promise<TenantView | 'absent'> {
  try {
    return await client.get(name)
  } catch (error) {
    if (isRingfenceError(error) && error.code === 'NotFound') return 'absent'
    throw error
  }
}
