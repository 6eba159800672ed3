/**
 * Vacuity: two tenants as we make them are proved apart on a server of their own; then every fence is taken down by
 * hand, one at a time, has to be named by the logic, and is put back by the driver.
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostgresBackend } from '../../../src/drivers/postgres/backend.ts'
import { startPostgres, type EmbeddedPostgres } from '../../../src/embedded/postgres/server.ts'
import { databaseLayer } from '../../../src/layers/database/layer.ts'
import type { PostgresBackend } from '../../../src/model/backends.ts'
import type { Owned } from '../../../src/model/driver.ts'
import type { Resource } from '../../../src/model/resource.ts'
import type { World } from '../../../src/model/world.ts'
import { grantsLogic } from '../../../src/prover/grants/logic.ts'
import type { Analysis } from '../../../src/prover/logic.ts'
import { doubts, refutations } from '../../support/closure.ts'
import {
  adminOf,
  callOf,
  databaseTenant,
  driverFor,
  layerContext,
  provision,
  refusal,
  sqlAs,
  type Provisioned,
} from '../../support/database-tenant.ts'
import { describeOn } from '../../support/servers.ts'

interface Break {
  readonly what: string
  /** `a` and `b` are the tenants' names; every statement is the administrator's. */
  readonly sql: readonly string[]
  readonly inside?: boolean
  readonly rule: string
  readonly claim: 'grants.contained' | 'grants.fenced'
  /** Statements that take it back where no resource of ours covers it. */
  readonly undo?: readonly string[]
}

