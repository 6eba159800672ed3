/**
 * As whom PostgreSQL runs, and where: it refuses to run as root. Started by root it gets a user number of its own,
 * so that not even another service's account can read its files, and a folder that this user can reach.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmod, chown, lstat, mkdir, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import { cacheFolder, privateFolder, readIfThere, writePrivate } from '../folder.ts'

export interface Account {
  /** Undefined: as ourselves. */
  readonly server?: { readonly uid: number; readonly gid: number }
  /** `initdb` insists on an account with a name. */
  readonly initdb?: { readonly uid: number; readonly gid: number }
  /** Folder of this cluster's data; reachable by the server's user. */
  readonly home: string
  /** Folder of programs and templates; reachable by the server's user. */
  readonly programs: string
}

const systemFolder = '/var/lib/ringfence'
/** In a home: the folder that it belongs to. */
const ownerNote = 'belongs-to'

async function namedAccount(): Promise<{ uid: number; gid: number }> {
  const passwd = await readFile('/etc/passwd', 'utf8')
  const found = /^nobody:[^:]*:(\d+):(\d+):/m.exec(passwd)
  if (found === null)
    throw new RingfenceError(
      'NotConfigured',
      'PostgreSQL does not run as root, and there is no account "nobody" to run it as; start as a normal user',
    )
  return { uid: Number(found[1]), gid: Number(found[2]) }
}

/** A number in a range that Debian policy §9.2.2 leaves to packages, without an account; one for each data folder. */
async function ownNumber(dir: string): Promise<number> {
  const passwd = await readFile('/etc/passwd', 'utf8')
  const taken = new Set([...passwd.matchAll(/^[^:]*:[^:]*:(\d+):/gm)].map((match) => Number(match[1])))
  let uid = 64_000 + (createHash('sha256').update(dir).digest().readUInt16BE(0) % 900)
  while (taken.has(uid)) uid++
  return uid
}

/** Whether any user may pass through the folder and all above it. */
async function reachable(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false
    if (at === dirname(at)) return true
  }
}

/** Gives a tree to the server's user. Symbolic links are not followed. */
export async function giveTo(
  owner: { readonly uid: number; readonly gid: number } | undefined,
  path: string,
): Promise<void> {
  if (owner === undefined) return
  const info = await lstat(path)
  if (info.isSymbolicLink()) return
  await chown(path, owner.uid, owner.gid)
  if (info.isDirectory()) for (const name of await readdir(path)) await giveTo(owner, join(path, name))
}

/** Homes of folders that lay below the temporary folder and are gone with it; of any other, data is never removed. */
async function removeOrphans(homes: string): Promise<void> {
  for (const name of await readdir(homes)) {
    const owner = (await readIfThere(join(homes, name, ownerNote)))?.trim()
    if (owner?.startsWith(`${tmpdir()}/`) !== true) continue
    const gone = await stat(owner).then(
      () => false,
      (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
    )
    if (gone) await rm(join(homes, name), { recursive: true, force: true })
  }
}

/** The home that `location` in the folder names, or a new one. A folder that was removed and made again starts anew. */
async function homeElsewhere(dir: string): Promise<string> {
  const homes = join(systemFolder, 'data')
  await mkdir(homes, { recursive: true, mode: 0o755 })
  const note = join(dir, 'location')
  const known = (await readIfThere(note))?.trim()
  if (known !== undefined) {
    if (dirname(known) === homes) return known
    throw new RingfenceError('Unreadable', `${note} names ${known}, which is not in ${homes}`)
  }
  await removeOrphans(homes)
  const home = join(homes, randomBytes(8).toString('hex'))
  await mkdir(home, { mode: 0o711 })
  await writePrivate(join(home, ownerNote), `${resolve(dir)}\n`)
  await writePrivate(note, `${home}\n`)
  return home
}

/** Decides account and folders for the cluster of `dir`, and makes the folders. */
export async function accountFor(dir: string): Promise<Account> {
  if (process.getuid?.() !== 0) {
    return { home: await privateFolder(dir), programs: cacheFolder('postgres') }
  }
  const initdb = await namedAccount()
  const programs = join(systemFolder, 'postgres')
  await mkdir(programs, { recursive: true, mode: 0o755 })
  await mkdir(dir, { recursive: true, mode: 0o711 })
  await chmod(dir, 0o711)
  const elsewhere = (await readIfThere(join(dir, 'location'))) !== undefined || !(await reachable(dir))
  const home = elsewhere ? await homeElsewhere(dir) : dir
  // A folder that was moved keeps its user.
  const owner = await stat(join(home, 'data')).catch(() => undefined)
  const uid = owner?.uid ?? (await ownNumber(dir))
  return { server: { uid, gid: owner?.gid ?? uid }, initdb, home, programs }
}
