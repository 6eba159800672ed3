import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runPass } from '../../../src/engine/pass.ts'
import { createProducts } from '../../../src/engine/products.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import type { Layer } from '../../../src/model/layer.ts'
import { defaultPlatform } from '../../../src/model/presets.ts'
import { addressOf, backendId, type Resource } from '../../../src/model/resource.ts'
import type { Verdict } from '../../../src/model/verdict.ts'
import { createLedger } from '../../../src/store/ledger.ts'
import { claim } from '../../../src/store/leases.ts'
import { setPlatformStands } from '../../../src/store/operations.ts'
import { findTenant, tenantOf } from '../../../src/store/tenants.ts'
import {
  caller,
  documentOf,
  openEngine,
  provedFor,
  resourcesOf,
  type TestEngine,
  testLayer,
} from '../../support/engine.ts'

let engine: TestEngine
let verdict: (tenant: string) => readonly Verdict[] = provedFor
let proofs = 0
beforeEach(async () => {
  proofs = 0
  verdict = provedFor
  engine = await openEngine((tenant) => {
    proofs += 1
    return verdict(tenant)
  })
})
afterEach(() => engine.close())

const pass = async () => {
  await engine.allDue()
  await engine.process()
}
const condition = async (type: string) =>
  (await findTenant(engine.store.db, 'acme'))?.conditions.find((one) => one.type === type)
const audited = (action: string) =>
  engine.store.db.selectFrom('ringfence.audit').select('body').where('body', 'like', `%"action":"${action}"%`).execute()

describe('an object that a lost answer may have made', () => {
  it('keeps its tenant from being gone while it cannot be looked at, and is removed once it can', async () => {
    await engine.service.create(documentOf('acme'), caller)
    const { world, faults } = engine.memory
    // The process dies after the call and before its outcome is written.
    await engine.process({ killAt: 3 })
    expect(world.get('memory/Space', 'acme-space')).toBeDefined()
    faults.add({
      verb: 'observe',
      kind: 'memory/Space',
      when: 'before',
      what: new RingfenceError('Unreachable', 'the server is down'),
    })
    await engine.service.remove('acme', 'acme', caller)
    await pass()
    await pass()
    expect((await findTenant(engine.store.db, 'acme'))?.phase).toBe('TearingDown')
    faults.clear()
    for (let round = 0; round < 4; round++) await pass()
    expect(await findTenant(engine.store.db, 'acme')).toBeUndefined()
    expect(world.entries()).toEqual([])
  })
})

describe('an object that was taken over', () => {
  it('stays its owner’s while it lives, also when a later write does not say so', async () => {
    const { row } = await engine.service.create(documentOf('acme'), caller)
    const [resource] = resourcesOf(tenantOf(row))
    const [lease] = await claim(engine.store, 'test', 1)
    if (resource === undefined || lease === undefined) throw new Error('nothing to write')
    const ledger = createLedger(engine.store)
    const remembered = async (id: string, adopted: boolean) => {
      await ledger.write(lease, row.uid, {
        remember: [{ address: resource.address, id: backendId(id), resource, outputs: {}, adopted }],
      })
      return (await ledger.read(row.uid)).inventory.get(resource.address)?.adopted
    }
    expect(await remembered('1', true)).toBe(true)
    expect(await remembered('1', false)).toBe(true)
    expect(await remembered('2', false)).toBe(false)
  })
})

