import { describe, expect, it } from 'vitest'
import { doctor } from '../../../src/engine/doctor.ts'
import { createProducts } from '../../../src/engine/products.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { defaultPlatform } from '../../../src/model/presets.ts'
import type { StoreConnection } from '../../../src/store/connection.ts'

const storeThat = (answer: () => Promise<unknown>): StoreConnection => ({
  db: undefined as never,
  transact: () => answer() as never,
  run: () => answer() as never,
  ping: async () => void (await answer()),
  close: async () => undefined,
})
const engineCheck = async (answer: () => Promise<unknown>) => {
  const checks = await doctor(storeThat(answer), createProducts(defaultPlatform().spec, []))
  return checks.find((check) => check.name === 'engine')
}

describe('doctor', () => {
  it('says that drift is repaired, or since when it is not', async () => {
    expect(await engineCheck(async () => undefined)).toMatchObject({ status: 'ok' })
    const paused = { since: new Date(0), actor: 'test' }
    expect(await engineCheck(async () => paused)).toMatchObject({ status: 'warning', fix: 'ringfence resume' })
  })
  it('never says so while the store does not answer', async () => {
    const dead = () => Promise.reject(new RingfenceError('StoreUnavailable', 'gone'))
    expect(await engineCheck(dead)).toMatchObject({ status: 'failed', message: expect.stringContaining('not known') })
  })
})
