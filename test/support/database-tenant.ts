/**
 * Tenants of the database layer without an engine: their resources with outputs resolved, and the driver calls in the
 * order that the engine would make. Names are random, so that files can share a server.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import { databaseLayer } from '../../src/layers/database/layer.ts'
import type { PostgresAccess, PostgresBackend } from '../../src/model/backends.ts'
import type { Call, Driver, Owned } from '../../src/model/driver.ts'
import type { LayerContext } from '../../src/model/layer.ts'
import { platformSpec } from '../../src/model/platform.ts'
import { resolveOutputs, type Resource } from '../../src/model/resource.ts'
import { tenantSpec, type Tenant } from '../../src/model/tenant.ts'

export const layerContext: LayerContext = {
  platform: platformSpec.parse({}),
  facts: {},
  backends: { kubernetes: 'kubernetes', postgres: 'postgres', credentials: 'credentials' },
}

export function databaseTenant(name = `t${randomBytes(4).toString('hex')}`, spec: object = {}): Tenant {
  const under = name.replaceAll('-', '_')
  return {
    name,
    uid: randomUUID(),
    generation: 1,
    spec: tenantSpec.parse(spec),
    labels: {},
    names: {
      namespace: name,
      database: `${under}_db`,
      databaseOwner: `${under}_owner`,
      databaseLogin: `${under}_user`,
      networkPolicy: 'ringfence-isolation',
    },
  }
}

/** The tenant's PostgreSQL resources, in an order that satisfies `needs`. */
export function postgresResources(tenant: Tenant): readonly Resource[] {
  const resources = databaseLayer.desired(tenant, layerContext).filter(({ kind }) => kind.startsWith('postgres/'))
  return resources.map((resource) => {
    const resolved = resolveOutputs(resource.spec, () => ({}))
    if ('missing' in resolved) throw new Error(`unexpected outputs: ${resolved.missing.join(', ')}`)
    return { ...resource, spec: resolved.spec }
  })
}

export const callOf = (more: Partial<Call> = {}): Call => ({
  signal: new AbortController().signal,
  deadlineMs: Date.now() + 30_000,
  key: randomUUID(),
  fresh: true,
  ...more,
})

export function driverFor(backend: PostgresBackend, resource: Resource): Driver {
  const driver = backend.drivers[resource.kind]
  if (driver === undefined) throw new Error(`no driver for ${resource.kind}`)
  return driver
}

export interface Provisioned {
  readonly tenant: Tenant
  readonly password: string
  readonly made: readonly { readonly resource: Resource; readonly owned: Owned }[]
}

export async function provision(backend: PostgresBackend, tenant: Tenant): Promise<Provisioned> {
  const password = randomBytes(12).toString('hex')
  const made: { resource: Resource; owned: Owned }[] = []
  for (const resource of postgresResources(tenant)) {
    const material =
      resource.secrets.length > 0 ? { material: { password: { clear: password, sourceFingerprint: 'x' } } } : {}
    const owned = await driverFor(backend, resource).create(resource, callOf(material))
    if (owned === 'unknown') throw new Error(`the outcome of ${resource.address} is unknown`)
    made.push({ resource, owned })
  }
  return { tenant, password, made }
}

export async function unprovision(backend: PostgresBackend, { made }: Provisioned): Promise<void> {
  for (const { resource, owned } of made.toReversed())
    await driverFor(backend, resource).remove(resource, owned, callOf())
}

/** One statement as somebody, in a database; throws what the server says. */
export async function sqlAs(
  access: PostgresAccess,
  who: { user: string; password: string; database: string },
  ...statements: readonly string[]
): Promise<pg.QueryResult> {
  const client = new pg.Client({
    host: access.host,
    port: access.port,
    ...who,
    ssl: access.tls ? { ca: access.ca } : false,
  })
  // A server that is stopped on purpose breaks the connection; the statement that follows says so.
  client.on('error', () => undefined)
  client.on('error', () => undefined)
  await client.connect()
  try {
    let result: pg.QueryResult | undefined
    for (const statement of statements) result = await client.query(statement)
    if (result === undefined) throw new Error('no statement')
    return result
  } finally {
    await client.end()
  }
}

/** The SQLSTATE with which the statements are refused; `undefined` when they are not. */
export async function refusal(run: Promise<unknown>): Promise<string | undefined> {
  try {
    await run
    return undefined
  } catch (error) {
    return String((error as { code?: unknown }).code)
  }
}

export const adminOf = (access: PostgresAccess, database = access.database) => ({
  user: access.user,
  password: access.password,
  database,
})
