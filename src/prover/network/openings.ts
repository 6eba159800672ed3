/**
 * What the documents of platform and tenant legitimately open, and whether a rule stays within it. An opening never
 * legitimises another tenant's namespace, instance metadata or carrier NAT, nor whole ranges of the cluster.
 */
import type { Json, JsonObject } from '../../model/json.ts'
import { addressIntersect, addressSubtract, type AddressSet, noAddressesIn } from './addresses.ts'
import { implies } from './label-space.ts'
import type { Namespace } from './namespaces.ts'
import {
  type AddressPeer,
  anyPort,
  type Direction,
  parsePeer,
  parsePort,
  type Peer,
  type PodPeer,
  type PolicyPort,
} from './policy.ts'
import { portRange, portsWithin, portUnion } from './ports.ts'
import { everything, matches, NotUnderstood, selectorOf } from './selectors.ts'

/**
 * One entry of `TenantBoundary.openings`, as it is written there. `peers` and `ports` have the shape of a
 * NetworkPolicy's; no ports means all of them, no peers is refused.
 */
export interface Opening extends JsonObject {
  readonly direction: Direction
  readonly peers: readonly JsonObject[]
  readonly ports: readonly JsonObject[]
}

export interface ParsedOpening {
  readonly direction: Direction
  readonly peers: readonly Peer[]
  readonly ports: readonly PolicyPort[]
}

/** Throws NotUnderstood: an opening that cannot be read must not decide anything. */
export function parseOpening(value: JsonObject): ParsedOpening {
  const { direction, peers, ports = [] } = value
  if (direction !== 'ingress' && direction !== 'egress')
    throw new NotUnderstood(`an opening with the direction ${JSON.stringify(direction)}`)
  if (!Array.isArray(peers) || peers.length === 0) throw new NotUnderstood('an opening without peers')
  if (!Array.isArray(ports)) throw new NotUnderstood('an opening with ports that are no list')
  return {
    direction,
    peers: peers.map((peer: Json) => parsePeer(peer)),
    ports: ports.length === 0 ? [anyPort] : ports.map((port: Json) => parsePort(port)),
  }
}

/** Port 53 of the resolvers in kube-system is open to every tenant. */
export const dns: ParsedOpening = {
  direction: 'egress',
  peers: [
    {
      type: 'pods',
      namespaces: selectorOf([
        { key: 'kubernetes.io/metadata.name', operator: 'In', values: new Set(['kube-system']) },
      ]),
      pods: everything,
    },
  ],
  ports: [
    { ports: portRange('TCP', 53, 53), protocol: 'TCP' },
    { ports: portRange('UDP', 53, 53), protocol: 'UDP' },
  ],
}

/** A named port may be any number on the other side: it is covered by the same name, or by all ports of its protocol. */
function coversPort(opened: readonly PolicyPort[], port: PolicyPort): boolean {
  if (port.name !== undefined) {
    const whole = portRange(port.protocol)
    return opened.some((one) =>
      one.name === undefined ? portsWithin(whole, one.ports) : one.name === port.name && one.protocol === port.protocol,
    )
  }
  return opened.some((one) => one.name === undefined && portsWithin(port.ports, one.ports))
}

/** Whether pods of a platform namespace are opened to the peer's selector on that port. */
export function coversPods(
  openings: readonly ParsedOpening[],
  direction: Direction,
  namespace: Namespace,
  peer: PodPeer,
  port: PolicyPort,
): boolean {
  return openings.some(
    (opening) =>
      opening.direction === direction &&
      coversPort(opening.ports, port) &&
      opening.peers.some(
        (open) =>
          open.type === 'pods' &&
          open.namespaces !== undefined &&
          matches(open.namespaces, namespace.labels) &&
          implies(peer.pods, open.pods),
      ),
  )
}

/** A range of addresses, one address on named ports, or one address on the port of name resolution. */
export type OpeningForm = 'range' | 'address' | 'resolver'

const resolution = portUnion(portRange('TCP', 53, 53), portRange('UDP', 53, 53))

function formOf(peer: AddressPeer, ports: readonly PolicyPort[]): OpeningForm {
  const { v4, v6 } = peer.addresses
  const single =
    v4.length + v6.length === 1 &&
    v4.every(([from, to]) => to - from === 1) &&
    v6.every(([from, to]) => to - from === 1n)
  if (!single || ports.some((port) => port.name === undefined && port.protocol === undefined)) return 'range'
  return ports.every((port) => port.name === undefined && portsWithin(port.ports, resolution)) ? 'resolver' : 'address'
}

/** The part of a peer's addresses that no opening covers on that port. `shut` names what an opening cannot open. */
export function beyondOpenings(
  openings: readonly ParsedOpening[],
  direction: Direction,
  peer: AddressPeer,
  port: PolicyPort,
  shut: (peer: AddressPeer, form: OpeningForm) => AddressSet,
): AddressSet {
  let left = peer.addresses
  for (const opening of openings) {
    if (opening.direction !== direction || !coversPort(opening.ports, port)) continue
    for (const open of opening.peers) {
      if (open.type !== 'addresses' || noAddressesIn(left)) continue
      const never = shut(open, formOf(open, opening.ports))
      // Equal blocks are one object: the usual case costs nothing.
      if (open === peer) left = addressIntersect(left, never)
      else left = addressSubtract(left, addressSubtract(open.addresses, never))
    }
  }
  return left
}
