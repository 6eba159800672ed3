/**
 * Starts servers under a supervising process (`supervisor.ts`), so that they never outlive us, and keeps on disk what
 * runs, so that the next start can end what a killed supervisor left behind. One such set per data folder.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { openSync, closeSync } from 'node:fs'
import { open as openFile, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isRingfenceError, RingfenceError } from '../model/errors.ts'
import { readIfThere, writePrivate } from './folder.ts'
import { isRunning, processIdentity, type ProcessIdentity } from './process-identity.ts'

export interface ServerProcess {
  /** Unique in the set; also the name of the log file. */
  readonly id: string
  readonly command: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
  readonly cwd: string
  readonly uid?: number
  readonly gid?: number
  readonly stopSignal: 'SIGTERM' | 'SIGINT'
  /** How long it may take to end before it is killed. */
  readonly graceMs: number
  /** Signals go to the program and all that it started. */
  readonly group?: boolean
}

export type SupervisorOrder =
  | ({ readonly do: 'run'; readonly log: string } & ServerProcess)
  | { readonly do: 'stop'; readonly id: string }
  | { readonly do: 'stop-all' }

export type SupervisorAnswer =
  | { readonly id: string; readonly event: 'started'; readonly pid: number }
  | {
      readonly id: string
      readonly event: 'ended'
      readonly code: number | null
      readonly signal: string | null
      readonly error?: string
    }

const recordOf = (dir: string): string => join(dir, 'processes.json')

async function stillRunning(processes: readonly ProcessIdentity[]): Promise<ProcessIdentity[]> {
  const states = await Promise.all(processes.map(isRunning))
  return processes.filter((_, index) => states[index])
}

/** Whether all ended within the time. */
async function waitForEnd(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<boolean> {
  const deadline = Date.now() + timeoutMs
  while ((await stillRunning(processes)).length > 0) {
    if (Date.now() > deadline) return false
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return true
}

async function end(one: ProcessIdentity): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    if (!(await isRunning(one))) return
    try {
      process.kill(one.pid, signal)
    } catch {
      // It ended by itself in this moment; or it is not ours to end, which the caller finds.
    }
    if (await waitForEnd([one], 6000)) return
  }
}

/** Ends what an earlier set in this folder left running. Touches a process only if it is provably that one. */
export async function endLeftovers(dir: string): Promise<void> {
  const text = await readIfThere(recordOf(dir))
  if (text === undefined) return
  let left: ProcessIdentity[]
  try {
    left = JSON.parse(text) as ProcessIdentity[]
  } catch {
    left = []
  }
  // A supervisor whose starter was killed a moment ago is ending them by itself.
  await waitForEnd(left, 500)
  for (const one of [...left].reverse()) await end(one)
  const stuck = await stillRunning(left)
  if (stuck.length > 0) {
    const pids = stuck.map((one) => one.pid).join(', ')
    throw new RingfenceError(
      'Conflict',
      `processes ${pids} of an earlier start in ${dir} cannot be ended; end them by hand`,
    )
  }
  await rm(recordOf(dir), { force: true })
}

/** The last lines that a server wrote, for an error message. */
export async function logTail(path: string, bytes = 2000): Promise<string> {
  try {
    const file = await openFile(path, 'r')
    try {
      const { size } = await file.stat()
      const buffer = Buffer.alloc(Math.min(size, bytes))
      await file.read(buffer, 0, buffer.length, size - buffer.length)
      return buffer.toString('utf8')
    } finally {
      await file.close()
    }
  } catch {
    return ''
  }
}

/** Starts a log anew when it has grown large; the one before it is kept. */
async function keepLogSmall(path: string): Promise<void> {
  const size = await stat(path).then(
    (info) => info.size,
    () => 0,
  )
  if (size > 5 * 1024 ** 2) await rename(path, `${path}.1`)
}

/** A set of servers under one supervising process. */
export class SupervisedSet {
  readonly #dir: string
  readonly #supervisor: ChildProcess
  readonly #identities: ProcessIdentity[] = []
  readonly #ended = new Map<string, string>()
  readonly #waiting = new Map<string, (answer: SupervisorAnswer) => void>()
  #stopping = false
  readonly #onEnd = new Map<string, () => void>()

