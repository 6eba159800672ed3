import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { editDistance, nearest } from '../../../src/model/nearest.ts'

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 8 })

describe('the nearest word', () => {
  it.each([
    ['qouta', 'quota'],
    ['Namespace', 'namespace'],
    ['display-name', 'displayName'],
    ['storge', 'storage'],
  ])('of %s is %s', (typed, meant) => {
    expect(nearest(typed, ['namespace', 'quota', 'displayName', 'storage', 'network'])).toBe(meant)
  })

  it.each(['zzzzzz', '', 'x'.repeat(100)])('of "%s" is none', (typed) => {
    expect(nearest(typed, ['namespace', 'quota'])).toBeUndefined()
  })

  it('is measured as a distance: nothing for itself, the same both ways, one for one edit', () => {
    expect(editDistance('ab', 'ba')).toBe(1)
    fc.assert(
      fc.property(word, word, (a, b) => {
        expect(editDistance(a, b)).toBe(editDistance(b, a))
        expect(editDistance(a, b) === 0).toBe(a === b)
        expect(editDistance(a, `${a}x`)).toBe(1)
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length))
      }),
    )
  })
})
