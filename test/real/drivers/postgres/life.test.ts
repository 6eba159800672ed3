/** A tenant's database from its first statement to its last, on real servers, seen by its own login and by others. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostgresBackend } from '../../../../src/drivers/postgres/backend.ts'
import type { PostgresAccess, PostgresBackend } from '../../../../src/model/backends.ts'
import {
  adminOf,
  callOf,
  databaseTenant,
  driverFor,
  provision,
  refusal,
  sqlAs,
  unprovision,
  type Provisioned,
} from '../../../support/database-tenant.ts'
import { describeOn, servers } from '../../../support/servers.ts'

for (const version of ['postgres18', 'postgres15'] as const) {
  describeOn([version], `a tenant's database on ${version}`, () => {
    let access: PostgresAccess
    let backend: PostgresBackend
    let a: Provisioned
    let b: Provisioned
    const asA = () => ({ user: a.tenant.names.databaseLogin, password: a.password, database: a.tenant.names.database })

    beforeAll(async () => {
      access = servers()[version]
      backend = createPostgresBackend('postgres', access)
      a = await provision(backend, databaseTenant())
      b = await provision(backend, databaseTenant())
    })
    afterAll(async () => {
      await unprovision(backend, a)
      await unprovision(backend, b)
      await backend.close()
    })

    test('every piece is up to date right after its create, and by a fresh observation', async () => {
      for (const { resource, owned } of a.made) {
        const driver = driverFor(backend, resource)
        expect(driver.diff(resource, owned.state), resource.address).toEqual([])
        const seen = await driver.observe(resource, callOf({ knownId: owned.id }))
        expect(seen, resource.address).toMatchObject({ status: 'owned', id: owned.id, ready: true })
        if (seen.status === 'owned') expect(driver.diff(resource, seen.state)).toEqual([])
      }
    })

    test('the login works in its own database, makes tables there, and finds them again', async () => {
      const result = await sqlAs(
        access,
        asA(),
        'CREATE TABLE notes (t text)',
        `INSERT INTO notes VALUES ('mine')`,
        'SELECT t FROM notes',
      )
      expect(result.rows).toEqual([{ t: 'mine' }])
    })

    test('the login is refused by another tenant’s database for want of CONNECT', async () => {
      expect(await refusal(sqlAs(access, { ...asA(), database: b.tenant.names.database }, 'SELECT 1'))).toBe('42501')
    })

    test('a wrong password is refused as such, so the refusal above is not about the password', async () => {
      expect(await refusal(sqlAs(access, { ...asA(), password: 'wrong' }, 'SELECT 1'))).toBe('28P01')
    })

    test('the login cannot let PUBLIC in, drop its database, become its owner, or make schemas and extensions', async () => {
      const { database, databaseOwner } = a.tenant.names
      // Without the grant option the server only warns; what counts is that PUBLIC got nothing.
      await sqlAs(access, asA(), `GRANT CONNECT ON DATABASE ${database} TO PUBLIC`).catch(() => undefined)
      const held = await sqlAs(
        access,
        adminOf(access),
        `SELECT bool_or(x.grantee = 0) AS open FROM pg_database d, aclexplode(d.datacl) x WHERE d.datname = '${database}'`,
      )
      expect(held.rows).toEqual([{ open: false }])
      expect(await refusal(sqlAs(access, asA(), `DROP DATABASE ${database}`))).toMatch(/^(42501|55006)$/)
      expect(await refusal(sqlAs(access, asA(), `SET ROLE ${databaseOwner}`))).toBe('42501')
      expect(await refusal(sqlAs(access, asA(), 'CREATE SCHEMA other'))).toBe('42501')
      expect(await refusal(sqlAs(access, asA(), 'CREATE EXTENSION hstore'))).toMatch(/^(42501|0A000|58P01)$/)
    })

    test('the server keeps a SCRAM verifier, never the password, and the fingerprint is of what it keeps', async () => {
      const login = a.made.find(({ resource }) => resource.secrets.length > 0)
      const kept = await sqlAs(
        access,
        adminOf(access),
        `SELECT rolpassword AS v, encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex') AS digest FROM pg_authid WHERE rolname = '${a.tenant.names.databaseLogin}'`,
      )
      expect(kept.rows[0].v).toMatch(/^SCRAM-SHA-256\$4096:/)
      expect(kept.rows[0].v).not.toContain(a.password)
      expect(login?.owned.credentials).toEqual({ password: kept.rows[0].digest })
    })

    test('a rotated password replaces the old one at once', async () => {
      const login = a.made.find(({ resource }) => resource.secrets.length > 0)!
      const driver = driverFor(backend, login.resource)
      const after = await driver.update(
        login.resource,
        login.owned,
        [],
        callOf({ material: { password: { clear: 'another-one', sourceFingerprint: 'y' } } }),
      )
      expect(after.credentials?.['password']).not.toBe(login.owned.credentials?.['password'])
      expect(await refusal(sqlAs(access, asA(), 'SELECT 1'))).toBe('28P01')
      a = { ...a, password: 'another-one' }
      expect(await refusal(sqlAs(access, asA(), 'SELECT 1'))).toBeUndefined()
    })

    test('taking the grants away ends the sessions and leaves the data to the owner role', async () => {
      const c = await provision(backend, databaseTenant())
      const { names } = c.tenant
      const who = { user: names.databaseLogin, password: c.password, database: names.database }
      await sqlAs(access, who, 'CREATE TABLE kept (n int)', 'INSERT INTO kept VALUES (7)')
      const session = sqlAs(access, who, 'SELECT pg_sleep(60)')
      const ended = refusal(session)
      await expect
        .poll(
          async () =>
            (
              await sqlAs(
                access,
                adminOf(access),
                `SELECT 1 FROM pg_stat_activity WHERE usename = '${names.databaseLogin}'`,
              )
            ).rowCount,
          { timeout: 10_000 },
        )
        .toBe(1)
      const grants = c.made.at(-1)!
      await driverFor(backend, grants.resource).remove(grants.resource, grants.owned, callOf())
      expect(await ended).toBe('57P01')
      expect(await refusal(sqlAs(access, who, 'SELECT 1'))).toBe('42501')
      expect(
        await driverFor(backend, grants.resource).observe(grants.resource, callOf({ knownId: grants.owned.id })),
      ).toEqual({ status: 'absent' })
      const kept = await sqlAs(
        access,
        adminOf(access, names.database),
        `SELECT n, pg_get_userbyid(relowner)::text AS owner FROM kept, pg_class WHERE relname = 'kept'`,
      )
      expect(kept.rows).toEqual([{ n: 7, owner: names.databaseOwner }])
      await unprovision(backend, c)
    })

    test('removal leaves nothing, may be repeated, and is seen as absence', async () => {
      const c = await provision(backend, databaseTenant())
      await unprovision(backend, c)
      await unprovision(backend, c)
      for (const { resource, owned } of c.made) {
        expect(
          await driverFor(backend, resource).observe(resource, callOf({ knownId: owned.id })),
          resource.address,
        ).toEqual({ status: 'absent' })
      }
      const left = await sqlAs(
        access,
        adminOf(access),
        `SELECT rolname::text FROM pg_roles WHERE rolname LIKE '${c.tenant.name}%' UNION SELECT datname::text FROM pg_database WHERE datname LIKE '${c.tenant.name}%'`,
      )
      expect(left.rows).toEqual([])
    })

    test('a session that is open does not stop the removal', async () => {
      const c = await provision(backend, databaseTenant())
      const { names } = c.tenant
      const ended = refusal(
        sqlAs(
          access,
          { user: names.databaseLogin, password: c.password, database: names.database },
          'SELECT pg_sleep(60)',
        ),
      )
      await expect
        .poll(
          async () =>
            (
              await sqlAs(
                access,
                adminOf(access),
                `SELECT 1 FROM pg_stat_activity WHERE usename = '${names.databaseLogin}'`,
              )
            ).rowCount,
          { timeout: 10_000 },
        )
        .toBe(1)
      await unprovision(backend, c)
      expect(await ended).toBe('57P01')
    })

    test('the outputs say where the database is, as a policy peer too', () => {
      const database = a.made.find(({ resource }) => resource.kind === 'postgres/Database')
      expect(database?.owned.outputs).toEqual({
        host: access.host,
        port: access.port,
        database: a.tenant.names.database,
        sslmode: 'require',
        addresses: [{ ipBlock: { cidr: `${access.host === 'localhost' ? '127.0.0.1' : access.host}/32`, except: [] } }],
      })
    })
  })
}
