/** The store's and the tenants' PostgreSQL: the one named by DATABASE_URL, or an embedded one of our own. */
import { readFile } from 'node:fs/promises'
import pg from 'pg'
import { startPostgres } from '../embedded/postgres/server.ts'
import type { PostgresAccess } from '../model/backends.ts'
import { RingfenceError } from '../model/errors.ts'
import type { UpOptions } from '../cli/up-options.ts'
import { paths, type UpIo } from './options.ts'

export interface RunningPostgres {
  /** Database of the store. */
  readonly store: PostgresAccess
  /** The server on which tenants' databases are made. */
  readonly tenants: PostgresAccess
  stop(): Promise<void>
}

const storeDatabase = 'ringfence'

export async function openPostgres(
  options: UpOptions,
  io: UpIo,
  died: (why: string) => void,
): Promise<RunningPostgres> {
  const url = io.env['DATABASE_URL']
  if (url !== undefined && url !== '') {
    const access = await accessOf(url)
    return { store: access, tenants: access, stop: async () => undefined }
  }
  const server = await startPostgres({ dir: paths(options.dataDir).postgres, signal: io.signal })
  void server.failed.then((error) => died(error.message))
  try {
    await ensureStoreDatabase(server.access)
    return { store: { ...server.access, database: storeDatabase }, tenants: server.access, stop: () => server.stop() }
  } catch (error) {
    await server.stop()
    throw error
  }
}

/**
 * A PostgreSQL URL. The server's certificate is always checked, against `sslrootcert=<file>` where it is given; only
 * on loopback may `sslmode=disable` be asked for.
 */
async function accessOf(text: string): Promise<PostgresAccess> {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw new RingfenceError('Usage', 'DATABASE_URL is not a URL; write postgres://user:password@host:5432/database')
  }
  if (url.protocol !== 'postgres:' && url.protocol !== 'postgresql:') {
    throw new RingfenceError('Usage', `DATABASE_URL speaks ${url.protocol} instead of postgres:`)
  }
  const tls = url.searchParams.get('sslmode') !== 'disable'
  const loopback = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname)
  if (!tls && !loopback)
    throw new RingfenceError('Usage', 'DATABASE_URL asks for sslmode=disable on another machine; TLS is required')
  const authority = url.searchParams.get('sslrootcert')
  return {
    host: url.hostname,
    port: url.port === '' ? 5432 : Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || 'postgres',
    tls,
    ...(authority === null ? {} : { ca: await authorityFrom(authority) }),
  }
}

async function authorityFrom(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    throw new RingfenceError('Usage', `the sslrootcert of DATABASE_URL, ${file}, cannot be read`, {}, error)
  }
}

/** The store's own database, closed to everybody else from its first moment on. */
async function ensureStoreDatabase(access: PostgresAccess): Promise<void> {
  const client = new pg.Client({
    host: access.host,
    port: access.port,
    user: access.user,
    password: access.password,
    database: access.database,
    ssl: access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false,
  })
  await client.connect()
  try {
    const found = await client.query('select 1 from pg_database where datname = $1', [storeDatabase])
    if (found.rowCount === 0)
      await client.query(`create database ${storeDatabase} template template0 allow_connections false`)
    await client.query(`revoke connect, temporary on database ${storeDatabase} from public`)
    await client.query(`alter database ${storeDatabase} allow_connections true`)
  } finally {
    await client.end()
  }
}
