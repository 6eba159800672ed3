/**
 * What a set of NetworkPolicies allows between given pods and addresses: the API's semantics and nothing more. A pod
 * that no policy isolates in a direction may use everything in that direction; otherwise the union of the rules counts.
 */
import { addressesWithin, type AddressSet } from './addresses.ts'
import type { Direction, Peer, Policy, PolicyPort, Rule } from './policy.ts'
import { allPorts, noPorts, portRange, type PortSet, portUnion, type Protocol } from './ports.ts'
import { type Labels, matches } from './selectors.ts'

export interface ContainerPort {
  readonly name: string | undefined
  readonly protocol: Protocol
  readonly port: number
}

export interface Pod {
  readonly type: 'pod'
  readonly namespace: string
  readonly namespaceLabels: Labels
  readonly labels: Labels
  readonly ports: readonly ContainerPort[]
}
/** Addresses outside of the cluster that all rules treat alike. */
export interface Outside {
  readonly type: 'outside'
  readonly addresses: AddressSet
}
export type End = Pod | Outside

/** Whether a peer of a policy in that namespace takes in the other end. */
export function peerSelects(peer: Peer, end: End, policyNamespace: string): boolean {
  if (peer.type === 'addresses') return end.type === 'outside' && addressesWithin(end.addresses, peer.addresses)
  if (end.type === 'outside') return false
  const inNamespace =
    peer.namespaces === undefined ? end.namespace === policyNamespace : matches(peer.namespaces, end.namespaceLabels)
  return inNamespace && matches(peer.pods, end.labels)
}

/** A name counts only where a container port of the destination carries it with the same protocol. */
function resolve(port: PolicyPort, destination: End): PortSet {
  if (port.name === undefined) return port.ports
  if (destination.type === 'outside') return noPorts
  return destination.ports
    .filter((candidate) => candidate.name === port.name && candidate.protocol === port.protocol)
    .reduce((set, candidate) => portUnion(set, portRange(candidate.protocol, candidate.port, candidate.port)), noPorts)
}

const rulePorts = (rule: Rule, destination: End): PortSet =>
  rule.ports === undefined
    ? allPorts
    : rule.ports.reduce((set, port) => portUnion(set, resolve(port, destination)), noPorts)

/** The policies that isolate a pod in a direction. */
export const isolating = (policies: readonly Policy[], pod: Pod, direction: Direction): readonly Policy[] =>
  policies.filter(
    (policy) =>
      policy[direction] !== undefined && policy.namespace === pod.namespace && matches(policy.pods, pod.labels),
  )

/** What those policies let through to or from the other end. */
export function allowed(policies: readonly Policy[], direction: Direction, pod: Pod, other: End): PortSet {
  if (policies.length === 0) return allPorts
  const destination = direction === 'ingress' ? pod : other
  let set = noPorts
  for (const policy of policies) {
    for (const rule of policy[direction] ?? []) {
      if (rule.peers !== undefined && !rule.peers.some((peer) => peerSelects(peer, other, policy.namespace))) continue
      set = portUnion(set, rulePorts(rule, destination))
      if (set === allPorts) return allPorts
    }
  }
  return set
}
