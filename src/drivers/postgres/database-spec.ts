/** `postgres/Database` as data: its spec and the state that a catalog row gives. Pure. */
import type { JsonObject } from '../../model/json.ts'
import { publicPrivileges } from './acl.ts'
import type { DatabaseRow } from './catalog.ts'
import { markState, parseMark } from './mark.ts'
import { settingsOf } from './role-spec.ts'

export interface DatabaseSpec {
  readonly name: string
  readonly owner: string
  readonly encoding: string
  /** -1 is none. */
  readonly connectionLimit: number
  readonly allowConnections: true
  readonly isTemplate: false
  /** What PUBLIC may do to it: nothing. */
  readonly publicPrivileges: readonly []
  /** `ALTER DATABASE … SET`: nothing, so that no setting reaches into anybody's session. */
  readonly settings: { readonly [name: string]: string }
}

export const databaseState = (row: DatabaseRow): JsonObject => ({
  name: row.name,
  owner: row.owner,
  encoding: row.encoding,
  connectionLimit: row.connectionLimit,
  allowConnections: row.allowConnections,
  isTemplate: row.isTemplate,
  publicPrivileges: [...publicPrivileges(row.grants)],
  settings: settingsOf(row.settings),
  mark: markState(parseMark(row.comment)),
})
