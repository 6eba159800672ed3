/**
 * One pool to the store's database, its transactions and its error classes. A store that cannot be reached or does
 * not answer is `StoreUnavailable`, whatever the driver called it; nobody takes silence for an empty table.
 */
import { Kysely, PostgresDialect, sql, type Transaction } from 'kysely'
import pg from 'pg'
import type { PostgresAccess } from '../model/backends.ts'
import { isRingfenceError, RingfenceError } from '../model/errors.ts'
import type { Tables } from './schema.ts'

export type Database = Kysely<Tables>
export type StoreTransaction = Transaction<Tables>

/** `bigint` columns are counters far below 2^53; as numbers they compare and serialise. */
const types = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? Number
      : (pg.types.getTypeParser(oid, format) as unknown)) as typeof pg.types.getTypeParser,
}

export interface StoreConnection {
  readonly db: Database
  /** Runs in one transaction; classifies what the server says. */
  transact<T>(work: (tx: StoreTransaction) => Promise<T>): Promise<T>
  /** Runs outside of a transaction; classifies likewise. */
  run<T>(work: (db: Database) => Promise<T>): Promise<T>
  /** Throws `StoreUnavailable` unless the store answers. */
  ping(): Promise<void>
  close(): Promise<void>
}

export function connectStore(access: PostgresAccess, poolSize = 12): StoreConnection {
  const pool = new pg.Pool({
    host: access.host,
    port: access.port,
    user: access.user,
    password: access.password,
    database: access.database,
    ssl: access.tls
      ? { rejectUnauthorized: true, ...('ca' in access && access.ca ? { ca: String(access.ca) } : {}) }
      : false,
    max: poolSize,
    types,
    application_name: 'ringfence',
    connectionTimeoutMillis: 5_000,
    statement_timeout: 15_000,
    idle_in_transaction_session_timeout: 15_000,
  })
  // A connection that dies in the pool is replaced; whoever uses the store next hears of it if it stays down.
  pool.on('error', () => undefined)
  // One that dies between two statements of a transaction has nobody else to tell; the next statement fails.
  pool.on('connect', (client) => void client.on('error', () => undefined))
  const db: Database = new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
  return {
    db,
    transact: (work) => classified(() => db.transaction().execute(work)),
    run: (work) => classified(() => work(db)),
    ping: () => classified(() => sql`select 1`.execute(db)).then(() => undefined),
    close: () => db.destroy(),
  }
}

async function classified<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw storeError(error)
  }
}

/** SQLSTATE classes after the manual's appendix A; everything that is not a known answer is an outage. */
export function storeError(error: unknown): RingfenceError {
  if (isRingfenceError(error)) return error
  const state = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : ''
  const message = error instanceof Error ? error.message : String(error)
  if (state === '23505')
    return new RingfenceError('Conflict', `the store holds such a row already: ${message}`, { sqlstate: state }, error)
  if (state === '40001' || state === '40P01') {
    return new RingfenceError(
      'Conflict',
      'two writers met in the store; trying again is safe',
      { sqlstate: state },
      error,
    )
  }
  if (/^(22|23|42)/.test(state))
    return new RingfenceError('Internal', `the store refused a statement: ${message}`, { sqlstate: state }, error)
  return new RingfenceError('StoreUnavailable', `the store does not answer: ${message}`, { sqlstate: state }, error)
}
