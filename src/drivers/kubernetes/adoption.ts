/**
 * Taking over an existing namespace and giving it back: only labels and annotations are ever set on it, and what they
 * replaced is noted on the object so that `release` restores it. Pure.
 */
import { isObject, type JsonObject } from '../../model/json.ts'
import {
  beforeMark,
  desiredMarks,
  journalMark,
  managedKeys,
  targetMarks,
  workloadsMark,
  type Marks,
  type StringMap,
} from './marks.ts'

/** Marks of an object that becomes ours. A note of an earlier adoption is kept: it is the older truth. */
export function adoptedMarks(kind: string, spec: JsonObject, present: Marks): Marks {
  const target = targetMarks(kind, spec, present)
  const desired = desiredMarks(spec)
  const replaced = (what: 'labels' | 'annotations'): StringMap =>
    Object.fromEntries(
      Object.entries(present[what]).filter(
        // A value that happens to be the one we set is its owner's all the same, and comes back.
        ([key, value]) =>
          (target[what][key] !== value || Object.hasOwn(desired[what], key)) &&
          !(what === 'annotations' && key === beforeMark),
      ),
    )
  const before =
    present.annotations[beforeMark] ??
    JSON.stringify({ labels: replaced('labels'), annotations: replaced('annotations') })
  return { labels: target.labels, annotations: { ...target.annotations, ...desired.annotations, [beforeMark]: before } }
}

/** Marks of an object that is left to its owner: ours gone, what they replaced back. */
export function releasedMarks(present: Marks): Marks {
  const managed = managedKeys(present.annotations)
  const before = noted(present.annotations[beforeMark])
  const ours = new Set([journalMark, beforeMark, workloadsMark, 'ringfence.dev/managed'])
  const rest = (what: 'labels' | 'annotations'): StringMap => ({
    ...Object.fromEntries(
      Object.entries(present[what]).filter(
        ([key]) => !managed[what].includes(key) && !(what === 'annotations' && ours.has(key)),
      ),
    ),
    ...before[what],
  })
  return { labels: rest('labels'), annotations: rest('annotations') }
}

function noted(note: string | undefined): Marks {
  const strings = (value: unknown): StringMap =>
    isObject(value)
      ? Object.fromEntries(
          Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
        )
      : {}
  try {
    const parsed: unknown = JSON.parse(note ?? '{}')
    return isObject(parsed)
      ? { labels: strings(parsed['labels']), annotations: strings(parsed['annotations']) }
      : { labels: {}, annotations: {} }
  } catch {
    return { labels: {}, annotations: {} }
  }
}
