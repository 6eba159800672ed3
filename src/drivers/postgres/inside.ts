/**
 * What the fences inside a database are: who owns a schema, what PUBLIC may do with it, and what PUBLIC would get on
 * objects that a role makes later. Read over a connection into that database and kept with its age, because a
 * connection for each of thousands of databases at every pass would cost more than it tells.
 */
import type { JsonObject } from '../../model/json.ts'
import { grantsSql, publicPrivileges, type Grant } from './acl.ts'
import type { Session } from './connection.ts'
import type { FreshLimits } from './catalog.ts'
import type { Server } from './server.ts'

export interface SchemaRow {
  readonly name: string
  readonly owner: string
  readonly grants: readonly Grant[]
  readonly comment: string | null
}

export interface InsideFacts {
  readonly readAtMs: number
  readonly schemas: readonly SchemaRow[]
  /** By role, then by kind of object: what PUBLIC would get; the built-in defaults included. */
  readonly futurePublic: { readonly [role: string]: JsonObject }
}

/** The kinds of `pg_default_acl.defaclobjtype` that PUBLIC gets something on when nobody said otherwise (5.8). */
const builtin: { readonly [kind: string]: readonly string[] } = { functions: ['EXECUTE'], types: ['USAGE'] }
export const defaultKinds = {
  r: 'tables',
  S: 'sequences',
  f: 'functions',
  T: 'types',
  n: 'schemas',
  L: 'large objects',
} as const

export async function readInside(session: Session, now: () => number, roles: readonly string[]): Promise<InsideFacts> {
  const readAtMs = now()
  const schemas = await session.query<SchemaRow>(
    `SELECT n.nspname::text AS name, pg_get_userbyid(n.nspowner)::text AS owner, ${grantsSql('n.nspacl', 'n', 'n.nspowner')} AS grants,
       obj_description(n.oid, 'pg_namespace') AS comment
     FROM pg_namespace n WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1`,
  )
  const defaults = await session.query<{ role: string; schema: string | null; kind: string; grants: readonly Grant[] }>(
    `SELECT r.rolname::text AS role, n.nspname::text AS schema, a.defaclobjtype::text AS kind,
       ${grantsSql('a.defaclacl', 'n', 'a.defaclrole')} AS grants
     FROM pg_default_acl a JOIN pg_roles r ON r.oid = a.defaclrole LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace
     WHERE r.rolname = ANY ($1::text[])`,
    [[...roles]],
  )
  const futurePublic = Object.fromEntries(
    roles.map((role) => {
      const kinds = Object.entries(defaultKinds).flatMap(([letter, kind]) => {
        const rows = defaults.filter((row) => row.role === role && row.kind === letter)
        // A global entry replaces the built-in default, entries of a schema add to it.
        const global = rows.find((row) => row.schema === null)
        const held = new Set([
          ...(global === undefined ? (builtin[kind] ?? []) : publicPrivileges(global.grants)),
          ...rows.filter((row) => row.schema !== null).flatMap((row) => publicPrivileges(row.grants)),
        ])
        return held.size === 0 ? [] : [[kind, [...held].toSorted()] as const]
      })
      return [role, Object.fromEntries(kinds)]
    }),
  )
  return { readAtMs, schemas, futurePublic }
}

/** Facts by database oid. Ages are spread, so that a start does not read all databases again in one later moment. */
export interface InsideCache {
  get(
    database: { readonly oid: string; readonly name: string },
    roles: readonly string[],
    call: FreshLimits,
  ): Promise<InsideFacts>
  store(oid: string, facts: InsideFacts): void
  forget(oid: string): void
}

export function createInsideCache(server: Server): InsideCache {
  const kept = new Map<string, { readonly facts: InsideFacts; readonly staleAtMs: number }>()
  const store: InsideCache['store'] = (oid, facts) => {
    kept.set(oid, { facts, staleAtMs: facts.readAtMs + server.insideMaxAgeMs * (0.75 + (Number(oid) % 64) / 128) })
  }
  return {
    store,
    forget: (oid) => kept.delete(oid),
    async get(database, roles, call) {
      const entry = kept.get(database.oid)
      const covers = entry !== undefined && roles.every((role) => Object.hasOwn(entry.facts.futurePublic, role))
      if (covers && call.fresh !== true && server.now() < entry.staleAtMs) return entry.facts
      const facts = await server.connections.inside(
        database.name,
        `look into database ${database.name}`,
        call,
        (session) => readInside(session, server.now, roles),
      )
      store(database.oid, facts)
      return facts
    },
  }
}
