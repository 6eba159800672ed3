import { afterEach, describe, expect, it } from 'vitest'
import { worldState } from '../../../src/drivers/memory/backend.ts'
import { boundaries } from '../../../src/engine/execute.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { findTenant } from '../../../src/store/tenants.ts'
import { caller, documentOf, openEngine, resourcesOf, type TestEngine, tenantNamed } from '../../support/engine.ts'

let engine: TestEngine
afterEach(() => engine.close())

/** Nothing orphaned, nothing doubled: the world holds exactly what the tenant should have, and the store knows it. */
async function expectWhole(name: string): Promise<void> {
  const tenant = await tenantNamed(engine, name)
  const wanted = resourcesOf(tenant).map((resource) => `${resource.kind} ${resource.externalName}`)
  expect(Object.keys(worldState(engine.memory.world)).toSorted()).toEqual(wanted.toSorted())
  const known = await engine.store.db
    .selectFrom('ringfence.inventory')
    .select(['kind', 'external_name', 'backend_id'])
    .where('owner', '=', tenant.uid)
    .execute()
  const held = engine.memory.world
    .entries()
    .map(({ kind, externalName, object }) => ({ kind, external_name: externalName, backend_id: String(object.id) }))
  expect(known.toSorted(byName)).toEqual(held.toSorted(byName))
  const open = await engine.store.db.selectFrom('ringfence.journal').selectAll().where('outcome', 'is', null).execute()
  expect(open).toEqual([])
}
const byName = (a: { kind: string; external_name: string }, b: { kind: string; external_name: string }) =>
  `${a.kind} ${a.external_name}` < `${b.kind} ${b.external_name}` ? -1 : 1

/** At every moment, what is fenced stands behind its fence. */
function watchFences(): string[] {
  const weak: string[] = []
  engine.memory.world.listen(() => {
    const present = new Set(engine.memory.world.entries().map((entry) => entry.kind))
    for (const kind of ['memory/Work', 'memory/Data', 'memory/Login', 'credential/Login']) {
      if (present.has(kind) && !present.has('memory/Fence') && present.has('memory/Space')) weak.push(kind)
    }
  })
  return weak
}

async function boundariesOf(act: () => Promise<unknown>): Promise<number> {
  await act()
  await engine.allDue()
  const { boundaries: count } = await engine.process()
  return count
}

const acts = {
  create: async () => void (await engine.service.create(documentOf('acme'), caller)),
  update: async () => void (await engine.service.apply(documentOf('acme', { description: 'changed' }), caller)),
  remove: async () => void (await engine.service.remove('acme', 'acme', caller)),
} as const

describe.each(['create', 'update', 'remove'] as const)('a kill at every boundary of %s', (act) => {
  it('converges: nothing orphaned, doubled or weaker', async () => {
    const seen = new Set<string>()
    let total = 1
    for (let killAt = 1; killAt <= total; killAt++) {
      engine = await openEngine()
      if (act !== 'create') {
        await acts.create()
        await engine.converge('acme')
      }
      if (killAt === 1) {
        total = await boundariesOf(acts[act])
        expect(total).toBeGreaterThanOrEqual(act === 'remove' ? 12 : 20)
        await engine.close()
        engine = await openEngine()
        if (act !== 'create') {
          await acts.create()
          await engine.converge('acme')
        }
      }
      const weak = watchFences()
      await acts[act]()
      await engine.allDue()
      const { killed } = await engine.process({ killAt })
      if (killed !== undefined) seen.add(killed)
      await engine.converge('acme', 8)
      expect(weak, `killed at boundary ${killAt} of ${total}`).toEqual([])
      if (act === 'remove') {
        expect(worldState(engine.memory.world)).toEqual({})
        expect(await findTenant(engine.store.db, 'acme')).toBeUndefined()
      } else await expectWhole('acme')
      if (killAt < total) await engine.close()
    }
    expect([...seen].toSorted()).toEqual([...boundaries].toSorted())
  })
})

describe('a lost answer', () => {
  it('of a create is found again by its mark, and nothing is made twice', async () => {
    engine = await openEngine()
    engine.memory.faults.add({ verb: 'create', kind: 'memory/Data', when: 'after', times: 1, what: 'lose' })
    await acts.create()
    await engine.converge('acme')
    await expectWhole('acme')
    expect(
      engine.memory.faults.calls.filter((call) => call.verb === 'create' && call.kind === 'memory/Data'),
    ).toHaveLength(1)
  })
})

describe('a step that fails once', () => {
  it.each(resourceKinds())('%s is retried, and the rest goes on', async (kind) => {
    engine = await openEngine()
    engine.memory.faults.add({
      verb: 'create',
      kind,
      when: 'before',
      times: 1,
      what: new RingfenceError('BackendFault', 'once'),
    })
    await acts.create()
    await engine.allDue()
    await engine.process()
    const row = await findTenant(engine.store.db, 'acme')
    expect(row?.phase).not.toBe('Ready')
    expect(row?.conditions.find((condition) => condition.type === 'Database')).toMatchObject({
      status: 'False',
      reason: 'BackendFault',
    })
    await engine.converge('acme')
    await expectWhole('acme')
  })
})

function resourceKinds(): readonly string[] {
  return ['memory/Space', 'memory/Fence', 'memory/Work', 'memory/Data', 'memory/Login', 'credential/Login']
}