const breaks: readonly Break[] = [
  { what: 'CONNECT for PUBLIC on a tenant’s database', sql: ['GRANT CONNECT ON DATABASE a_db TO PUBLIC'], rule: 'pg.public.connect', claim: 'grants.fenced' },
  { what: 'TEMPORARY for PUBLIC on a tenant’s database', sql: ['GRANT TEMPORARY ON DATABASE a_db TO PUBLIC'], rule: 'pg.public.temporary', claim: 'grants.fenced' },
  { what: 'CONNECT for another tenant’s login', sql: ['GRANT CONNECT ON DATABASE a_db TO b_user'], rule: 'pg.connect', claim: 'grants.fenced' },
  { what: 'CONNECT that the login may pass on', sql: ['GRANT CONNECT ON DATABASE a_db TO a_user WITH GRANT OPTION'], rule: 'pg.connect.grant-option', claim: 'grants.fenced' },
  { what: 'the login a member of the owner role', sql: ['GRANT a_owner TO a_user'], rule: 'pg.owner.member', claim: 'grants.fenced' },
  { what: 'the database owned by the login', sql: ['ALTER DATABASE a_db OWNER TO a_user'], rule: 'pg.owner.member', claim: 'grants.fenced' },
  { what: 'an owner role that can log in', sql: ['ALTER ROLE a_owner LOGIN'], rule: 'pg.owner.login', claim: 'grants.fenced' },
  { what: 'membership in another tenant’s login', sql: ['GRANT b_user TO a_user'], rule: 'pg.member.inherit', claim: 'grants.contained' },
  { what: 'CONNECT for PUBLIC on postgres', sql: ['GRANT CONNECT ON DATABASE postgres TO PUBLIC'], rule: 'pg.public.connect', claim: 'grants.contained' },
  { what: 'CONNECT for PUBLIC on template1', sql: ['GRANT CONNECT ON DATABASE template1 TO PUBLIC'], rule: 'pg.public.connect', claim: 'grants.contained' },
  { what: 'SUPERUSER', sql: ['ALTER ROLE a_user SUPERUSER'], rule: 'pg.attribute.superuser', claim: 'grants.contained' },
  { what: 'CREATEROLE', sql: ['ALTER ROLE a_user CREATEROLE'], rule: 'pg.attribute.createrole', claim: 'grants.contained' },
  { what: 'CREATEDB', sql: ['ALTER ROLE a_user CREATEDB'], rule: 'pg.attribute.createdb', claim: 'grants.contained' },
  { what: 'REPLICATION', sql: ['ALTER ROLE a_user REPLICATION'], rule: 'pg.attribute.replication', claim: 'grants.contained' },
  { what: 'BYPASSRLS', sql: ['ALTER ROLE a_user BYPASSRLS'], rule: 'pg.attribute.bypassrls', claim: 'grants.contained' },
  { what: 'a predefined role that runs programs', sql: ['GRANT pg_execute_server_program TO a_user'], rule: 'pg.member.inherit', claim: 'grants.contained' },
  { what: 'a predefined role that reads all data', sql: ['GRANT pg_read_all_data TO a_user'], rule: 'pg.member.inherit', claim: 'grants.contained' },
  { what: 'PUBLIC on schema public of the tenant', sql: ['GRANT USAGE ON SCHEMA public TO PUBLIC'], inside: true, rule: 'pg.public.schema', claim: 'grants.fenced' },
  { what: 'default privileges that open future tables', sql: ['ALTER DEFAULT PRIVILEGES FOR ROLE a_user GRANT SELECT ON TABLES TO PUBLIC'], inside: true, rule: 'pg.default-privileges', claim: 'grants.fenced' },
  { what: 'default privileges in one schema', sql: ['ALTER DEFAULT PRIVILEGES FOR ROLE a_user IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO PUBLIC'], inside: true, rule: 'pg.default-privileges', claim: 'grants.fenced' },
  { what: 'the built-in default for functions', sql: ['ALTER DEFAULT PRIVILEGES FOR ROLE a_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC'], inside: true, rule: 'pg.default-privileges', claim: 'grants.fenced' },
  { what: 'CREATE for PUBLIC on schema public of template1', sql: ['GRANT CREATE ON SCHEMA public TO PUBLIC'], rule: 'pg.public.schema', claim: 'grants.contained', inside: true },
  {
    what: 'a SECURITY DEFINER function of a superuser',
    sql: [`CREATE FUNCTION trap() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text'`],
    undo: ['DROP FUNCTION trap()'], inside: true, rule: 'pg.function.definer', claim: 'grants.contained',
  },
  {
    what: 'a system function that initdb kept for superusers',
    sql: ['GRANT EXECUTE ON FUNCTION pg_read_file(text) TO a_user'],
    undo: ['REVOKE EXECUTE ON FUNCTION pg_read_file(text) FROM a_user'], inside: true, rule: 'pg.system-object', claim: 'grants.contained',
  },
  {
    what: 'the verifiers of all roles',
    sql: ['GRANT SELECT ON pg_authid TO a_user'],
    undo: ['REVOKE SELECT ON pg_authid FROM a_user'], inside: true, rule: 'pg.system-object', claim: 'grants.contained',
  },
  {
    what: 'one column of the verifiers of all roles',
    sql: ['GRANT SELECT (rolpassword) ON pg_authid TO a_user'],
    undo: ['REVOKE SELECT (rolpassword) ON pg_authid FROM a_user'], inside: true, rule: 'pg.system-object', claim: 'grants.contained',
  },
  { what: 'a trigger on a superuser’s table', sql: ['CREATE TABLE ours (n int)', 'GRANT TRIGGER ON ours TO a_user'], undo: ['DROP TABLE ours'], inside: true, rule: 'pg.table.trigger', claim: 'grants.contained' },
  {
    what: 'a stranger’s login with CONNECT',
    sql: [`CREATE ROLE stranger LOGIN PASSWORD 'x'`, 'GRANT CONNECT ON DATABASE a_db TO stranger'],
    undo: ['DROP OWNED BY stranger', 'DROP ROLE stranger'], rule: 'pg.connect', claim: 'grants.fenced',
  },
  { what: 'another database that PUBLIC may enter', sql: ['CREATE DATABASE legacy TEMPLATE template0'], undo: ['DROP DATABASE legacy'], rule: 'pg.public.connect', claim: 'grants.contained' },
  {
    what: 'ALTER SYSTEM on a parameter',
    sql: ['GRANT ALTER SYSTEM ON PARAMETER archive_command TO a_user'],
    undo: ['REVOKE ALL ON PARAMETER archive_command FROM a_user'], rule: 'pg.parameter.alter-system', claim: 'grants.contained',
  },
] // prettier-ignore

