/**
 * One server as the logic goes through it: how its nodes are spelled, whose its databases and roles are, and how its
 * findings are collected. Knows no rule.
 */
import type { PgDatabase, PostgresWorld, TenantBoundary, World } from '../../model/world.ts'
import { shellQuote, type LogicEdge, type Node } from '../logic.ts'
import { indexRoles, type RoleIndex } from './roles.ts'

export const contained = 'grants.contained'
export const fenced = 'grants.fenced'

/** What one tenant has on one server. */
export interface Holding {
  readonly tenant: string
  readonly database: string
  readonly owner: string
  readonly login: string
}

export interface Refutation {
  readonly claim: string
  readonly tenant: string
  readonly edge: LogicEdge
  readonly subject: string
  readonly object: string
}
export interface Doubt {
  readonly claim: string
  readonly tenant?: string
  readonly because: string
}

export interface Site {
  readonly world: PostgresWorld
  readonly roles: RoleIndex
  readonly databases: ReadonlyMap<string, PgDatabase>
  readonly holdings: readonly Holding[]
  readonly tenantOfRole: ReadonlyMap<string, string>
  readonly holdingOf: ReadonlyMap<string, Holding>
  readonly trusted: ReadonlySet<string>
  readonly edges: LogicEdge[]
  readonly refuted: Refutation[]
  readonly undecided: Doubt[]
}

export function siteOf(world: World, server: PostgresWorld): Site {
  const holdings = world.tenants.flatMap(holdingsOf(server.server))
  return {
    world: server,
    roles: indexRoles(server),
    databases: new Map(server.databases.map((database) => [database.name, database])),
    holdings,
    tenantOfRole: new Map(
      holdings.flatMap(({ tenant, owner, login }) => [[owner, tenant] as const, [login, tenant] as const]),
    ),
    holdingOf: new Map(holdings.map((holding) => [holding.database, holding])),
    trusted: new Set(world.trustedRoles),
    edges: [],
    refuted: [],
    undecided: [],
  }
}

const holdingsOf =
  (server: string) =>
  (boundary: TenantBoundary): readonly Holding[] =>
    boundary.databases
      .filter((held) => held.server === server)
      .map(({ database, owner, login }) => ({ tenant: boundary.name, database, owner, login }))

export const roleNode = ({ world }: Site, name: string): Node => `pg:role:${world.server}/${name}`
export const databaseNode = ({ world }: Site, name: string): Node => `pg:db:${world.server}/${name}`
export const publicNode = ({ world }: Site): Node => `pg:public:${world.server}`
export const serverNode = ({ world }: Site): Node => `pg:server:${world.server}`
/** A power of the platform that is less than all: `createdb`, `outbound`. */
export const powerNode = ({ world }: Site, power: string): Node => `pg:power:${world.server}/${power}`
/** A grantee of an access list. */
export const granteeNode = (site: Site, grantee: string): Node =>
  grantee === '' ? publicNode(site) : roleNode(site, grantee)
export const granteeName = (grantee: string): string => (grantee === '' ? 'PUBLIC' : grantee)

/** A value of a libpq connection string (manual, 32.1.1.1). */
const conninfo = (value: string): string =>
  /^[A-Za-z0-9_.:/-]+$/.test(value) ? value : `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

/** A command that shows it. Without a user it is for an administrator. */
export function psql({ world }: Site, database: string, sql: string, user?: string): string {
  const { host, port } = world.endpoint ?? { host: world.server, port: 5432 }
  const target = [
    `host=${conninfo(host)}`,
    `port=${port}`,
    `dbname=${conninfo(database)}`,
    ...(user === undefined ? [] : [`user=${conninfo(user)}`]),
  ].join(' ')
  return `psql ${shellQuote(target)} -c ${shellQuote(sql)}`
}

export const sqlIdent = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A fence of one tenant that is not there. */
export function missingFence(
  site: Site,
  holding: Holding,
  fence: {
    claim?: string
    rule: string
    by: string
    subject: string
    object: string
    sql: string
    kind: string
    name: string
  },
): void {
  const { claim = fenced, rule, by, subject, object, sql, kind, name } = fence
  site.refuted.push({
    claim,
    tenant: holding.tenant,
    subject,
    object,
    edge: {
      from: subject,
      to: databaseNode(site, holding.database),
      rule,
      by,
      command: psql(site, holding.database, sql),
      culprits: [{ product: 'postgres', kind, name }],
    },
  })
}
