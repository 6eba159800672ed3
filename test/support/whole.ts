/**
 * A whole control plane in this process, on a Kubernetes and a PostgreSQL of its own that only it uses: nothing that a
 * test breaks by hand is another's. Hands out the break-glass ways to both servers, for breaking and for looking.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { Agent } from 'undici'
import { acquireKubernetes } from '../../src/embedded/kubernetes/acquire.ts'
import { type EmbeddedKubernetes, startKubernetes } from '../../src/embedded/kubernetes/server.ts'
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres/server.ts'
import type { TenantView } from '../../src/engine/control-plane.ts'
import { defaultPlatform } from '../../src/model/presets.ts'
import type { Tenant } from '../../src/model/tenant.ts'
import { allProved, type Report, type Verdict } from '../../src/model/verdict.ts'
import { install } from '../../src/up/kubernetes.ts'
import { type Running, up } from '../../src/up/up.ts'
import { apiOf, type Api } from './kubernetes-api.ts'

export const caller = { actor: 'test', requestId: 'test' }

export interface Whole {
  readonly running: Running
  readonly cluster: EmbeddedKubernetes
  readonly postgres: EmbeddedPostgres
  /** As break-glass. */
  readonly kube: Api
  /** One identity's way to the API server. */
  apiOf(access: Parameters<typeof apiOf>[0]): Api
  /** As the superuser, in a database. */
  sql(database: string, ...statements: readonly string[]): Promise<pg.QueryResult>
  /** As anybody, in a database; answers the SQLSTATE that it is refused with, or nothing. */
  sqlAs(
    who: { readonly user: string; readonly password: string; readonly database: string },
    ...statements: readonly string[]
  ): Promise<string | undefined>
  /** Waits until these tenants are Ready, by a proof of now. */
  ready(names: readonly string[], timeoutMs?: number): Promise<void>
  /** What everybody can wait for; the message of the last failure is told. */
  until(what: string, holds: () => Promise<boolean>, timeoutMs?: number): Promise<void>
  tenant(name: string): Promise<Tenant>
  readonly log: readonly string[]
  stop(): Promise<void>
}

export async function startWhole(): Promise<Whole> {
  const dir = await mkdtemp(join(tmpdir(), 'ringfence-whole-'))
  await chmod(dir, 0o711)
  const agents: Agent[] = []
  const undo: (() => Promise<void>)[] = [
    () => rm(dir, { recursive: true, force: true }),
    async () => {
      await Promise.all(agents.map((agent) => agent.destroy()))
    },
  ]
  const stop = async () => {
    for (const step of undo.splice(0).toReversed()) await step()
  }
  try {
    const [cluster, postgres] = await Promise.all([
      acquireKubernetes().then((programs) =>
        startKubernetes({ dir: join(dir, 'kubernetes'), programs, durable: false }),
      ),
      startPostgres({ dir: join(dir, 'postgres'), durable: false }),
    ])
    undo.push(
      () => cluster.stop(),
      () => postgres.stop(),
    )
    await install(cluster.admin, { platform: defaultPlatform().spec, facts: {}, backends: {} })
    const log: string[] = []
    const kubeconfig = process.env['KUBECONFIG']
    process.env['KUBECONFIG'] = cluster.kubeconfigs.engine
    const stopping = new AbortController()
    const running = await up(
      { demo: false, dataDir: join(dir, 'data'), inCluster: false, context: 'ringfence', kubernetes: 'embedded' },
      { env: { DATABASE_URL: await urlOf(postgres, dir) }, signal: stopping.signal, log: (line) => log.push(line) },
    )
    undo.push(async () => {
      stopping.abort()
      await running.stop()
    })
    await running.settled
    if (kubeconfig === undefined) delete process.env['KUBECONFIG']
    else process.env['KUBECONFIG'] = kubeconfig
    return { running, cluster, postgres, log, stop, ...ways(running, cluster, postgres, agents) }
  } catch (error) {
    await stop()
    throw error
  }
}

