/**
 * Refused requests on their way into the audit log: counted by reason and written once per window, so that a flood
 * of refusals is one entry and not a flood of writes. Reasons are a closed list; nothing of the request is kept.
 */
import type { ControlPlane } from '../engine/control-plane.ts'

export type DenialReason = 'missing-token' | 'wrong-token' | 'foreign-host' | 'foreign-origin'

export interface Denials {
  count(reason: DenialReason, requestId: string): void
  /** Writes what is counted now; what could not be written stays counted for the next window. */
  flush(): Promise<void>
}

/** The first refusal of a quiet time opens a window of `windowMs`; at its end all of the window is written. */
export function denials(
  controlPlane: Pick<ControlPlane, 'auditDenials'>,
  windowMs: number,
  onError: (error: unknown) => void,
): Denials {
  const counted = new Map<DenialReason, { count: number; requestId: string }>()
  let timer: NodeJS.Timeout | undefined

  const flush = async (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const due = [...counted]
    counted.clear()
    for (const [reason, { count, requestId }] of due) {
      try {
        await controlPlane.auditDenials(count, reason, requestId)
      } catch (error) {
        onError(error)
        add(reason, count, requestId)
      }
    }
  }
  const add = (reason: DenialReason, count: number, requestId: string): void => {
    const seen = counted.get(reason)
    counted.set(reason, { count: (seen?.count ?? 0) + count, requestId: seen?.requestId ?? requestId })
    timer ??= setTimeout(() => void flush(), windowMs).unref()
  }
  return { count: (reason, requestId) => add(reason, 1, requestId), flush }
}
