/**
 * Address ranges, exactly: RFC 4632 and RFC 4291 syntax, host bits, overlap and remainder as intervals of integers.
 * Knows which ranges are special by standard, and nothing of who may reach them.
 */
import { isIPv4, isIPv6 } from 'node:net'

export interface AddressRange {
  readonly family: 4 | 6
  readonly prefix: number
  readonly first: bigint
  readonly last: bigint
  /** The address as written was not the first of the range. */
  readonly hostBits: boolean
}

const widths = { 4: 32, 6: 128 } as const

/** The range, or undefined where the text is none. */
export function parseRange(text: string): AddressRange | undefined {
  const match = /^([0-9a-fA-F.:]+)\/(0|[1-9][0-9]{0,2})$/.exec(text)
  const [address, prefix] = [match?.[1] ?? '', Number(match?.[2] ?? 'NaN')]
  const family = isIPv4(address) ? 4 : isIPv6(address) ? 6 : undefined
  if (family === undefined || !(prefix <= widths[family])) return undefined
  const value = family === 4 ? ipv4Value(address) : ipv6Value(address)
  const size = 1n << BigInt(widths[family] - prefix)
  const first = (value / size) * size
  return { family, prefix, first, last: first + size - 1n, hostBits: value !== first }
}

const ipv4Value = (address: string): bigint => address.split('.').reduce((sum, part) => (sum << 8n) + BigInt(part), 0n)

function ipv6Value(address: string): bigint {
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(address)
  const low = dotted?.[2] === undefined ? undefined : ipv4Value(dotted[2])
  const text =
    low === undefined ? address : `${dotted?.[1] ?? ''}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`
  const [head = '', tail] = text.split('::')
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'))
  const [before, after] = [groups(head), groups(tail ?? '')]
  const zeros = tail === undefined ? [] : Array.from({ length: 8 - before.length - after.length }, () => '0')
  return [...before, ...zeros, ...after].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n)
}

/** RFC 5952-like text of a range: for messages; IPv6 groups are not compressed. */
export function rangeText(range: AddressRange): string {
  const parts = range.family === 4 ? 4 : 8
  const bits = BigInt(widths[range.family] / parts)
  const mask = (1n << bits) - 1n
  const groups = Array.from({ length: parts }, (_, index) => (range.first >> (BigInt(parts - 1 - index) * bits)) & mask)
  const address =
    range.family === 4
      ? groups.join('.')
      : groups
          .map((group) => group.toString(16))
          .join(':')
          .replace(/(:0)+$/, '::')
          .replace(/^0::$/, '::')
  return `${address}/${range.prefix}`
}

export const overlaps = (a: AddressRange, b: AddressRange): boolean =>
  a.family === b.family && a.first <= b.last && b.first <= a.last
export const contains = (outer: AddressRange, inner: AddressRange): boolean =>
  outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last

/** Whether anything of `wanted` lies in `range` and in none of `except`. */
export function reaches(range: AddressRange, except: readonly AddressRange[], wanted: AddressRange): boolean {
  if (!overlaps(range, wanted)) return false
  const end = range.last < wanted.last ? range.last : wanted.last
  let next = range.first > wanted.first ? range.first : wanted.first
  const holes = except
    .filter((hole) => hole.family === range.family)
    .toSorted((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))
  for (const hole of holes) {
    if (hole.first > next) break
    if (hole.last >= next) next = hole.last + 1n
  }
  return next <= end
}

const fixed = (
  text: string,
  what: string,
): { readonly text: string; readonly what: string; readonly range: AddressRange } => {
  const range = parseRange(text)
  if (range === undefined) throw new TypeError(`not an address range: ${text}`)
  return { text, what, range }
}

/** Ranges that no tenant's rule may open, whatever the platform is. */
export const neverOpen = [
  fixed('169.254.0.0/16', 'link-local addresses and cloud metadata'),
  fixed('100.64.0.0/10', 'carrier NAT, where clouds keep metadata and nodes'),
  fixed('127.0.0.0/8', 'loopback'),
  fixed('0.0.0.0/8', 'this host'),
  fixed('192.0.0.192/32', 'cloud metadata'),
  fixed('168.63.129.16/32', 'the cloud host agent'),
  fixed('224.0.0.0/4', 'multicast'),
  fixed('240.0.0.0/4', 'reserved and broadcast addresses'),
  fixed('::/127', 'loopback'),
  fixed('fe80::/10', 'link-local addresses'),
  fixed('fd00:ec2::/32', 'cloud metadata'),
  fixed('fd20:ce::254/128', 'cloud metadata'),
  fixed('::ffff:0:0/96', 'IPv4-mapped addresses'),
  fixed('64:ff9b::/96', 'NAT64, which reaches every IPv4 address'),
  fixed('64:ff9b:1::/48', 'local NAT64'),
  fixed('2002::/16', '6to4, which reaches every IPv4 address'),
  fixed('ff00::/8', 'multicast'),
] as const

/** RFC 1918 and RFC 4193: where clusters keep pods, services and nodes. */
export const privateRanges = [
  fixed('10.0.0.0/8', 'private addresses'),
  fixed('172.16.0.0/12', 'private addresses'),
  fixed('192.168.0.0/16', 'private addresses'),
  fixed('fc00::/7', 'unique local addresses'),
] as const
