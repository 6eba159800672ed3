/**
 * `postgres/DatabaseGrants` as data: who may do what to a tenant's database, and the fences inside it. Closed world:
 * the whole access list is stated, and a grantee that is not in it is drift. Pure.
 */
import type { JsonObject } from '../../model/json.ts'
import { byGrantee, publicPrivileges } from './acl.ts'
import type { DatabaseRow } from './catalog.ts'
import type { InsideFacts } from './inside.ts'
import { markState, parseMark, type Mark } from './mark.ts'

export interface GrantsSpec {
  readonly database: string
  readonly owner: string
  readonly login: string
  /** By grantee; PUBLIC is not among them. A `*` behind a privilege would let it be passed on. */
  readonly privileges: { readonly [grantee: string]: readonly string[] }
  readonly schemas: {
    readonly [schema: string]: { readonly owner: string; readonly publicPrivileges: readonly string[] }
  }
  /** What PUBLIC gets on objects that these roles make later, by kind: nothing. */
  readonly futurePublic: { readonly [role: string]: { readonly [kind: string]: readonly string[] } }
}

/** The schema that carries the mark: grants themselves cannot be commented on. */
export const markedSchema = (spec: GrantsSpec): string | undefined => Object.keys(spec.schemas)[0]

export const grantsMark = (spec: GrantsSpec, inside: InsideFacts): Mark | undefined =>
  parseMark(inside.schemas.find(({ name }) => name === markedSchema(spec))?.comment)

export function grantsState(spec: GrantsSpec, database: DatabaseRow, inside: InsideFacts): JsonObject {
  const schemas = inside.schemas.filter(({ name }) => Object.hasOwn(spec.schemas, name))
  return {
    database: database.name,
    owner: database.owner,
    login: spec.login,
    privileges: byGrantee(database.grants, database.owner),
    schemas: Object.fromEntries(
      schemas.map(({ name, owner, grants }) => [name, { owner, publicPrivileges: publicPrivileges(grants) }]),
    ),
    futurePublic: Object.fromEntries(
      Object.keys(spec.futurePublic).map((role) => [role, inside.futurePublic[role] ?? {}]),
    ),
    mark: markState(grantsMark(spec, inside)),
    insideReadAt: new Date(inside.readAtMs).toISOString(),
  }
}
