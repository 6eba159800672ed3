/**
 * The grants logic: PostgreSQL roles, memberships, privileges, PUBLIC and default privileges as edges over the joint
 * graph. What a tenant can do starts at its login; the owner role is nobody, and has to stay so.
 */
import type { PostgresWorld, World } from '../../model/world.ts'
import { outsider, type Analysis, type Logic, type LogicEdge, type Node } from '../logic.ts'
import { checkFences } from './fences.ts'
import { insideEdges } from './inside-edges.ts'
import { sharedEdges } from './shared-edges.ts'
import {
  contained,
  databaseNode,
  fenced,
  missingFence,
  roleNode,
  siteOf,
  type Doubt,
  type Holding,
  type Refutation,
  type Site,
} from './site.ts'

export const grantsLogic: Logic = {
  name: 'grants',
  claims: [
    { id: contained, statement: 'what the tenant can do in SQL reaches no role, database or power of others' },
    { id: fenced, statement: 'nobody else gets into the tenant’s database, and its own login cannot let anybody in' },
  ],
  applies: (world) => (world.postgres?.length ?? 0) > 0 || world.tenants.some(({ databases }) => databases.length > 0),
  analyse,
}

interface Findings {
  readonly edges: LogicEdge[]
  readonly starts: Map<string, Node[]>
  readonly owners: Map<Node, string>
  readonly undecided: Doubt[]
  readonly refuted: Refutation[]
  readonly checked: Map<string, number>
}

function analyse(world: World): Analysis {
  const found: Findings = {
    edges: [],
    starts: new Map([[outsider, []]]),
    owners: new Map(),
    undecided: [],
    refuted: [],
    checked: new Map(),
  }
  const servers = world.postgres ?? []
  const shared = servers.reduce(
    (sum, server) => sum + server.roles.length + server.databases.length + server.memberships.length,
    0,
  )
  for (const { name } of world.tenants) {
    found.starts.set(name, [])
    found.checked.set(name, shared)
  }
  for (const server of servers) analyseServer(world, server, found)
  unknownServers(world, servers, found)
  unreadable(world, servers, found)
  return { ...found, assuming: assumptions(world) }
}

function analyseServer(world: World, server: PostgresWorld, found: Findings): void {
  const site = siteOf(world, server)
  sharedEdges(site, found.owners)
  claimedTwice(site)
  for (const holding of site.holdings) {
    found.owners.set(roleNode(site, holding.owner), holding.tenant)
    found.owners.set(roleNode(site, holding.login), holding.tenant)
    found.starts.get(holding.tenant)?.push(roleNode(site, holding.login))
    const examined = analyseHolding(site, holding)
    found.checked.set(holding.tenant, (found.checked.get(holding.tenant) ?? 0) + examined)
  }
  templates(site)
  const strangers = server.roles.filter(
    ({ login, name }) => login && !site.trusted.has(name) && !site.tenantOfRole.has(name),
  )
  found.starts.get(outsider)?.push(...strangers.map(({ name }) => roleNode(site, name)))
  found.edges.push(...site.edges)
  found.undecided.push(...site.undecided)
  found.refuted.push(...site.refuted)
}

/** How many objects were decided for this database; what is not there or was not read makes its claims undecided. */
function analyseHolding(site: Site, holding: Holding): number {
  const database = site.databases.get(holding.database)
  const missing = [
    ...(database === undefined ? [`database ${holding.database}`] : []),
    ...[holding.owner, holding.login].filter((role) => !site.roles.byName.has(role)).map((role) => `role ${role}`),
  ]
  const doubt = (because: string) => {
    for (const claim of [contained, fenced]) site.undecided.push({ claim, tenant: holding.tenant, because })
  }
  for (const what of missing) doubt(`${what} is not on server ${site.world.server}`)
  if (database === undefined) return 0
  if (database.inside === undefined) {
    doubt(`database ${holding.database} on server ${site.world.server} was not looked into`)
    return 0
  }
  checkFences(site, holding, database, database.inside)
  insideEdges(site, holding, database, database.inside)
  return database.inside.objects.length + database.inside.defaultPrivileges.length + 1
}

/** Two tenants in one database, or with one role, are not apart, whatever the lists say. */
function claimedTwice(site: Site): void {
  const named = site.holdings.flatMap((holding) => [
    { thing: `database ${holding.database}`, holding },
    ...[...new Set([holding.owner, holding.login])].map((role) => ({ thing: `role ${role}`, holding })),
  ])
  for (const [thing, users] of Map.groupBy(named, (entry) => entry.thing)) {
    if (new Set(users.map(({ holding }) => holding.tenant)).size < 2) continue
    for (const { holding } of users) {
      for (const claim of [contained, fenced]) {
        missingFence(site, holding, {
          claim,
          rule: 'pg.shared',
          by: `${thing} belongs to ${users.map((user) => user.holding.tenant).join(' and ')}`,
          subject: thing,
          object: thing,
          sql: 'SELECT current_user',
          kind: 'Registry',
          name: thing,
        })
      }
    }
  }
}

/** PUBLIC must not be able to leave objects in the databases of the server, where others would trip over them. */
function templates(site: Site): void {
  for (const name of ['postgres', 'template1']) {
    const schema = site.databases
      .get(name)
      ?.inside?.objects.find(({ type, name: found }) => type === 'schema' && found === 'public')
    if (schema?.acl?.some((item) => /^=[^/]*C/.test(item)) !== true) continue
    for (const holding of site.holdings) {
      missingFence(site, holding, {
        claim: contained,
        rule: 'pg.public.schema',
        by: `CREATE for PUBLIC on schema public of database ${name}`,
        subject: 'every login that is let in',
        object: databaseNode(site, name),
        sql: '\\dn+ public',
        kind: 'Schema',
        name: `${name}/public`,
      })
    }
  }
}

function unknownServers(world: World, servers: readonly PostgresWorld[], found: Findings): void {
  const known = new Set(servers.map(({ server }) => server))
  for (const { name, databases } of world.tenants) {
    for (const { server, database } of databases.filter((held) => !known.has(held.server))) {
      for (const claim of [contained, fenced])
        found.undecided.push({
          claim,
          tenant: name,
          because: `server ${server}, which holds database ${database}, was not read`,
        })
    }
  }
}

/** A database that could not be looked into concerns its tenant, or all when it is nobody's. */
function unreadable(world: World, servers: readonly PostgresWorld[], found: Findings): void {
  const tenantOf = new Map<string, string>(
    world.tenants.flatMap(({ name, databases }) =>
      databases.map(({ database }) => [`database ${database}`, name] as const),
    ),
  )
  const all = [
    ...servers.flatMap((server) => server.unreadable),
    ...world.unreadable.filter(({ product }) => product === 'postgres'),
  ]
  for (const { what, why, tenant } of all) {
    const about = tenant ?? tenantOf.get(what)
    for (const claim of [contained, fenced])
      found.undecided.push({
        claim,
        ...(about === undefined ? {} : { tenant: about }),
        because: `${what} could not be read: ${why}`,
      })
  }
}

const assumptions = (world: World): readonly string[] => [
  `the login roles that are trusted with the database servers: ${world.trustedRoles.length === 0 ? 'none' : world.trustedRoles.toSorted().join(', ')}`,
  'superusers run no code that a tenant put into its database (they set search_path, and do not write to tenants’ tables)',
  'names and comments of roles and databases, and the settings of roles, are visible to every login of a shared server and hold nothing secret',
  'PostgreSQL enforces its own access lists, and its host lets nobody else at its files',
]
