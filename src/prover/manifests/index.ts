/** Manifests from a folder, and the world that they make. */
import { objectsOf } from './documents.ts'
import { readFiles } from './files.ts'
import type { KubeObject, Unreadable } from '../../model/world.ts'
import type { ManifestRead } from './world.ts'

export { type ManifestRead, worldOfManifests } from './world.ts'

/**
 * Every Kubernetes object in the .yaml, .yml and .json files under a folder. Never throws for what is in a file: that
 * becomes an entry of `unreadable`. Throws `NotFound` when there is no such folder.
 */
export async function readManifests(dir: string): Promise<ManifestRead> {
  const unreadable: Unreadable[] = []
  const objects: KubeObject[] = []
  for (const file of await readFiles(dir, unreadable)) objects.push(...objectsOf(file, unreadable))
  return { objects, unreadable }
}
