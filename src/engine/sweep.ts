/**
 * The slow full resync: every tenant is compared with the world from watches and shared catalogs, in pages, without
 * lease or write. Only a tenant that is not as it should be is put into the queue, where a pass under a lease acts.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Resource } from '../model/resource.ts'
import { plan } from '../planner/plan.ts'
import { isChange } from '../planner/step.ts'
import type { StoreConnection } from '../store/connection.ts'
import { readOwners } from '../store/ledger.ts'
import { trigger } from '../store/leases.ts'
import { listTenants, tenantOf, type TenantRow } from '../store/tenants.ts'
import { observeAll } from './observe.ts'
import type { Products } from './products.ts'

export interface SweepResult {
  readonly checked: number
  readonly triggered: readonly string[]
}

const pageSize = 250

export async function sweep(store: StoreConnection, products: Products, signal: AbortSignal): Promise<SweepResult> {
  const triggered: string[] = []
  let checked = 0
  let after: string | undefined
  for (;;) {
    const rows = await store.run((db) =>
      listTenants(db, { limit: pageSize, ...(after === undefined ? {} : { after }) }),
    )
    if (rows.length === 0 || signal.aborted) return { checked, triggered }
    const owners = await readOwners(
      store,
      rows.map((row) => row.uid),
    )
    const off: string[] = []
    await Promise.all(
      rows.map(async (row) => {
        if (!(await isAsItShouldBe(row, owners.get(row.uid) ?? emptyOwner, products, signal))) off.push(row.uid)
      }),
    )
    if (off.length > 0) await store.run((db) => trigger(db, off, 'resync'))
    triggered.push(...rows.filter((row) => off.includes(row.uid)).map((row) => row.name))
    checked += rows.length
    after = rows.at(-1)?.name
    // Let requests and passes through between two pages.
    await pause(0)
  }
}

const emptyOwner = { inventory: new Map(), open: [], credentials: [] }

async function isAsItShouldBe(
  row: TenantRow,
  stored: Parameters<typeof observeAll>[1],
  products: Products,
  signal: AbortSignal,
): Promise<boolean> {
  const tenant = tenantOf(row)
  if (tenant.deleting === true || stored.open.length > 0 || row.observedGeneration !== row.generation) return false
  const { context } = products
  const layers = products.layers.filter((layer) => layer.wanted(tenant, context))
  if (layers.some((layer) => products.problem(layer, tenant) !== undefined)) return false
  const desired: readonly Resource[] = layers.flatMap((layer) => layer.desired(tenant, context))
  const deadlineMs = Date.now() + 8_000
  const observer = {
    driverOf: (resource: Resource) => products.driverOf(resource),
    window: () => ({ signal, deadlineMs }),
  }
  try {
    const { observed } = await observeAll(desired, stored, false, observer)
    const drawn = plan({
      owner: { name: tenant.name, uid: tenant.uid },
      desired,
      inventory: stored.inventory,
      observed,
      credentials: stored.credentials,
      removing: false,
      diff: (resource, state) => products.driverOf(resource).diff(resource, state),
    })
    return drawn.blocked.length === 0 && drawn.forget.length === 0 && !drawn.steps.some(isChange)
  } catch {
    // Whatever kept us from comparing, the pass will meet it too, and say so.
    return false
  }
}
