/** What a cache keeps of an object: enough to compare and to prove, little enough for thousands of tenants. Pure. */
import { isObject, type Json, type JsonObject } from '../../model/json.ts'

const dropped = new Set(['managedFields', 'resourceVersion', 'selfLink'])
/** May repeat the whole object, secrets included; never kept. */
const lastApplied = 'kubectl.kubernetes.io/last-applied-configuration'
/** Kinds whose status says something that is asked for; elsewhere it only makes noise. */
const withStatus = new Set(['Namespace', 'CustomResourceDefinition'])

export function pruned(live: JsonObject): JsonObject {
  const metadata = prunedMetadata(live)
  if (live['kind'] === 'Pod') return prunedPod(live, metadata)
  const { metadata: _metadata, status, ...fields } = live
  return { ...fields, metadata, ...(withStatus.has(String(live['kind'])) && status !== undefined ? { status } : {}) }
}

export function prunedMetadata(live: JsonObject): JsonObject {
  const metadata = isObject(live['metadata']) ? live['metadata'] : {}
  const kept = Object.entries(metadata).filter(([key]) => !dropped.has(key))
  const annotations = metadata['annotations']
  if (!isObject(annotations) || annotations[lastApplied] === undefined) return Object.fromEntries(kept)
  const { [lastApplied]: _dropped, ...rest } = annotations
  return { ...Object.fromEntries(kept), annotations: rest }
}

const pick = (from: JsonObject, keys: readonly string[]): JsonObject =>
  Object.fromEntries(keys.flatMap((key) => (from[key] === undefined ? [] : [[key, from[key]]])))

const container = (value: Json): Json => (isObject(value) ? pick(value, ['name', 'ports', 'securityContext']) : value)

/** Labels, account, ports and what reaches the host: images, commands and environment are nobody's business here. */
function prunedPod(live: JsonObject, metadata: JsonObject): JsonObject {
  const spec = isObject(live['spec']) ? live['spec'] : {}
  const status = isObject(live['status']) ? live['status'] : {}
  const containers = (key: string) => (Array.isArray(spec[key]) ? { [key]: (spec[key] as Json[]).map(container) } : {})
  return {
    ...pick(live, ['apiVersion', 'kind']),
    metadata: pick(metadata, ['name', 'namespace', 'uid', 'labels', 'ownerReferences', 'deletionTimestamp']),
    spec: {
      ...pick(spec, [
        'serviceAccountName',
        'automountServiceAccountToken',
        'hostNetwork',
        'hostPID',
        'hostIPC',
        'nodeName',
        'volumes',
      ]),
      ...containers('containers'),
      ...containers('initContainers'),
      ...containers('ephemeralContainers'),
    },
    status: pick(status, ['phase', 'podIP', 'podIPs']),
  }
}
