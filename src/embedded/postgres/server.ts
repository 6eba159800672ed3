/**
 * Starts and stops one PostgreSQL server on loopback: TLS and SCRAM for everybody, no Unix socket, data in a folder
 * that only its own user can read. What is in it is other rooms' business.
 */
import { randomBytes } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { PostgresAccess } from '../../model/backends.ts'
import { RingfenceError } from '../../model/errors.ts'
import { openAuthority } from '../authority.ts'
import { issue } from '../certificate.ts'
import { privateFolder, readIfThere, writePrivate } from '../folder.ts'
import { holdFolder } from '../lock.ts'
import { freePort } from '../port.ts'
import { processIdentity } from '../process-identity.ts'
import { onFreePorts, SupervisedSet } from '../supervised.ts'
import { accountFor, giveTo, type Account } from './account.ts'
import { postgresBinaries, type PostgresBinaries, type PostgresVersion } from './binaries.ts'
import { ensureCluster } from './cluster.ts'

export interface EmbeddedPostgres {
  /** The superuser `postgres`. `ca` is set: the certificate is checked. */
  readonly access: PostgresAccess
  /** `18.4` */
  readonly version: string
  readonly pids: readonly number[]
  /** Resolves when the server ended without being told to; never rejects. */
  readonly failed: Promise<RingfenceError>
  /** Stops the server and returns when no process is left. Idempotent. */
  stop(): Promise<void>
}

export interface StartPostgres {
  readonly dir: string
  readonly version?: PostgresVersion
  readonly port?: number
  /** False only for tests: a crash of the machine may then lose the data (a crash of the server never does). */
  readonly durable?: boolean
  readonly signal?: AbortSignal
}

/** A certificate for this start, by an authority that stays. */
async function makeCertificate(
  dir: string,
  account: Account,
): Promise<{ readonly ca: string; readonly cert: string; readonly key: string }> {
  const authority = await openAuthority(await privateFolder(join(dir, 'pki')), 'postgres-ca')
  const pair = issue(authority, { commonName: 'postgres', use: ['server'], hosts: ['127.0.0.1', '::1', 'localhost'] })
  const folder = await privateFolder(join(account.home, 'tls'))
  const paths = { cert: join(folder, 'server.crt'), key: join(folder, 'server.key') }
  await writePrivate(paths.key, pair.key)
  await writePrivate(paths.cert, pair.cert)
  await giveTo(account.server, folder)
  return { ca: authority.cert, ...paths }
}

async function superuserPassword(dir: string): Promise<string> {
  const file = join(dir, 'superuser.password')
  const kept = await readIfThere(file)
  if (kept !== undefined) return kept.trim()
  const password = randomBytes(24).toString('base64url')
  await writePrivate(file, password)
  return password
}

/**
 * A lock file of the killed predecessor names a process. If that number now belongs to another program, PostgreSQL
 * must be told, or it refuses to start; it keeps checking that no old backend is left (miscinit.c, CreateLockFile).
 */
async function staleLockEnvironment(data: string): Promise<NodeJS.ProcessEnv> {
  const pid = Number((await readIfThere(join(data, 'postmaster.pid')))?.split('\n')[0])
  if (!Number.isInteger(pid) || pid <= 0) return {}
  const identity = await processIdentity(pid)
  return identity === undefined || identity.command.includes(data) ? {} : { PG_GRANDPARENT_PID: String(pid) }
}

