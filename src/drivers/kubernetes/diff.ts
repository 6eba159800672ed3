/** What differs between a desired manifest and an observed object. Pure; the same rules decide what `update` writes. */
import { isObject, jsonEqual, pointer, type Json, type JsonObject } from '../../model/json.ts'
import type { Drift } from '../../model/driver.ts'
import { differences, valueAt, type Difference } from '../differences.ts'
import { marksOf, targetMarks } from './marks.ts'
import { fencingFields } from './normalise.ts'

/**
 * All fields that fence are compared closed-world; labels and annotations as `marks.ts` says. Owner references are
 * drift on every kind but a namespace: a stranger's reference would have the garbage collector remove the fence.
 */
export function diffManifest(spec: JsonObject, state: JsonObject): readonly Drift[] {
  const kind = String(spec['kind'])
  const present = marksOf(state)
  const target = targetMarks(kind, spec, present)
  const fields = sameFields(spec, state)
    ? []
    : differences(fencingFields(kind, state), fencingFields(kind, spec)).map((found) => spelled(found, spec, state))
  const marks = differences({ ...present }, { ...target }, ['metadata'])
  const owners = differences(ownerReferences(state), ownerReferences(spec), ['metadata', 'ownerReferences'])
  return [...marks, ...owners, ...fields].map(({ keys, from, to }) => ({
    path: pointer(keys),
    from,
    to,
    how: howTo(kind, keys, state),
  }))
}

/** Whether nothing needs normalising: the common case of a pass over thousands of unchanged objects. */
const sameFields = (spec: JsonObject, state: JsonObject): boolean =>
  Object.keys(spec).every((field) => identity.has(field) || jsonEqual(spec[field], state[field])) &&
  Object.keys(state).every((field) => identity.has(field) || Object.hasOwn(spec, field))
const identity = new Set(['apiVersion', 'kind', 'metadata', 'status'])

const ownerReferences = (manifest: JsonObject): Json | undefined => {
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {}
  const references = metadata['ownerReferences']
  return Array.isArray(references) && references.length > 0 ? references : undefined
}

/** Shows values as people wrote them where the path exists on both sides, not as they were normalised. */
const spelled = ({ keys, from, to }: Difference, spec: JsonObject, state: JsonObject): Difference => ({
  keys,
  from: valueAt(state, keys) ?? from,
  to: valueAt(spec, keys) ?? to,
})

function howTo(kind: string, keys: readonly (string | number)[], state: JsonObject): Drift['how'] {
  const [top, field] = keys
  if ((kind === 'RoleBinding' || kind === 'ClusterRoleBinding') && top === 'roleRef') return 'replace'
  if (kind === 'ConfigMap' && state['immutable'] === true && top !== 'metadata') return 'replace'
  if (kind === 'CustomResourceDefinition' && top === 'spec' && (field === 'scope' || field === 'group')) return 'refuse'
  return 'update'
}
