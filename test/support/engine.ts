/**
 * An engine on a real store with backends in memory: one test layer that has every kind of thing (a container, a
 * fence, work, data, a credential and its login). The process can be "killed" at any boundary: from then on nothing
 * reaches the store, as if it were gone.
 */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { createMemoryBackend, type MemoryBackend } from '../../src/drivers/memory/backend.ts'
import type { Boundary } from '../../src/engine/execute.ts'
import { createProducts, type ProductSet } from '../../src/engine/products.ts'
import { createPassRunner } from '../../src/engine/worker.ts'
import type { Backend } from '../../src/model/driver.ts'
import { RingfenceError } from '../../src/model/errors.ts'
import type { Layer } from '../../src/model/layer.ts'
import { defaultPlatform } from '../../src/model/presets.ts'
import { addressOf, output, type Resource } from '../../src/model/resource.ts'
import type { Tenant } from '../../src/model/tenant.ts'
import type { Verdict } from '../../src/model/verdict.ts'
import { tenantDocument } from '../../src/model/tenant.ts'
import type { Step } from '../../src/planner/step.ts'
import { connectStore, type StoreConnection } from '../../src/store/connection.ts'
import { createLedger } from '../../src/store/ledger.ts'
import { claim } from '../../src/store/leases.ts'
import { migrate } from '../../src/store/migrations.ts'
import { setPlatformStands } from '../../src/store/operations.ts'
import { findTenant, tenantOf } from '../../src/store/tenants.ts'
import { createTenantService, type TenantService } from '../../src/engine/tenant-service.ts'
import { servers } from './servers.ts'

export const kinds = [
  'memory/Space',
  'memory/Fence',
  'memory/Work',
  'memory/Data',
  'memory/Login',
  'credential/Login',
] as const
export const caller = { actor: 'test', requestId: 'test' }

/** The resources of the test layer; `retain` keeps the data, the description is the part that a change touches. */
export function resourcesOf(tenant: Tenant): readonly Resource[] {
  const at = (kind: string) => addressOf(tenant.name, 'database', kind, 'main')
  const one = (kind: string, product: string, more: Partial<Resource>): Resource => ({
    kind: `${product}/${kind[0]?.toUpperCase()}${kind.slice(1)}`,
    address: at(kind),
    backend: 'memory',
    externalName: `${tenant.name}-${kind}`,
    owner: { name: tenant.name, uid: tenant.uid },
    spec: { tenant: tenant.name, text: tenant.spec.description },
    secrets: [],
    needs: [],
    onRemove: 'delete',
    ...more,
  })
  return [
    one('space', 'memory', {}),
    one('fence', 'memory', { needs: [at('space')], within: at('space') }),
    one('work', 'memory', { needs: [at('fence')], within: at('space') }),
    one('data', 'memory', {
      needs: [at('fence')],
      onRemove: tenant.spec.lifecycle.retain.includes('database') ? 'retain' : 'delete',
    }),
    {
      ...one('login', 'credential', {}),
      address: at('credential'),
      needs: [at('fence')],
      secrets: [{ name: 'password', role: 'source' }],
      spec: { host: output(at('data'), 'id') },
    },
    one('login', 'memory', {
      needs: [at('data')],
      secrets: [{ name: 'password', role: 'verifier', source: at('credential') }],
    }),
  ]
}

export const testLayer: Layer = {
  name: 'database',
  wanted: () => true,
  problem: () => undefined,
  platform: () => [],
  desired: resourcesOf,
  claims: () => [],
}

export class Killed extends Error {}

export interface TestEngine {
  readonly store: StoreConnection
  readonly memory: MemoryBackend
  readonly service: TenantService
  readonly products: ProductSet
  /** Runs passes until no key is due, as one process that may be killed at its n-th boundary. */
  process(options?: {
    readonly killAt?: number
    readonly clean?: boolean
  }): Promise<{ readonly boundaries: number; readonly killed?: Boundary; readonly step?: Step }>
  /** Makes every key due now, as time would. */
  allDue(): Promise<void>
  /** Processes until the tenant is as it should be, or throws after `rounds`. */
  converge(tenant: string, rounds?: number): Promise<void>
  close(): Promise<void>
}

