import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { acquireKubernetes } from '../../../src/embedded/kubernetes/acquire.ts'
import { ask } from '../../../src/embedded/kubernetes/request.ts'
import { type EmbeddedKubernetes, startKubernetes } from '../../../src/embedded/kubernetes/server.ts'
import type { Boundary } from '../../../src/engine/execute.ts'
import { defaultPlatform } from '../../../src/model/presets.ts'
import { install } from '../../../src/up/kubernetes.ts'
import type { KillableTask } from '../../support/killable.ts'
import { describeOn, servers } from '../../support/servers.ts'
import { documentOf } from '../../support/engine.ts'

let dir: string
let cluster: EmbeddedKubernetes
let admin: pg.Client
let databaseUrl: string

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-kill-'))
  cluster = await startKubernetes({ dir: join(dir, 'kubernetes'), programs: await acquireKubernetes(), durable: false })
  await install(cluster.admin, { platform: defaultPlatform().spec, facts: {}, backends: {} })
  const access = servers().postgres18
  const ssl = access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false
  admin = new pg.Client({ ...access, ssl })
  await admin.connect()
  await admin.query('create database kill_nine')
  const url = new URL(`postgres://127.0.0.1:${access.port}/kill_nine`)
  url.username = access.user
  url.password = access.password
  if (access.tls) {
    await writeFile(join(dir, 'postgres.ca'), access.ca ?? '')
    url.searchParams.set('sslrootcert', join(dir, 'postgres.ca'))
  } else url.searchParams.set('sslmode', 'disable')
  databaseUrl = url.href
})
afterAll(async () => {
  await admin?.query('drop database if exists kill_nine with (force)')
  await admin?.end()
  await cluster?.stop()
  await rm(dir, { recursive: true, force: true })
})

const document = documentOf('nine', { access: { roleBindings: [{ role: 'editor', groups: ['nine-team'] }] } })

/** Runs the control plane until it kills itself or converges. */
function run(task: Pick<KillableTask, 'act' | 'kill'>): Promise<'killed' | 'converged'> {
  const whole: KillableTask = { dataDir: join(dir, 'data'), tenant: 'nine', document, ...task }
  const env = {
    ...process.env,
    KILLABLE: JSON.stringify(whole),
    DATABASE_URL: databaseUrl,
    KUBECONFIG: cluster.kubeconfigs.engine,
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, '../../support/killable.ts')], {
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const timer = setTimeout(() => child.kill('SIGKILL'), 60_000)
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      // The dead process's leases run out by themselves in 12 s; that is shown elsewhere, and not waited for here.
      if (signal === 'SIGKILL' && task.kill !== undefined) endLeases().then(() => resolve('killed'), reject)
      else if (code === 0 && text.includes('converged')) resolve('converged')
      else reject(new Error(`ended with ${code ?? signal}:\n${text}`))
    })
  })
}

const kinds = {
  kubernetes: ['kubernetes/NetworkPolicy', 'kubernetes/RoleBinding'],
  postgres: ['postgres/Database', 'postgres/Role'],
  credentials: ['credential/Login', 'credential/Login'],
} as const

const inCluster = async (path: string): Promise<readonly { metadata: { name: string; uid: string } }[]> => {
  const answer = await ask(cluster.admin, 'GET', path)
  expect(answer.status).toBe(200)
  return (JSON.parse(answer.body) as { items: { metadata: { name: string; uid: string } }[] }).items
}

