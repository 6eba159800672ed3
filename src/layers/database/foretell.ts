/**
 * What the catalogs would say after a plan, for the prover's verdict before anything is done. Pure; states only what
 * our own resources bring, on top of what was read.
 */
import type { JsonObject } from '../../model/json.ts'
import type { Resource } from '../../model/resource.ts'
import type { PgDatabase, PgInside, PgMembership, PgRole, PostgresWorld, World } from '../../model/world.ts'

interface PlannedStep {
  readonly verb: 'create' | 'update' | 'replace' | 'delete' | 'adopt' | 'release' | 'none'
  readonly resource: Resource
}

/** A name as aclitem writes it. */
const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** Letters of aclitem for the privileges on a database (manual, table 5.1). */
const letters: { readonly [privilege: string]: string } = { CREATE: 'C', TEMPORARY: 'T', CONNECT: 'c' }

export function foretellPostgres(world: World, steps: readonly PlannedStep[]): World {
  const { postgres } = world
  if (postgres === undefined) return world
  const ours = steps.filter((step) => step.resource.kind.startsWith('postgres/'))
  return {
    ...world,
    postgres: postgres.map((server) =>
      ours.filter((step) => step.resource.backend === server.server).reduce(lay, server),
    ),
  }
}

function lay(server: PostgresWorld, { verb, resource }: PlannedStep): PostgresWorld {
  const gone = verb === 'delete' || verb === 'release'
  switch (resource.kind) {
    case 'postgres/Role': {
      const others = server.roles.filter((role) => role.name !== resource.externalName)
      const memberships = server.memberships.filter(
        (one) => one.member !== resource.externalName && one.role !== resource.externalName,
      )
      if (gone) return { ...server, roles: others, memberships }
      return {
        ...server,
        roles: [...others, roleOf(resource.spec)],
        memberships: [...memberships, ...membershipsOf(resource.spec)],
      }
    }
    case 'postgres/Database': {
      const before = server.databases.find((one) => one.name === resource.externalName)
      const others = server.databases.filter((one) => one !== before)
      return gone
        ? { ...server, databases: others }
        : { ...server, databases: [...others, databaseOf(resource.spec, before)] }
    }
    case 'postgres/DatabaseGrants':
      return gone
        ? server
        : {
            ...server,
            databases: server.databases.map((one) =>
              one.name === resource.spec['database'] ? granted(one, resource.spec) : one,
            ),
          }
    default:
      return server
  }
}

const flag = (spec: JsonObject, name: string): boolean => spec[name] === true

const roleOf = (spec: JsonObject): PgRole => ({
  oid: '0',
  name: String(spec['name']),
  superuser: flag(spec, 'superuser'),
  createRole: flag(spec, 'createRole'),
  createDb: flag(spec, 'createDb'),
  replication: flag(spec, 'replication'),
  bypassRls: flag(spec, 'bypassRls'),
  login: flag(spec, 'login'),
  inherit: flag(spec, 'inherit'),
  connectionLimit: Number(spec['connectionLimit'] ?? -1),
  config: [],
})

const membershipsOf = (spec: JsonObject): readonly PgMembership[] =>
  (spec['memberOf'] as readonly string[]).map((role) => ({
    role,
    member: String(spec['name']),
    admin: false,
    inherit: true,
    set: true,
  }))

/** A database from template0 holds nothing but its schema `public`, which is its owner's until it is given away. */
function databaseOf(spec: JsonObject, before: PgDatabase | undefined): PgDatabase {
  const owner = String(spec['owner'])
  const inside: PgInside = { readAtMs: 0, objects: [], defaultPrivileges: [], extensions: [] }
  return {
    oid: before?.oid ?? '0',
    name: String(spec['name']),
    owner,
    allowConnections: true,
    isTemplate: false,
    acl: before?.acl ?? [`${quoted(owner)}=CTc/${quoted(owner)}`],
    inside: before?.inside ?? inside,
  }
}

function granted(database: PgDatabase, spec: JsonObject): PgDatabase {
  const owner = String(spec['owner'])
  const privileges = spec['privileges'] as { readonly [grantee: string]: readonly string[] }
  const acl = Object.entries(privileges).map(
    ([grantee, list]) => `${quoted(grantee)}=${list.map((one) => letters[one] ?? '?').join('')}/${quoted(owner)}`,
  )
  const schemas = spec['schemas'] as { readonly [schema: string]: { readonly owner: string } }
  const before = database.inside ?? { readAtMs: 0, objects: [], defaultPrivileges: [], extensions: [] }
  const objects = [
    ...before.objects.filter((object) => !(object.type === 'schema' && Object.hasOwn(schemas, object.name))),
    ...Object.entries(schemas).map(([name, schema]) => ({
      type: 'schema',
      schema: null,
      name,
      owner: schema.owner,
      acl: [`${quoted(schema.owner)}=UC/${quoted(schema.owner)}`],
    })),
  ]
  // Future functions and types of both roles are theirs alone: PUBLIC's built-in EXECUTE and USAGE are revoked.
  const defaultPrivileges = Object.keys(spec['futurePublic'] as JsonObject).flatMap((role) => [
    { role, schema: null, objectType: 'f', acl: [`${quoted(role)}=X/${quoted(role)}`] },
    { role, schema: null, objectType: 'T', acl: [`${quoted(role)}=U/${quoted(role)}`] },
  ])
  return { ...database, acl, inside: { ...before, objects, defaultPrivileges } }
}
