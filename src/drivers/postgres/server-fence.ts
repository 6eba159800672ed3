/**
 * The driver of `postgres/ServerFence`: PUBLIC is shut out of the databases that every server has and of the control
 * plane's own. It is a state of objects that exist anyway, so it is converged rather than created, and never undone:
 * opening it again would let every tenant in at once.
 */
import type { Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Resource } from '../../model/resource.ts'
import { publicPrivileges, revokeFromPublic } from './acl.ts'
import { readDatabases, type DatabaseRow } from './catalog.ts'
import { readInside, type InsideCache } from './inside.ts'
import { ident } from './quote.ts'
import { fieldDrift, idOf, observing, record, type Server } from './server.ts'

const databasesOf = (resource: Resource): readonly string[] => Object.keys(record(resource.spec['databases']))

export function createServerFenceDriver(server: Server, cache: InsideCache): Driver {
  const owned = async (call: Call, state: JsonObject): Promise<Owned> => ({
    status: 'owned',
    id: idOf(await server.catalog.system(call), '0'),
    state,
    outputs: {},
    ready: true,
  })
  const look = async (resource: Resource, call: Call): Promise<JsonObject> => {
    const state = async (name: string) => {
      const row = await server.catalog.databases.find('name', name, call)
      return row === undefined ? undefined : doorState(row, await schemaPublic(cache, row, call))
    }
    const databases: { [name: string]: JsonObject } = {}
    for (const name of databasesOf(resource)) {
      const door = await state(name)
      // A database that is not there cannot be entered; it is fenced as soon as it is.
      databases[name] = door ?? { publicPrivileges: [], schemaPublic: [] }
    }
    return { databases, ownDatabase: (await state(server.access.database)) ?? {} }
  }
  const shut = async (resource: Resource, call: Call): Promise<Owned> => {
    const names = new Set([...databasesOf(resource), server.access.database])
    for (const name of names) await shutOne(server, cache, name, call)
    return owned(call, await look(resource, { ...call, fresh: true }))
  }
  return {
    fencing: 'conditional',
    diff: (resource, state) => fieldDrift(resource.spec, state),
    observe: (resource, call) =>
      observing('observe the fence of the server', call, async (): Promise<Observation> => {
        const { id } = await owned(call, {})
        if (call.knownId !== id && call.openCreateKey === undefined) return { status: 'absent' }
        return owned(call, await look(resource, call))
      }),
    create: (resource, call) => shut(resource, call),
    update: (resource, seen, _drift, call) => assertServer(seen, owned(call, {})).then(() => shut(resource, call)),
    remove: () =>
      Promise.reject(
        new RingfenceError(
          'Guarded',
          'the fence of the server is not taken down: GRANT CONNECT by hand where a database has to be open to all',
        ),
      ),
  }
}

async function assertServer(seen: Owned, here: Promise<Owned>): Promise<void> {
  if (seen.id !== (await here).id) throw new RingfenceError('Conflict', `${seen.id} is the fence of another server`)
}

const doorState = (row: DatabaseRow, schema: readonly string[]): JsonObject => ({
  publicPrivileges: [...publicPrivileges(row.grants)],
  schemaPublic: [...schema],
})

/** What PUBLIC may do with the schema `public` besides looking into it. */
async function schemaPublic(cache: InsideCache, row: DatabaseRow, call: Call): Promise<readonly string[]> {
  if (!row.allowConnections) return []
  const inside = await cache.get(row, [], call)
  return publicPrivileges(inside.schemas.find(({ name }) => name === 'public')?.grants ?? []).filter(
    (privilege) => privilege !== 'USAGE',
  )
}

async function shutOne(server: Server, cache: InsideCache, name: string, call: Call): Promise<void> {
  server.catalog.databases.doubt(name)
  const row = await server.catalog.databases.find('name', name, { ...call, fresh: true })
  if (row === undefined) return
  cache.forget(row.oid)
  const what = `shut PUBLIC out of database ${name}`
  await server.connections.run(what, call, (session) =>
    session.transaction(async () => {
      const [current] = await readDatabases(session, { by: 'oid', value: row.oid })
      if (current === undefined || publicPrivileges(current.grants).length === 0) return
      await revokeFromPublic(session, `DATABASE ${ident(current.name)}`, current.grants, current.owner)
    }),
  )
  server.catalog.databases.doubt(name)
  if (!row.allowConnections) return
  await server.connections.inside(name, what, call, async (session) => {
    const inside = await readInside(session, server.now, [])
    const schema = inside.schemas.find((found) => found.name === 'public')
    if (schema !== undefined && publicPrivileges(schema.grants).includes('CREATE'))
      await session.query('REVOKE CREATE ON SCHEMA public FROM PUBLIC CASCADE')
  })
}
