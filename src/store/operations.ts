/** Two switches that all replicas share: whether work is handed out, and whether the platform's own objects stand. */
import { sql } from 'kysely'
import type { Database, StoreTransaction } from './connection.ts'

/** Stops the hand-out of keys on every replica; passes that run come to their end. Repeating it keeps the first. */
export const pause = (tx: StoreTransaction, actor: string) => sql`insert into ringfence.pause (actor) values (${actor}) on conflict do nothing`.execute(tx)

/** Hands keys out again. */
export async function resume(tx: StoreTransaction): Promise<void> {
  await sql`delete from ringfence.pause`.execute(tx)
  await sql`select pg_notify('ringfence_work', '')`.execute(tx)
}

/** Since when, and by whom, nothing is handed out; undefined when work goes on. */
export async function pausedSince(db: Database): Promise<{ readonly since: Date; readonly actor: string } | undefined> {
  const { rows } = await sql<{ since: Date; actor: string }>`select since, actor from ringfence.pause`.execute(db)
  return rows[0]
}

/** Whether roles, admission rules and server fences are in place; false until a pass over them said so. */
export async function platformStands(db: Database): Promise<boolean> {
  const { rows } = await sql<{ stands: boolean }>`select stands from ringfence.platform`.execute(db)
  return rows[0]?.stands === true
}

export const setPlatformStands = (db: Database | StoreTransaction, stands: boolean) =>
  sql`insert into ringfence.platform (stands) values (${stands}) on conflict (single) do update set stands = excluded.stands`.execute(db)
