/** Answers remembered by caller, route and key, so that a request sent twice acts once. */
import { sql } from 'kysely'
import { RingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { StoreConnection } from './connection.ts'

export interface IdempotencyKey {
  readonly caller: string
  readonly route: string
  readonly key: string
  /** Of the request body: the same key with another body is refused. */
  readonly bodyDigest: string
}

/** A request whose process died is forgotten after this time; until then a repetition is told to wait. */
const abandonedAfter = '60 seconds'

export async function idempotent<T extends JsonObject>(
  store: StoreConnection,
  request: IdempotencyKey,
  run: () => Promise<{ status: number; body: T }>,
): Promise<{ status: number; body: T; replayed: boolean }> {
  const { caller, route, key, bodyDigest } = request
  const fresh = await store.run(async (db) => {
    await sql`delete from ringfence.idempotency where status is null and created_at < now() - ${abandonedAfter}::interval`.execute(
      db,
    )
    const { rows } = await sql`
      insert into ringfence.idempotency (caller, route, key, body_digest) values (${caller}, ${route}, ${key}, ${bodyDigest})
      on conflict do nothing returning 1`.execute(db)
    return rows.length > 0
  })
  const row = (db: StoreConnection['db']) =>
    db
      .selectFrom('ringfence.idempotency')
      .selectAll()
      .where('caller', '=', caller)
      .where('route', '=', route)
      .where('key', '=', key)
  if (!fresh) {
    const before = await store.run((db) => row(db).executeTakeFirst())
    if (before === undefined)
      throw new RingfenceError('Conflict', 'a request with this idempotency key has just failed; send it again')
    if (before.body_digest !== bodyDigest)
      throw new RingfenceError('Conflict', 'this idempotency key was used with another body; use a new key')
    if (before.status === null)
      throw new RingfenceError('Waiting', 'a request with this idempotency key is still running; ask again soon')
    return { status: before.status, body: before.answer as T, replayed: true }
  }
  const where = sql`caller = ${caller} and route = ${route} and key = ${key}`
  try {
    const answer = await run()
    await store.run((db) =>
      sql`update ringfence.idempotency set status = ${answer.status}, answer = ${JSON.stringify(answer.body)} where ${where}`.execute(
        db,
      ),
    )
    return { ...answer, replayed: false }
  } catch (error) {
    await store.run((db) => sql`delete from ringfence.idempotency where ${where}`.execute(db))
    throw error
  }
}
