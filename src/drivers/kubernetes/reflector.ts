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
import { pruned } from './prune.ts'
import { answerError } from './status.ts'

export interface ReflectorOptions {
  readonly client: KubernetesClient
  readonly kind: KubeKind
  /** Told of every object that changed, and of `resync` when changes may have been missed. */
  readonly onChange: (externalName: string | 'resync') => void
  /** How an object is kept; answers undefined for objects that are not. */
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

interface Entry {
  readonly version: number
  /** Text takes a fraction of the memory of parsed objects, and most are never looked at. */
  readonly text: string
}

/** How long a write of unknown outcome keeps us from trusting the cache about its object. */
const doubtMs = 60_000
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

export function createReflector(options: ReflectorOptions): Reflector {
  const { client, kind, onChange } = options
  const keep = options.keep ?? pruned
  const now = options.now ?? Date.now
  const silenceMs = options.silenceMs ?? 120_000
  const backoff = options.backoffMs ?? { first: 200, last: 30_000 }
  let entries = new Map<string, Entry>()
  const doubts = new Map<string, number>()
  let synced = false
  let connected = false
  let resumeFrom: string | undefined
  let failure: RingfenceError | undefined

  const entryOf = (live: JsonObject): Entry => ({
    version: Number(liveMetadata(live).resourceVersion),
    text: JSON.stringify(keep({ apiVersion: apiVersionOf(kind), kind: kind.kind, ...live })),
  })
  /** Takes a version of an object unless a newer one is known; answers whether anything that we keep changed. */
  const store = (name: string, live: JsonObject): boolean => {
    const entry = entryOf(live)
    const before = entries.get(name)
    if (before && before.version > entry.version) return false
    entries.set(name, entry)
    return before?.text !== entry.text
  }

  async function list(signal: AbortSignal): Promise<void> {
    const fresh = new Map<string, Entry>()
    let version: string | undefined
    const limits = { signal, deadlineMs: now() + 120_000, pageSize: options.pageSize ?? 500 }
    const narrowed = { ...(options.accept === undefined ? {} : { accept: options.accept.list }), ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }) }
    for await (const page of listPages(client, kind, { ...limits, ...narrowed })) {
      for (const item of page.items) fresh.set(externalNameOf(item), entryOf(item))
      version = page.resourceVersion
    }
    // Answers to our own writes may be newer than the list.
    const listed = Number(version)
    for (const [name, entry] of entries) if (entry.version > listed && (fresh.get(name)?.version ?? 0) < entry.version) fresh.set(name, entry)
    entries = fresh
    resumeFrom = version
    synced = true
    onChange('resync')
  }

  async function watch(signal: AbortSignal): Promise<void> {
    const timeoutSeconds = 240 + Math.floor((options.random ?? Math.random)() * 240)
    const stream = client.stream(collectionPath(kind), {
      query: { watch: true, allowWatchBookmarks: true, resourceVersion: resumeFrom, timeoutSeconds, labelSelector: options.labelSelector },
      signal,
      silenceMs,
      ...(options.accept === undefined ? {} : { accept: options.accept.watch }),
      opened: () => {
        connected = true
        failure = undefined
      },
    })
    for await (const line of stream) take(eventIn(line))
  }

  function take(event: { readonly type: string; readonly object: JsonObject }): void {
    if (event.type === 'ERROR') {
      const code = Number(event.object['code'] ?? 500)
      throw answerError({ method: 'WATCH', path: collectionPath(kind) }, code, {}, JSON.stringify(event.object))
    }
    const { resourceVersion } = liveMetadata(event.object)
    resumeFrom = resourceVersion
    if (event.type === 'BOOKMARK') return
    const name = externalNameOf(event.object)
    doubts.delete(name)
    if (event.type !== 'DELETED') {
      if (store(name, event.object)) onChange(name)
    } else if ((entries.get(name)?.version ?? 0) <= Number(resourceVersion) && entries.delete(name)) onChange(name)
  }

  async function run(signal: AbortSignal): Promise<void> {
    let failures = 0
    while (!signal.aborted) {
      try {
        if (resumeFrom === undefined) await list(signal)
        await watch(signal)
        failures = 0
      } catch (error) {
        if (signal.aborted) break
        failures = connected ? 1 : failures + 1
        failure = toRingfenceError(error)
        if (forgotten(error)) resumeFrom = undefined
        connected = false
        const wait = Math.min(backoff.last, backoff.first * 2 ** (failures - 1)) * (0.5 + (options.random ?? Math.random)() / 2)
        await pause(Math.max(wait, failure.facts.retryAfterMs ?? 0), signal)
      }
      connected = false
    }
    synced = false
  }

  return {
    kind,
    run,
    inStep: () => synced && connected,
    problem: () => failure,
    objects: () => [...entries.values()].map((entry) => JSON.parse(entry.text) as JsonObject),
    get(externalName) {
      const doubtedUntil = doubts.get(externalName)
      if (doubtedUntil !== undefined && doubtedUntil <= now()) doubts.delete(externalName)
      if (!synced || !connected || doubts.has(externalName)) return undefined
      const entry = entries.get(externalName)
      return entry ? (JSON.parse(entry.text) as JsonObject) : null
    },
    saw(externalName, live) {
      doubts.delete(externalName)
      if (synced) store(externalName, live)
    },
    doubt: (externalName) => void doubts.set(externalName, now() + doubtMs),
  }
}

const eventTypes = new Set(['ADDED', 'MODIFIED', 'DELETED', 'BOOKMARK', 'ERROR'])

/** What is not an event, a line that a cut left half among it, breaks the watch: nothing is skipped over. */
function eventIn(line: string): { readonly type: string; readonly object: JsonObject } {
  let event: unknown
  try {
    event = JSON.parse(line)
  } catch (error) {
    throw new RingfenceError('Unreadable', 'A watch held a line that is not JSON', {}, error)
  }
  if (isObject(event) && eventTypes.has(String(event['type'])) && isObject(event['object'])) return { type: String(event['type']), object: event['object'] }
  throw new RingfenceError('Unreadable', 'A watch held something that is not an event', {})
}

/** The server no longer knows the version to resume from: HTTP 410, or an ERROR event that says so. */
const forgotten = (error: unknown): boolean => isRingfenceError(error) && error.facts['httpStatus'] === 410
