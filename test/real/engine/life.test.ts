import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sql } from 'kysely'
import { worldState } from '../../../src/drivers/memory/backend.ts'
import { sweep } from '../../../src/engine/sweep.ts'
import { migrations, migrate } from '../../../src/store/migrations.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { findTenant } from '../../../src/store/tenants.ts'
import { caller, documentOf, openEngine, resourcesOf, type TestEngine, tenantNamed } from '../../support/engine.ts'

let engine: TestEngine
beforeEach(async () => void (engine = await openEngine()))
afterEach(() => engine.close())

const ready = async (name: string, spec: object = {}) => {
  await engine.service.create(documentOf(name, spec), caller)
  await engine.converge(name)
}
const writes = () => engine.memory.faults.calls.filter((call) => call.verb !== 'observe').length
const pass = async () => {
  await engine.allDue()
  await engine.process()
}

describe('a second pass', () => {
  it('over an unchanged tenant writes nothing to any backend', async () => {
    await ready('acme')
    const before = writes()
    await pass()
    expect(writes()).toBe(before)
  })
  it('repairs what was changed, deleted or made anew by others, and records it', async () => {
    await ready('acme')
    engine.memory.world.change('memory/Fence', 'acme-fence', { spec: { tenant: 'acme', text: 'opened' } })
    engine.memory.world.delete('memory/Work', 'acme-work')
    await pass()
    const tenant = await tenantNamed(engine, 'acme')
    expect(engine.memory.world.get('memory/Fence', 'acme-fence')?.spec).toEqual(resourcesOf(tenant)[1]?.spec)
    expect(engine.memory.world.get('memory/Work', 'acme-work')).toBeDefined()
    const events = await engine.store.db
      .selectFrom('ringfence.events')
      .select(['reason', 'message'])
      .where('type', '=', 'drift')
      .execute()
    expect(events.map((event) => event.reason).toSorted()).toEqual(['Drift', 'Lost'])
  })
  it('leaves a same-named successor alone, and says whose it is', async () => {
    await ready('acme')
    engine.memory.world.delete('memory/Work', 'acme-work')
    engine.memory.world.put('memory/Work', 'acme-work', { spec: { tenant: 'stranger' }, credentials: {} })
    const stranger = worldState(engine.memory.world)['memory/Work acme-work']
    await pass()
    expect(worldState(engine.memory.world)['memory/Work acme-work']).toEqual(stranger)
    const row = await findTenant(engine.store.db, 'acme')
    expect(row?.conditions.find((condition) => condition.type === 'NameConflict')).toMatchObject({ status: 'True' })
    expect(row?.phase).toBe('Degraded')
    await engine.service.remove('acme', 'acme', caller)
    await pass()
    await pass()
    await pass()
    expect(worldState(engine.memory.world)).toEqual({ 'memory/Work acme-work': stranger })
  })
})

describe('a tenant that fails', () => {
  it('delays no other, and waits by itself', async () => {
    engine.memory.faults.add({
      verb: 'create',
      kind: 'memory/Data',
      externalName: 'acme-data',
      when: 'before',
      what: new RingfenceError('BackendFault', 'always'),
    })
    await engine.service.create(documentOf('acme'), caller)
    await engine.service.create(documentOf('globex'), caller)
    await pass()
    expect((await findTenant(engine.store.db, 'globex'))?.phase).toBe('Ready')
    const acme = await findTenant(engine.store.db, 'acme')
    expect(acme?.conditions.find((condition) => condition.type === 'Database')).toMatchObject({
      reason: 'BackendFault',
    })
  })
})

describe('the sweep', () => {
  it('calls for a pass over exactly the tenants that are not as they should be', async () => {
    await ready('acme')
    await ready('globex')
    expect(await sweep(engine.store, engine.products, new AbortController().signal)).toEqual({
      checked: 2,
      triggered: [],
    })
    engine.memory.world.delete('memory/Fence', 'globex-fence')
    expect(await sweep(engine.store, engine.products, new AbortController().signal)).toEqual({
      checked: 2,
      triggered: ['globex'],
    })
  })
})

describe('removal', () => {
  it('keeps what retain names, with its name claimed, and takes the rest', async () => {
    await ready('acme', { lifecycle: { retain: ['database'] } })
    await engine.service.remove('acme', 'acme', caller)
    for (let round = 0; round < 3; round++) await pass()
    expect(await findTenant(engine.store.db, 'acme')).toBeUndefined()
    expect(Object.keys(worldState(engine.memory.world))).toEqual(['memory/Data acme-data'])
  })
  it('is refused without the exact name, and beyond the share that may go at once', async () => {
    for (const name of ['ta', 'tb', 'tc']) await ready(name)
    await expect(engine.service.remove('ta', 'tA', caller)).rejects.toMatchObject({ code: 'Guarded' })
    await engine.service.remove('ta', 'ta', caller)
    await expect(engine.service.remove('tb', 'tb', caller)).rejects.toMatchObject({ code: 'Guarded' })
  })
  it('does not happen because a store was emptied', async () => {
    await ready('acme')
    const before = worldState(engine.memory.world)
    await sql`truncate ringfence.tenants, ringfence.name_claims, ringfence.inventory, ringfence.journal, ringfence.credentials cascade`.execute(
      engine.store.db,
    )
    await pass()
    expect(worldState(engine.memory.world)).toEqual(before)
  })
})

