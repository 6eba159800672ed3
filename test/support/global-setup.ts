/**
 * Starts the servers that the `real` tests share, once for a whole run, in a temporary folder, and stops them after.
 * A server that cannot be had fails the run in CI; elsewhere it fails the tests that need it, unless
 * `RINGFENCE_TEST_WITHOUT` names it. `RINGFENCE_TEST_ONLY_SERVERS` starts only the named ones, to save time.
 */
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { acquireKubernetes } from '../../src/embedded/kubernetes/acquire.ts'
import { startKubernetes } from '../../src/embedded/kubernetes/server.ts'
import { startPostgres } from '../../src/embedded/postgres/server.ts'
import { isRunning, processIdentity, type ProcessIdentity } from '../../src/embedded/process-identity.ts'
import type { SharedKubernetes, SharedServers } from './servers.ts'
import type { PostgresAccess } from '../../src/model/backends.ts'

function say(message: string): void {
  process.stderr.write(`[servers] ${message.replaceAll('\n', '\n[servers] ')}\n`)
}

const prefix = 'ringfence-servers-'

type Stop = () => Promise<void>

const named = (variable: string): readonly string[] =>
  (process.env[variable] ?? '').split(',').filter((name) => name !== '')

function unwanted(server: string): string | undefined {
  const family = server.replace(/\d+$/, '')
  const without = named('RINGFENCE_TEST_WITHOUT')
  if (without.includes(server) || without.includes(family)) return `RINGFENCE_TEST_WITHOUT=${without.join(',')}`
  const only = named('RINGFENCE_TEST_ONLY_SERVERS')
  if (only.length > 0 && !only.includes(server) && !only.includes(family))
    return `RINGFENCE_TEST_ONLY_SERVERS=${only.join(',')}`
  return undefined
}

async function kubernetes(dir: string, stops: Stop[]): Promise<SharedKubernetes> {
  const programs = await acquireKubernetes({ progress: (message) => say(message) })
  const { server, ca, admin, engine, breakGlass, kubeconfigs, authority, version, stop } = await startKubernetes({
    dir,
    programs,
    durable: false,
  })
  stops.push(stop)
  return { server, ca, admin, engine, breakGlass, kubeconfigs, authority, version, kubectl: programs.kubectl }
}

async function postgres(dir: string, version: 18 | 15, stops: Stop[]): Promise<PostgresAccess> {
  const { access, stop } = await startPostgres({ dir, version, durable: false })
  stops.push(stop)
  return access
}

/** What came of one server: its record, that it was not wanted, or why it is missing. */
async function outcome<T>(
  name: string,
  start: () => Promise<T>,
): Promise<{ readonly running: T } | { readonly skipped: string } | { readonly missing: string }> {
  const reason = unwanted(name)
  if (reason !== undefined) {
    say(`${name} is not started, and what needs it is skipped: ${reason}`)
    return { skipped: `${name} was not started: ${reason}` }
  }
  try {
    return { running: await start() }
  } catch (error) {
    const missing = `${name} cannot be had: ${error instanceof Error ? error.message : String(error)}`
    if (process.env['CI'] !== undefined && process.env['CI'] !== '') throw new Error(missing, { cause: error })
    say(`${missing}\nEvery test that needs it will fail. RINGFENCE_TEST_WITHOUT=${name} skips them instead.`)
    return { missing }
  }
}

/** A run that was killed leaves its folder (its servers ended with it); the next one removes it. */
async function removeLeftovers(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    if (!name.startsWith(prefix)) continue
    const folder = join(tmpdir(), name)
    const owner = await readFile(join(folder, 'owner.json'), 'utf8').catch(() => undefined)
    if (owner !== undefined && !(await isRunning(JSON.parse(owner) as ProcessIdentity))) {
      await rm(folder, { recursive: true, force: true })
    }
  }
}

export default async function setup(project: TestProject): Promise<Stop> {
  await removeLeftovers()
  const root = await mkdtemp(join(tmpdir(), prefix))
  await writeFile(join(root, 'owner.json'), JSON.stringify(await processIdentity(process.pid)))
  // Started by root, PostgreSQL runs as a user of its own and must be able to pass through.
  await chmod(root, 0o711)
  const stops: Stop[] = []
  const tearDown = async (): Promise<void> => {
    await Promise.all(stops.map((stop) => stop()))
    await rm(root, { recursive: true, force: true })
  }
  try {
    const started = await Promise.allSettled([
      outcome('kubernetes', () => kubernetes(join(root, 'kubernetes'), stops)),
      outcome('postgres18', () => postgres(join(root, 'postgres18'), 18, stops)),
      outcome('postgres15', () => postgres(join(root, 'postgres15'), 15, stops)),
    ])
    const [cluster, newer, older] = started
    for (const one of started) if (one.status === 'rejected') throw one.reason
    if (cluster.status !== 'fulfilled' || newer.status !== 'fulfilled' || older.status !== 'fulfilled')
      throw new Error('unreachable')
    const servers: SharedServers = { kubernetes: cluster.value, postgres18: newer.value, postgres15: older.value }
    project.provide('servers', servers)
  } catch (error) {
    await tearDown()
    throw error
  }
  return tearDown
}
