/**
 * The snapshot that the prover judges: the shared catalogs of a server, and the inside of the databases named. Rows as
 * read; what could not be read is named in the snapshot and never left out silently.
 */
import type {
  PgDatabase,
  PgInside,
  PgMembership,
  PgRole,
  PgObject,
  PostgresWorld,
  Unreadable,
} from '../../model/world.ts'
import type { Session } from './connection.ts'
import { classify } from './errors.ts'
import type { Server } from './server.ts'
import { readObjects, readParameters, readTablespaces } from './world-inside.ts'

/** Databases that tenants must not get into, and whose inside therefore counts (SPEC §2). */
const always = ['postgres', 'template1']

/** What was seen inside the databases that every server has, by oid. */
export type CommonInsides = Map<string, PgInside>

/** Every proof asks for them, and hardly anybody ever works there. */
const commonMaxAgeMs = 30_000

/**
 * Reads everything anew, but for what `common` still holds. Throws when the shared catalogs cannot be read; a database
 * that cannot is `unreadable`.
 */
export async function readWorld(
  server: Server,
  signal: AbortSignal,
  names: readonly string[],
  timeoutMs: number,
  common: CommonInsides = new Map(),
): Promise<PostgresWorld> {
  const limits = { signal, deadlineMs: Date.now() + timeoutMs }
  const shared = await server.connections.run('read the shared catalogs', limits, (session) =>
    session.transaction(() => readShared(session), 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'),
  )
  const wanted = new Set([...names, ...always])
  const unreadable: Unreadable[] = []
  const databases = await Promise.all(
    shared.databases.map(async (database): Promise<PgDatabase> => {
      if (!wanted.has(database.name) || !database.allowConnections) return database
      const what = `look into database ${database.name}`
      const isCommon = always.includes(database.name)
      const seen = isCommon ? common.get(database.oid) : undefined
      const withShared = (inside: PgInside) => ({ ...inside, objects: [...shared.objects, ...inside.objects] })
      if (seen !== undefined && server.now() - seen.readAtMs < commonMaxAgeMs)
        return { ...database, inside: withShared(seen) }
      try {
        const inside = await server.connections.inside(
          database.name,
          what,
          { signal, deadlineMs: Date.now() + timeoutMs },
          (session) =>
            session.transaction(
              () => readObjects(session, server.now()),
              'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY',
            ),
        )
        if (isCommon) common.set(database.oid, inside)
        return { ...database, inside: withShared(inside) }
      } catch (error) {
        unreadable.push({
          product: 'postgres',
          what: `database ${database.name}`,
          why: classify(error, what, signal).message,
        })
        return database
      }
    }),
  )
  return {
    server: server.name,
    version: shared.version,
    roles: shared.roles,
    memberships: shared.memberships,
    databases,
    unreadable: unreadable.toSorted((a, b) => (a.what < b.what ? -1 : 1)),
    endpoint: { host: server.access.host, port: server.access.port },
  }
}

interface Shared {
  readonly version: number
  readonly roles: readonly PgRole[]
  readonly memberships: readonly PgMembership[]
  readonly databases: readonly PgDatabase[]
  /** Tablespaces and parameters: they belong to the server, and are listed in every database that is looked into. */
  readonly objects: readonly PgObject[]
}

async function readShared(session: Session): Promise<Shared> {
  const version = Number(
    (await session.query<{ v: string }>(`SELECT current_setting('server_version_num') AS v`))[0]?.v,
  )
  const roles = await session.query<PgRole>(
    `SELECT oid::text AS oid, rolname::text AS name, rolsuper AS superuser, rolcreaterole AS "createRole", rolcreatedb AS "createDb",
       rolreplication AS replication, rolbypassrls AS "bypassRls", rolcanlogin AS login, rolinherit AS inherit,
       rolconnlimit AS "connectionLimit", coalesce(rolconfig, '{}') AS config FROM pg_roles ORDER BY rolname`,
  )
  // Until 15 a membership says neither INHERIT (the member's attribute does) nor SET (always possible).
  const options =
    version >= 160_000 ? 'm.inherit_option AS inherit, m.set_option AS set' : 'u.rolinherit AS inherit, true AS set'
  const memberships = await session.query<PgMembership>(
    `SELECT g.rolname::text AS role, u.rolname::text AS member, m.admin_option AS admin, ${options}
     FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member ORDER BY 1, 2`,
  )
  const databases = await session.query<PgDatabase>(
    `SELECT oid::text AS oid, datname::text AS name, pg_get_userbyid(datdba)::text AS owner, datallowconn AS "allowConnections",
       datistemplate AS "isTemplate", datacl::text[] AS acl FROM pg_database ORDER BY datname`,
  )
  return {
    version,
    roles,
    memberships,
    databases,
    objects: [...(await readTablespaces(session)), ...(version >= 150_000 ? await readParameters(session) : [])],
  }
}
