/**
 * The ways over what all databases of a server share: memberships, role attributes, predefined roles, ownership of
 * databases, and CONNECT. Each rule is named; the source is the manual's chapters on roles (22) and privileges (5.8).
 */
import type { PgDatabase, PgRole } from '../../model/world.ts'
import type { Node } from '../logic.ts'
import { aclItems } from './acl.ts'
import { opens } from './roles.ts'
import {
  contained,
  databaseNode,
  fenced,
  granteeName,
  granteeNode,
  powerNode,
  psql,
  publicNode,
  roleNode,
  serverNode,
  sqlIdent,
  type Site,
} from './site.ts'

/** Predefined roles that lead to the server's files or programs, and so to everything (manual 22.5). */
const rootLike = new Set(['pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files'])
/** Its members are defined by the server and cannot be granted. */
const implicit = 'pg_database_owner'

export const isPredefined = (role: string): boolean => role.startsWith('pg_') && role !== implicit

/** Adds the edges, and the platform's nodes to `owners`. */
export function sharedEdges(site: Site, owners: Map<Node, string>): void {
  for (const membership of site.world.memberships.filter(opens)) {
    const { role, member, admin, inherit, set } = membership
    const option = inherit ? 'inherit' : set ? 'set' : 'admin'
    site.edges.push({
      from: roleNode(site, member),
      to: roleNode(site, role),
      rule: `pg.member.${option}`,
      by: `membership of ${member} in ${role}`,
      command: psql(
        site,
        'postgres',
        admin && !set && !inherit ? `GRANT ${sqlIdent(role)} TO ${sqlIdent(member)}` : `SET ROLE ${sqlIdent(role)}`,
        member,
      ),
      culprits: [{ product: 'postgres', kind: 'Membership', name: `${role}/${member}` }],
    })
  }
  for (const role of site.world.roles) roleEdges(site, role, owners)
  for (const database of site.world.databases) databaseEdges(site, database, owners)
  owners.set(serverNode(site), 'platform')
  for (const power of ['createrole', 'createdb', 'bypassrls', 'outbound', 'system-object'])
    owners.set(powerNode(site, power), 'platform')
}

function roleEdges(site: Site, role: PgRole, owners: Map<Node, string>): void {
  const from = roleNode(site, role.name)
  const edge = (to: Node, rule: string, what: string) =>
    site.edges.push({
      from,
      to,
      rule,
      by: `${what} of role ${role.name}`,
      command: psql(site, 'postgres', `SELECT * FROM pg_roles WHERE rolname = '${role.name.replaceAll("'", "''")}'`),
      culprits: [{ product: 'postgres', kind: 'Role', name: role.name }],
    })
  if (role.login) edge(publicNode(site), 'pg.public', 'LOGIN')
  if (role.superuser) edge(serverNode(site), 'pg.attribute.superuser', 'SUPERUSER')
  // Physical replication copies every database and every verifier.
  if (role.replication) edge(serverNode(site), 'pg.attribute.replication', 'REPLICATION')
  // Before 16, CREATEROLE may grant itself any role that is no superuser, programs on the server included.
  if (role.createRole)
    edge(
      site.world.version < 160_000 ? serverNode(site) : powerNode(site, 'createrole'),
      'pg.attribute.createrole',
      'CREATEROLE',
    )
  if (role.createDb) edge(powerNode(site, 'createdb'), 'pg.attribute.createdb', 'CREATEDB')
  if (role.bypassRls) edge(powerNode(site, 'bypassrls'), 'pg.attribute.bypassrls', 'BYPASSRLS')
  if (rootLike.has(role.name)) edge(serverNode(site), 'pg.predefined', 'the meaning')
  if (isPredefined(role.name) || (site.trusted.has(role.name) && !site.tenantOfRole.has(role.name)))
    owners.set(from, 'platform')
}

function databaseEdges(site: Site, database: PgDatabase, owners: Map<Node, string>): void {
  const to = databaseNode(site, database.name)
  const tenant = site.holdingOf.get(database.name)?.tenant
  owners.set(to, tenant ?? 'platform')
  const culprits = [{ product: 'postgres' as const, kind: 'Database', name: database.name }]
  const take = `GRANT CONNECT ON DATABASE ${sqlIdent(database.name)} TO PUBLIC`
  site.edges.push({
    from: roleNode(site, database.owner),
    to,
    rule: 'pg.owner',
    by: `owner of database ${database.name}`,
    command: psql(site, database.name, take, database.owner),
    culprits,
  })
  if (tenant !== undefined) {
    site.edges.push({
      from: serverNode(site),
      to,
      rule: 'pg.superuser',
      by: 'superusers pass every check',
      command: psql(site, database.name, 'SELECT current_user'),
      culprits,
    })
    if (database.isTemplate) {
      const copy = `CREATE DATABASE copy TEMPLATE ${sqlIdent(database.name)}`
      site.edges.push({
        from: powerNode(site, 'createdb'),
        to,
        rule: 'pg.template',
        by: `IS_TEMPLATE of database ${database.name}`,
        command: psql(site, 'postgres', copy),
        culprits,
      })
    }
  }
  const items = aclItems('database', database.owner, database.acl)
  if (items === undefined) {
    const because = `the access list of database ${database.name} is not understood: ${(database.acl ?? []).join(', ')}`
    for (const claim of [contained, fenced]) site.undecided.push({ claim, because })
    return
  }
  if (!database.allowConnections) return
  for (const { grantee, privileges } of items.filter((item) => item.privileges.has('c'))) {
    site.edges.push({
      from: granteeNode(site, grantee),
      to,
      rule: grantee === '' ? 'pg.public.connect' : 'pg.connect',
      by: `CONNECT${privileges.get('c') === true ? ' WITH GRANT OPTION' : ''} on database ${database.name} for ${granteeName(grantee)}`,
      command: psql(site, database.name, 'SELECT current_user', grantee === '' ? undefined : grantee),
      culprits,
    })
  }
}
