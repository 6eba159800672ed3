/** Reasoning about all label sets, against trying them. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { implies, uncovered, witness } from '../../../../src/prover/network/label-space.ts'
import {
  everything,
  type Labels,
  matches,
  parseSelector,
  type Requirement,
  selectorOf,
} from '../../../../src/prover/network/selectors.ts'

const key = fc.constantFrom('a', 'b')
const requirement: fc.Arbitrary<Requirement> = fc.oneof(
  fc.record({
    key,
    operator: fc.constantFrom('In' as const, 'NotIn' as const),
    values: fc.uniqueArray(fc.constantFrom('1', '2'), { minLength: 1 }).map((values) => new Set(values)),
  }),
  fc.record({ key, operator: fc.constantFrom('Exists' as const, 'DoesNotExist' as const) }),
)
const selector = fc.array(requirement, { maxLength: 3 }).map(selectorOf)
/** One value that no selector names stands for all of them. */
const space: Labels[] = ['', '1', '2', 'else'].flatMap((a) =>
  ['', '1', '2', 'else'].map((b) => ({ ...(a ? { a } : {}), ...(b ? { b } : {}) })),
)

describe('all label sets', () => {
  test('a witness is matched, and there is one exactly when some label set is', () => {
    fc.assert(
      fc.property(selector, (one) => {
        const found = witness(one)
        expect(found !== undefined).toBe(space.some((labels) => matches(one, labels)))
        if (found !== undefined) expect(matches(one, found)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  test('what several selectors leave uncovered is found exactly', () => {
    let covered = 0
    fc.assert(
      fc.property(selector, fc.array(selector, { maxLength: 4 }), (inside, selectors) => {
        const left = uncovered(inside, selectors)
        const truth = space.some((labels) => matches(inside, labels) && !selectors.some((one) => matches(one, labels)))
        expect(left !== 'covered').toBe(truth)
        if (left === 'covered') covered++
        else {
          const { labels } = left as { labels: Labels }
          expect(matches(inside, labels)).toBe(true)
          expect(selectors.some((one) => matches(one, labels))).toBe(false)
        }
      }),
      { numRuns: 3000 },
    )
    expect(covered).toBeGreaterThan(300)
  })

  test('one selector implies another exactly when every match of it is one of the other', () => {
    let implied = 0
    fc.assert(
      fc.property(selector, selector, (a, b) => {
        const truth = space.every((labels) => !matches(a, labels) || matches(b, labels))
        expect(implies(a, b)).toBe(truth)
        if (truth) implied++
      }),
      { numRuns: 3000 },
    )
    expect(implied).toBeGreaterThan(300)
  })

  test('no policy at all leaves pods without labels uncovered', () => {
    expect(uncovered(everything, [])).toEqual({ labels: {} })
  })

  test('a puzzle that is too hard is given up and said, not guessed', () => {
    const hard = Array.from({ length: 40 }, (_, i) =>
      selectorOf(
        Array.from({ length: 3 }, (_unused, j) => ({
          key: `k${(i * 7 + j * 13) % 20}`,
          operator: (i + j) % 2 === 0 ? ('Exists' as const) : ('DoesNotExist' as const),
        })),
      ),
    )
    // All eight sign patterns over three keys, many times over, have no way out, but it takes a search to see it.
    const patterns = Array.from({ length: 8 }, (_, bits) =>
      ['x', 'y', 'z'].map((one, i) => ({
        key: one,
        operator: (bits >> i) & 1 ? ('Exists' as const) : ('DoesNotExist' as const),
      })),
    ).map(selectorOf)
    expect(uncovered(everything, patterns)).toBe('covered')
    expect(uncovered(everything, [...hard, ...patterns])).toSatisfy(
      (answer) => answer === 'covered' || answer === 'unknown',
    )
  })
})

describe('selectors', () => {
  test.each([
    [{}, {}, true],
    [{ matchLabels: { a: '1' } }, { a: '1', b: '2' }, true],
    [{ matchLabels: { a: '1' } }, {}, false],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, {}, true],
    [{ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }, { a: '1' }, false],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }, { a: '' }, true],
    [{ matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] }, { a: '' }, false],
    [{ matchLabels: { constructor: 'x' } }, {}, false],
    [{ matchExpressions: [{ key: 'toString', operator: 'Exists' }] }, {}, false],
    [{ matchLabels: null, matchExpressions: null }, {}, true],
  ])('%j on %j: %s', (spec, labels, answer) => {
    expect(matches(parseSelector(spec), labels as Labels)).toBe(answer)
  })

  test.each([
    [null],
    ['a=b'],
    [[]],
    [{ matchLabels: { a: 1 } }],
    [{ matchLabel: {} }],
    [{ matchExpressions: {} }],
    [{ matchExpressions: [{ operator: 'Exists' }] }],
    [{ matchExpressions: [{ key: 'a', operator: 'Exists', values: ['1'] }] }],
    [{ matchExpressions: [{ key: 'a', operator: 'in', values: ['1'] }] }],
  ])('%j is not understood', (spec) => {
    expect(() => parseSelector(spec)).toThrow()
  })

  test('equal selectors have equal texts whatever their order', () => {
    const text = (spec: object) => parseSelector(spec).text
    expect(text({ matchLabels: { a: '1', b: '2' } })).toBe(
      text({ matchLabels: { b: '2' }, matchExpressions: [{ key: 'a', operator: 'In', values: ['1'] }] }),
    )
    expect(text({ matchLabels: { a: '1' } })).not.toBe(
      text({ matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['1'] }] }),
    )
  })
})
