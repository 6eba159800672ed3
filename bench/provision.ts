/**
 * Provisioning, from `create` to Ready, beside the bare calls that make the same objects: one tenant after the other,
 * and many at once. The floor is taken on the same servers after the control plane has stopped.
 */
import { performance } from 'node:perf_hooks'
import type { Boundary } from '../src/engine/execute.ts'
import { resolveNames, slugOf } from '../src/model/names.ts'
import { type Tenant, tenantDocument } from '../src/model/tenant.ts'
import type { Step } from '../src/planner/step.ts'
import type { Running } from '../src/up/up.ts'
import { caller, documentOf, numbered } from './documents.ts'
import { median, ms, perSecond, ratioOf, type Line, type Result, verdict } from './figures.ts'
import { gate, openReplayer, record, type Script } from './floor.ts'
import type { BenchOptions } from './run.ts'
import { type Servers, startServers } from './servers.ts'

/** When what happened to a tenant, in milliseconds of the process's clock. */
interface Trace {
  readonly askedMs: number
  firstIntentMs?: number
  lastOutcomeMs?: number
  readyMs?: number
}

/** So many creations are under way at one time, here and in the floor: what the engine works on side by side. */
const concurrency = 16

export async function benchProvision({ quick, tenants, say }: BenchOptions): Promise<Result> {
  const [single, many] = quick ? [2, 6] : [9, tenants ?? 300]
  const servers = await startServers(say)
  try {
    const traces = new Map<string, Trace>()
    const running = await servers.startProduct((boundary, step) => trace(traces, boundary, step))
    const ready = watchReady(running, traces)
    await createOne(running, traces, ready, 'warmup')
    const ones: Trace[] = []
    for (const name of numbered('single', single)) ones.push(await createOne(running, traces, ready, name))
    say(`${single} tenants, one by one: ${ms(median(ones.map(untilReady)))}`)
    const startedMs = performance.now()
    const inTurn = gate(concurrency)
    const names = numbered('many', many)
    await Promise.all(names.map((name) => inTurn(() => create(running, traces, name))))
    const createdMs = performance.now() - startedMs
    await Promise.all(names.map((name) => ready.of(name)))
    const manyTraces = names.map((name) => traces.get(name) as Trace)
    const lastOutcomeMs = Math.max(...manyTraces.map((one) => one.lastOutcomeMs ?? Number.NaN)) - startedMs
    const lastReadyMs = Math.max(...manyTraces.map((one) => one.readyMs ?? Number.NaN)) - startedMs
    say(
      `${many} tenants at once: accepted after ${ms(createdMs)}, made after ${ms(lastOutcomeMs)}, Ready after ${ms(lastReadyMs)}`,
    )
    const script = await recordScript(running, servers)
    ready.stop()
    await running.stop()
    const floor = await takeFloor(servers, script, single, many)
    return report({ ones, many, createdMs, lastOutcomeMs, lastReadyMs, ...floor })
  } finally {
    await servers.stop()
  }
}

function trace(traces: Map<string, Trace>, boundary: Boundary, { resource }: Step): void {
  const known = resource.owner === 'platform' ? undefined : traces.get(resource.owner.name)
  if (known === undefined || known.readyMs !== undefined) return
  if (boundary === 'before-intent') known.firstIntentMs ??= performance.now()
  if (boundary === 'after-outcome') known.lastOutcomeMs = performance.now()
}

interface Ready {
  of(name: string): Promise<void>
  stop(): void
}

/** Follows the progress events, as `tenant create --wait` does. */
function watchReady(running: Running, traces: Map<string, Trace>): Ready {
  const waiting = new Map<string, PromiseWithResolvers<void>>()
  const stopping = new AbortController()
  const entry = (name: string) => {
    const known = waiting.get(name) ?? Promise.withResolvers<void>()
    waiting.set(name, known)
    return known
  }
  const follow = async () => {
    for await (const event of running.controlPlane.events({}, stopping.signal)) {
      if (event.type !== 'phase' || event.reason !== 'Ready') continue
      const known = traces.get(event.tenant)
      if (known !== undefined) known.readyMs ??= performance.now()
      entry(event.tenant).resolve()
    }
  }
  follow().catch((error: unknown) => {
    if (!stopping.signal.aborted) for (const one of waiting.values()) one.reject(error)
  })
  return { of: (name) => entry(name).promise, stop: () => stopping.abort() }
}

