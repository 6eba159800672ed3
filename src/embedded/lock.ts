/**
 * One holder at a time across processes: for a data folder, and for making something in the cache. The lock names its
 * holder, so that one left by a dead process heals, and a living one is named to the person who waits.
 */
import { link, rm, writeFile } from 'node:fs/promises'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { RingfenceError } from '../model/errors.ts'
import { readIfThere } from './folder.ts'
import { isRunning, processIdentity, type ProcessIdentity } from './process-identity.ts'

export interface Lock {
  /** Idempotent. */
  release(): Promise<void>
}

function parseHolder(content: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(content) as ProcessIdentity
  } catch {
    return undefined
  }
}

async function removeIf(path: string, content: string): Promise<void> {
  if ((await readIfThere(path)) === content) await rm(path, { force: true })
}

/**
 * Removes the lock of a dead holder. Two that find it at once must not both remove "it", for the second would remove
 * the first one's new lock; so this is done under a lock of its own, and only if the content is still the dead one's.
 */
async function breakStale(path: string, content: string): Promise<void> {
  const guard = await tryLock(`${path}.break`)
  if (!('release' in guard)) return
  await removeIf(path, content)
  await guard.release()
}

/** Takes the lock, or answers the process that holds it. */
export async function tryLock(path: string): Promise<Lock | ProcessIdentity> {
  const self = await processIdentity(process.pid)
  if (self === undefined) throw new Error('cannot read the identity of this process')
  const mine = `${path}.${process.pid}.${randomBytes(4).toString('hex')}`
  const content = JSON.stringify({ ...self, nonce: randomBytes(8).toString('hex') })
  await writeFile(mine, content, { mode: 0o600 })
  try {
    for (;;) {
      try {
        // A hard link appears whole or not at all, and never over an existing lock.
        await link(mine, path)
        return { release: () => removeIf(path, content) }
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      const found = await readIfThere(path)
      if (found === undefined) continue
      const holder = parseHolder(found)
      if (holder !== undefined && (await isRunning(holder))) return holder
      await breakStale(path, found)
    }
  } finally {
    await rm(mine, { force: true })
  }
}

/** Waits until the lock is ours. `onWait` is told once who holds it. */
export async function lock(
  path: string,
  onWait: (holder: ProcessIdentity) => void = () => undefined,
  signal?: AbortSignal,
): Promise<Lock> {
  let told = false
  for (;;) {
    const taken = await tryLock(path)
    if ('release' in taken) return taken
    if (!told) onWait(taken)
    told = true
    signal?.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}

/** Holds a data folder for this process, or says who has it. Released by `release`, or by our death. */
export async function holdFolder(dir: string): Promise<Lock> {
  const taken = await tryLock(join(dir, 'lock'))
  if ('release' in taken) return taken
  throw new RingfenceError(
    'Conflict',
    `process ${taken.pid} works in ${dir} already (${taken.command.slice(0, 120)})`,
    { pid: taken.pid },
  )
}
