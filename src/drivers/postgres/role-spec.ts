/**
 * `postgres/Role` as data: its spec, the state that a catalog row gives, and the statements between the two. Closed
 * world: every attribute, setting and membership is stated, and whatever else is there is drift. Pure.
 */
import type { JsonObject } from '../../model/json.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { RoleRow } from './catalog.ts'
import { markState, parseMark } from './mark.ts'
import { ident, listElement, literal } from './quote.ts'

/** Settings are `SET` values; a list (search_path) is given as an array. */
export interface RoleSpec {
  readonly name: string
  readonly login: boolean
  readonly inherit: boolean
  readonly superuser: false
  readonly createRole: false
  readonly createDb: false
  readonly replication: false
  readonly bypassRls: false
  /** -1 is none. */
  readonly connectionLimit: number
  readonly validUntil: null
  readonly settings: { readonly [name: string]: string | readonly string[] }
  readonly databaseSettings: readonly string[]
  readonly memberOf: readonly string[]
  /** Roles that may act as this one, the control plane's own aside. */
  readonly members: readonly string[]
  /** Who receives what the role owns before it is dropped; null where it owns nothing of value. */
  readonly heir: string | null
}

/** The fields that are compared; `heir` is an instruction for the removal only. */
export const comparedSpec = (spec: JsonObject): JsonObject => {
  const { heir: _, settings, ...rest } = spec as unknown as RoleSpec
  return {
    ...rest,
    settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, storedSetting(value)])),
  }
}

const storedSetting = (value: string | readonly string[]): string =>
  typeof value === 'string' ? value : value.map(listElement).join(', ')

/** `self` is the control plane's own role: on PostgreSQL 16 and later it may have to be a member of roles that it made. */
export function roleState(row: RoleRow, self: string): JsonObject {
  return {
    name: row.name,
    login: row.login,
    inherit: row.inherit,
    superuser: row.superuser,
    createRole: row.createRole,
    createDb: row.createDb,
    replication: row.replication,
    bypassRls: row.bypassRls,
    connectionLimit: row.connectionLimit,
    validUntil: row.validUntil === 'infinity' ? null : row.validUntil,
    settings: settingsOf(row.settings),
    databaseSettings: [...row.databaseSettings],
    memberOf: [...row.memberOf],
    members: row.members.filter((member) => member !== self),
    mark: markState(parseMark(row.comment)),
  }
}

export const settingsOf = (config: readonly string[]): { readonly [name: string]: string } =>
  Object.fromEntries(config.map((entry) => [entry.slice(0, entry.indexOf('=')), entry.slice(entry.indexOf('=') + 1)]))

const attributes = [
  ['login', 'LOGIN'],
  ['inherit', 'INHERIT'],
  ['superuser', 'SUPERUSER'],
  ['createRole', 'CREATEROLE'],
  ['createDb', 'CREATEDB'],
  ['replication', 'REPLICATION'],
  ['bypassRls', 'BYPASSRLS'],
] as const

/** The attributes of `spec` that differ from `state`, as an ALTER ROLE option list; all of them without a state. */
export function attributeClauses(spec: RoleSpec, state: JsonObject | undefined): readonly string[] {
  const clauses: string[] = attributes
    .filter(([field]) => state?.[field] !== spec[field])
    .map(([field, word]) => (spec[field] ? word : `NO${word}`))
  if (state?.['connectionLimit'] !== spec.connectionLimit)
    clauses.push(`CONNECTION LIMIT ${Math.trunc(spec.connectionLimit)}`)
  if (state !== undefined && state['validUntil'] !== null) clauses.push(`VALID UNTIL 'infinity'`)
  return clauses
}

/** Statements that make the settings of a role exactly `wanted`. */
export function settingStatements(
  role: string,
  wanted: RoleSpec['settings'],
  present: { readonly [name: string]: string },
): readonly string[] {
  const statements: string[] = []
  for (const name of Object.keys(present))
    if (!Object.hasOwn(wanted, name)) statements.push(`ALTER ROLE ${ident(role)} RESET ${settingName(name)}`)
  for (const [name, value] of Object.entries(wanted)) {
    if (present[name] === storedSetting(value)) continue
    const text = typeof value === 'string' ? literal(value) : value.map(literal).join(', ')
    statements.push(`ALTER ROLE ${ident(role)} SET ${settingName(name)} TO ${text}`)
  }
  return statements
}

/** A parameter name, with a class before the dot for extensions' ones. */
function settingName(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)*$/.test(name))
    throw new RingfenceError('Rejected', `"${name}" is not the name of a setting`)
  return name.split('.').map(ident).join('.')
}
