/**
 * How a role goes: no new sessions, no old ones, what it owns to its heir, its grants away, and only then the role.
 * Every step may be repeated; data is never dropped here.
 */
import type { Call, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { Resource } from '../../model/resource.ts'
import type { Session } from './connection.ts'
import { ident } from './quote.ts'
import type { RoleSpec } from './role-spec.ts'
import { assertNoSuccessor, assertSame, endSessions, nameOf, oidsOf, type Server } from './server.ts'

/** Absent already is done. Throws `Guarded` when the role still owns something that nobody inherits. */
export async function dropRole(server: Server, resource: Resource, seen: Owned, call: Call): Promise<void> {
  const spec = resource.spec as unknown as RoleSpec
  const what = `remove role ${resource.externalName}`
  const [oid] = oidsOf(await server.catalog.system(call), seen.id) ?? []
  if (oid === undefined) throw new RingfenceError('Conflict', `${what}: ${seen.id} is no role of this server`)
  const name = await server.connections.run(what, call, async (session) => {
    const closed = await session.transaction(() => closeRole(session, oid, spec.name))
    if (closed !== undefined) await endSessions(session, call, { role: oid })
    return closed
  })
  if (name === undefined) return
  for (const database of await dependents(server, what, call, oid)) {
    if (database.owns && spec.heir === null) {
      throw new RingfenceError(
        'Guarded',
        `${what}: it still owns objects in database ${database.name}; give them to another role first`,
        { database: database.name },
      )
    }
    await server.connections.inside(
      database.name,
      `${what}: release what it holds in ${database.name}`,
      call,
      (session) =>
        session.transaction(async () => {
          if (database.owns && spec.heir !== null)
            await session.query(`REASSIGN OWNED BY ${ident(name)} TO ${ident(spec.heir)}`)
          await session.query(`DROP OWNED BY ${ident(name)}`)
          await assertSame(session, 'pg_roles', oid, name)
        }),
    )
  }
  await server.connections.run(what, call, (session) =>
    session.transaction(async () => {
      await session.query(`DROP ROLE IF EXISTS ${ident(name)}`)
      if ((await nameOf(session, 'pg_roles', oid)) !== undefined)
        throw new RingfenceError('Conflict', `${what}: the name is another role's by now; nothing was dropped`)
    }),
  )
}

/** NOLOGIN and no password; undefined when the role is gone. */
async function closeRole(session: Session, oid: string, known: string): Promise<string | undefined> {
  const name = await nameOf(session, 'pg_roles', oid)
  if (name === undefined) {
    await assertNoSuccessor(session, 'pg_roles', known)
    return undefined
  }
  await session.query(`ALTER ROLE ${ident(name)} NOLOGIN PASSWORD NULL`)
  await assertSame(session, 'pg_roles', oid, name)
  return name
}

interface Dependent {
  readonly name: string
  readonly owns: boolean
}

/**
 * The databases in which the role holds something. What it holds on shared objects is let go from our own database,
 * which is therefore listed whenever there is any; owning a shared object (a database) counts as owning.
 */
async function dependents(server: Server, what: string, call: Call, oid: string): Promise<readonly Dependent[]> {
  const rows = await server.connections.run(what, call, (session) =>
    session.query<{ name: string; owns: boolean }>(
      `SELECT coalesce(d.datname::text, $2) AS name, bool_or(s.deptype = 'o') AS owns
       FROM pg_shdepend s LEFT JOIN pg_database d ON d.oid = s.dbid
       WHERE s.refclassid = 'pg_authid'::regclass AND s.refobjid = $1::text::oid AND (s.dbid = 0 OR d.oid IS NOT NULL)
       GROUP BY 1 ORDER BY 1`,
      [oid, server.access.database],
    ),
  )
  return rows
}