async function urlOf({ access }: EmbeddedPostgres, dir: string): Promise<string> {
  const url = new URL(`postgres://${access.host}:${access.port}/ringfence`)
  url.username = access.user
  url.password = access.password
  await writeFile(join(dir, 'postgres.ca'), access.ca ?? '')
  url.searchParams.set('sslrootcert', join(dir, 'postgres.ca'))
  const admin = await connect(access, { user: access.user, password: access.password, database: 'postgres' })
  await admin.query('create database ringfence')
  await admin.end()
  return url.href
}

async function connect(
  access: EmbeddedPostgres['access'],
  who: { user: string; password: string; database: string },
): Promise<pg.Client> {
  const client = new pg.Client({
    host: access.host,
    port: access.port,
    ...who,
    ssl: access.tls ? { ca: access.ca } : false,
  })
  // A server that is stopped on purpose breaks the connection; the statement that follows says so.
  client.on('error', () => undefined)
  client.on('error', () => undefined)
  await client.connect()
  return client
}

function ways(running: Running, cluster: EmbeddedKubernetes, { access }: EmbeddedPostgres, agents: Agent[]) {
  const run = async (
    who: { user: string; password: string; database: string },
    statements: readonly string[],
  ): Promise<pg.QueryResult> => {
    const client = await connect(access, who)
    try {
      let result: pg.QueryResult | undefined
      for (const statement of statements) result = await client.query(statement)
      if (result === undefined) throw new Error('no statement')
      return result
    } finally {
      await client.end()
    }
  }
  const until: Whole['until'] = async (what, holds, timeoutMs = 30_000) => {
    const deadline = Date.now() + timeoutMs
    let last: unknown
    for (;;) {
      try {
        if (await holds()) return
      } catch (error) {
        last = error
      }
      if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`, { cause: last })
      await sleep(100)
    }
  }
  return {
    kube: apiOf(cluster.breakGlass, agents),
    apiOf: (who: Parameters<typeof apiOf>[0]) => apiOf(who, agents),
    sql: (database: string, ...statements: readonly string[]) =>
      run({ user: access.user, password: access.password, database }, statements),
    async sqlAs(who: { user: string; password: string; database: string }, ...statements: readonly string[]) {
      try {
        await run(who, statements)
        return undefined
      } catch (error) {
        return String((error as { code?: unknown }).code)
      }
    },
    until,
    async ready(names: readonly string[], timeoutMs = 60_000) {
      let views: readonly TenantView[] = []
      await until(
        `${names.join(', ')} are Ready`,
        async () => {
          views = await Promise.all(names.map((name) => running.controlPlane.get(name)))
          return views.every((view) => view.status.phase === 'Ready')
        },
        timeoutMs,
      ).catch((error: unknown) => {
        throw new Error(
          JSON.stringify(
            views.map((view) => view.status),
            undefined,
            1,
          ),
          { cause: error },
        )
      })
    },
    async tenant(name: string): Promise<Tenant> {
      const view = await running.controlPlane.get(name)
      const { uid, generation, labels } = view.metadata
      return { name, uid, generation, spec: view.spec, labels, names: view.status.names as unknown as Tenant['names'] }
    },
  }
}

type Refuted = Extract<Verdict, { verdict: 'refuted' }>
export const refutedIn = (report: Report): readonly Refuted[] =>
  report.verdicts.filter((verdict): verdict is Refuted => verdict.verdict === 'refuted')

/** Everything that the refuted verdicts on a tenant name as what lets somebody in. */
export const namedIn = (report: Report, tenant: string): readonly string[] =>
  refutedIn(report)
    .filter((verdict) => verdict.tenant === tenant)
    .flatMap(({ counterexample }) => [
      ...counterexample.path.map((edge) => edge.by),
      ...counterexample.culprits.map(
        (one) => `${one.kind} ${one.namespace === undefined ? '' : `${one.namespace}/`}${one.name}`,
      ),
    ])

/** A short account of what is not proved, for failures. */
export const account = (report: Report): string =>
  report.verdicts
    .filter((verdict) => verdict.verdict !== 'proved')
    .map(
      (verdict) =>
        `${verdict.tenant} ${verdict.claim} ${verdict.verdict === 'refuted' ? verdict.counterexample.path.map((edge) => edge.by).join(' > ') : verdict.because.join('; ')}`,
    )
    .join('\n')

export { allProved }
