/**
 * The driver contract as a suite: what every driver, on memory, files or a real server, must do. A subject says how to
 * make its objects and how people disturb them; the suite holds the driver to the rest.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Backend, Call, Driver, Foreign, Material, Observation, Owned } from '../../src/model/driver.ts'
import { isRingfenceError, RingfenceError, type ErrorCode } from '../../src/model/errors.ts'
import type { Resource } from '../../src/model/resource.ts'

type Slots = { readonly [slot: string]: Material }

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
  if (!isRingfenceError(error)) throw new Error(`expected a RingfenceError, got ${error === undefined ? 'success' : String(error)}`, { cause: error })
  return error
}

export function expectOwned(observation: Observation | 'unknown'): Owned {
  if (observation === 'unknown' || observation.status !== 'owned') throw new Error(`expected owned, got ${JSON.stringify(observation)}`)
  return observation
}

function expectForeign(observation: Observation): Foreign {
  if (observation.status !== 'foreign') throw new Error(`expected foreign, got ${JSON.stringify(observation)}`)
  return observation
}

export function driverConformance<Environment extends ConformanceEnvironment>(name: string, subject: Subject<Environment>): void {
  describe(`${name} keeps the driver contract`, () => {
    let env: Environment
    beforeAll(async () => {
      env = await subject.setup()
    })
    afterAll(async () => {
      await env?.close()
    })
    for (const one of subject.cases) describe(one.title, () => suite(subject, one, () => env))
  })
}

/** What the suite does with one kind of object. */
interface Stage<Environment> {
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

function suite<Environment extends ConformanceEnvironment>(subject: Subject<Environment>, one: ConformanceCase<Environment>, env: () => Environment): void {
  const driver = (resource: Resource, backend: Backend = env().backend): Driver => {
    const found = backend.drivers[resource.kind]
    if (!found) throw new Error(`no driver for ${resource.kind}`)
    return found
  }
  const write = (over: Partial<Call> = {}): Call => call({ ...(one.material ? { material: one.material() } : {}), ...over })
  const observe = (resource: Resource, over: Partial<Call> = {}) => driver(resource).observe(resource, call({ fresh: true, ...over }))
  const update = async (resource: Resource, seen: Owned, over: Partial<Call> = {}, tries = 5): Promise<Owned> => {
    try {
      return await driver(resource).update(resource, seen, driver(resource).diff(resource, seen.state), write({ knownId: seen.id, ...over }))
    } catch (error) {
      if (!isRingfenceError(error) || error.code !== 'Conflict' || tries === 1) throw error
      return update(resource, expectOwned(await observe(resource, { knownId: seen.id })), over, tries - 1)
    }
  }
  const stage: Stage<Environment> = {
    update,
    one,
    env,
    driver,
    write,
    observe,
    make: async (resource) => expectOwned(await driver(resource).create(resource, write())),
    gone: (resource, seen) => expect.poll(async () => (await observe(resource, { knownId: seen.id })).status, { timeout: 20_000, interval: 50 }).toBe('absent'),
    raw: (resource) => one.raw(env(), resource),
  }
  lifeOfAnObject(stage)
  ownershipHolds(stage)
  repeatedSteps(stage)
  if (subject.hasTransport) brokenTransport(stage)
  if (subject.hasPowerless) missingRights(stage)
  endedCalls(stage)
  if (one.material) secretsStaySecret(stage, one.material)
}

function lifeOfAnObject<E extends ConformanceEnvironment>({ one, env, driver, make, observe, gone, raw, update }: Stage<E>): void {
  it('is absent, then created as asked, then owned with nothing to do', async () => {
    const resource = await one.fresh(env())
    expect(await observe(resource)).toEqual({ status: 'absent' })
    const made = await make(resource)
    expect(driver(resource).diff(resource, made.state)).toEqual([])
    const seen = expectOwned(await observe(resource, { knownId: made.id }))
    expect(seen.id).toBe(made.id)
    expect(driver(resource).diff(resource, seen.state)).toEqual([])
    expect(await raw(resource)).toBeDefined()
  })

  it('is found changed after each disturbance, and restored', async () => {
    expect(one.disturbances.length).toBeGreaterThan(0)
    for (const { title, path, how = 'update', disturb } of one.disturbances) {
      const resource = await one.fresh(env())
      const made = await make(resource)
      await disturb(env(), resource)
      const seen = expectOwned(await observe(resource, { knownId: made.id }))
      const drift = driver(resource).diff(resource, seen.state)
      expect(drift.map((found) => found.path).join(' '), title).toContain(path)
      expect(drift.some((found) => found.how === how && found.path.startsWith(path)), `${title}: ${how}`).toBe(true)
      if (how !== 'update') continue
      const repaired = await update(resource, seen)
      expect(repaired.id, title).toBe(made.id)
      expect(driver(resource).diff(resource, repaired.state), title).toEqual([])
      const again = expectOwned(await observe(resource, { knownId: made.id }))
      expect(driver(resource).diff(resource, again.state), title).toEqual([])
    }
  })

  it('follows a changed document in place', async () => {
    if (!one.changed) return
    const resource = await one.fresh(env())
    const made = await make(resource)
    const next = one.changed(resource)
    const drift = driver(next).diff(next, made.state)
    expect(drift.length).toBeGreaterThan(0)
    const written = await update(next, made)
    expect(written.id).toBe(made.id)
    expect(driver(next).diff(next, written.state)).toEqual([])
    expect(driver(resource).diff(resource, written.state).length).toBeGreaterThan(0)
  })

  it('is removed, and a second removal finds nothing to do', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    await driver(resource).remove(resource, made, call({ knownId: made.id }))
    await gone(resource, made)
    expect(await raw(resource)).toBeUndefined()
    await driver(resource).remove(resource, made, call({ knownId: made.id }))
    expect(await observe(resource)).toEqual({ status: 'absent' })
  })
}

