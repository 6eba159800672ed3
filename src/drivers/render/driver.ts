/**
 * One manifest, one file. The id of an object is a digest of its path and of a random mark inside it: it outlives every
 * change of content, and a copy under another name is another object.
 */
import { createHash, randomUUID } from 'node:crypto'
import type { Call, Driver, Observation, Owned } from '../../model/driver.ts'
import { RingfenceError, toRingfenceError } from '../../model/errors.ts'
import { isObject, pointer, type JsonObject } from '../../model/json.ts'
import { backendId, type BackendId, type Resource } from '../../model/resource.ts'
import { differences } from '../differences.ts'
import { fileNameOf, listManifests, ownerFolder, readManifest, removeManifest, writeManifest } from './files.ts'

export const renderedMark = 'ringfence.dev/rendered-id'
const journalMark = 'ringfence.dev/journal'
const marks = new Set([renderedMark, journalMark])

export interface RenderDriverOptions {
  readonly folder: string
  /** The name after `kubernetes/`. */
  readonly kind: string
  /** Told of the files that we write, so that they are not taken for somebody else's changes. */
  readonly wrote: (path: string) => void
}

const annotationsOf = (manifest: JsonObject): JsonObject => {
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {}
  return isObject(metadata['annotations']) ? metadata['annotations'] : {}
}

/** The id of a document; without a mark of ours it is the path's alone. */
export const renderedId = (path: string, manifest: JsonObject): BackendId =>
  backendId(
    `file:${createHash('sha256')
      .update(`${path}\n${String(annotationsOf(manifest)[renderedMark] ?? '')}`)
      .digest('hex')
      .slice(0, 32)}`,
  )

export function createRenderDriver(options: RenderDriverOptions): Driver {
  return {
    fencing: 'deadline',
    observe: (resource, call) => observe(options, resource, call),
    diff: (resource, state) =>
      differences(withoutEmptyMaps(state), withoutEmptyMaps(resource.spec)).map(({ keys, from, to }) => ({
        path: pointer(keys),
        from,
        to,
        how: 'update' as const,
      })),
    create: (resource, call) =>
      write(options, resource, { [renderedMark]: randomUUID(), [journalMark]: call.key }, call, false),
    async update(resource, seen, _drift, call) {
      const annotations = annotationsOf(await readSeen(options, resource, seen.id, call))
      const own = Object.fromEntries(Object.entries(annotations).filter(([key]) => marks.has(key)))
      return write(options, resource, own, call, true)
    },
    async remove(resource, seen, call) {
      if (!(await read(options, resource, call))) return
      await readSeen(options, resource, seen.id, call)
      const { folder, kind, wrote } = options
      // What lies in a namespace goes with it, as on a server; files of others stay.
      if (kind === 'Namespace') await removeContents(folder, ownerFolder(resource.owner), resource.externalName, wrote)
      wrote(pathOf(options, resource))
      await removeManifest(folder, pathOf(options, resource))
    },
  }
}

const pathOf = ({ kind }: RenderDriverOptions, resource: Resource): string =>
  `${ownerFolder(resource.owner)}/${fileNameOf(kind, resource.externalName)}`

async function read(options: RenderDriverOptions, resource: Resource, call: Call): Promise<JsonObject | undefined> {
  refuseEnded(call, resource)
  const path = pathOf(options, resource)
  const file = await readManifest(options.folder, path)
  if (!file) return undefined
  const [manifest, ...more] = file.documents
  if (file.problem === undefined && manifest && more.length === 0) return manifest
  const why = file.problem ?? `it holds ${file.documents.length} documents`
  throw new RingfenceError('Unreadable', `${path} is not one manifest: ${why}`, { path })
}

async function readSeen(
  options: RenderDriverOptions,
  resource: Resource,
  id: BackendId,
  call: Call,
): Promise<JsonObject> {
  const path = pathOf(options, resource)
  const manifest = await read(options, resource, call)
  if (!manifest) throw new RingfenceError('NotFound', `${path} is not there`, { path })
  if (renderedId(path, manifest) === id) return manifest
  throw new RingfenceError('Conflict', `${path} is another object by now; nothing was changed`, { path })
}

async function write(
  options: RenderDriverOptions,
  resource: Resource,
  own: JsonObject,
  call: Call,
  replace: boolean,
): Promise<Owned> {
  const manifest = marked(renderable(resource), own)
  const path = pathOf(options, resource)
  refuseEnded(call, resource)
  options.wrote(path)
  await writeManifest(options.folder, path, manifest, replace)
  return owned(path, manifest)
}

async function observe(options: RenderDriverOptions, resource: Resource, call: Call): Promise<Observation> {
  try {
    const manifest = await read(options, resource, call)
    if (!manifest) return { status: 'absent' }
    const path = pathOf(options, resource)
    const id = renderedId(path, manifest)
    const journal = annotationsOf(manifest)[journalMark]
    const ours = id === call.knownId || (call.openCreateKey !== undefined && journal === call.openCreateKey)
    return ours ? owned(path, manifest) : { status: 'foreign', id, state: unmarked(manifest) }
  } catch (error) {
    return { status: 'unreadable', cause: toRingfenceError(error) }
  }
}

async function removeContents(
  folder: string,
  owner: string,
  namespace: string,
  wrote: (path: string) => void,
): Promise<void> {
  for (const { path, documents } of await listManifests(folder)) {
    const [manifest] = documents
    if (!path.startsWith(`${owner}/`) || !manifest || documents.length > 1 || !isObject(manifest['metadata'])) continue
    if (manifest['metadata']['namespace'] !== namespace || annotationsOf(manifest)[renderedMark] === undefined) continue
    wrote(path)
    await removeManifest(folder, path)
  }
}

/** Secrets are never written to a tree that is meant for git. */
function renderable(resource: Resource): JsonObject {
  if (resource.spec['kind'] === 'Secret')
    throw new RingfenceError('Guarded', `${resource.address}: a Secret is never rendered`, {
      address: resource.address,
    })
  return resource.spec
}

function marked(spec: JsonObject, own: JsonObject): JsonObject {
  const metadata = isObject(spec['metadata']) ? spec['metadata'] : {}
  return { ...spec, metadata: { ...metadata, annotations: { ...annotationsOf(spec), ...own } } }
}

function unmarked(manifest: JsonObject): JsonObject {
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {}
  return {
    ...manifest,
    metadata: {
      ...metadata,
      annotations: Object.fromEntries(Object.entries(annotationsOf(manifest)).filter(([key]) => !marks.has(key))),
    },
  }
}

/** No labels and an empty map of them are the same. */
function withoutEmptyMaps(manifest: JsonObject): JsonObject {
  const metadata = isObject(manifest['metadata']) ? manifest['metadata'] : {}
  const kept = Object.entries(metadata).filter(
    ([key, value]) =>
      !((key === 'labels' || key === 'annotations') && isObject(value) && Object.keys(value).length === 0),
  )
  return { ...manifest, metadata: Object.fromEntries(kept) }
}

const owned = (path: string, manifest: JsonObject): Owned => ({
  status: 'owned',
  id: renderedId(path, manifest),
  state: unmarked(manifest),
  outputs: { uid: renderedId(path, manifest), path },
  ready: true,
})

export function refuseEnded(call: Call, resource: Resource): void {
  if (call.signal.aborted)
    throw new RingfenceError('Aborted', `${resource.kind} ${resource.externalName}: given up by the caller`)
  if (call.deadlineMs <= Date.now())
    throw new RingfenceError('Timeout', `${resource.kind} ${resource.externalName}: no time left`)
}
