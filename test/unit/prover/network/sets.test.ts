/** Ports, addresses and their ranges as exact sets. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addressesWithin,
  firstAddress,
  formatIpv4,
  formatIpv6,
  parseAddress,
  parseCidr,
  parseIpv4,
  parseIpv6,
} from '../../../../src/prover/network/addresses.ts'
import {
  contains,
  intersect,
  type Interval,
  intervalSet,
  subtract,
  union,
} from '../../../../src/prover/network/intervals.ts'
import {
  allPorts,
  formatPorts,
  noPorts,
  portIntersect,
  portRange,
  portSubtract,
  portsWithin,
  portUnion,
} from '../../../../src/prover/network/ports.ts'
import { sure } from './worlds.ts'
import { clusterRange, reservedRanges, touches } from '../../../../src/prover/network/ranges.ts'

const interval = fc.tuple(fc.nat(30), fc.nat(30)) as fc.Arbitrary<Interval<number>>
const set = fc.array(interval, { maxLength: 6 })
const members = (intervals: Iterable<Interval<number>>) => {
  const all = [...intervals]
  return Array.from({ length: 32 }, (_, n) => all.some(([from, to]) => n >= from && n < to))
}

describe('interval sets', () => {
  test('agree with sets of numbers under every operation, and stay sorted and disjoint', () => {
    fc.assert(
      fc.property(set, set, (first, second) => {
        const [a, b] = [intervalSet(first), intervalSet(second)]
        const [inA, inB] = [members(a), members(b)]
        expect(inA).toEqual(members(first))
        expect(members(union(a, b))).toEqual(inA.map((has, n) => has || inB[n]))
        expect(members(intersect(a, b))).toEqual(inA.map((has, n) => has && inB[n]))
        expect(members(subtract(a, b))).toEqual(inA.map((has, n) => has && !inB[n]))
        expect(contains(a, b)).toBe(inB.every((has, n) => !has || inA[n]))
        for (const result of [a, union(a, b), intersect(a, b), subtract(a, b)]) {
          result.forEach(([from, to], index) => {
            expect(from).toBeLessThan(to)
            if (index > 0) expect(sure(result[index - 1])[1]).toBeLessThan(from)
          })
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('port sets', () => {
  test('print as protocols with their ranges', () => {
    expect(formatPorts(allPorts)).toBe('All Connections')
    expect(formatPorts(noPorts)).toBe('No Connections')
    expect(
      formatPorts(portUnion(portRange('UDP', 53, 53), portUnion(portRange('TCP', 80, 80), portRange('TCP', 81, 90)))),
    ).toBe('TCP 80-90,UDP 53')
    expect(formatPorts(portRange('SCTP'))).toBe('SCTP 1-65535')
    expect(formatPorts(portSubtract(portRange('TCP'), portRange('TCP', 80, 80)))).toBe('TCP 1-79,81-65535')
    expect(formatPorts(['TCP', 'UDP', 'SCTP'].map((protocol) => portRange(protocol as 'TCP')).reduce(portUnion))).toBe(
      'All Connections',
    )
  })
  test('protocols never mix', () => {
    expect(portIntersect(portRange('TCP', 53, 53), portRange('UDP', 53, 53))).toEqual(noPorts)
    expect(portsWithin(portRange('TCP', 80, 80), portRange('UDP'))).toBe(false)
    expect(portsWithin(portRange('TCP', 80, 80), allPorts)).toBe(true)
  })
})

describe('addresses', () => {
  test.each([
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '1.2.3.4/33',
    '1.2.3.4/',
    '::1/129',
    ':::/0',
    '1::2::3/64',
    'g::/8',
    '1:2:3:4:5:6:7/8',
    '1:2:3:4:5:6:7:8:9/8',
    '10.0.0.0',
    '',
    'fe80::1%eth0/64',
    '::1.2.3.4.5/96',
    '1.2.3.4::/96',
  ])('%j is no range', (text) => {
    expect(parseCidr(text)).toBeUndefined()
  })

  test('host bits are masked', () => {
    expect(parseCidr('10.1.2.3/8')).toEqual(parseCidr('10.0.0.0/8'))
    expect(parseCidr('fd12:3456::1/8')).toEqual(parseCidr('fd00::/8'))
  })

  test('text and number lead back to each other', () => {
    fc.assert(fc.property(fc.ipV4(), (text) => formatIpv4(sure(parseIpv4(text))) === text))
    fc.assert(fc.property(fc.bigInt(0n, (1n << 128n) - 1n), (value) => parseIpv6(formatIpv6(value)) === value))
    fc.assert(
      fc.property(
        fc.ipV6(),
        (text) => parseIpv6(text) !== undefined && parseIpv6(formatIpv6(sure(parseIpv6(text)))) === parseIpv6(text),
      ),
    )
    expect(formatIpv6(1n)).toBe('::1')
    expect(formatIpv6(0n)).toBe('::')
    expect(formatIpv6(sure(parseIpv6('64:ff9b::169.254.169.254')))).toBe('64:ff9b::a9fe:a9fe')
  })

  test('families never mix', () => {
    expect(addressesWithin(sure(parseCidr('0.0.0.0/0')), sure(parseCidr('::/0')))).toBe(false)
    expect(addressesWithin(sure(parseAddress('10.1.1.1')), sure(parseCidr('10.0.0.0/8')))).toBe(true)
  })

  test.each([
    ['169.254.169.254', 'metadata'],
    ['169.254.1.1', 'metadata'],
    ['fe80::1', 'metadata'],
    ['fd00:ec2::254', 'metadata'],
    ['64:ff9b::a9fe:a9fe', 'metadata'],
    ['100.127.255.255', 'carrier-nat'],
    ['64:ff9b::6440:1', 'carrier-nat'],
    ['172.31.0.1', 'private'],
    ['fd12::1', 'private'],
    ['64:ff9b::a00:1', 'private'],
    ['203.0.113.7', 'cluster'],
    ['100.128.0.0', undefined],
    ['172.32.0.1', undefined],
    ['8.8.8.8', undefined],
    ['2001:4860::1', undefined],
    ['64:ff9b::808:808', undefined],
  ])('%s lies in %s', (address, kind) => {
    const found = touches(sure(parseAddress(address)), [...reservedRanges, sure(clusterRange(['203.0.113.0/24']))])
    expect(found?.range.kind).toBe(kind)
    if (found !== undefined) expect(firstAddress(found.part)).toBe(address)
  })

  test('a cluster range that cannot be read is no range', () => {
    expect(clusterRange(['10.0.0.0/8', 'pods'])).toBeUndefined()
  })
})
