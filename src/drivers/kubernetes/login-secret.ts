/**
 * What a login looks like as a Secret, and what a Secret shows of a login: values become fingerprints here, and
 * nothing behind this file ever sees them. Pure.
 */
import { createHash } from 'node:crypto'
import type { Call, Drift, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import { isObject, pointer, type JsonObject } from '../../model/json.ts'
import { backendId, type Resource } from '../../model/resource.ts'
import { differences } from '../differences.ts'
import { journalMark, marksOf, targetMarks, type Marks } from './marks.ts'
import { isOurs, type LiveMetadata } from './object.ts'
import { prunedMetadata } from './prune.ts'

export function placeOf(resource: Resource): { readonly namespace: string; readonly name: string } {
  const { namespace, name } = resource.spec
  if (typeof namespace !== 'string' || typeof name !== 'string' || resource.externalName !== `${namespace}/${name}`) {
    throw new RingfenceError(
      'Internal',
      `${resource.address}: the spec is not that of Secret ${resource.externalName}`,
      { address: resource.address },
    )
  }
  return { namespace, name }
}

export const slotsOf = (resource: Resource): string[] =>
  resource.secrets.filter((slot) => slot.role === 'source').map((slot) => slot.name)
const mapOf = <T>(entries: readonly (readonly [string, T])[]): { readonly [key: string]: T } =>
  Object.fromEntries(entries)
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')
const fingerprint = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const dataOf = (resource: Resource): { readonly [key: string]: string } =>
  mapOf(
    Object.entries(isObject(resource.spec['data']) ? resource.spec['data'] : {}).map(([key, value]) => [
      key,
      String(value),
    ]),
  )

/** The labels that a Secret must carry; the first is what the watch selects by. */
export const marksManifest = (resource: Resource): JsonObject => ({
  kind: 'Secret',
  metadata: {
    labels: {
      'app.kubernetes.io/managed-by': 'ringfence',
      ...(isObject(resource.spec['labels']) ? resource.spec['labels'] : {}),
    },
  },
})

export function manifestOf(resource: Resource, call: Call): JsonObject {
  const { namespace, name } = placeOf(resource)
  const clear = Object.entries(call.material ?? {}).map(([slot, material]) => [slot, base64(material.clear)] as const)
  const target = targetMarks('Secret', marksManifest(resource), { labels: {}, annotations: {} })
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name,
      namespace,
      labels: target.labels,
      annotations: { ...target.annotations, [journalMark]: call.key },
    },
    data: {
      ...mapOf(Object.entries(dataOf(resource)).map(([key, value]) => [key, base64(value)] as const)),
      ...mapOf(clear),
    },
  }
}

/** A Secret with its values replaced by their SHA-256, so that nothing later can show them by mistake. */
export function withFingerprints(live: JsonObject): JsonObject {
  const data = isObject(live['data']) ? live['data'] : {}
  const prints = Object.entries(data).map(
    ([key, value]) => [key, fingerprint(Buffer.from(String(value), 'base64'))] as const,
  )
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: live['type'] ?? '',
    immutable: live['immutable'] ?? false,
    metadata: prunedMetadata(live),
    data: mapOf(prints),
  }
}

/** Values other than those asked for are not shown: somebody may have put a secret in their place. */
const withheld = '(another value)'

export function ownedOf(resource: Resource, live: JsonObject): Owned {
  const prints = live['data'] as { readonly [key: string]: string }
  const slots = slotsOf(resource)
  const id = backendId((live['metadata'] as unknown as LiveMetadata).uid)
  return {
    status: 'owned',
    id,
    state: stateOf(resource, live),
    outputs: { uid: id, secret: resource.externalName },
    ready: true,
    credentials: mapOf(slots.map((slot) => [slot, prints[slot]])),
  }
}

function stateOf(resource: Resource, live: JsonObject): JsonObject {
  const prints = live['data'] as { readonly [key: string]: string }
  const slots = new Set(slotsOf(resource))
  const wanted = dataOf(resource)
  const data = Object.entries(prints)
    .filter(([key]) => !slots.has(key))
    .map(([key, print]): readonly [string, string] => [
      key,
      wanted[key] !== undefined && fingerprint(Buffer.from(wanted[key], 'utf8')) === print ? wanted[key] : withheld,
    ])
  const { labels, annotations } = marksOf(live)
  const { ownerReferences } = live['metadata'] as unknown as LiveMetadata
  return {
    type: live['type'] ?? '',
    data: mapOf(data),
    slots: [...slots].filter((slot) => prints[slot] !== undefined),
    immutable: live['immutable'] ?? false,
    labels,
    managed: annotations['ringfence.dev/managed'] ?? '',
    owners: Array.isArray(ownerReferences) ? ownerReferences.length : 0,
  }
}

export function observationOf(resource: Resource, live: JsonObject, call: Call): Observation {
  const { uid, deletionTimestamp, finalizers } = live['metadata'] as unknown as LiveMetadata
  if (!isOurs(live, call)) return { status: 'foreign', id: backendId(uid), state: stateOf(resource, live) }
  if (deletionTimestamp !== undefined)
    return { status: 'deleting', id: backendId(uid), heldBy: finalizers ?? [], sinceMs: Date.parse(deletionTimestamp) }
  return ownedOf(resource, live)
}

export function diffLogin(resource: Resource, state: JsonObject): readonly Drift[] {
  const labels = isObject(state['labels']) ? (state['labels'] as { [key: string]: string }) : {}
  const note = String(state['managed'] ?? '')
  const present: Marks = { labels, annotations: note === '' ? {} : { 'ringfence.dev/managed': note } }
  const target = targetMarks('Secret', marksManifest(resource), present)
  const desired: JsonObject = {
    type: 'Opaque',
    data: dataOf(resource),
    slots: slotsOf(resource),
    immutable: false,
    labels: target.labels,
    managed: target.annotations['ringfence.dev/managed'] ?? '',
    owners: 0,
  }
  return differences(state, desired).map(({ keys, from, to }) => ({
    path: pointer(keys),
    from,
    to,
    how: keys[0] === 'type' || state['immutable'] === true ? ('replace' as const) : ('update' as const),
  }))
}
