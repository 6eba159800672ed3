/**
 * One watch for one kind in the whole cluster, and the objects it has told us of. It lists, watches from there, resumes
 * where a broken connection left off, and lists again when the server has forgotten that place (410). Says honestly
 * when it is not in step; decides nothing about the objects.
 */
import { isRingfenceError, RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import type { KubernetesClient } from './client.ts'
import type { Known } from './driver.ts'
import { apiVersionOf, collectionPath, externalNameOf, type KubeKind } from './kinds.ts'
import { listPages } from './list.ts'
import { liveMetadata } from './object.ts'
import { createEchoes } from './echoes.ts'
import { createObjectStore, type ObjectStore } from './object-store.ts'
import { pruned } from './prune.ts'
import { answerError } from './status.ts'

export interface ReflectorOptions {
  readonly client: KubernetesClient
  readonly kind: KubeKind
  /** Told of every object that changed, and of `resync` when changes may have been missed. */
  readonly onChange: (externalNameOrResync: string) => void
  /** What is kept of an object. */
  readonly keep?: (live: JsonObject) => JsonObject
  readonly accept?: { readonly list: string; readonly watch: string }
  readonly labelSelector?: string
  /** A stream that is silent for this long is cut; the server sends a bookmark about every minute. */
  readonly silenceMs?: number
  readonly backoffMs?: { readonly first: number; readonly last: number }
  readonly now?: () => number
  readonly random?: () => number
  readonly pageSize?: number
}

export interface Reflector extends Known {
  readonly kind: KubeKind
  /** Runs until the signal aborts; never throws. */
  run(signal: AbortSignal): Promise<void>
  /** True while the cache is complete and its watch is connected. */
  inStep(): boolean
  /** Why it is not in step, where that is known. */
  problem(): RingfenceError | undefined
  objects(): JsonObject[]
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })

/** Doubles with every failure in a row, with half of it left to chance. */
const backedOff = (
  backoff: { readonly first: number; readonly last: number },
  failures: number,
  random: number,
): number => Math.min(backoff.last, backoff.first * 2 ** Math.min(failures, 20)) * (0.5 + random / 2)

export function createReflector(options: ReflectorOptions): Reflector {
  const { kind, onChange, random = Math.random, backoffMs: backoff = { first: 200, last: 30_000 } } = options
  const store = createObjectStore(options.keep ?? pruned, options.now ?? Date.now)
  const echoes = createEchoes(onChange)
  let synced = false
  let connected = false
  let resumeFrom: string | undefined
  let failure: RingfenceError | undefined

  function take(event: WatchEvent): void {
    if (event.type === 'ERROR') throw errorIn(event, kind)
    resumeFrom = liveMetadata(event.object).resourceVersion
    if (event.type === 'BOOKMARK') return
    const live = typed(kind, event.object)
    const name = externalNameOf(live)
    store.trust(name)
    if (event.type === 'DELETED' ? store.delete(live) : store.put(live)) echoes.tell(name, live)
  }

  /** From the list, or from where the last watch broke off, until this one ends. */
  async function follow(signal: AbortSignal): Promise<void> {
    if (resumeFrom === undefined) {
      resumeFrom = await listInto(store, options, signal)
      synced = true
      onChange('resync')
    }
    const opened = () => {
      connected = true
      failure = undefined
    }
    for await (const event of watchFrom(options, resumeFrom, 240 + Math.floor(random() * 240), opened, signal))
      take(event)
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      const begunMs = Date.now()
      const error = await follow(signal).catch((thrown: unknown) => toRingfenceError(thrown))
      // A watch that ends at once has failed too; only one that lived is resumed without a pause.
      const lived = connected && Date.now() - begunMs > 1_000
      connected = false
      if (signal.aborted) break
      failures = lived ? 0 : failures + 1
      // The server did not come back at once: nobody is taken for fenced by one that cannot be asked.
      if (failures === secondFailure && error && !forgotten(error)) onChange('resync')
      failure = error ?? failure
      if (error && forgotten(error)) resumeFrom = undefined
      const waitMs = lived && !error ? 0 : backedOff(backoff, failures, random())
      await pause(Math.max(waitMs, error?.facts.retryAfterMs ?? 0), signal)
    }
    synced = false
  }

  const saw = (externalName: string, live: JsonObject): void => {
    store.trust(externalName)
    if (synced) store.put(typed(kind, live))
  }
  const writing: Reflector['writing'] = (externalName) => {
    const ended = echoes.begin(externalName)
    return (live) => {
      if (live !== undefined) saw(externalName, live)
      ended(live)
    }
  }
  return {
    kind,
    run,
    inStep: () => synced && connected,
    problem: () => failure,
    objects: () => store.all(),
    get: (externalName) => (synced && connected ? store.get(externalName) : undefined),
    saw,
    writing,
    doubt: (externalName) => store.doubt(externalName),
  }
}

/** Items of lists and watches of built-in kinds do not say what they are. */
const typed = (kind: KubeKind, live: JsonObject): JsonObject => ({
  apiVersion: apiVersionOf(kind),
  kind: kind.kind,
  ...live,
})

/** Replaces the store's content by a complete list, and answers the version from which to watch. */
async function listInto(store: ObjectStore, options: ReflectorOptions, signal: AbortSignal): Promise<string> {
  const listing = store.listing()
  let version = ''
  const pages = listPages(options.client, options.kind, {
    signal,
    deadlineMs: Date.now() + 120_000,
    ...(options.pageSize === undefined ? {} : { pageSize: options.pageSize }),
    ...(options.accept === undefined ? {} : { accept: options.accept.list }),
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
  })
  for await (const page of pages) {
    for (const item of page.items) listing.add(typed(options.kind, item))
    version = page.resourceVersion
  }
  listing.done(Number(version))
  return version
}

interface WatchEvent {
  readonly type: string
  readonly object: JsonObject
}

async function* watchFrom(
  options: ReflectorOptions,
  resourceVersion: string,
  timeoutSeconds: number,
  opened: () => void,
  signal: AbortSignal,
): AsyncIterable<WatchEvent> {
  const lines = options.client.stream(collectionPath(options.kind), {
    query: {
      watch: true,
      allowWatchBookmarks: true,
      resourceVersion,
      timeoutSeconds,
      labelSelector: options.labelSelector,
    },
    signal,
    silenceMs: options.silenceMs ?? 120_000,
    ...(options.accept === undefined ? {} : { accept: options.accept.watch }),
    opened,
  })
  for await (const line of lines) yield eventIn(line)
}

const errorIn = (event: WatchEvent, kind: KubeKind): RingfenceError =>
  answerError(
    { method: 'WATCH', path: collectionPath(kind) },
    Number(event.object['code'] ?? 500),
    {},
    JSON.stringify(event.object),
  )

const eventTypes = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'])

/** What is not an event, a line that a cut left half among it, breaks the watch: nothing is skipped over. */
function eventIn(line: string): WatchEvent {
  let event: unknown
  try {
    event = JSON.parse(line)
  } catch (error) {
    throw new RingfenceError('Unreadable', 'A watch held a line that is not JSON', {}, error)
  }
  const { type, object } = isObject(event) ? event : {}
  if (typeof type === 'string' && eventTypes.has(type) && isObject(object)) return { type, object }
  throw new RingfenceError('Unreadable', 'A watch held something that is not an event', {})
}

/** The first is a server that restarts, or a proxy that shed its connections. */
const secondFailure = 2

/** The server no longer knows the version to resume from: HTTP 410, or an ERROR event that says so. */
const forgotten = (error: unknown): boolean => isRingfenceError(error) && error.facts['httpStatus'] === 410
