/**
 * The logic's idea of who may do what, against the server's own (`has_…_privilege`, `pg_has_role`) and against real
 * connections, on random worlds of roles, memberships, databases and objects.
 */
import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createPostgresBackend } from '../../../src/drivers/postgres/backend.ts'
import type { PostgresAccess, PostgresBackend } from '../../../src/model/backends.ts'
import type { PostgresWorld } from '../../../src/model/world.ts'
import { hasPrivilege, indexRoles, type Securable } from '../../../src/prover/grants/roles.ts'
import { adminOf, refusal, sqlAs } from '../../support/database-tenant.ts'
import { describeOn, servers } from '../../support/servers.ts'

/** mulberry32: the same world for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed
  return (sides) => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % sides
  }
}

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`
const password = 'oracle'
const letters = { database: { CONNECT: 'c', TEMPORARY: 'T', CREATE: 'C' }, schema: { USAGE: 'U', CREATE: 'C' }, table: { SELECT: 'r', INSERT: 'a', UPDATE: 'w', DELETE: 'd', TRUNCATE: 'D', REFERENCES: 'x', TRIGGER: 't' }, sequence: { SELECT: 'r', UPDATE: 'w', USAGE: 'U' }, function: { EXECUTE: 'X' } } // prettier-ignore

interface RandomWorld {
  readonly roles: readonly string[]
  readonly logins: readonly string[]
  readonly databases: readonly string[]
}

/** Some statements are refused (circular memberships, grants without the right); they are part of the randomness. */
async function build(access: PostgresAccess, seed: number): Promise<RandomWorld> {
  const roll = dice(seed)
  const pick = <T>(list: readonly T[]): T => list[roll(list.length)] as T
  const tag = `o${randomBytes(3).toString('hex')}`
  // Names that need quoting, in lists and in statements.
  const roles = Array.from({ length: 9 }, (_, n) => `${tag}${['_r', ' "q" ', '=x/', ''][n % 4]}${n}`)
  const logins = roles.filter((_, n) => n % 2 === 0)
  const databases = [`${tag}_d0`, `${tag}"d1`]
  const newer = (await sqlAs(access, adminOf(access), 'SHOW server_version_num')).rows[0].server_version_num >= 160_000
  const first: string[] = roles.map(
    (role) =>
      `CREATE ROLE ${quote(role)} ${logins.includes(role) ? `LOGIN PASSWORD '${password}'` : ''} ${roll(3) === 0 ? 'NOINHERIT' : ''} ${roll(12) === 0 ? 'SUPERUSER' : ''}`,
  )
  const predefined = ['pg_read_all_data', 'pg_write_all_data', 'pg_monitor']
  for (let n = 0; n < 14; n += 1) {
    const options = newer
      ? `WITH INHERIT ${roll(2) === 0}, SET ${roll(2) === 0}, ADMIN ${roll(4) === 0}`
      : roll(4) === 0
        ? 'WITH ADMIN OPTION'
        : ''
    first.push(`GRANT ${quote(roll(6) === 0 ? pick(predefined) : pick(roles))} TO ${quote(pick(roles))} ${options}`)
  }
  for (const database of databases) {
    first.push(`CREATE DATABASE ${quote(database)} OWNER ${quote(pick(roles))} TEMPLATE template0`)
    if (roll(3) > 0) first.push(`REVOKE ALL ON DATABASE ${quote(database)} FROM PUBLIC`)
    for (let n = 0; n < 4; n += 1) {
      first.push(
        `GRANT ${pick(Object.keys(letters.database))} ON DATABASE ${quote(database)} TO ${roll(8) === 0 ? 'PUBLIC' : quote(pick(roles))} ${roll(3) === 0 ? 'WITH GRANT OPTION' : ''}`.replace(
          /PUBLIC WITH.*/,
          'PUBLIC',
        ),
      )
    }
    if (roll(4) === 0) first.push(`REVOKE ALL ON DATABASE ${quote(database)} FROM ${quote(pick(roles))}`)
  }
  const tried = async (database: string, statements: readonly string[]) => {
    const client = new pg.Client({
      ...adminOf(access, database),
      host: access.host,
      port: access.port,
      ssl: access.tls ? { ca: access.ca } : false,
    })
    await client.connect()
    for (const statement of statements) {
      const refused = await refusal(client.query(statement))
      // Only refusals that a random world explains; anything else is a mistake of this test.
      expect([undefined, '0LP01', '42501', '2BP01', '0A000'], statement).toContain(refused)
    }
    await client.end()
  }
  await tried(access.database, first)
  const second: string[] = []
  for (const [n, schema] of ['s 0', 's"1'].entries()) {
    second.push(`CREATE SCHEMA ${quote(schema)} AUTHORIZATION ${quote(pick(roles))}`)
    const objects = [
      `TABLE ${quote(schema)}.t${n}`,
      `SEQUENCE ${quote(schema)}.q${n}`,
      `FUNCTION ${quote(schema)}.f${n}()`,
    ] as const
    second.push(
      `CREATE ${objects[0]} (a int)`,
      `CREATE ${objects[1]}`,
      `CREATE ${objects[2]} RETURNS int LANGUAGE sql ${roll(2) === 0 ? 'SECURITY DEFINER' : ''} AS 'SELECT 1'`,
    )
    for (const [kind, target] of [
      ['schema', `SCHEMA ${quote(schema)}`],
      ['table', objects[0]],
      ['sequence', objects[1]],
      ['function', objects[2]],
    ] as const) {
      if (kind !== 'schema') second.push(`ALTER ${target} OWNER TO ${quote(pick(roles))}`)
      if (roll(2) === 0) second.push(`REVOKE ALL ON ${target} FROM PUBLIC`)
      for (let g = 0; g < 2; g += 1)
        second.push(
          `GRANT ${pick(Object.keys(letters[kind]))} ON ${target} TO ${roll(8) === 0 ? 'PUBLIC' : quote(pick(roles))}`,
        )
    }
  }
  await tried(databases[0] as string, second)
  return { roles, logins, databases }
}

