/**
 * `credential/Login` as a Secret in the tenant's namespace. The clear value passes through on its way in and is never
 * shown: what is observed is a fingerprint computed from what the Secret really holds, not a mark that could be forged.
 * Contents are read one Secret at a time, by name, and only when its resource version is not the one seen before.
 */
import { createHash } from 'node:crypto'
import type { ClusterAccess } from '../../model/backends.ts'
import type { Backend, Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { isObject, pointer, type JsonObject } from '../../model/json.ts'
import { backendId, type Resource } from '../../model/resource.ts'
import { differences } from '../differences.ts'
import { createChangeFeed } from './changes.ts'
import { createKubernetesClient, defaultTimeoutMs, type KubernetesClient } from './client.ts'
import type { KubernetesBackendOptions } from './backend.ts'
import { collectionPath, objectPath, secretKind } from './kinds.ts'
import { journalMark, marksOf, targetMarks, type Marks } from './marks.ts'
import { isOurs, liveMetadata, type LiveMetadata } from './object.ts'
import { prunedMetadata } from './prune.ts'
import { createReflector, type Reflector } from './reflector.ts'
import { mayHaveHappened } from './status.ts'

/** A server that knows no such shape refuses (406), and shows no contents. */
const metadataOnly = (shape: string): string => `application/json;as=${shape};v=v1;g=meta.k8s.io`
const changeKind = 'credential/Login'

/** `spec`: `{ namespace, name, labels?, data }`; each `source` slot is one more key of the Secret. */
export function createKubernetesCredentials(name: string, access: ClusterAccess, options: KubernetesBackendOptions = {}): Backend {
  const client = createKubernetesClient(access, options)
  const feed = createChangeFeed()
  const closing = new AbortController()
  /** Metadata of the Secrets that carry our label; their contents never enter a cache. */
  const watched = createReflector({
    client,
    kind: secretKind,
    accept: { list: metadataOnly('PartialObjectMetadataList'), watch: metadataOnly('PartialObjectMetadata') },
    labelSelector: 'app.kubernetes.io/managed-by=ringfence',
    keep: (live) => ({ metadata: { ...prunedMetadata(live), resourceVersion: liveMetadata(live).resourceVersion } }),
    onChange: (change) => feed.push(change === 'resync' ? change : { kind: changeKind, externalName: change }),
    ...(options.silenceMs === undefined ? {} : { silenceMs: options.silenceMs }),
    ...(options.backoffMs === undefined ? {} : { backoffMs: options.backoffMs }),
  })
  let running: Promise<void> | undefined
  return {
    name,
    drivers: { [changeKind]: createDriver(client, watched) },
    async *changes(signal) {
      running ??= watched.run(closing.signal)
      yield* feed.listen(AbortSignal.any([signal, closing.signal]))
    },
    async check(signal) {
      await client.request('GET', '/version', { signal, deadlineMs: Date.now() + defaultTimeoutMs })
    },
    async close() {
      closing.abort()
      await running
      await client.close()
    },
  }
}

interface Seen {
  readonly version: string
  readonly live: JsonObject
}

function createDriver(client: KubernetesClient, watched: Reflector): Driver {
  /** What the last read of a Secret showed, values replaced by fingerprints. Valid for that resource version only. */
  const seenBefore = new Map<string, Seen>()
  const limits = (call: Call) => ({ signal: call.signal, deadlineMs: call.deadlineMs })
  const remember = (resource: Resource, live: JsonObject): JsonObject => {
    const fingerprinted = withFingerprints(live)
    seenBefore.set(resource.externalName, { version: liveMetadata(live).resourceVersion, live: fingerprinted })
    return fingerprinted
  }
  const read = async (resource: Resource, call: Call): Promise<JsonObject> => client.request('GET', pathOf(resource), limits(call))
  /** The last read, if the watch says that the Secret has not changed since; null if the watch says that it is gone. */
  const unchanged = (resource: Resource): JsonObject | null | undefined => {
    const metadata = watched.get(resource.externalName)
    const seen = seenBefore.get(resource.externalName)
    // Absent from a watch by label is not absent from the server: the label may have been taken off.
    if (!metadata || !seen) return undefined
    return liveMetadata(metadata).resourceVersion === seen.version ? seen.live : undefined
  }
  const write = async (resource: Resource, method: 'POST' | 'PUT', path: string, body: JsonObject, call: Call): Promise<Owned> => {
    try {
      return ownedOf(resource, remember(resource, await client.request(method, path, { ...limits(call), body })))
    } catch (error) {
      seenBefore.delete(resource.externalName)
      throw error
    }
  }

  return {
    fencing: 'conditional',
    async observe(resource, call): Promise<Observation> {
      try {
        const cached = call.fresh ? undefined : unchanged(resource)
        return observationOf(resource, cached ?? remember(resource, await read(resource, call)), call)
      } catch (error) {
        const cause = toRingfenceError(error)
        return cause.code === 'NotFound' ? { status: 'absent' } : { status: 'unreadable', cause }
      }
    },

    diff: (resource, state) => diffLogin(resource, state),

    async create(resource, call) {
      const { namespace } = placeOf(resource)
      try {
        return await write(resource, 'POST', collectionPath(secretKind, namespace), manifestOf(resource, call), call)
      } catch (error) {
        const cause = toRingfenceError(error)
        if (mayHaveHappened(cause)) return 'unknown'
        if (cause.code === 'NotFound') throw new RingfenceError('Waiting', cause.message, cause.facts, cause)
        throw cause
      }
    },

    async update(resource, seen, _drift, call) {
      const live = await read(resource, call)
      const { uid } = liveMetadata(live)
      if (uid !== seen.id) throw new RingfenceError('Conflict', `Secret ${resource.externalName} is another object by now; nothing was changed`, { seen: seen.id, found: uid })
      const wanted = manifestOf(resource, call)
      const target = targetMarks('Secret', marksManifest(resource), marksOf(live))
      const { annotations } = marksOf(live)
      const marks = { labels: target.labels, annotations: { ...target.annotations, ...(annotations[journalMark] === undefined ? {} : { [journalMark]: annotations[journalMark] }) } }
      const kept = Object.fromEntries(slotsOf(resource).flatMap((slot) => (isObject(live['data']) && live['data'][slot] !== undefined ? [[slot, live['data'][slot]]] : [])))
      const { ownerReferences: _owners, ...metadata } = live['metadata'] as JsonObject
      const body = { ...wanted, data: { ...kept, ...(wanted['data'] as JsonObject) }, metadata: { ...metadata, ...marks } }
      return write(resource, 'PUT', pathOf(resource), body, call)
    },

    async remove(resource, seen, call) {
      const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: seen.id } }
      try {
        await client.request('DELETE', pathOf(resource), { ...limits(call), body })
      } catch (error) {
        if (toRingfenceError(error).code !== 'NotFound') throw error
      } finally {
        seenBefore.delete(resource.externalName)
      }
    },
  }
}

