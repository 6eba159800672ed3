/**
 * What an access list says, as data (manual 5.8, `aclitem`): the driver asks the server to take lists apart
 * (`aclexplode`), so that nothing here parses text. Knows privilege names, not tenants.
 */
import { ident } from './quote.ts'
import type { Session } from './connection.ts'

/** One privilege of one grantee; `''` is PUBLIC. */
export interface Grant {
  readonly grantee: string
  readonly grantor: string
  readonly privilege: string
  readonly grantable: boolean
}

/**
 * SQL of a JSON list of grants out of an access list; a null list is replaced by the built-in default of the object
 * type (`d` database, `n` schema …), because a null list still grants.
 */
export const grantsSql = (acl: string, type: string, owner: string): string => `coalesce((
  SELECT json_agg(json_build_object(
    'grantee', CASE WHEN x.grantee = 0 THEN '' ELSE coalesce(pg_get_userbyid(x.grantee)::text, '?') END,
    'grantor', pg_get_userbyid(x.grantor)::text, 'privilege', x.privilege_type, 'grantable', x.is_grantable)
    ORDER BY x.grantee::text, x.privilege_type)
  FROM aclexplode(coalesce(${acl}, acldefault('${type}', ${owner}))) AS x), '[]'::json)`

/** The privileges of each grantee, sorted, with `*` behind those that may be passed on. The owner always may. */
export function byGrantee(grants: readonly Grant[], owner: string): { readonly [grantee: string]: readonly string[] } {
  const found = new Map<string, Set<string>>()
  for (const { grantee, privilege, grantable } of grants) {
    const held = found.get(grantee) ?? new Set()
    held.add(grantable && grantee !== owner ? `${privilege}*` : privilege)
    found.set(grantee, held)
  }
  return Object.fromEntries(
    [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([grantee, held]) => [grantee, [...held].toSorted()]),
  )
}

export const publicPrivileges = (grants: readonly Grant[]): readonly string[] =>
  [...new Set(grants.filter((grant) => grant.grantee === '').map((grant) => grant.privilege))].toSorted()

/**
 * Takes everything from PUBLIC, also what somebody with a grant option gave: the owner's REVOKE does not touch that, so
 * the grant option goes first, with all that hangs on it.
 */
export async function revokeFromPublic(
  session: Session,
  target: string,
  grants: readonly Grant[],
  owner: string,
): Promise<void> {
  for (const grantor of new Set(
    grants.filter((grant) => grant.grantee === '' && grant.grantor !== owner).map((grant) => grant.grantor),
  )) {
    await session.query(`REVOKE GRANT OPTION FOR ALL ON ${target} FROM ${ident(grantor)} CASCADE`)
  }
  await session.query(`REVOKE ALL ON ${target} FROM PUBLIC CASCADE`)
}
