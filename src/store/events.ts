/** Progress events as a stream: what was written, then what comes, woken by notifications and by a slow poll. */
import type { StoreConnection } from './connection.ts'
import type { Notifications } from './notifications.ts'

export interface StoredEvent {
  readonly sequence: number
  readonly time: Date
  readonly tenant: string
  readonly type: string
  readonly reason: string
  readonly message: string
  readonly layer: string | null
  readonly address: string | null
}

const pageSize = 500
/** A transaction of ours is over after this time, so a number that is still missing then will never come. */
const gapMs = 20_000

/**
 * Numbers are given before transactions commit, so a smaller one may appear after a greater one. Numbers that were
 * jumped over lately are looked for again: an event may come late, and is never missed. A longer jump than `pageSize`
 * is no gap: what lies before it was forgotten, or never was.
 */
export async function* streamEvents(
  store: StoreConnection,
  notifications: Notifications,
  query: { readonly tenant?: string; readonly after?: number },
  signal: AbortSignal,
): AsyncIterable<StoredEvent> {
  let after = query.after ?? 0
  const gaps = new Map<number, number>()
  while (!signal.aborted) {
    const rows = await store.run((db) =>
      db
        .selectFrom('ringfence.events')
        .selectAll()
        .where((eb) =>
          eb.or([eb('sequence', '>', after), eb('sequence', 'in', gaps.size === 0 ? [-1] : [...gaps.keys()])]),
        )
        .orderBy('sequence')
        .limit(pageSize)
        .execute(),
    )
    const now = Date.now()
    for (const row of rows) {
      gaps.delete(row.sequence)
      const recent = now - row.time.getTime() < gapMs
      for (let missed = Math.max(after + 1, row.sequence - pageSize); recent && missed < row.sequence; missed++)
        gaps.set(missed, now)
      after = Math.max(after, row.sequence)
      if (query.tenant === undefined || row.tenant === query.tenant) yield row
      if (signal.aborted) return
    }
    for (const [missed, since] of gaps) if (now - since > gapMs) gaps.delete(missed)
    if (rows.length < pageSize) await notifications.next('ringfence_events', 2_000, signal)
  }
}