for (const version of [18, 15] as const) {
  describeOn([`postgres${version}`], `fences on PostgreSQL ${version}`, () => {
    let dir: string
    let embedded: EmbeddedPostgres
    let backend: PostgresBackend
    let tenants: readonly Provisioned[]
    let pieces: readonly { resource: Resource; owned: Owned }[]

    const sql = (statements: readonly string[], database?: string) =>
      sqlAs(embedded.access, adminOf(embedded.access, database), ...statements)
    async function analyse(): Promise<Analysis> {
      const boundaries = tenants.map(({ tenant: { name, names } }) => ({
        name, namespaces: [], subjects: [], shared: [],
        databases: [{ server: 'postgres', database: names.database, owner: names.databaseOwner, login: names.databaseLogin }],
      })) // prettier-ignore
      const postgres = [
        await backend.snapshot(
          AbortSignal.timeout(20_000),
          tenants.map(({ tenant }) => tenant.names.database),
        ),
      ]
      const world: World = {
        source: 'live',
        observed: ['', ''],
        tenants: boundaries,
        postgres,
        unreadable: [],
        trusted: [],
        trustedRoles: [embedded.access.user],
      }
      return grantsLogic.analyse(world)
    }
    /** One pass of the engine over the PostgreSQL resources: observe, compare, put back. */
    async function repair(): Promise<readonly string[]> {
      const repaired: string[] = []
      for (const { resource, owned } of pieces) {
        const driver = driverFor(backend, resource)
        const seen = await driver.observe(resource, callOf({ knownId: owned.id }))
        if (seen.status !== 'owned') throw new Error(`${resource.address} is ${seen.status}`)
        const drift = driver.diff(resource, seen.state)
        if (drift.length === 0) continue
        repaired.push(...drift.map(({ path }) => `${resource.kind}${path}`))
        const after = await driver.update(resource, seen, drift, callOf())
        expect(driver.diff(resource, after.state), resource.address).toEqual([])
      }
      return repaired
    }

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'ringfence-fences-'))
      await chmod(dir, 0o711)
      embedded = await startPostgres({ dir: join(dir, 'server'), version, durable: false })
      backend = createPostgresBackend('postgres', embedded.access)
      const [fence] = databaseLayer.platform(layerContext)
      if (fence === undefined) throw new Error('the layer states no server fence')
      const owned = await driverFor(backend, fence).create(fence, callOf())
      if (owned === 'unknown') throw new Error('unknown')
      tenants = [await provision(backend, databaseTenant('a')), await provision(backend, databaseTenant('b'))]
      pieces = [{ resource: fence, owned }, ...tenants.flatMap(({ made }) => made)]
    })
    afterAll(async () => {
      await backend.close()
      await embedded.stop()
      await rm(dir, { recursive: true, force: true })
    })

    test('two tenants as we make them are apart, with nothing left undecided', async () => {
      const analysis = await analyse()
      expect(doubts(analysis)).toEqual([])
      expect(refutations(analysis)).toEqual([])
      for (const name of ['a', 'b']) expect(analysis.checked.get(name)).toBeGreaterThan(10)
      expect(await repair()).toEqual([])
    })

    test.each(breaks.filter(({ sql: [first] }) => version >= 15 || !first?.includes('PARAMETER')))(
      '$what is refuted by name, and put back',
      async ({ what, sql: statements, inside, rule, claim, undo }) => {
        const database = inside === true ? (what.includes('template1') ? 'template1' : 'a_db') : undefined
        await sql(statements, database)
        const broken = await analyse()
        const named = refutations(broken).filter(
          (finding) => finding.claim === claim && finding.tenant === 'a' && finding.rules.includes(rule),
        )
        expect(
          named.map(({ rules }) => rules),
          JSON.stringify(refutations(broken).map((finding) => [finding.claim, finding.tenant, finding.rules])),
        ).not.toEqual([])
        expect(named[0]?.edge.command).toMatch(/^psql /)
        if (undo === undefined) expect(await repair()).not.toEqual([])
        else await sql(undo, database)
        const after = await analyse()
        expect([...refutations(after), ...doubts(after)]).toEqual([])
      },
    )

    test('the fence of the server keeps a tenant’s login out of postgres and template1, with its own database as control', async () => {
      const [a] = tenants
      if (a === undefined) throw new Error('no tenant')
      const who = { user: 'a_user', password: a.password }
      expect(await refusal(sqlAs(embedded.access, { ...who, database: 'a_db' }, 'SELECT 1'))).toBeUndefined()
      for (const database of ['postgres', 'template1', 'b_db'])
        expect(await refusal(sqlAs(embedded.access, { ...who, database }, 'SELECT 1')), database).toBe('42501')
    })

    test('an extension that is not known, and one that connects elsewhere, are never passed over', async () => {
      const available = (await sql([`SELECT name FROM pg_available_extensions WHERE name IN ('dblink')`])).rows
      if (available.length === 0) return
      await sql(['CREATE EXTENSION dblink'], 'a_db')
      expect(
        refutations(await analyse()).filter(
          ({ claim, rules }) => claim === 'grants.contained' && rules.includes('pg.extension.dblink'),
        ),
      ).toHaveLength(1)
      await sql(['DROP EXTENSION dblink'], 'a_db')
    })

    test('a dropped database and a dropped login are undecided, never proved', async () => {
      await sql(['DROP DATABASE b_db WITH (FORCE)'])
      expect(doubts(await analyse()).join()).toContain('database b_db is not on server postgres')
      await sql(['DROP ROLE b_user'])
      expect(doubts(await analyse()).join()).toContain('role b_user is not on server postgres')
    })
  })
}
