/**
 * The driver of `postgres/DatabaseGrants`: lets one login into one database, after shutting the doors inside it, all in
 * one transaction. Taking the grants away ends the login's sessions and leaves its data to the owner role. The thing is
 * identified by the pair of oids, so a successor of either is another thing.
 */
import type { Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { Resource } from '../../model/resource.ts'
import { revokeFromPublic } from './acl.ts'
import { readDatabases, type DatabaseRow, type RoleRow } from './catalog.ts'
import type { Session } from './connection.ts'
import { grantsMark, grantsState, markedSchema, type GrantsSpec } from './grants-spec.ts'
import { defaultKinds, readInside, type InsideCache, type InsideFacts } from './inside.ts'
import { markOwner, markText } from './mark.ts'
import { ident, literal } from './quote.ts'
import {
  assertNoSuccessor,
  assertSame,
  creating,
  endSessions,
  fieldDrift,
  idOf,
  isOurs,
  nameOf,
  observing,
  oidsOf,
  type Server,
} from './server.ts'

const specOf = (resource: Resource): GrantsSpec => resource.spec as unknown as GrantsSpec

interface Pair {
  readonly database: DatabaseRow
  readonly login: RoleRow
}

export function createGrantsDriver(server: Server, cache: InsideCache): Driver {
  const owned = async (
    call: Call,
    spec: GrantsSpec,
    { database, login }: Pair,
    inside: InsideFacts,
  ): Promise<Owned> => ({
    status: 'owned',
    id: idOf(await server.catalog.system(call), database.oid, login.oid),
    state: grantsState(spec, database, inside),
    outputs: {},
    ready: true,
  })
  const rolesOf = (spec: GrantsSpec) => Object.keys(spec.futurePublic)
  return {
    fencing: 'conditional',
    diff: (resource, state) => fieldDrift({ ...resource.spec, mark: markOwner(resource) }, state),
    observe: (resource, call) =>
      observing(`observe the grants on ${resource.externalName}`, call, async (): Promise<Observation> => {
        const spec = specOf(resource)
        const pair = await find(server, spec, call)
        if (pair === undefined) return { status: 'absent' }
        const { database, login } = pair
        const id = idOf(await server.catalog.system(call), database.oid, login.oid)
        const holds = database.grants.some((grant) => grant.grantee === login.name)
        const known = call.knownId === id
        // Without any grant on the database the rest is only looked for when the answer could hide what is left of ours.
        if (!holds && !(known && (await holdsAnything(server, call, pair)))) return { status: 'absent' }
        // A database that refuses connections cannot be looked into; the database's own driver opens it again.
        const inside = await cache.get(database, rolesOf(spec), call)
        const mark = grantsMark(spec, inside)
        if (known || isOurs(call, id, mark)) return owned(call, spec, pair, inside)
        return {
          status: 'foreign',
          id,
          state: grantsState(spec, database, inside),
          ...(mark === undefined ? {} : { owner: mark.tenant }),
        }
      }),
    create: async (resource, call) => {
      const spec = specOf(resource)
      const pair = await find(server, spec, { ...call, fresh: true })
      if (pair === undefined)
        throw new RingfenceError(
          'Waiting',
          `grants on ${spec.database}: the database or the login ${spec.login} is not there yet`,
        )
      if (pair.database.grants.some((grant) => grant.grantee === spec.login))
        throw new RingfenceError('AlreadyExists', `${spec.login} has grants on ${spec.database} already`)
      const made = await write(server, cache, resource, pair, call)
      return made === 'unknown' ? made : owned(call, spec, { ...pair, database: made.database }, made.inside)
    },
    update: async (resource, seen, _drift, call) => {
      const spec = specOf(resource)
      const pair = await seenPair(server, spec, seen, call)
      const made = await write(server, cache, resource, pair, call)
      if (made === 'unknown')
        throw new RingfenceError('Unreachable', `update the grants on ${spec.database}: the answer was lost`)
      return owned(call, spec, { ...pair, database: made.database }, made.inside)
    },
    remove: (resource, seen, call) => remove(server, cache, specOf(resource), seen, call),
  }
}

async function find(server: Server, spec: GrantsSpec, call: Call): Promise<Pair | undefined> {
  const database = await server.catalog.databases.find('name', spec.database, call)
  const login = await server.catalog.roles.find('name', spec.login, call)
  return database === undefined || login === undefined ? undefined : { database, login }
}

async function seenPair(server: Server, spec: GrantsSpec, seen: Owned, call: Call): Promise<Pair> {
  const pair = await find(server, spec, { ...call, fresh: true })
  const [databaseOid, loginOid] = oidsOf(await server.catalog.system(call), seen.id) ?? []
  if (pair === undefined || pair.database.oid !== databaseOid || pair.login.oid !== loginOid) {
    throw new RingfenceError(
      'Conflict',
      `grants on ${spec.database}: the database or the login is another one by now; nothing was changed`,
    )
  }
  return pair
}

/** Whether the role owns or holds anything in that database (a shared catalog tells). */
async function holdsAnything(server: Server, call: Call, { database, login }: Pair): Promise<boolean> {
  const rows = await server.connections.run(`look for what ${login.name} holds`, call, (session) =>
    session.query(
      `SELECT 1 FROM pg_shdepend WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::text::oid
       AND (dbid = $2::text::oid OR (classid = 'pg_database'::regclass AND objid = $2::text::oid)) LIMIT 1`,
      [login.oid, database.oid],
    ),
  )
  return rows.length > 0
}

/** One transaction inside the database: the doors first, the way in last. */
async function write(
  server: Server,
  cache: InsideCache,
  resource: Resource,
  { database, login }: Pair,
  call: Call,
): Promise<{ database: DatabaseRow; inside: InsideFacts } | 'unknown'> {
  const spec = specOf(resource)
  server.catalog.databases.doubt(spec.database)
  cache.forget(database.oid)
  try {
    const made = await creating(
      insideOf(server, spec.database),
      `write the grants on ${spec.database}`,
      call,
      (session) =>
        session.transaction(async () => {
          await shutInside(session, spec, await readInside(session, server.now, Object.keys(spec.futurePublic)))
          const marked = markedSchema(spec)
          if (marked !== undefined)
            await session.query(`COMMENT ON SCHEMA ${ident(marked)} IS ${literal(markText(resource, call.key))}`)
          await matchPrivileges(session, spec, database)
          await assertSame(session, 'pg_database', database.oid, spec.database)
          await assertSame(session, 'pg_roles', login.oid, spec.login)
          const [row] = await readDatabases(session, { by: 'oid', value: database.oid })
          if (row === undefined) throw new RingfenceError('Conflict', `database ${spec.database} went away meanwhile`)
          return { database: row, inside: await readInside(session, server.now, Object.keys(spec.futurePublic)) }
        }),
    )
    if (made !== 'unknown') cache.store(database.oid, made.inside)
    return made
  } finally {
    server.catalog.databases.doubt(spec.database)
  }
}

/** The same server, with its calls going into one of its databases. */
const insideOf = (server: Server, database: string): Server => ({
  ...server,
  connections: {
    ...server.connections,
    run: (what, limits, work) => server.connections.inside(database, what, limits, work),
  },
})

async function shutInside(session: Session, spec: GrantsSpec, inside: InsideFacts): Promise<void> {
  for (const [name, wanted] of Object.entries(spec.schemas)) {
    const found = inside.schemas.find((schema) => schema.name === name)
    if (found === undefined) await session.query(`CREATE SCHEMA ${ident(name)} AUTHORIZATION ${ident(wanted.owner)}`)
    else if (found.owner !== wanted.owner)
      await session.query(`ALTER SCHEMA ${ident(name)} OWNER TO ${ident(wanted.owner)}`)
    await revokeFromPublic(
      session,
      `SCHEMA ${ident(name)}`,
      found?.grants.map((grant) => (grant.grantor === found.owner ? { ...grant, grantor: wanted.owner } : grant)) ?? [],
      wanted.owner,
    )
  }
  for (const role of Object.keys(spec.futurePublic)) {
    const scopes = await session.query<{ schema: string; kind: keyof typeof defaultKinds }>(
      `SELECT n.nspname::text AS schema, a.defaclobjtype::text AS kind FROM pg_default_acl a JOIN pg_roles r ON r.oid = a.defaclrole
       JOIN pg_namespace n ON n.oid = a.defaclnamespace WHERE r.rolname = $1`,
      [role],
    )
    const present = new Set(Object.keys(inside.futurePublic[role] ?? {}))
    for (const kind of present)
      await session.query(
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(role)} REVOKE ALL ON ${kind.toUpperCase()} FROM PUBLIC CASCADE`,
      )
    for (const { schema, kind } of scopes) {
      await session.query(
        `ALTER DEFAULT PRIVILEGES FOR ROLE ${ident(role)} IN SCHEMA ${ident(schema)} REVOKE ALL ON ${defaultKinds[kind].toUpperCase()} FROM PUBLIC CASCADE`,
      )
    }
  }
}

async function matchPrivileges(session: Session, spec: GrantsSpec, database: DatabaseRow): Promise<void> {
  const target = `DATABASE ${ident(spec.database)}`
  await revokeFromPublic(session, target, database.grants, database.owner)
  const grantees = new Set(
    database.grants.map((grant) => grant.grantee).filter((grantee) => grantee !== '' && grantee !== '?'),
  )
  for (const grantee of grantees) await session.query(`REVOKE ALL ON ${target} FROM ${ident(grantee)} CASCADE`)
  for (const [grantee, privileges] of Object.entries(spec.privileges)) {
    if (privileges.length > 0)
      await session.query(`GRANT ${privileges.map(privilegeWord).join(', ')} ON ${target} TO ${ident(grantee)}`)
  }
}

function privilegeWord(privilege: string): string {
  if (!['CONNECT', 'CREATE', 'TEMPORARY'].includes(privilege))
    throw new RingfenceError('Rejected', `"${privilege}" is not a privilege on databases`)
  return privilege
}

/** Shuts the login out, ends its sessions, and leaves what it owned there to the owner role. Absent already is done. */
async function remove(server: Server, cache: InsideCache, spec: GrantsSpec, seen: Owned, call: Call): Promise<void> {
  const what = `remove the grants on ${spec.database}`
  const [databaseOid, loginOid] = oidsOf(await server.catalog.system(call), seen.id) ?? []
  if (databaseOid === undefined || loginOid === undefined)
    throw new RingfenceError('Conflict', `${what}: ${seen.id} is not of this server`)
  server.catalog.databases.doubt(spec.database)
  cache.forget(databaseOid)
  try {
    const names = await server.connections.run(what, call, async (session) => {
      const found = await session.transaction(async () => {
        const [database, login] = [
          await nameOf(session, 'pg_database', databaseOid),
          await nameOf(session, 'pg_roles', loginOid),
        ]
        if (database === undefined) await assertNoSuccessor(session, 'pg_database', spec.database)
        if (login === undefined) await assertNoSuccessor(session, 'pg_roles', spec.login)
        if (database === undefined || login === undefined) return undefined
        await session.query(`REVOKE ALL ON DATABASE ${ident(database)} FROM ${ident(login)} CASCADE`)
        await session.query(`REVOKE ALL ON DATABASE ${ident(database)} FROM PUBLIC CASCADE`)
        // A database that somebody closed has to be looked into once more; nobody but us may enter it by now.
        await session.query(`ALTER DATABASE ${ident(database)} WITH ALLOW_CONNECTIONS true`)
        await assertSame(session, 'pg_database', databaseOid, database)
        await assertSame(session, 'pg_roles', loginOid, login)
        return { database, login }
      })
      if (found !== undefined) await endSessions(session, call, { role: loginOid, database: databaseOid })
      return found
    })
    if (names === undefined) return
    await server.connections.inside(names.database, what, call, (session) =>
      session.transaction(async () => {
        await session.query(`REASSIGN OWNED BY ${ident(names.login)} TO ${ident(spec.owner)}`)
        await session.query(`DROP OWNED BY ${ident(names.login)}`)
        await assertSame(session, 'pg_database', databaseOid, names.database)
        await assertSame(session, 'pg_roles', loginOid, names.login)
      }),
    )
  } finally {
    server.catalog.databases.doubt(spec.database)
  }
}
