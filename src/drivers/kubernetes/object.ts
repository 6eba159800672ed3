/** From a live object to what the contract calls state and observation. Pure. */
import type { Call, Observation, Owned } from '../../model/driver.ts'
import { isObject, type Json, type JsonObject } from '../../model/json.ts'
import { backendId, type BackendId } from '../../model/resource.ts'
import { journalMark, marksOf, visibleAnnotations } from './marks.ts'

export interface LiveMetadata {
  readonly name: string
  readonly namespace?: string
  readonly uid: string
  readonly resourceVersion: string
  readonly deletionTimestamp?: string
  readonly finalizers?: readonly string[]
  readonly ownerReferences?: Json
  readonly generation?: number
}

export const liveMetadata = (live: JsonObject): LiveMetadata => live['metadata'] as unknown as LiveMetadata

/** The manifest that would make this object: what people wrote, without what the server keeps about it. */
export function stateOf(live: JsonObject): JsonObject {
  const { apiVersion, kind, metadata: _metadata, status: _status, ...fields } = live
  const { name, namespace, ownerReferences } = liveMetadata(live)
  const { labels, annotations } = marksOf(live)
  return {
    apiVersion: apiVersion ?? '',
    kind: kind ?? '',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      labels,
      annotations: visibleAnnotations(annotations),
      ...(ownerReferences === undefined ? {} : { ownerReferences }),
    },
    ...fields,
  }
}

/** Ours by the inventory's uid, or by the journal mark while a create has no recorded outcome. */
export function isOurs(live: JsonObject, call: Pick<Call, 'knownId' | 'openCreateKey'>): boolean {
  if (call.knownId !== undefined && liveMetadata(live).uid === call.knownId) return true
  return call.openCreateKey !== undefined && marksOf(live).annotations[journalMark] === call.openCreateKey
}

export function observationOf(live: JsonObject, call: Pick<Call, 'knownId' | 'openCreateKey'>): Observation {
  const { uid, deletionTimestamp } = liveMetadata(live)
  const id = backendId(uid)
  if (!isOurs(live, call)) {
    const owner = marksOf(live).labels['ringfence.dev/tenant']
    return { status: 'foreign', id, state: stateOf(live), ...(owner === undefined ? {} : { owner }) }
  }
  if (deletionTimestamp !== undefined) {
    const sinceMs = Date.parse(deletionTimestamp)
    return { status: 'deleting', id, heldBy: heldBy(live), ...(Number.isNaN(sinceMs) ? {} : { sinceMs }) }
  }
  return ownedOf(live, id)
}

export function ownedOf(live: JsonObject, id: BackendId = backendId(liveMetadata(live).uid)): Owned {
  const ready = isReady(live)
  return {
    status: 'owned',
    id,
    state: stateOf(live),
    outputs: { uid: id },
    ready,
    ...(ready ? {} : { retryAfterMs: 250 }),
  }
}

/** Usable now; kinds that say nothing about it are. */
function isReady(live: JsonObject): boolean {
  const status = isObject(live['status']) ? live['status'] : {}
  if (live['kind'] === 'Namespace') return status['phase'] === 'Active'
  if (live['kind'] === 'CustomResourceDefinition') return condition(status, 'Established') === 'True'
  return true
}

const conditionsOf = (status: JsonObject): readonly JsonObject[] =>
  Array.isArray(status['conditions']) ? (status['conditions'] as JsonObject[]).filter((item) => isObject(item)) : []

const condition = (status: JsonObject, type: string): Json | undefined =>
  conditionsOf(status).find((item) => item['type'] === type)?.['status']

/** Finalizers, and for a namespace the controller's own account of what remains in it. */
function heldBy(live: JsonObject): string[] {
  const { finalizers } = liveMetadata(live)
  const spec = isObject(live['spec']) ? live['spec'] : {}
  const inSpec =
    live['kind'] === 'Namespace' && Array.isArray(spec['finalizers']) ? (spec['finalizers'] as string[]) : []
  const status = isObject(live['status']) ? live['status'] : {}
  const remaining = conditionsOf(status)
    .filter((item) => item['status'] === 'True')
    .map((item) => `${String(item['type'])}: ${String(item['message'] ?? '')}`)
  return [...(finalizers ?? []), ...inSpec, ...remaining]
}
