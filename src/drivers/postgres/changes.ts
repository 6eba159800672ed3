/**
 * What changes in the shared catalogs, found by asking: PostgreSQL tells nobody when a role, a membership or an access
 * list is changed. One aggregate over row versions answers whether anything did; only then are the names compared.
 * What changes inside a database is not seen here.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { BackendChange } from '../../model/driver.ts'
import type { Connections, Limits } from './connection.ts'

/** How long a change by hand may go unseen. */
const changesPollMs = 15_000

/** A look that takes longer counts as no answer. */
const lookMs = 10_000

/**
 * A number for each named role and database that changes with every write to its rows: attributes, password,
 * memberships on both sides, access lists, settings, comments. Where `pg_authid` may not be read, the view stands in
 * for it and a change of a password shows at the next pass only.
 */
const parts = (authid: boolean): string => `
  SELECT 'postgres/Role' AS kind, rolname::text AS name, ${authid ? 'oid::text || xmin::text FROM pg_authid' : 'r::text FROM pg_roles r'}
  UNION ALL SELECT 'postgres/Role', r.rolname::text, concat_ws(' ', 'member', m.roleid, m.member, m.xmin)
    FROM pg_auth_members m JOIN pg_roles r ON r.oid IN (m.roleid, m.member)
  UNION ALL SELECT 'postgres/Database', datname::text, oid::text || xmin::text FROM pg_database
  UNION ALL SELECT 'postgres/Role', r.rolname::text, concat_ws(' ', 'setting', s.setdatabase, s.xmin)
    FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole
  UNION ALL SELECT 'postgres/Database', d.datname::text, concat_ws(' ', 'setting', s.setrole, s.xmin)
    FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase
  UNION ALL SELECT 'postgres/Role', r.rolname::text, concat_ws(' ', 'comment', c.xmin)
    FROM pg_shdescription c JOIN pg_roles r ON r.oid = c.objoid AND c.classoid = 'pg_authid'::regclass
  UNION ALL SELECT 'postgres/Database', d.datname::text, concat_ws(' ', 'comment', c.xmin)
    FROM pg_shdescription c JOIN pg_database d ON d.oid = c.objoid AND c.classoid = 'pg_database'::regclass`

/** A sum does not depend on the order of rows, so nothing has to be sorted. */
const sum = `sum(hashtextextended(concat_ws(' ', kind, name, part), 0)::numeric)::text`

interface Versions {
  readonly whole: string
  /** By kind and name. */
  readonly names: ReadonlyMap<string, string>
}

interface Row {
  readonly kind: string
  readonly name: string
  readonly version: string
}

async function read(connections: Connections, limits: Limits, before: Versions | undefined): Promise<Versions> {
  return connections.run('look for changes in the shared catalogs', limits, async (session) => {
    const [may] = await session.query<{ ok: boolean }>(`SELECT has_table_privilege('pg_authid', 'SELECT') AS ok`)
    const from = `FROM (${parts(may?.ok === true)}) AS parts (kind, name, part)`
    const [digest] = await session.query<{ whole: string }>(`SELECT ${sum} AS whole ${from}`)
    const whole = digest?.whole ?? ''
    if (before !== undefined && whole === before.whole) return before
    const rows = await session.query<Row>(`SELECT kind, name, ${sum} AS version ${from} GROUP BY kind, name`)
    return { whole, names: new Map(rows.map((row) => [`${row.kind} ${row.name}`, row.version])) }
  })
}

function changed(before: Versions, after: Versions): readonly BackendChange[] {
  if (before === after) return []
  const keys = new Set([...before.names.keys(), ...after.names.keys()])
  return [...keys]
    .filter((key) => before.names.get(key) !== after.names.get(key))
    .map((key) => ({ kind: key.slice(0, key.indexOf(' ')), externalName: key.slice(key.indexOf(' ') + 1) }))
}

/**
 * Yields the roles and databases that changed since the last look, ours among them, and `resync` when the server
 * ceases to answer, so that nobody is taken for fenced by a server that cannot be asked. Never throws.
 */
export async function* changesOf(
  connections: Connections,
  signal: AbortSignal,
  pollMs = changesPollMs,
): AsyncIterable<BackendChange> {
  let before: Versions | undefined
  let answers = true
  while (!signal.aborted) {
    try {
      const after = await read(connections, { signal, deadlineMs: Date.now() + lookMs }, before)
      answers = true
      if (before !== undefined) yield* changed(before, after)
      before = after
    } catch {
      // Why it cannot be read is told by the passes that this makes.
      if (answers && !signal.aborted) yield 'resync'
      answers = false
    }
    await pause(pollMs, undefined, { signal }).catch(() => undefined)
  }
}