function ownershipHolds<E extends ConformanceEnvironment>({ one, env, driver, write, make, observe, raw }: Stage<E>): void {
  it('never merges a create into what is there', async () => {
    const resource = await one.fresh(env())
    await make(resource)
    const before = await raw(resource)
    expect((await refusal(driver(resource).create(resource, write()))).code).toBe('AlreadyExists')
    expect(await raw(resource)).toBe(before)
    const other = await one.fresh(env())
    await one.stranger(env(), other)
    const strangers = await raw(other)
    expect((await refusal(driver(other).create(other, write()))).code).toBe('AlreadyExists')
    expect(await raw(other)).toBe(strangers)
  })

  it('sees an object as foreign unless its id is known or an open create made it', async () => {
    const resource = await one.fresh(env())
    const key = call().key
    const made = expectOwned(await driver(resource).create(resource, write({ key })))
    expect(expectForeign(await observe(resource)).id).toBe(made.id)
    expect((await observe(resource, { openCreateKey: `not-${key}` })).status).toBe('foreign')
    expect((await observe(resource, { openCreateKey: key })).status).toBe('owned')
    expect((await observe(resource, { knownId: made.id })).status).toBe('owned')
  })

  it('sees what a stranger made as foreign, whatever it is asked', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    await one.destroy(env(), resource)
    await one.stranger(env(), resource)
    const foreign = expectForeign(await observe(resource, { knownId: made.id }))
    expect(foreign.id).not.toBe(made.id)
    expect((await observe(resource, { knownId: made.id, openCreateKey: 'some-key' })).status).toBe('foreign')
  })

  it('leaves a successor of the same name alone when late writes for its predecessor arrive', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    await one.destroy(env(), resource)
    await one.stranger(env(), resource)
    const before = await raw(resource)
    const late: ErrorCode[] = ['Conflict', 'NotFound']
    expect(late).toContain((await refusal(driver(resource).update(resource, made, [], write({ knownId: made.id })))).code)
    expect(late).toContain((await refusal(driver(resource).remove(resource, made, call({ knownId: made.id })))).code)
    expect(before).toBeDefined()
    expect(await raw(resource)).toBe(before)
  })

  it('does not bring back what was deleted when a late update arrives', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    await one.destroy(env(), resource)
    expect(['Conflict', 'NotFound']).toContain((await refusal(driver(resource).update(resource, made, [], write({ knownId: made.id })))).code)
    expect(await raw(resource)).toBeUndefined()
  })
}

