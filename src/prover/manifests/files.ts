/**
 * Finds manifest files under a folder and reads their texts within bounds. A file that cannot be read is said by name;
 * links are followed, each real file once.
 */
import { opendir, readFile, realpath, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import type { Unreadable } from '../../model/world.ts'

export const limits = { fileBytes: 16 * 1024 * 1024, files: 200_000, depth: 64 } as const

export interface ManifestFile {
  /** Relative to the folder. */
  readonly path: string
  readonly text: string
}

const isManifest = (name: string): boolean => /\.(ya?ml|json)$/i.test(name)

/** Every manifest file, in the order of their paths. A folder that is not there throws `NotFound`. */
export async function readFiles(dir: string, unreadable: Unreadable[]): Promise<readonly ManifestFile[]> {
  const root = await stat(dir).catch(() => undefined)
  if (root === undefined || !root.isDirectory())
    throw new RingfenceError('NotFound', `There is no folder ${dir} to read manifests from.`, { dir })
  const paths: string[] = []
  await walk(dir, dir, new Set(), 0, paths, unreadable)
  const files: ManifestFile[] = []
  const seen = new Set<string>()
  for (const path of paths.toSorted()) {
    const text = await readOne(dir, path, seen, unreadable)
    if (text !== undefined) files.push({ path: relative(dir, path), text })
  }
  return files
}

async function walk(
  root: string,
  dir: string,
  seen: Set<string>,
  depth: number,
  paths: string[],
  unreadable: Unreadable[],
): Promise<void> {
  const fail = (why: string): void => void unreadable.push({ product: 'file', what: relative(root, dir) || '.', why })
  try {
    const real = await realpath(dir)
    if (seen.has(real)) return
    seen.add(real)
    if (depth > limits.depth) return fail(`folders are nested deeper than ${limits.depth}`)
    for await (const entry of await opendir(dir)) {
      const path = join(dir, entry.name)
      const kind = entry.isSymbolicLink() ? await stat(path).catch(() => undefined) : entry
      if (kind === undefined)
        unreadable.push({ product: 'file', what: relative(root, path), why: 'is a link to nowhere' })
      else if (kind.isDirectory()) {
        if (entry.name !== '.git') await walk(root, path, seen, depth + 1, paths, unreadable)
      } else if (isManifest(entry.name)) {
        if (paths.length >= limits.files) return fail(`holds more than ${limits.files} files`)
        paths.push(path)
      }
    }
  } catch (error) {
    fail(`the folder cannot be listed (${codeOf(error)})`)
  }
}

async function readOne(
  root: string,
  path: string,
  seen: Set<string>,
  unreadable: Unreadable[],
): Promise<string | undefined> {
  const fail = (why: string): undefined => void unreadable.push({ product: 'file', what: relative(root, path), why })
  try {
    const real = await realpath(path)
    if (seen.has(real)) return undefined
    seen.add(real)
    const info = await stat(path)
    if (!info.isFile()) return fail('is not a plain file')
    if (info.size > limits.fileBytes) return fail(`has ${info.size} bytes; ${limits.fileBytes} are allowed`)
    return new TextDecoder('utf-8', { fatal: true }).decode(await readFile(path))
  } catch (error) {
    return fail(error instanceof TypeError ? 'is not UTF-8 text' : `cannot be read (${codeOf(error)})`)
  }
}

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
