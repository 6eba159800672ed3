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
import type { Known } from './driver.ts'
import { namespaceKind, objectPath, workloadKinds, type KubeKind } from './kinds.ts'
import { listAll } from './list.ts'
import { marksOf, workloadsMark } from './marks.ts'
import { liveMetadata } from './object.ts'

const idOf = (namespace: JsonObject): BackendId => backendId(`workloads:${liveMetadata(namespace).uid}`)
const ownedAs = (id: BackendId, resource: Resource): Owned => ({
  status: 'owned',
  id,
  state: resource.spec,
  outputs: {},
  ready: true,
})

/** `externalName` is the namespace's name; `namespaces` is what a watch knows of them. */
export function createWorkloadsDriver(client: KubernetesClient, namespaces?: Pick<Known, 'get'>): Driver {
  return {
    fencing: 'conditional',
    observe: (resource, call) => observe(client, namespaces, resource, call),
    diff: () => [],
    create: (resource, call) => create(client, resource, call),
    update: async (_resource, seen) => seen,
    remove: (resource, seen, call) => remove(client, resource, seen, call),
  }
}

const limits = (call: Call) => ({ signal: call.signal, deadlineMs: call.deadlineMs })
const namespaceOf = (client: KubernetesClient, resource: Resource, call: Call): Promise<JsonObject> =>
  client.request('GET', objectPath(namespaceKind, undefined, resource.externalName), limits(call))

interface Running {
  readonly kind: KubeKind
  readonly live: JsonObject
}

/** Everything that runs, or would make something run. */
async function runningIn(client: KubernetesClient, resource: Resource, call: Call): Promise<readonly Running[]> {
  const options = { ...limits(call), namespace: resource.externalName }
  const lists = await Promise.all(
    workloadKinds.map(async (kind) => (await listAll(client, kind, options)).map((live) => ({ kind, live }))),
  )
  return lists.flat()
}

const isTold = ({ live }: Running): boolean => liveMetadata(live).deletionTimestamp !== undefined

async function observe(
  client: KubernetesClient,
  namespaces: Pick<Known, 'get'> | undefined,
  resource: Resource,
  call: Call,
): Promise<Observation> {
  try {
    const watched = call.fresh ? undefined : namespaces?.get(resource.externalName)
    if (watched === null) return { status: 'absent' }
    const namespace = watched ?? (await namespaceOf(client, resource, call))
    const id = idOf(namespace)
    if (call.knownId !== id) return { status: 'absent' }
    if (marksOf(namespace).annotations[workloadsMark] !== 'removed') return ownedAs(id, resource)
    const left = await runningIn(client, resource, call)
    if (left.length === 0) return { status: 'absent' }
    if (!left.every(isTold)) return ownedAs(id, resource)
    const heldBy = left.slice(0, 20).map(({ kind, live }) => `${kind.kind} ${liveMetadata(live).name}`)
    return { status: 'deleting', id, heldBy }
  } catch (error) {
    const cause = toRingfenceError(error)
    return cause.code === 'NotFound' ? { status: 'absent' } : { status: 'unreadable', cause }
  }
}

async function create(client: KubernetesClient, resource: Resource, call: Call): Promise<Owned> {
  try {
    const namespace = await namespaceOf(client, resource, call)
    if (marksOf(namespace).annotations[workloadsMark] !== undefined) await mark(client, namespace, null, call)
    return ownedAs(idOf(namespace), resource)
  } catch (error) {
    const cause = toRingfenceError(error)
    if (cause.code === 'NotFound') throw new RingfenceError('Waiting', cause.message, cause.facts, cause)
    throw cause
  }
}

async function remove(client: KubernetesClient, resource: Resource, seen: Owned, call: Call): Promise<void> {
  try {
    const namespace = await namespaceOf(client, resource, call)
    // Listing between two sightings of one uid: what was listed lies in that namespace and not in a successor.
    const left = await runningIn(client, resource, call)
    const after = await namespaceOf(client, resource, call)
    if (idOf(namespace) !== seen.id || idOf(after) !== seen.id) {
      const message = `Namespace ${resource.externalName} is another one by now; nothing was removed`
      throw new RingfenceError('Conflict', message, { address: resource.address })
    }
    await mark(client, namespace, 'removed', call)
    for (const kind of workloadKinds) {
      const ofKind = left.filter((found) => found.kind === kind && !isTold(found))
      await Promise.all(ofKind.map((found) => removeOne(client, found, call)))
    }
  } catch (error) {
    if (toRingfenceError(error).code !== 'NotFound') throw error
  }
}

/** Sets or clears the mark, bound to the namespace's uid: a successor of that name answers 409. */
async function mark(client: KubernetesClient, namespace: JsonObject, value: string | null, call: Call): Promise<void> {
  const { name, uid } = liveMetadata(namespace)
  await client.request('PATCH', objectPath(namespaceKind, undefined, name), {
    ...limits(call),
    contentType: 'application/merge-patch+json',
    body: { metadata: { uid, annotations: { [workloadsMark]: value } } },
  })
}

async function removeOne(client: KubernetesClient, { kind, live }: Running, call: Call): Promise<void> {
  const { namespace, name, uid } = liveMetadata(live)
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions: { uid }, propagationPolicy: 'Background' }
  try {
    await client.request('DELETE', objectPath(kind, namespace, name), { ...limits(call), body })
  } catch (error) {
    // Gone, or replaced by one that the next observation finds.
    if (!['NotFound', 'Conflict'].includes(toRingfenceError(error).code)) throw error
  }
}
