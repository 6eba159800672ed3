/**
 * Tells the echo of our own writes from what others change. A watch often hears of a write before its answer is here,
 * so that what it tells of an object being written is held back until the answer says which version was ours.
 */
import type { JsonObject } from '../../model/json.ts'
import { liveMetadata } from './object.ts'

export interface Echoes {
  /** The watch told this version of an object. */
  tell(externalName: string, live: JsonObject): void
  /** A write of ours begins; the function ends it with its answer, or undefined when there is none. */
  begin(externalName: string): (live: JsonObject | undefined) => void
}

interface Writing {
  count: number
  /** The newest version that was told meanwhile. */
  told: string | undefined
  readonly ours: Set<string>
}

export function createEchoes(onChange: (externalName: string) => void): Echoes {
  const writings = new Map<string, Writing>()
  return {
    tell(externalName, live) {
      const writing = writings.get(externalName)
      if (writing === undefined) onChange(externalName)
      else writing.told = liveMetadata(live).resourceVersion
    },
    begin(externalName) {
      const writing = writings.get(externalName) ?? { count: 0, told: undefined, ours: new Set<string>() }
      writing.count += 1
      writings.set(externalName, writing)
      return (live) => {
        if (live !== undefined) writing.ours.add(liveMetadata(live).resourceVersion)
        writing.count -= 1
        if (writing.count > 0) return
        writings.delete(externalName)
        if (writing.told !== undefined && !writing.ours.has(writing.told)) onChange(externalName)
      }
    },
  }
}