describe('a tenant that waits for the platform’s own objects', () => {
  it('says what is in their way, touches nothing, and is proved anew once they stand', async () => {
    await engine.service.create(documentOf('acme'), caller)
    await engine.converge('acme')
    const [writes, proved] = [engine.memory.faults.calls.length, proofs]
    const platform = await engine.store.db
      .selectFrom('ringfence.work')
      .select('key')
      .where('key', '=', 'platform')
      .execute()
    expect(platform).toEqual([])
    await setPlatformStands(engine.store.db, false, 'ClusterRole ringfence-owner is not ours')
    await engine.store.db
      .updateTable('ringfence.work')
      .set({ reasons: ['attached'] })
      .execute()
    await pass()
    expect(await condition('Ready')).toMatchObject({
      status: 'False',
      reason: 'Waiting',
      message: expect.stringContaining('ClusterRole ringfence-owner is not ours'),
    })
    expect(engine.memory.faults.calls.length).toBe(writes)
    await setPlatformStands(engine.store.db, true)
    await pass()
    expect(proofs).toBeGreaterThan(proved)
    expect(await condition('Ready')).toMatchObject({ status: 'True' })
  })
  it('only waits while nothing is in their way, and does not forget what it was called for', async () => {
    await engine.service.create(documentOf('acme'), caller)
    await engine.converge('acme')
    const proved = proofs
    await setPlatformStands(engine.store.db, false)
    await engine.store.db
      .updateTable('ringfence.work')
      .set({ reasons: ['change'] })
      .execute()
    await pass()
    expect(await condition('Ready')).toMatchObject({ status: 'True' })
    expect(proofs).toBe(proved)
    await setPlatformStands(engine.store.db, true)
    await pass()
    expect(proofs).toBe(proved + 1)
  })
})

describe('the platform’s own objects', () => {
  it('of a product that is not there keep nobody waiting who needs another', async () => {
    const { row } = await engine.service.create(documentOf('acme'), caller)
    const role = {
      ...resourcesOf(tenantOf(row))[0],
      owner: 'platform',
      address: addressOf('platform', 'compute', 'cluster-role', 'x'),
      kind: 'kubernetes/ClusterRole',
      backend: 'kubernetes',
    } as Resource
    const compute: Layer = { ...testLayer, name: 'compute', wanted: () => false, platform: () => [role] }
    const products = createProducts(defaultPlatform().spec, [compute, testLayer])
    products.attach('postgres', engine.memory as never, undefined)
    products.expect('kubernetes', 'is being started')
    const [lease] = await claim(engine.store, 'platform-test', 1)
    if (lease === undefined) throw new Error('nothing claimed')
    const platformPass = () =>
      runPass({
        held: {
          lease,
          signal: AbortSignal.timeout(5_000),
          callWindow: () => ({ signal: AbortSignal.timeout(5_000), deadlineMs: Date.now() + 5_000 }),
        },
        ledger: createLedger(engine.store),
        products,
        requestId: 'test',
        subject: 'platform',
        fresh: false,
        mustProve: false,
        newId: randomUUID,
        verdictsOn: async () => [],
      })
    for (const code of ['Waiting', 'NotConfigured']) {
      const { problems, plan, fault } = await platformPass()
      expect(problems.get('compute')?.code).toBe(code)
      expect([plan?.blocked, plan?.steps, fault]).toEqual([[], [], undefined])
      products.giveUp('kubernetes')
    }
    // Once it is there, what cannot be read is in the way again.
    products.attach('kubernetes', { ...engine.memory, name: 'kubernetes', drivers: {} } as never, undefined)
    expect((await platformPass()).plan?.blocked.map((block) => block.code)).toEqual(['NotConfigured'])
  })
})

describe('a tenant whose isolation stays refuted', () => {
  it('is looked at ever more seldom, and its finding is recorded once', async () => {
    verdict = (tenant) => [{ claim: 'test', tenant, verdict: 'undecided', because: ['pods could not be listed'] }]
    await engine.service.create(documentOf('acme'), caller)
    await pass()
    await pass()
    const before = [(await audited('proof')).length, proofs]
    expect(before[0]).toBeGreaterThan(0)
    for (let round = 0; round < 3; round++) await pass()
    expect(proofs).toBe((before[1] ?? 0) + 3)
    expect((await audited('proof')).length).toBe(before[0])
    const [work] = await engine.store.db.selectFrom('ringfence.work').selectAll().execute()
    expect(work?.attempts).toBeGreaterThan(3)
    verdict = provedFor
    await pass()
    expect(await condition('Ready')).toMatchObject({ status: 'True' })
    expect((await audited('proof')).length).toBe((before[0] ?? 0) + 1)
  })
})
