/**
 * A backend in memory for any kind, held to the same conformance suite as the real ones. For tests of everything that
 * stands on drivers: its world can be shared, changed from outside, and made to fail on order.
 */
import type { Backend, BackendChange, Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { pointer, type JsonObject } from '../../model/json.ts'
import type { Outputs, Resource } from '../../model/resource.ts'
import { differences } from '../differences.ts'
import { createFaults, type FaultPoint, type Faults, type Verb } from './faults.ts'
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
  const drivers = Object.fromEntries(
    Object.entries(kinds).map(([kind, traits]) => [kind, driverOf({ kind, traits, world, pass: faults.pass })]),
  )
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

/** One kind in one world. */
interface Room {
  readonly kind: string
  readonly traits: MemoryKind
  readonly world: MemoryWorld
  readonly pass: FaultPoint['pass']
}

function driverOf(room: Room): Driver {
  const { kind, world, traits } = room
  const change = (resource: Resource, to: Partial<Omit<MemoryObject, 'id'>>) =>
    ownedAs(room, resource, world.change(kind, resource.externalName, to))
  return {
    fencing: 'conditional',
    async observe(resource, call): Promise<Observation> {
      try {
        return await within(room, 'observe', resource, call, () => observationOf(room, resource, call))
      } catch (error) {
        return { status: 'unreadable', cause: toRingfenceError(error) }
      }
    },
    diff: (resource, state) =>
      differences(state, resource.spec).map(({ keys, from, to }) => ({
        path: pointer(keys),
        from,
        to,
        how: howTo(traits, pointer(keys)),
      })),
    create: (resource, call) => create(room, resource, call),
    update: (resource, seen, _drift, call) =>
      within(room, 'update', resource, call, () => {
        const { credentials } = sameAs(room, resource, seen.id)
        return change(resource, { spec: resource.spec, credentials: { ...credentials, ...fingerprints(call) } })
      }),
    remove: (resource, seen, call) =>
      within(room, 'remove', resource, call, () => {
        if (!world.get(kind, resource.externalName)) return
        sameAs(room, resource, seen.id)
        if (traits.lingers)
          world.change(kind, resource.externalName, { deletingSinceMs: Date.now(), heldBy: ['memory/lingers'] })
        else world.deleteWithContents(kind, resource.externalName)
      }),
    adopt: (resource, seen, call) =>
      within(room, 'adopt', resource, call, () => {
        sameAs(room, resource, seen.id)
        return change(resource, { spec: resource.spec, address: resource.address })
      }),
    release: (resource, seen, call) =>
      within(room, 'release', resource, call, () => void sameAs(room, resource, seen.id)),
  }
}

/** Runs one effect between its two moments. */
async function within<T>(room: Room, verb: Verb, resource: Resource, call: Call, effect: () => T): Promise<T> {
  await room.pass({ verb, resource, when: 'before' }, call)
  const answer = effect()
  await room.pass({ verb, resource, when: 'after' }, call)
  return answer
}

async function create(room: Room, resource: Resource, call: Call): Promise<Owned | 'unknown'> {
  const { kind, world, traits, pass } = room
  await pass({ verb: 'create', resource, when: 'before' }, call)
  if (world.get(kind, resource.externalName)) {
    throw new RingfenceError('AlreadyExists', `${kind} ${resource.externalName} exists already`)
  }
  const container = traits.container?.(resource)
  if (container && !world.get(container.kind, container.externalName)) {
    throw new RingfenceError('Waiting', `${container.kind} ${container.externalName} is not there yet`)
  }
  const object = world.put(kind, resource.externalName, {
    spec: resource.spec,
    journal: call.key,
    credentials: fingerprints(call),
    address: resource.address,
    ...(resource.within === undefined ? {} : { within: resource.within }),
  })
  const answer = await pass({ verb: 'create', resource, when: 'after' }, call)
  return answer === 'answer lost' ? 'unknown' : ownedAs(room, resource, object)
}

function sameAs({ kind, world }: Room, resource: Resource, id: string): MemoryObject {
  const object = world.get(kind, resource.externalName)
  if (!object) throw new RingfenceError('NotFound', `${kind} ${resource.externalName} is not there`)
  if (object.id === id) return object
  throw new RingfenceError('Conflict', `${kind} ${resource.externalName} is another object by now; nothing was changed`)
}

function ownedAs({ traits }: Room, resource: Resource, object: MemoryObject): Owned {
  const shown = Object.keys(object.credentials).length > 0 || resource.secrets.length > 0
  return {
    status: 'owned',
    id: object.id,
    state: object.spec,
    outputs: traits.outputs?.(resource, object) ?? { id: object.id },
    ready: traits.ready?.(object) ?? true,
    ...(shown ? { credentials: object.credentials } : {}),
  }
}

function observationOf(room: Room, resource: Resource, call: Call): Observation {
  const object = room.world.get(room.kind, resource.externalName)
  if (!object) return { status: 'absent' }
  const { id, journal, heldBy, deletingSinceMs: sinceMs } = object
  const ours = id === call.knownId || (call.openCreateKey !== undefined && journal === call.openCreateKey)
  if (!ours) return { status: 'foreign', id, state: object.spec }
  if (sinceMs !== undefined) return { status: 'deleting', id, heldBy: heldBy ?? [], sinceMs }
  return ownedAs(room, resource, object)
}

const fingerprints = (call: Call): { readonly [slot: string]: string } =>
  Object.fromEntries(Object.entries(call.material ?? {}).map(([slot, material]) => [slot, material.sourceFingerprint]))

function howTo(traits: MemoryKind, path: string): 'update' | 'replace' | 'refuse' {
  if (traits.refused?.some((prefix) => path.startsWith(prefix))) return 'refuse'
  return traits.replaced?.some((prefix) => path.startsWith(prefix)) ? 'replace' : 'update'
}

/** The state of a world as a plain object, for comparisons in tests. */
export const worldState = (world: MemoryWorld): JsonObject =>
  Object.fromEntries(
    world
      .entries()
      .map(({ kind, externalName, object }) => [`${kind} ${externalName}`, { id: object.id, spec: object.spec }]),
  )
