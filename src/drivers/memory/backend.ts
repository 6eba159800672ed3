/**
 * A backend in memory for any kind, held to the same conformance suite as the real ones. For tests of everything that
 * stands on drivers: its world can be shared, changed from outside, and made to fail on order.
 */
import type { Backend, BackendChange, Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { pointer, type JsonObject } from '../../model/json.ts'
import type { Outputs, Resource } from '../../model/resource.ts'
import { differences } from '../differences.ts'
import { createFaults, type Faults, type Verb } from './faults.ts'
import { createMemoryWorld, type MemoryObject, type MemoryWorld } from './world.ts'

export interface MemoryKind {
  /** RFC 6901 prefixes that cannot be changed in place. */
  readonly replaced?: readonly string[]
  readonly refused?: readonly string[]
  readonly outputs?: (resource: Resource, object: MemoryObject) => Outputs
  readonly ready?: (object: MemoryObject) => boolean
  /** Deletion leaves the object `deleting` until a test deletes it from the world. */
  readonly lingers?: boolean
  /** External name of what must exist first; without it create answers `Waiting`. */
  readonly container?: (resource: Resource) => { readonly kind: string; readonly externalName: string } | undefined
}

export interface MemoryBackendOptions {
  readonly kinds: { readonly [kind: string]: MemoryKind } | readonly string[]
  readonly world?: MemoryWorld
}

export interface MemoryBackend extends Backend {
  readonly world: MemoryWorld
  readonly faults: Faults
}

export function createMemoryBackend(name: string, options: MemoryBackendOptions): MemoryBackend {
  const world = options.world ?? createMemoryWorld()
  const faults = createFaults()
  const kinds = isNames(options.kinds) ? Object.fromEntries(options.kinds.map((kind) => [kind, {}])) : options.kinds
  const drivers = Object.fromEntries(Object.entries(kinds).map(([kind, traits]) => [kind, driverOf(kind, traits, world, faults.pass)]))
  return {
    name,
    world,
    faults,
    drivers,
    async *changes(signal): AsyncIterable<BackendChange> {
      const waiting: BackendChange[] = ['resync']
      let wake: () => void = () => undefined
      const stop = world.listen((change) => {
        waiting.push(change)
        wake()
      })
      const abort = () => wake()
      signal.addEventListener('abort', abort)
      try {
        while (!signal.aborted) {
          const next = waiting.shift()
          if (next) yield next
          else await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        stop()
        signal.removeEventListener('abort', abort)
      }
    },
    check: async (signal) => {
      if (signal.aborted) throw new RingfenceError('Aborted', 'given up by the caller')
    },
    close: async () => undefined,
  }
}

const isNames = (kinds: MemoryBackendOptions['kinds']): kinds is readonly string[] => Array.isArray(kinds)

function driverOf(kind: string, traits: MemoryKind, world: MemoryWorld, pass: ReturnType<typeof createFaults>['pass']): Driver {
  const at = (resource: Resource) => world.get(kind, resource.externalName)
  const owned = (resource: Resource, object: MemoryObject): Owned => {
    const ready = traits.ready?.(object) ?? true
    return {
      status: 'owned',
      id: object.id,
      state: object.spec,
      outputs: traits.outputs?.(resource, object) ?? { id: object.id },
      ready,
      ...(Object.keys(object.credentials).length > 0 || resource.secrets.length > 0 ? { credentials: object.credentials } : {}),
    }
  }
  /** Runs one effect between its two moments. */
  const within = async <T>(verb: Verb, resource: Resource, call: Call, effect: () => T): Promise<T> => {
    await pass({ verb, resource, when: 'before' }, call)
    const answer = effect()
    await pass({ verb, resource, when: 'after' }, call)
    return answer
  }
  const sameAs = (resource: Resource, id: string): MemoryObject => {
    const object = at(resource)
    if (!object) throw new RingfenceError('NotFound', `${kind} ${resource.externalName} is not there`)
    if (object.id !== id) throw new RingfenceError('Conflict', `${kind} ${resource.externalName} is another object by now; nothing was changed`)
    return object
  }

  return {
    fencing: 'conditional',
    async observe(resource, call): Promise<Observation> {
      try {
        return await within('observe', resource, call, () => observationOf(resource, at(resource), call))
      } catch (error) {
        return { status: 'unreadable', cause: toRingfenceError(error) }
      }
    },
    diff: (resource, state) =>
      differences(state, resource.spec).map(({ keys, from, to }) => ({ path: pointer(keys), from, to, how: howTo(traits, pointer(keys)) })),
    async create(resource, call) {
      await pass({ verb: 'create', resource, when: 'before' }, call)
      if (at(resource)) throw new RingfenceError('AlreadyExists', `${kind} ${resource.externalName} exists already`)
      const container = traits.container?.(resource)
      if (container && !world.get(container.kind, container.externalName)) throw new RingfenceError('Waiting', `${container.kind} ${container.externalName} is not there yet`)
      const object = world.put(kind, resource.externalName, { spec: resource.spec, journal: call.key, credentials: fingerprints(call) })
      const answer = await pass({ verb: 'create', resource, when: 'after' }, call)
      return answer === 'answer lost' ? 'unknown' : owned(resource, object)
    },
    update: (resource, seen, _drift, call) =>
      within('update', resource, call, () => {
        const { credentials } = sameAs(resource, seen.id)
        return owned(resource, world.change(kind, resource.externalName, { spec: resource.spec, credentials: { ...credentials, ...fingerprints(call) } }))
      }),
    remove: (resource, seen, call) =>
      within('remove', resource, call, () => {
        if (!at(resource)) return
        sameAs(resource, seen.id)
        if (traits.lingers) world.change(kind, resource.externalName, { deletingSinceMs: Date.now(), heldBy: ['memory/lingers'] })
        else world.delete(kind, resource.externalName)
      }),
    adopt: (resource, seen, call) =>
      within('adopt', resource, call, () => {
        sameAs(resource, seen.id)
        return owned(resource, world.change(kind, resource.externalName, { spec: resource.spec }))
      }),
    release: (resource, seen, call) => within('release', resource, call, () => void sameAs(resource, seen.id)),
  }

  function observationOf(resource: Resource, object: MemoryObject | undefined, call: Call): Observation {
    if (!object) return { status: 'absent' }
    const ours = object.id === call.knownId || (call.openCreateKey !== undefined && object.journal === call.openCreateKey)
    if (!ours) return { status: 'foreign', id: object.id, state: object.spec }
    if (object.deletingSinceMs !== undefined) return { status: 'deleting', id: object.id, heldBy: object.heldBy ?? [], sinceMs: object.deletingSinceMs }
    return owned(resource, object)
  }
}

const fingerprints = (call: Call): { readonly [slot: string]: string } =>
  Object.fromEntries(Object.entries(call.material ?? {}).map(([slot, material]) => [slot, material.sourceFingerprint]))

function howTo(traits: MemoryKind, path: string): 'update' | 'replace' | 'refuse' {
  if (traits.refused?.some((prefix) => path.startsWith(prefix))) return 'refuse'
  return traits.replaced?.some((prefix) => path.startsWith(prefix)) ? 'replace' : 'update'
}

/** The state of a world as a plain object, for comparisons in tests. */
export const worldState = (world: MemoryWorld): JsonObject =>
  Object.fromEntries(world.entries().map(({ kind, externalName, object }) => [`${kind} ${externalName}`, { id: object.id, spec: object.spec }]))
