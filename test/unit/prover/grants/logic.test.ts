/** Truth tables of the grants logic on worlds written by hand; the real servers hold it elsewhere. */
import { describe, expect, it } from 'vitest'
import type {
  PgDatabase,
  PgInside,
  PgMembership,
  PgObject,
  PgRole,
  PostgresWorld,
  TenantBoundary,
  World,
} from '../../../../src/model/world.ts'
import { grantsLogic } from '../../../../src/prover/grants/logic.ts'
import { doubts, refutations } from '../../../support/closure.ts'

const role = (name: string, more: Partial<PgRole> = {}): PgRole => ({
  oid: name, name, superuser: false, createRole: false, createDb: false, replication: false, bypassRls: false, login: false, inherit: true, connectionLimit: -1, config: [], ...more,
}) // prettier-ignore
const closed = (name: string): PgInside['defaultPrivileges'] =>
  ['f', 'T'].flatMap((objectType) =>
    [`${name}_owner`, `${name}_user`].map((who) => ({
      role: who,
      schema: null,
      objectType,
      acl: [`${who}=${objectType === 'f' ? 'X' : 'U'}/${who}`],
    })),
  )
const inside = (name: string, objects: readonly PgObject[] = [], more: Partial<PgInside> = {}): PgInside => ({
  readAtMs: 0, defaultPrivileges: closed(name), extensions: ['plpgsql'],
  objects: [{ type: 'schema', schema: null, name: 'public', owner: `${name}_user`, acl: [`${name}_user=UC/${name}_user`] }, ...objects], ...more,
}) // prettier-ignore
const database = (name: string, more: Partial<PgDatabase> = {}): PgDatabase => ({
  oid: name, name: `${name}_db`, owner: `${name}_owner`, allowConnections: true, isTemplate: false,
  acl: [`${name}_owner=CTc/${name}_owner`, `${name}_user=Tc/${name}_owner`], inside: inside(name), ...more,
}) // prettier-ignore
const boundary = (name: string): TenantBoundary => ({
  name, namespaces: [], subjects: [], shared: [], databases: [{ server: 'pg', database: `${name}_db`, owner: `${name}_owner`, login: `${name}_user` }],
}) // prettier-ignore
const fn = (more: Partial<PgObject>): PgObject => ({
  type: 'function',
  schema: 'public',
  name: 'f()',
  owner: 'postgres',
  acl: null,
  securityDefiner: false,
  language: 'sql',
  ...more,
})

interface Change {
  readonly version?: number
  readonly roles?: readonly PgRole[]
  readonly memberships?: readonly PgMembership[]
  readonly a?: Partial<PgDatabase>
  readonly objects?: readonly PgObject[]
  readonly inside?: Partial<PgInside>
  readonly databases?: readonly PgDatabase[]
  readonly trusted?: readonly string[]
  readonly server?: Partial<PostgresWorld>
  readonly tenants?: readonly TenantBoundary[]
}
function world(change: Change = {}): World {
  const names = new Set(change.roles?.map(({ name }) => name))
  const roles = [
    role('postgres', { login: true, superuser: true }),
    ...['a', 'b'].flatMap((name) => [role(`${name}_owner`), role(`${name}_user`, { login: true })]),
  ].filter(({ name }) => !names.has(name))
  const a = database('a', { inside: inside('a', change.objects, change.inside), ...change.a })
  const server: PostgresWorld = {
    server: 'pg', version: change.version ?? 180_004, roles: [...roles, ...(change.roles ?? [])], memberships: change.memberships ?? [],
    databases: [a, database('b'), { oid: '5', name: 'postgres', owner: 'postgres', allowConnections: true, isTemplate: false, acl: ['postgres=CTc/postgres'] }, ...(change.databases ?? [])],
    unreadable: [], endpoint: { host: 'db.example.com', port: 5432 }, ...change.server,
  } // prettier-ignore
  return {
    source: 'live',
    observed: ['', ''],
    tenants: change.tenants ?? [boundary('a'), boundary('b')],
    postgres: [server],
    unreadable: [],
    trusted: [],
    trustedRoles: change.trusted ?? ['postgres'],
  }
}
const findings = (change: Change) =>
  refutations(grantsLogic.analyse(world(change))).map(
    ({ claim, tenant, rules }) => `${claim} ${tenant} ${rules.join('>')}`,
  )
