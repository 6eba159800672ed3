/**
 * What a pass writes: intents and outcomes with their audit entries, the inventory and the credentials' fingerprints.
 * Every write is one transaction under the lease's fencing token; under a stale one nothing is written.
 */
import { sql } from 'kysely'
import type { AuditFact } from '../audit/entry.ts'
import { type Address, backendId, type BackendId, type Outputs, type Resource } from '../model/resource.ts'
import type { CredentialRow } from '../planner/credentials.ts'
import type { InventoryRow } from '../planner/step.ts'
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
        await writeEntry(tx, owner, entry)
        await appendAudit(tx, entry.audit ?? [])
      }),
  }
}

const readOwner = async (store: StoreConnection, owner: string): Promise<OwnerState> =>
  (await readOwners(store, [owner])).get(owner) ?? { inventory: new Map(), open: [], credentials: [] }

/** The state of many owners with three queries; owners without any row are left out. */
export async function readOwners(
  store: StoreConnection,
  owners: readonly string[],
): Promise<ReadonlyMap<string, OwnerState>> {
  if (owners.length === 0) return new Map()
  const [inventory, open, credentials] = await store.run((db) =>
    Promise.all([
      db.selectFrom('ringfence.inventory').selectAll().where('owner', 'in', owners).execute(),
      db
        .selectFrom('ringfence.journal')
        .selectAll()
        .where('owner', 'in', owners)
        .where('outcome', 'is', null)
        .orderBy('started_at')
        .execute(),
      db.selectFrom('ringfence.credentials').selectAll().where('owner', 'in', owners).execute(),
    ]),
  )
  const states = new Map<
    string,
    { inventory: Map<Address, InventoryRow>; open: OpenIntent[]; credentials: CredentialRow[] }
  >()
  const stateOf = (owner: string) => {
    const known = states.get(owner)
    if (known !== undefined) return known
    const fresh = {
      inventory: new Map<Address, InventoryRow>(),
      open: [] as OpenIntent[],
      credentials: [] as CredentialRow[],
    }
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
    stateOf(row.owner).open.push({
      id: row.id,
      address: row.address as Address,
      verb,
      resource: row.resource,
      startedAt: row.started_at,
    })
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
    db
      .selectFrom('ringfence.inventory')
      .select(['owner', 'address', 'outputs'])
      .where(sql<boolean>`outputs <> '{}'::jsonb`)
      .execute(),
  )
  const byOwner = new Map<string, Map<Address, Outputs>>()
  for (const row of rows) {
    const outputs = byOwner.get(row.owner) ?? new Map<Address, Outputs>()
    byOwner.set(row.owner, outputs.set(row.address as Address, row.outputs))
  }
  return byOwner
}

/** The backends' ids of what was made for these owners, by owner and address. */
export async function readIds(
  store: StoreConnection,
  owners: readonly string[],
): Promise<ReadonlyMap<string, ReadonlyMap<Address, BackendId>>> {
  if (owners.length === 0) return new Map()
  const rows = await store.run((db) =>
    db
      .selectFrom('ringfence.inventory')
      .select(['owner', 'address', 'backend_id'])
      .where('owner', 'in', owners)
      .execute(),
  )
  const byOwner = new Map<string, Map<Address, BackendId>>()
  for (const row of rows) {
    const ids = byOwner.get(row.owner) ?? new Map<Address, BackendId>()
    byOwner.set(row.owner, ids.set(row.address as Address, backendId(row.backend_id)))
  }
  return byOwner
}

/** Whose objects of these external names are, by kind and name; `platform` among the owners. */
export async function ownersOf(
  store: StoreConnection,
  externalNames: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  if (externalNames.length === 0) return new Map()
  const rows = await store.run((db) =>
    db
      .selectFrom('ringfence.inventory')
      .select(['owner', 'kind', 'external_name'])
      .where('external_name', 'in', [...new Set(externalNames)])
      .execute(),
  )
  return new Map(rows.map((row) => [`${row.kind} ${row.external_name}`, row.owner]))
}

/**
 * Everything but the audit entries in one statement: a pass writes a dozen times, and every round trip would be felt.
 * Its parts touch different rows, so that none of them has to see what another wrote.
 */
async function writeEntry(tx: StoreTransaction, owner: string, entry: LedgerEntry): Promise<void> {
  const {
    intents = [],
    outcomes = [],
    remember = [],
    forget = [],
    credentials = [],
    forgetCredentials = [],
    events = [],
  } = entry
  const parts = [
    ...(intents.length === 0 ? [] : [insertIntents(owner, intents)]),
    ...(outcomes.length === 0 ? [] : [updateOutcomes(outcomes)]),
    ...(remember.length === 0 ? [] : [upsertInventory(owner, remember)]),
    ...(forget.length === 0
      ? []
      : [
          sql`forgotten as (delete from ringfence.inventory where owner = ${owner} and address = any(${texts(forget)}))`,
        ]),
    ...(credentials.length === 0 ? [] : [upsertCredentials(owner, credentials)]),
    ...(forgetCredentials.length === 0
      ? []
      : [
          sql`revoked as (delete from ringfence.credentials where owner = ${owner} and source = any(${texts(forgetCredentials)}))`,
        ]),
    ...(events.length === 0 ? [] : [insertEvents(events)]),
  ]
  if (parts.length > 0)
    await sql`with ${sql.join(parts)} ${events.length === 0 ? sql`select 1` : wakeReaders}`.execute(tx)
}

