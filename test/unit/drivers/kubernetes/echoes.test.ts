/** The echo of a write is silent; whatever somebody else did beside it is told. */
import { describe, expect, it } from 'vitest'
import { createEchoes } from '../../../../src/drivers/kubernetes/echoes.ts'

const version = (resourceVersion: string) => ({ metadata: { name: 'a', uid: 'u', resourceVersion } })

function listening() {
  const told: string[] = []
  return { told, echoes: createEchoes((name) => told.push(name)) }
}

describe('what a watch tells', () => {
  it('is told at once while nothing is being written, and for every other object', () => {
    const { told, echoes } = listening()
    echoes.tell('a', version('1'))
    echoes.begin('b')
    echoes.tell('a', version('2'))
    expect(told).toEqual(['a', 'a'])
  })

  it('is silent when it is the version that our write was answered with', () => {
    const { told, echoes } = listening()
    const ended = echoes.begin('a')
    echoes.tell('a', version('1'))
    ended(version('1'))
    expect(told).toEqual([])
  })

  it('is told after the write when it is another version, or when the write had no answer', () => {
    const { told, echoes } = listening()
    const first = echoes.begin('a')
    echoes.tell('a', version('1'))
    echoes.tell('a', version('2'))
    expect(told).toEqual([])
    first(version('1'))
    expect(told).toEqual(['a'])
    const second = echoes.begin('a')
    echoes.tell('a', version('3'))
    second(undefined)
    expect(told).toEqual(['a', 'a'])
  })

  it('waits for the last of several writes, and knows the versions of all', () => {
    const { told, echoes } = listening()
    const [first, second] = [echoes.begin('a'), echoes.begin('a')]
    echoes.tell('a', version('1'))
    second(version('2'))
    expect(told).toEqual([])
    first(version('1'))
    expect(told).toEqual([])
    echoes.tell('a', version('3'))
    expect(told).toEqual(['a'])
  })
})
