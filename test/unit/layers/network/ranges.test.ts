/** The arithmetic of ranges, judged by Node's own matcher. */
import fc from 'fast-check'
import { BlockList } from 'node:net'
import { expect, test } from 'vitest'
import { cut, formatRange, minimal, rangesOf, readRange } from '../../../../src/layers/network/ranges.ts'

const ipv4 = fc
  .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 0, max: 32 }))
  .map(([value, bits]) => `${[24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.')}/${bits}`)
const ipv6 = fc
  .tuple(
    fc.array(fc.constantFrom(0, 0, 0, 1, 0xff, 0xfe80, 0xffff), { minLength: 8, maxLength: 8 }),
    fc.integer({ min: 0, max: 128 }),
  )
  .map(([groups, bits]) => `${groups.map((group) => group.toString(16)).join(':')}/${bits}`)

function holds(ranges: readonly string[], address: string, family: 'ipv4' | 'ipv6'): boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const [base = '', bits] = range.split('/')
    list.addSubnet(base, Number(bits), family)
  }
  return list.check(address, family)
}

test.each([
  ['10.1.2.3/8', '10.0.0.0/8'],
  ['203.0.113.9', '203.0.113.9/32'],
  ['fe80::1', 'fe80::1/128'],
  ['0:0:0:0:0:0:0:0/0', '::/0'],
  ['2001:db8:0:0:1:0:0:0/128', '2001:db8:0:0:1::/128'],
  ['2001:db8:0:1:0:0:0:1/128', '2001:db8:0:1::1/128'],
  ['64:ff9b::169.254.169.254/128', '64:ff9b::a9fe:a9fe/128'],
  ['1:0:2:0:3:0:4:0/128', '1:0:2:0:3:0:4:0/128'],
])('%s is written %s', (text, written) => {
  const range = readRange(text)
  expect(range && formatRange(range)).toBe(written)
})

test.each([
  '',
  '10.0.0.0/33',
  '10.0.0/8',
  '10.0.0.0/8/8',
  '::/129',
  'fe80::1%eth0',
  'example.com',
  '010.0.0.1/8',
  '10.0.0.0/-1',
  '10.0.0.0/1e1',
])('%j is no range, and a fence of it is not built', (text) => {
  expect(readRange(text)).toBeUndefined()
  expect(() => rangesOf([text])).toThrow(TypeError)
})

test.each([
  ['ipv4', ipv4],
  ['ipv6', ipv6],
] as const)(
  'what is left after cutting holds an address exactly when it was allowed and not forbidden (%s)',
  (family, range) => {
    fc.assert(
      fc.property(range, fc.array(range, { maxLength: 5 }), range, (allowed, forbidden, probe) => {
        const [whole] = rangesOf([allowed])
        if (whole === undefined) throw new Error('no range')
        const address = probe.split('/')[0] ?? ''
        const mapped = (text: string) => family === 'ipv6' && holds(['::ffff:0:0/96'], text, family)
        fc.pre(!mapped(address) && !forbidden.some((one) => mapped(one.split('/')[0] ?? '')))
        const left = cut(whole, rangesOf(forbidden))
        const open = left !== undefined && holds([left.cidr], address, family) && !holds(left.except, address, family)
        // A range that starts among the mapped addresses is dropped as a whole.
        if (left === undefined && mapped(formatRange(whole).split('/')[0] ?? '')) return
        expect(open).toBe(holds([allowed], address, family) && !holds(forbidden, address, family))
        for (const hole of left?.except ?? []) expect(hole).not.toBe(left?.cidr)
      }),
      { numRuns: 3000 },
    )
  },
)

test('the smallest list says the same as the long one', () => {
  fc.assert(
    fc.property(fc.array(ipv4, { maxLength: 12 }), ipv4, (list, probe) => {
      const few = minimal(rangesOf(list)).map((range) => formatRange(range))
      const address = probe.split('/')[0] ?? ''
      expect(holds(few, address, 'ipv4')).toBe(holds(list, address, 'ipv4'))
      for (const one of few) {
        const others = few.filter((other) => other !== one)
        expect(holds(others, one.split('/')[0] ?? '', 'ipv4')).toBe(false)
      }
    }),
    { numRuns: 2000 },
  )
})
