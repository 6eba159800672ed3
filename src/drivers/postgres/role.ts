/**
 * The driver of `postgres/Role`: owner roles (NOLOGIN) and login roles in one kind. Every change is one transaction
 * that is undone when the name stands for another role by then. A login that is closed or removed loses its sessions.
 */
import type { Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { Resource } from '../../model/resource.ts'
import { canReadVerifiers, readRoles, type RoleRow } from './catalog.ts'
import type { Session } from './connection.ts'
import { markOwner, markText, parseMark } from './mark.ts'
import { ident, literal } from './quote.ts'
import { dropRole } from './role-removal.ts'
import { attributeClauses, comparedSpec, roleState, settingStatements, type RoleSpec } from './role-spec.ts'
import { scramVerifier } from './scram.ts'
import {
  assertSame,
  creating,
  endSessions,
  fieldDrift,
  idOf,
  isOurs,
  nameOf,
  observing,
  oidsOf,
  record,
  type Server,
} from './server.ts'

/** The slot of a login's password. */
export const passwordSlot = 'password'

const specOf = (resource: Resource): RoleSpec => resource.spec as unknown as RoleSpec

export function createRoleDriver(server: Server): Driver {
  const self = server.access.user
  const owned = async (call: Call, row: RoleRow): Promise<Owned> => ({
    status: 'owned',
    id: idOf(await server.catalog.system(call), row.oid),
    state: roleState(row, self),
    outputs: { name: row.name },
    ready: true,
    ...(row.login ? { credentials: { [passwordSlot]: row.verifierDigest ?? undefined } } : {}),
  })
  return {
    fencing: 'conditional',
    observe: (resource, call) =>
      observing(`observe role ${resource.externalName}`, call, () => observe(server, resource, call, owned)),
    diff: (resource, state) => fieldDrift({ ...comparedSpec(resource.spec), mark: markOwner(resource) }, state),
    create: (resource, call) =>
      doubting(server, resource, async () => {
        const verifier = await verifierFor(call)
        const made = await creating(server, `create role ${resource.externalName}`, call, (session) =>
          session.transaction(() => make(session, resource, call, verifier, self)),
        )
        return made === 'unknown' ? made : await owned(call, made)
      }),
    update: (resource, seen, _drift, call) =>
      doubting(server, resource, async () => owned(call, await change(server, resource, seen, call))),
    remove: (resource, seen, call) => doubting(server, resource, () => dropRole(server, resource, seen, call)),
  }
}

async function observe(
  server: Server,
  resource: Resource,
  call: Call,
  owned: (call: Call, row: RoleRow) => Promise<Owned>,
): Promise<Observation> {
  const { name } = specOf(resource)
  const system = await server.catalog.system(call)
  const [knownOid] = oidsOf(system, call.knownId) ?? []
  let row = await server.catalog.roles.find('name', name, call)
  // A role of ours that was renamed is still ours, and would keep its access under the other name.
  if (row === undefined && knownOid !== undefined) row = await server.catalog.roles.find('oid', knownOid, call)
  if (row === undefined) return { status: 'absent' }
  const mark = parseMark(row.comment)
  if (isOurs(call, idOf(system, row.oid), mark)) return owned(call, row)
  return {
    status: 'foreign',
    id: idOf(system, row.oid),
    state: roleState(row, server.access.user),
    ...(mark === undefined ? {} : { owner: mark.tenant }),
  }
}

/** Runs a write, with the cached row in doubt from before it begins until a read that began after it ended. */
async function doubting<T>(server: Server, resource: Resource, write: () => Promise<T>): Promise<T> {
  const { name } = specOf(resource)
  server.catalog.roles.doubt(name)
  try {
    return await write()
  } finally {
    server.catalog.roles.doubt(name)
  }
}

const verifierFor = async (call: Call): Promise<string | undefined> => {
  const material = call.material?.[passwordSlot]
  return material === undefined ? undefined : scramVerifier(material.clear)
}

async function make(
  session: Session,
  resource: Resource,
  call: Call,
  verifier: string | undefined,
  self: string,
): Promise<RoleRow> {
  const spec = specOf(resource)
  const password = verifier === undefined ? '' : ` PASSWORD ${literal(verifier)}`
  await session.query(`CREATE ROLE ${ident(spec.name)} ${attributeClauses(spec, undefined).join(' ')}${password}`)
  await session.query(`COMMENT ON ROLE ${ident(spec.name)} IS ${literal(markText(resource, call.key))}`)
  for (const statement of settingStatements(spec.name, spec.settings, {})) await session.query(statement)
  await matchMemberships(session, spec, self)
  return readOne(session, 'name', spec.name)
}

async function readOne(session: Session, by: 'name' | 'oid', value: string): Promise<RoleRow> {
  const [row] = await readRoles(session, { by, value }, await canReadVerifiers(session))
  if (row === undefined) throw new RingfenceError('Conflict', `role ${value} went away meanwhile`)
  return row
}

async function change(server: Server, resource: Resource, seen: Owned, call: Call): Promise<RoleRow> {
  const spec = specOf(resource)
  const what = `update role ${spec.name}`
  const [oid] = oidsOf(await server.catalog.system(call), seen.id) ?? []
  if (oid === undefined) throw new RingfenceError('Conflict', `${what}: ${seen.id} is no role of this server`)
  const verifier = await verifierFor(call)
  return server.connections.run(what, call, async (session) => {
    const row = await session.transaction(async () => {
      const name = await nameOf(session, 'pg_roles', oid)
      if (name === undefined) throw new RingfenceError('Conflict', `${what}: the role with oid ${oid} is gone`)
      if (name !== spec.name) await session.query(`ALTER ROLE ${ident(name)} RENAME TO ${ident(spec.name)}`)
      const state = roleState(await readOne(session, 'oid', oid), server.access.user)
      await alter(session, spec, state, verifier)
      // Always said, so that the row is locked and the check below holds until the commit.
      await session.query(`COMMENT ON ROLE ${ident(spec.name)} IS ${literal(markText(resource, call.key))}`)
      await matchMemberships(session, spec, server.access.user)
      await assertSame(session, 'pg_roles', oid, spec.name)
      return readOne(session, 'oid', oid)
    })
    if (!spec.login) await endSessions(session, call, { role: oid })
    return row
  })
}

async function alter(session: Session, spec: RoleSpec, state: JsonObject, verifier: string | undefined): Promise<void> {
  const clauses = [
    ...attributeClauses(spec, state),
    ...(verifier === undefined ? [] : [`PASSWORD ${literal(verifier)}`]),
  ]
  // Without a difference the limit is said again: it locks the row, which COMMENT alone does not.
  if (clauses.length === 0) clauses.push(`CONNECTION LIMIT ${Math.trunc(spec.connectionLimit)}`)
  await session.query(`ALTER ROLE ${ident(spec.name)} ${clauses.join(' ')}`)
  const present = Object.fromEntries(
    Object.entries(record(state['settings'])).map(([name, value]) => [name, String(value)]),
  )
  for (const statement of settingStatements(spec.name, spec.settings, present)) await session.query(statement)
  const elsewhere = await session.query<{ database: string }>(
    `SELECT DISTINCT d.datname::text AS database FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
     JOIN pg_roles r ON r.oid = s.setrole WHERE r.rolname = $1`,
    [spec.name],
  )
  for (const { database } of elsewhere)
    await session.query(`ALTER ROLE ${ident(spec.name)} IN DATABASE ${ident(database)} RESET ALL`)
}

interface Membership {
  readonly role: string
  readonly member: string
  readonly grantor: string
}

/** Makes both sides of the role's memberships exactly what the spec says; our own role's are left alone. */
async function matchMemberships(session: Session, spec: RoleSpec, self: string): Promise<void> {
  const rows = await session.query<Membership>(
    `SELECT pg_get_userbyid(roleid)::text AS role, pg_get_userbyid(member)::text AS member, pg_get_userbyid(grantor)::text AS grantor
     FROM pg_auth_members WHERE $1 IN (pg_get_userbyid(roleid)::text, pg_get_userbyid(member)::text)`,
    [spec.name],
  )
  const version = Number(
    (await session.query<{ v: string }>(`SELECT current_setting('server_version_num') AS v`))[0]?.v,
  )
  const wanted = (row: Membership) =>
    row.member === spec.name
      ? spec.memberOf.includes(row.role)
      : row.member === self || spec.members.includes(row.member)
  for (const row of rows.filter((found) => !wanted(found))) {
    // From 16 on each grantor's grant is a row of its own, and a REVOKE that does not name the grantor may miss it.
    const by = version >= 160_000 ? ` GRANTED BY ${ident(row.grantor)}` : ''
    await session.query(`REVOKE ${ident(row.role)} FROM ${ident(row.member)}${by} CASCADE`)
  }
  for (const role of spec.memberOf)
    if (!rows.some((row) => row.role === role && row.member === spec.name))
      await session.query(`GRANT ${ident(role)} TO ${ident(spec.name)}`)
  for (const member of spec.members)
    if (!rows.some((row) => row.member === member && row.role === spec.name))
      await session.query(`GRANT ${ident(spec.name)} TO ${ident(member)}`)
}
