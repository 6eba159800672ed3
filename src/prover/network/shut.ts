/**
 * Which addresses stay shut whatever an opening says: the metadata address and carrier NAT always, link-local but for
 * a resolver named by its address, the cluster's own ranges but for an endpoint named by its address. Remembered per
 * block, since thousands of tenants share a few.
 */
import { addressIntersect, addressSet, type AddressSet } from './addresses.ts'
import type { OpeningForm } from './openings.ts'
import type { AddressPeer } from './policy.ts'
import { metadataAddress, type NamedRange } from './ranges.ts'

/** `ranges` are the reserved ranges and the cluster's. */
export function shutAddresses(ranges: readonly NamedRange[]): (peer: AddressPeer, form: OpeningForm) => AddressSet {
  const of = (...kinds: NamedRange['kind'][]) =>
    addressSet(ranges.filter((range) => kinds.includes(range.kind)).map((range) => range.addresses))
  const closed: Record<OpeningForm, AddressSet> = {
    range: of('metadata', 'carrier-nat', 'cluster'),
    address: of('metadata', 'carrier-nat'),
    resolver: addressSet([metadataAddress.addresses, of('carrier-nat')]),
  }
  const known = new WeakMap<AddressPeer, Partial<Record<OpeningForm, AddressSet>>>()
  return (peer, form) => {
    const entry = known.get(peer) ?? {}
    known.set(peer, entry)
    return (entry[form] ??= addressIntersect(peer.addresses, closed[form]))
  }
}