function repeatedSteps<E extends ConformanceEnvironment>({ one, env, driver, write, make, observe, update }: Stage<E>): void {
  it('may be told every step twice', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    const twice = write()
    const first = await update(resource, made, { key: twice.key })
    const second = await update(resource, made, { key: twice.key })
    expect(second.id).toBe(first.id)
    expect(driver(resource).diff(resource, second.state)).toEqual([])
    expect((await observe(resource, { knownId: made.id })).status).toBe('owned')
    await driver(resource).remove(resource, made, call())
    await driver(resource).remove(resource, made, call())
  })
}

function brokenTransport<E extends ConformanceEnvironment>({ one, env, driver, write, make, observe, update }: Stage<E>): void {
  const broken = (): BrokenTransport => {
    const { broken: transport } = env()
    if (!transport) throw new Error('this subject has no transport to break')
    return transport
  }
  const within = async <T>(mode: Parameters<BrokenTransport['set']>[0], run: (backend: Backend) => Promise<T>): Promise<T> => {
    const transport = broken()
    transport.set(mode)
    try {
      return await run(transport.backend)
    } finally {
      transport.set('pass')
    }
  }
  /** A connection that is open and has served, so that a request can be lost on it. */
  const warm = async (resource: Resource): Promise<void> => {
    expect((await driver(resource, broken().backend).observe(resource, call({ fresh: true }))).status).not.toBe('unreadable')
  }

  it('finds what a create made whose answer was lost', async () => {
    const resource = await one.fresh(env())
    await warm(resource)
    const key = call().key
    const answer = await within('lose-answer', (backend) => driver(resource, backend).create(resource, write({ key })))
    expect(answer).toBe('unknown')
    const seen = expectOwned(await observe(resource, { openCreateKey: key }))
    expect(driver(resource).diff(resource, seen.state)).toEqual([])
    expect((await refusal(driver(resource).create(resource, write({ key })))).code).toBe('AlreadyExists')
  })

  it('throws when the answer to an update or a removal is lost, and both can be repeated', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    await warm(resource)
    const lost: ErrorCode[] = ['Unreachable', 'Timeout']
    expect(lost).toContain((await refusal(within('lose-answer', (backend) => driver(resource, backend).update(resource, made, [], write({ deadlineMs: Date.now() + 3_000 }))))).code)
    expect((await observe(resource, { knownId: made.id })).status).toBe('owned')
    await update(resource, made)
    await warm(resource)
    expect(lost).toContain((await refusal(within('lose-answer', (backend) => driver(resource, backend).remove(resource, made, call({ deadlineMs: Date.now() + 3_000 }))))).code)
    await driver(resource).remove(resource, made, call({ knownId: made.id }))
  })

  it('is unreadable, never absent, when the server cannot be reached or does not answer', async () => {
    const resource = await one.fresh(env())
    expect(cause(await within('refuse', (backend) => driver(resource, backend).observe(resource, call({ fresh: true }))))).toBe('Unreachable')
    expect(cause(await within('blackhole', (backend) => driver(resource, backend).observe(resource, call({ fresh: true, deadlineMs: Date.now() + 300 }))))).toBe('Timeout')
    expect((await observe(resource)).status).toBe('absent')
  })

  it('fails once at each verb before anything happened, and works the next time', async () => {
    const resource = await one.fresh(env())
    const refused = async (run: (backend: Backend) => Promise<unknown>) => expect((await refusal(within('refuse', run))).code).toBe('Unreachable')
    // Whether a request had left when its connection broke cannot always be told: `unknown` is as honest.
    const key = call().key
    const answer = await within('refuse', (backend) => driver(resource, backend).create(resource, write({ key }))).catch((error: unknown) => error)
    expect(answer === 'unknown' || (isRingfenceError(answer) && answer.code === 'Unreachable')).toBe(true)
    expect((await observe(resource, { openCreateKey: key })).status).toBe('absent')
    expect((await observe(resource)).status).toBe('absent')
    const made = await make(resource)
    await refused((backend) => driver(resource, backend).update(resource, made, [], write()))
    await update(resource, made)
    await refused((backend) => driver(resource, backend).remove(resource, made, call()))
    expect((await observe(resource, { knownId: made.id })).status).toBe('owned')
    await driver(resource).remove(resource, made, call())
  })
}

