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

export async function* streamEvents(
  store: StoreConnection,
  notifications: Notifications,
  query: { readonly tenant?: string; readonly after?: number },
  signal: AbortSignal,
): AsyncIterable<StoredEvent> {
  let after = query.after ?? 0
  while (!signal.aborted) {
    const rows = await store.run((db) => {
      let select = db.selectFrom('ringfence.events').selectAll().where('sequence', '>', after)
      if (query.tenant !== undefined) select = select.where('tenant', '=', query.tenant)
      return select.orderBy('sequence').limit(pageSize).execute()
    })
    for (const row of rows) {
      after = row.sequence
      yield row
      if (signal.aborted) return
    }
    if (rows.length < pageSize) await notifications.next('ringfence_events', 2_000, signal)
  }
}
