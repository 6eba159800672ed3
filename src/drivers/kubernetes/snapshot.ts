/**
 * All objects that isolation depends on, as the prover judges them. A kind that was not listed to its end is named as
 * unreadable and is not among the kinds listed; a kind that the server does not serve has no objects.
 */
import type { KubernetesSnapshot } from '../../model/backends.ts'
import { toRingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { KubeObject, Unreadable } from '../../model/world.ts'
import { defaultTimeoutMs, type KubernetesClient } from './client.ts'
import type { Discovery } from './discovery.ts'
import { groupKind, secretKind, snapshotKinds, type KubeKind } from './kinds.ts'
import { listAll } from './list.ts'
import { pruned } from './prune.ts'
import { listSecretMetadata } from './secrets.ts'

export interface SnapshotSources {
  readonly client: KubernetesClient
  readonly discovery: Discovery
  /** The objects of a kind from its watch, or undefined while that is not in step. */
  readonly watched: (kind: KubeKind) => readonly JsonObject[] | undefined
}

export async function takeSnapshot(
  sources: SnapshotSources,
  signal: AbortSignal,
  fresh: boolean,
): Promise<KubernetesSnapshot> {
  const { client, discovery, watched } = sources
  const limits = { signal, deadlineMs: Date.now() + 4 * defaultTimeoutMs }
  if (fresh) discovery.forget()
  const objectsOf = async (kind: KubeKind): Promise<readonly JsonObject[]> => {
    const cached = fresh ? undefined : watched(kind)
    if (cached) return cached
    const served = await discovery.served(kind, limits)
    return served ? (await listAll(client, served, limits)).map((live) => pruned(live)) : []
  }
  const readers = [
    ...snapshotKinds.map((kind) => ({ kind, read: () => objectsOf(kind) })),
    { kind: secretKind, read: (): Promise<readonly unknown[]> => listSecretMetadata(client, limits) },
  ]
  const objects: KubeObject[] = []
  const kinds: string[] = []
  const unreadable: Unreadable[] = []
  await Promise.all(
    readers.map(async ({ kind, read }) => {
      try {
        for (const object of await read()) objects.push(object as KubeObject)
        kinds.push(groupKind(kind))
      } catch (error) {
        const cause = toRingfenceError(error)
        unreadable.push({ product: 'kubernetes', what: groupKind(kind), why: `${cause.code}: ${cause.message}` })
      }
    }),
  )
  // An abort makes every list unreadable; that is the caller's doing and not a finding.
  signal.throwIfAborted()
  return { objects, kinds: kinds.toSorted(), unreadable }
}
