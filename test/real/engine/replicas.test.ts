import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startWorker, type Worker } from '../../../src/engine/worker.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { backendId } from '../../../src/model/resource.ts'
import type { StoreConnection } from '../../../src/store/connection.ts'
import { createLedger } from '../../../src/store/ledger.ts'
import { claim, fence, type Lease, leaseTtlMs, release, renew, trigger } from '../../../src/store/leases.ts'
import { pause, resume } from '../../../src/store/operations.ts'
import { findTenant } from '../../../src/store/tenants.ts'
import {
  caller,
  documentOf,
  openEngine,
  provedFor,
  resourcesOf,
  type TestEngine,
  tenantNamed,
} from '../../support/engine.ts'

let engine: TestEngine
beforeEach(async () => void (engine = await openEngine()))
afterEach(() => engine.close())

/** A replica; `kill` cuts it off from the store at once, as a kill -9 would, without giving anything back. */
function replica(holder: string): { worker: Worker; kill(): void } {
  let dead = false
  const cut = <T>(work: () => Promise<T>): Promise<T> =>
    dead ? Promise.reject(new RingfenceError('StoreUnavailable', 'killed')) : work()
  const store: StoreConnection = {
    db: engine.store.db,
    transact: (work) => cut(() => engine.store.transact(work)),
    run: (work) => cut(() => engine.store.run(work)),
    ping: () => cut(() => engine.store.ping()),
    close: async () => undefined,
  }
  const worker = startWorker({
    store,
    ledger: createLedger(store),
    products: engine.products,
    proofs: { verdictsOn: async (tenant) => provedFor(tenant) },
    holder,
    concurrency: 2,
    log: () => undefined,
  })
  return { worker, kill: () => void (dead = true) }
}

const until = async (what: () => Promise<boolean>, timeoutMs: number): Promise<number> => {
  const start = Date.now()
  while (!(await what())) {
    if (Date.now() - start > timeoutMs) throw new Error(`not within ${timeoutMs} ms`)
    await sleep(50)
  }
  return Date.now() - start
}
const phaseOf = async (name: string) => (await findTenant(engine.store.db, name))?.phase

describe('two replicas on one store', () => {
  it('share the work, and each tenant has one writer at a time', async () => {
    const [one, two] = [replica('one'), replica('two')]
    for (const name of ['ta', 'tb', 'tc', 'td']) await engine.service.create(documentOf(name), caller)
    await until(
      async () => (await Promise.all(['ta', 'tb', 'tc', 'td'].map(phaseOf))).every((phase) => phase === 'Ready'),
      30_000,
    )
    const creates = engine.memory.faults.calls
      .filter((call) => call.verb === 'create')
      .map((call) => `${call.kind} ${call.externalName}`)
    expect(new Set(creates).size).toBe(creates.length)
    await Promise.all([one.worker.stop(1_000), two.worker.stop(1_000)])
  })

  it('take over from a killed one within 15 seconds, and finish what it began', async () => {
    const first = replica('first')
    engine.memory.faults.add({ verb: 'create', kind: 'memory/Data', when: 'before', times: 1, what: 'hang' })
    await engine.service.create(documentOf('acme'), caller)
    await until(
      async () => engine.memory.faults.calls.some((call) => call.verb === 'create' && call.kind === 'memory/Data'),
      10_000,
    )
    first.kill()
    const second = replica('second')
    await until(async () => (await phaseOf('acme')) === 'Ready', 15_000)
    const tenant = await tenantNamed(engine, 'acme')
    expect(engine.memory.world.entries()).toHaveLength(resourcesOf(tenant).length)
    await Promise.all([first.worker.stop(100), second.worker.stop(1_000)])
  })
})

