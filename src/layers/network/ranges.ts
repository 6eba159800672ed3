/**
 * Ranges as NetworkPolicy takes them: written in one spelling, and with forbidden ranges cut out of an allowed one.
 * Pure; IPv4 and IPv6 alike.
 */
import { isIP } from 'node:net'
import { contains, parseRange, type AddressRange } from '../../model/ranges.ts'

/** The range of these bits; `first` must be its first address. */
export const rangeAt = (family: 4 | 6, first: bigint, prefix: number): AddressRange => ({
  family,
  prefix,
  first,
  last: first + (1n << BigInt((family === 4 ? 32 : 128) - prefix)) - 1n,
  hostBits: false,
})

/** Reads a range, or a single address as the range of itself. Undefined when it is neither. */
export function readRange(text: string): AddressRange | undefined {
  const family = isIP(text)
  return parseRange(family === 0 ? text : `${text}/${family === 4 ? 32 : 128}`)
}

/** Ranges given as text; throws on one that cannot be read, since a fence with a hole is worse than none. */
export const rangesOf = (texts: readonly string[]): readonly AddressRange[] =>
  texts.map((text) => {
    const range = readRange(text)
    if (range === undefined) throw new TypeError(`${JSON.stringify(text)} is not an address range`)
    return range
  })

/** The spelling that Go and people use: dotted IPv4, RFC 5952 for IPv6. */
export function formatRange({ family, first, prefix }: AddressRange): string {
  if (family === 4) return `${[24n, 16n, 8n, 0n].map((shift) => (first >> shift) & 255n).join('.')}/${prefix}`
  const groups = Array.from({ length: 8 }, (_, index) => ((first >> BigInt(112 - index * 16)) & 0xffffn).toString(16))
  return `${compress(groups)}/${prefix}`
}

/** The longest run of two or more zero groups becomes `::`, the first of equals. */
function compress(groups: readonly string[]): string {
  let best = { start: -1, length: 1 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === '0') length++
    if (length > best.length) best = { start, length }
  }
  if (best.start < 0) return groups.join(':')
  return `${groups.slice(0, best.start).join(':')}::${groups.slice(best.start + best.length).join(':')}`
}

const order = (a: AddressRange, b: AddressRange): number =>
  a.family - b.family || (a.first < b.first ? -1 : a.first > b.first ? 1 : a.prefix - b.prefix)

/** Drops ranges that lie within others, and orders the rest by family and address. */
export function minimal(ranges: readonly AddressRange[]): readonly AddressRange[] {
  const kept: AddressRange[] = []
  for (const range of ranges.toSorted(order)) {
    // Ordered by address and then widest first: only the last one kept can hold this one.
    const last = kept.at(-1)
    if (last === undefined || !contains(last, range)) kept.push(range)
  }
  return kept
}

/**
 * IPv4 addresses written in IPv6. Go, and with it the API server, reads them as IPv4, so that no IPv6 range can except
 * them; they never stand in a packet either (RFC 4291, section 2.5.5.2: they are how one host's sockets speak of IPv4).
 */
const mapped = rangeAt(6, 0xffffn << 32n, 96)
export const isMapped = (range: AddressRange): boolean => contains(mapped, range)

/**
 * What is left of a range when others are cut out, in the form that NetworkPolicy takes: `except` entries lie strictly
 * inside `cidr`. Undefined when nothing is left: an empty peer would not mean nothing but everywhere.
 */
export function cut(
  allowed: AddressRange,
  forbidden: readonly AddressRange[],
): { readonly cidr: string; readonly except: readonly string[] } | undefined {
  if (isMapped(allowed) || forbidden.some((range) => contains(range, allowed))) return undefined
  const inside = minimal(forbidden.filter((range) => contains(allowed, range) && !isMapped(range)))
  return { cidr: formatRange(allowed), except: inside.map((range) => formatRange(range)) }
}
