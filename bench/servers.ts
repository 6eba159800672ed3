/**
 * Durable servers of our own in a temporary folder, and the product on them as a user would run it against theirs: by
 * a kubeconfig and DATABASE_URL. The servers outlive the product, so that a floor can be taken without it.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { acquireKubernetes } from '../src/embedded/kubernetes/acquire.ts'
import { type EmbeddedKubernetes, startKubernetes } from '../src/embedded/kubernetes/server.ts'
import { startPostgres } from '../src/embedded/postgres/server.ts'
import type { PostgresAccess } from '../src/model/backends.ts'
import { defaultPlatform } from '../src/model/presets.ts'
import { install } from '../src/up/kubernetes.ts'
import type { UpIo } from '../src/up/options.ts'
import { type Running, up } from '../src/up/up.ts'

export interface Servers {
  readonly kubernetes: EmbeddedKubernetes
  readonly postgres: PostgresAccess
  /** The product on these servers, ready to work. */
  startProduct(checkpoint?: UpIo['checkpoint']): Promise<Running>
  stop(): Promise<void>
}

const storeDatabase = 'ringfence'

export async function startServers(say: (text: string) => void): Promise<Servers> {
  const root = await mkdtemp(join(tmpdir(), 'ringfence-bench-'))
  // Started by root, PostgreSQL runs as a user of its own and must be able to pass through.
  await chmod(root, 0o711)
  const undo: (() => Promise<unknown>)[] = [() => rm(root, { recursive: true, force: true })]
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) await step()
  }
  const { signal } = interruption(stop)
  try {
    say('starting the servers')
    const programs = await acquireKubernetes({ progress: say, signal })
    const kubernetes = await startKubernetes({ dir: join(root, 'kubernetes'), programs, signal })
    undo.push(() => kubernetes.stop())
    const postgres = await startPostgres({ dir: join(root, 'postgres'), signal })
    undo.push(() => postgres.stop())
    await install(kubernetes.admin, { platform: defaultPlatform().spec, facts: {}, backends: {} })
    await withClient(postgres.access, (client) => client.query(`create database ${storeDatabase}`))
    const authority = join(root, 'postgres.crt')
    await writeFile(authority, postgres.access.ca ?? '')
    const { user, password, port } = postgres.access
    const url = `postgres://${user}:${password}@127.0.0.1:${port}/${storeDatabase}?sslrootcert=${authority}`
    const startProduct: Servers['startProduct'] = async (checkpoint) => {
      // The product reads it as kubectl does.
      process.env['KUBECONFIG'] = kubernetes.kubeconfigs.engine
      const io: UpIo = {
        log: say,
        env: { DATABASE_URL: url },
        signal,
        ...(checkpoint === undefined ? {} : { checkpoint }),
      }
      const options = { demo: false, dataDir: join(root, 'data'), inCluster: false, kubernetes: 'embedded' as const }
      const running = await up({ ...options, context: 'ringfence' }, io)
      undo.push(() => running.stop())
      await running.settled
      return running
    }
    return { kubernetes, postgres: { ...postgres.access, database: storeDatabase }, startProduct, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** Aborts what is being started at SIGINT or SIGTERM, leaves nothing behind, and ends the process. */
function interruption(stop: () => Promise<void>): AbortController {
  const controller = new AbortController()
  const onSignal = () => {
    controller.abort(new Error('told to stop'))
    void stop().finally(() => process.exit(130))
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal)
  return controller
}

export async function withClient<T>(access: PostgresAccess, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client(clientConfig(access))
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

export const clientConfig = (access: PostgresAccess): pg.ClientConfig => ({
  host: access.host,
  port: access.port,
  user: access.user,
  password: access.password,
  database: access.database,
  ssl: access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false,
})
