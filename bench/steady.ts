/**
 * A full pass over tenants that nobody changed: the resync's sweep on real watch caches, catalogs and a real store.
 * Writes are counted where they would arrive: at the API server and in PostgreSQL's transaction numbers.
 */
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ask } from '../src/embedded/kubernetes/request.ts'
import { sweep } from '../src/engine/sweep.ts'
import type { Products } from '../src/engine/products.ts'
import { jsonEqual, type JsonObject } from '../src/model/json.ts'
import type { Phase } from '../src/model/status.ts'
import { connectStore, type StoreConnection } from '../src/store/connection.ts'
import { readOwners } from '../src/store/ledger.ts'
import { listTenants, tenantOf } from '../src/store/tenants.ts'
import type { Running } from '../src/up/up.ts'
import { caller, documentOf, numbered } from './documents.ts'
import { mebibytes, median, ms, perSecond, ratioOf, type Result, verdict } from './figures.ts'
import { gate } from './floor.ts'
import type { BenchOptions } from './run.ts'
import { type Servers, startServers, withClient } from './servers.ts'

/** A database takes 8 MB and 300 files, so that only some of the tenants get one. */
const databaseEvery = 40

export async function benchSteady({ quick, tenants, say }: BenchOptions): Promise<Result> {
  const count = tenants ?? (quick ? 12 : 2_000)
  const servers = await startServers(say)
  try {
    const running = await servers.startProduct()
    const before = memory()
    const databases = await provision(running, count, say)
    await settled(servers, running, count)
    const after = memory()
    const store = connectStore(servers.postgres)
    try {
      const runs = quick ? 2 : 5
      const passes: number[] = []
      let writes: Writes = { kubernetes: 0, postgres: 0 }
      await sweepOnce(store, running, count)
      for (let run = 0; run < runs; run++) {
        const earlier = await writesSoFar(servers)
        passes.push(await sweepOnce(store, running, count))
        const later = await writesSoFar(servers)
        writes = {
          kubernetes: writes.kubernetes + later.kubernetes - earlier.kubernetes,
          postgres: writes.postgres + later.postgres - earlier.postgres,
        }
      }
      const floorMs = await comparing(store, running.products, runs)
      const sweepMs = median(passes)
      const rate = (count * 1_000) / sweepMs
      return {
        lines: [
          {
            what: `a full pass over ${count} unchanged tenants`,
            measured: `${ms(sweepMs)}, ${perSecond(rate)}`,
            floor: `${ms(floorMs)} (the same objects compared, no more)`,
            ratio: ratioOf(sweepMs, floorMs),
            target: verdict(rate >= 2_000, '≥ 2,000/s'),
          },
          {
            what: `writes in ${runs} such passes`,
            measured: `${writes.kubernetes} to Kubernetes, ${writes.postgres} transactions in PostgreSQL, its own upkeep among them`,
            floor: '0',
            ratio: '',
            target: verdict(writes.kubernetes + writes.postgres === 0, '0'),
          },
        ],
        notes: [
          `${databases} of the ${count} tenants have a database, the others \`database: {mode: none}\``,
          `memory of the process: ${mebibytes(after.rss)} resident, ${mebibytes(after.heap)} heap with ${count} tenants; ${mebibytes(before.rss)} and ${mebibytes(before.heap)} with none`,
        ],
      }
    } finally {
      await store.close()
    }
  } finally {
    await servers.stop()
  }
}

/** Through the front door, as everybody's tenants are made; answers how many got a database. */
async function provision(running: Running, count: number, say: (text: string) => void): Promise<number> {
  const inTurn = gate(16)
  let databases = 0
  const startedMs = performance.now()
  await Promise.all(
    numbered('calm', count).map((name, index) => {
      const mode = index % databaseEvery === 0 ? 'shared' : 'none'
      if (mode === 'shared') databases += 1
      return inTurn(() => running.controlPlane.create(documentOf(name, mode), caller))
    }),
  )
  for (let left = count; left > 0;) {
    await new Promise((resolve) => setTimeout(resolve, 5_000 * Math.min(1, count / 100)))
    left = count - (await inPhase(running, 'Ready'))
    say(`${count - left} of ${count} tenants are Ready after ${ms(performance.now() - startedMs)}`)
  }
  return databases
}

