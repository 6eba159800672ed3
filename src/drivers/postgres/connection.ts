/**
 * Connections to one PostgreSQL server: a small pool on the control plane's own database, and short-lived connections
 * into tenants' databases, a few at a time. Bounds every call by its deadline (told to the server as time-outs, so that
 * a stalled process leaves nothing half done) and by its abort signal. Knows nothing of roles or tenants.
 */
import pg from 'pg'
import type { PostgresAccess } from '../../model/backends.ts'
import { RingfenceError } from '../../model/errors.ts'
import { classify } from './errors.ts'

/** What bounds a call; `Call` of the driver contract is one. */
export interface Limits {
  readonly signal: AbortSignal
  /** Epoch milliseconds. */
  readonly deadlineMs: number
}

/** One connection, lent for one call. */
export interface Session {
  query<Row = unknown>(text: string, values?: readonly unknown[]): Promise<readonly Row[]>
  /** Runs `work` between BEGIN and COMMIT; anything thrown rolls back. */
  transaction<T>(work: () => Promise<T>, begin?: string): Promise<T>
  /** Whether a statement of the caller's was sent: from then on a lost answer may mean that it was carried out. */
  readonly sent: boolean
}

export interface Connections {
  run<T>(what: string, limits: Limits, work: (session: Session) => Promise<T>): Promise<T>
  /** The same inside another database, on a connection of its own that is closed after. */
  inside<T>(database: string, what: string, limits: Limits, work: (session: Session) => Promise<T>): Promise<T>
  /** `server_version_num`: 180004 is 18.4. Read once. */
  version(limits: Limits): Promise<number>
  close(): Promise<void>
}

export interface ConnectionOptions {
  /** Connections on our own database. */
  readonly poolSize?: number
  /** Connections into tenants' databases at one time. */
  readonly insideSize?: number
}

/** Answers that should have come but did not are given up this long after the server's own time-out. */
const graceMs = 500
const connectTimeoutMs = 10_000

const clientConfig = (access: PostgresAccess): pg.ClientConfig => ({
  host: access.host,
  port: access.port,
  user: access.user,
  password: access.password,
  database: access.database,
  ssl: access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false,
  application_name: 'ringfence',
  connectionTimeoutMillis: connectTimeoutMs,
  keepAlive: true,
  // Startup options win over settings of the database and the role: nothing of a tenant's shadows a built-in name.
  options:
    '-c search_path=pg_catalog,pg_temp -c client_min_messages=error -c standard_conforming_strings=on -c default_transaction_read_only=off',
})

function openPool(config: pg.ClientConfig, size: number): pg.Pool {
  const pool = new pg.Pool({ ...config, max: size, idleTimeoutMillis: 30_000, allowExitOnIdle: true })
  // An idle connection that dies is replaced at its next use; without a listener it would end the process.
  pool.on('error', () => undefined)
  // A lent one too: its query is rejected as well, and that is where the failure is told.
  pool.on('connect', (client) => void client.on('error', () => undefined))
  return pool
}

export function createConnections(access: PostgresAccess, options: ConnectionOptions = {}): Connections {
  const config = clientConfig(access)
  const pool = openPool(config, options.poolSize ?? 4)
  const insideSlots = slots(options.insideSize ?? 4)
  let version: number | undefined

  async function lend<T>(
    client: pg.ClientBase,
    what: string,
    limits: Limits,
    work: (session: Session) => Promise<T>,
  ): Promise<T> {
    const session = sessionOn(client, what, limits.signal)
    const watched = watch(client, limits, pool)
    try {
      version ??= Number((await session.raw<{ v: string }>("SELECT current_setting('server_version_num') AS v"))[0]?.v)
      await session.raw(timeouts(version, limits))
      return await work(session)
    } catch (error) {
      const known = classify(error, what, limits.signal)
      // The connection was cut by us, so that its end is not the server's doing.
      if (watched.late() && known.code === 'Unreachable')
        throw new RingfenceError('Timeout', `${what}: no answer in time`, {}, error)
      throw known
    } finally {
      watched.stop()
    }
  }
  const run: Connections['run'] = async (what, limits, work) => {
    checkLimits(what, limits)
    const client = await connectWithin(pool, what, limits)
    let broken = true
    try {
      const result = await lend(client, what, limits, work)
      broken = false
      return result
    } catch (error) {
      const known = classify(error, what, limits.signal)
      // A refusal by the server leaves a clean connection (transactions were rolled back); a FATAL one ends it.
      broken =
        known.facts['sqlstate'] === undefined ||
        (known.cause as { severity?: unknown } | undefined)?.severity !== 'ERROR'
      throw known
    } finally {
      client.release(broken)
    }
  }
  return {
    run,
    inside: (database, what, limits, work) =>
      insideSlots(async () => {
        checkLimits(what, limits)
        const connectionTimeoutMillis = Math.max(1, Math.min(connectTimeoutMs, limits.deadlineMs - Date.now()))
        const client = new pg.Client({ ...config, database, connectionTimeoutMillis })
        client.on('error', () => undefined)
        try {
          await client.connect()
          return await lend(client, what, limits, work)
        } catch (error) {
          throw classify(error, what, limits.signal)
        } finally {
          await client.end().catch(() => undefined)
        }
      }),
    version: async (limits) => version ?? (await run('read the server version', limits, async () => version ?? 0)),
    close: () => pool.end(),
  }
}

