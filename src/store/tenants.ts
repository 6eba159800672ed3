/** Tenants and their name claims, as rows. Rules live with the callers; here only what a transaction must hold. */
import { type Insertable, sql } from 'kysely'
import { RingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { Condition, Phase } from '../model/status.ts'
import type { Tenant, TenantDocument, TenantNames } from '../model/tenant.ts'
import type { Database, StoreTransaction } from './connection.ts'
import type { Tables } from './schema.ts'

export interface TenantRow {
  readonly uid: string
  readonly name: string
  readonly generation: number
  readonly resourceVersion: number
  readonly document: TenantDocument
  readonly digest: string
  readonly names: TenantNames
  readonly phase: Phase
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
  readonly proof: JsonObject | null
  readonly createdAt: Date
  readonly deletingAt: Date | null
}

export interface NameClaim {
  /** Backend kind and server in which the name is unique, e.g. `kubernetes/Namespace`. */
  readonly space: string
  readonly name: string
}

const select = (db: Database | StoreTransaction) =>
  db.selectFrom('ringfence.tenants').selectAll().where('gone_at', 'is', null)
type Selected = Awaited<ReturnType<ReturnType<typeof select>['execute']>>[number]

const toRow = (row: Selected): TenantRow => ({
  uid: row.uid,
  name: row.name,
  generation: row.generation,
  resourceVersion: row.resource_version,
  document: row.document,
  digest: row.digest,
  names: row.names,
  phase: row.phase,
  observedGeneration: row.observed_generation,
  conditions: row.conditions,
  proof: row.proof,
  createdAt: row.created_at,
  deletingAt: row.deleting_at,
})

export async function findTenant(db: Database | StoreTransaction, name: string): Promise<TenantRow | undefined> {
  const row = await select(db).where('name', '=', name).executeTakeFirst()
  return row === undefined ? undefined : toRow(row)
}

export async function findTenantByUid(db: Database | StoreTransaction, uid: string): Promise<TenantRow | undefined> {
  const row = await select(db).where('uid', '=', uid).executeTakeFirst()
  return row === undefined ? undefined : toRow(row)
}

/**
 * Holds back everybody else who changes tenants until the transaction ends: what is allowed to one document depends on
 * all others, so that two must not be judged beside the same old ones.
 */
export const lockTenants = (tx: StoreTransaction) =>
  sql`select pg_advisory_xact_lock(hashtext('ringfence.tenants'))`.execute(tx)

/** Live tenants in the order of their names. */
export async function listTenants(
  db: Database | StoreTransaction,
  query: { readonly phase?: Phase; readonly after?: string; readonly limit: number },
): Promise<readonly TenantRow[]> {
  let rows = select(db).orderBy('name').limit(query.limit)
  if (query.phase !== undefined) rows = rows.where('phase', '=', query.phase)
  if (query.after !== undefined) rows = rows.where('name', '>', query.after)
  return (await rows.execute()).map(toRow)
}

/**
 * Inserts a tenant and claims its names, all or nothing. `NameConflict` names the claims that another tenant holds;
 * `Conflict` says that a tenant of that name was made meanwhile.
 */
export async function insertTenant(
  tx: StoreTransaction,
  tenant: Omit<
    TenantRow,
    | 'resourceVersion'
    | 'observedGeneration'
    | 'conditions'
    | 'proof'
    | 'createdAt'
    | 'deletingAt'
    | 'phase'
    | 'generation'
  >,
  claims: readonly NameClaim[],
): Promise<TenantRow> {
  const values: Insertable<Tables['ringfence.tenants']> = {
    uid: tenant.uid,
    name: tenant.name,
    generation: 1,
    resource_version: sql<number>`nextval('ringfence.resource_versions')` as never,
    document: JSON.stringify(tenant.document),
    digest: tenant.digest,
    names: JSON.stringify(tenant.names),
    phase: 'Pending',
    conditions: '[]',
    proof: null as never,
    deleting_at: null,
    gone_at: null,
  }
  const inserted = await tx.insertInto('ringfence.tenants').values(values).returningAll().executeTakeFirstOrThrow()
  await claimNames(tx, tenant.uid, claims)
  return toRow(inserted)
}

/** Claims names for a tenant; those it holds already stay. Throws `NameConflict` naming what another holds. */
export async function claimNames(tx: StoreTransaction, uid: string, claims: readonly NameClaim[]): Promise<void> {
  const distinct = [...new Map(claims.map((claim) => [`${claim.space}\0${claim.name}`, claim])).values()]
  // In one order, so that two tenants that claim the same names cannot wait for each other.
  const ordered = distinct.toSorted((a, b) => (`${a.space}\0${a.name}` < `${b.space}\0${b.name}` ? -1 : 1))
  const { rows } = await sql<{ space: string; name: string; tenant_uid: string }>`
    insert into ringfence.name_claims as held (space, name, tenant_uid)
    select space, name, ${uid}::uuid
    from unnest(${sql.val(ordered.map(({ space }) => space))}::text[], ${sql.val(ordered.map(({ name }) => name))}::text[]) as claim (space, name)
    on conflict (space, name) do update set name = held.name returning space, name, tenant_uid`.execute(tx)
  const taken = rows.filter((row) => row.tenant_uid !== uid).map(({ space, name }) => `${space} ${name}`)
  if (taken.length > 0) {
    throw new RingfenceError('NameConflict', `another tenant holds ${taken.join(', ')}; choose another name or slug`, {
      names: taken.join(', '),
    })
  }
}

/** Replaces the document; the generation grows. `Conflict` when the resource version is not the one given. */
export async function replaceDocument(
  tx: StoreTransaction,
  uid: string,
  seenVersion: number,
  document: TenantDocument,
  digest: string,
): Promise<TenantRow> {
  const row = await tx
    .updateTable('ringfence.tenants')
    .set({
      document: JSON.stringify(document),
      digest,
      generation: sql`generation + 1`,
      resource_version: sql`nextval('ringfence.resource_versions')`,
    })
    .where('uid', '=', uid)
    .where('resource_version', '=', seenVersion)
    .where('gone_at', 'is', null)
    .returningAll()
    .executeTakeFirst()
  if (row === undefined)
    throw new RingfenceError('Conflict', 'the tenant was changed by somebody else; read it again', { uid })
  return toRow(row)
}

/** Marks a tenant for removal; repeating it keeps the first time. */
export async function markDeleting(tx: StoreTransaction, uid: string): Promise<TenantRow> {
  const row = await tx
    .updateTable('ringfence.tenants')
    .set({
      deleting_at: sql`coalesce(deleting_at, clock_timestamp())`,
      phase: 'TearingDown',
      resource_version: sql`nextval('ringfence.resource_versions')`,
    })
    .where('uid', '=', uid)
    .where('gone_at', 'is', null)
    .returningAll()
    .executeTakeFirstOrThrow()
  return toRow(row)
}

/**
 * Ends a tenant. Names of what was retained stay claimed, so that no successor inherits them; the others are free.
 */
export async function markGone(tx: StoreTransaction, uid: string, retained: readonly NameClaim[]): Promise<void> {
  await tx
    .updateTable('ringfence.tenants')
    .set({
      gone_at: sql`clock_timestamp()`,
      phase: 'Gone',
      resource_version: sql`nextval('ringfence.resource_versions')`,
    })
    .where('uid', '=', uid)
    .execute()
  const kept = new Set(retained.map((claim) => `${claim.space}\0${claim.name}`))
  const claims = await tx.selectFrom('ringfence.name_claims').selectAll().where('tenant_uid', '=', uid).execute()
  for (const claim of claims) {
    if (kept.has(`${claim.space}\0${claim.name}`)) continue
    await tx
      .deleteFrom('ringfence.name_claims')
      .where('space', '=', claim.space)
      .where('name', '=', claim.name)
      .execute()
  }
}

export interface StatusWrite {
  readonly phase: Phase
  readonly observedGeneration: number
  readonly conditions: readonly Condition[]
  readonly proof?: JsonObject
}

/** Writes what a pass found, without touching the resource version: status is not the user's document. */
export async function writeStatus(tx: StoreTransaction, uid: string, status: StatusWrite): Promise<void> {
  await tx
    .updateTable('ringfence.tenants')
    .set({
      phase: status.phase,
      observed_generation: status.observedGeneration,
      conditions: JSON.stringify(status.conditions),
      ...(status.proof === undefined ? {} : { proof: JSON.stringify(status.proof) }),
    })
    .where('uid', '=', uid)
    .where('gone_at', 'is', null)
    .execute()
}

/** The tenant as layers see it. */
export const tenantOf = (row: TenantRow): Tenant => ({
  name: row.name,
  uid: row.uid,
  generation: row.generation,
  spec: row.document.spec,
  labels: row.document.metadata.labels,
  names: row.names,
  ...(row.deletingAt === null ? {} : { deleting: true }),
})
