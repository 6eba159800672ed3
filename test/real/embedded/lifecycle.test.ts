/** What is left when the control plane dies, and what the next start finds. Runs servers of its own. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createConnection, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import pg from 'pg'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { acquireKubernetes } from '../../../src/embedded/kubernetes/acquire.ts'
import { ask } from '../../../src/embedded/kubernetes/request.ts'
import { startKubernetes } from '../../../src/embedded/kubernetes/server.ts'
import { startPostgres } from '../../../src/embedded/postgres/server.ts'
import type { ClusterAccess, PostgresAccess } from '../../../src/model/backends.ts'
import type { ParentOrder } from '../../support/embedded-parent.ts'
import { describeOn } from '../../support/servers.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-lifecycle-'))
  await chmod(dir, 0o711)
})
afterEach(async () => {
  await rm(dir, { recursive: true, force: true })
})

interface Parent {
  readonly pids: readonly number[]
  readonly admin: ClusterAccess
  readonly access: PostgresAccess
  kill(): Promise<void>
  end(): Promise<number | null>
}

async function parent(order: ParentOrder): Promise<Parent> {
  const child = spawn(
    process.execPath,
    [join(import.meta.dirname, '../../support/embedded-parent.ts'), JSON.stringify(order)],
    { stdio: ['pipe', 'pipe', 'pipe'] },
  )
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
  const exited = once(child, 'exit') as Promise<[number | null]>
  const line = await Promise.race([
    (async () => {
      let text = ''
      for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
        text += String(chunk)
        if (text.endsWith('\n')) return text
      }
      return text
    })(),
    exited.then(() => ''),
  ])
  if (line === '') throw new Error(`the parent did not start: ${errors}`)
  return {
    ...(JSON.parse(line) as Pick<Parent, 'pids' | 'admin' | 'access'>),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
    async end() {
      child.stdin.end()
      return (await exited)[0]
    },
  }
}

const running = (pids: readonly number[]): number[] =>
  pids.filter((pid) => {
    try {
      process.kill(pid, 0)
      return true
    } catch {
      return false
    }
  })

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

async function query(access: PostgresAccess, sql: string): Promise<unknown[]> {
  const { tls: _, ca, ...connection } = access
  const client = new pg.Client({ ...connection, ssl: { ca: ca ?? '' } })
  await client.connect()
  try {
    return (await client.query(sql)).rows as unknown[]
  } finally {
    await client.end()
  }
}

const configMap = '/api/v1/namespaces/default/configmaps'
const kept = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'kept' }, data: { a: 'b' } }

describeOn(['kubernetes'], 'embedded Kubernetes', () => {
  test('ends with a killed control plane, and the next start has its data, addresses and keys', async () => {
    const options = { dir: join(dir, 'kubernetes'), programs: await acquireKubernetes() }
    const first = await parent({ kubernetes: options })
    expect(running(first.pids)).toHaveLength(4)
    expect((await ask(first.admin, 'POST', configMap, kept)).status).toBe(201)
    const ports = Object.values(
      JSON.parse(await readFile(join(options.dir, 'ports.json'), 'utf8')) as Record<string, number>,
    )
    expect(await Promise.all(ports.map(listens))).toEqual([true, true, true, true])
    await first.kill()
    await expect.poll(() => running(first.pids), { timeout: 20_000, interval: 50 }).toEqual([])
    expect(await Promise.all(ports.map(listens))).toEqual([false, false, false, false])

    const second = await startKubernetes(options)
    try {
      expect(second.server).toBe(first.admin.server)
      expect(JSON.parse((await ask(first.admin, 'GET', `${configMap}/kept`)).body)).toMatchObject({ data: { a: 'b' } })
    } finally {
      await second.stop()
    }
    expect(running(second.pids)).toEqual([])
    expect(await readdir(options.dir)).not.toContain('lock')
  })

  test('left behind by a killed supervisor too is ended by the next start, and nothing else is', async () => {
    const options = { dir: join(dir, 'kubernetes'), programs: await acquireKubernetes(), durable: false }
    const first = await parent({ kubernetes: options })
    const [supervisor = 0, ...servers] = first.pids
    process.kill(supervisor, 'SIGKILL')
    await first.kill()
    expect(running(servers)).toEqual(servers)
    // A note that names a process of somebody else: same number, other start.
    const record = join(options.dir, 'processes.json')
    const notes = JSON.parse(await readFile(record, 'utf8')) as object[]
    await writeFile(record, JSON.stringify([...notes, { pid: process.pid, started: 'long ago', command: 'x' }]))
    const second = await startKubernetes(options)
    expect(running(servers)).toEqual([])
    await second.stop()
    expect(running(second.pids)).toEqual([])
  })

  test('moves to other ports where its own were taken, with the data it had', async () => {
    const options = { dir: join(dir, 'kubernetes'), programs: await acquireKubernetes(), durable: false }
    const first = await startKubernetes(options)
    expect((await ask(first.admin, 'POST', configMap, kept)).status).toBe(201)
    await first.stop()
    const ports = Object.values(
      JSON.parse(await readFile(join(options.dir, 'ports.json'), 'utf8')) as Record<string, number>,
    )
    const others = ports.map((port) => createServer().listen(port, '127.0.0.1'))
    try {
      await Promise.all(others.map((other) => once(other, 'listening')))
      const second = await startKubernetes(options)
      expect(ports).not.toContain(Number(new URL(second.server).port))
      expect((await ask(second.admin, 'GET', `${configMap}/kept`)).status).toBe(200)
      await second.stop()
    } finally {
      for (const other of others) other.close()
    }
  })

  test('tells when one of its servers dies', async () => {
    const started = await startKubernetes({
      dir: join(dir, 'kubernetes'),
      programs: await acquireKubernetes(),
      durable: false,
    })
    process.kill(started.pids[2] ?? 0, 'SIGKILL')
    expect(await started.failed).toMatchObject({ code: 'BackendFault', facts: { server: 'kube-apiserver' } })
    await started.stop()
    expect(running(started.pids)).toEqual([])
  })

  test('refuses a folder that another living control plane works in', async () => {
    const options = { dir: join(dir, 'kubernetes'), programs: await acquireKubernetes(), durable: false }
    const first = await startKubernetes(options)
    try {
      await expect(startKubernetes(options)).rejects.toMatchObject({ code: 'Conflict', facts: { pid: process.pid } })
      expect((await ask(first.admin, 'GET', '/readyz')).status).toBe(200)
    } finally {
      await first.stop()
    }
  })

  test('a start that fails says what the server said and leaves no process', async () => {
    const programs = await acquireKubernetes()
    const options = { dir: join(dir, 'kubernetes'), programs: { ...programs, 'kube-apiserver': programs.etcd } }
    await expect(startKubernetes(options)).rejects.toMatchObject({
      code: 'BackendFault',
      facts: { server: 'kube-apiserver' },
    })
    const files = await readdir(options.dir)
    expect(files).not.toContain('processes.json')
    expect(files).not.toContain('lock')
  })
})

describeOn(['postgres18'], 'embedded PostgreSQL', () => {
  test('ends with a killed control plane, recovers, and has its data and address at the next start', async () => {
    const options = { dir: join(dir, 'postgres') }
    const first = await parent({ postgres: options })
    await query(first.access, 'CREATE TABLE kept AS SELECT 42 AS answer')
    await first.kill()
    await expect.poll(() => running(first.pids), { timeout: 20_000, interval: 50 }).toEqual([])
    expect(await listens(first.access.port)).toBe(false)
    const second = await startPostgres(options)
    try {
      expect(second.access).toEqual(first.access)
      expect(await query(second.access, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }])
    } finally {
      await second.stop()
    }
    expect(running(second.pids)).toEqual([])
  })

  test('killed by itself in the midst of writing comes back, though its lock file names a living stranger', async () => {
    const options = { dir: join(dir, 'postgres') }
    const first = await parent({ postgres: options })
    await query(first.access, 'CREATE TABLE kept AS SELECT 43 AS answer')
    for (const pid of first.pids) process.kill(pid, 'SIGKILL')
    await first.kill()
    await expect.poll(() => running(first.pids), { timeout: 10_000 }).toEqual([])
    const stranger = spawn(
      'sleep',
      ['60'],
      process.getuid?.() === 0 ? { uid: (await stat(join(options.dir, 'data'))).uid } : {},
    )
    try {
      const lockFile = join(options.dir, 'data', 'postmaster.pid')
      const lines = (await readFile(lockFile, 'utf8')).split('\n')
      await writeFile(lockFile, [String(stranger.pid), ...lines.slice(1)].join('\n'))
      const second = await startPostgres(options)
      expect(await query(second.access, 'SELECT answer FROM kept')).toEqual([{ answer: 43 }])
      await second.stop()
      expect(running([stranger.pid ?? 0])).toHaveLength(1)
    } finally {
      stranger.kill('SIGKILL')
    }
  })

  test('tells when the server dies', async () => {
    const started = await startPostgres({ dir: join(dir, 'postgres'), durable: false })
    process.kill(started.pids[1] ?? 0, 'SIGKILL')
    expect(await started.failed).toMatchObject({ code: 'BackendFault', facts: { server: 'postgres' } })
    await started.stop()
  })

  test.runIf(process.getuid?.() === 0)(
    'started by root in a folder that only root can reach keeps its data where its user can, and says where',
    async () => {
      await chmod(dir, 0o700)
      const options = { dir: join(dir, 'postgres'), durable: false }
      const first = await startPostgres(options)
      const home = (await readFile(join(options.dir, 'location'), 'utf8')).trim()
      try {
        await query(first.access, 'CREATE TABLE kept AS SELECT 44 AS answer')
        await first.stop()
        expect(home).toMatch(/^\/var\/lib\/ringfence\/data\//)
        expect((await stat(join(home, 'data'))).mode & 0o777).toBe(0o700)
        const second = await startPostgres(options)
        expect(await query(second.access, 'SELECT answer FROM kept')).toEqual([{ answer: 44 }])
        await second.stop()
        await rm(options.dir, { recursive: true })
        const third = await startPostgres(options)
        expect(await query(third.access, "SELECT to_regclass('kept') AS kept")).toEqual([{ kept: null }])
        await third.stop()
        await rm(options.dir, { recursive: true })
        await (await startPostgres({ ...options, dir: join(dir, 'another') })).stop()
        const homes = await readdir(dirname(home))
        expect(homes).not.toContain(basename(home))
      } finally {
        await first.stop()
        await rm((await readFile(join(dir, 'another', 'location'), 'utf8')).trim(), { recursive: true, force: true })
      }
    },
  )

  test('refuses data of another major version', async () => {
    const options = { dir: join(dir, 'postgres'), durable: false }
    await (await startPostgres(options)).stop()
    await expect(startPostgres({ ...options, version: 15 })).rejects.toMatchObject({ code: 'Conflict' })
    await (await startPostgres(options)).stop()
  })

  test('stops when told, orderly, with exit code 0 of its parent', async () => {
    const first = await parent({ postgres: { dir: join(dir, 'postgres'), durable: false } })
    expect(await first.end()).toBe(0)
    expect(running(first.pids)).toEqual([])
  })
})
