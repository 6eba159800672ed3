/**
 * A lease as the engine holds it: renewed while work goes on, with a signal that aborts every call when it is lost.
 * A call starts only if the lease, as we know it, outlasts the call's deadline (DESIGN §4, invariant 1).
 */
import { RingfenceError } from '../model/errors.ts'
import type { StoreConnection } from '../store/connection.ts'
import { type Lease, leaseTtlMs, renew } from '../store/leases.ts'

export const callTimeoutMs = 8_000
const renewEveryMs = 2_000

export interface HeldLease {
  readonly lease: Lease
  /** Aborted when the lease is lost or the worker stops. */
  readonly signal: AbortSignal
  /** Signal and deadline of one call; throws `LeaseLost` when the lease would not outlast it. */
  callWindow(): { readonly signal: AbortSignal; readonly deadlineMs: number }
}

/** Renews all leases of one worker together; `stop` ends the renewals, the leases run out by themselves. */
export interface LeaseKeeper {
  hold(lease: Lease): HeldLease
  drop(lease: Lease): void
  /** Aborts all work; used when the process stops. */
  abort(): void
  stop(): void
}

interface Entry {
  readonly lease: Lease
  readonly controller: AbortController
  untilMs: number
}

export function createLeaseKeeper(store: StoreConnection, onError: (error: unknown) => void): LeaseKeeper {
  const entries = new Map<string, Entry>()
  const lose = (entry: Entry, why: string) => {
    entries.delete(entry.lease.key)
    entry.controller.abort(new RingfenceError('LeaseLost', `the lease on ${entry.lease.key} was lost: ${why}`))
  }
  const tick = async () => {
    const held = [...entries.values()]
    if (held.length === 0) return
    try {
      const answer = await renew(
        store,
        held.map((entry) => entry.lease),
      )
      for (const entry of held) {
        if (answer.held.has(entry.lease.key)) entry.untilMs = answer.untilMs
        else if (entries.get(entry.lease.key) === entry) lose(entry, 'it went to another replica')
      }
    } catch (error) {
      onError(error)
    }
    for (const entry of entries.values())
      if (entry.untilMs <= Date.now()) lose(entry, 'it could not be renewed in time')
  }
  const timer = setInterval(() => void tick(), renewEveryMs)
  timer.unref()
  return {
    hold(lease) {
      const entry: Entry = {
        lease,
        controller: new AbortController(),
        untilMs: lease.untilMs ?? Date.now() + leaseTtlMs - 500,
      }
      entries.set(lease.key, entry)
      return {
        lease,
        signal: entry.controller.signal,
        callWindow() {
          const deadlineMs = Date.now() + callTimeoutMs
          if (entry.controller.signal.aborted) throw entry.controller.signal.reason
          if (deadlineMs > entry.untilMs) {
            throw new RingfenceError(
              'LeaseLost',
              `the lease on ${lease.key} ends before a call could; it is left to the next pass`,
            )
          }
          return { signal: AbortSignal.any([entry.controller.signal, AbortSignal.timeout(callTimeoutMs)]), deadlineMs }
        },
      }
    },
    drop: (lease) => void entries.delete(lease.key),
    abort() {
      for (const entry of Array.from(entries.values())) lose(entry, 'the process is stopping')
    },
    stop: () => clearInterval(timer),
  }
}