describe('the lease', () => {
  const lease = async (): Promise<Lease> => {
    await engine.store.run((db) => trigger(db, ['key'], 'test'))
    const [taken] = await claim(engine.store, 'one', 10)
    if (taken === undefined) throw new Error('nothing claimed')
    return taken
  }
  const expire = () =>
    engine.store.db
      .updateTable('ringfence.leases')
      .set({ expires_at: new Date(0) })
      .execute()

  it('is not given twice while it runs', async () => {
    await lease()
    expect(await claim(engine.store, 'two', 10)).toEqual([])
  })
  it('changes hands with a greater token, and the old token writes nothing', async () => {
    const old = await lease()
    await expire()
    const [now] = await claim(engine.store, 'two', 10)
    expect(now?.token).toBeGreaterThan(old.token)
    await expect(engine.store.transact((tx) => fence(tx, old))).rejects.toMatchObject({ code: 'StaleFence' })
    const ledger = createLedger(engine.store)
    const tenant = (await engine.service.create(documentOf('acme'), caller)).row
    const [resource] = resourcesOf(await tenantNamed(engine, 'acme'))
    if (resource === undefined) throw new Error('no resource')
    const entry = {
      remember: [{ address: resource.address, id: backendId('x'), resource, outputs: {}, adopted: false }],
    }
    await expect(ledger.write(old, tenant.uid, entry)).rejects.toMatchObject({ code: 'StaleFence' })
    expect((await ledger.read(tenant.uid)).inventory.size).toBe(0)
    if (now !== undefined) await ledger.write(now, tenant.uid, entry)
    expect((await ledger.read(tenant.uid)).inventory.size).toBe(1)
  })
  it('cannot be renewed once it ended, even if nobody took it', async () => {
    const old = await lease()
    await expire()
    expect((await renew(engine.store, [old])).held.size).toBe(0)
  })
  it('makes a key that was triggered during its pass due at once, and no other', async () => {
    const taken = await lease()
    await engine.store.run((db) => trigger(db, ['key'], 'again'))
    await release(engine.store, taken, { runAfterMs: 600_000, failed: false })
    const [again] = await claim(engine.store, 'two', 10)
    expect(again).toMatchObject({ key: 'key', reasons: expect.arrayContaining(['again']) })
    if (again !== undefined) await release(engine.store, again, { runAfterMs: 600_000, failed: false })
    expect(await claim(engine.store, 'two', 10)).toEqual([])
  })
  it('hands on why the key was triggered, when its holder died or did not get to it', async () => {
    await lease()
    await expire()
    const [second] = await claim(engine.store, 'two', 10)
    expect(second?.reasons).toEqual(['test'])
    if (second === undefined) return
    await release(engine.store, second, { runAfterMs: 0, failed: true, unanswered: true })
    const [third] = await claim(engine.store, 'three', 10)
    expect(third?.reasons).toEqual(['test'])
    if (third !== undefined) await release(engine.store, third, { runAfterMs: 0, failed: false })
    expect((await claim(engine.store, 'four', 10))[0]?.reasons).toEqual([])
  })
  it('ends for its holder no later than for the store, however long the claim took', async () => {
    const before = Date.now()
    const taken = await lease()
    expect(taken.untilMs).toBeLessThanOrEqual(Date.now() + leaseTtlMs)
    expect(taken.untilMs).toBeGreaterThanOrEqual(before + leaseTtlMs)
    const [row] = await engine.store.db.selectFrom('ringfence.leases').selectAll().where('key', '=', 'key').execute()
    expect(taken.untilMs).toBeLessThanOrEqual((row?.expires_at ?? new Date(0)).getTime() + 5)
  })
  it('is handed out to nobody while the engine is paused', async () => {
    await engine.store.run((db) => trigger(db, ['key'], 'test'))
    await engine.store.transact(async (tx) => void (await pause(tx, 'test')))
    expect(await claim(engine.store, 'one', 10)).toEqual([])
    await engine.store.transact((tx) => resume(tx))
    expect(await claim(engine.store, 'one', 10)).toHaveLength(1)
  })
})
