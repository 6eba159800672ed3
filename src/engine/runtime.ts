/**
 * A running engine: worker, watches, resync sweep and the proof of everybody after changes that concern all. Owns
 * when things run; what they do is elsewhere.
 */
import { toRingfenceError } from '../model/errors.ts'
import type { Backend } from '../model/driver.ts'
import { trigger } from '../store/leases.ts'
import { forgetOld } from '../store/retention.ts'
import { setPlatformStands } from '../store/operations.ts'
import type { Notifications } from '../store/notifications.ts'
import { contradicted } from './contradictions.ts'
import type { Prove } from './proof-runner.ts'
import { resyncMs } from './retry.ts'
import { sweep } from './sweep.ts'
import { allTenants } from './tenant-service.ts'
import { watchBackend } from './watch.ts'
import { platformKey, startWorker, type Worker, type WorkerOptions } from './worker.ts'
import type { WorldReader } from './world.ts'

export interface RuntimeOptions extends WorkerOptions {
  readonly notifications: Notifications
  readonly worlds: WorldReader
  readonly prove: Prove
}

export interface Runtime {
  readonly worker: Worker
  /** Backends came up: `connect` makes them known to the engine; then they are watched, and everything is looked at. */
  attach(connect: () => void, ...backends: readonly Backend[]): Promise<void>
  /** Looks at every tenant now, without waiting for the resync. */
  resync(): Promise<void>
  stop(graceMs?: number): Promise<void>
}

/** A proof of everybody gathers this long, so that a burst of changes costs one. */
const proofDelayMs = 300
/** After a proof of everybody that failed. */
const proofAgainMs = 5_000
const retentionEveryMs = 60 * 60_000

/** Where changes may have been missed, everybody is compared after this long, and not more often than that. */
const missedDelayMs = 500
const missedEveryMs = 15_000

/** Does the work once for all that ask within `delayMs`, and at most every `everyMs`. */
function gathered(work: () => void, delayMs: number, everyMs: number): { ask(): void; stop(): void } {
  let timer: NodeJS.Timeout | undefined
  let lastMs = 0
  const run = () => {
    timer = undefined
    lastMs = Date.now()
    work()
  }
  return {
    ask: () => void (timer ??= setTimeout(run, Math.max(delayMs, lastMs + everyMs - Date.now()))),
    stop: () => clearTimeout(timer),
  }
}

type Guarded = (what: string, work: () => Promise<void>) => Promise<void>

/** Proves everybody soon after a change that may concern all, and calls for passes where the answer is another now. */
function proofOfEverybody(
  options: RuntimeOptions,
  guarded: Guarded,
  stopped: AbortSignal,
): { ask(): void; stop(): void } {
  const { store } = options
  let timer: NodeJS.Timeout | undefined
  const soon = (delayMs: number) => {
    timer ??= setTimeout(() => {
      timer = undefined
      void run()
    }, delayMs)
  }
  const run = () =>
    guarded('the proof of all tenants', async () => {
      try {
        const signal = AbortSignal.timeout(60_000)
        const world = await options.worlds.read({ fresh: false, signal, inside: new Set() })
        const off = contradicted(options.prove(world).verdicts, await allTenants(store))
        const keys = off.map((row) => row.uid)
        await store.run((db) => trigger(db, keys, 'change'))
      } catch (error) {
        // The change is still not judged: it is not forgotten.
        if (!stopped.aborted) soon(proofAgainMs)
        throw error
      }
    })
  return { ask: () => soon(proofDelayMs), stop: () => clearTimeout(timer) }
}

export async function startRuntime(options: RuntimeOptions): Promise<Runtime> {
  const { store, log } = options
  const stopping = new AbortController()
  const worker = startWorker(options)
  options.notifications.on('ringfence_work', () => worker.wake())
  const watches: Promise<void>[] = []

  const guarded = async (what: string, work: () => Promise<void>) => {
    try {
      await work()
    } catch (error) {
      if (!stopping.signal.aborted) log('warn', `${what} failed: ${toRingfenceError(error).message}`)
    }
  }
  const everybody = proofOfEverybody(options, guarded, stopping.signal)
  const onGlobalChange = () => everybody.ask()
  // Kinds are listed one by one and a broken connection breaks many watches: one sweep answers for all of them.
  const missed = gathered(() => void resync(), missedDelayMs, missedEveryMs)
  const resync = () =>
    guarded('the resync', async () => {
      await store.run((db) => trigger(db, [platformKey], 'resync'))
      const { checked, triggered } = await sweep(store, options.products, stopping.signal)
      if (triggered.length > 0) log('info', `resync: ${triggered.length} of ${checked} tenants need a pass`)
    })
  const tidy = () => guarded('forgetting what is old', async () => void (await forgetOld(store)))
  void tidy()
  const timers = [
    setInterval(() => {
      onGlobalChange()
      void resync()
    }, resyncMs),
    setInterval(() => void tidy(), retentionEveryMs),
  ]
  for (const timer of timers) timer.unref()
  return {
    worker,
    resync,
    async attach(connect, ...backends) {
      // What a backend holds of the platform's objects is not known until a pass has looked; no pass may see the
      // backend and still believe the last answer.
      await store.run((db) => setPlatformStands(db, false))
      connect()
      for (const backend of backends)
        watches.push(
          watchBackend(
            backend,
            { store, onGlobalChange, onMissedChanges: missed.ask, platformKey, log },
            stopping.signal,
          ),
        )
      await store.run((db) => setPlatformStands(db, false))
      await store.run((db) => trigger(db, [platformKey], 'attached'))
      const rows = await allTenants(store)
      await store.run((db) =>
        trigger(
          db,
          rows.map((row) => row.uid),
          'attached',
        ),
      )
      worker.wake()
    },
    async stop(graceMs = 5_000) {
      for (const timer of timers) clearInterval(timer)
      everybody.stop()
      missed.stop()
      await worker.stop(graceMs)
      stopping.abort()
      await Promise.allSettled(watches)
    },
  }
}
