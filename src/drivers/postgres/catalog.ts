/**
 * The shared catalogs of a server (roles, memberships, databases with their access lists and comments), read in two
 * statements for all tenants and kept for a moment, so that observing thousands of tenants costs one read. A name that
 * we wrote to is read by itself until the next whole read began after the write. Owns freshness, not meaning.
 */
import { RingfenceError } from '../../model/errors.ts'
import { grantsSql, type Grant } from './acl.ts'
import type { Connections, Limits, Session } from './connection.ts'

export interface RoleRow {
  readonly oid: string
  readonly name: string
  readonly superuser: boolean
  readonly createRole: boolean
  readonly createDb: boolean
  readonly replication: boolean
  readonly bypassRls: boolean
  readonly login: boolean
  readonly inherit: boolean
  readonly connectionLimit: number
  readonly validUntil: string | null
  /** `name=value` as the server keeps them. */
  readonly settings: readonly string[]
  /** The same, where they hold in one database only: `database: name=value`. */
  readonly databaseSettings: readonly string[]
  readonly memberOf: readonly string[]
  readonly members: readonly string[]
  readonly comment: string | null
  /** SHA-256 in hex of what the server keeps to check the password; null where we may not read it or there is none. */
  readonly verifierDigest: string | null
}

export interface DatabaseRow {
  readonly oid: string
  readonly name: string
  readonly owner: string
  readonly ownerComment: string | null
  readonly encoding: string
  readonly allowConnections: boolean
  readonly isTemplate: boolean
  readonly connectionLimit: number
  readonly settings: readonly string[]
  readonly grants: readonly Grant[]
  readonly comment: string | null
}

/** The rows to read: all, or one by name or oid. */
type Selection = { readonly by: 'all' } | { readonly by: 'name' | 'oid'; readonly value: string }

const where = (selection: Selection, name: string, oid: string): string =>
  selection.by === 'all' ? '' : selection.by === 'name' ? `WHERE ${name} = $1` : `WHERE ${oid} = $1::text::oid`

/** Whether `pg_authid` may be read; otherwise fingerprints of verifiers are unknown. */
export const canReadVerifiers = async (session: Session): Promise<boolean> =>
  (await session.query<{ ok: boolean }>(`SELECT has_column_privilege('pg_authid', 'rolpassword', 'SELECT') AS ok`))[0]
    ?.ok === true

export async function readRoles(
  session: Session,
  selection: Selection,
  verifiers: boolean,
): Promise<readonly RoleRow[]> {
  const digest = verifiers
    ? `(SELECT encode(sha256(convert_to(a.rolpassword, 'UTF8')), 'hex') FROM pg_authid a WHERE a.oid = r.oid)`
    : 'NULL::text'
  const text = `SELECT r.oid::text AS oid, r.rolname::text AS name, r.rolsuper AS superuser, r.rolcreaterole AS "createRole",
      r.rolcreatedb AS "createDb", r.rolreplication AS replication, r.rolbypassrls AS "bypassRls", r.rolcanlogin AS login,
      r.rolinherit AS inherit, r.rolconnlimit AS "connectionLimit", r.rolvaliduntil::text AS "validUntil",
      coalesce(r.rolconfig, '{}') AS settings,
      ARRAY(SELECT d.datname || ': ' || unnest(s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
        WHERE s.setrole = r.oid ORDER BY 1) AS "databaseSettings",
      ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
        WHERE m.member = r.oid ORDER BY 1) AS "memberOf",
      ARRAY(SELECT DISTINCT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
        WHERE m.roleid = r.oid ORDER BY 1) AS members,
      c.description AS comment, ${digest} AS "verifierDigest"
    FROM pg_roles r LEFT JOIN pg_shdescription c ON c.objoid = r.oid AND c.classoid = 'pg_authid'::regclass
    ${where(selection, 'r.rolname', 'r.oid')}`
  return session.query<RoleRow>(text, selection.by === 'all' ? [] : [selection.value])
}

export async function readDatabases(session: Session, selection: Selection): Promise<readonly DatabaseRow[]> {
  const text = `SELECT d.oid::text AS oid, d.datname::text AS name, pg_get_userbyid(d.datdba)::text AS owner,
      o.description AS "ownerComment", pg_encoding_to_char(d.encoding)::text AS encoding, d.datallowconn AS "allowConnections",
      d.datistemplate AS "isTemplate", d.datconnlimit AS "connectionLimit",
      coalesce((SELECT s.setconfig FROM pg_db_role_setting s WHERE s.setdatabase = d.oid AND s.setrole = 0), '{}') AS settings,
      ${grantsSql('d.datacl', 'd', 'd.datdba')} AS grants, c.description AS comment
    FROM pg_database d LEFT JOIN pg_shdescription c ON c.objoid = d.oid AND c.classoid = 'pg_database'::regclass
      LEFT JOIN pg_shdescription o ON o.objoid = d.datdba AND o.classoid = 'pg_authid'::regclass
    ${where(selection, 'd.datname', 'd.oid')}`
  return session.query<DatabaseRow>(text, selection.by === 'all' ? [] : [selection.value])
}

