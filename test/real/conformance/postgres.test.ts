/** The PostgreSQL drivers on real servers: roles, databases, and the grants between them. */
import { randomBytes } from 'node:crypto'
import { createPostgresBackend } from '../../../src/drivers/postgres/backend.ts'
import { createConnections, type Connections, type Session } from '../../../src/drivers/postgres/connection.ts'
import type { PostgresAccess, PostgresBackend } from '../../../src/model/backends.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import type { Resource } from '../../../src/model/resource.ts'
import { call, driverConformance, type ConformanceCase, type ConformanceEnvironment } from '../../conformance/driver.ts'
import { material } from '../../conformance/login.ts'
import { createTcpProxy } from '../../conformance/tcp-proxy.ts'
import { adminOf, databaseTenant, driverFor, postgresResources, sqlAs } from '../../support/database-tenant.ts'
import { describeOn, servers } from '../../support/servers.ts'

interface Environment extends ConformanceEnvironment {
  readonly access: PostgresAccess
  readonly backend: PostgresBackend
}

/**
 * Loses the answer of whatever wrote, after it was carried out. A relay of bytes cannot do this: it would cut the
 * conversation at its first answer, before anything was written.
 */
function forgetful(inner: Connections, lost: () => boolean): Connections {
  const losing = async <T>(
    run: (watch: (work: (session: Session) => Promise<T>) => (session: Session) => Promise<T>) => Promise<T>,
  ): Promise<T> => {
    let wrote = false
    const result = await run((work) => (session) => {
      const query: Session['query'] = (text, values) => {
        wrote ||= !/^\s*(SELECT|BEGIN|COMMIT|ROLLBACK)/.test(text)
        return session.query(text, values)
      }
      const watched: Session = {
        query,
        get sent() {
          return session.sent
        },
        transaction: (inside, begin) => session.transaction(inside, begin),
      }
      return work(watched)
    })
    if (wrote && lost()) throw new RingfenceError('Unreachable', 'the answer was lost')
    return result
  }
  return {
    ...inner,
    run: (what, limits, work) => losing((watch) => inner.run(what, limits, watch(work))),
    inside: (database, what, limits, work) => losing((watch) => inner.inside(database, what, limits, watch(work))),
  }
}

const setup = (version: 'postgres18' | 'postgres15') => async (): Promise<Environment> => {
  const access = servers()[version]
  const proxy = await createTcpProxy(access)
  let mode: 'pass' | 'refuse' | 'blackhole' | 'lose-answer' = 'pass'
  const connections = forgetful(
    createConnections({ ...access, port: proxy.port }, { poolSize: 1 }),
    () => mode === 'lose-answer',
  )
  const backend = createPostgresBackend('postgres', access)
  const broken = createPostgresBackend('postgres', { ...access, port: proxy.port }, { connections })
  return {
    access,
    backend,
    broken: {
      backend: broken,
      set(next) {
        mode = next
        proxy.set(next === 'lose-answer' ? 'pass' : next)
      },
    },
    async close() {
      // All names of this file begin alike; owners go after what they own.
      const names = async (text: string) =>
        (await sqlAs(access, adminOf(access), text)).rows.map((row: { name: string }) => row.name)
      for (const name of await names(`SELECT datname AS name FROM pg_database WHERE datname LIKE 'conf-%'`))
        await sqlAs(
          access,
          adminOf(access),
          `UPDATE pg_database SET datistemplate = false WHERE datname = '${name}'`,
          `DROP DATABASE "${name}" WITH (FORCE)`,
        )
      for (const name of await names(`SELECT rolname AS name FROM pg_roles WHERE rolname LIKE 'conf-%'`))
        await sqlAs(access, adminOf(access), `DROP OWNED BY "${name}"`, `DROP ROLE "${name}"`)
      await Promise.all([backend.close(), broken.close(), proxy.close()])
    },
  }
}

const sql = (env: Environment, ...statements: readonly string[]) =>
  sqlAs(env.access, adminOf(env.access), ...statements)
const inDatabase = (env: Environment, database: string, ...statements: readonly string[]) =>
  sqlAs(env.access, adminOf(env.access, database), ...statements)
const json = async (env: Environment, text: string): Promise<string | undefined> => (await sql(env, text)).rows[0]?.raw

function newTenant() {
  const name = `conf-${randomBytes(4).toString('hex')}`
  const tenant = databaseTenant(name)
  return {
    ...tenant,
    names: { ...tenant.names, database: `${name}_db`, databaseOwner: `${name}_owner`, databaseLogin: `${name}_user` },
  }
}
const piece = (resources: readonly Resource[], kind: string, key: string): Resource => {
  const found = resources.find((resource) => resource.kind === kind && resource.address.endsWith(key))
  if (found === undefined) throw new Error(`no ${kind} ${key}`)
  return found
}
async function made(env: Environment, ...resources: readonly Resource[]): Promise<void> {
  for (const resource of resources) await driverFor(env.backend, resource).create(resource, call())
}
const changing =
  (change: object) =>
  (resource: Resource): Resource => ({ ...resource, spec: { ...resource.spec, ...change } })
