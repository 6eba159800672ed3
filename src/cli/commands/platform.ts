/** `doctor`, `version` and `audit list`: questions about the control plane itself. */
import process from 'node:process'
import { readFile } from 'node:fs/promises'
import type { AuditEntryView, Check, Page } from '../../engine/control-plane.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { printable } from '../../model/printable.ts'
import type { ApiClient } from '../client.ts'
import { connect } from '../connection.ts'
import { exitCodes } from '../exit-codes.ts'
import type { ExitCode } from '../exit-codes.ts'
import { say, styleFor } from '../io.ts'
import type { Io } from '../io.ts'
import type { Connected, Formatted } from '../options.ts'
import { emit } from '../output.ts'
import { auditTable, checkLines } from '../views/event.ts'

/** What can be said without a control plane. */
function localChecks(): readonly Check[] {
  const current = Number(process.versions.node.split('.', 1)[0]) >= 24
  return [
    current
      ? { name: 'node', status: 'ok', message: `Node ${process.versions.node}` }
      : {
          name: 'node',
          status: 'failed',
          message: `Node ${process.versions.node} is too old`,
          fix: 'Start the command as bin/ringfence, which brings Node 24.',
        },
  ]
}

/** Exit 1 when anything failed; a control plane that is not running is one of the failures, with its fix. */
export async function doctor(io: Io, options: Connected & Formatted): Promise<ExitCode> {
  const remote = await connect(io, options)
    .then((client) => client.doctor())
    .catch((error: unknown): readonly Check[] => {
      const [message = '', ...fix] = toRingfenceError(error).message.split('\n')
      return [{ name: 'control plane', status: 'failed', message, ...(fix.length > 0 ? { fix: fix.join(' · ') } : {}) }]
    })
  const checks = [...localChecks(), ...remote]
  await emit(io, options.output, {
    json: { checks },
    names: checks.map(({ name }) => `check/${name}`),
    human: () => checkLines(checks, styleFor(io.stdout, io.env)),
  })
  return checks.some(({ status }) => status === 'failed') ? exitCodes.failed : exitCodes.done
}

export async function ownVersion(): Promise<string> {
  const manifest = JSON.parse(await readFile(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  return manifest.version
}

/** The client's version always; the server's where one answers. */
export async function version(io: Io, options: Connected & Formatted): Promise<ExitCode> {
  const client = await ownVersion()
  const server = await connect(io, options)
    .then((api) => api.version())
    .catch(() => undefined)
  await emit(io, options.output, {
    json: { client, ...(server === undefined ? {} : { server }) },
    names: [`ringfence/${client}`],
    human: () =>
      [
        `ringfence ${client}`,
        ...(server === undefined ? ['server: not running here'] : [`server: ringfence ${printable(server.ringfence)}`]),
        ...(server?.kubernetes === undefined ? [] : [`kubernetes: ${printable(server.kubernetes)} (${server.medium})`]),
        ...(server?.postgres === undefined ? [] : [`postgresql: ${printable(server.postgres)}`]),
      ].join('\n'),
  })
  return exitCodes.done
}

/** `pause` and `resume`; repeating either is safe. */
export async function turn(io: Io, verb: 'pause' | 'resume', options: Connected): Promise<ExitCode> {
  const client = await connect(io, options)
  await client[verb]()
  say(
    io.stdout,
    verb === 'pause' ? 'paused: nothing is changed until `ringfence resume`; proofs and plans go on' : 'resumed',
  )
  return exitCodes.done
}

export type AuditOptions = Connected &
  Formatted & { readonly tenant?: string; readonly after?: number; readonly limit: number }

/** Entries up to `limit`, a page at a time; `next` where there are more. */
async function auditPages(client: ApiClient, { tenant, after, limit }: AuditOptions): Promise<Page<AuditEntryView>> {
  const items: AuditEntryView[] = []
  let next = after === undefined ? undefined : String(after)
  do {
    const query = { ...(tenant === undefined ? {} : { tenant }), ...(next === undefined ? {} : { after: next }) }
    const page = await client.audit({ limit: Math.min(500, limit - items.length), ...query })
    items.push(...page.items)
    next = page.next
  } while (next !== undefined && items.length < limit)
  return next === undefined ? { items } : { items, next }
}

export async function listAudit(io: Io, options: AuditOptions): Promise<ExitCode> {
  if (options.limit < 1) throw new RingfenceError('Usage', '--limit must be at least 1.')
  const page = await auditPages(await connect(io, options), options)
  const more = page.next === undefined ? '' : `\nMore with: ringfence audit list --after ${printable(page.next)}`
  await emit(io, options.output, {
    json: page,
    names: page.items.map(({ sequence }) => `audit/${sequence}`),
    human: () => auditTable(page.items, styleFor(io.stdout, io.env)) + more,
  })
  return exitCodes.done
}