/** A call that may insist on what is true now. */
export interface FreshLimits extends Limits {
  readonly fresh?: boolean
}

/** Rows of one catalog by name and oid, with their age. */
export interface Table<Row> {
  find(by: 'name' | 'oid', value: string, limits: FreshLimits): Promise<Row | undefined>
  /** What was just read or written by us; keeps the copy in step without a whole read. */
  store(name: string, row: Row | undefined): void
  /** What a name holds is in doubt: it is read by itself from now on. */
  doubt(name: string): void
}

export interface TableOptions {
  readonly maxAgeMs: number
  readonly now: () => number
}

/**
 * Keeps the rows of one catalog. One whole read serves all that ask while it runs; it has limits of its own, so that a
 * caller who gives up does not take the others with it.
 */
export function createTable<Row extends { readonly oid: string; readonly name: string }>(
  read: (selection: Selection, limits: Limits) => Promise<readonly Row[]>,
  options: TableOptions,
): Table<Row> {
  let names = new Map<string, Row>()
  let oids = new Map<string, Row>()
  let readAtMs = -Infinity
  let flight: Promise<void> | undefined
  const doubts = new Map<string, number>()

  async function readAll(): Promise<void> {
    const begunMs = options.now()
    const rows = await read({ by: 'all' }, { signal: new AbortController().signal, deadlineMs: Date.now() + 60_000 })
    names = new Map(rows.map((row) => [row.name, row]))
    oids = new Map(rows.map((row) => [row.oid, row]))
    readAtMs = begunMs
    for (const [name, atMs] of doubts) if (atMs < begunMs) doubts.delete(name)
  }
  const store: Table<Row>['store'] = (name, row) => {
    const before = names.get(name)
    if (before !== undefined) oids.delete(before.oid)
    names.delete(name)
    if (row === undefined) return
    names.set(row.name, row)
    oids.set(row.oid, row)
  }
  return {
    async find(by, value, limits) {
      const alone = limits.fresh === true || (by === 'name' && doubts.has(value))
      if (alone) {
        const [row] = await read({ by, value }, limits)
        if (by === 'name') store(value, row)
        return row
      }
      if (options.now() - readAtMs > options.maxAgeMs) {
        flight ??= readAll().finally(() => {
          flight = undefined
        })
        await orAborted(flight, limits)
        // It may have begun before a write of ours that ended while it ran.
        if (by === 'name' && doubts.has(value)) return (await read({ by, value }, limits))[0]
      }
      return by === 'name' ? names.get(value) : oids.get(value)
    },
    store,
    doubt: (name) => doubts.set(name, options.now()),
  }
}

/** Stops waiting, not the work, when the caller is called off or its deadline passes. */
async function orAborted(work: Promise<void>, limits: Limits): Promise<void> {
  if (limits.signal.aborted) throw new RingfenceError('Aborted', 'read the shared catalogs: called off')
  let stop: () => void = () => undefined
  const stopped = new Promise<never>((_, reject) => {
    const onAbort = () => reject(new RingfenceError('Aborted', 'read the shared catalogs: called off'))
    const timer = setTimeout(
      () => reject(new RingfenceError('Timeout', 'read the shared catalogs: no answer in time')),
      Math.min(2 ** 31 - 1, Math.max(0, limits.deadlineMs - Date.now())),
    )
    limits.signal.addEventListener('abort', onAbort, { once: true })
    stop = () => {
      clearTimeout(timer)
      limits.signal.removeEventListener('abort', onAbort)
    }
  })
  await Promise.race([work, stopped]).finally(stop)
}

/** Both tables of one server, and its identity. */
export interface Catalog {
  readonly roles: Table<RoleRow>
  readonly databases: Table<DatabaseRow>
  /** The id that `initdb` gave the cluster: oids mean something only together with it. */
  system(limits: Limits): Promise<string>
}

export function createCatalog(connections: Connections, options: TableOptions): Catalog {
  let system: string | undefined
  let verifiers: boolean | undefined
  return {
    roles: createTable(
      (selection, limits) =>
        connections.run('read the roles', limits, async (session) => {
          verifiers ??= await canReadVerifiers(session)
          return readRoles(session, selection, verifiers)
        }),
      options,
    ),
    databases: createTable(
      (selection, limits) =>
        connections.run('read the databases', limits, (session) => readDatabases(session, selection)),
      options,
    ),
    system: async (limits) =>
      (system ??= await connections.run('read the system identifier', limits, async (session) => {
        const [row] = await session.query<{ id: string }>(
          'SELECT system_identifier::text AS id FROM pg_control_system()',
        )
        if (row === undefined) throw new RingfenceError('Unreadable', 'the server does not say its system identifier')
        return row.id
      })),
  }
}
