/** Locks and process identities, against real processes. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { holdFolder, lock, tryLock, type Lock } from '../../../src/embedded/lock.ts'
import { isRunning, processIdentity, type ProcessIdentity } from '../../../src/embedded/process-identity.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ringfence-lock-'))
})
afterEach(async () => {
  await rm(dir, { recursive: true })
})

const taken = (result: Lock | ProcessIdentity): Lock => {
  if (!('release' in result)) throw new Error(`held by ${result.pid}`)
  return result
}

/** A process that has ended: its number is free, or somebody else's. */
async function endedProcess(): Promise<ProcessIdentity> {
  const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' })
  await once(child, 'spawn')
  const identity = await processIdentity(child.pid ?? 0)
  child.kill('SIGKILL')
  await once(child, 'exit')
  if (identity === undefined) throw new Error('no identity')
  return identity
}

describe('a process identity', () => {
  test('is that of a running process and of no ended one', async () => {
    const self = await processIdentity(process.pid)
    expect(self).toBeDefined()
    expect(await isRunning(self as ProcessIdentity)).toBe(true)
    expect(await isRunning(await endedProcess())).toBe(false)
  })

  test('does not match another process that got the same number', async () => {
    const self = (await processIdentity(process.pid)) as ProcessIdentity
    expect(await isRunning({ ...self, started: `${self.started}0` })).toBe(false)
    expect(await isRunning({ ...self, command: 'something else' })).toBe(false)
  })
})

describe('a lock', () => {
  test('is held by one, names its holder, and is free after release', async () => {
    const path = join(dir, 'lock')
    const first = taken(await tryLock(path))
    expect(await tryLock(path)).toMatchObject({ pid: process.pid })
    await expect(holdFolder(dir)).rejects.toMatchObject({ code: 'Conflict', facts: { pid: process.pid } })
    await first.release()
    await taken(await tryLock(path)).release()
    expect(await readdir(dir)).toEqual([])
  })

  test('of a dead process heals, and so does a damaged one', async () => {
    const path = join(dir, 'lock')
    await writeFile(path, JSON.stringify(await endedProcess()))
    await taken(await tryLock(path)).release()
    await writeFile(path, '{"pid": 1')
    await taken(await tryLock(path)).release()
  })

  test('of a dead process whose number a living one has now heals', async () => {
    const path = join(dir, 'lock')
    const self = (await processIdentity(process.pid)) as ProcessIdentity
    await writeFile(path, JSON.stringify({ ...self, started: 'long ago' }))
    await taken(await tryLock(path)).release()
  })

  test('released twice does not free its successor', async () => {
    const path = join(dir, 'lock')
    const first = taken(await tryLock(path))
    await first.release()
    const second = taken(await tryLock(path))
    await first.release()
    expect(await readFile(path, 'utf8')).toContain(String(process.pid))
    await second.release()
  })

  test('is never held by two, however many want it and however stale it is', async () => {
    const path = join(dir, 'lock')
    const stale = JSON.stringify(await endedProcess())
    let holders = 0
    let most = 0
    await writeFile(path, stale)
    await Promise.all(
      Array.from({ length: 12 }, async () => {
        const held = await lock(path)
        holders++
        most = Math.max(most, holders)
        await new Promise((resolve) => setTimeout(resolve, 5))
        holders--
        await held.release()
      }),
    )
    expect(most).toBe(1)
  })
})
