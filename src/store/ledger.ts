/**
 * What a pass writes: intents and outcomes with their audit entries, the inventory and the credentials' fingerprints.
 * Every write is one transaction under the lease's fencing token; under a stale one nothing is written.
 */
import { sql } from 'kysely'
import type { AuditFact } from '../audit/entry.ts'
import { type Address, backendId, type BackendId, type Outputs, type Resource } from '../model/resource.ts'
import type { CredentialRow } from '../planner/credentials.ts'
import type { InventoryRow } from '../planner/plan.ts'
import { appendAudit } from './audit-log.ts'
import type { StoreConnection, StoreTransaction } from './connection.ts'
import { fence, type Lease } from './leases.ts'

export type JournalVerb = 'create' | 'update' | 'delete' | 'adopt' | 'release' | 'remove-addition'

export interface Intent {
  /** The journal id; drivers get it as the idempotency key and leave it on what they create as a mark. */
  readonly id: string
  readonly address: Address
  readonly verb: JournalVerb
  readonly resource: Resource
}

export interface OpenIntent extends Intent {
  readonly startedAt: Date
}

export interface Outcome {
  readonly id: string
  readonly outcome: 'done' | 'failed' | 'recovered'
}

/** Everything of one moment of a pass; written together or not at all. */
export interface LedgerEntry {
  readonly intents?: readonly Intent[]
  readonly outcomes?: readonly Outcome[]
  readonly remember?: readonly InventoryRow[]
  readonly forget?: readonly Address[]
  readonly credentials?: readonly CredentialRow[]
  readonly forgetCredentials?: readonly Address[]
  readonly audit?: readonly AuditFact[]
  readonly events?: readonly EventFact[]
}

export interface EventFact {
  readonly tenant: string
  readonly type: 'phase' | 'step' | 'drift' | 'condition' | 'proof' | 'warning'
  readonly reason: string
  readonly message: string
  readonly layer?: string
  readonly address?: string
}

export interface OwnerState {
  readonly inventory: ReadonlyMap<Address, InventoryRow>
  readonly open: readonly OpenIntent[]
  readonly credentials: readonly CredentialRow[]
}

export interface Ledger {
  read(owner: string): Promise<OwnerState>
  /** Writes under the lease; throws `StaleFence` or `AuditUnavailable` and then wrote nothing. */
  write(lease: Lease, owner: string, entry: LedgerEntry): Promise<void>
}

export function createLedger(store: StoreConnection): Ledger {
  return {
    read: (owner) => readOwner(store, owner),
    write: (lease, owner, entry) =>
      store.transact(async (tx) => {
        await fence(tx, lease)
        await writeJournal(tx, owner, entry)
        await writeInventory(tx, owner, entry)
        await writeCredentials(tx, owner, entry)
        await appendAudit(tx, entry.audit ?? [])
        await appendEvents(tx, entry.events ?? [])
      }),
  }
}

const readOwner = async (store: StoreConnection, owner: string): Promise<OwnerState> =>
  (await readOwners(store, [owner])).get(owner) ?? { inventory: new Map(), open: [], credentials: [] }

/** The state of many owners with three queries; owners without any row are left out. */
export async function readOwners(store: StoreConnection, owners: readonly string[]): Promise<ReadonlyMap<string, OwnerState>> {
  if (owners.length === 0) return new Map()
  const [inventory, open, credentials] = await store.run((db) =>
    Promise.all([
      db.selectFrom('ringfence.inventory').selectAll().where('owner', 'in', owners).execute(),
      db.selectFrom('ringfence.journal').selectAll().where('owner', 'in', owners).where('outcome', 'is', null).orderBy('started_at').execute(),
      db.selectFrom('ringfence.credentials').selectAll().where('owner', 'in', owners).execute(),
    ]),
  )
  const states = new Map<string, { inventory: Map<Address, InventoryRow>; open: OpenIntent[]; credentials: CredentialRow[] }>()
  const stateOf = (owner: string) => {
    const known = states.get(owner)
    if (known !== undefined) return known
    const fresh = { inventory: new Map<Address, InventoryRow>(), open: [] as OpenIntent[], credentials: [] as CredentialRow[] }
    states.set(owner, fresh)
    return fresh
  }
  for (const row of inventory) {
    const address = row.address as Address
    stateOf(row.owner).inventory.set(address, {
      address,
      id: backendId(row.backend_id),
      resource: row.resource,
      outputs: row.outputs,
      adopted: row.adopted,
    })
  }
  for (const row of open) {
    const verb = row.verb as JournalVerb
    stateOf(row.owner).open.push({ id: row.id, address: row.address as Address, verb, resource: row.resource, startedAt: row.started_at })
  }
  for (const row of credentials) {
    stateOf(row.owner).credentials.push({
      source: row.source as Address,
      slot: row.slot,
      version: row.version,
      state: row.state,
      sourceFingerprint: row.source_fingerprint,
      verifiers: row.verifiers,
    })
  }
  return states
}