const named = (resource: Resource) => `"${resource.externalName}"`

const role: ConformanceCase<Environment> = {
  title: 'postgres/Role',
  fresh: async () => ({ ...piece(postgresResources(newTenant()), 'postgres/Role', 'login'), needs: [] }),
  changed: changing({ connectionLimit: 7, settings: { search_path: ['other', 'pg_temp'] } }),
  disturbances: [
    {
      title: 'an attribute',
      path: '/superuser',
      disturb: async (env, resource) => void (await sql(env, `ALTER ROLE ${named(resource)} SUPERUSER`)),
    },
    {
      title: 'closed',
      path: '/login',
      disturb: async (env, resource) => void (await sql(env, `ALTER ROLE ${named(resource)} NOLOGIN`)),
    },
    {
      title: 'a member',
      path: '/members',
      disturb: async (env, resource) =>
        void (await sql(
          env,
          `CREATE ROLE "${resource.externalName}-m"`,
          `GRANT ${named(resource)} TO "${resource.externalName}-m" WITH ADMIN OPTION`,
        )),
    },
    {
      title: 'a membership',
      path: '/memberOf',
      disturb: async (env, resource) => void (await sql(env, `GRANT pg_monitor TO ${named(resource)}`)),
    },
    {
      title: 'a setting',
      path: '/settings',
      disturb: async (env, resource) =>
        void (await sql(
          env,
          `ALTER ROLE ${named(resource)} SET work_mem TO '64MB'`,
          `ALTER ROLE ${named(resource)} RESET search_path`,
        )),
    },
    {
      title: 'a setting in one database',
      path: '/databaseSettings',
      disturb: async (env, resource) =>
        void (await sql(env, `ALTER ROLE ${named(resource)} IN DATABASE template1 SET work_mem TO '64MB'`)),
    },
    {
      title: 'an end',
      path: '/validUntil',
      disturb: async (env, resource) => void (await sql(env, `ALTER ROLE ${named(resource)} VALID UNTIL '2020-01-01'`)),
    },
    {
      title: 'the mark',
      path: '/mark',
      disturb: async (env, resource) =>
        void (await sql(env, `COMMENT ON ROLE ${named(resource)} IS 'ringfence tenant=other uid=x key=y'`)),
    },
    {
      title: 'the name',
      path: '/name',
      disturb: async (env, resource) =>
        void (await sql(env, `ALTER ROLE ${named(resource)} RENAME TO "${resource.externalName}-renamed"`)),
    },
  ],
  stranger: async (env, resource) => void (await sql(env, `CREATE ROLE ${named(resource)}`)),
  destroy: async (env, resource) =>
    void (await sql(env, `DROP OWNED BY ${named(resource)}`, `DROP ROLE ${named(resource)}`)),
  raw: (env, resource) =>
    json(
      env,
      `SELECT row_to_json(a)::text || coalesce(shobj_description(oid, 'pg_authid'), '') AS raw FROM pg_authid a WHERE rolname = '${resource.externalName}'`,
    ),
  material,
}

const database: ConformanceCase<Environment> = {
  title: 'postgres/Database',
  async fresh(env) {
    const resources = postgresResources(newTenant())
    await made(env, piece(resources, 'postgres/Role', 'owner'))
    return piece(resources, 'postgres/Database', 'main')
  },
  changed: changing({ connectionLimit: 9 }),
  disturbances: [
    {
      title: 'PUBLIC let in',
      path: '/publicPrivileges',
      disturb: async (env, resource) => void (await sql(env, `GRANT CONNECT ON DATABASE ${named(resource)} TO PUBLIC`)),
    },
    {
      title: 'PUBLIC let in by somebody who may pass it on',
      path: '/publicPrivileges',
      disturb: async (env, resource) => {
        const other = `"${resource.externalName}-g"`
        await sql(
          env,
          `CREATE ROLE ${other}`,
          `GRANT CONNECT ON DATABASE ${named(resource)} TO ${other} WITH GRANT OPTION`,
          `SET ROLE ${other}`,
          `GRANT CONNECT ON DATABASE ${named(resource)} TO PUBLIC`,
        )
      },
    },
    {
      title: 'closed',
      path: '/allowConnections',
      disturb: async (env, resource) =>
        void (await sql(env, `ALTER DATABASE ${named(resource)} ALLOW_CONNECTIONS false`)),
    },
    {
      title: 'a template',
      path: '/isTemplate',
      disturb: async (env, resource) => void (await sql(env, `ALTER DATABASE ${named(resource)} IS_TEMPLATE true`)),
    },
    {
      title: 'the owner',
      path: '/owner',
      disturb: async (env, resource) => void (await sql(env, `ALTER DATABASE ${named(resource)} OWNER TO postgres`)),
    },
    {
      title: 'a setting',
      path: '/settings',
      disturb: async (env, resource) =>
        void (await sql(env, `ALTER DATABASE ${named(resource)} SET search_path TO evil`)),
    },
    {
      title: 'the mark',
      path: '/mark',
      disturb: async (env, resource) => void (await sql(env, `COMMENT ON DATABASE ${named(resource)} IS NULL`)),
    },
    {
      title: 'the name',
      path: '/name',
      disturb: async (env, resource) =>
        void (await sql(env, `ALTER DATABASE ${named(resource)} RENAME TO "${resource.externalName}-renamed"`)),
    },
  ],
  stranger: async (env, resource) => void (await sql(env, `CREATE DATABASE ${named(resource)} TEMPLATE template0`)),
  destroy: async (env, resource) => void (await sql(env, `DROP DATABASE ${named(resource)} WITH (FORCE)`)),
  raw: (env, resource) =>
    json(
      env,
      `SELECT row(datname, datdba, datallowconn, datconnlimit, datistemplate, datacl)::text || coalesce(shobj_description(oid, 'pg_database'), '') AS raw FROM pg_database WHERE datname = '${resource.externalName}'`,
    ),
}

