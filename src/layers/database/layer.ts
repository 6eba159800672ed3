/**
 * The database layer, mode `shared`: a database and two roles on a server of the platform. The owner role cannot log
 * in and has no members; the login role owns schemas only. Pure; knows the kinds of the PostgreSQL driver by their
 * specs and the other layers by their addresses alone.
 */
import { RingfenceError } from '../../model/errors.ts'
import type { Claim, Layer, LayerContext } from '../../model/layer.ts'
import { addressOf, type Address } from '../../model/resource.ts'
import type { Tenant } from '../../model/tenant.ts'
import { credential, database, grants, login, owner, serverFence, type Site } from './resources.ts'

/** Where other layers find the outputs of the database: host, port, database, sslmode, addresses. */
export const databaseAddress = (tenant: string): Address => addressOf(tenant, 'database', 'database', 'main')

export const databaseLayer: Layer = {
  name: 'database',
  wanted: (tenant) => tenant.spec.database.mode !== 'none' || tenant.spec.database.federated.length > 0,
  problem,
  platform: (context) =>
    context.backends.postgres === undefined || context.platform.database.mode === 'none'
      ? []
      : [serverFence(context.backends.postgres)],
  desired(tenant, context) {
    const site = siteOf(tenant, context)
    return site === undefined || problem(tenant, context) !== undefined
      ? []
      : [owner, database, credential, login, grants].map((make) => make(site))
  },
  claims: (tenant, context) => (siteOf(tenant, context) === undefined ? [] : claimsOf(tenant)),
}

/** Undefined where the tenant has no database on a shared server. */
function siteOf(tenant: Tenant, context: LayerContext): Site | undefined {
  const { postgres, credentials } = context.backends
  if (tenant.spec.database.mode !== 'shared' || postgres === undefined || credentials === undefined) return undefined
  const retained = new Set([...tenant.spec.lifecycle.retain, ...context.platform.defaults.retain]).has('database')
  return { tenant, postgres, credentials, retained }
}

function problem(tenant: Tenant, { backends, platform }: LayerContext): RingfenceError | undefined {
  const { mode, federated } = tenant.spec.database
  const refuse = (what: string, fix: string, path: string) =>
    new RingfenceError('NotConfigured', `${what}; ${fix}`, { problems: [{ path, reason: what, fix }] })
  if (mode === 'dedicated')
    return refuse(
      'database mode "dedicated" is not configured on this platform',
      'use "shared" or "none"',
      '/spec/database/mode',
    )
  if (federated.length > 0) {
    const names = federated.map(({ name }) => name).join(', ')
    return refuse(
      `database federation (${names}) is not configured on this platform`,
      'remove the entries',
      '/spec/database/federated',
    )
  }
  if (mode === 'none') return undefined
  if (platform.database.mode === 'none')
    return refuse('this platform serves no databases', 'set the mode to "none"', '/spec/database/mode')
  if (backends.postgres === undefined)
    return refuse(
      'no PostgreSQL server is configured',
      'name one in DATABASE_URL, or set the mode to "none"',
      '/spec/database/mode',
    )
  if (backends.credentials === undefined)
    return refuse(
      'no place for credentials is configured',
      'configure Kubernetes or a credential folder',
      '/spec/database/mode',
    )
  return undefined
}

const claimsOf = (tenant: Tenant): readonly Claim[] => [
  {
    id: 'grants.contained',
    tenant: tenant.name,
    statement: `What ${tenant.name} can do in SQL reaches no role, database or power of anybody else.`,
  },
  {
    id: 'grants.fenced',
    tenant: tenant.name,
    statement: `No role but those of ${tenant.name} and the platform's trusted ones gets into its database, and its own login cannot let one in.`,
  },
]
