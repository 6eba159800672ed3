/**
 * The driver of `postgres/Database`. A new database refuses connections until PUBLIC is shut out, so there is no moment
 * in which a stranger gets in. DROP DATABASE knows names only: the database is first renamed, in a checked transaction,
 * to a name that carries its oid, so that a successor of the same name is never dropped.
 */
import type { Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { Resource } from '../../model/resource.ts'
import { revokeFromPublic } from './acl.ts'
import type { createAddresses } from './addresses.ts'
import { readDatabases, type DatabaseRow } from './catalog.ts'
import type { Session } from './connection.ts'
import { databaseState, type DatabaseSpec } from './database-spec.ts'
import { classify, sqlState } from './errors.ts'
import { markOwner, markText, parseMark } from './mark.ts'
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
  record,
  type Server,
} from './server.ts'

const specOf = (resource: Resource): DatabaseSpec => resource.spec as unknown as DatabaseSpec
/** The name of a database on its way out. */
const trashName = (oid: string): string => `ringfence_drop_${oid}`

export function createDatabaseDriver(server: Server, addresses: ReturnType<typeof createAddresses>): Driver {
  const owned = async (call: Call, row: DatabaseRow): Promise<Owned> => {
    const peers = await addresses()
    return {
      status: 'owned',
      id: idOf(await server.catalog.system(call), row.oid),
      state: databaseState(row),
      outputs: {
        host: server.access.host,
        port: server.access.port,
        database: row.name,
        sslmode: server.access.tls ? 'require' : 'prefer',
        ...(peers === undefined ? {} : { addresses: peers }),
      },
      ready: row.allowConnections,
    }
  }
  return {
    fencing: 'conditional',
    observe: (resource, call) =>
      observing(`observe database ${resource.externalName}`, call, () => observe(server, resource, call, owned)),
    diff: (resource, state) =>
      fieldDrift({ ...resource.spec, mark: markOwner(resource) }, state, new Set(['encoding'])),
    create: (resource, call) =>
      doubting(server, resource, async () => {
        const made = await create(server, resource, call)
        return made === 'unknown' ? made : owned(call, made)
      }),
    update: (resource, seen, _drift, call) =>
      doubting(server, resource, async () => owned(call, await change(server, resource, seen, call))),
    remove: (resource, seen, call) => doubting(server, resource, () => remove(server, resource, seen, call)),
  }
}

async function observe(
  server: Server,
  resource: Resource,
  call: Call,
  owned: (call: Call, row: DatabaseRow) => Promise<Owned>,
): Promise<Observation> {
  const spec = specOf(resource)
  const system = await server.catalog.system(call)
  const [knownOid] = oidsOf(system, call.knownId) ?? []
  let row = await server.catalog.databases.find('name', spec.name, call)
  if (row === undefined && knownOid !== undefined) row = await server.catalog.databases.find('oid', knownOid, call)
  if (row === undefined) return { status: 'absent' }
  const mark = parseMark(row.comment)
  const id = idOf(system, row.oid)
  if (isOurs(call, id, mark) || (call.openCreateKey !== undefined && isHalfMade(row, resource))) return owned(call, row)
  return { status: 'foreign', id, state: databaseState(row), ...(mark === undefined ? {} : { owner: mark.tenant }) }
}

/**
 * CREATE DATABASE cannot be in one transaction with its comment. Between the two the database has no mark, refuses
 * connections, and belongs to a role that carries this tenant's mark: nobody but a superuser can bring that about.
 */
function isHalfMade(row: DatabaseRow, resource: Resource): boolean {
  const owner = parseMark(row.ownerComment)
  const { tenant, uid } = markOwner(resource)
  return (
    row.comment === null &&
    !row.allowConnections &&
    row.owner === specOf(resource).owner &&
    owner?.tenant === tenant &&
    owner.uid === uid
  )
}

async function doubting<T>(server: Server, resource: Resource, write: () => Promise<T>): Promise<T> {
  const { name } = specOf(resource)
  server.catalog.databases.doubt(name)
  try {
    return await write()
  } finally {
    server.catalog.databases.doubt(name)
  }
}

async function create(server: Server, resource: Resource, call: Call): Promise<DatabaseRow | 'unknown'> {
  const spec = specOf(resource)
  const what = `create database ${spec.name}`
  // The write-ahead log strategy is faster for an empty template and needs no checkpoint; the word exists from 15 on.
  const strategy = (await server.connections.version(call)) >= 150_000 ? ' STRATEGY wal_log' : ''
  let made = false
  try {
    return await creating(server, what, call, async (session) => {
      await session.query(
        `CREATE DATABASE ${ident(spec.name)} OWNER ${ident(spec.owner)} TEMPLATE template0 ENCODING ${literal(spec.encoding)}` +
          `${strategy} ALLOW_CONNECTIONS false CONNECTION LIMIT ${Math.trunc(spec.connectionLimit)}`,
      )
      made = true
      const row = await readOne(session, 'name', spec.name)
      return session.transaction(() => settle(session, resource, row, call))
    })
  } catch (error) {
    // The database is there but not finished: the journal stays open, and the next pass finds and finishes it.
    if (made) return 'unknown'
    throw error
  }
}

