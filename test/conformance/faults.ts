/** The parts of the driver contract that need something to go wrong: transport, rights, time. */
import { expect, it } from 'vitest'
import type { Backend, Observation } from '../../src/model/driver.ts'
import { isRingfenceError, type ErrorCode } from '../../src/model/errors.ts'
import type { Resource } from '../../src/model/resource.ts'
import { call, expectOwned, refusal, type BrokenTransport, type ConformanceEnvironment, type Stage } from './subject.ts'

export function brokenTransport<E extends ConformanceEnvironment>({
  one,
  env,
  driver,
  write,
  make,
  observe,
  update,
}: Stage<E>): void {
  const broken = (): BrokenTransport => {
    const { broken: transport } = env()
    if (!transport) throw new Error('this subject has no transport to break')
    return transport
  }
  const within = async <T>(
    mode: Parameters<BrokenTransport['set']>[0],
    run: (backend: Backend) => Promise<T>,
  ): Promise<T> => {
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
    expect((await driver(resource, broken().backend).observe(resource, call({ fresh: true }))).status).not.toBe(
      'unreadable',
    )
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
    expect(lost).toContain(
      (
        await refusal(
          within('lose-answer', (backend) =>
            driver(resource, backend).update(resource, made, [], write({ deadlineMs: Date.now() + 3_000 })),
          ),
        )
      ).code,
    )
    expect((await observe(resource, { knownId: made.id })).status).toBe('owned')
    await update(resource, made)
    await warm(resource)
    expect(lost).toContain(
      (
        await refusal(
          within('lose-answer', (backend) =>
            driver(resource, backend).remove(resource, made, call({ deadlineMs: Date.now() + 3_000 })),
          ),
        )
      ).code,
    )
    await driver(resource).remove(resource, made, call({ knownId: made.id }))
  })

  it('is unreadable, never absent, when the server cannot be reached or does not answer', async () => {
    const resource = await one.fresh(env())
    expect(
      cause(await within('refuse', (backend) => driver(resource, backend).observe(resource, call({ fresh: true })))),
    ).toBe('Unreachable')
    expect(
      cause(
        await within('blackhole', (backend) =>
          driver(resource, backend).observe(resource, call({ fresh: true, deadlineMs: Date.now() + 300 })),
        ),
      ),
    ).toBe('Timeout')
    expect((await observe(resource)).status).toBe('absent')
  })

  it('fails once at each verb before anything happened, and works the next time', async () => {
    const resource = await one.fresh(env())
    const refused = async (run: (backend: Backend) => Promise<unknown>) =>
      expect((await refusal(within('refuse', run))).code).toBe('Unreachable')
    // Whether a request had left when its connection broke cannot always be told: `unknown` is as honest.
    const key = call().key
    const answer = await within('refuse', (backend) =>
      driver(resource, backend).create(resource, write({ key })),
    ).catch((error: unknown) => error)
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

export function missingRights<E extends ConformanceEnvironment>({
  one,
  env,
  driver,
  write,
  make,
  observe,
  raw,
}: Stage<E>): void {
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

export function endedCalls<E extends ConformanceEnvironment>({
  one,
  env,
  driver,
  write,
  make,
  observe,
  raw,
}: Stage<E>): void {
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
