import { describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { canonicalJson } from '../../../src/audit/canonical.ts'
import { type AuditFact, genesisHash, hashOf, seal } from '../../../src/audit/entry.ts'

/** Numbers that are neither integers beyond 2^53 nor negative zero: the rest is refused, which is tested above. */
const isExact = (value: unknown): boolean =>
  typeof value === 'number'
    ? (!Number.isInteger(value) || Number.isSafeInteger(value)) && !Object.is(value, -0)
    : typeof value !== 'object' || value === null || Object.values(value).every(isExact)

const fact = (action: string): AuditFact => ({
  chain: 'u1',
  actor: 'system:engine',
  action,
  object: 'acme:compute/namespace/main',
  decision: 'intended',
  severity: 'info',
  classification: 'internal',
  details: {},
  requestId: 'r1',
})

describe('canonical JSON', () => {
  it('orders keys by UTF-16 code units and writes numbers as ECMAScript does (RFC 8785 §3.2)', () => {
    expect(canonicalJson({ '\u20ac': 1, '\r': 2, 1: 3, '\u0080': 4, '\ud83d\ude00': 5, '\ufb33': 6 })).toBe(
      '{"\\r":2,"1":3,"\u0080":4,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":6}',
    )
    expect(canonicalJson([333333333.3333333, 4.5, 2e-3, 1e-27])).toBe('[333333333.3333333,4.5,0.002,1e-27]')
  })
  it.each([
    ['undefined', { a: undefined }],
    ['a hole', [, 1]], // oxlint-disable-line no-sparse-arrays
    ['NaN', [Number.NaN]],
    ['infinity', [Number.POSITIVE_INFINITY]],
    ['negative zero', [-0]],
    ['an integer beyond 2^53', [2 ** 60]],
    ['a lone surrogate', ['\ud800']],
    ['a key with a lone surrogate', { '\udc00': 1 }],
    ['a date', [new Date(0)]],
    ['a map', { a: new Map() }],
    ['a bigint', [1n]],
    ['a function', [() => 1]],
    ['a symbol', [Symbol('s')]],
  ])('refuses %s instead of guessing', (_what, value) => {
    expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ code: 'Internal' }))
  })
  it('gives two different values two different texts, and reads back as what it was', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
        const [one, two] = [JSON.parse(JSON.stringify(a)) as unknown, JSON.parse(JSON.stringify(b)) as unknown]
        fc.pre([one, two].every(isExact))
        const text = canonicalJson(one)
        expect(JSON.parse(text)).toEqual(one)
        if (canonicalJson(two) === text) expect(one).toEqual(two)
      }),
    )
  })
})

describe('a chain', () => {
  const time = '2026-01-01T00:00:00.000Z'
  it('starts at the genesis hash, and each entry names the one before', () => {
    const [first, second] = seal([fact('a'), fact('b')], { position: 0, hash: genesisHash }, time)
    expect(first).toMatchObject({ position: 1, previousHash: genesisHash })
    expect(second).toMatchObject({ position: 2, previousHash: first?.hash })
    expect(hashOf(second?.body ?? '')).toBe(second?.hash)
  })
  it('is the same whether entries are appended together or one by one', () => {
    const together = seal([fact('a'), fact('b')], { position: 0, hash: genesisHash }, time)
    const [a] = seal([fact('a')], { position: 0, hash: genesisHash }, time)
    const [b] = seal([fact('b')], { position: 1, hash: a?.hash ?? '' }, time)
    expect([a, b]).toEqual(together)
  })
  it('keeps the hash of the first encoding for good: a stored entry is never hashed anew', () => {
    const [entry] = seal([fact('a')], { position: 0, hash: genesisHash }, time)
    expect(entry?.body).toBe(
      `{"action":"a","actor":"system:engine","chain":"u1","classification":"internal","decision":"intended","details":{},"object":"acme:compute/namespace/main","position":1,"previousHash":"${genesisHash}","requestId":"r1","severity":"info","time":"${time}","v":1}`,
    )
    expect(entry?.hash).toBe('3454464022b8b39ddf9f655a0a11781144da826f1bbfb79343c2fa011cc9990a')
  })
})