async function readOne(session: Session, by: 'name' | 'oid', value: string): Promise<DatabaseRow> {
  const [row] = await readDatabases(session, { by, value })
  if (row === undefined) throw new RingfenceError('Conflict', `database ${value} went away meanwhile`)
  return row
}

/** Everything but the name, in one transaction: PUBLIC is out in the same instant in which connections are allowed. */
async function settle(session: Session, resource: Resource, row: DatabaseRow, call: Call): Promise<DatabaseRow> {
  const spec = specOf(resource)
  const name = ident(spec.name)
  if (row.owner !== spec.owner) await session.query(`ALTER DATABASE ${name} OWNER TO ${ident(spec.owner)}`)
  await revokeFromPublic(session, `DATABASE ${name}`, row.grants, row.owner)
  for (const setting of Object.keys(record(databaseState(row)['settings']))) {
    if (!Object.hasOwn(spec.settings, setting))
      await session.query(`ALTER DATABASE ${name} RESET ${setting.split('.').map(ident).join('.')}`)
  }
  for (const [setting, value] of Object.entries(spec.settings)) {
    await session.query(`ALTER DATABASE ${name} SET ${setting.split('.').map(ident).join('.')} TO ${literal(value)}`)
  }
  await session.query(`COMMENT ON DATABASE ${name} IS ${literal(markText(resource, call.key))}`)
  await session.query(
    `ALTER DATABASE ${name} WITH ALLOW_CONNECTIONS true IS_TEMPLATE false CONNECTION LIMIT ${Math.trunc(spec.connectionLimit)}`,
  )
  await assertSame(session, 'pg_database', row.oid, spec.name)
  return readOne(session, 'oid', row.oid)
}

async function change(server: Server, resource: Resource, seen: Owned, call: Call): Promise<DatabaseRow> {
  const spec = specOf(resource)
  const what = `update database ${spec.name}`
  const oid = await seenOid(server, what, seen, call)
  return server.connections.run(what, call, async (session) => {
    const row = await readDatabases(session, { by: 'oid', value: oid }).then(([found]) => found)
    if (row === undefined) throw new RingfenceError('Conflict', `${what}: the database with oid ${oid} is gone`)
    if (row.name !== spec.name) await rename(session, call, oid, spec.name)
    return session.transaction(async () => settle(session, resource, await readOne(session, 'oid', oid), call))
  })
}

async function seenOid(server: Server, what: string, seen: Owned, call: Call): Promise<string> {
  const [oid] = oidsOf(await server.catalog.system(call), seen.id) ?? []
  if (oid === undefined) throw new RingfenceError('Conflict', `${what}: ${seen.id} is no database of this server`)
  return oid
}

async function remove(server: Server, resource: Resource, seen: Owned, call: Call): Promise<void> {
  const what = `remove database ${resource.externalName}`
  const oid = await seenOid(server, what, seen, call)
  await server.connections.run(what, call, async (session) => {
    if (!(await shut(session, oid, specOf(resource).name))) return
    await rename(session, call, oid, trashName(oid))
    await session.query(`DROP DATABASE IF EXISTS ${ident(trashName(oid))} WITH (FORCE)`)
  })
}

/** Nobody gets in any more; false when the database is gone already. */
async function shut(session: Session, oid: string, known: string): Promise<boolean> {
  return session.transaction(async () => {
    const name = await nameOf(session, 'pg_database', oid)
    if (name === undefined) {
      await assertNoSuccessor(session, 'pg_database', known)
      return false
    }
    await session.query(`ALTER DATABASE ${ident(name)} WITH ALLOW_CONNECTIONS false IS_TEMPLATE false`)
    await assertSame(session, 'pg_database', oid, name)
    return true
  })
}

/** Renames the database of that oid; sessions hold it, so they are ended, and one that slipped in is ended again. */
async function rename(session: Session, call: Call, oid: string, to: string): Promise<void> {
  for (;;) {
    await endSessions(session, call, { database: oid })
    try {
      await session.transaction(async () => {
        const name = await nameOf(session, 'pg_database', oid)
        if (name !== undefined && name !== to)
          await session.query(`ALTER DATABASE ${ident(name)} RENAME TO ${ident(to)}`)
        if (name !== undefined) await assertSame(session, 'pg_database', oid, to)
      })
      return
    } catch (error) {
      const known = classify(error, `rename the database with oid ${oid}`, call.signal)
      if (sqlState(known) !== '55006' || Date.now() > call.deadlineMs) throw known
    }
  }
}
