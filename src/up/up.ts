/**
 * Starts the control plane: PostgreSQL first, then the API at once, then Kubernetes as soon as it can be had. Owns the
 * order of starting and stopping; whatever was started is stopped again, also after a failure half-way.
 */
import { randomBytes } from 'node:crypto'
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { parse } from 'yaml'
import { createPostgresBackend } from '../drivers/postgres/backend.ts'
import type { ControlPlane } from '../engine/control-plane.ts'
import { foretellKubernetes } from '../engine/planned-world.ts'
import { createProducts, type ProductSet } from '../engine/products.ts'
import { createProofRunner } from '../engine/proof-runner.ts'
import { type Runtime, startRuntime } from '../engine/runtime.ts'
import { createControlPlane } from '../engine/service.ts'
import { allTenants } from '../engine/tenant-service.ts'
import { createWorldReader } from '../engine/world.ts'
import { createServer, loopbackHosts } from '../http/server.ts'
import { computeLayer } from '../layers/compute/layer.ts'
import { foretellPostgres } from '../layers/database/foretell.ts'
import { databaseLayer } from '../layers/database/layer.ts'
import { networkLayer } from '../layers/network/layer.ts'
import { openingsOf } from '../layers/network/openings.ts'
import { isRingfenceError, RingfenceError, toRingfenceError } from '../model/errors.ts'
import { parsePlatform } from '../model/parse.ts'
import type { PlatformDocument } from '../model/platform.ts'
import { defaultPlatform } from '../model/presets.ts'
import { prove } from '../prover/prove.ts'
import { connectStore } from '../store/connection.ts'
import { createLedger, readIds, readOutputs } from '../store/ledger.ts'
import { migrate } from '../store/migrations.ts'
import { listenToStore } from '../store/notifications.ts'
import { tenantOf } from '../store/tenants.ts'
import { openCluster, openEmbedded, openManifests, type RunningKubernetes } from './kubernetes.ts'
import type { UpOptions } from '../cli/up-options.ts'
import { paths, type UpIo } from './options.ts'
import { openPostgres } from './postgres.ts'
import { version } from './version.ts'

export interface Running {
  readonly url: string
  readonly controlPlane: ControlPlane
  readonly products: ProductSet
  readonly runtime: Runtime
  /** Resolves when Kubernetes is attached, or is known not to come. */
  readonly settled: Promise<void>
  stop(): Promise<void>
}

type Undo = () => Promise<void> | void

export async function up(options: UpOptions, io: UpIo): Promise<Running> {
  const undo: Undo[] = []
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) {
      try {
        await step()
      } catch (error) {
        io.log(`while stopping: ${toRingfenceError(error).message}`)
      }
    }
  }
  try {
    return await start(options, io, undo, stop)
  } catch (error) {
    await stop()
    throw error
  }
}

async function start(options: UpOptions, io: UpIo, undo: Undo[], stop: () => Promise<void>): Promise<Running> {
  await mkdir(options.dataDir, { recursive: true, mode: 0o700 })
  const platform = await platformOf(options)
  const postgres = await openPostgres(options, io, tellDeath(io, 'PostgreSQL'))
  undo.push(() => postgres.stop())
  const store = connectStore(postgres.store)
  undo.push(() => store.close())
  await migrate(store.db as never)
  const notifications = listenToStore(postgres.store)
  undo.push(() => notifications.close())

  // Opened last, and stopped after everything that uses it: an API server waits for the watches that are open.
  const stopping = new AbortController()
  const signal = AbortSignal.any([io.signal, stopping.signal])
  const kubernetes: { opening?: Promise<RunningKubernetes> } = {}
  undo.push(() => kubernetes.opening?.then((opened) => opened.stop()).catch(() => undefined))
  const products = createProducts(platform.spec, [computeLayer, networkLayer, databaseLayer])
  undo.push(() => Promise.allSettled(products.backends.map((backend) => backend.close())).then(() => undefined))
  const ledger = createLedger(store)
  const worlds = createWorldReader({
    products,
    tenants: async () => (await allTenants(store)).map(tenantOf),
    outputs: () => readOutputs(store),
    ids: (owners) => readIds(store, owners),
    openings: openingsOf,
    trustedRoles: [...new Set(['postgres', postgres.tenants.user])],
    now: () => new Date(),
  })
  const log = (level: 'info' | 'warn' | 'error', message: string) =>
    io.log(`${level === 'info' ? '' : `${level}: `}${message}`)
  const runtime = await startRuntime({
    store,
    ledger,
    products,
    notifications,
    worlds,
    prove,
    proofs: createProofRunner(worlds, prove),
    holder: `${process.pid}-${randomBytes(4).toString('hex')}`,
    concurrency: 16,
    log,
    ...(io.checkpoint === undefined ? {} : { checkpoint: io.checkpoint }),
  })
  undo.push(() => runtime.stop())
  // Requests have connections of their own, so that nobody who asks waits behind the passes.
  const front = connectStore(postgres.store, 6)
  undo.push(() => front.close())
  const controlPlane = createControlPlane({
    store: front,
    ledger,
    notifications,
    products,
    worlds,
    prove,
    foretell: [foretellKubernetes, foretellPostgres],
    version: await version(),
    openings: openingsOf,
  })
  const url = await serve(options, controlPlane, undo)

  products.expect('kubernetes', 'waiting: the embedded Kubernetes is being started')
  products.expect('credentials', 'waiting: the embedded Kubernetes is being started')
  if (platform.spec.database.mode === 'shared') {
    const backend = createPostgresBackend('postgres', postgres.tenants)
    const facts = await backend.facts(AbortSignal.timeout(10_000))
    await runtime.attach(() => products.attach('postgres', backend, facts), backend)
  }
  undo.push(() => stopping.abort(new RingfenceError('Aborted', 'the process is stopping')))
  kubernetes.opening = openKubernetes(options, io, products, signal)
  const settled = attachKubernetes(kubernetes.opening, products, runtime, signal)
  // Whoever cares about the failure awaits it; it must not end the process by itself.
  settled.catch(() => undefined)
  return { url, controlPlane, products, runtime, settled, stop }
}

