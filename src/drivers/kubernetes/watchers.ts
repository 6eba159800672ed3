/**
 * The reflectors of one cluster: which kinds are watched, started and stopped as the server begins or ceases to serve
 * them. Hands out what they know by kind.
 */
import type { BackendChange } from '../../model/driver.ts'
import type { JsonObject } from '../../model/json.ts'
import { defaultTimeoutMs, type KubernetesClient } from './client.ts'
import type { Discovery } from './discovery.ts'
import type { Known } from './driver.ts'
import { apiVersionOf, drivenKinds, groupKind, snapshotKinds, type KubeKind } from './kinds.ts'
import { prunedMetadata } from './prune.ts'
import { createReflector, type Reflector } from './reflector.ts'

export interface WatchersOptions {
  readonly client: KubernetesClient
  readonly discovery: Discovery
  readonly onChange: (change: BackendChange) => void
  readonly silenceMs?: number
  readonly backoffMs?: { readonly first: number; readonly last: number }
  /** How often the server is asked which kinds it serves, besides after a change of a definition. */
  readonly rediscoverMs?: number
}

export interface Watchers {
  /** Idempotent; runs until the signal aborts. */
  start(signal: AbortSignal): void
  known(kind: KubeKind): Known
  /** All objects of a kind, or undefined while its watch is not in step. */
  objects(kind: KubeKind): readonly JsonObject[] | undefined
  stopped(): Promise<void>
}

/** Kinds whose objects change by the second and that no driver owns: they feed the snapshot, not the queue. */
const quiet = new Set(['Pod', 'EndpointSlice'])

interface Running {
  readonly reflector: Reflector
  readonly version: string
  readonly stop: () => void
  readonly done: Promise<void>
}

export function createWatchers(options: WatchersOptions): Watchers {
  const { client, discovery, onChange } = options
  const running = new Map<string, Running>()
  /** Kinds that the server was seen not to serve; a watch on definitions and the clock look again. */
  const notServed = new Set<string>()
  const loops: Promise<void>[] = []
  let started = false
  let stale = false
  let wake: () => void = () => undefined
  const driverName = new Map(Object.entries(drivenKinds).map(([name, kind]) => [groupKind(kind), name]))

  function watchKind(kind: KubeKind, signal: AbortSignal): void {
    const name = `kubernetes/${driverName.get(groupKind(kind)) ?? kind.kind}`
    const stop = new AbortController()
    const reflector = createReflector({
      client,
      kind,
      ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
      ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
      onChange: (change) => {
        if (change === 'resync') onChange('resync')
        else if (!quiet.has(kind.kind)) onChange({ kind: name, externalName: change })
      },
    })
    const done = reflector.run(AbortSignal.any([signal, stop.signal]))
    running.set(groupKind(kind), { reflector, version: apiVersionOf(kind), stop: () => stop.abort(), done })
  }

  /** Starts what is served and not watched, stops what is watched and no longer served. A kind in doubt stays as it is. */
  async function reconcile(signal: AbortSignal): Promise<void> {
    discovery.forget()
    const limits = { signal, deadlineMs: Date.now() + defaultTimeoutMs }
    await Promise.all(
      snapshotKinds.map(async (kind) => {
        const key = groupKind(kind)
        try {
          const served = await discovery.served(kind, limits)
          const current = running.get(key)
          if (current && (!served || current.version !== apiVersionOf(served))) {
            current.stop()
            running.delete(key)
          }
          if (served) notServed.delete(key)
          else notServed.add(key)
          if (served && !running.has(key) && !signal.aborted) watchKind(served, signal)
        } catch {
          notServed.delete(key)
        }
      }),
    )
  }

  async function keepReconciled(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      stale = false
      await reconcile(signal)
      await new Promise<void>((resolve) => {
        if (stale || signal.aborted) return resolve()
        const timer = setTimeout(resolve, options.rediscoverMs ?? 60_000)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  return {
    start(signal) {
      if (started) return
      started = true
      const definitions = createReflector({
        client,
        kind: drivenKinds['CustomResourceDefinition'] as KubeKind,
        keep: (live) => ({ metadata: prunedMetadata(live), status: live['status'] ?? {} }),
        onChange: () => {
          stale = true
          wake()
        },
      })
      signal.addEventListener('abort', () => wake(), { once: true })
      loops.push(definitions.run(signal), keepReconciled(signal))
    },
    known(kind) {
      const reflector = () => running.get(groupKind(kind))?.reflector
      return {
        get: (externalName) => reflector()?.get(externalName),
        saw: (externalName, live) => reflector()?.saw(externalName, live),
        doubt: (externalName) => reflector()?.doubt(externalName),
      }
    },
    objects(kind) {
      const reflector = running.get(groupKind(kind))?.reflector
      if (reflector) return reflector.inStep() ? reflector.objects() : undefined
      return notServed.has(groupKind(kind)) ? [] : undefined
    },
    async stopped() {
      await Promise.all([...loops, ...[...running.values()].map((entry) => entry.done)])
    },
  }
}
