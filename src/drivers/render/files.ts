/**
 * Manifests as files: names that cannot leave the folder, writes that are whole or not at all. Knows the folder and
 * YAML; knows nothing of tenants' rights or of what the objects mean.
 */
import { createHash, randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { link, mkdir, open, readdir, realpath, rename, rm, rmdir } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { parseAllDocuments, stringify } from 'yaml'
import { RingfenceError } from '../../model/errors.ts'
import { isObject, type JsonObject } from '../../model/json.ts'

/** One file as it was read: its documents, or why it cannot be understood. */
export interface ManifestFile {
  /** Relative to the folder, with `/`. */
  readonly path: string
  readonly documents: readonly JsonObject[]
  readonly problem?: string
}

const escaped = (text: string): string => encodeURIComponent(text).replaceAll('_', '%5F').replaceAll('*', '%2A')

/**
 * `<owner>/<Kind>_<namespace>_<name>.yaml`. Everything but letters, digits, `-` and `.` is escaped, so that no name
 * can hold a path; what would be too long for a file name ends in a digest.
 */
export function fileNameOf(kind: string, externalName: string): string {
  const whole = [kind, ...externalName.split('/')].map(escaped).join('_')
  const short =
    whole.length <= 200
      ? whole
      : `${whole.slice(0, 150)}_${createHash('sha256').update(whole).digest('hex').slice(0, 32)}`
  return `${short}.yaml`
}

/** The folder of an owner: a tenant's name, which must be a DNS label, or `_platform`. */
export function ownerFolder(owner: { readonly name: string } | 'platform'): string {
  if (owner === 'platform') return '_platform'
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(owner.name))
    throw new RingfenceError('Internal', 'A tenant name that is no DNS label cannot name a folder')
  return owner.name
}

/** Reads one file; undefined when it is not there. Symbolic links are not followed. */
export async function readManifest(folder: string, path: string): Promise<ManifestFile | undefined> {
  let text: string
  try {
    const file = await open(join(folder, path), constants.O_RDONLY | constants.O_NOFOLLOW)
    try {
      text = await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    if (code === 'ELOOP') return { path, documents: [], problem: 'it is a symbolic link' }
    throw classified(error, path)
  }
  return parseManifest(path, text)
}

export function parseManifest(path: string, text: string): ManifestFile {
  const documents: JsonObject[] = []
  try {
    for (const document of parseAllDocuments(text, { uniqueKeys: true })) {
      if (document.errors.length > 0)
        return { path, documents: [], problem: document.errors[0]?.message.split('\n', 1)[0] ?? 'it is not YAML' }
      const value: unknown = document.toJS({ maxAliasCount: 100 })
      if (value === null) continue
      if (!isObject(value)) return { path, documents: [], problem: 'a document is not an object' }
      const items = value['items']
      if (String(value['kind']).endsWith('List') && Array.isArray(items))
        documents.push(...(items as JsonObject[]).filter((item) => isObject(item)))
      else documents.push(value)
    }
  } catch (error) {
    return {
      path,
      documents: [],
      problem: error instanceof Error ? (error.message.split('\n', 1)[0] ?? '') : 'it is not YAML',
    }
  }
  return { path, documents }
}

/** Writes a whole file under a name that is free (`AlreadyExists` otherwise) or, with `replace`, over what is there. */
export async function writeManifest(
  folder: string,
  path: string,
  manifest: JsonObject,
  replace: boolean,
): Promise<void> {
  const target = join(folder, path)
  const parent = join(target, '..')
  await mkdir(parent, { recursive: true, mode: 0o755 })
  await insideOf(folder, parent)
  const temporary = `${target}.${randomUUID()}.tmp`
  try {
    const file = await open(temporary, 'wx', 0o644)
    try {
      await file.writeFile(stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false }))
      await file.sync()
    } finally {
      await file.close()
    }
    if (replace) await rename(temporary, target)
    else await link(temporary, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST')
      throw new RingfenceError('AlreadyExists', `${path} exists already`, { path })
    throw classified(error, path)
  } finally {
    await rm(temporary, { force: true })
  }
}

/** Removes a file, and its folder when nothing is left in it. */
export async function removeManifest(folder: string, path: string): Promise<void> {
  const target = join(folder, path)
  try {
    await insideOf(folder, join(target, '..'))
    await rm(target, { force: true })
    await rmdir(join(target, '..'))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOTEMPTY' && code !== 'ENOENT' && code !== 'EEXIST') throw classified(error, path)
  }
}

/** Every manifest below the folder, sorted by path; our own half-written files are not manifests. */
export async function listManifests(folder: string): Promise<readonly ManifestFile[]> {
  let entries
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw classified(error, '.')
  }
  const paths = entries
    .filter((entry) => !entry.isDirectory() && /\.(ya?ml|json)$/.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
  const files = await Promise.all(
    paths.toSorted().map(async (path) => {
      try {
        return await readManifest(folder, path)
      } catch (error) {
        return { path, documents: [], problem: error instanceof Error ? error.message : 'it cannot be read' }
      }
    }),
  )
  return files.filter((file) => file !== undefined)
}

/** A folder that somebody replaced by a link must not lead our writes elsewhere. */
async function insideOf(folder: string, parent: string): Promise<void> {
  const [root, real] = await Promise.all([realpath(folder), realpath(parent)])
  if (real !== root && !real.startsWith(root + sep))
    throw new RingfenceError('Guarded', 'A folder of manifests leads out of the manifests; nothing was written', {
      path: relative(folder, parent),
    })
}

function classified(error: unknown, path: string): RingfenceError {
  if (error instanceof RingfenceError) return error
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const forbidden = code === 'EACCES' || code === 'EPERM' || code === 'EROFS'
  return new RingfenceError(
    forbidden ? 'Forbidden' : 'BackendFault',
    `${path}: ${code || 'the file cannot be used'}`,
    { path, errno: code },
    error,
  )
}
