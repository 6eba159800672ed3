import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { streamEvents } from '../../../src/store/events.ts'
import type { Notifications } from '../../../src/store/notifications.ts'
import { forgetOld } from '../../../src/store/retention.ts'
import { caller, documentOf, openEngine, type TestEngine } from '../../support/engine.ts'

let engine: TestEngine
beforeEach(async () => void (engine = await openEngine()))
afterEach(() => engine.close())

const soon: Notifications = {
  on: () => undefined,
  next: () => new Promise((resolve) => setTimeout(resolve, 20)),
  close: async () => undefined,
}
const count = async (table: string) =>
  Number((await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(engine.store.db)).rows[0]?.n)

describe('the stream of events', () => {
  it('starts in the middle of a long history, and goes on', async () => {
    const write = (message: string) =>
      sql`insert into ringfence.events (tenant, type, reason, message) values ('acme', 'step', 'Test', ${message})`.execute(
        engine.store.db,
      )
    await sql`alter table ringfence.events alter column sequence restart with 5000000`.execute(engine.store.db)
    await write('first')
    const reader = streamEvents(engine.store, soon, {}, AbortSignal.timeout(10_000))[Symbol.asyncIterator]()
    expect((await reader.next()).value).toMatchObject({ sequence: 5_000_000, message: 'first' })
    await write('second')
    expect((await reader.next()).value).toMatchObject({ message: 'second' })
    await reader.return?.(undefined)
  })
})

describe('what is old', () => {
  it('is forgotten, but for open intents and the audit log', async () => {
    await engine.service.create(documentOf('acme'), caller)
    await engine.converge('acme')
    await sql`insert into ringfence.journal (id, owner, address, verb, resource) values (gen_random_uuid(), 'o', 'a', 'create', '{}')`.execute(
      engine.store.db,
    )
    await sql`insert into ringfence.idempotency (caller, route, key, body_digest) values ('c', 'r', 'old', 'd'), ('c', 'r', 'new', 'd')`.execute(
      engine.store.db,
    )
    expect(await forgetOld(engine.store)).toBe(0)
    const before = { audit: await count('ringfence.audit'), inventory: await count('ringfence.inventory') }
    await sql`update ringfence.journal set started_at = now() - interval '8 days', finished_at = case when outcome is null then null else now() - interval '8 days' end`.execute(
      engine.store.db,
    )
    await sql`update ringfence.events set time = now() - interval '31 days'`.execute(engine.store.db)
    await sql`update ringfence.idempotency set created_at = now() - interval '25 hours' where key = 'old'`.execute(
      engine.store.db,
    )
    expect(await forgetOld(engine.store)).toBeGreaterThan(2)
    expect([
      await count('ringfence.journal'),
      await count('ringfence.events'),
      await count('ringfence.idempotency'),
    ]).toEqual([1, 0, 1])
    expect({ audit: await count('ringfence.audit'), inventory: await count('ringfence.inventory') }).toEqual(before)
  })
})