const cause = (observation: Observation): ErrorCode => {
  if (observation.status !== 'unreadable') throw new Error(`expected unreadable, got ${observation.status}`)
  return observation.cause.code
}

function missingRights<E extends ConformanceEnvironment>({ one, env, driver, write, make, observe, raw }: Stage<E>): void {
  it('is unreadable, never absent, where it may not look, and changes nothing where it may not write', async () => {
    const resource = await one.fresh(env())
    const powerless = driver(resource, env().powerless)
    const forbidden = async (run: Promise<unknown>) => expect((await refusal(run)).code).toBe('Forbidden')
    expect(cause(await powerless.observe(resource, call({ fresh: true })))).toBe('Forbidden')
    await forbidden(powerless.create(resource, write()))
    expect((await observe(resource)).status).toBe('absent')
    const made = await make(resource)
    const before = await raw(resource)
    await forbidden(powerless.update(resource, made, [], write()))
    await forbidden(powerless.remove(resource, made, call()))
    expect(await raw(resource)).toBe(before)
  })
}

function endedCalls<E extends ConformanceEnvironment>({ one, env, driver, write, make, observe, raw }: Stage<E>): void {
  it('does nothing once the call was given up or its time is over', async () => {
    const resource = await one.fresh(env())
    for (const [ended, code] of [
      [{ signal: AbortSignal.abort() }, 'Aborted'],
      [{ deadlineMs: Date.now() - 1 }, 'Timeout'],
    ] as const) {
      expect((await refusal(driver(resource).create(resource, write(ended)))).code).toBe(code)
      const observation = await driver(resource).observe(resource, call({ fresh: true, ...ended }))
      expect(observation.status === 'unreadable' && observation.cause.code).toBe(code)
    }
    expect((await observe(resource)).status).toBe('absent')
    const made = await make(resource)
    const before = await raw(resource)
    for (const [ended, code] of [
      [{ signal: AbortSignal.abort() }, 'Aborted'],
      [{ deadlineMs: Date.now() - 1 }, 'Timeout'],
    ] as const) {
      expect((await refusal(driver(resource).update(resource, made, [], write(ended)))).code).toBe(code)
      expect((await refusal(driver(resource).remove(resource, made, call(ended)))).code).toBe(code)
    }
    expect(await raw(resource)).toBe(before)
  })
}

function secretsStaySecret<E extends ConformanceEnvironment>({ one, env, driver, make, observe }: Stage<E>, makeMaterial: () => Slots): void {
  it('shows fingerprints of credentials, and their values nowhere', async () => {
    const resource = await one.fresh(env())
    const material = makeMaterial()
    const made = expectOwned(await driver(resource).create(resource, call({ material })))
    const second = await refusal(driver(resource).create(resource, call({ material })))
    const rotated = makeMaterial()
    const updated = await driver(resource).update(resource, made, [], call({ material: rotated, knownId: made.id }))
    const seen = expectOwned(await observe(resource, { knownId: made.id }))
    const shown = [made, updated, seen, await observe(resource), driver(resource).diff(resource, seen.state), second.message, second.facts, String(second.stack)]
    const text = JSON.stringify(shown)
    for (const slots of [material, rotated]) for (const { clear } of Object.values(slots)) expect(text).not.toContain(clear)
    for (const [slot, { sourceFingerprint }] of Object.entries(rotated)) {
      // A verifier that cannot be read back shows nothing; a source always shows what it holds.
      const declared = resource.secrets.find((secret) => secret.name === slot)
      if (declared?.role === 'source') expect(seen.credentials?.[slot]).toBe(sourceFingerprint)
    }
    const { id } = await make(await one.fresh(env()))
    expect(id).not.toBe(made.id)
  })
}
