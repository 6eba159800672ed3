/**
 * Exact sets of IPv4 and IPv6 addresses, and the ranges that a tenant must never reach. Parsing is strict: what is
 * not plainly an address range answers undefined, so that the caller can say that it is not understood.
 */
import { contains, intersect, type IntervalSet, intervalSet, subtract } from './intervals.ts'

export interface AddressSet {
  readonly v4: IntervalSet<number>
  readonly v6: IntervalSet<bigint>
}

/** Dotted quad without leading zeros, which some parsers read as octal. */
export function parseIpv4(text: string): number | undefined {
  const parts = text.split('.')
  if (parts.length !== 4) return undefined
  let value = 0
  for (const part of parts) {
    if (!/^(0|[1-9][0-9]{0,2})$/.test(part) || Number(part) > 255) return undefined
    value = value * 256 + Number(part)
  }
  return value
}

/** RFC 4291 text forms, with an embedded dotted quad at the end; no zone. */
export function parseIpv6(text: string): bigint | undefined {
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const groups: (number[] | undefined)[] = halves.map((half, index) => ipv6Groups(half, index === halves.length - 1))
  const [head, tail] = groups
  if (head === undefined || (halves.length === 2 && tail === undefined)) return undefined
  const missing = 8 - head.length - (tail?.length ?? 0)
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
  const all = [...head, ...Array<number>(Math.max(missing, 0)).fill(0), ...(tail ?? [])]
  return all.reduce((value, group) => (value << 16n) | BigInt(group), 0n)
}

function ipv6Groups(half: string, last: boolean): number[] | undefined {
  if (half === '') return []
  const groups: number[] = []
  const parts = half.split(':')
  for (const [index, part] of parts.entries()) {
    if (part.includes('.')) {
      const quad = last && index === parts.length - 1 ? parseIpv4(part) : undefined
      if (quad === undefined) return undefined
      groups.push(Math.floor(quad / 65_536), quad % 65_536)
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined
      groups.push(Number.parseInt(part, 16))
    }
  }
  return groups
}

const parsed = new Map<string, AddressSet | undefined>()

/** `10.0.0.0/8`, `fd00::/8`; host bits are masked as the API's consumers do. Undefined when it is no range. */
export function parseCidr(text: string): AddressSet | undefined {
  if (!parsed.has(text)) {
    if (parsed.size > 50_000) parsed.clear()
    parsed.set(text, readCidr(text))
  }
  return parsed.get(text)
}

function readCidr(text: string): AddressSet | undefined {
  const match = /^([0-9a-fA-F.:]+)\/([0-9]{1,3})$/.exec(text)
  if (match === null) return undefined
  const [, address = '', length = ''] = match
  const bits = Number(length)
  if (!address.includes(':')) {
    const value = parseIpv4(address)
    if (value === undefined || bits > 32) return undefined
    const size = 2 ** (32 - bits)
    const from = Math.floor(value / size) * size
    return { v4: [[from, from + size]], v6: [] }
  }
  const value = parseIpv6(address)
  if (value === undefined || bits > 128) return undefined
  const shift = BigInt(128 - bits)
  const from = (value >> shift) << shift
  return { v4: [], v6: [[from, from + (1n << shift)]] }
}

/** A single address as a set of one. */
export const parseAddress = (text: string): AddressSet | undefined =>
  parseCidr(`${text}/${text.includes(':') ? 128 : 32}`)

const combine = (
  a: AddressSet,
  b: AddressSet,
  v4: (a: IntervalSet<number>, b: IntervalSet<number>) => IntervalSet<number>,
  v6: (a: IntervalSet<bigint>, b: IntervalSet<bigint>) => IntervalSet<bigint>,
): AddressSet => ({ v4: v4(a.v4, b.v4), v6: v6(a.v6, b.v6) })

export const addressIntersect = (a: AddressSet, b: AddressSet): AddressSet => combine(a, b, intersect, intersect)
export const addressSubtract = (a: AddressSet, b: AddressSet): AddressSet => combine(a, b, subtract, subtract)
export const noAddressesIn = (set: AddressSet): boolean => set.v4.length === 0 && set.v6.length === 0
export const addressesWithin = (inner: AddressSet, outer: AddressSet): boolean =>
  contains(outer.v4, inner.v4) && contains(outer.v6, inner.v6)
export const addressSet = (sets: readonly AddressSet[]): AddressSet => ({
  v4: intervalSet(sets.flatMap((set) => set.v4)),
  v6: intervalSet(sets.flatMap((set) => set.v6)),
})

export const formatIpv4 = (value: number): string =>
  [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')

/** RFC 5952 without the longest-run rule's tie breaks: the first longest run of zero groups is shortened. */
export function formatIpv6(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16))
  const text = groups.join(':')
  const run = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].length - a[0].length)[0]
  if (run === undefined) return text
  return `${text.slice(0, run.index)}::${text.slice(run.index + run[0].length + 1)}`
}

/** The first address of a set, for a counterexample. */
export function firstAddress(set: AddressSet): string | undefined {
  const v4 = set.v4[0]
  const v6 = set.v6[0]
  return v4 !== undefined ? formatIpv4(v4[0]) : v6 !== undefined ? formatIpv6(v6[0]) : undefined
}
