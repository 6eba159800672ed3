/** What a kill, a hostile name, an abort or a crowd does to the PostgreSQL drivers. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostgresBackend } from '../../../../src/drivers/postgres/backend.ts'
import { createConnections, type Connections } from '../../../../src/drivers/postgres/connection.ts'
import type { PostgresAccess, PostgresBackend } from '../../../../src/model/backends.ts'
import { RingfenceError } from '../../../../src/model/errors.ts'
import type { Resource } from '../../../../src/model/resource.ts'
import type { Tenant } from '../../../../src/model/tenant.ts'
import {
  adminOf,
  callOf,
  databaseTenant,
  driverFor,
  postgresResources,
  provision,
  refusal,
  sqlAs,
  unprovision,
} from '../../../support/database-tenant.ts'
import { describeOn, servers } from '../../../support/servers.ts'

/** Dies at the n-th statement that writes: it is sent or not, and nothing after it is. */
function dying(inner: Connections, at: number, when: 'before' | 'after'): Connections {
  let count = 0
  const killed = () => new RingfenceError('Unreachable', 'killed')
  const wrap: Connections['run'] = (what, limits, work) =>
    inner.run(what, limits, (session) =>
      work({
        get sent() {
          return session.sent
        },
        transaction: (inside, begin) => session.transaction(inside, begin),
        async query(text, values) {
          const writes = !/^\s*(SELECT|BEGIN|ROLLBACK)/.test(text)
          if (writes) count += 1
          if (count > at || (count === at && when === 'before')) throw killed()
          const rows = await session.query<never>(text, values)
          if (count === at && when === 'after' && writes) throw killed()
          return rows
        },
      }),
    )
  return { ...inner, run: wrap }
}

const named = (tenant: Tenant, ...kinds: readonly string[]): readonly Resource[] =>
  postgresResources(tenant).filter(({ address }) => kinds.some((kind) => address.endsWith(kind)))

