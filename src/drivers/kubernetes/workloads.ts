/**
 * `kubernetes/Workloads`: everything that runs in one namespace, as one resource that needs its fences, so that it is
 * gone before they are. Creating it makes nothing. Removing it deletes the controllers and then the pods, and leaves a
 * mark on the namespace, so that after a restart too "told to go" and "never told" are apart. While marked it is
 * `owned` as long as something is left that has not been told (a controller may have made new pods), `deleting` while
 * the rest is on its way, `absent` when nothing runs.
 */
import type { Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { backendId, type BackendId, type Resource } from '../../model/resource.ts'
import type { KubernetesClient } from './client.ts'
import { namespaceKind, objectPath, workloadKinds, type KubeKind } from './kinds.ts'
import { listAll } from './list.ts'
import { marksOf, workloadsMark } from './marks.ts'
import { liveMetadata } from './object.ts'

const idOf = (namespace: JsonObject): BackendId => backendId(`workloads:${liveMetadata(namespace).uid}`)
const ownedAs = (id: BackendId, resource: Resource): Owned => ({ status: 'owned', id, state: resource.spec, outputs: {}, ready: true })

export function createWorkloadsDriver(client: KubernetesClient): Driver {
  const limits = (call: Call) => ({ signal: call.signal, deadlineMs: call.deadlineMs })
  const namespaceOf = (resource: Resource, call: Call) =>
    client.request('GET', objectPath(namespaceKind, undefined, resource.externalName), limits(call))
  /** Sets or clears the mark, bound to the namespace's uid: a successor of that name answers 409. */
  const mark = async (resource: Resource, namespace: JsonObject, value: string | null, call: Call) => {
    await client.request('PATCH', objectPath(namespaceKind, undefined, resource.externalName), {
      ...limits(call),
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid: liveMetadata(namespace).uid, annotations: { [workloadsMark]: value } } },
    })
  }
  const remaining = async (resource: Resource, call: Call): Promise<{ kind: KubeKind; live: JsonObject }[]> => {
    const lists = await Promise.all(
      workloadKinds.map(async (kind) => (await listAll(client, kind, { ...limits(call), namespace: resource.externalName })).map((live) => ({ kind, live }))),
    )
    return lists.flat()
  }

  return {
    fencing: 'conditional',
    async observe(resource, call): Promise<Observation> {
      try {
        const namespace = await namespaceOf(resource, call)
        const id = idOf(namespace)
        if (call.knownId !== id) return { status: 'absent' }
        if (marksOf(namespace).annotations[workloadsMark] !== 'removed') return ownedAs(id, resource)
        const left = await remaining(resource, call)
        if (left.length === 0) return { status: 'absent' }
        if (left.some(({ live }) => liveMetadata(live).deletionTimestamp === undefined)) return ownedAs(id, resource)
        return { status: 'deleting', id, heldBy: left.slice(0, 20).map(({ kind, live }) => `${kind.kind} ${liveMetadata(live).name}`) }
      } catch (error) {
        const cause = toRingfenceError(error)
        return cause.code === 'NotFound' ? { status: 'absent' } : { status: 'unreadable', cause }
      }
    },

    diff: () => [],

    async create(resource, call) {
      try {
        const namespace = await namespaceOf(resource, call)
        if (marksOf(namespace).annotations[workloadsMark] !== undefined) await mark(resource, namespace, null, call)
        return ownedAs(idOf(namespace), resource)
      } catch (error) {
        const cause = toRingfenceError(error)
        if (cause.code === 'NotFound') throw new RingfenceError('Waiting', cause.message, cause.facts, cause)
        throw cause
      }
    },

    async update(_resource, seen) {
      return seen
    },

    async remove(resource, seen, call) {
      let namespace: JsonObject
      try {
        namespace = await namespaceOf(resource, call)
      } catch (error) {
        if (toRingfenceError(error).code === 'NotFound') return
        throw error
      }
      // Listing between two sightings of one uid: what was listed lies in that namespace and not in a successor.
      const left = await remaining(resource, call)
      if (idOf(namespace) !== seen.id || idOf(await namespaceOf(resource, call)) !== seen.id) {
        throw new RingfenceError('Conflict', `Namespace ${resource.externalName} is another one by now; nothing was removed`, { address: resource.address })
      }
      await mark(resource, namespace, 'removed', call)
      for (const kind of workloadKinds) {
        const ofKind = left.filter((found) => found.kind === kind && liveMetadata(found.live).deletionTimestamp === undefined)
        await Promise.all(ofKind.map(({ live }) => removeOne(kind, live, call)))
      }
    },
  }

  async function removeOne(kind: KubeKind, live: JsonObject, call: Call): Promise<void> {
    const { namespace, name, uid } = liveMetadata(live)
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, propagationPolicy: 'Background' }
    try {
      await client.request('DELETE', objectPath(kind, namespace, name), { ...limits(call), body })
    } catch (error) {
      // Gone, or replaced by one that the next observation finds.
      if (!['NotFound', 'Conflict'].includes(toRingfenceError(error).code)) throw error
    }
  }
}