const loginOf = (resource: Resource) => String(resource.spec['login'])
const grants: ConformanceCase<Environment> = {
  title: 'postgres/DatabaseGrants',
  async fresh(env) {
    const resources = postgresResources(newTenant())
    await made(
      env,
      piece(resources, 'postgres/Role', 'owner'),
      piece(resources, 'postgres/Database', 'main'),
      piece(resources, 'postgres/Role', 'login'),
    )
    return piece(resources, 'postgres/DatabaseGrants', 'main')
  },
  changed: (resource) =>
    changing({ privileges: { ...(resource.spec['privileges'] as object), [loginOf(resource)]: ['CONNECT'] } })(
      resource,
    ),
  disturbances: [
    {
      title: 'a stranger let in',
      path: '/privileges',
      disturb: async (env, resource) =>
        void (await sql(
          env,
          `CREATE ROLE "${resource.externalName}-s"`,
          `GRANT CONNECT ON DATABASE ${named(resource)} TO "${resource.externalName}-s"`,
        )),
    },
    {
      title: 'the login may pass it on',
      path: '/privileges',
      disturb: async (env, resource) =>
        void (await sql(
          env,
          `GRANT CONNECT ON DATABASE ${named(resource)} TO "${loginOf(resource)}" WITH GRANT OPTION`,
        )),
    },
    {
      title: 'the login shut out',
      path: '/privileges',
      disturb: async (env, resource) =>
        void (await sql(env, `REVOKE ALL ON DATABASE ${named(resource)} FROM "${loginOf(resource)}"`)),
    },
    {
      title: 'a schema of another',
      path: '/schemas',
      disturb: async (env, resource) =>
        void (await inDatabase(env, resource.externalName, 'ALTER SCHEMA public OWNER TO postgres')),
    },
    {
      title: 'a schema dropped',
      path: '/schemas',
      disturb: async (env, resource) =>
        void (await inDatabase(env, resource.externalName, 'DROP SCHEMA public CASCADE')),
    },
    {
      title: 'a schema open to PUBLIC',
      path: '/schemas',
      disturb: async (env, resource) =>
        void (await inDatabase(env, resource.externalName, 'GRANT CREATE ON SCHEMA public TO PUBLIC')),
    },
    {
      title: 'future tables open to PUBLIC',
      path: '/futurePublic',
      disturb: async (env, resource) =>
        void (await inDatabase(
          env,
          resource.externalName,
          `ALTER DEFAULT PRIVILEGES FOR ROLE "${loginOf(resource)}" IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC`,
        )),
    },
    {
      title: 'the mark',
      path: '/mark',
      disturb: async (env, resource) =>
        void (await inDatabase(env, resource.externalName, 'COMMENT ON SCHEMA public IS NULL')),
    },
  ],
  async stranger(env, resource) {
    const login = `"${loginOf(resource)}"`
    const there = (await sql(env, `SELECT 1 FROM pg_roles WHERE rolname = '${loginOf(resource)}'`)).rowCount
    await sql(
      env,
      ...(there === 0 ? [`CREATE ROLE ${login} LOGIN`] : []),
      `GRANT CONNECT ON DATABASE ${named(resource)} TO ${login}`,
    )
  },
  async destroy(env, resource) {
    const login = `"${loginOf(resource)}"`
    await inDatabase(
      env,
      resource.externalName,
      `REASSIGN OWNED BY ${login} TO postgres`,
      `DROP OWNED BY ${login}`,
      `DROP ROLE ${login}`,
    )
  },
  raw: (env, resource) =>
    json(
      env,
      `SELECT datacl::text AS raw FROM pg_database, aclexplode(datacl) x WHERE datname = '${resource.externalName}' AND x.grantee = to_regrole('"${loginOf(resource)}"')`,
    ),
}

for (const version of ['postgres18', 'postgres15'] as const) {
  describeOn([version], `on ${version}`, () => {
    driverConformance(`PostgreSQL (${version})`, {
      setup: setup(version),
      hasTransport: true,
      hasPowerless: false,
      cases: [role, database, grants],
    })
  })
}
