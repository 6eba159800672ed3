/**
 * The annotations that we put on objects, and which labels and annotations of an object are ours to enforce. Marks
 * are for people and for recovery after a lost answer; ownership is never read from them (DESIGN §3).
 */
import { isObject, type JsonObject } from '../../model/json.ts'

/** The journal id of the create that made the object. */
export const journalMark = 'ringfence.dev/journal'
/** Names of the labels and annotations that we set, so that those dropped from the document are taken off again. */
const managedMark = 'ringfence.dev/managed'
/** Values that an adopted namespace had before we set ours; given back by `release`. */
export const beforeMark = 'ringfence.dev/before-adoption'
/** On a namespace: its workloads have been told to go (see workloads.ts). */
export const workloadsMark = 'ringfence.dev/workloads'
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'

export type StringMap = { readonly [key: string]: string }

/** The two maps of an object's metadata that hold free keys. */
export interface Marks {
  readonly labels: StringMap
  readonly annotations: StringMap
}

export const marksOf = (manifest: JsonObject): Marks => {
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {}
  return { labels: stringMap(metadata['labels']), annotations: stringMap(metadata['annotations']) }
}

const stringMap = (value: unknown): StringMap => (isObject(value) ? (value as StringMap) : {})

/** What a desired manifest asks for, with the note of its own keys. */
export function desiredMarks(spec: JsonObject): Marks {
  const { labels, annotations } = marksOf(spec)
  const note = JSON.stringify({
    labels: Object.keys(labels).toSorted(),
    annotations: Object.keys(annotations).toSorted(),
  })
  return { labels, annotations: { ...annotations, [managedMark]: note } }
}

/** Keys that a note on an object claims as ours. A note that cannot be read claims nothing. */
export function managedKeys(annotations: StringMap): {
  readonly labels: readonly string[]
  readonly annotations: readonly string[]
} {
  try {
    const note: unknown = JSON.parse(annotations[managedMark] ?? '{}')
    const keys = (value: unknown) => (Array.isArray(value) ? value.filter((key) => typeof key === 'string') : [])
    return isObject(note)
      ? { labels: keys(note['labels']), annotations: keys(note['annotations']) }
      : { labels: [], annotations: [] }
  } catch {
    return { labels: [], annotations: [] }
  }
}

/** Annotations that are not part of what is compared. */
const unseen = new Set([journalMark, beforeMark, workloadsMark, lastApplied])
export const visibleAnnotations = (annotations: StringMap): StringMap =>
  Object.fromEntries(Object.entries(annotations).filter(([key]) => !unseen.has(key)))

/** Keys that weaken isolation when a stranger adds them, by kind; `*` is every kind. */
const guarded: {
  readonly [kind: string]: { readonly labels?: readonly string[]; readonly annotations?: readonly string[] }
} = {
  '*': { labels: ['ringfence.dev/'], annotations: ['ringfence.dev/'] },
  Namespace: { labels: ['pod-security.kubernetes.io/'], annotations: ['scheduler.alpha.kubernetes.io/'] },
  ClusterRole: { labels: ['rbac.authorization.k8s.io/'] },
  ServiceAccount: {
    annotations: [
      'eks.amazonaws.com/',
      'iam.gke.io/',
      'azure.workload.identity/',
      'kubernetes.io/enforce-mountable-secrets',
    ],
  },
}

/**
 * What the marks of an object should be: ours as desired, those that we once set and no longer want removed, guarded
 * keys of strangers removed, all others left as they are.
 */
export function targetMarks(kind: string, spec: JsonObject, present: Marks): Marks {
  const desired = desiredMarks(spec)
  const managed = managedKeys(present.annotations)
  const keep = (what: 'labels' | 'annotations') => {
    const guards = [...(guarded['*']?.[what] ?? []), ...(guarded[kind]?.[what] ?? [])]
    const strangers = Object.entries(present[what]).filter(
      ([key]) =>
        !managed[what].includes(key) &&
        !(guards.some((guard) => key.startsWith(guard)) && !(what === 'annotations' && unseen.has(key))),
    )
    return { ...Object.fromEntries(strangers), ...desired[what] }
  }
  return { labels: keep('labels'), annotations: keep('annotations') }
}
