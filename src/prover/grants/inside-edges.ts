/**
 * The ways out of one tenant's database for whoever is connected to it: functions that run as somebody else, code in
 * languages that are not confined, connections to other servers, and what initdb kept for superusers. Privileges on the
 * tenant's own objects are not among them: they are of use to nobody who has no CONNECT, which is decided elsewhere.
 */
import type { PgDatabase, PgInside, PgObject } from '../../model/world.ts'
import type { Node } from '../logic.ts'
import { aclItems, isKnownType, privilegeNames, type AclItem } from './acl.ts'
import { harmlessExtensions } from './extensions.ts'
import { hasPrivilege } from './roles.ts'
import {
  contained,
  databaseNode,
  fenced,
  granteeName,
  powerNode,
  psql,
  roleNode,
  serverNode,
  type Holding,
  type Site,
} from './site.ts'

interface Room {
  readonly site: Site
  readonly holding: Holding
  readonly database: PgDatabase
  readonly inside: PgInside
}

export function insideEdges(site: Site, holding: Holding, database: PgDatabase, inside: PgInside): void {
  const room = { site, holding, database, inside }
  for (const object of inside.objects) {
    const items = isKnownType(object.type) ? aclItems(object.type, object.owner, object.acl) : undefined
    if (items === undefined)
      doubt(room, `${described(object)} in database ${database.name}: its type or access list is not understood`)
    else rules[object.type]?.(room, object, items)
    if (items !== undefined && object.initial !== undefined) systemObject(room, object, items)
  }
  extensions(room)
}

const rules: { readonly [type: string]: (room: Room, object: PgObject, items: readonly AclItem[]) => void } = {
  function: functionRule,
  table: tableRule,
  'foreign data wrapper': outboundRule,
  'foreign server': outboundRule,
  subscription: (room, object) => ownedOutbound(room, object),
  'user mapping': mappingRule,
  parameter: parameterRule,
}

const described = ({ type, schema, name }: PgObject): string => `${type} ${schema === null ? '' : `${schema}.`}${name}`

function doubt({ site, holding }: Room, because: string): void {
  for (const claim of [contained, fenced]) site.undecided.push({ claim, tenant: holding.tenant, because })
}

/** Who of a list's grantee can use the privilege here: nobody who is not let into the database. */
function usersOf({ site, holding, database }: Room, grantee: string): readonly Node[] {
  if (grantee === '') return [databaseNode(site, holding.database)]
  if (site.roles.byName.get(grantee)?.superuser === true) return []
  return [...site.roles.actors(grantee)]
    .filter(
      (role) =>
        hasPrivilege(site.roles, role, { type: 'database', owner: database.owner, acl: database.acl }, 'c') !== false,
    )
    .map((role) => roleNode(site, role))
}

function open(room: Room, grantee: string, to: Node, rule: string, by: string, sql: string, object: PgObject): void {
  const { site, holding } = room
  for (const from of usersOf(room, grantee)) {
    if (from === to) continue
    site.edges.push({
      from,
      to,
      rule,
      by,
      command: psql(site, holding.database, sql, holding.login),
      culprits: [
        {
          product: 'postgres',
          kind: object.type,
          name: `${holding.database}/${object.schema === null ? '' : `${object.schema}.`}${object.name}`,
        },
      ],
    })
  }
}

const holds = (items: readonly AclItem[], letter: string): readonly string[] =>
  items.filter(({ privileges }) => privileges.has(letter)).map(({ grantee }) => grantee)

/** Names of roles whose power somebody else's code would run with. */
const isOthers = ({ holding }: Room, role: string): boolean => role !== holding.login && role !== holding.owner

function functionRule(room: Room, object: PgObject, items: readonly AclItem[]): void {
  const { site, inside } = room
  const callable = holds(items, 'X').filter((grantee) => grantee !== object.owner)
  if (callable.length === 0) return
  if (object.securityDefiner === true && isOthers(room, object.owner)) {
    const by = `SECURITY DEFINER ${described(object)}, owned by ${object.owner}`
    for (const grantee of callable)
      open(
        room,
        grantee,
        roleNode(site, object.owner),
        'pg.function.definer',
        by,
        `\\df+ ${object.schema ?? ''}.*`,
        object,
      )
  }
  const language = object.language ?? ''
  const compiled = language === 'c' || language === 'internal'
  const unconfined = inside.objects.some(({ type, name }) => type === 'language' && name === `${language} (untrusted)`)
  const explained = compiled && inside.extensions.some((name) => name !== 'plpgsql')
  if (
    unconfined &&
    !explained &&
    object.initial === undefined &&
    callable.some((grantee) => usersOf(room, grantee).length > 0)
  ) {
    doubt(
      room,
      `${described(object)} in database ${room.database.name} is written in the untrusted language ${language}: what it does cannot be seen`,
    )
  }
}