/** What depends on a dead server says so by itself; this says what to do. */
const tellDeath = (io: UpIo, what: string) => (why: string) =>
  io.log(`error: the embedded ${what} has ended (${why}); stop with Ctrl-C and start again, the data stays`)

/** The platform document that was named, or the default. */
export async function platformOf(options: UpOptions): Promise<PlatformDocument> {
  if (options.platform === undefined) return defaultPlatform()
  let text: string
  try {
    text = await readFile(options.platform, 'utf8')
  } catch (error) {
    throw new RingfenceError(
      'Usage',
      `the platform document ${options.platform} cannot be read: ${toRingfenceError(error).message}`,
    )
  }
  return parsePlatform(parse(text))
}

/** The API, its address and its token; both files are for the CLI of the same user. */
async function serve(options: UpOptions, controlPlane: ControlPlane, undo: Undo[]): Promise<string> {
  const files = paths(options.dataDir)
  const token = await tokenOf(files.token)
  const server = createServer({ controlPlane, token, allowedHosts: [...loopbackHosts] })
  const url = await server.listen({ host: '127.0.0.1', port: options.port ?? 0 })
  undo.push(() => server.close())
  await writePrivately(files.api, `${JSON.stringify({ url })}\n`)
  undo.push(() => rm(files.api, { force: true }))
  return url
}

/** The token of the last start. One that is there and cannot be read is not replaced: somebody uses it. */
async function tokenOf(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw new RingfenceError('Usage', `the API's token ${file} cannot be read`, {}, error)
  })
  if (kept.trim().length >= 43) {
    await chmod(file, 0o600)
    return kept.trim()
  }
  const token = randomBytes(32).toString('base64url')
  await writePrivately(file, `${token}\n`)
  return token
}

async function writePrivately(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}.tmp`
  await writeFile(fresh, text, { mode: 0o600 })
  await rename(fresh, file)
}

async function attachKubernetes(
  opening: Promise<RunningKubernetes>,
  products: ProductSet,
  runtime: Runtime,
  signal: AbortSignal,
): Promise<void> {
  let running: RunningKubernetes
  try {
    running = await opening
  } catch (error) {
    if (signal.aborted) return
    products.giveUp('kubernetes')
    products.giveUp('credentials')
    throw error
  }
  const facts = await running.backend.facts(AbortSignal.any([signal, AbortSignal.timeout(30_000)]))
  if (signal.aborted) return
  const connect = () => {
    products.attach('credentials', running.credentials)
    products.attach('kubernetes', running.backend, facts)
  }
  await runtime.attach(connect, running.backend, running.credentials)
}

async function openKubernetes(
  options: UpOptions,
  io: UpIo,
  products: ProductSet,
  signal: AbortSignal,
): Promise<RunningKubernetes> {
  if (options.inCluster || options.context !== undefined) return await openCluster(options)
  if (options.kubernetes === 'render') return openManifests(options)
  const progress = (message: string) => {
    io.log(message)
    products.expect('kubernetes', `waiting: embedded Kubernetes is being built (${message})`)
    products.expect('credentials', `waiting: embedded Kubernetes is being built (${message})`)
  }
  try {
    return await openEmbedded(options, products.context, { progress, died: tellDeath(io, 'Kubernetes') }, signal)
  } catch (error) {
    if (!isRingfenceError(error) || error.code !== 'NotConfigured') throw error
    io.log(
      `${error.message}\nwithout Kubernetes, manifests are written to ${paths(options.dataDir).manifests} and proved there`,
    )
    return openManifests(options)
  }
}
