/**
 * The fences of one tenant's database that hold by themselves, whether or not anybody could use their absence today:
 * PUBLIC has nothing there, will get nothing there, and the tenant's own login cannot let anybody in.
 */
import type { PgDatabase, PgInside } from '../../model/world.ts'
import { aclItems, privilegeNames } from './acl.ts'
import { contained, fenced, missingFence, type Holding, type Site } from './site.ts'

export function checkFences(site: Site, holding: Holding, database: PgDatabase, inside: PgInside): void {
  ownLogin(site, holding, database)
  publicOnDatabase(site, holding, database)
  publicOnSchemas(site, holding, inside)
  futureObjects(site, holding, inside)
}

/** The login must not be able to act as the owner: an owner grants CONNECT to PUBLIC, and drops the database. */
function ownLogin(site: Site, holding: Holding, database: PgDatabase): void {
  const { login, owner } = holding
  const reach = site.roles.reachable(login)
  const open = (rule: string, by: string, sql: string, kind: string, name: string) =>
    missingFence(site, holding, {
      rule,
      by,
      subject: `the login ${login}`,
      object: `the access list of database ${holding.database}`,
      sql,
      kind,
      name,
    })
  for (const name of new Set([owner, database.owner])) {
    const sql = `SELECT pg_has_role('${login.replaceAll("'", "''")}', '${name.replaceAll("'", "''")}', 'MEMBER')`
    if (reach.has(name))
      open(
        'pg.owner.member',
        name === login ? `${login} owns the database` : `${login} can act as the owner ${name}`,
        sql,
        'Membership',
        `${name}/${login}`,
      )
  }
  if (site.roles.byName.get(owner)?.login === true)
    open(
      'pg.owner.login',
      `the owner role ${owner} can log in`,
      `SELECT rolcanlogin FROM pg_roles WHERE rolname = '${owner.replaceAll("'", "''")}'`,
      'Role',
      owner,
    )
  for (const { grantee, privileges } of aclItems('database', database.owner, database.acl) ?? []) {
    if (grantee !== '' && grantee !== database.owner && privileges.get('c') === true) {
      open(
        'pg.connect.grant-option',
        `${grantee} may pass CONNECT on`,
        `SELECT datacl FROM pg_database WHERE datname = '${holding.database.replaceAll("'", "''")}'`,
        'Database',
        holding.database,
      )
    }
  }
}

function publicOnDatabase(site: Site, holding: Holding, database: PgDatabase): void {
  for (const { grantee, privileges } of aclItems('database', database.owner, database.acl) ?? []) {
    if (grantee !== '') continue
    for (const letter of privileges.keys()) {
      missingFence(site, holding, {
        rule: `pg.public.${(privilegeNames[letter] ?? letter).toLowerCase()}`,
        by: `${privilegeNames[letter]} for PUBLIC on database ${database.name}`,
        subject: 'every login of the server',
        object: `database ${database.name}`,
        sql:
          letter === 'c'
            ? 'SELECT current_user'
            : `SELECT datacl FROM pg_database WHERE datname = '${database.name.replaceAll("'", "''")}'`,
        kind: 'Database',
        name: database.name,
      })
    }
  }
}

function publicOnSchemas(site: Site, holding: Holding, inside: PgInside): void {
  for (const { type, name, owner, acl } of inside.objects) {
    if (type !== 'schema' || name.startsWith('pg_') || name === 'information_schema') continue
    for (const { grantee, privileges } of aclItems('schema', owner, acl) ?? []) {
      if (grantee !== '') continue
      const held = [...privileges.keys()].map((letter) => privilegeNames[letter]).join(', ')
      missingFence(site, holding, {
        rule: 'pg.public.schema',
        by: `${held} for PUBLIC on schema ${name}`,
        subject: 'every login that is let in',
        object: `schema ${name} of database ${holding.database}`,
        sql: `SELECT nspacl FROM pg_namespace WHERE nspname = '${name.replaceAll("'", "''")}'`,
        kind: 'Schema',
        name: `${holding.database}/${name}`,
      })
    }
  }
}

const letters: readonly (readonly [letter: string, type: string])[] = [['r', 'table'], ['S', 'sequence'], ['f', 'function'], ['T', 'type'], ['n', 'schema'], ['L', 'large object']] // prettier-ignore

/** What objects made later would give PUBLIC: a role without an entry gives away what the built-in default does. */
function futureObjects(site: Site, holding: Holding, inside: PgInside): void {
  for (const known of inside.defaultPrivileges) {
    if (!letters.some(([letter]) => letter === known.objectType)) {
      for (const claim of [contained, fenced])
        site.undecided.push({
          claim,
          tenant: holding.tenant,
          because: `default privileges of the unknown kind "${known.objectType}" in database ${holding.database}`,
        })
    }
  }
  for (const role of new Set([holding.owner, holding.login])) {
    for (const [letter, type] of letters) {
      const entries = inside.defaultPrivileges.filter((entry) => entry.role === role && entry.objectType === letter)
      const global = entries.some(({ schema }) => schema === null)
      const lists = [
        ...entries.map(({ acl }) => aclItems(type, role, acl)),
        ...(global ? [] : [aclItems(type, role, null)]),
      ]
      if (lists.includes(undefined)) {
        for (const claim of [contained, fenced])
          site.undecided.push({
            claim,
            tenant: holding.tenant,
            because: `default privileges of ${role} in database ${holding.database} are not understood`,
          })
      }
      const held = lists
        .flatMap((items) => items ?? [])
        .filter(({ grantee, privileges }) => grantee === '' && privileges.size > 0)
      if (held.length === 0) continue
      missingFence(site, holding, {
        rule: 'pg.default-privileges',
        by: `default privileges of ${role} give PUBLIC ${[...(held[0]?.privileges.keys() ?? [])].map((found) => privilegeNames[found]).join(', ')} on every new ${type}`,
        subject: 'every login that is let in',
        object: `what ${role} makes in database ${holding.database}`,
        sql: 'SELECT pg_get_userbyid(defaclrole), defaclobjtype, defaclacl FROM pg_default_acl',
        kind: 'DefaultPrivileges',
        name: `${holding.database}/${role}`,
      })
    }
  }
}
