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
/**
 * Every namespace gets its account `default` from the cluster's own controllers, a moment after it was made. Proofs
 * hold for every account that a namespace could have, so that one more is nothing to look at.
 */
const isNews = (kind: KubeKind, externalName: string): boolean =>
  !quiet.has(kind.kind) && !(kind.kind === 'ServiceAccount' && externalName.endsWith('/default'))

interface Running {
  readonly reflector: Reflector
  readonly version: string
  readonly stop: () => void
  readonly done: Promise<void>
}

/** What the watchers of one cluster share. */
interface Room extends WatchersOptions {
  readonly running: Map<string, Running>
  /** Kinds that the server was seen not to serve; a watch on definitions and the clock look again. */
  readonly notServed: Set<string>
}

export function createWatchers(options: WatchersOptions): Watchers {
  const room: Room = { ...options, running: new Map(), notServed: new Set() }
  const loops: Promise<void>[] = []
  const reflectorOf = (kind: KubeKind) => room.running.get(groupKind(kind))?.reflector
  return {
    start(signal) {
      if (loops.length === 0) loops.push(...keepReconciled(room, signal))
    },
    known: (kind) => ({
      get: (externalName) => reflectorOf(kind)?.get(externalName),
      saw: (externalName, live) => reflectorOf(kind)?.saw(externalName, live),
      writing(externalName) {
        const reflector = reflectorOf(kind)
        if (reflector === undefined) return () => undefined
        // What holds for the whole cluster concerns every tenant, whoever wrote it.
        const echoes = kind.namespaced || kind.kind === 'Namespace'
        return echoes ? reflector.writing(externalName) : (live) => live && reflector.saw(externalName, live)
      },
      doubt: (externalName) => reflectorOf(kind)?.doubt(externalName),
    }),
    objects(kind) {
      const reflector = reflectorOf(kind)
      if (reflector) return reflector.inStep() ? reflector.objects() : undefined
      return room.notServed.has(groupKind(kind)) ? [] : undefined
    },
    async stopped() {
      await Promise.all([...loops, ...[...room.running.values()].map((entry) => entry.done)])
    },
  }
}

/** Looks at what is served whenever a definition changes, and every minute; answers the loops that do it. */
function keepReconciled(room: Room, signal: AbortSignal): Promise<void>[] {
  let stale = false
  let wake: () => void = () => undefined
  const look = () => {
    stale = true
    wake()
  }
  const definitions = createReflector({
    client: room.client,
    kind: drivenKinds['CustomResourceDefinition'] as KubeKind,
    keep: (live) => ({ metadata: prunedMetadata(live), status: live['status'] ?? {} }),
    onChange: look,
  })
  signal.addEventListener('abort', look, { once: true })
  const loop = async (): Promise<void> => {
    while (!signal.aborted) {
      stale = false
      await reconcile(room, signal)
      await new Promise<void>((resolve) => {
        if (stale || signal.aborted) return resolve()
        const timer = setTimeout(resolve, room.rediscoverMs ?? 60_000)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }
  return [definitions.run(signal), loop()]
}

/** Starts what is served and not watched, stops what is watched and no longer served. A kind in doubt stays as it is. */
async function reconcile(room: Room, signal: AbortSignal): Promise<void> {
  const { discovery, running, notServed } = room
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
        if (served && !running.has(key) && !signal.aborted) running.set(key, watchKind(room, served, signal))
      } catch {
        // Not known to be served and not known not to be: asked again at the next look, read directly until then.
        notServed.delete(key)
      }
    }),
  )
}

const driverNames = new Map(Object.entries(drivenKinds).map(([name, kind]) => [groupKind(kind), name]))
/** Kinds without a driver carry their group, so that none is taken for one that has. */
const changeKind = (kind: KubeKind): string =>
  `kubernetes/${driverNames.get(groupKind(kind)) ?? (kind.group === '' ? kind.kind : `${kind.kind}.${kind.group}`)}`

function watchKind(room: Room, kind: KubeKind, signal: AbortSignal): Running {
  const { client, onChange, silenceMs, backoffMs } = room
  const stop = new AbortController()
  const reflector = createReflector({
    client,
    kind,
    ...(silenceMs === undefined ? {} : { silenceMs }),
    ...(backoffMs === undefined ? {} : { backoffMs }),
    onChange: (change) => {
      if (change === 'resync') onChange('resync')
      else if (isNews(kind, change)) onChange({ kind: changeKind(kind), externalName: change })
    },
  })
  const done = reflector.run(AbortSignal.any([signal, stop.signal]))
  return { reflector, version: apiVersionOf(kind), stop: () => stop.abort(), done }
}
