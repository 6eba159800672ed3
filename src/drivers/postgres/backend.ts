/** One PostgreSQL server as a backend: its drivers by kind, its facts, and the snapshot for the prover. */
import type { PostgresAccess, PostgresBackend } from '../../model/backends.ts'
import { createAddresses } from './addresses.ts'
import { createCatalog } from './catalog.ts'
import { changesOf } from './changes.ts'
import { createConnections, type Connections, type ConnectionOptions } from './connection.ts'
import { createDatabaseDriver } from './database.ts'
import { createGrantsDriver } from './grants.ts'
import { createInsideCache } from './inside.ts'
import { createRoleDriver } from './role.ts'
import { createServerFenceDriver } from './server-fence.ts'
import type { Server } from './server.ts'
import { type CommonInsides, readWorld } from './world.ts'

export interface PostgresOptions extends ConnectionOptions {
  /** How long one read of the shared catalogs serves all observations; `call.fresh` passes it by. */
  readonly catalogMaxAgeMs?: number
  /** How old what was read inside a database may be before an observation reads it again. */
  readonly insideMaxAgeMs?: number
  /** How often the shared catalogs are asked whether anything in them changed. */
  readonly changesPollMs?: number
  /** Bound of `check`, `facts`, and of each part of a snapshot. */
  readonly timeoutMs?: number
  readonly now?: () => number
  /** In place of connections of its own; for tests that fail them. */
  readonly connections?: Connections
}

/**
 * Connects lazily: a server that is down makes `check` throw `Unreachable` (or `Waiting` while it starts), and every
 * observation `unreadable`. `version` of the facts is `server_version_num`.
 */
export function createPostgresBackend(
  name: string,
  access: PostgresAccess,
  options: PostgresOptions = {},
): PostgresBackend {
  const now = options.now ?? Date.now
  const timeoutMs = options.timeoutMs ?? 30_000
  const connections = options.connections ?? createConnections(access, options)
  const catalog = createCatalog(connections, { maxAgeMs: options.catalogMaxAgeMs ?? 1000, now })
  const server: Server = { name, access, connections, catalog, now, insideMaxAgeMs: options.insideMaxAgeMs ?? 300_000 }
  const cache = createInsideCache(server)
  const common: CommonInsides = new Map()
  const limits = (signal: AbortSignal) => ({ signal, deadlineMs: Date.now() + timeoutMs })
  return {
    name,
    drivers: {
      'postgres/Role': createRoleDriver(server),
      'postgres/Database': createDatabaseDriver(server, createAddresses(access.host, now)),
      'postgres/DatabaseGrants': createGrantsDriver(server, cache),
      'postgres/ServerFence': createServerFenceDriver(server, cache),
    },
    changes: (signal) => changesOf(connections, signal, options.changesPollMs),
    check: async (signal) => {
      await connections.run('reach PostgreSQL', limits(signal), (session) => session.query('SELECT 1'))
    },
    facts: (signal) =>
      connections.run('read the facts of PostgreSQL', limits(signal), async (session) => {
        const rows = await session.query<{ tls: boolean }>(
          'SELECT ssl AS tls FROM pg_stat_ssl WHERE pid = pg_backend_pid()',
        )
        return { version: await connections.version(limits(signal)), tls: rows[0]?.tls === true }
      }),
    snapshot: (signal, databases, { fresh } = { fresh: true }) => {
      if (fresh) common.clear()
      return readWorld(server, signal, databases, timeoutMs, common)
    },
    close: () => connections.close(),
  }
}