async function create(running: Running, traces: Map<string, Trace>, name: string): Promise<void> {
  traces.set(name, { askedMs: performance.now() })
  await running.controlPlane.create(documentOf(name), caller)
}

async function createOne(running: Running, traces: Map<string, Trace>, ready: Ready, name: string): Promise<Trace> {
  await create(running, traces, name)
  await ready.of(name)
  // The echo of the last one's own writes is over before the next one begins.
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  return traces.get(name) as Trace
}

const untilReady = (one: Trace) => (one.readyMs ?? Number.NaN) - one.askedMs
const untilMade = (one: Trace) => (one.lastOutcomeMs ?? Number.NaN) - one.askedMs
const untilBegun = (one: Trace) => (one.firstIntentMs ?? Number.NaN) - one.askedMs

/** Longer than any name that follows, and so without influence on it. */
const sampleName = 'benchmarksample'

function recordScript(running: Running, servers: Servers): Promise<Script> {
  const { context, layers } = running.products
  const { spec, metadata } = tenantDocument.parse(documentOf(sampleName))
  const uid = crypto.randomUUID()
  const names = resolveNames(context.platform, {
    name: sampleName,
    slug: slugOf({ name: sampleName, spec }),
    uid,
    spec,
  })
  const tenant: Tenant = { name: sampleName, uid, generation: 1, spec, labels: metadata.labels, names }
  const desired = layers.flatMap((layer) => layer.desired(tenant, context))
  return record(tenant, desired, servers.postgres)
}

interface Floor {
  readonly singleFloorMs: number
  readonly manyFloorMs: number
}

async function takeFloor(servers: Servers, script: Script, single: number, many: number): Promise<Floor> {
  const replayer = openReplayer(servers.kubernetes.engine, servers.postgres)
  try {
    await replayer.replay(script, 'rawwarmup')
    const ones: number[] = []
    for (const name of numbered('rawsingle', single)) {
      const startedMs = performance.now()
      await replayer.replay(script, name)
      ones.push(performance.now() - startedMs)
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    const inTurn = gate(concurrency)
    const startedMs = performance.now()
    await Promise.all(numbered('rawmany', many).map((name) => inTurn(() => replayer.replay(script, name))))
    return { singleFloorMs: median(ones), manyFloorMs: performance.now() - startedMs }
  } finally {
    await replayer.close()
  }
}

interface Figures extends Floor {
  readonly ones: readonly Trace[]
  readonly many: number
  readonly createdMs: number
  readonly lastOutcomeMs: number
  readonly lastReadyMs: number
}

function report({ ones, many, createdMs, lastOutcomeMs, lastReadyMs, singleFloorMs, manyFloorMs }: Figures): Result {
  const [begun, made, ready] = [untilBegun, untilMade, untilReady].map((of) => median(ones.map(of))) as [
    number,
    number,
    number,
  ]
  const limitMs = Math.max(1.25 * singleFloorMs, singleFloorMs + 100)
  const rate = (tookMs: number) => (many * 1_000) / tookMs
  const one = (what: string, tookMs: number, target?: string): Line => ({
    what,
    measured: ms(tookMs),
    floor: `${ms(singleFloorMs)} (the bare calls)`,
    ratio: ratioOf(tookMs, singleFloorMs),
    ...(target === undefined ? {} : { target }),
  })
  const all = (what: string, tookMs: number, target?: string): Line => ({
    what,
    measured: perSecond(rate(tookMs)),
    floor: `${perSecond(rate(manyFloorMs))} (the bare calls)`,
    ratio: `${Math.round((100 * manyFloorMs) / tookMs)} %`,
    ...(target === undefined ? {} : { target }),
  })
  return {
    lines: [
      one('one tenant, create to all made', made, verdict(made <= limitMs, `≤ ${ms(limitMs)}`)),
      one('one tenant, create to Ready', ready, verdict(ready <= limitMs, `≤ ${ms(limitMs)}`)),
      all(`${many} tenants, until all made`, lastOutcomeMs, verdict(lastOutcomeMs * 0.8 <= manyFloorMs, '≥ 80 %')),
      all(`${many} tenants, until all Ready`, lastReadyMs, verdict(lastReadyMs * 0.8 <= manyFloorMs, '≥ 80 %')),
    ],
    notes: [
      `one tenant: ${ms(begun)} from create to the first intent, ${ms(made - begun)} for all resources, ${ms(ready - made)} more for proof and status (medians of ${ones.length})`,
      `${many} tenants: all documents were accepted after ${ms(createdMs)}; ${concurrency} creations at a time`,
    ],
  }
}
