/**
 * Kubernetes without a server: the same drivers on a folder of manifests, for Argo CD or Flux to apply. The prover
 * reads the folder back, files of strangers included.
 */
import { watch } from 'node:fs'
import { access, constants, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubernetesBackend } from '../../model/backends.ts'
import type { BackendChange, Driver, Owned } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import { isObject, type JsonObject } from '../../model/json.ts'
import { backendId, type Resource } from '../../model/resource.ts'
import type { KubeObject, Unreadable } from '../../model/world.ts'
import { drivenKinds, groupKind, secretKind, snapshotKinds } from '../kube-kinds.ts'
import { createRenderDriver, refuseEnded, renderedId } from './driver.ts'
import { listManifests, removeManifest } from './files.ts'

export interface RenderOptions {
  /** Made when the first file is written. */
  readonly folder: string
}

export function createRenderBackend(name: string, { folder }: RenderOptions): KubernetesBackend {
  /** Our own writes of the last moments, by path. */
  const written = new Map<string, number>()
  const wrote = (path: string) => void written.set(path, Date.now())
  const plain = Object.keys(drivenKinds).map(
    (kind) => [`kubernetes/${kind}`, createRenderDriver({ folder, kind, wrote })] as const,
  )
  const drivers = Object.fromEntries(plain)
  return {
    name,
    drivers: { ...drivers, 'kubernetes/Workloads': workloads(drivers['kubernetes/Namespace'] as Driver) },
    async check() {
      try {
        await mkdir(folder, { recursive: true })
        await access(folder, constants.R_OK | constants.W_OK)
      } catch (error) {
        throw new RingfenceError('Forbidden', `The folder of manifests ${folder} cannot be written`, { folder }, error)
      }
    },
    facts: async () => ({ medium: 'manifests', ranges: [], apiServer: [], resolvers: [] }),
    snapshot: async () => snapshotOf(folder),
    changes: (signal) => changesOf(folder, written, signal),
    async removeAddition(culprit): Promise<JsonObject> {
      const what = `${culprit.kind} ${culprit.namespace ?? ''}/${culprit.name}`
      if (culprit.kind === 'Namespace' || culprit.uid === undefined)
        throw new RingfenceError('Guarded', `${what} is not removed`, { kind: culprit.kind })
      for (const { path, documents } of await listManifests(folder)) {
        const found = documents.find(
          (document) =>
            document['kind'] === culprit.kind &&
            isObject(document['metadata']) &&
            document['metadata']['name'] === culprit.name &&
            document['metadata']['namespace'] === culprit.namespace,
        )
        if (!found || renderedId(path, found) !== culprit.uid) continue
        if (documents.length > 1)
          throw new RingfenceError('Guarded', `${path} holds other objects too; it is not removed`, { path })
        wrote(path)
        await removeManifest(folder, path)
        return found
      }
      throw new RingfenceError('NotFound', `${what} is not among the manifests`, { kind: culprit.kind })
    },
    close: async () => undefined,
  }
}

async function snapshotOf(folder: string) {
  const objects: KubeObject[] = []
  const unreadable: Unreadable[] = []
  for (const { path, documents, problem } of await listManifests(folder)) {
    const owner = path.split('/', 1)[0] ?? ''
    const tenant = path.includes('/') && !owner.startsWith('_') ? { tenant: owner } : {}
    if (problem !== undefined) unreadable.push({ product: 'file', what: path, why: problem, ...tenant })
    for (const document of documents) {
      if (isManifest(document))
        objects.push({ ...document, metadata: { ...document.metadata, uid: renderedId(path, document) } })
      else unreadable.push({ product: 'file', what: path, why: 'a document is no Kubernetes object', ...tenant })
    }
  }
  return { objects, kinds: [...snapshotKinds, secretKind].map(groupKind).toSorted(), unreadable }
}

function isManifest(document: JsonObject): document is JsonObject & KubeObject {
  const { apiVersion, kind, metadata } = document
  return (
    typeof apiVersion === 'string' &&
    typeof kind === 'string' &&
    isObject(metadata) &&
    typeof metadata['name'] === 'string'
  )
}

/** Nothing runs in a folder: the resource is there as long as its namespace is, until it was told to go. */
function workloads(namespaces: Driver): Driver {
  const gone = new Set<string>()
  const namespaceOf = (resource: Resource): Resource => ({
    ...resource,
    kind: 'kubernetes/Namespace',
    externalName: resource.externalName,
  })
  return {
    fencing: 'deadline',
    async observe(resource, call) {
      const found = await namespaces.observe(namespaceOf(resource), { ...call, knownId: backendId('') })
      if (found.status === 'absent' || found.status === 'unreadable') return found
      const id = backendId(`workloads:${found.id}`)
      return call.knownId === id && !gone.has(id) ? ownedAs(id, resource) : { status: 'absent' }
    },
    diff: () => [],
    async create(resource, call) {
      refuseEnded(call, resource)
      const found = await namespaces.observe(namespaceOf(resource), { ...call, knownId: backendId('') })
      if (found.status === 'unreadable') throw found.cause
      if (found.status === 'absent')
        throw new RingfenceError('Waiting', `Namespace ${resource.externalName} is not rendered yet`)
      const id = backendId(`workloads:${found.id}`)
      gone.delete(id)
      return ownedAs(id, resource)
    },
    update: async (_resource, seen) => seen,
    async remove(resource, seen, call) {
      refuseEnded(call, resource)
      gone.add(seen.id)
    },
  }
}

const ownedAs = (id: Owned['id'], resource: Resource): Owned => ({
  status: 'owned',
  id,
  state: resource.spec,
  outputs: {},
  ready: true,
})

async function* changesOf(
  folder: string,
  written: Map<string, number>,
  signal: AbortSignal,
): AsyncIterable<BackendChange> {
  await mkdir(folder, { recursive: true })
  const waiting = new Map<string, BackendChange>([['resync', 'resync']])
  let wake: () => void = () => undefined
  const watcher = watch(folder, { recursive: true }, (_event, path) => {
    if (path === null) waiting.set('resync', 'resync')
    else if (!path.endsWith('.tmp') && Date.now() - (written.get(path) ?? 0) > 1_000) {
      const change = changeOf(path)
      if (change) waiting.set(path, change)
    }
    wake()
  })
  // A folder that can no longer be watched is found out by the slow resync.
  watcher.on('error', () => waiting.set('resync', 'resync'))
  const abort = () => wake()
  signal.addEventListener('abort', abort)
  try {
    while (!signal.aborted) {
      const [next] = waiting
      if (next) {
        waiting.delete(next[0])
        yield next[1]
      } else await new Promise<void>((resolve) => (wake = resolve))
    }
  } finally {
    watcher.close()
    signal.removeEventListener('abort', abort)
  }
}

/** Reads a file name back into what it holds; a name that we did not give may be anything. */
function changeOf(path: string): BackendChange | undefined {
  if (!/\.(ya?ml|json)$/.test(path)) return undefined
  const file = join(path).split('/').at(-1) ?? ''
  const [kind, ...names] = file.replace(/\.yaml$/, '').split('_')
  if (!kind || !(kind in drivenKinds) || names.length === 0 || names.length > 2) return 'resync'
  try {
    return { kind: `kubernetes/${kind}`, externalName: names.map((part) => decodeURIComponent(part)).join('/') }
  } catch {
    return 'resync'
  }
}