function checkLimits(what: string, limits: Limits): void {
  if (limits.signal.aborted) throw new RingfenceError('Aborted', `${what}: called off before it began`)
  if (limits.deadlineMs <= Date.now())
    throw new RingfenceError('Timeout', `${what}: its deadline passed before it began`)
}

/** The server gives up by itself at the deadline, also when we have stalled inside a transaction. */
function timeouts(version: number, limits: Limits): string {
  const leftMs = Math.max(1, Math.min(limits.deadlineMs - Date.now(), 2_000_000_000))
  const values: [string, number][] = [['statement_timeout', leftMs], ['lock_timeout', leftMs], ['idle_in_transaction_session_timeout', leftMs]] // prettier-ignore
  // Ends the connection, so the milder ones go first.
  if (version >= 170_000) values.push(['transaction_timeout', leftMs + graceMs])
  return `SELECT ${values.map(([name, ms]) => `set_config('${name}', '${ms}', false)`).join(', ')}`
}

interface RawSession extends Session {
  raw<Row>(text: string): Promise<readonly Row[]>
}

function sessionOn(client: pg.ClientBase, what: string, signal: AbortSignal): RawSession {
  let sent = false
  const ask = async <Row>(text: string, values?: readonly unknown[]): Promise<readonly Row[]> => {
    try {
      const result = values === undefined ? await client.query(text) : await client.query(text, [...values])
      return result.rows as Row[]
    } catch (error) {
      throw classify(error, what, signal)
    }
  }
  const query: Session['query'] = (text, values) => {
    if (signal.aborted) return Promise.reject(new RingfenceError('Aborted', `${what}: called off`))
    sent = true
    return ask(text, values)
  }
  return {
    raw: (text) => ask(text),
    query,
    get sent() {
      return sent
    },
    async transaction(work, begin = 'BEGIN') {
      await query(begin)
      try {
        const result = await work()
        await query('COMMIT')
        return result
      } catch (error) {
        await ask('ROLLBACK').catch(() => undefined)
        throw error
      }
    },
  }
}

/** A connection of the pool, or the reason why there is none in time; one that comes too late goes back. */
async function connectWithin(pool: pg.Pool, what: string, limits: Limits): Promise<pg.PoolClient> {
  const { promise: ended, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(new RingfenceError('Aborted', `${what}: called off`))
  const timer = setTimeout(
    () => reject(new RingfenceError('Timeout', `${what}: no connection in time`)),
    boundedMs(limits.deadlineMs - Date.now()),
  )
  limits.signal.addEventListener('abort', onAbort, { once: true })
  const connecting = pool.connect()
  try {
    return await Promise.race([connecting, ended])
  } catch (error) {
    connecting.then((client) => client.release()).catch(() => undefined)
    throw classify(error, what, limits.signal)
  } finally {
    clearTimeout(timer)
    limits.signal.removeEventListener('abort', onAbort)
  }
}

const boundedMs = (ms: number): number => Math.max(0, Math.min(ms, 2_000_000_000))

/** Cancels on abort, and cuts the connection when no answer comes in time. */
function watch(client: pg.ClientBase, limits: Limits, pool: pg.Pool): { stop(): void; late(): boolean } {
  const wire = client as unknown as { processID: number | null; connection: { stream: { destroy(): void } } }
  let cut: NodeJS.Timeout | undefined
  let late = false
  const cutAfter = (ms: number) => {
    clearTimeout(cut)
    cut = setTimeout(() => {
      late = true
      wire.connection.stream.destroy()
    }, boundedMs(ms))
  }
  const onAbort = () => {
    // Asks the server to stop the statement; when that does not help, the connection is cut.
    if (wire.processID !== null) pool.query('SELECT pg_cancel_backend($1)', [wire.processID]).catch(() => undefined)
    cutAfter(graceMs)
  }
  cutAfter(limits.deadlineMs - Date.now() + graceMs)
  limits.signal.addEventListener('abort', onAbort, { once: true })
  return {
    stop() {
      clearTimeout(cut)
      limits.signal.removeEventListener('abort', onAbort)
    },
    late: () => late,
  }
}

/** Lets `size` tasks run at one time, first come first served. */
export function slots(size: number): <T>(task: () => Promise<T>) => Promise<T> {
  let free = size
  const waiting: (() => void)[] = []
  return async (task) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