export async function openEngine(verdicts: (tenant: string) => readonly Verdict[] = provedFor): Promise<TestEngine> {
  const access = servers().postgres18
  const database = `engine_${randomUUID().replaceAll('-', '').slice(0, 12)}`
  const ssl = access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false
  const admin = new pg.Client({ ...access, ssl })
  await admin.connect()
  await admin.query(`create database ${database}`)
  const store = connectStore({ ...access, database }, 6)
  await migrate(store.db as never)
  await setPlatformStands(store.db, true)
  const memory = createMemoryBackend('memory', { kinds: [...kinds] })
  const products = createProducts(defaultPlatform().spec, [testLayer])
  products.attach('postgres', memory as Backend as never, undefined)
  const service = createTenantService(store, products)

  const processOnce: TestEngine['process'] = async ({ killAt } = {}) => {
    let boundaries = 0
    let dead: { boundary: Boundary; step: Step } | undefined
    const mortal = mortalStore(store, () => dead !== undefined)
    const runner = createPassRunner({
      store: mortal,
      ledger: createLedger(mortal),
      products,
      proofs: { verdictsOn: async (tenant) => verdicts(tenant) },
      holder: randomUUID(),
      concurrency: 4,
      log: () => undefined,
      random: () => 0.5,
      checkpoint(boundary, step) {
        if (dead !== undefined) throw new Killed()
        boundaries += 1
        if (boundaries !== killAt) return
        dead = { boundary, step }
        throw new Killed()
      },
    })
    await runner
      .run({ key: 'platform', holder: 'x', token: -1, dirty: 0, attempts: 0, reasons: [] })
      .catch(() => undefined)
    for (let round = 0; round < 20 && dead === undefined; round++) {
      const leases = await claim(mortal, 'test', 4)
      if (leases.length === 0) break
      await Promise.allSettled(leases.map((lease) => runner.run(lease)))
    }
    runner.keeper.stop()
    return { boundaries, ...(dead === undefined ? {} : { killed: dead.boundary, step: dead.step }) }
  }
  const allDue = async () => {
    await store.db
      .updateTable('ringfence.work')
      .set({ run_after: new Date(0) })
      .execute()
    await store.db
      .updateTable('ringfence.leases')
      .set({ expires_at: new Date(0) })
      .execute()
  }
  return {
    store,
    memory,
    service,
    products,
    process: processOnce,
    allDue,
    async converge(tenant, rounds = 6) {
      for (let round = 0; round < rounds; round++) {
        await allDue()
        await processOnce()
        const row = await findTenant(store.db, tenant)
        if (row === undefined || (row.phase === 'Ready' && row.observedGeneration === row.generation)) return
      }
      const row = await findTenant(store.db, tenant)
      throw new Error(`${tenant} is ${row?.phase}: ${JSON.stringify(row?.conditions, undefined, 1)}`)
    },
    async close() {
      await store.close()
      await admin.query(`drop database ${database} with (force)`)
      await admin.end()
    },
  }
}

/** A store that nothing reaches any more once the process is dead. */
function mortalStore(store: StoreConnection, isDead: () => boolean): StoreConnection {
  const alive = <T>(work: () => Promise<T>): Promise<T> =>
    isDead() ? Promise.reject(new RingfenceError('StoreUnavailable', 'the process is dead')) : work()
  return {
    db: store.db,
    transact: (work) => alive(() => store.transact(work)),
    run: (work) => alive(() => store.run(work)),
    ping: () => alive(() => store.ping()),
    close: async () => undefined,
  }
}

export const provedFor = (tenant: string): readonly Verdict[] => [
  { claim: 'test', tenant, verdict: 'proved', checked: 1, assuming: [], observed: ['', ''] },
]

export const documentOf = (name: string, spec: object = {}) =>
  tenantDocument.parse({ apiVersion: 'ringfence.dev/v1alpha1', kind: 'Tenant', metadata: { name }, spec })

export async function tenantNamed(engine: TestEngine, name: string): Promise<Tenant> {
  const row = await findTenant(engine.store.db, name)
  if (row === undefined) throw new Error(`no tenant ${name}`)
  return tenantOf(row)
}
