/**
 * As whom PostgreSQL runs, and where: it refuses to run as root. Started by root it gets a user number of its own,
 * so that not even another service's account can read its files, and a folder that this user can reach.
 */
import { createHash } from 'node:crypto'
import { chmod, chown, lstat, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { RingfenceError } from '../../model/errors.ts'
import { cacheFolder, privateFolder } from '../folder.ts'

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

/** Decides account and folders for the cluster of `dir`, and makes the folders. */
export async function accountFor(dir: string): Promise<Account> {
  if (process.getuid?.() !== 0) {
    return { home: await privateFolder(dir), programs: cacheFolder('postgres') }
  }
  const initdb = await namedAccount()
  const uid = await ownNumber(dir)
  const server = { uid, gid: uid }
  const programs = join(systemFolder, 'postgres')
  await mkdir(programs, { recursive: true, mode: 0o755 })
  await mkdir(dir, { recursive: true, mode: 0o711 })
  await chmod(dir, 0o711)
  if (await reachable(dir)) return { server, initdb, home: dir, programs }
  const home = join(systemFolder, 'data', createHash('sha256').update(resolve(dir)).digest('hex').slice(0, 16))
  await mkdir(home, { recursive: true, mode: 0o711 })
  return { server, initdb, home, programs }
}
