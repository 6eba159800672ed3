/**
 * The store's schema, one step a released version. A step is never edited after it was released; what it cannot do
 * in place, a later step does. Kysely's migrator keeps the record and takes the lock.
 */
import { type Kysely, sql } from 'kysely'
import { type Migration, Migrator } from 'kysely/migration'
import { RingfenceError } from '../model/errors.ts'

const first: Migration = {
  async up(db: Kysely<never>): Promise<void> {
    const statements = [
      `create schema if not exists ringfence`,
      `create table ringfence.tenants (
        uid uuid primary key, name text not null, generation bigint not null, resource_version bigint not null,
        document jsonb not null, digest text not null, names jsonb not null, phase text not null,
        observed_generation bigint not null default 0, conditions jsonb not null default '[]', proof jsonb,
        created_at timestamptz not null default now(), deleting_at timestamptz, gone_at timestamptz)`,
      `create unique index tenants_live_name on ringfence.tenants (name) where gone_at is null`,
      `create sequence ringfence.resource_versions`,
      `create table ringfence.name_claims (
        space text not null, name text not null, tenant_uid uuid not null references ringfence.tenants (uid),
        primary key (space, name))`,
      `create index name_claims_tenant on ringfence.name_claims (tenant_uid)`,
      `create table ringfence.inventory (
        owner text not null, address text not null, kind text not null, backend text not null,
        external_name text not null, backend_id text not null, resource jsonb not null, outputs jsonb not null,
        adopted boolean not null, created_at timestamptz not null default now(), primary key (owner, address))`,
      `create unique index inventory_backend_id on ringfence.inventory (backend, kind, backend_id, address)`,
      `create table ringfence.journal (
        id uuid primary key, owner text not null, address text not null, verb text not null, resource jsonb not null,
        started_at timestamptz not null default now(), outcome text, finished_at timestamptz)`,
      `create index journal_open on ringfence.journal (owner) where outcome is null`,
      `create table ringfence.credentials (
        owner text not null, source text not null, slot text not null, version int not null, state text not null,
        source_fingerprint text not null, verifiers jsonb not null, changed_at timestamptz not null default now(),
        primary key (owner, source, slot))`,
      `create sequence ringfence.fencing_tokens`,
      `create table ringfence.leases (
        key text primary key, holder text not null, token bigint not null, expires_at timestamptz not null)`,
      `create table ringfence.work (
        key text primary key, dirty bigint not null default 1, seen bigint not null default 0,
        run_after timestamptz not null default now(), attempts int not null default 0, reasons text[] not null default '{}')`,
      `create index work_due on ringfence.work (run_after)`,
      `create table ringfence.events (
        sequence bigint generated always as identity primary key, time timestamptz not null default clock_timestamp(),
        tenant text not null, type text not null, reason text not null, message text not null, layer text, address text)`,
      `create index events_tenant on ringfence.events (tenant, sequence)`,
      `create table ringfence.audit_heads (chain text primary key, position bigint not null, hash text not null)`,
      `create table ringfence.audit (
        sequence bigint generated always as identity primary key, chain text not null, position bigint not null,
        body text not null, hash text not null, previous_hash text not null, unique (chain, position))`,
      `create function ringfence.refuse_change() returns trigger language plpgsql as
        $$ begin raise exception 'the audit log is append-only' using errcode = 'restrict_violation'; end $$`,
      `create trigger audit_is_append_only before update or delete on ringfence.audit
        for each row execute function ringfence.refuse_change()`,
      `create trigger audit_is_not_truncated before truncate on ringfence.audit
        for each statement execute function ringfence.refuse_change()`,
      `create table ringfence.idempotency (
        caller text not null, route text not null, key text not null, body_digest text not null, status int,
        answer jsonb, created_at timestamptz not null default now(), primary key (caller, route, key))`,
    ]
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}

/** One row while the engine is paused; one that says whether the platform's own objects stand. */
const operations: Migration = {
  async up(db: Kysely<never>): Promise<void> {
    const statements = [
      `create table ringfence.pause (
        single boolean primary key default true check (single), since timestamptz not null default now(), actor text not null)`,
      `create table ringfence.platform (single boolean primary key default true check (single), stands boolean not null)`,
    ]
    for (const statement of statements) await sql.raw(statement).execute(db)
  },
}

/** What keeps the platform's own objects from standing, so that every tenant that waits for them can say so. */
const platformReason: Migration = {
  async up(db: Kysely<never>): Promise<void> {
    await sql.raw(`alter table ringfence.platform add column because text`).execute(db)
  },
}

/** In the order of their names; the newest is the schema that this code needs. */
export const migrations: { readonly [name: string]: Migration } = {
  '0001_first': first,
  '0002_operations': operations,
  '0003_platform_reason': platformReason,
}

/** Brings the store to the newest schema, or to the one named. A store of a newer version than this code is refused. */
export async function migrate(db: Kysely<never>, to?: string): Promise<readonly string[]> {
  const migrator = new Migrator({ db, provider: { getMigrations: async () => ({ ...migrations }) } })
  const { error, results } = await (to === undefined ? migrator.migrateToLatest() : migrator.migrateTo(to))
  if (error !== undefined) {
    throw new RingfenceError(
      'StoreUnavailable',
      `the store could not be brought to the schema of this version: ${error instanceof Error ? error.message : String(error)}`,
      {},
      error,
    )
  }
  return (results ?? []).map((result) => result.migrationName)
}