const doubted = (change: Change) => doubts(grantsLogic.analyse(world(change))).join('\n')
const member = (who: string, of: string, options: Partial<PgMembership> = {}): PgMembership => ({
  role: of,
  member: who,
  admin: false,
  inherit: false,
  set: false,
  ...options,
})

describe('the grants logic', () => {
  it('finds nothing in the world as we make it, and has examined something', () => {
    const analysis = grantsLogic.analyse(world())
    expect(refutations(analysis)).toEqual([])
    expect(doubts(analysis)).toEqual([])
    expect(analysis.checked.get('a')).toBeGreaterThan(5)
    expect(analysis.assuming[0]).toContain('postgres')
  })

  it.each([
    ['inherit', { inherit: true }, true],
    ['set', { set: true }, true],
    ['admin', { admin: true }, true],
    ['no option at all', {}, false],
  ] as const)('membership with %s opens a way: %j', (_title, options, opens) => {
    const found = findings({ memberships: [member('a_user', 'b_user', options)] })
    expect(found.some((line) => line.startsWith('grants.contained a'))).toBe(opens)
    expect(found.some((line) => line.startsWith('grants.fenced b'))).toBe(opens)
  })

  it('goes through groups that nobody owns', () => {
    const found = findings({
      roles: [role('readers')],
      memberships: [member('a_user', 'readers', { inherit: true })],
      databases: [{ ...database('c'), owner: 'postgres', acl: ['postgres=CTc/postgres', 'readers=c/postgres'] }],
    })
    expect(found).toEqual(['grants.contained a pg.member.inherit>pg.connect'])
  })

  it('a null list of a database lets PUBLIC in, a closed database lets nobody in, an owner gets in without a list', () => {
    expect(findings({ a: { acl: null } })).toEqual(
      expect.arrayContaining(['grants.fenced a pg.public.connect', 'grants.contained b pg.public>pg.public.connect']),
    )
    const legacy = {
      oid: '9',
      name: 'legacy',
      owner: 'postgres',
      allowConnections: false,
      isTemplate: false,
      acl: null,
    }
    expect(findings({ databases: [legacy] })).toEqual([])
    expect(findings({ databases: [{ ...legacy, allowConnections: true }] }).toSorted()).toEqual([
      'grants.contained a pg.public>pg.public.connect',
      'grants.contained b pg.public>pg.public.connect',
    ])
    expect(findings({ databases: [{ ...legacy, owner: 'a_user', acl: [] }] })).toEqual(['grants.contained a pg.owner'])
  })

  it('CREATEROLE is the whole server before 16, and a power of the platform from 16 on', () => {
    const roles = [role('a_user', { login: true, createRole: true })]
    expect(findings({ roles, version: 150_018 })).toContain('grants.fenced b pg.attribute.createrole>pg.superuser')
    expect(findings({ roles })).toEqual(['grants.contained a pg.attribute.createrole'])
  })

  it.each([
    'pg_read_all_data',
    'pg_write_all_data',
    'pg_execute_server_program',
    'pg_read_server_files',
    'pg_write_server_files',
    'pg_signal_backend',
    'pg_monitor',
    'pg_checkpoint',
    'pg_maintain',
    'pg_create_subscription',
    'pg_use_reserved_connections',
    'pg_role_of_a_later_version',
  ])('membership in %s is refuted', (name) => {
    const found = findings({ roles: [role(name)], memberships: [member('a_user', name, { inherit: true, set: true })] })
    expect(found).toContain('grants.contained a pg.member.inherit')
    expect(found.some((line) => line.startsWith('grants.fenced b'))).toBe(/program|server_files/.test(name))
  })

  it('a login of nobody is an outsider; a trusted one is not, and is printed', () => {
    const roles = [role('backup', { login: true, superuser: true })]
    expect(findings({ roles })).toEqual(
      expect.arrayContaining([
        'grants.fenced a pg.attribute.superuser>pg.superuser',
        'grants.fenced b pg.attribute.superuser>pg.superuser',
      ]),
    )
    expect(findings({ roles, trusted: ['postgres', 'backup'] })).toEqual([])
    expect(findings({ roles: [role('backup', { superuser: true })] })).toEqual([])
  })

  it('a database that may be cloned is open to whoever may create databases', () => {
    const roles = [role('b_user', { login: true, createDb: true })]
    expect(findings({ roles, a: { isTemplate: true } })).toContain('grants.fenced a pg.attribute.createdb>pg.template')
    expect(findings({ roles })).toEqual(['grants.contained b pg.attribute.createdb'])
  })

  it.each([
    ['a SECURITY DEFINER function of a superuser', [fn({ securityDefiner: true })], 'pg.function.definer'],
    [
      'one for the login alone',
      [fn({ securityDefiner: true, acl: ['postgres=X/postgres', 'a_user=X/postgres'] })],
      'pg.function.definer',
    ],
    [
      'a foreign server for PUBLIC',
      [
        {
          type: 'foreign server',
          schema: null,
          name: 's',
          owner: 'postgres',
          acl: ['postgres=U/postgres', '=U/postgres'],
        },
      ],
      'pg.foreign.usage',
    ],
    [
      'a wrapper for the login',
      [{ type: 'foreign data wrapper', schema: null, name: 'w', owner: 'postgres', acl: ['a_user=U/postgres'] }],
      'pg.foreign.usage',
    ],
    [
      'a user mapping for PUBLIC',
      [{ type: 'user mapping', schema: null, name: 's', owner: '', acl: null }],
      'pg.user-mapping',
    ],
    [
      'a subscription of the login',
      [{ type: 'subscription', schema: null, name: 's', owner: 'a_user', acl: null }],
      'pg.subscription.owner',
    ],
    [
      'ALTER SYSTEM for the login',
      [
        {
          type: 'parameter',
          schema: null,
          name: 'archive_command',
          owner: 'postgres',
          acl: ['postgres=sA/postgres', 'a_user=A/postgres'],
        },
      ],
      'pg.parameter.alter-system',
    ],
    [
      'a system function opened',
      [
        fn({
          schema: 'pg_catalog',
          name: 'pg_read_file(text)',
          acl: ['postgres=X/postgres', 'a_user=X/postgres'],
          initial: ['postgres=X/postgres'],
        }),
      ],
      'pg.system-object',
    ],
    [
      'TRIGGER on a superuser’s table',
      [{ type: 'table', schema: 'public', name: 't', owner: 'postgres', acl: ['a_user=t/postgres'] }],
      'pg.table.trigger',
    ],
  ] as readonly (readonly [string, readonly PgObject[], string])[])(
    '%s is a way out of the tenant’s database',
    (_title, objects, rule) => {
      const found = findings({ objects })
      expect(
        found.filter((line) => line.startsWith('grants.contained a') && line.endsWith(rule)),
        found.join(),
      ).not.toEqual([])
    },
  )

  it.each([
    [
      'a SECURITY DEFINER function that only its owner may call',
      fn({ securityDefiner: true, acl: ['postgres=X/postgres'] }),
    ],
    ['one of the tenant’s own', fn({ securityDefiner: true, owner: 'a_user' })],
    ['a plain function of a superuser', fn({})],
    [
      'a function for a role that is not let in',
      fn({ securityDefiner: true, acl: ['postgres=X/postgres', 'b_user=X/postgres'] }),
    ],
    [
      'a table of the tenant that it opened to PUBLIC itself',
      { type: 'table', schema: 'public', name: 't', owner: 'a_user', acl: ['a_user=arwdDxt/a_user', '=r/a_user'] },
    ],
    [
      'a system function that was closed further',
      fn({ schema: 'pg_catalog', acl: ['postgres=X/postgres'], initial: null }),
    ],
  ] as readonly (readonly [string, PgObject])[])('%s is none', (_title, object) => {
    expect(findings({ objects: [object] })).toEqual([])
    expect(doubted({ objects: [object] })).toBe('')
  })

  it.each([
    ['a missing database', { server: { databases: [database('b')] } }, 'database a_db is not on server pg'],
    [
      'a missing login',
      { server: { roles: [role('a_owner'), role('b_owner'), role('b_user', { login: true })] } },
      'role a_user is not on server pg',
    ],
    ['a database that was not looked into', { a: { inside: undefined as never } }, 'was not looked into'],
    [
      'a server that was not read',
      { server: { server: 'another' } },
      'server pg, which holds database a_db, was not read',
    ],
    [
      'an unreadable database',
      { server: { unreadable: [{ product: 'postgres', what: 'database a_db', why: 'timeout' }] } },
      'database a_db could not be read: timeout',
    ],
    ['a privilege that is not known', { a: { acl: ['a_user=cZ/a_owner'] } }, 'is not understood: a_user=cZ/a_owner'],
    [
      'a type of object that is not known',
      { objects: [{ type: 'wormhole', schema: null, name: 'w', owner: 'a_user', acl: null }] },
      'wormhole w in database a_db',
    ],
    [
      'an extension that is not known',
      { inside: { extensions: ['plpgsql', 'teleport'] } },
      'extension teleport in database a_db',
    ],
    [
      'default privileges of an unknown kind',
      { inside: { defaultPrivileges: [...closed('a'), { role: 'a_user', schema: null, objectType: 'Q', acl: [] }] } },
      'unknown kind "Q"',
    ],
    [
      'a callable function in an untrusted language',
      {
        objects: [
          { type: 'language', schema: null, name: 'plpython3u (untrusted)', owner: 'postgres', acl: null },
          fn({ language: 'plpython3u' }),
        ],
      },
      'untrusted language plpython3u',
    ],
    [
      'SET on a superuser’s parameter',
      {
        objects: [
          {
            type: 'parameter',
            schema: null,
            name: 'session_preload_libraries',
            owner: 'postgres',
            acl: ['a_user=s/postgres'],
          },
        ],
      },
      'may SET the parameter session_preload_libraries',
    ],
  ] as readonly (readonly [string, Change, string])[])(
    '%s is undecided by name, never proved',
    (_title, change, because) => {
      expect(doubted(change)).toContain(because)
    },
  )

  it('two tenants with one database or role are refuted, both of them', () => {
    const shared = { ...boundary('b'), databases: boundary('a').databases }
    expect(findings({ tenants: [boundary('a'), shared] })).toEqual(
      expect.arrayContaining([
        'grants.contained a pg.shared',
        'grants.contained b pg.shared',
        'grants.fenced a pg.shared',
        'grants.fenced b pg.shared',
      ]),
    )
  })

  it('commands are safe to paste, whatever the names are', () => {
    const evil = `x'; rm -rf "$HOME" \\`
    const analysis = grantsLogic.analyse(
      world({
        databases: [{ oid: '9', name: evil, owner: 'postgres', allowConnections: true, isTemplate: false, acl: null }],
      }),
    )
    const command = refutations(analysis).find(({ edge }) => edge.by.includes(evil))?.edge.command
    expect(command).toBe(
      `psql 'host=db.example.com port=5432 dbname='\\''x\\'\\''; rm -rf "$HOME" \\\\'\\''' -c 'SELECT current_user'`,
    )
  })

  it('costs grow no faster than the number of tenants', () => {
    const of = (count: number): World => {
      const names = Array.from({ length: count }, (_, n) => `t${n}`)
      const server: PostgresWorld = {
        server: 'pg',
        version: 180_004,
        roles: [
          role('postgres', { superuser: true, login: true }),
          ...names.flatMap((name) => [role(`${name}_owner`), role(`${name}_user`, { login: true })]),
        ],
        memberships: [],
        databases: names.map((name) => database(name)),
        unreadable: [],
      }
      return { ...world(), tenants: names.map(boundary), postgres: [server] }
    }
    const edges = (count: number) => grantsLogic.analyse(of(count)).edges.length
    const [small, large] = [edges(100), edges(1000)]
    expect(large / small).toBeLessThan(10.5)
    expect(refutations(grantsLogic.analyse(of(50)))).toEqual([])
  })
})
