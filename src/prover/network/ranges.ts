/**
 * Address ranges with a meaning for isolation: instance metadata, carrier NAT, private networks, and the image of all
 * of them under NAT64. Owns the list and no policy about it.
 */
import { addressIntersect, addressSet, type AddressSet, noAddressesIn, parseCidr } from './addresses.ts'

export interface NamedRange {
  /** What lies there, for people. */
  readonly name: string
  readonly kind: 'metadata' | 'carrier-nat' | 'private' | 'cluster'
  readonly addresses: AddressSet
}

function must(cidr: string): AddressSet {
  const set = parseCidr(cidr)
  if (set === undefined) throw new TypeError(`not an address range: ${cidr}`)
  return set
}

const nat64Prefix = 0x64ff9bn << 96n

/** The IPv6 addresses by which a NAT64 gateway reaches these IPv4 addresses (RFC 6052, well-known prefix). */
const throughNat64 = (set: AddressSet): AddressSet => ({
  v4: [],
  v6: set.v4.map(([from, to]) => [nat64Prefix + BigInt(from), nat64Prefix + BigInt(to)] as const),
})

const range = (kind: NamedRange['kind'], name: string, ...cidrs: string[]): NamedRange => {
  const plain = addressSet(cidrs.map(must))
  return { kind, name, addresses: addressSet([plain, throughNat64(plain)]) }
}

export const metadataAddress: NamedRange = range(
  'metadata',
  'instance metadata (169.254.169.254)',
  '169.254.169.254/32',
  'fd00:ec2::254/128',
)

/** Checked in this order: the first that is hit names the counterexample. */
export const reservedRanges: readonly NamedRange[] = [
  metadataAddress,
  range('metadata', 'link-local addresses (169.254.0.0/16, fe80::/10)', '169.254.0.0/16', 'fe80::/10'),
  range('carrier-nat', 'carrier NAT (100.64.0.0/10)', '100.64.0.0/10'),
  range(
    'private',
    'private networks (RFC 1918, RFC 4193)',
    '10.0.0.0/8',
    '172.16.0.0/12',
    '192.168.0.0/16',
    'fc00::/7',
  ),
]

/** The cluster's own ranges as one named range; undefined when one of them is not an address range. */
export function clusterRange(cidrs: readonly string[]): NamedRange | undefined {
  const sets = cidrs.map(parseCidr)
  if (sets.some((set) => set === undefined)) return undefined
  const plain = addressSet(sets.filter((set) => set !== undefined))
  return {
    kind: 'cluster',
    name: 'pod, service and node addresses of the cluster',
    addresses: addressSet([plain, throughNat64(plain)]),
  }
}

/** The first reserved range that the set touches, and the part of the set that lies in it. */
export function touches(
  set: AddressSet,
  ranges: readonly NamedRange[],
): { range: NamedRange; part: AddressSet } | undefined {
  for (const candidate of ranges) {
    const part = addressIntersect(set, candidate.addresses)
    if (!noAddressesIn(part)) return { range: candidate, part }
  }
  return undefined
}
