/**
 * What a driver's tests hand to the conformance suite, and what the suite's parts share: how its objects are made, how
 * people disturb them, how its transport is broken.
 */
import { expect } from 'vitest'
import type { Backend, Call, Driver, Foreign, Material, Observation, Owned } from '../../src/model/driver.ts'
import { isRingfenceError, type RingfenceError } from '../../src/model/errors.ts'
import type { Resource } from '../../src/model/resource.ts'

export type Slots = { readonly [slot: string]: Material }

/** One kind of object, and what people can do to it without us. */
export interface ConformanceCase<Environment> {
  readonly title: string
  /** A resource under a name that was never used before, with whatever it lies in already made. */
  fresh(env: Environment): Promise<Resource>
  /** The same object as another document would want it; must be reachable by `update`. */
  changed?(resource: Resource): Resource
  /** Changes made behind our back; `path` is a pointer prefix that the drift must name. `how` is `update` if absent. */
  readonly disturbances: readonly {
    readonly title: string
    readonly path: string
    readonly how?: 'update' | 'replace' | 'refuse'
    disturb(env: Environment, resource: Resource): Promise<void>
  }[]
  /** Somebody makes an object of that name, not like ours. */
  stranger(env: Environment, resource: Resource): Promise<void>
  /** Somebody deletes it; returns when it is gone. */
  destroy(env: Environment, resource: Resource): Promise<void>
  /** What the backend holds under that name, to the byte, or undefined; excluding what the backend itself changes. */
  raw(env: Environment, resource: Resource): Promise<string | undefined>
  /** Credentials for a write; the clear values must not be seen anywhere. */
  readonly material?: () => Slots
}

/** A connection whose transport can be broken, to the same server. */
export interface BrokenTransport {
  readonly backend: Backend
  set(mode: 'pass' | 'refuse' | 'blackhole' | 'lose-answer'): void
}

export interface ConformanceEnvironment {
  readonly backend: Backend
  /** Runs a call with its transport broken as named; absent where there is no transport. */
  readonly broken?: BrokenTransport
  /** The same server with credentials that may do nothing. */
  readonly powerless?: Backend
  close(): Promise<void>
}

export interface Subject<Environment extends ConformanceEnvironment> {
  setup(): Promise<Environment>
  /** `broken` is set in the environment: the tests of lost answers and dead servers run. */
  readonly hasTransport: boolean
  /** `powerless` is set in the environment: the tests of missing rights run. */
  readonly hasPowerless: boolean
  readonly cases: readonly ConformanceCase<Environment>[]
}

let keys = 0
/** A call with ten seconds and a key of its own. */
export const call = (over: Partial<Call> = {}): Call => ({
  signal: new AbortController().signal,
  deadlineMs: Date.now() + 10_000,
  key: `conformance-${process.pid}-${++keys}`,
  ...over,
})

export async function refusal(run: Promise<unknown>): Promise<RingfenceError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isRingfenceError(error))
    throw new Error(`expected a RingfenceError, got ${error === undefined ? 'success' : String(error)}`, {
      cause: error,
    })
  return error
}

export function expectOwned(observation: Observation | 'unknown'): Owned {
  if (observation === 'unknown' || observation.status !== 'owned')
    throw new Error(`expected owned, got ${JSON.stringify(observation)}`)
  return observation
}

export function expectForeign(observation: Observation): Foreign {
  if (observation.status !== 'foreign') throw new Error(`expected foreign, got ${JSON.stringify(observation)}`)
  return observation
}

/** What the suite does with one kind of object. */
export interface Stage<Environment> {
  readonly one: ConformanceCase<Environment>
  readonly env: () => Environment
  driver(resource: Resource, backend?: Backend): Driver
  write(over?: Partial<Call>): Call
  make(resource: Resource): Promise<Owned>
  observe(resource: Resource, over?: Partial<Call>): Promise<Observation>
  /** Updates as the engine does: a conflict with somebody else's write is looked at again. */
  update(resource: Resource, seen: Owned, over?: Partial<Call>): Promise<Owned>
  /** Until it is neither there nor on its way out. */
  gone(resource: Resource, seen: Owned): Promise<void>
  raw(resource: Resource): Promise<string | undefined>
}

/** The verbs that the parts of the suite use on one kind of object. */
export function stageOf<Environment extends ConformanceEnvironment>(
  one: ConformanceCase<Environment>,
  env: () => Environment,
): Stage<Environment> {
  const driver = (resource: Resource, backend: Backend = env().backend): Driver => {
    const found = backend.drivers[resource.kind]
    if (!found) throw new Error(`no driver for ${resource.kind}`)
    return found
  }
  const write = (over: Partial<Call> = {}): Call =>
    call({ ...(one.material ? { material: one.material() } : {}), ...over })
  const observe = (resource: Resource, over: Partial<Call> = {}) =>
    driver(resource).observe(resource, call({ fresh: true, ...over }))
  const update = async (resource: Resource, seen: Owned, over: Partial<Call> = {}, tries = 5): Promise<Owned> => {
    try {
      return await driver(resource).update(
        resource,
        seen,
        driver(resource).diff(resource, seen.state),
        write({ knownId: seen.id, ...over }),
      )
    } catch (error) {
      if (!isRingfenceError(error) || error.code !== 'Conflict' || tries === 1) throw error
      return update(resource, expectOwned(await observe(resource, { knownId: seen.id })), over, tries - 1)
    }
  }
  return {
    update,
    one,
    env,
    driver,
    write,
    observe,
    make: async (resource) => expectOwned(await driver(resource).create(resource, write())),
    gone: (resource, seen) =>
      expect
        .poll(async () => (await observe(resource, { knownId: seen.id })).status, { timeout: 20_000, interval: 50 })
        .toBe('absent'),
    raw: (resource) => one.raw(env(), resource),
  }
}