function placeOf(resource: Resource): { readonly namespace: string; readonly name: string } {
  const { namespace, name } = resource.spec
  if (typeof namespace !== 'string' || typeof name !== 'string' || resource.externalName !== `${namespace}/${name}`) {
    throw new RingfenceError('Internal', `${resource.address}: the spec is not that of Secret ${resource.externalName}`, { address: resource.address })
  }
  return { namespace, name }
}

const pathOf = (resource: Resource): string => {
  const { namespace, name } = placeOf(resource)
  return objectPath(secretKind, namespace, name)
}
const slotsOf = (resource: Resource): string[] => resource.secrets.filter((slot) => slot.role === 'source').map((slot) => slot.name)
const base64 = (text: string): string => Buffer.from(text, 'utf8').toString('base64')
const fingerprint = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const dataOf = (resource: Resource): { readonly [key: string]: string } =>
  Object.fromEntries(Object.entries(isObject(resource.spec['data']) ? resource.spec['data'] : {}).map(([key, value]) => [key, String(value)]))

/** The labels that a Secret must carry; the first is what the watch selects by. */
const marksManifest = (resource: Resource): JsonObject => ({
  kind: 'Secret',
  metadata: { labels: { 'app.kubernetes.io/managed-by': 'ringfence', ...(isObject(resource.spec['labels']) ? resource.spec['labels'] : {}) } },
})