async function inPhase(running: Running, phase: Phase): Promise<number> {
  const { items } = await running.controlPlane.list({ phase, limit: 10_000 })
  return items.length
}

/** Until the echo of the engine's own writes is over: nothing was written for two seconds. */
async function settled(servers: Servers, running: Running, count: number): Promise<void> {
  for (let calm = 0; calm < 4;) {
    const before = await writesSoFar(servers)
    await new Promise((resolve) => setTimeout(resolve, 500))
    const after = await writesSoFar(servers)
    calm = after.kubernetes === before.kubernetes && after.postgres === before.postgres ? calm + 1 : 0
  }
  if ((await inPhase(running, 'Ready')) !== count) throw new Error('not every tenant is Ready any more')
}

async function sweepOnce(store: StoreConnection, { products }: Running, count: number): Promise<number> {
  const startedMs = performance.now()
  const { checked, triggered } = await sweep(store, products, AbortSignal.timeout(60_000))
  const tookMs = performance.now() - startedMs
  // A pass that did not look, or that found work to do, is not what is measured here.
  if (checked !== count) throw new Error(`${checked} of ${count} tenants were checked`)
  if (triggered.length > 0)
    throw new Error(`${triggered.length} tenants were not as they should be, ${triggered[0]} among them`)
  return tookMs
}

interface Writes {
  readonly kubernetes: number
  readonly postgres: number
}

/**
 * PostgreSQL gives a number to every transaction that writes or locks rows and to no other, autovacuum's among them; the
 * API server counts its requests.
 */
async function writesSoFar({ kubernetes, postgres }: Servers): Promise<Writes> {
  const metrics = await ask(kubernetes.admin, 'GET', '/metrics')
  if (metrics.status !== 200) throw new Error(`the API server's metrics answer ${metrics.status}`)
  const requests = metrics.body
    .split('\n')
    // The API server keeps a lease of its own alive.
    .filter((line) => line.startsWith('apiserver_request_total{') && !line.includes('resource="leases"'))
    .filter((line) => /verb="(POST|PUT|PATCH|APPLY|DELETE|DELETECOLLECTION)"/.test(line))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  const transactions = await withClient(postgres, async (client) => {
    const { rows } = await client.query<{ next: string }>(
      'select pg_snapshot_xmax(pg_current_snapshot())::text as next',
    )
    return Number(rows[0]?.next)
  })
  return { kubernetes: requests, postgres: transactions }
}

/** The same objects, observed in the caches and compared with what was observed before; nothing else. */
async function comparing(store: StoreConnection, products: Products, runs: number): Promise<number> {
  const rows = await store.run((db) => listTenants(db, { limit: 10_000 }))
  const owners = await readOwners(
    store,
    rows.map((row) => row.uid),
  )
  const { context } = products
  const known = rows.flatMap((row) => {
    const tenant = tenantOf(row)
    const desired = products.layers
      .filter((layer) => layer.wanted(tenant, context))
      .flatMap((layer) => layer.desired(tenant, context))
    const inventory = owners.get(row.uid)?.inventory
    return desired.flatMap((resource) => {
      const id = inventory?.get(resource.address)?.id
      return id === undefined ? [] : [{ resource, driver: products.driverOf(resource), id }]
    })
  })
  const limits = { signal: AbortSignal.timeout(60_000), deadlineMs: Date.now() + 60_000, key: '', fresh: false }
  const look = async ({ resource, driver, id }: (typeof known)[number]): Promise<JsonObject> => {
    const seen = await driver.observe(resource, { ...limits, knownId: id })
    if (seen.status !== 'owned') throw new Error(`${resource.address} is ${seen.status}`)
    return seen.state
  }
  const states = await Promise.all(known.map(look))
  const times: number[] = []
  for (let run = 0; run < runs; run++) {
    const startedMs = performance.now()
    const now = await Promise.all(known.map(look))
    if (!now.every((state, index) => jsonEqual(state, states[index]))) throw new Error('an object changed meanwhile')
    times.push(performance.now() - startedMs)
  }
  return median(times)
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

function memory(): { readonly rss: number; readonly heap: number } {
  collectGarbage()
  const { rss, heapUsed } = process.memoryUsage()
  return { rss, heap: heapUsed }
}