describeOn(['kubernetes', 'postgres18'], 'a control plane killed with -9', () => {
  it(
    'at every kind of boundary of every driver while building, converges to one tenant, whole',
    { timeout: 240_000 },
    async () => {
      const kills: { boundary: Boundary; kind: string }[] = [
        ...Object.values(kinds).flatMap(([kind]) =>
          (['before-intent', 'after-intent', 'after-call'] as const).map((boundary) => ({ boundary, kind })),
        ),
        { boundary: 'after-outcome', kind: kinds.kubernetes[1] },
        { boundary: 'after-outcome', kind: kinds.postgres[1] },
        { boundary: 'after-outcome', kind: kinds.credentials[1] },
      ]
      const outcomes: string[] = []
      for (const kill of kills) outcomes.push(`${kill.kind} ${kill.boundary}: ${await run({ act: 'create', kill })}`)
      expect(await run({ act: 'create' })).toBe('converged')
      // Most kills must have happened: each is at something that was not there yet.
      expect(outcomes.filter((outcome) => outcome.endsWith('killed')).length).toBeGreaterThanOrEqual(9)
      const inventory = await inventoryOf()
      for (const kind of ['networkpolicies', 'rolebindings']) {
        const group = kind === 'networkpolicies' ? 'networking.k8s.io' : 'rbac.authorization.k8s.io'
        const items = await inCluster(`/apis/${group}/v1/namespaces/ringfence-nine/${kind}`)
        expect(items.map((item) => item.metadata.uid).toSorted()).toEqual(
          inventory.filter((id) => items.some((item) => item.metadata.uid === id)).toSorted(),
        )
        expect(items.length).toBeGreaterThan(2)
      }
      const roles = await admin.query<{ rolname: string }>(
        `select rolname from pg_roles where rolname like 'nine\\_%' order by 1`,
      )
      expect(roles.rows.map((row) => row.rolname)).toEqual(['nine_owner', 'nine_user'])
      expect(await openIntents()).toBe(0)
    },
  )

  it(
    'at every kind of boundary while removing, leaves nothing of the tenant and nothing of another',
    { timeout: 240_000 },
    async () => {
      const kills: { boundary: Boundary; kind: string }[] = [
        // In the order in which they go: what stands on others first.
        { boundary: 'before-intent', kind: 'postgres/DatabaseGrants' },
        { boundary: 'after-call', kind: 'postgres/DatabaseGrants' },
        { boundary: 'after-intent', kind: 'postgres/Role' },
        { boundary: 'after-call', kind: 'credential/Login' },
        { boundary: 'after-call', kind: 'postgres/Database' },
        { boundary: 'after-outcome', kind: 'kubernetes/Namespace' },
      ]
      const outcomes: string[] = []
      for (const kill of kills) outcomes.push(await run({ act: 'remove', kill }))
      expect(outcomes.filter((outcome) => outcome === 'killed').length).toBeGreaterThanOrEqual(3)
      expect(await run({ act: 'remove' })).toBe('converged')
      expect((await admin.query(`select 1 from pg_database where datname = 'nine_db'`)).rowCount).toBe(0)
      expect((await admin.query(`select 1 from pg_roles where rolname like 'nine\\_%'`)).rowCount).toBe(0)
      const left = await inCluster('/api/v1/namespaces?labelSelector=ringfence.dev%2Ftenant%3Dnine')
      expect(left).toEqual([])
    },
  )
})

const inventoryOf = async (): Promise<readonly string[]> => {
  const store = await storeClient()
  const { rows } = await store.query<{ backend_id: string }>('select backend_id from ringfence.inventory')
  await store.end()
  return rows.map((row) => row.backend_id)
}
const openIntents = async (): Promise<number> => {
  const store = await storeClient()
  const { rows } = await store.query('select 1 from ringfence.journal where outcome is null')
  await store.end()
  return rows.length
}
async function endLeases(): Promise<void> {
  const store = await storeClient()
  await store.query(`update ringfence.leases set expires_at = 'epoch'`)
  await store.query(`update ringfence.work set run_after = 'epoch'`)
  await store.end()
}
async function storeClient(): Promise<pg.Client> {
  const access = servers().postgres18
  const ssl = access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false
  const client = new pg.Client({ ...access, ssl, database: 'kill_nine' })
  await client.connect()
  return client
}
