/**
 * The objects of one kind as last heard of, by external name, newest version first to win. Keeps text instead of
 * parsed objects: it takes a fraction of the memory, and most are never looked at. Knows no connection.
 */
import type { JsonObject } from '../../model/json.ts'
import { externalNameOf } from './kinds.ts'
import { liveMetadata } from './object.ts'

export interface ObjectStore {
  /** The object, null when it is not among them, undefined while a write of ours leaves it in doubt. */
  get(externalName: string): JsonObject | null | undefined
  all(): JsonObject[]
  /** Takes a version of an object unless a newer one is known; answers whether anything that is kept changed. */
  put(live: JsonObject): boolean
  /** Forgets an object unless a newer one is known; answers whether it was there. */
  delete(live: JsonObject): boolean
  /** Begins a list that will replace all that is here. */
  listing(): { add(live: JsonObject): void; done(version: number): void }
  doubt(externalName: string): void
  trust(externalName: string): void
}

interface Entry {
  readonly version: number
  readonly text: string
}

/** How long a write of unknown outcome keeps us from trusting what was heard about its object. */
const doubtMs = 60_000

export function createObjectStore(keep: (live: JsonObject) => JsonObject, now: () => number): ObjectStore {
  let entries = new Map<string, Entry>()
  const doubts = new Map<string, number>()
  const versionOf = (live: JsonObject): number => Number(liveMetadata(live).resourceVersion)
  const entryOf = (live: JsonObject): Entry => ({ version: versionOf(live), text: JSON.stringify(keep(live)) })
  const parse = (entry: Entry): JsonObject => JSON.parse(entry.text) as JsonObject
  return {
    get(externalName) {
      const doubtedUntil = doubts.get(externalName)
      if (doubtedUntil !== undefined && doubtedUntil > now()) return undefined
      doubts.delete(externalName)
      const entry = entries.get(externalName)
      return entry ? parse(entry) : null
    },
    all: () => [...entries.values()].map(parse),
    put(live) {
      const name = externalNameOf(live)
      const [entry, before] = [entryOf(live), entries.get(name)]
      if (before && before.version > entry.version) return false
      entries.set(name, entry)
      return before?.text !== entry.text
    },
    delete(live) {
      const name = externalNameOf(live)
      return (entries.get(name)?.version ?? 0) <= versionOf(live) && entries.delete(name)
    },
    listing() {
      const fresh = new Map<string, Entry>()
      return {
        add: (live) => void fresh.set(externalNameOf(live), entryOf(live)),
        done(version) {
          // Answers to our own writes may be newer than the list.
          for (const [name, entry] of entries) {
            if (entry.version > version && (fresh.get(name)?.version ?? 0) < entry.version) fresh.set(name, entry)
          }
          entries = fresh
        },
      }
    },
    doubt: (externalName) => void doubts.set(externalName, now() + doubtMs),
    trust: (externalName) => void doubts.delete(externalName),
  }
}