function settings(
  options: StartPostgres,
  tls: { readonly cert: string; readonly key: string },
  port: number,
): string[] {
  const values = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    ssl: 'on',
    ssl_cert_file: tls.cert,
    ssl_key_file: tls.key,
    ssl_min_protocol_version: 'TLSv1.2',
    password_encryption: 'scram-sha-256',
    max_connections: 300,
    shared_buffers: '64MB',
    max_wal_size: '512MB',
    // /dev/shm is tiny in many containers, and what a kill leaves there stays.
    dynamic_shared_memory_type: 'mmap',
    log_timezone: 'UTC',
    timezone: 'UTC',
    log_min_messages: 'warning',
    logging_collector: 'off',
    ...(options.durable === false ? { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' } : {}),
  }
  return Object.entries(values).flatMap(([name, value]) => ['-c', `${name}=${value}`])
}

/** Connects until the server answers; a refused password or certificate is final. */
async function waitUntilReady(set: SupervisedSet, access: PostgresAccess, signal?: AbortSignal): Promise<string> {
  const deadline = Date.now() + 60_000
  for (;;) {
    signal?.throwIfAborted()
    if (set.endOf('postgres') !== undefined) throw await set.failure('postgres')
    const { tls: _, ca, ...connection } = access
    const client = new pg.Client({
      ...connection,
      ssl: ca === undefined ? false : { ca },
      connectionTimeoutMillis: 5000,
    })
    client.on('error', () => undefined)
    try {
      await client.connect()
      const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
      return rows[0]?.server_version ?? ''
    } catch (cause) {
      const code = (cause as { code?: string }).code
      // 57P03: starting up or recovering. ECONNREFUSED: not listening yet.
      if (code !== '57P03' && code !== 'ECONNREFUSED' && code !== 'ECONNRESET') {
        throw new RingfenceError(
          'BackendFault',
          `the embedded PostgreSQL refuses us: ${(cause as Error).message}`,
          {},
          cause,
        )
      }
      if (Date.now() > deadline)
        throw new RingfenceError('Timeout', `PostgreSQL did not become ready; see ${set.logOf('postgres')}`, {}, cause)
    } finally {
      await client.end().catch(() => undefined)
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

async function launch(
  set: SupervisedSet,
  options: StartPostgres,
  account: Account,
  binaries: PostgresBinaries,
): Promise<{ access: PostgresAccess; version: string }> {
  const password = await superuserPassword(options.dir)
  const data = join(account.home, 'data')
  await ensureCluster(binaries, account, data, password)
  const tls = await makeCertificate(options.dir, account)
  const note = join(options.dir, 'port')
  const port = options.port ?? (await freePort(Number(await readIfThere(note)) || undefined))
  await writePrivate(note, String(port))
  await set.run({
    id: 'postgres',
    command: join(binaries.home, 'bin', 'postgres'),
    args: ['-D', data, ...settings(options, tls, port)],
    cwd: account.home,
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC', ...(await staleLockEnvironment(data)) },
    stopSignal: 'SIGINT',
    graceMs: 15_000,
    ...account.server,
  })
  const access = { host: '127.0.0.1', port, user: 'postgres', password, database: 'postgres', tls: true, ca: tls.ca }
  return { access, version: await waitUntilReady(set, access, options.signal) }
}

async function checkMajor(data: string, wanted: PostgresVersion): Promise<void> {
  const found = (await readIfThere(join(data, 'PG_VERSION')))?.trim()
  if (found !== undefined && found !== String(wanted)) {
    throw new RingfenceError(
      'Conflict',
      `the data in ${data} is of PostgreSQL ${found}, not ${wanted}; move it away or dump it with the older version`,
    )
  }
}

/** Starts PostgreSQL with its data in `dir` (made at the first start) and answers how it is reached. */
export const startPostgres = (options: StartPostgres): Promise<EmbeddedPostgres> =>
  onFreePorts(() => startOnce(options))

async function startOnce(options: StartPostgres): Promise<EmbeddedPostgres> {
  const version = options.version ?? 18
  await mkdir(options.dir, { recursive: true, mode: 0o700 })
  const hold = await holdFolder(options.dir)
  let set: SupervisedSet | undefined
  const stop = async (): Promise<void> => {
    await set?.stop()
    await hold.release()
  }
  try {
    const account = await accountFor(options.dir)
    await checkMajor(join(account.home, 'data'), version)
    const binaries = await postgresBinaries(version, account.programs)
    set = await SupervisedSet.open(options.dir)
    const server = await launch(set, options, account, binaries)
    return { ...server, pids: set.pids, failed: set.failed, stop }
  } catch (error) {
    await stop()
    throw error
  }
}