  private constructor(dir: string, supervisor: ChildProcess) {
    this.#dir = dir
    this.#supervisor = supervisor
    let fail: (error: RingfenceError) => void
    this.failed = new Promise((resolve) => (fail = resolve))
    supervisor.on('message', (answer: SupervisorAnswer) => {
      if (answer.event === 'ended')
        this.#ended.set(answer.id, answer.error ?? `exit code ${answer.code ?? answer.signal}`)
      this.#waiting.get(answer.id)?.(answer)
      this.#waiting.delete(answer.id)
      if (answer.event !== 'ended') return
      this.#onEnd.get(answer.id)?.()
      if (!this.#stopping && !this.#onEnd.has(answer.id)) void this.failure(answer.id).then((error) => fail(error))
    })
    supervisor.once('exit', () => {
      for (const [id, waiting] of this.#waiting)
        waiting({ id, event: 'ended', code: null, signal: null, error: 'its supervising process ended' })
      for (const ended of this.#onEnd.values()) ended()
    })
  }

  /** Starts the supervising process. The folder must be ours alone (see `lock.ts`). */
  static async open(dir: string): Promise<SupervisedSet> {
    await endLeftovers(dir)
    const log = openSync(join(dir, 'supervisor.log'), 'a', 0o600)
    const { NODE_OPTIONS: _, ...env } = process.env
    const supervisor = spawn(process.execPath, [join(dirname(fileURLToPath(import.meta.url)), 'supervisor.ts')], {
      cwd: dir,
      // A session of its own: Ctrl-C in the terminal reaches us alone, and we stop the servers in order.
      detached: true,
      env,
      stdio: ['ignore', log, log, 'ipc'],
    })
    closeSync(log)
    await once(supervisor, 'spawn')
    supervisor.unref()
    supervisor.channel?.unref()
    const set = new SupervisedSet(dir, supervisor)
    await set.#remember(supervisor.pid)
    return set
  }

  /** Resolves when a server ended without being told to. */
  readonly failed: Promise<RingfenceError>

  get pids(): readonly number[] {
    return this.#identities.map((one) => one.pid)
  }

  logOf(id: string): string {
    return join(this.#dir, `${id}.log`)
  }

  async #remember(pid: number | undefined): Promise<void> {
    const identity = pid === undefined ? undefined : await processIdentity(pid)
    if (identity === undefined) return
    this.#identities.push(identity)
    await writePrivate(recordOf(this.#dir), JSON.stringify(this.#identities))
  }

  /** Starts one server and answers its process id once it is running (not: ready). */
  async run(server: ServerProcess): Promise<number> {
    await keepLogSmall(this.logOf(server.id))
    if (!this.#supervisor.connected) throw await this.failure(server.id)
    const answered = new Promise<SupervisorAnswer>((resolve) => this.#waiting.set(server.id, resolve))
    this.#ended.delete(server.id)
    this.#send({ do: 'run', log: this.logOf(server.id), ...server })
    // Only while we wait does the supervising process keep this one alive.
    this.#supervisor.channel?.ref()
    const answer = await answered
    this.#supervisor.channel?.unref()
    if (answer.event === 'ended') throw await this.failure(server.id)
    await this.#remember(answer.pid)
    return answer.pid
  }

  /** Why a server ended, or undefined while it runs. */
  endOf(id: string): string | undefined {
    if (this.#supervisor.exitCode !== null || this.#supervisor.signalCode !== null)
      return 'its supervising process ended'
    return this.#ended.get(id)
  }

  /** Runs a program to its end; rejects, with the end of its log, unless that is exit code 0. */
  async runToEnd(program: ServerProcess): Promise<void> {
    const ended = new Promise<void>((resolve) => this.#onEnd.set(program.id, resolve))
    await this.run(program)
    this.#supervisor.channel?.ref()
    await ended
    this.#supervisor.channel?.unref()
    if (this.endOf(program.id) !== 'exit code 0') throw await this.failure(program.id)
  }

  async failure(id: string): Promise<RingfenceError> {
    const log = await logTail(this.logOf(id))
    return new RingfenceError(
      'BackendFault',
      `${id} ended (${this.endOf(id) ?? 'unknown'}); its log, ${this.logOf(id)}, ends with:\n${log}`,
      { server: id },
    )
  }

  /** Stops all, last started first, and returns when no process is left. Idempotent. */
  async stop(): Promise<void> {
    this.#stopping = true
    if (this.#supervisor.exitCode === null && this.#supervisor.signalCode === null) {
      const gone = once(this.#supervisor, 'exit')
      this.#supervisor.ref()
      this.#send({ do: 'stop-all' })
      await gone
    }
    await endLeftovers(this.#dir)
  }

  #send(order: SupervisorOrder): void {
    if (this.#supervisor.connected) this.#supervisor.send(order, () => undefined)
  }
}

/**
 * Runs one program to its end under a supervisor, so that it ends with us or with the signal. `dir` is a folder of
 * ours for its log and the note of what runs. Rejects with the signal's reason, or BackendFault and the log's end.
 */
export async function superviseToEnd(dir: string, program: ServerProcess, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  const set = await SupervisedSet.open(dir)
  const cancel = (): void => void set.stop()
  signal?.addEventListener('abort', cancel, { once: true })
  try {
    await set.runToEnd(program)
    await rm(set.logOf(program.id), { force: true })
  } catch (error) {
    signal?.throwIfAborted()
    throw error
  } finally {
    signal?.removeEventListener('abort', cancel)
    await set.stop()
  }
}

/**
 * Starts again, on other ports, when one was taken between its choice and its use; ports that are free at a choice may
 * be anybody's a moment later.
 */
export async function onFreePorts<T>(start: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await start()
    } catch (error) {
      const taken = isRingfenceError(error) && /address already in use/i.test(error.message)
      if (!taken || tries === 3) throw error
    }
  }
}
