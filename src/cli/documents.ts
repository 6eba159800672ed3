/**
 * Tenant documents as the command line says them: files, flags and `--set`. Puts the document together and no more;
 * whether it is a good one is the control plane's to say.
 */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { RingfenceError } from '../model/errors.ts'
import { isObject } from '../model/json.ts'
import type { Io } from './io.ts'

type Draft = { [key: string]: unknown }
const maxFileBytes = 4 * 1024 * 1024

async function contentOf(io: Io, file: string): Promise<string> {
  if (file === '-') return text(io.stdin)
  const path = resolve(io.cwd, file)
  const content = await readFile(path, 'utf8').catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT' ? 'There is no file' : code === 'EISDIR' ? 'Give a file, not the folder' : 'Cannot read'
    throw new RingfenceError('Usage', `${why} ${path}.`, {}, error)
  })
  if (content.length > maxFileBytes) throw new RingfenceError('Usage', `${path} is larger than 4 MiB.`)
  return content
}

/** All documents of a YAML or JSON file, `-` being standard input; empty ones are passed over. */
export async function readDocuments(io: Io, file: string): Promise<readonly unknown[]> {
  const content = await contentOf(io, file)
  const { parseAllDocuments } = await import('yaml')
  const parsed = parseAllDocuments(content, { uniqueKeys: true, schema: 'core', logLevel: 'silent' })
  const documents = (Array.isArray(parsed) ? parsed : []).map((document) => {
    const [fault] = document.errors
    if (fault)
      throw new RingfenceError('Usage', `${file} does not parse: ${fault.message.split('\n', 1)[0]}`, {}, fault)
    return document.toJS({ maxAliasCount: 50 }) as unknown
  })
  const found = documents.filter((document) => document !== null && document !== undefined)
  if (found.length === 0) throw new RingfenceError('Usage', `${file} holds no document.`)
  return found
}

/** `spec.compute.quota.pods`, `compute.quota.requests\.cpu` (below spec) or `/spec/compute` (RFC 6901) as keys. */
export function pathOf(path: string): readonly string[] {
  if (path.startsWith('/')) {
    return path
      .slice(1)
      .split('/')
      .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
  }
  const keys = path.split(/(?<!\\)\./).map((key) => key.replaceAll('\\.', '.'))
  return ['spec', 'metadata', 'apiVersion', 'kind'].includes(keys[0] ?? '') ? keys : ['spec', ...keys]
}

/** Sets one value, making the objects on the way. Refuses to reach through a value that is no object or list. */
export function setPath(draft: Draft, keys: readonly string[], value: unknown): void {
  const shown = keys.join('.')
  if (keys.some((key) => key === '' || key === '__proto__' || key === 'constructor' || key === 'prototype')) {
    throw new RingfenceError('Usage', `--set ${shown}: not a path of field names.`)
  }
  let here: Draft = draft
  for (const key of keys.slice(0, -1)) {
    if (!Object.hasOwn(here, key) || here[key] === null) here[key] = {}
    const inner = here[key]
    if (typeof inner !== 'object' || inner === null)
      throw new RingfenceError('Usage', `--set ${shown}: ${key} holds a value, not fields.`)
    here = inner as Draft
  }
  const last = keys.at(-1) ?? ''
  if (Array.isArray(here) && !/^\d{1,4}$/.test(last))
    throw new RingfenceError('Usage', `--set ${shown}: ${last} is not a position in a list.`)
  here[last] = value
}

/** `path=value`; the value is read as YAML, so that `5`, `true` and `[a, b]` are what they look like. */
async function applySet(draft: Draft, assignment: string): Promise<void> {
  const equals = assignment.indexOf('=')
  if (equals < 1) throw new RingfenceError('Usage', `--set ${assignment}: write path=value.`)
  const { parse } = await import('yaml')
  let value: unknown
  try {
    value = parse(assignment.slice(equals + 1), { schema: 'core', logLevel: 'silent' })
  } catch (error) {
    throw new RingfenceError(
      'Usage',
      `--set ${assignment}: the value does not parse. Quote texts with special characters.`,
      {},
      error,
    )
  }
  setPath(draft, pathOf(assignment.slice(0, equals)), value)
}

export interface DocumentFlags {
  readonly file?: string
  readonly set?: readonly string[]
  readonly label?: readonly string[]
  readonly tag?: readonly string[]
  readonly module?: readonly string[]
  readonly tier?: string
  readonly domain?: string
  readonly region?: string
  readonly residency?: string
  readonly environment?: string
  readonly displayName?: string
  readonly description?: string
  readonly parent?: string
  readonly isolation?: string
  readonly database?: string
  readonly adminEmail?: string
  readonly ownerEmail?: string
}

const flagPaths: readonly (readonly [keyof DocumentFlags, readonly string[]])[] = [
  ['tier', ['spec', 'tier']],
  ['domain', ['spec', 'domain']],
  ['region', ['spec', 'region']],
  ['residency', ['spec', 'residency']],
  ['environment', ['spec', 'environment']],
  ['displayName', ['spec', 'displayName']],
  ['description', ['spec', 'description']],
  ['parent', ['spec', 'parent']],
  ['isolation', ['spec', 'isolation']],
  ['module', ['spec', 'modules']],
  ['database', ['spec', 'database', 'mode']],
  ['adminEmail', ['spec', 'admin', 'email']],
  ['ownerEmail', ['spec', 'owner', 'email']],
]

function pair(option: string, text: string): readonly [string, string] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new RingfenceError('Usage', `${option} ${text}: write key=value.`)
  return [text.slice(0, equals), text.slice(equals + 1)]
}

/** The document of `tenant create`: the file's, if any, with flags laid over it and `--set` over these. */
export async function draftTenant(io: Io, name: string, flags: DocumentFlags): Promise<unknown> {
  const draft: Draft = { apiVersion: 'ringfence.dev/v1alpha1', kind: 'Tenant', metadata: { name }, spec: {} }
  if (flags.file !== undefined) {
    const documents = await readDocuments(io, flags.file)
    const [document] = documents
    if (documents.length !== 1 || !isObject(document))
      throw new RingfenceError('Usage', `${flags.file} must hold exactly one tenant document.`)
    Object.assign(draft, structuredClone(document))
    const metadata = draft['metadata']
    const named = isObject(metadata) ? metadata['name'] : undefined
    if (named !== undefined && named !== name)
      throw new RingfenceError('Usage', `${flags.file} is about ${JSON.stringify(named)}, not ${name}.`)
    setPath(draft, ['metadata', 'name'], name)
  }
  for (const [flag, path] of flagPaths) if (flags[flag] !== undefined) setPath(draft, path, flags[flag])
  for (const label of flags.label ?? []) {
    const [key, value] = pair('--label', label)
    setPath(draft, ['metadata', 'labels', key], value)
  }
  for (const tag of flags.tag ?? []) {
    const [key, value] = pair('--tag', tag)
    setPath(draft, ['spec', 'tags', key], value)
  }
  for (const assignment of flags.set ?? []) await applySet(draft, assignment)
  return draft
}

/** The name that a document is about, or `Usage`: without it there is nothing to ask the control plane about. */
export function nameOf(document: unknown): string {
  const metadata = isObject(document) ? document['metadata'] : undefined
  const name = isObject(metadata) ? metadata['name'] : undefined
  if (typeof name !== 'string' || name === '') {
    const problems = [{ path: '/metadata/name', reason: 'is missing', fix: 'name the tenant' }]
    throw new RingfenceError('InvalidDocument', 'The document names no tenant.', { problems })
  }
  return name
}
