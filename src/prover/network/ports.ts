/**
 * Exact sets of (protocol, port) pairs: what a connection may use. Named ports are resolved before they get here.
 */
import { contains, intersect, type IntervalSet, intervalSet, subtract, union } from './intervals.ts'

export const protocols = ['SCTP', 'TCP', 'UDP'] as const
export type Protocol = (typeof protocols)[number]
export type PortSet = Readonly<Record<Protocol, IntervalSet<number>>>

const everyPort: IntervalSet<number> = [[1, 65_536]]
export const allPorts: PortSet = { SCTP: everyPort, TCP: everyPort, UDP: everyPort }
export const noPorts: PortSet = { SCTP: [], TCP: [], UDP: [] }

export const portRange = (protocol: Protocol, first = 1, last = 65_535): PortSet => ({
  ...noPorts,
  [protocol]: intervalSet([[first, last + 1]]),
})

type Combine = (a: IntervalSet<number>, b: IntervalSet<number>) => IntervalSet<number>
const each = (a: PortSet, b: PortSet, combine: Combine): PortSet => ({
  SCTP: combine(a.SCTP, b.SCTP),
  TCP: combine(a.TCP, b.TCP),
  UDP: combine(a.UDP, b.UDP),
})

export const portUnion = (a: PortSet, b: PortSet): PortSet =>
  a === allPorts || b === allPorts ? allPorts : each(a, b, union)
export const portIntersect = (a: PortSet, b: PortSet): PortSet =>
  a === allPorts ? b : b === allPorts ? a : each(a, b, intersect)
export const portSubtract = (a: PortSet, b: PortSet): PortSet => each(a, b, subtract)
export const noPortsIn = (set: PortSet): boolean => protocols.every((protocol) => set[protocol].length === 0)
export const portsWithin = (inner: PortSet, outer: PortSet): boolean =>
  protocols.every((protocol) => contains(outer[protocol], inner[protocol]))
export const isAllPorts = (set: PortSet): boolean => set === allPorts || portsWithin(allPorts, set)

/** `TCP 80,443,8000-8080` per protocol, joined by commas; `All Connections` and `No Connections` for the extremes. */
export function formatPorts(set: PortSet): string {
  if (isAllPorts(set)) return 'All Connections'
  const parts = protocols
    .filter((protocol) => set[protocol].length > 0)
    .map(
      (protocol) =>
        `${protocol} ${set[protocol].map(([from, to]) => (to - from === 1 ? `${from}` : `${from}-${to - 1}`)).join(',')}`,
    )
  return parts.length === 0 ? 'No Connections' : parts.join(',')
}
