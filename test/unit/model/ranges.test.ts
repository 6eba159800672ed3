import { BlockList } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contains,
  neverOpen,
  overlaps,
  parseRange,
  privateRanges,
  rangeText,
  reaches,
} from '../../../src/model/ranges.ts'
import type { AddressRange } from '../../../src/model/ranges.ts'

const range = (text: string): AddressRange => {
  const parsed = parseRange(text)
  if (parsed === undefined) throw new Error(`no range: ${text}`)
  return parsed
}
const address = (family: 4 | 6, value: bigint): string => {
  const text = rangeText({ family, prefix: family === 4 ? 32 : 128, first: value, last: value, hostBits: false })
  return text.slice(0, text.indexOf('/'))
}

const ipv4 = fc.tuple(fc.ipV4(), fc.integer({ min: 0, max: 32 }))
const ipv6 = fc.tuple(fc.ipV6(), fc.integer({ min: 0, max: 128 }))

describe('an address range', () => {
  it.each([
    ['10.0.0.0/8', 4, '10.0.0.0/8'],
    ['::/0', 6, '::/0'],
    ['2001:db8::/32', 6, '2001:db8::/32'],
    ['::ffff:1.2.3.4/128', 6, '0:0:0:0:0:ffff:102:304/128'],
    ['1:2:3:4:5:6:7:8/128', 6, '1:2:3:4:5:6:7:8/128'],
  ])('%s is read and written', (text, family, written) => {
    expect(range(text).family).toBe(family)
    expect(range(text).hostBits).toBe(false)
    expect(rangeText(range(text))).toBe(written)
  })

  it.each([
    '',
    '10.0.0.0',
    '10.0.0.0/33',
    '10.0.0.0/08',
    '10.0.0/8',
    '010.0.0.0/8',
    '::/129',
    ':::/0',
    'fe80::1%eth0/64',
    '10.0.0.0/-1',
    '10.0.0.0/8 ',
  ])('"%s" is none', (text) => {
    expect(parseRange(text)).toBeUndefined()
  })

  it('holds the addresses that the standard library says it holds', () => {
    let inside = 0
    fc.assert(
      fc.property(
        fc.oneof(ipv4, ipv6),
        fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
        fc.boolean(),
        ([net, prefix], random, near) => {
          const one = range(`${net}/${prefix}`)
          const space = one.family === 4 ? 2n ** 32n : 2n ** 128n
          const value = near ? (one.first + (random % 3n) - 1n + space) % space : random % space
          const list = new BlockList()
          const family = one.family === 4 ? 'ipv4' : 'ipv6'
          list.addSubnet(address(one.family, one.first), prefix, family)
          const holds = one.first <= value && value <= one.last
          inside += holds ? 1 : 0
          // The library takes IPv4-mapped addresses for IPv4; they are a range of their own here, and always shut.
          fc.pre(one.family === 4 || value >> 32n !== 0xffffn)
          expect(list.check(address(one.family, value), family)).toBe(holds)
        },
      ),
      { numRuns: 3_000 },
    )
    expect(inside).toBeGreaterThan(500)
  })

  it('reaches what is left of it after its exceptions, address by address', () => {
    const small = fc.tuple(fc.integer({ min: 0, max: 15 }), fc.integer({ min: 28, max: 32 })).map(([host, prefix]) => {
      const size = 2 ** (32 - prefix)
      return range(`10.0.0.${Math.floor(host / size) * size}/${prefix}`)
    })
    const tally = { yes: 0, no: 0 }
    fc.assert(
      fc.property(small, fc.array(small, { maxLength: 4 }), small, (whole, except, wanted) => {
        const within = (value: bigint, one: AddressRange): boolean => one.first <= value && value <= one.last
        let expected = false
        for (let value = whole.first; value <= whole.last; value += 1n) {
          expected ||= within(value, wanted) && !except.some((hole) => within(value, hole))
        }
        tally[expected ? 'yes' : 'no'] += 1
        expect(reaches(whole, except, wanted)).toBe(expected)
        expect(reaches(whole, [], wanted)).toBe(overlaps(whole, wanted))
        if (contains(wanted, whole)) expect(overlaps(whole, wanted)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(tally.yes, tally.no)).toBeGreaterThan(200)
  })

  it('of one family never touches one of the other', () => {
    expect(overlaps(range('0.0.0.0/0'), range('::/0'))).toBe(false)
    expect(contains(range('::/0'), range('10.0.0.0/8'))).toBe(false)
  })

  it('that must stay shut has no host bits, and names what it is', () => {
    for (const one of [...neverOpen, ...privateRanges]) {
      expect(one.range.hostBits).toBe(false)
      expect(one.what.length).toBeGreaterThan(3)
    }
  })
})
