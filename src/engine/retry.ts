/** When a key is looked at again: by error code, with jitter, never sooner than a backend asked. Pure. */
import { type ErrorCode, errorTraits } from '../model/errors.ts'

/** A full look at every tenant happens this often, drift or not. */
export const resyncMs = 10 * 60_000
const soonMs = 1_000
const maxBackoffMs = 5 * 60_000

export interface Trouble {
  readonly code: ErrorCode
  readonly retryAfterMs?: number
}

/**
 * Milliseconds until the next pass. Without trouble it is the resync; with several troubles the most hopeful decides.
 * `random` is in [0, 1).
 */
export function nextPassMs(troubles: readonly Trouble[], attempts: number, random: number): number {
  if (troubles.length === 0) return jitter(resyncMs, random)
  const waits = troubles.map((trouble) => {
    const retry = errorTraits[trouble.code].retry
    const base =
      retry === 'never'
        ? resyncMs
        : retry === 'soon'
          ? Math.min(soonMs * 2 ** Math.min(attempts, 4), 15_000)
          : Math.min(soonMs * 2 ** Math.min(attempts, 12), maxBackoffMs)
    return jitter(base, random)
  })
  return Math.max(Math.min(...waits), ...troubles.map((trouble) => trouble.retryAfterMs ?? 0))
}

const jitter = (ms: number, random: number): number => Math.round(ms * (0.8 + 0.4 * random))