for (const version of ['postgres18', 'postgres15'] as const) {
  describeOn([version], `interrupted work on ${version}`, () => {
    let access: PostgresAccess
    let backend: PostgresBackend
    const sql = (...statements: readonly string[]) => sqlAs(access, adminOf(access), ...statements)

    beforeAll(() => {
      access = servers()[version]
      backend = createPostgresBackend('postgres', access)
    })
    afterAll(async () => {
      await backend.close()
    })

    test('a create of a database that is killed at any statement is found, finished, and never open to PUBLIC', async () => {
      let outcomes = ''
      for (let at = 1; at <= 4; at += 1) {
        for (const when of ['before', 'after'] as const) {
          const tenant = databaseTenant()
          const [owner, database] = named(tenant, 'role/owner', 'database/main') as [Resource, Resource]
          await driverFor(backend, owner).create(owner, callOf())
          const connections = createConnections(access)
          const mortal = createPostgresBackend('postgres', access, { connections: dying(connections, at, when) })
          const call = callOf()
          const result = await driverFor(mortal, database)
            .create(database, call)
            .catch((error: unknown) => error)
          await connections.close()
          const open = await sql(
            `SELECT datallowconn AND has_database_privilege('public', oid, 'CONNECT') AS open FROM pg_database WHERE datname = '${tenant.names.database}'`,
          )
          expect(
            open.rows.map((row: { open: boolean }) => row.open),
            `killed ${when} statement ${at}`,
          ).not.toContain(true)
          const driver = driverFor(backend, database)
          const seen = await driver.observe(database, callOf({ openCreateKey: call.key }))
          outcomes += `${at} ${when}: ${result === 'unknown' ? 'unknown' : 'refused'}, ${seen.status}\n`
          const there = open.rowCount === 1
          // Something is there only if the journal was left open, and then it is recognised as ours.
          expect(seen.status).toBe(there ? 'owned' : 'absent')
          if (there) expect(result).toBe('unknown')
          if (seen.status === 'owned') {
            expect((await driver.observe(database, callOf())).status).toBe('foreign')
            const drift = driver.diff(database, seen.state)
            const repaired =
              drift.length === 0 ? seen : await driver.update(database, seen, drift, callOf({ key: call.key }))
            expect(driver.diff(database, repaired.state)).toEqual([])
            await driver.remove(database, repaired, callOf())
          }
          const ownerSeen = await driverFor(backend, owner).observe(owner, callOf())
          if (ownerSeen.status === 'foreign')
            await driverFor(backend, owner).remove(
              owner,
              { ...ownerSeen, status: 'owned', outputs: {}, ready: true },
              callOf(),
            )
        }
      }
      expect(outcomes).toContain('1 after: unknown, owned')
      expect(outcomes).toContain('1 before: refused, absent')
    })

    test('a half-made database of somebody else is foreign, also to an open create', async () => {
      const [mine, other] = [databaseTenant(), databaseTenant()]
      const [owner] = named(other, 'role/owner') as [Resource]
      const [database] = named(mine, 'database/main') as [Resource]
      const made = await driverFor(backend, owner).create(owner, callOf())
      await sql(
        `CREATE DATABASE "${mine.names.database}" OWNER "${other.names.databaseOwner}" TEMPLATE template0 ALLOW_CONNECTIONS false`,
      )
      expect(await driverFor(backend, database).observe(database, callOf({ openCreateKey: 'any' }))).toMatchObject({
        status: 'foreign',
      })
      await sql(`DROP DATABASE "${mine.names.database}"`)
      if (made !== 'unknown') await driverFor(backend, owner).remove(owner, made, callOf())
    })

    test('a removal of a database that stopped after its renaming is taken up again', async () => {
      const made = await provision(backend, databaseTenant())
      const database = made.made.find(({ resource }) => resource.kind === 'postgres/Database')!
      const oid = database.owned.id.split('/')[1]
      await sql(
        `ALTER DATABASE "${made.tenant.names.database}" ALLOW_CONNECTIONS false`,
        `ALTER DATABASE "${made.tenant.names.database}" RENAME TO ringfence_drop_${oid}`,
      )
      const seen = await driverFor(backend, database.resource).observe(
        database.resource,
        callOf({ knownId: database.owned.id }),
      )
      expect(seen.status).toBe('owned')
      await unprovision(backend, made)
      expect((await sql(`SELECT 1 FROM pg_database WHERE oid = ${oid}`)).rowCount).toBe(0)
    })

    test('hostile names are names, to the byte, everywhere', async () => {
      const tag = randomBytes(3).toString('hex')
      const hostile = [
        `x"; DROP TABLE t; --${tag}`,
        `'||pg_sleep(9)||'${tag}`,
        `a\\b%s$1\n${tag}`,
        `${tag}"."public`,
        `é中${tag}`,
      ]
      for (const evil of hostile) {
        const tenant = databaseTenant()
        const names = { ...tenant.names, database: `${evil}d`, databaseOwner: `${evil}o`, databaseLogin: `${evil}u` }
        const made = await provision(backend, { ...tenant, names })
        const there = await sql(
          `SELECT datname::text AS name FROM pg_database WHERE datname = convert_from('\\x${Buffer.from(names.database).toString('hex')}', 'UTF8')`,
        )
        expect(there.rows).toEqual([{ name: names.database }])
        expect(
          (
            await sqlAs(
              access,
              { user: names.databaseLogin, password: made.password, database: names.database },
              'SELECT current_user::text AS me',
            )
          ).rows,
        ).toEqual([{ me: names.databaseLogin }])
        for (const { resource, owned } of made.made) {
          const seen = await driverFor(backend, resource).observe(resource, callOf({ knownId: owned.id }))
          expect(
            seen.status === 'owned' && driverFor(backend, resource).diff(resource, seen.state),
            resource.address,
          ).toEqual([])
        }
        await unprovision(backend, made)
      }
    })

    test('what a tenant puts into its database never runs with our power', async () => {
      const made = await provision(backend, databaseTenant())
      const { names } = made.tenant
      const as = { user: names.databaseLogin, password: made.password, database: names.database }
      // Shadows of what our own statements call, found first by anybody whose search_path begins with public.
      await sqlAs(access, as, 'CREATE TABLE trapped (who text)', 'GRANT INSERT ON trapped TO PUBLIC',
        `CREATE FUNCTION public.pg_get_userbyid(oid) RETURNS name LANGUAGE sql AS $$ INSERT INTO public.trapped VALUES (current_user); SELECT 'x'::name $$`,
        `CREATE FUNCTION public.set_config(text, text, boolean) RETURNS text LANGUAGE sql AS $$ INSERT INTO public.trapped VALUES (current_user); SELECT 'x'::text $$`,
        'CREATE VIEW public.pg_namespace AS SELECT 1 AS oid', `ALTER ROLE "${names.databaseLogin}" SET search_path TO public, pg_catalog`) // prettier-ignore
      for (const { resource, owned } of made.made)
        await driverFor(backend, resource).update(resource, owned, [], callOf())
      expect(
        (await backend.snapshot(AbortSignal.timeout(20_000), [names.database])).databases.find(
          ({ name }) => name === names.database,
        )?.inside,
      ).toBeDefined()
      expect((await sqlAs(access, as, 'SELECT count(*)::int AS n FROM public.trapped')).rows).toEqual([{ n: 0 }])
      // The trap works: whoever calls it by that path springs it.
      await sqlAs(access, as, 'SET search_path TO public, pg_catalog', 'SELECT pg_get_userbyid(10)')
      expect((await sqlAs(access, as, 'SELECT count(*)::int AS n FROM public.trapped')).rows).toEqual([{ n: 1 }])
      await unprovision(backend, made)
    })

    test('an abort in the middle of a statement ends it at once, and the connection serves again', async () => {
      const connections = createConnections(access, { poolSize: 2 })
      const abort = new AbortController()
      const begun = Date.now()
      const run = connections.run('sleep', { signal: abort.signal, deadlineMs: begun + 30_000 }, (session) =>
        session.query('SELECT pg_sleep(30)'),
      )
      setTimeout(() => abort.abort(), 100)
      await expect(run).rejects.toMatchObject({ code: 'Aborted' })
      const late = connections.run(
        'sleep',
        { signal: AbortSignal.timeout(60_000), deadlineMs: Date.now() + 200 },
        (session) => session.query('SELECT pg_sleep(30)'),
      )
      await expect(late).rejects.toMatchObject({ code: 'Timeout' })
      expect(Date.now() - begun).toBeLessThan(10_000)
      expect(await connections.run('ask', callOf(), (session) => session.query('SELECT 1 AS one'))).toEqual([
        { one: 1 },
      ])
      await connections.close()
    })

    test('a stalled process leaves nothing: the server ends its transaction at the deadline', async () => {
      const connections = createConnections(access)
      const name = `stall_${randomBytes(4).toString('hex')}`
      const stalled = connections.run(
        'stall',
        { signal: AbortSignal.timeout(60_000), deadlineMs: Date.now() + 300 },
        (session) =>
          session.transaction(async () => {
            await session.query(`CREATE ROLE ${name}`)
            await new Promise((resolve) => setTimeout(resolve, 1500))
          }),
      )
      await expect(stalled).rejects.toMatchObject({ code: 'Timeout' })
      expect((await sql(`SELECT 1 FROM pg_roles WHERE rolname = '${name}'`)).rowCount).toBe(0)
      await connections.close()
    })

    test('observing a thousand pieces costs two reads of the shared catalogs, and one look into each database', async () => {
      const made = await provision(backend, databaseTenant())
      const inner = createConnections(access)
      const reads: string[] = []
      const connections: Connections = {
        ...inner,
        run: (what, limits, work) => {
          reads.push(what)
          return inner.run(what, limits, work)
        },
        inside: (database, what, limits, work) => {
          reads.push(what)
          return inner.inside(database, what, limits, work)
        },
      }
      const counted = createPostgresBackend('postgres', access, { connections, catalogMaxAgeMs: 60_000 })
      for (let round = 0; round < 250; round += 1) {
        const seen = await Promise.all(
          made.made.map(({ resource, owned }) =>
            driverFor(counted, resource).observe(resource, callOf({ knownId: owned.id, fresh: false })),
          ),
        )
        expect(seen.map(({ status }) => status)).toEqual(['owned', 'owned', 'owned', 'owned'])
      }
      expect(reads.filter((what) => what === 'read the roles')).toHaveLength(1)
      expect(reads.filter((what) => what === 'read the databases')).toHaveLength(1)
      expect(reads.filter((what) => what.startsWith('look into'))).toHaveLength(1)
      // A write of ours is seen by the next observation, whatever the age.
      const login = made.made.find(({ resource }) => resource.address.endsWith('role/login'))!
      const narrower = { ...login.resource, spec: { ...login.resource.spec, connectionLimit: 3 } }
      await driverFor(counted, narrower).update(narrower, login.owned, [], callOf())
      const after = await driverFor(counted, narrower).observe(
        narrower,
        callOf({ knownId: login.owned.id, fresh: false }),
      )
      expect(after).toMatchObject({ status: 'owned', state: { connectionLimit: 3 } })
      await inner.close()
      await unprovision(backend, made)
    })

    test('a server that is not there is unreadable for observations and unreachable for the check', async () => {
      const nowhere = createPostgresBackend('postgres', { ...access, port: 1 })
      const [owner] = named(databaseTenant(), 'role/owner') as [Resource]
      expect(await driverFor(nowhere, owner).observe(owner, callOf())).toMatchObject({
        status: 'unreadable',
        cause: { code: 'Unreachable' },
      })
      await expect(nowhere.check(AbortSignal.timeout(5000))).rejects.toMatchObject({ code: 'Unreachable' })
      await expect(nowhere.snapshot(AbortSignal.timeout(5000), [])).rejects.toMatchObject({ code: 'Unreachable' })
      await expect(backend.check(AbortSignal.timeout(5000))).resolves.toBeUndefined()
      await nowhere.close()
    })

    test('a role without rights is refused as forbidden, and changes nothing', async () => {
      const weak = `weak_${randomBytes(4).toString('hex')}`
      await sql(
        `CREATE ROLE ${weak} LOGIN PASSWORD 'weak'`,
        `GRANT CONNECT ON DATABASE "${access.database}" TO ${weak}`,
      )
      const powerless = createPostgresBackend('postgres', { ...access, user: weak, password: 'weak' })
      const [owner] = named(databaseTenant(), 'role/owner') as [Resource]
      expect(await driverFor(powerless, owner).observe(owner, callOf())).toEqual({ status: 'absent' })
      await expect(driverFor(powerless, owner).create(owner, callOf())).rejects.toMatchObject({ code: 'Forbidden' })
      expect((await sql(`SELECT 1 FROM pg_roles WHERE rolname = '${owner.externalName}'`)).rowCount).toBe(0)
      await powerless.close()
      await sql(`DROP OWNED BY ${weak}`, `DROP ROLE ${weak}`)
    })

    test('facts name the version and whether the connection is encrypted', async () => {
      const facts = await backend.facts(AbortSignal.timeout(10_000))
      expect(Math.floor(facts.version / 10_000)).toBe(version === 'postgres18' ? 18 : 15)
      expect(facts.tls).toBe(access.tls)
      expect(await refusal(sql('SELECT 1'))).toBeUndefined()
    })
  })
}
