/**
 * The driver contract as a suite: what every driver, on memory, files or a real server, must do. A subject says how to
 * make its objects and how people disturb them; the suite holds the driver to the rest.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../src/model/errors.ts'
import { brokenTransport, endedCalls, missingRights } from './faults.ts'
import {
  call,
  expectForeign,
  expectOwned,
  refusal,
  stageOf,
  type ConformanceCase,
  type ConformanceEnvironment,
  type Slots,
  type Stage,
  type Subject,
} from './subject.ts'

export {
  call,
  expectOwned,
  refusal,
  type ConformanceCase,
  type ConformanceEnvironment,
  type Subject,
} from './subject.ts'

export function driverConformance<Environment extends ConformanceEnvironment>(
  name: string,
  subject: Subject<Environment>,
): void {
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

function suite<Environment extends ConformanceEnvironment>(
  subject: Subject<Environment>,
  one: ConformanceCase<Environment>,
  env: () => Environment,
): void {
  const stage = stageOf(one, env)
  lifeOfAnObject(stage)
  ownershipHolds(stage)
  repeatedSteps(stage)
  if (subject.hasTransport) brokenTransport(stage)
  if (subject.hasPowerless) missingRights(stage)
  endedCalls(stage)
  if (one.material) secretsStaySecret(stage, one.material)
}

function lifeOfAnObject<E extends ConformanceEnvironment>({
  one,
  env,
  driver,
  make,
  observe,
  gone,
  raw,
  update,
}: Stage<E>): void {
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
      expect(
        drift.some((found) => found.how === how && found.path.startsWith(path)),
        `${title}: ${how}`,
      ).toBe(true)
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

function ownershipHolds<E extends ConformanceEnvironment>({
  one,
  env,
  driver,
  write,
  make,
  observe,
  raw,
}: Stage<E>): void {
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
    expect(late).toContain(
      (await refusal(driver(resource).update(resource, made, [], write({ knownId: made.id })))).code,
    )
    expect(late).toContain((await refusal(driver(resource).remove(resource, made, call({ knownId: made.id })))).code)
    expect(before).toBeDefined()
    expect(await raw(resource)).toBe(before)
  })

  it('does not bring back what was deleted when a late update arrives', async () => {
    const resource = await one.fresh(env())
    const made = await make(resource)
    await one.destroy(env(), resource)
    expect(['Conflict', 'NotFound']).toContain(
      (await refusal(driver(resource).update(resource, made, [], write({ knownId: made.id })))).code,
    )
    expect(await raw(resource)).toBeUndefined()
  })
}

function repeatedSteps<E extends ConformanceEnvironment>({
  one,
  env,
  driver,
  write,
  make,
  observe,
  update,
}: Stage<E>): void {
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

function secretsStaySecret<E extends ConformanceEnvironment>(
  { one, env, driver, make, observe }: Stage<E>,
  makeMaterial: () => Slots,
): void {
  it('shows fingerprints of credentials, and their values nowhere', async () => {
    const resource = await one.fresh(env())
    const material = makeMaterial()
    const made = expectOwned(await driver(resource).create(resource, call({ material })))
    const second = await refusal(driver(resource).create(resource, call({ material })))
    const rotated = makeMaterial()
    const updated = await driver(resource).update(resource, made, [], call({ material: rotated, knownId: made.id }))
    const seen = expectOwned(await observe(resource, { knownId: made.id }))
    const shown = [
      made,
      updated,
      seen,
      await observe(resource),
      driver(resource).diff(resource, seen.state),
      second.message,
      second.facts,
      String(second.stack),
    ]
    const text = JSON.stringify(shown)
    for (const slots of [material, rotated])
      for (const { clear } of Object.values(slots)) expect(text).not.toContain(clear)
    for (const [slot, { sourceFingerprint }] of Object.entries(rotated)) {
      // A verifier that cannot be read back shows nothing; a source always shows what it holds.
      const declared = resource.secrets.find((secret) => secret.name === slot)
      if (declared?.role === 'source') expect(seen.credentials?.[slot]).toBe(sourceFingerprint)
    }
    const { id } = await make(await one.fresh(env()))
    expect(id).not.toBe(made.id)
  })
}
