/**
 * A backend's world in memory: named objects with ids of their own, shared by as many connections as a test opens.
 * What people do to it directly stands for changes made outside of the control plane.
 */
import type { BackendChange } from '../../model/driver.ts'
import type { JsonObject } from '../../model/json.ts'
import { deepFreeze } from '../../model/json.ts'
import { type Address, backendId, type BackendId } from '../../model/resource.ts'

export interface MemoryObject {
  readonly id: BackendId
  readonly spec: JsonObject
  /** The key of the create that made it; absent on objects that people made. */
  readonly journal?: string
  /** Fingerprints by slot. */
  readonly credentials: { readonly [slot: string]: string }
  /** The address of the resource that it was made for, and of what that lies in. */
  readonly address?: Address
  readonly within?: Address
  readonly deletingSinceMs?: number
  readonly heldBy?: readonly string[]
}

export interface MemoryWorld {
  get(kind: string, externalName: string): MemoryObject | undefined
  entries(): readonly { readonly kind: string; readonly externalName: string; readonly object: MemoryObject }[]
  /** Makes an object with a new id, or replaces the one of that name by it. */
  put(kind: string, externalName: string, object: Omit<MemoryObject, 'id'>): MemoryObject
  /** Changes an object and keeps its id. */
  change(kind: string, externalName: string, change: Partial<Omit<MemoryObject, 'id'>>): MemoryObject
  delete(kind: string, externalName: string): void
  /** Deletes an object and whatever was made within it, as a namespace does. */
  deleteWithContents(kind: string, externalName: string): void
  listen(listener: (change: BackendChange) => void): () => void
}

export function createMemoryWorld(): MemoryWorld {
  const objects = new Map<string, { kind: string; externalName: string; object: MemoryObject }>()
  const listeners = new Set<(change: BackendChange) => void>()
  let made = 0
  const key = (kind: string, externalName: string) => `${kind} ${externalName}`
  const tell = (kind: string, externalName: string) => listeners.forEach((listener) => listener({ kind, externalName }))
  const set = (kind: string, externalName: string, object: MemoryObject): MemoryObject => {
    objects.set(key(kind, externalName), { kind, externalName, object: deepFreeze(structuredClone(object)) })
    tell(kind, externalName)
    return object
  }
  const remove = (kind: string, externalName: string): void => {
    if (objects.delete(key(kind, externalName))) tell(kind, externalName)
  }
  const removeWithContents = (kind: string, externalName: string): void => {
    const address = objects.get(key(kind, externalName))?.object.address
    remove(kind, externalName)
    if (address === undefined) return
    for (const inside of objects.values()) {
      if (inside.object.within === address) removeWithContents(inside.kind, inside.externalName)
    }
  }
  return {
    get: (kind, externalName) => objects.get(key(kind, externalName))?.object,
    entries: () => [...objects.values()],
    put: (kind, externalName, object) => set(kind, externalName, { ...object, id: backendId(`memory-${++made}`) }),
    change(kind, externalName, change) {
      const found = objects.get(key(kind, externalName))
      if (!found) throw new Error(`${kind} ${externalName} is not there`)
      return set(kind, externalName, { ...found.object, ...change })
    },
    delete: remove,
    deleteWithContents: removeWithContents,
    listen(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