const texts = (values: readonly (string | null)[]) => sql`${sql.val(values)}::text[]`

const insertIntents = (owner: string, intents: readonly Intent[]) => sql`
  intended as (
    insert into ringfence.journal (id, owner, address, verb, resource)
    select id::uuid, ${owner}::text, address, verb, resource::jsonb
    from unnest(${texts(intents.map(({ id }) => id))}, ${texts(intents.map(({ address }) => address))},
      ${texts(intents.map(({ verb }) => verb))}, ${texts(intents.map(({ resource }) => JSON.stringify(resource)))})
      as new (id, address, verb, resource))`

const updateOutcomes = (outcomes: readonly Outcome[]) => sql`
  settled as (
    update ringfence.journal as journal set outcome = new.outcome, finished_at = clock_timestamp()
    from unnest(${texts(outcomes.map(({ id }) => id))}, ${texts(outcomes.map(({ outcome }) => outcome))}) as new (id, outcome)
    where journal.id = new.id::uuid and journal.outcome is null)`

const upsertInventory = (owner: string, rows: readonly InventoryRow[]) => sql`
  remembered as (
    insert into ringfence.inventory (owner, address, kind, backend, external_name, backend_id, resource, outputs, adopted)
    select ${owner}::text, address, kind, backend, external_name, backend_id, resource::jsonb, outputs::jsonb, adopted::boolean
    from unnest(${texts(rows.map(({ address }) => address))}, ${texts(rows.map(({ resource }) => resource.kind))},
      ${texts(rows.map(({ resource }) => resource.backend))}, ${texts(rows.map(({ resource }) => resource.externalName))},
      ${texts(rows.map(({ id }) => id))}, ${texts(rows.map(({ resource }) => JSON.stringify(resource)))},
      ${texts(rows.map(({ outputs }) => JSON.stringify(outputs)))}, ${texts(rows.map(({ adopted }) => String(adopted)))})
      as new (address, kind, backend, external_name, backend_id, resource, outputs, adopted)
    on conflict (owner, address) do update set
      kind = excluded.kind, backend = excluded.backend, external_name = excluded.external_name, backend_id = excluded.backend_id,
      resource = excluded.resource, outputs = excluded.outputs,
      -- What was once taken over is its owner's as long as it lives, whatever the document says later.
      adopted = excluded.adopted or (inventory.adopted and inventory.backend_id = excluded.backend_id))`

const upsertCredentials = (owner: string, rows: readonly CredentialRow[]) => sql`
  proven as (
    insert into ringfence.credentials (owner, source, slot, version, state, source_fingerprint, verifiers)
    select ${owner}::text, source, slot, version::int, state, fingerprint, verifiers::jsonb
    from unnest(${texts(rows.map(({ source }) => source))}, ${texts(rows.map(({ slot }) => slot))},
      ${texts(rows.map(({ version }) => String(version)))}, ${texts(rows.map(({ state }) => state))},
      ${texts(rows.map(({ sourceFingerprint }) => sourceFingerprint))}, ${texts(rows.map(({ verifiers }) => JSON.stringify(verifiers)))})
      as new (source, slot, version, state, fingerprint, verifiers)
    on conflict (owner, source, slot) do update set
      version = excluded.version, state = excluded.state, source_fingerprint = excluded.source_fingerprint,
      verifiers = excluded.verifiers, changed_at = clock_timestamp())`

const insertEvents = (events: readonly EventFact[]) => sql`
  told as (
    insert into ringfence.events (tenant, type, reason, message, layer, address)
    select * from unnest(${texts(events.map(({ tenant }) => tenant))}, ${texts(events.map(({ type }) => type))},
      ${texts(events.map(({ reason }) => reason))}, ${texts(events.map(({ message }) => message))},
      ${texts(events.map(({ layer }) => layer ?? null))}, ${texts(events.map(({ address }) => address ?? null))}))`

const wakeReaders = sql`select pg_notify('ringfence_events', '')`

/** Appends progress events and wakes those who listen, when the transaction commits. */
export async function appendEvents(tx: StoreTransaction, events: readonly EventFact[]): Promise<void> {
  if (events.length > 0) await sql`with ${insertEvents(events)} ${wakeReaders}`.execute(tx)
}
