import { describe, expect, it } from 'vitest'
import { onFreePorts } from '../../../src/embedded/supervised.ts'
import { RingfenceError } from '../../../src/model/errors.ts'

const taken = new RingfenceError('BackendFault', 'x ended: listen tcp 127.0.0.1:1: bind: address already in use')

describe('a start whose port was taken meanwhile', () => {
  it('is made again', async () => {
    let tries = 0
    expect(await onFreePorts(async () => (++tries < 3 ? Promise.reject(taken) : 'started'))).toBe('started')
    expect(tries).toBe(3)
  })
  it('gives up after three, and at once over anything else', async () => {
    let tries = 0
    await expect(onFreePorts(async () => (tries++, Promise.reject(taken)))).rejects.toBe(taken)
    expect(tries).toBe(3)
    const other = new RingfenceError('BackendFault', 'x ended: bad flag')
    await expect(onFreePorts(async () => (tries++, Promise.reject(other)))).rejects.toBe(other)
    expect(tries).toBe(4)
  })
})