describe('a store restored from an older backup', () => {
  it('deletes and changes nothing of what was made since', async () => {
    await ready('acme')
    const tables = ['tenants', 'name_claims', 'inventory', 'journal', 'credentials', 'work', 'leases'] as const
    for (const table of tables)
      await sql.raw(`create table backup_${table} as table ringfence.${table}`).execute(engine.store.db)
    await ready('newer')
    engine.memory.world.delete('memory/Data', 'acme-data')
    await pass()
    const before = worldState(engine.memory.world)
    await sql.raw(`truncate ${tables.map((table) => `ringfence.${table}`).join(', ')} cascade`).execute(engine.store.db)
    for (const table of tables)
      await sql.raw(`insert into ringfence.${table} select * from backup_${table}`).execute(engine.store.db)
    await pass()
    await pass()
    const removed = Object.keys(before).filter((key) => !(key in worldState(engine.memory.world)))
    expect(removed).toEqual([])
    expect(worldState(engine.memory.world)['memory/Data acme-data']).toEqual(before['memory/Data acme-data'])
    expect(engine.memory.faults.calls.filter((call) => call.verb === 'remove')).toEqual([])
  })
})

describe('an upgrade from the previous schema', () => {
  it('plans no change', async () => {
    await ready('acme')
    const names = Object.keys(migrations)
    expect(names.length).toBeGreaterThan(1)
    // Back to the schema before: what the newest step made is undone by hand, as if it had never run.
    await sql`alter table ringfence.platform drop column because`.execute(engine.store.db)
    await sql`delete from kysely_migration where name = ${names.at(-1)}`.execute(engine.store.db)
    expect(await migrate(engine.store.db as never)).toEqual([names.at(-1)])
    const before = writes()
    await pass()
    expect(writes()).toBe(before)
    expect((await findTenant(engine.store.db, 'acme'))?.phase).toBe('Ready')
  })
})

describe('names', () => {
  it('that another tenant holds are refused before anything is made, and nothing is stored', async () => {
    await ready('acme')
    const clash = documentOf('other', { compute: { namespace: { name: 'ringfence-acme' } } })
    await expect(engine.service.create(clash, caller)).rejects.toMatchObject({
      code: expect.stringMatching(/NameConflict|InvalidDocument/),
    })
    expect(await findTenant(engine.store.db, 'other')).toBeUndefined()
  })
  it('of two tenants never meet, however alike they are', async () => {
    for (const name of ['ab', 'ab2', 'a-b', `a${'b'.repeat(39)}`]) await ready(name)
    expect(engine.memory.world.entries()).toHaveLength(4 * 6)
  })
  it('stay locked when the slug is renamed, and the renaming says so', async () => {
    await ready('acme')
    const before = await tenantNamed(engine, 'acme')
    await engine.service.apply(documentOf('acme', { slug: 'renamed' }), caller)
    expect((await tenantNamed(engine, 'acme')).names).toEqual(before.names)
    const warned = await engine.store.db
      .selectFrom('ringfence.events')
      .select('reason')
      .where('type', '=', 'warning')
      .execute()
    expect(warned).toEqual([{ reason: 'SlugRenamed' }])
  })
})

describe('the audit log', () => {
  it('has an intent before and an outcome after every call, chained, and cannot be changed', async () => {
    await ready('acme')
    const tenant = await tenantNamed(engine, 'acme')
    const rows = await engine.store.db
      .selectFrom('ringfence.audit')
      .selectAll()
      .where('chain', '=', tenant.uid)
      .orderBy('position')
      .execute()
    const actions = rows.map((row) => (JSON.parse(row.body) as { action: string }).action)
    expect(actions.filter((action) => action === 'resource.create.intent')).toHaveLength(6)
    expect(actions.filter((action) => action === 'resource.create.outcome')).toHaveLength(6)
    rows.forEach((row, index) => {
      expect(row.position).toBe(index + 1)
      expect(row.previous_hash).toBe(index === 0 ? '0'.repeat(64) : rows[index - 1]?.hash)
    })
    await expect(sql`update ringfence.audit set body = '{}'`.execute(engine.store.db)).rejects.toMatchObject({
      code: '23001',
    })
    await expect(sql`delete from ringfence.audit`.execute(engine.store.db)).rejects.toMatchObject({ code: '23001' })
    await expect(sql`truncate ringfence.audit`.execute(engine.store.db)).rejects.toMatchObject({ code: '23001' })
  })
  it('that cannot be written stops the change', async () => {
    await ready('acme')
    await sql`alter table ringfence.audit add constraint shut check (false) not valid`.execute(engine.store.db)
    await expect(engine.service.create(documentOf('globex'), caller)).rejects.toMatchObject({
      code: 'AuditUnavailable',
    })
    expect(await findTenant(engine.store.db, 'globex')).toBeUndefined()
    engine.memory.world.delete('memory/Work', 'acme-work')
    const before = writes()
    await pass()
    expect(writes()).toBe(before)
  })
  it('never holds a credential, and neither does the rest of the store', async () => {
    await ready('acme')
    const source = engine.memory.world.get('credential/Login', 'acme-login')
    expect(source).toBeDefined()
    const dump = JSON.stringify([
      await engine.store.db.selectFrom('ringfence.audit').selectAll().execute(),
      await engine.store.db.selectFrom('ringfence.inventory').selectAll().execute(),
      await engine.store.db.selectFrom('ringfence.journal').selectAll().execute(),
      await engine.store.db.selectFrom('ringfence.events').selectAll().execute(),
    ])
    expect(dump).not.toContain('sourceFingerprint')
    expect(dump).not.toMatch(/"password"\s*:\s*"/)
  })
})