/** What objects hand to others, by owner and address: endpoints and the like. Rows without any are left out. */
export async function readOutputs(store: StoreConnection): Promise<ReadonlyMap<string, ReadonlyMap<Address, Outputs>>> {
  const rows = await store.run((db) =>
    db.selectFrom('ringfence.inventory').select(['owner', 'address', 'outputs']).where(sql<boolean>`outputs <> '{}'::jsonb`).execute(),
  )
  const byOwner = new Map<string, Map<Address, Outputs>>()
  for (const row of rows) {
    const outputs = byOwner.get(row.owner) ?? new Map<Address, Outputs>()
    byOwner.set(row.owner, outputs.set(row.address as Address, row.outputs))
  }
  return byOwner
}

/** The backends' ids of what was made for these owners, by owner and address. */
export async function readIds(store: StoreConnection, owners: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<Address, BackendId>>> {
  if (owners.length === 0) return new Map()
  const rows = await store.run((db) =>
    db.selectFrom('ringfence.inventory').select(['owner', 'address', 'backend_id']).where('owner', 'in', owners).execute(),
  )
  const byOwner = new Map<string, Map<Address, BackendId>>()
  for (const row of rows) {
    const ids = byOwner.get(row.owner) ?? new Map<Address, BackendId>()
    byOwner.set(row.owner, ids.set(row.address as Address, backendId(row.backend_id)))
  }
  return byOwner
}

/** Whose objects of these external names are, by kind and name; `platform` among the owners. */
export async function ownersOf(store: StoreConnection, externalNames: readonly string[]): Promise<ReadonlyMap<string, string>> {
  if (externalNames.length === 0) return new Map()
  const rows = await store.run((db) =>
    db.selectFrom('ringfence.inventory').select(['owner', 'kind', 'external_name']).where('external_name', 'in', [...new Set(externalNames)]).execute(),
  )
  return new Map(rows.map((row) => [`${row.kind} ${row.external_name}`, row.owner]))
}

async function writeJournal(tx: StoreTransaction, owner: string, entry: LedgerEntry): Promise<void> {
  if (entry.intents !== undefined && entry.intents.length > 0) {
    await tx
      .insertInto('ringfence.journal')
      .values(
        entry.intents.map((intent) => ({
          id: intent.id,
          owner,
          address: intent.address,
          verb: intent.verb,
          resource: JSON.stringify(intent.resource),
          outcome: null,
          finished_at: null,
        })),
      )
      .execute()
  }
  for (const [outcome, done] of Map.groupBy(entry.outcomes ?? [], (one) => one.outcome)) {
    const ids = done.map((one) => one.id)
    await tx
      .updateTable('ringfence.journal')
      .set({ outcome, finished_at: sql`clock_timestamp()` })
      .where('id', 'in', ids)
      .where('outcome', 'is', null)
      .execute()
  }
}

async function writeInventory(tx: StoreTransaction, owner: string, entry: LedgerEntry): Promise<void> {
  if (entry.remember !== undefined && entry.remember.length > 0) {
    await tx
      .insertInto('ringfence.inventory')
      .values(
        entry.remember.map((row) => ({
          owner,
          address: row.address,
          kind: row.resource.kind,
          backend: row.resource.backend,
          external_name: row.resource.externalName,
          backend_id: row.id,
          resource: JSON.stringify(row.resource),
          outputs: JSON.stringify(row.outputs satisfies Outputs),
          adopted: row.adopted,
        })),
      )
      .onConflict((conflict) =>
        conflict.columns(['owner', 'address']).doUpdateSet((eb) => ({
          kind: eb.ref('excluded.kind'),
          backend: eb.ref('excluded.backend'),
          external_name: eb.ref('excluded.external_name'),
          backend_id: eb.ref('excluded.backend_id'),
          resource: eb.ref('excluded.resource'),
          outputs: eb.ref('excluded.outputs'),
          adopted: eb.ref('excluded.adopted'),
        })),
      )
      .execute()
  }
  if (entry.forget !== undefined && entry.forget.length > 0) {
    await tx.deleteFrom('ringfence.inventory').where('owner', '=', owner).where('address', 'in', entry.forget).execute()
  }
}

async function writeCredentials(tx: StoreTransaction, owner: string, entry: LedgerEntry): Promise<void> {
  for (const row of entry.credentials ?? []) {
    const values = {
      version: row.version,
      state: row.state,
      source_fingerprint: row.sourceFingerprint,
      verifiers: JSON.stringify(row.verifiers),
    }
    await tx
      .insertInto('ringfence.credentials')
      .values({ owner, source: row.source, slot: row.slot, ...values })
      .onConflict((conflict) => conflict.columns(['owner', 'source', 'slot']).doUpdateSet({ ...values, changed_at: sql`clock_timestamp()` }))
      .execute()
  }
  if (entry.forgetCredentials !== undefined && entry.forgetCredentials.length > 0) {
    await tx.deleteFrom('ringfence.credentials').where('owner', '=', owner).where('source', 'in', entry.forgetCredentials).execute()
  }
}

/** Appends progress events and wakes those who listen, when the transaction commits. */
export async function appendEvents(tx: StoreTransaction, events: readonly EventFact[]): Promise<void> {
  if (events.length === 0) return
  await tx
    .insertInto('ringfence.events')
    .values(
      events.map((event) => ({
        tenant: event.tenant,
        type: event.type,
        reason: event.reason,
        message: event.message,
        layer: event.layer ?? null,
        address: event.address ?? null,
      })),
    )
    .execute()
  await sql`select pg_notify('ringfence_events', '')`.execute(tx)
}
