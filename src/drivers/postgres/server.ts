/**
 * What the drivers of one PostgreSQL server share: its connections and catalogs, how ids are spelled, how a change is
 * kept on the object that was meant, and how sessions are ended. Decides nothing about tenants.
 */
import type { PostgresAccess } from '../../model/backends.ts'
import type { Call, Drift, Observation } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import { jsonEqual, pointer, type Json, type JsonObject } from '../../model/json.ts'
import { backendId, type BackendId } from '../../model/resource.ts'
import type { Catalog } from './catalog.ts'
import type { Connections, Limits, Session } from './connection.ts'
import { classify, outcomeUnknown } from './errors.ts'
import type { Mark } from './mark.ts'

export interface Server {
  readonly name: string
  readonly access: PostgresAccess
  readonly connections: Connections
  readonly catalog: Catalog
  readonly now: () => number
  /** How old what was read inside a database may be before it is read again. */
  readonly insideMaxAgeMs: number
}

/** `<system identifier>/<oid>[/<oid>]`: an oid alone would also fit another server, or this one after a re-creation. */
export const idOf = (system: string, ...oids: readonly string[]): BackendId => backendId([system, ...oids].join('/'))

/** The oids of an id, or undefined when it belongs to another server: then no object of this one is meant. */
export function oidsOf(system: string, id: BackendId | undefined): readonly string[] | undefined {
  const [server, ...oids] = id?.split('/') ?? []
  return server === system && oids.length > 0 && oids.every((oid) => /^[0-9]+$/.test(oid)) ? oids : undefined
}

/** Whether an object that is there is ours: the inventory knows its id, or our open create left its mark on it. */
export const isOurs = (call: Call, id: BackendId, mark: Mark | undefined): boolean =>
  call.knownId === id || (call.openCreateKey !== undefined && mark?.key === call.openCreateKey)

/** Turns every failure to look into `unreadable`, so that it can never pass for `absent`. */
export async function observing(what: string, call: Call, look: () => Promise<Observation>): Promise<Observation> {
  try {
    return await look()
  } catch (error) {
    return { status: 'unreadable', cause: classify(error, what, call.signal) }
  }
}

/** One drift for each field of the spec that the state does not have in exactly this form. */
export function fieldDrift(spec: JsonObject, state: JsonObject, refused: ReadonlySet<string> = new Set()): Drift[] {
  return Object.keys(spec)
    .filter((field) => !jsonEqual(spec[field], state[field]))
    .map((field) => ({
      path: pointer([field]),
      from: state[field],
      to: spec[field],
      how: refused.has(field) ? 'refuse' : 'update',
    }))
}

/**
 * Runs a create. A failure that leaves open whether the server carried it out answers `unknown`, so that the journal
 * stays open and the next pass looks; a refusal is thrown.
 */
export async function creating<T>(
  server: Server,
  what: string,
  call: Limits,
  work: (session: Session) => Promise<T>,
): Promise<T | 'unknown'> {
  let begun: Session | undefined
  try {
    return await server.connections.run(what, call, (session) => {
      begun = session
      return work(session)
    })
  } catch (error) {
    const known = classify(error, what, call.signal)
    if (begun?.sent === true && (outcomeUnknown(known) || known.code === 'Timeout' || known.code === 'Aborted'))
      return 'unknown'
    throw known
  }
}

/**
 * Asserts, inside the transaction that changed it, that a name still stands for the oid that was meant. The change
 * itself has locked the row, so nobody can swap it before the commit; a wrong one is rolled back.
 */
export async function assertSame(
  session: Session,
  catalog: 'pg_roles' | 'pg_database',
  oid: string,
  name: string,
): Promise<void> {
  const column = catalog === 'pg_roles' ? 'rolname' : 'datname'
  const rows = await session.query<{ oid: string }>(`SELECT oid::text AS oid FROM ${catalog} WHERE ${column} = $1`, [
    name,
  ])
  if (rows[0]?.oid !== oid)
    throw new RingfenceError(
      'Conflict',
      `"${name}" is another object by now (oid ${rows[0]?.oid ?? 'none'}, not ${oid}); nothing was changed`,
    )
}

/** What is gone needs no removal, unless its name stands for a successor: then the removal was not meant for that one. */
export async function assertNoSuccessor(
  session: Session,
  catalog: 'pg_roles' | 'pg_database',
  name: string,
): Promise<void> {
  const column = catalog === 'pg_roles' ? 'rolname' : 'datname'
  const rows = await session.query(`SELECT 1 FROM ${catalog} WHERE ${column} = $1`, [name])
  if (rows.length > 0) throw new RingfenceError('Conflict', `"${name}" is another object by now; nothing was removed`)
}

/** The name that an oid has now. */
export async function nameOf(
  session: Session,
  catalog: 'pg_roles' | 'pg_database',
  oid: string,
): Promise<string | undefined> {
  const column = catalog === 'pg_roles' ? 'rolname' : 'datname'
  return (
    await session.query<{ name: string }>(`SELECT ${column}::text AS name FROM ${catalog} WHERE oid = $1::text::oid`, [
      oid,
    ])
  )[0]?.name
}

/**
 * Ends every session of a role, or in a database, or of the one in the other, and waits until they are gone: neither
 * REVOKE nor NOLOGIN touches a session that is there. Throws `Timeout` when some outlive the deadline.
 */
export async function endSessions(
  session: Session,
  call: Limits,
  target: { readonly role?: string; readonly database?: string },
): Promise<void> {
  for (;;) {
    const rows = await session.query(
      `SELECT pg_terminate_backend(pid, 2000) FROM pg_stat_activity
       WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'
         AND ($1::text IS NULL OR usesysid = $1::text::oid) AND ($2::text IS NULL OR datid = $2::text::oid)`,
      [target.role ?? null, target.database ?? null],
    )
    if (rows.length === 0) return
    if (Date.now() > call.deadlineMs) throw new RingfenceError('Timeout', 'end the sessions: some are still there')
  }
}

export const record = (value: Json | undefined): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
