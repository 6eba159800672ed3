/**
 * Who can act as whom on one server: memberships with their options, followed as PostgreSQL follows them. Before 16 a
 * membership can always be taken by SET ROLE; from 16 on each of INHERIT, SET and ADMIN stands alone, and ADMIN is
 * enough, because its holder can grant the role to itself.
 */
import type { PgMembership, PgRole, PostgresWorld } from '../../model/world.ts'
import { aclItems } from './acl.ts'

export interface RoleIndex {
  readonly byName: ReadonlyMap<string, PgRole>
  /** The memberships that a role holds, and those that others hold in it. */
  of(member: string): readonly PgMembership[]
  into(role: string): readonly PgMembership[]
  /** The role and all whose privileges it has without doing anything (`pg_has_role(…, 'USAGE')`). */
  inherited(role: string): ReadonlySet<string>
  /** The role and all that it can become, by any option. */
  reachable(role: string): ReadonlySet<string>
  /** The role and all that can become it. */
  actors(role: string): ReadonlySet<string>
}

/** Whether a membership opens any way at all. */
export const opens = (membership: PgMembership): boolean => membership.inherit || membership.set || membership.admin

export function indexRoles(world: PostgresWorld): RoleIndex {
  const byName = new Map(world.roles.map((role) => [role.name, role]))
  const of = Map.groupBy(world.memberships, ({ member }) => member)
  const into = Map.groupBy(world.memberships, ({ role }) => role)
  const closure = (start: string, next: (name: string) => readonly string[]): ReadonlySet<string> => {
    const seen = new Set([start])
    for (const name of seen) for (const other of next(name)) seen.add(other)
    return seen
  }
  const roleOf = ({ role }: PgMembership) => role
  return {
    byName,
    of: (member) => of.get(member) ?? [],
    into: (role) => into.get(role) ?? [],
    inherited: (role) => closure(role, (name) => (of.get(name) ?? []).filter(({ inherit }) => inherit).map(roleOf)),
    reachable: (role) => closure(role, (name) => (of.get(name) ?? []).filter(opens).map(roleOf)),
    actors: (role) => closure(role, (name) => (into.get(name) ?? []).filter(opens).map(({ member }) => member)),
  }
}

/** An object as privileges see it. `database` is the one that it lives in. */
export interface Securable {
  readonly type: string
  readonly owner: string
  readonly acl: readonly string[] | null
  readonly system?: boolean
}

/**
 * What `has_…_privilege(role, object, privilege)` answers: superusers may do everything, the rest is in the list, by
 * name, PUBLIC or inheritance, or comes with a predefined role. Undefined when the list is not understood.
 */
export function hasPrivilege(
  index: RoleIndex,
  role: string,
  object: Securable,
  letter: string,
  databaseOwner?: string,
): boolean | undefined {
  if (index.byName.get(role)?.superuser === true) return true
  const items = aclItems(object.type, object.owner, object.acl)
  if (items === undefined) return undefined
  const held = new Set(index.inherited(role))
  // Whoever has the privileges of the database's owner has those of pg_database_owner in it.
  if (databaseOwner !== undefined && held.has(databaseOwner)) held.add('pg_database_owner')
  if (items.some(({ grantee, privileges }) => (grantee === '' || held.has(grantee)) && privileges.has(letter)))
    return true
  return predefined(held, object, letter)
}

function predefined(held: ReadonlySet<string>, { type, system }: Securable, letter: string): boolean {
  const data = type === 'table' || type === 'sequence'
  if (held.has('pg_read_all_data') && ((data && letter === 'r') || (type === 'schema' && letter === 'U'))) return true
  if (held.has('pg_write_all_data')) {
    if (type === 'schema' && letter === 'U') return true
    // Sequences know no INSERT or DELETE.
    if (system !== true && ((type === 'table' && 'awd'.includes(letter)) || (type === 'sequence' && letter === 'w')))
      return true
  }
  return held.has('pg_maintain') && type === 'table' && letter === 'm' && system !== true
}