async function destroy(access: PostgresAccess, world: RandomWorld): Promise<void> {
  for (const database of world.databases)
    await sqlAs(access, adminOf(access), `DROP DATABASE IF EXISTS ${quote(database)} WITH (FORCE)`)
  for (const role of world.roles)
    await sqlAs(access, adminOf(access), `DROP OWNED BY ${quote(role)}`).catch(() => undefined)
  for (const role of world.roles) await sqlAs(access, adminOf(access), `DROP ROLE IF EXISTS ${quote(role)}`)
}

/** Answers of the server, in one statement a kind. */
async function ask(
  access: PostgresAccess,
  database: string,
  text: string,
  values: readonly unknown[],
): Promise<readonly { key: string; answer: boolean }[]> {
  const client = new pg.Client({
    ...adminOf(access, database),
    host: access.host,
    port: access.port,
    ssl: access.tls ? { ca: access.ca } : false,
  })
  await client.connect()
  try {
    return (await client.query(text, [...values])).rows
  } finally {
    await client.end()
  }
}

for (const version of ['postgres18', 'postgres15'] as const) {
  describeOn([version], `the grants logic agrees with ${version}`, () => {
    const worlds: { random: RandomWorld; read: PostgresWorld }[] = []
    let access: PostgresAccess
    let backend: PostgresBackend

    beforeAll(async () => {
      access = servers()[version]
      backend = createPostgresBackend('postgres', access)
      for (let seed = 1; seed <= 8; seed += 1) {
        const random = await build(access, seed)
        const read = await backend.snapshot(AbortSignal.timeout(30_000), random.databases)
        // Other tests make and drop databases meanwhile; only ours must have been readable.
        expect(read.unreadable.filter(({ what }) => random.databases.some((name) => what.includes(name)))).toEqual([])
        worlds.push({ random, read })
      }
    }, 120_000)
    afterAll(async () => {
      for (const { random } of worlds) await destroy(access, random)
      await backend.close()
    })

    test('on who has whose privileges without doing anything, and never misses a role that can be become', async () => {
      let [yes, no] = [0, 0]
      for (const { random, read } of worlds) {
        const index = indexRoles(read)
        const names = [...random.roles, 'pg_read_all_data', 'pg_monitor', 'pg_read_all_settings']
        const answers = await ask(
          access,
          access.database,
          `SELECT a || '|' || b AS key, pg_has_role(a, b, 'USAGE') AS answer FROM unnest($1::text[]) a, unnest($2::text[]) b`,
          [random.roles, names],
        )
        const becomes = new Map(
          (
            await ask(
              access,
              access.database,
              `SELECT a || '|' || b AS key, pg_has_role(a, b, $3) AS answer FROM unnest($1::text[]) a, unnest($2::text[]) b`,
              [random.roles, names, read.version >= 160_000 ? 'SET' : 'MEMBER'],
            )
          ).map(({ key, answer }) => [key, answer]),
        )
        for (const { key, answer } of answers) {
          const [a, b] = key.split('|') as [string, string]
          const superuser = index.byName.get(a)?.superuser === true
          expect(superuser || index.inherited(a).has(b), `${key} in ${read.server}`).toBe(answer)
          if (becomes.get(key) === true)
            expect(superuser || index.reachable(a).has(b), `${key} can be become`).toBe(true)
          if (answer) yes += 1
          else no += 1
        }
      }
      expect(Math.min(yes, no)).toBeGreaterThan(100)
    })

    test('on every privilege on databases, schemas, tables, sequences and functions', async () => {
      const counts = { yes: 0, no: 0 }
      for (const { random, read } of worlds) {
        const index = indexRoles(read)
        const database = read.databases.find(({ name }) => name === random.databases[0])
        if (database?.inside === undefined) throw new Error('the database was not looked into')
        const compare = async (kind: keyof typeof letters, name: string, object: Securable, owner?: string) => {
          const privileges = Object.keys(letters[kind])
          const rows = await ask(
            access,
            database.name,
            `SELECT r || '|' || p AS key, has_${kind}_privilege(r, $3::text, p) AS answer FROM unnest($1::text[]) r, unnest($2::text[]) p`,
            [random.roles, privileges, name],
          )
          for (const { key, answer } of rows) {
            const [role, privilege] = key.split('|') as [string, string]
            const letter = (letters[kind] as { readonly [privilege: string]: string })[privilege] as string
            expect(
              hasPrivilege(index, role, object, letter, owner),
              `${role}: ${privilege} on ${kind} ${name}, list ${JSON.stringify(object.acl)}`,
            ).toBe(answer)
            counts[answer ? 'yes' : 'no'] += 1
          }
        }
        for (const found of read.databases.filter(({ name }) => random.databases.includes(name)))
          await compare('database', found.name, { type: 'database', owner: found.owner, acl: found.acl })
        for (const object of database.inside.objects.filter(({ schema, type, name }) =>
          type === 'schema' ? name.startsWith('s') : schema?.startsWith('s') === true,
        )) {
          if (!Object.hasOwn(letters, object.type)) continue
          await compare(
            object.type as keyof typeof letters,
            object.schema === null ? object.name : `${quote(object.schema)}.${object.name}`,
            object,
            database.owner,
          )
        }
      }
      expect(Math.min(counts.yes, counts.no), JSON.stringify(counts)).toBeGreaterThan(300)
    })

    test('on who really gets into a database', async () => {
      const counts = { in: 0, out: 0 }
      for (const { random, read } of worlds.slice(0, 4)) {
        const index = indexRoles(read)
        for (const database of read.databases.filter(({ name }) => random.databases.includes(name))) {
          for (const login of random.logins) {
            const refused = await refusal(sqlAs(access, { user: login, password, database: database.name }, 'SELECT 1'))
            const expected = hasPrivilege(
              index,
              login,
              { type: 'database', owner: database.owner, acl: database.acl },
              'c',
            )
            expect(refused, `${login} into ${database.name}, list ${JSON.stringify(database.acl)}`).toBe(
              expected === true ? undefined : '42501',
            )
            counts[refused === undefined ? 'in' : 'out'] += 1
          }
        }
      }
      expect(Math.min(counts.in, counts.out), JSON.stringify(counts)).toBeGreaterThan(4)
    })
  })
}
