/**
 * `credential/Login` as a Secret in the tenant's namespace. The clear value passes through on its way in and is never
 * shown: what is observed is a fingerprint computed from what the Secret really holds, not a mark that could be forged.
 * Contents are read one Secret at a time, by name, and only when its resource version is not the one seen before.
 */
import type { ClusterAccess } from '../../model/backends.ts'
import type { Backend, Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import type { Resource } from '../../model/resource.ts'
import { createChangeFeed } from './changes.ts'
import { createKubernetesClient, defaultTimeoutMs, type KubernetesClient } from './client.ts'
import type { KubernetesBackendOptions } from './backend.ts'
import { collectionPath, objectPath, secretKind } from './kinds.ts'
import { journalMark, marksOf, targetMarks } from './marks.ts'
import {
  diffLogin,
  manifestOf,
  marksManifest,
  observationOf,
  ownedOf,
  placeOf,
  slotsOf,
  withFingerprints,
} from './login-secret.ts'
import { liveMetadata } from './object.ts'
import { prunedMetadata } from './prune.ts'
import { createReflector, type Reflector } from './reflector.ts'
import { mayHaveHappened } from './status.ts'

/** A server that knows no such shape refuses (406), and shows no contents. */
const metadataOnly = (shape: string): string => `application/json;as=${shape};v=v1;g=meta.k8s.io`
const changeKind = 'credential/Login'

/** `spec`: `{ namespace, name, labels?, data }`; each `source` slot is one more key of the Secret. */
export function createKubernetesCredentials(
  name: string,
  access: ClusterAccess,
  options: KubernetesBackendOptions = {},
): Backend {
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
  const read = async (resource: Resource, call: Call): Promise<JsonObject> =>
    client.request('GET', pathOf(resource), limits(call))
  /** The last read, if the watch says that the Secret has not changed since; null if the watch says that it is gone. */
  const unchanged = (resource: Resource): JsonObject | null | undefined => {
    const metadata = watched.get(resource.externalName)
    const seen = seenBefore.get(resource.externalName)
    // Absent from a watch by label is not absent from the server: the label may have been taken off.
    if (!metadata || !seen) return undefined
    return liveMetadata(metadata).resourceVersion === seen.version ? seen.live : undefined
  }
  const write = async (
    resource: Resource,
    method: 'POST' | 'PUT',
    path: string,
    body: JsonObject,
    call: Call,
  ): Promise<Owned> => {
    const written = watched.writing(resource.externalName)
    try {
      const live = await client.request(method, path, { ...limits(call), body })
      written(live)
      return ownedOf(resource, remember(resource, live))
    } catch (error) {
      written(undefined)
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

    update: async (resource, seen, _drift, call) => {
      const live = await read(resource, call)
      return write(resource, 'PUT', pathOf(resource), updated(resource, seen, live, call), call)
    },

    async remove(resource, seen, call) {
      try {
        await removeSecret(client, resource, seen, call)
      } finally {
        seenBefore.delete(resource.externalName)
      }
    },
  }
}

async function removeSecret(client: KubernetesClient, resource: Resource, seen: Owned, call: Call): Promise<void> {
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid: seen.id } }
  try {
    await client.request('DELETE', pathOf(resource), { signal: call.signal, deadlineMs: call.deadlineMs, body })
  } catch (error) {
    if (toRingfenceError(error).code !== 'NotFound') throw error
  }
}

/** The Secret as it should be, over what is there: version and uid make the write conditional, kept slots stay. */
function updated(resource: Resource, seen: Owned, live: JsonObject, call: Call): JsonObject {
  const { uid: found } = liveMetadata(live)
  if (found !== seen.id) {
    const message = `Secret ${resource.externalName} is another object by now; nothing was changed`
    throw new RingfenceError('Conflict', message, { seen: seen.id, found })
  }
  const wanted = manifestOf(resource, call)
  const target = targetMarks('Secret', marksManifest(resource), marksOf(live))
  const journal = marksOf(live).annotations[journalMark]
  const marks = {
    labels: target.labels,
    annotations: { ...target.annotations, ...(journal === undefined ? {} : { [journalMark]: journal }) },
  }
  const data = isObject(live['data']) ? live['data'] : {}
  const kept = Object.fromEntries(
    slotsOf(resource).flatMap((slot) => (data[slot] === undefined ? [] : [[slot, data[slot]]])),
  )
  const { ownerReferences: _owners, ...metadata } = live['metadata'] as JsonObject
  return { ...wanted, data: { ...kept, ...(wanted['data'] as JsonObject) }, metadata: { ...metadata, ...marks } }
}

const pathOf = (resource: Resource): string => {
  const { namespace, name } = placeOf(resource)
  return objectPath(secretKind, namespace, name)
}