function manifestOf(resource: Resource, call: Call): JsonObject {
  const { namespace, name } = placeOf(resource)
  const clear = Object.entries(call.material ?? {}).map(([slot, material]) => [slot, base64(material.clear)])
  const target = targetMarks('Secret', marksManifest(resource), { labels: {}, annotations: {} })
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: { name, namespace, labels: target.labels, annotations: { ...target.annotations, [journalMark]: call.key } },
    data: { ...Object.fromEntries(Object.entries(dataOf(resource)).map(([key, value]) => [key, base64(value)])), ...Object.fromEntries(clear) },
  }
}

/** A Secret with its values replaced by their SHA-256, so that nothing later can show them by mistake. */
function withFingerprints(live: JsonObject): JsonObject {
  const data = isObject(live['data']) ? live['data'] : {}
  const prints = Object.entries(data).map(([key, value]) => [key, fingerprint(Buffer.from(String(value), 'base64'))])
  return { apiVersion: 'v1', kind: 'Secret', type: live['type'] ?? '', immutable: live['immutable'] ?? false, metadata: prunedMetadata(live), data: Object.fromEntries(prints) }
}

/** Values other than those asked for are not shown: somebody may have put a secret in their place. */
const withheld = '(another value)'

function ownedOf(resource: Resource, live: JsonObject): Owned {
  const prints = live['data'] as { readonly [key: string]: string }
  const slots = slotsOf(resource)
  const id = backendId((live['metadata'] as unknown as LiveMetadata).uid)
  return {
    status: 'owned',
    id,
    state: stateOf(resource, live),
    outputs: { uid: id, secret: resource.externalName },
    ready: true,
    credentials: Object.fromEntries(slots.map((slot) => [slot, prints[slot]])),
  }
}

function stateOf(resource: Resource, live: JsonObject): JsonObject {
  const prints = live['data'] as { readonly [key: string]: string }
  const slots = new Set(slotsOf(resource))
  const wanted = dataOf(resource)
  const data = Object.entries(prints)
    .filter(([key]) => !slots.has(key))
    .map(([key, print]) => [key, wanted[key] !== undefined && fingerprint(Buffer.from(wanted[key], 'utf8')) === print ? wanted[key] : withheld])
  const { labels, annotations } = marksOf(live)
  const { ownerReferences } = live['metadata'] as unknown as LiveMetadata
  return { type: live['type'] ?? '', data: Object.fromEntries(data), slots: [...slots].filter((slot) => prints[slot] !== undefined), immutable: live['immutable'] ?? false, labels, managed: annotations['ringfence.dev/managed'] ?? '', owners: Array.isArray(ownerReferences) ? ownerReferences.length : 0 }
}

function observationOf(resource: Resource, live: JsonObject, call: Call): Observation {
  const { uid, deletionTimestamp, finalizers } = live['metadata'] as unknown as LiveMetadata
  if (!isOurs(live, call)) return { status: 'foreign', id: backendId(uid), state: stateOf(resource, live) }
  if (deletionTimestamp !== undefined) return { status: 'deleting', id: backendId(uid), heldBy: finalizers ?? [], sinceMs: Date.parse(deletionTimestamp) }
  return ownedOf(resource, live)
}

function diffLogin(resource: Resource, state: JsonObject) {
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
