/** Two switches that all replicas share: whether work is handed out, and whether the platform's own objects stand. */
import { sql } from 'kysely'
import type { Database, StoreTransaction } from './connection.ts'

/** Stops the hand-out of keys on every replica; passes that run come to their end. Repeating it keeps the first. */
export const pause = (tx: StoreTransaction, actor: string) =>
  sql`insert into ringfence.pause (actor) values (${actor}) on conflict do nothing`.execute(tx)

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

export interface PlatformStanding {
  /** Whether roles, admission rules and server fences are in place; false until a pass over them said so. */
  readonly stands: boolean
  /** What is in the way, where a pass found something. */
  readonly because: string | null
}

export async function platformStanding(db: Database): Promise<PlatformStanding> {
  const { rows } = await sql<PlatformStanding>`select stands, because from ringfence.platform`.execute(db)
  return rows[0] ?? { stands: false, because: null }
}

export const setPlatformStands = (db: Database | StoreTransaction, stands: boolean, because: string | null = null) =>
  sql`insert into ringfence.platform (stands, because) values (${stands}, ${because})
    on conflict (single) do update set stands = excluded.stands, because = excluded.because`.execute(db)
