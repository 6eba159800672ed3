/**
 * The objects of one tenant's database. Order is safety: the database is shut to PUBLIC from its first moment, the
 * credential is kept before the login is told it, and the login gets in last, when all doors inside are shut.
 */
import type { JsonObject } from '../../model/json.ts'
import { addressOf, output, type Address, type Resource } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'

export interface Site {
  readonly tenant: Tenant
  readonly postgres: string
  readonly credentials: string
  /** The data outlives the tenant; its access never does. */
  readonly retained: boolean
}

/** The Secret, or file, that a tenant finds its login in. */
export const credentialName = 'database-credentials'
/** The schema that a tenant's objects live in. */
const schema = 'public'

interface Addresses {
  readonly owner: Address
  readonly login: Address
  readonly database: Address
  readonly grants: Address
  readonly credential: Address
  readonly namespace: Address
  readonly defaultDeny: Address
  readonly serverFence: Address
}

const addresses = (tenant: string): Addresses => ({
  owner: addressOf(tenant, 'database', 'role', 'owner'),
  login: addressOf(tenant, 'database', 'role', 'login'),
  database: addressOf(tenant, 'database', 'database', 'main'),
  grants: addressOf(tenant, 'database', 'grants', 'main'),
  credential: addressOf(tenant, 'database', 'credential', 'login'),
  namespace: addressOf(tenant, 'compute', 'namespace', 'main'),
  defaultDeny: addressOf(tenant, 'network', 'network-policy', 'default-deny'),
  serverFence: addressOf('platform', 'database', 'server-fence', 'main'),
})

/** What all pieces of a tenant have in common. */
const piece = (
  { tenant, postgres }: Site,
  kind: string,
  address: Address,
  externalName: string,
): Omit<Resource, 'spec' | 'needs' | 'onRemove'> => ({
  kind,
  address,
  backend: postgres,
  externalName,
  owner: { name: tenant.name, uid: tenant.uid },
  secrets: [],
})

const roleSpec = (name: string, more: JsonObject): JsonObject => ({
  name,
  login: false,
  inherit: true,
  superuser: false,
  createRole: false,
  createDb: false,
  replication: false,
  bypassRls: false,
  connectionLimit: -1,
  validUntil: null,
  settings: {},
  databaseSettings: [],
  memberOf: [],
  members: [],
  heir: null,
  ...more,
})

/** Owns the database and nothing else; nobody is it: an owner can let PUBLIC in and drop the database. */
export const owner = (site: Site): Resource => ({
  ...piece(site, 'postgres/Role', addresses(site.tenant.name).owner, site.tenant.names.databaseOwner),
  spec: roleSpec(site.tenant.names.databaseOwner, { connectionLimit: 0 }),
  needs: [],
  onRemove: site.retained ? 'retain' : 'delete',
})

export const database = (site: Site): Resource => ({
  ...piece(site, 'postgres/Database', addresses(site.tenant.name).database, site.tenant.names.database),
  spec: {
    name: site.tenant.names.database,
    owner: site.tenant.names.databaseOwner,
    encoding: 'UTF8',
    connectionLimit: -1,
    allowConnections: true,
    isTemplate: false,
    publicPrivileges: [],
    settings: {},
  },
  needs: [addresses(site.tenant.name).owner],
  onRemove: site.retained ? 'retain' : 'delete',
})

export function credential(site: Site): Resource {
  const { tenant } = site
  const at = addresses(tenant.name)
  return {
    ...piece(site, 'credential/Login', at.credential, `${tenant.names.namespace}/${credentialName}`),
    backend: site.credentials,
    spec: {
      namespace: tenant.names.namespace,
      name: credentialName,
      labels: { 'ringfence.dev/tenant': tenant.name },
      data: {
        host: output(at.database, 'host'),
        port: output(at.database, 'port'),
        database: tenant.names.database,
        username: tenant.names.databaseLogin,
        sslmode: output(at.database, 'sslmode'),
      },
    },
    secrets: [{ name: 'password', role: 'source' }],
    // Fences before credentials: the namespace is shut before anything in it could use them.
    needs: [at.database, at.namespace, at.defaultDeny],
    onRemove: 'delete',
  }
}

export function login(site: Site): Resource {
  const { tenant } = site
  const at = addresses(tenant.name)
  const { connectionLimit, statementTimeoutSeconds } = tenant.spec.database
  return {
    ...piece(site, 'postgres/Role', at.login, tenant.names.databaseLogin),
    spec: roleSpec(tenant.names.databaseLogin, {
      login: true,
      connectionLimit,
      // Defaults that a session can change, not fences.
      settings: { search_path: [schema, 'pg_temp'], statement_timeout: `${statementTimeoutSeconds * 1000}` },
      heir: tenant.names.databaseOwner,
    }),
    secrets: [{ name: 'password', role: 'verifier', source: at.credential }],
    needs: [at.credential, at.owner, at.serverFence],
    onRemove: 'delete',
  }
}

export function grants(site: Site): Resource {
  const { tenant } = site
  const at = addresses(tenant.name)
  const { database: name, databaseOwner, databaseLogin } = tenant.names
  return {
    ...piece(site, 'postgres/DatabaseGrants', at.grants, name),
    spec: {
      database: name,
      owner: databaseOwner,
      login: databaseLogin,
      privileges: { [databaseOwner]: ['CONNECT', 'CREATE', 'TEMPORARY'], [databaseLogin]: ['CONNECT', 'TEMPORARY'] },
      schemas: { [schema]: { owner: databaseLogin, publicPrivileges: [] } },
      futurePublic: { [databaseOwner]: {}, [databaseLogin]: {} },
    },
    needs: [at.database, at.login],
    onRemove: 'delete',
  }
}

/** Shuts PUBLIC out of what every server has; one for all tenants. */
export const serverFence = (postgres: string): Resource => ({
  kind: 'postgres/ServerFence',
  address: addresses('platform').serverFence,
  backend: postgres,
  externalName: 'server-fence',
  owner: 'platform',
  spec: {
    databases: {
      postgres: { publicPrivileges: [], schemaPublic: [] },
      template1: { publicPrivileges: [], schemaPublic: [] },
    },
    ownDatabase: { publicPrivileges: [], schemaPublic: [] },
  },
  secrets: [],
  needs: [],
  onRemove: 'retain',
})