/** Whoever may put a trigger on another role's table runs code as that role when it next writes there. */
function tableRule(room: Room, object: PgObject, items: readonly AclItem[]): void {
  if (!isOthers(room, object.owner)) return
  for (const grantee of holds(items, 't').filter((name) => name !== object.owner)) {
    open(
      room,
      grantee,
      roleNode(room.site, object.owner),
      'pg.table.trigger',
      `TRIGGER for ${granteeName(grantee)} on ${described(object)} of ${object.owner}`,
      `\\dp ${object.schema ?? ''}.*`,
      object,
    )
  }
}

/** USAGE on a wrapper or server lets its holder connect from the database server to wherever it says. */
function outboundRule(room: Room, object: PgObject, items: readonly AclItem[]): void {
  ownedOutbound(room, object)
  for (const grantee of holds(items, 'U').filter((name) => name !== object.owner)) {
    open(
      room,
      grantee,
      powerNode(room.site, 'outbound'),
      'pg.foreign.usage',
      `USAGE for ${granteeName(grantee)} on ${described(object)}`,
      `\\des+`,
      object,
    )
  }
}

function ownedOutbound(room: Room, object: PgObject): void {
  if (room.site.roles.byName.get(object.owner)?.superuser === true) return
  open(
    room,
    object.owner,
    powerNode(room.site, 'outbound'),
    `pg.${object.type.replaceAll(' ', '-')}.owner`,
    `${described(object)}, owned by ${object.owner}`,
    `\\des+`,
    object,
  )
}

/** A mapping holds the login that the server uses elsewhere; it works together with a foreign table as well. */
function mappingRule(room: Room, object: PgObject): void {
  open(
    room,
    object.owner,
    powerNode(room.site, 'outbound'),
    'pg.user-mapping',
    `user mapping of ${granteeName(object.owner)} for foreign server ${object.name}`,
    `\\deu+`,
    object,
  )
}

function parameterRule(room: Room, object: PgObject, items: readonly AclItem[]): void {
  const superuser = (grantee: string) => room.site.roles.byName.get(grantee)?.superuser === true
  for (const grantee of holds(items, 'A').filter((name) => name !== object.owner)) {
    open(
      room,
      grantee,
      serverNode(room.site),
      'pg.parameter.alter-system',
      `ALTER SYSTEM for ${granteeName(grantee)} on ${object.name}`,
      `ALTER SYSTEM SET ${object.name} TO DEFAULT`,
      object,
    )
  }
  for (const grantee of holds(items, 's').filter((name) => name !== object.owner && !superuser(name))) {
    if (usersOf(room, grantee).length > 0)
      doubt(room, `${granteeName(grantee)} may SET the parameter ${object.name}: what that opens is not known`)
  }
}

/** An object of the system whose list is wider than initdb or its extension left it. */
function systemObject(room: Room, object: PgObject, items: readonly AclItem[]): void {
  const initial = aclItems(object.type, object.owner, object.initial ?? null)
  if (initial === undefined)
    return doubt(
      room,
      `${described(object)} in database ${room.database.name}: its first access list is not understood`,
    )
  const before = new Set(
    initial.flatMap(({ grantee, privileges }) => [...privileges.keys()].map((letter) => `${grantee}\0${letter}`)),
  )
  // The fence itself: schema public belongs to the login, and what is in it is not the system's.
  if (object.type === 'schema' && object.name === 'public') return
  // initdb makes the information schema without noting its lists: PUBLIC reads it, and that is all.
  if ((object.schema ?? object.name) === 'information_schema') for (const letter of 'rU') before.add(`\0${letter}`)
  for (const { grantee, privileges } of items) {
    const added = [...privileges.keys()].filter(
      (letter) => !before.has(`${grantee}\0${letter}`) && !before.has(`\0${letter}`),
    )
    if (added.length === 0 || grantee === object.owner) continue
    const what = `${added.map((letter) => privilegeNames[letter]).join(', ')} for ${granteeName(grantee)} on ${described(object)}`
    open(
      room,
      grantee,
      powerNode(room.site, 'system-object'),
      'pg.system-object',
      what,
      `\\dp ${object.schema ?? ''}.*`,
      object,
    )
  }
}

function extensions(room: Room): void {
  const { site, inside, database } = room
  for (const name of inside.extensions) {
    // Its functions connect anywhere from the server's own network, and PUBLIC may call them.
    if (name === 'dblink')
      open(
        room,
        '',
        powerNode(site, 'outbound'),
        'pg.extension.dblink',
        `extension dblink in database ${database.name}`,
        `SELECT dblink_connect('host=127.0.0.1')`,
        { type: 'extension', schema: null, name, owner: '', acl: null },
      )
    else if (!harmlessExtensions.has(name))
      doubt(room, `extension ${name} in database ${database.name}: what its functions can do is not known`)
  }
}
