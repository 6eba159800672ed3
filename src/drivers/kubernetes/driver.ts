/**
 * The driver of every plain kind: one object, one manifest. Carries out single calls and decides nothing; an object is
 * ours by its uid, and every write names that uid, so that a successor of the same name is never touched.
 */
import type { Call, Driver, Foreign, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import type { Resource } from '../../model/resource.ts'
import { adoptedMarks, releasedMarks } from './adoption.ts'
import type { KubernetesClient } from './client.ts'
import { diffManifest } from './diff.ts'
import { collectionPath, objectPath, type KubeKind } from './kinds.ts'
import { desiredMarks, journalMark, marksOf, targetMarks, type Marks } from './marks.ts'
import { liveMetadata, observationOf, ownedOf } from './object.ts'
import { mayHaveHappened } from './status.ts'

/** What a watch knows about one object; implemented by the reflector, told of our own writes. */
export interface Known {
  /** The object, null when it is known to be absent, undefined when the cache cannot say. */
  get(externalName: string): JsonObject | null | undefined
  /** The server answered this object to a read of ours. */
  saw(externalName: string, live: JsonObject): void
  /**
   * A write of ours begins; the function is told its answer, or undefined when there is none. What the watch tells
   * meanwhile is held back, so that the echo of a write is not taken for somebody else's change.
   */
  writing(externalName: string): (live: JsonObject | undefined) => void
  /** A call of ours may have changed it, with an outcome that the watch has yet to tell. */
  doubt(externalName: string): void
}

export interface PlainDriverOptions {
  readonly client: KubernetesClient
  readonly kind: KubeKind
  readonly known?: Known
  /** True when the kind is a custom resource whose definition is gone, so that no object of it can exist. */
  readonly definitionGone?: (call: Call) => Promise<boolean>
}

export function createPlainDriver(options: PlainDriverOptions): Driver {
  const { kind } = options
  return {
    fencing: 'conditional',
    observe: (resource, call) => observe(options, resource, call),
    diff: (resource, state) => diffManifest(resource.spec, state),
    create: (resource, call) => create(options, resource, call),
    async update(resource, seen, _drift, call) {
      const live = await readSeen(options, resource, seen, call)
      const marks = targetMarks(kind.kind, resource.spec, marksOf(live))
      return put(options, resource, withoutOwners(live, resource), marks, replacedFields(live, resource.spec), call)
    },
    remove: (resource, seen, call) => remove(options, resource, seen, call),
    async adopt(resource: Resource, seen: Foreign, call: Call): Promise<Owned> {
      const live = await readSeen(options, resource, seen, call)
      return put(options, resource, live, adoptedMarks(kind.kind, resource.spec, marksOf(live)), live, call)
    },
    async release(resource: Resource, seen: Owned, call: Call): Promise<void> {
      const live = await readSeen(options, resource, seen, call)
      await put(options, resource, live, releasedMarks(marksOf(live)), live, call)
    },
  }
}

const limits = (call: Call) => ({ signal: call.signal, deadlineMs: call.deadlineMs })

/** The cache holds the kind as it is usually served; another group or version of it is always read. */
const knownOf = ({ kind, known }: PlainDriverOptions, resource: Resource): Known | undefined =>
  endpoint(resource, kind) === kind ? known : undefined

function pathOf({ kind }: PlainDriverOptions, resource: Resource): string {
  const { namespace, name } = nameOf(resource, kind)
  return objectPath(endpoint(resource, kind), namespace, name)
}

async function read(options: PlainDriverOptions, resource: Resource, call: Call): Promise<JsonObject> {
  const live = await options.client.request('GET', pathOf(options, resource), limits(call))
  knownOf(options, resource)?.saw(resource.externalName, live)
  return live
}

/** The object as it is now, if it is still the one that was seen. */
async function readSeen(
  options: PlainDriverOptions,
  resource: Resource,
  seen: { readonly id: string },
  call: Call,
): Promise<JsonObject> {
  const live = await read(options, resource, call)
  const { uid } = liveMetadata(live)
  if (uid !== seen.id) throw changedHands(resource, seen.id, uid)
  return live
}

/** Puts a whole object back under the uid and resource version that were read: anyone's write between is a 409. */
async function put(
  options: PlainDriverOptions,
  resource: Resource,
  live: JsonObject,
  marks: Marks,
  fields: JsonObject,
  call: Call,
): Promise<Owned> {
  const identity = { apiVersion: live['apiVersion'] ?? '', kind: live['kind'] ?? '' }
  const body: JsonObject = { ...fields, ...identity, metadata: { ...(live['metadata'] as JsonObject), ...marks } }
  const known = knownOf(options, resource)
  const written = known?.writing(resource.externalName)
  try {
    const live = await options.client.request('PUT', pathOf(options, resource), { ...limits(call), body })
    written?.(live)
    return ownedOf(live)
  } catch (error) {
    written?.(undefined)
    known?.doubt(resource.externalName)
    throw error
  }
}

async function observe(options: PlainDriverOptions, resource: Resource, call: Call): Promise<Observation> {
  const cached = call.fresh ? undefined : knownOf(options, resource)?.get(resource.externalName)
  if (cached === null) return { status: 'absent' }
  if (cached !== undefined) return observationOf(cached, call)
  try {
    return observationOf(await read(options, resource, call), call)
  } catch (error) {
    const cause = toRingfenceError(error)
    if (cause.code === 'NotFound') return { status: 'absent' }
    const notServed = cause.code === 'NotConfigured' && options.definitionGone !== undefined
    if (notServed && (await options.definitionGone(call).catch(() => false))) return { status: 'absent' }
    return { status: 'unreadable', cause }
  }
}

async function create(options: PlainDriverOptions, resource: Resource, call: Call): Promise<Owned | 'unknown'> {
  const { client, kind } = options
  const { namespace } = nameOf(resource, kind)
  const { labels, annotations } = desiredMarks(resource.spec)
  const marks = { labels, annotations: { ...annotations, [journalMark]: call.key } }
  const body = { ...resource.spec, metadata: { ...(resource.spec['metadata'] as JsonObject), ...marks } }
  const known = knownOf(options, resource)
  const written = known?.writing(resource.externalName)
  try {
    const live = await client.request('POST', collectionPath(endpoint(resource, kind), namespace), {
      ...limits(call),
      body,
    })
    written?.(live)
    return ownedOf(live)
  } catch (error) {
    written?.(undefined)
    known?.doubt(resource.externalName)
    const cause = toRingfenceError(error)
    if (mayHaveHappened(cause)) return 'unknown'
    // The container is not there (yet, or any more): the same call succeeds once it is.
    if (cause.code === 'NotFound') throw new RingfenceError('Waiting', cause.message, cause.facts, cause)
    throw cause
  }
}

async function remove(options: PlainDriverOptions, resource: Resource, seen: Owned, call: Call): Promise<void> {
  const preconditions = { uid: seen.id }
  const body = { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy: 'Background' }
  try {
    await options.client.request('DELETE', pathOf(options, resource), { ...limits(call), body })
  } catch (error) {
    if (toRingfenceError(error).code !== 'NotFound') throw error
  } finally {
    knownOf(options, resource)?.doubt(resource.externalName)
  }
}

/** Custom resources come in several groups and versions (Calico's two API groups): the manifest says which is meant. */
function endpoint(resource: Resource, kind: KubeKind): KubeKind {
  const [version, group = ''] = String(resource.spec['apiVersion']).split('/').toReversed() as [string, string?]
  return group === kind.group && version === kind.version ? kind : { ...kind, group, version }
}

/** Splits the external name and checks it against the manifest: what is claimed is what is written. */
export function nameOf(resource: Resource, kind: KubeKind): { readonly namespace?: string; readonly name: string } {
  const parts = resource.externalName.split('/')
  const [namespace, name] = kind.namespaced ? parts : [undefined, parts[0]]
  const metadata = isObject(resource.spec['metadata']) ? resource.spec['metadata'] : {}
  const fits =
    parts.length === (kind.namespaced ? 2 : 1) && metadata['name'] === name && metadata['namespace'] === namespace
  if (!fits || !name || resource.spec['kind'] !== kind.kind) {
    throw new RingfenceError(
      'Internal',
      `${resource.address}: the manifest is not the ${kind.kind} ${resource.externalName}`,
      { address: resource.address },
    )
  }
  return namespace === undefined ? { name } : { namespace, name }
}

/** Fields that belong to others on a kind; they survive an update. */
const othersFields: { readonly [kind: string]: readonly string[] } = {
  Namespace: ['spec'],
  ServiceAccount: ['secrets', 'imagePullSecrets'],
}

/** Every top-level field as desired, plus those of others; what is neither is taken off by leaving it out of the PUT. */
function replacedFields(live: JsonObject, spec: JsonObject): JsonObject {
  const others = [
    'status',
    ...(othersFields[String(spec['kind'])] ?? []),
    ...(spec['aggregationRule'] === undefined ? [] : ['rules']),
  ]
  const kept = others.flatMap((field) => (live[field] === undefined ? [] : [[field, live[field]] as const]))
  return { ...spec, ...Object.fromEntries(kept) }
}

function withoutOwners(live: JsonObject, resource: Resource): JsonObject {
  const { ownerReferences: _references, ...metadata } = live['metadata'] as JsonObject
  const desired = (resource.spec['metadata'] as JsonObject)['ownerReferences']
  return { ...live, metadata: { ...metadata, ...(desired === undefined ? {} : { ownerReferences: desired }) } }
}

const changedHands = (resource: Resource, seen: string, found: string): RingfenceError =>
  new RingfenceError(
    'Conflict',
    `${resource.kind} ${resource.externalName} is another object by now (${found}, expected ${seen}); nothing was changed`,
    {
      address: resource.address,
      seen,
      found,
    },
  )
