/**
 * What the store forgets, so that it does not grow for ever: settled journal entries, remembered answers and progress
 * events. Never the audit log, never an intent whose outcome is open.
 */
import { sql } from 'kysely'
import type { StoreConnection } from './connection.ts'

export const retention = { journal: '7 days', answers: '24 hours', events: '30 days' } as const

/** Removes what is older than `retention`; answers how many rows went. Any replica may do it, also several at once. */
export function forgetOld(store: StoreConnection): Promise<number> {
  return store.run(async (db) => {
    const statements = [
      sql`delete from ringfence.journal where outcome is not null and finished_at < now() - ${retention.journal}::interval`,
      sql`delete from ringfence.idempotency where created_at < now() - ${retention.answers}::interval`,
      sql`delete from ringfence.events where time < now() - ${retention.events}::interval`,
    ]
    let gone = 0
    for (const statement of statements) gone += Number((await statement.execute(db)).numAffectedRows ?? 0)
    return gone
  })
}
