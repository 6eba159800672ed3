/**
 * The work queue and the lease on one key of it. A key is due while it is dirtier than what was seen and its time has
 * come; whoever claims it holds a lease with a fencing token, by the database's clock. Triggers during a pass make
 * the key due again, so no change is lost; a dead holder's keys come back when its lease ends.
 */
import { sql } from 'kysely'
import { RingfenceError } from '../model/errors.ts'
import type { Database, StoreConnection, StoreTransaction } from './connection.ts'

export interface Lease {
  readonly key: string
  readonly holder: string
  /** Grows with every change of hands; the store refuses writes under an older one. */
  readonly token: number
  /** The `dirty` counter that this pass answers for. */
  readonly dirty: number
  readonly attempts: number
  /** Why the key was triggered since the last pass that came to its end. */
  readonly reasons: readonly string[]
  /** Epoch milliseconds (ours) until which the lease surely is held: counted from before it was asked for. */
  readonly untilMs?: number
}

export const leaseTtlMs = 12_000

/** Marks a key dirty, due after `delayMs` at the latest, and wakes the workers when the transaction commits. */
export async function trigger(
  db: Database | StoreTransaction,
  keys: readonly string[],
  reason: string,
  delayMs = 0,
): Promise<void> {
  if (keys.length === 0) return
  await sql`
    insert into ringfence.work as work (key, run_after, reasons)
    select key, clock_timestamp() + ${delayMs} * interval '1 ms', array[${reason}::text] from unnest(${sql.val(keys)}::text[]) as key
    on conflict (key) do update set
      dirty = work.dirty + 1,
      run_after = least(work.run_after, excluded.run_after),
      reasons = case when work.reasons @> excluded.reasons then work.reasons else (work.reasons || excluded.reasons)[1:20] end`.execute(
    db,
  )
  await sql`select pg_notify('ringfence_work', '')`.execute(db)
}

/**
 * Claims up to `limit` due keys that nobody holds. Their reasons stay in the queue until the pass has ended: whoever
 * takes over from a holder that died must know of them.
 */
export function claim(store: StoreConnection, holder: string, limit: number): Promise<readonly Lease[]> {
  const untilMs = Date.now() + leaseTtlMs
  return store.transact(async (tx) => {
    const { rows } = await sql<Omit<Lease, 'holder' | 'token'>>`
      select work.key, work.dirty, work.attempts, work.reasons from ringfence.work as work
      where work.run_after <= clock_timestamp()
        and not exists (select 1 from ringfence.pause)
        and not exists (select 1 from ringfence.leases l where l.key = work.key and l.expires_at > clock_timestamp())
      order by work.run_after limit ${limit} for update of work skip locked`.execute(tx)
    if (rows.length === 0) return []
    const taken = await sql<{ key: string; token: number }>`
      insert into ringfence.leases as lease (key, holder, token, expires_at)
      select key, ${holder}::text, nextval('ringfence.fencing_tokens'), clock_timestamp() + ${leaseTtlMs} * interval '1 ms'
      from unnest(${sql.val(rows.map((row) => row.key))}::text[]) as key
      on conflict (key) do update set holder = excluded.holder, token = excluded.token, expires_at = excluded.expires_at
        where lease.expires_at <= clock_timestamp()
      returning key, token`.execute(tx)
    const tokens = new Map(taken.rows.map((row) => [row.key, row.token]))
    const leases = rows.flatMap((row): Lease[] => {
      const token = tokens.get(row.key)
      return token === undefined ? [] : [{ ...row, holder, token, untilMs }]
    })
    return leases
  })
}

/** Prolongs leases; answers the keys that are still held, and the epoch time in ms (ours) until which they surely are. */
export async function renew(
  store: StoreConnection,
  leases: readonly Lease[],
): Promise<{ held: ReadonlySet<string>; untilMs: number }> {
  const untilMs = Date.now() + leaseTtlMs
  if (leases.length === 0) return { held: new Set(), untilMs }
  const { rows } = await store.run((db) =>
    sql<{ key: string }>`
      update ringfence.leases set expires_at = clock_timestamp() + ${leaseTtlMs} * interval '1 ms'
      where (key, token) in (select * from unnest(${sql.val(leases.map((lease) => lease.key))}::text[], ${sql.val(leases.map((lease) => lease.token))}::bigint[]))
        and expires_at > clock_timestamp()
      returning key`.execute(db),
  )
  return { held: new Set(rows.map((row) => row.key)), untilMs }
}

/**
 * Holds the lease row for the rest of the transaction; a lease that ended or changed hands throws `StaleFence`.
 * Every write of a pass goes through this.
 */
export async function fence(tx: StoreTransaction, lease: Lease): Promise<void> {
  const { rows } = await sql`
    select 1 from ringfence.leases
    where key = ${lease.key} and token = ${lease.token} and expires_at > clock_timestamp() for share`.execute(tx)
  if (rows.length === 0) {
    throw new RingfenceError(
      'StaleFence',
      `the lease on ${lease.key} ended or went to another replica; nothing was written`,
      { token: lease.token },
    )
  }
}

/**
 * Ends a pass: due again after `runAfterMs`, at once when triggered meanwhile; never again when `forget` is set. The
 * reasons are answered for by the pass, unless it says that it did not get to them (`unanswered`).
 */
export async function release(
  store: StoreConnection,
  lease: Lease,
  next: {
    readonly runAfterMs: number
    readonly failed: boolean
    readonly forget?: boolean
    readonly unanswered?: boolean
  },
): Promise<void> {
  await store.transact(async (tx) => {
    await fence(tx, lease)
    if (next.forget === true) {
      await sql`delete from ringfence.work where key = ${lease.key} and dirty = ${lease.dirty}`.execute(tx)
    }
    await sql`
      update ringfence.work set seen = ${lease.dirty},
        attempts = ${next.failed ? lease.attempts + 1 : 0},
        reasons = case when dirty > ${lease.dirty} or ${next.unanswered === true} then reasons else '{}' end,
        run_after = case when dirty > ${lease.dirty} then least(run_after, clock_timestamp())
          else clock_timestamp() + ${next.runAfterMs} * interval '1 ms' end
      where key = ${lease.key}`.execute(tx)
    await sql`delete from ringfence.leases where key = ${lease.key} and token = ${lease.token}`.execute(tx)
  })
}
