/**
 * Address ranges as numbers: parsing, containment, and cutting forbidden ranges out of an allowed one. Knows which
 * addresses the outside never is. Pure; IPv4 and IPv6 alike.
 */
import { isIP } from 'node:net'

export interface Range {
  readonly family: 4 | 6
  readonly base: bigint
  readonly bits: number
}

const width = (family: 4 | 6): number => (family === 4 ? 32 : 128)

function addressNumber(text: string): { family: 4 | 6; value: bigint } | undefined {
  const family = isIP(text)
  if (family === 4) return { family: 4, value: quads(text) }
  if (family !== 6 || text.includes('%')) return undefined
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(text)
  const plain = dotted?.[1] !== undefined && dotted[2] !== undefined ? `${dotted[1]}${hexPair(quads(dotted[2]))}` : text
  const [head = '', tail] = plain.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [left, right] = [groups(head), groups(tail ?? '')]
  const all = tail === undefined ? left : [...left, ...Array.from({ length: 8 - left.length - right.length }, () => '0'), ...right]
  return { family: 6, value: all.reduce((sum, group) => (sum << 16n) | BigInt(`0x${group}`), 0n) }
}

const quads = (text: string): bigint => text.split('.').reduce((sum, quad) => (sum << 8n) | BigInt(quad), 0n)
const hexPair = (value: bigint): string => `${(value >> 16n).toString(16)}:${(value & 0xffffn).toString(16)}`

/** Reads a range, or a single address as the range of itself; host bits are cut off. Undefined when it is neither. */
export function parseRange(text: string): Range | undefined {
  const [address = '', length, ...more] = text.split('/')
  const parsed = addressNumber(address)
  if (parsed === undefined || more.length > 0 || (length !== undefined && !/^\d{1,3}$/.test(length))) return undefined
  const bits = length === undefined ? width(parsed.family) : Number(length)
  if (bits > width(parsed.family)) return undefined
  const shift = BigInt(width(parsed.family) - bits)
  return { family: parsed.family, base: (parsed.value >> shift) << shift, bits }
}

export function formatRange({ family, base, bits }: Range): string {
  if (family === 4) return `${[24n, 16n, 8n, 0n].map((shift) => (base >> shift) & 255n).join('.')}/${bits}`
  const groups = Array.from({ length: 8 }, (_, index) => ((base >> BigInt(112 - index * 16)) & 0xffffn).toString(16))
  return `${compress(groups)}/${bits}`
}

/** RFC 5952: the longest run of two or more zero groups becomes `::`, the first of equals. */
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

/** Whether every address of `inner` lies in `outer`. */
export function contains(outer: Range, inner: Range): boolean {
  if (outer.family !== inner.family || outer.bits > inner.bits) return false
  const shift = BigInt(width(outer.family) - outer.bits)
  return outer.base >> shift === inner.base >> shift
}

export const overlaps = (a: Range, b: Range): boolean => contains(a, b) || contains(b, a)

/** Drops ranges that lie within others, and orders the rest by family and address. */
export function minimal(ranges: readonly Range[]): readonly Range[] {
  const ordered = ranges.toSorted((a, b) => a.family - b.family || (a.base < b.base ? -1 : a.base > b.base ? 1 : a.bits - b.bits))
  const kept: Range[] = []
  for (const range of ordered) {
    // Ordered by base and then widest first: only the last one kept can hold this one.
    const last = kept.at(-1)
    if (last === undefined || !contains(last, range)) kept.push(range)
  }
  return kept
}

/**
 * IPv4 addresses written in IPv6. Go, and with it the API server, reads them as IPv4, so that no IPv6 range can except
 * them; they never stand in a packet either (RFC 4291, section 2.5.5.2: they are how one host's sockets speak of IPv4).
 */
const mapped: Range = { family: 6, base: 0xffffn << 32n, bits: 96 }
export const isMapped = (range: Range): boolean => contains(mapped, range)

/**
 * What is left of a range when others are cut out, in the form that NetworkPolicy takes: `except` entries lie strictly
 * inside `cidr`. Undefined when nothing is left: an empty peer would not mean nothing but everywhere.
 */
export function cut(allowed: Range, forbidden: readonly Range[]): { readonly cidr: string; readonly except: readonly string[] } | undefined {
  if (isMapped(allowed) || forbidden.some((range) => contains(range, allowed))) return undefined
  const inside = minimal(forbidden.filter((range) => contains(allowed, range) && !isMapped(range)))
  return { cidr: formatRange(allowed), except: inside.map((range) => formatRange(range)) }
}

/** Ranges given as text; throws on one that cannot be read, since a fence with a hole is worse than none. */
export const rangesOf = (texts: readonly string[]): readonly Range[] =>
  texts.map((text) => {
    const range = parseRange(text)
    if (range === undefined) throw new TypeError(`${JSON.stringify(text)} is not an address range`)
    return range
  })
