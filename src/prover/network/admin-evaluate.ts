/**
 * All layers of policy together, in the order of the network policy API: AdminNetworkPolicies by priority, then the
 * NetworkPolicies of pods that have any, then the baseline. The first rule that speaks about a connection decides it,
 * and Pass hands it down.
 */
import type { AdminPolicy, AdminRule } from './admin-policy.ts'
import { allowed, type End, isolating, peerSelects, type Pod } from './evaluate.ts'
import type { Direction, Policy } from './policy.ts'
import {
  allPorts,
  noPorts,
  noPortsIn,
  portIntersect,
  portRange,
  type PortSet,
  portSubtract,
  portUnion,
} from './ports.ts'

export interface PolicyStack {
  /** In ascending order of priority. */
  readonly admin: readonly AdminPolicy[]
  readonly policies: readonly Policy[]
  readonly baseline: AdminPolicy | undefined
}

/** The policies that concern one pod, picked once. */
export interface Stacked {
  readonly pod: Pod
  readonly admin: readonly AdminPolicy[]
  readonly isolating: Readonly<Record<Direction, readonly Policy[]>>
  readonly baseline: AdminPolicy | undefined
}

export function stackOf(stack: PolicyStack, pod: Pod): Stacked {
  const concerns = (policy: AdminPolicy) => peerSelects(policy.subject, pod, '')
  return {
    pod,
    admin: stack.admin.filter(concerns),
    isolating: { ingress: isolating(stack.policies, pod, 'ingress'), egress: isolating(stack.policies, pod, 'egress') },
    baseline: stack.baseline !== undefined && concerns(stack.baseline) ? stack.baseline : undefined,
  }
}

/** What the policies of one pod let through to or from the other end. */
export function letsThrough(own: Stacked, direction: Direction, other: End): PortSet {
  if (own.admin.length === 0 && own.baseline === undefined)
    return allowed(own.isolating[direction], direction, own.pod, other)
  const upper = decide(
    own.admin.flatMap((policy) => policy.rules[direction]),
    allPorts,
    own,
    direction,
    other,
  )
  if (noPortsIn(upper.open)) return upper.allowed
  const isolated = own.isolating[direction]
  if (isolated.length > 0) {
    return portUnion(upper.allowed, portIntersect(upper.open, allowed(isolated, direction, own.pod, other)))
  }
  // Where no NetworkPolicy isolates the pod, the baseline decides, and what it leaves open is allowed.
  const lower = decide(own.baseline?.rules[direction] ?? [], upper.open, own, direction, other)
  return portUnion(upper.allowed, portUnion(lower.allowed, lower.open))
}

/** Goes through rules in order: what they allow of `start`, and what they leave to the next layer. */
function decide(
  rules: readonly AdminRule[],
  start: PortSet,
  own: Stacked,
  direction: Direction,
  other: End,
): { allowed: PortSet; open: PortSet } {
  let undecided = start
  let passed = noPorts
  let through = noPorts
  const destination = direction === 'ingress' ? own.pod : other
  for (const rule of rules) {
    if (noPortsIn(undecided)) break
    if (!rule.peers.some((peer) => peerSelects(peer, other, ''))) continue
    const spoken = portIntersect(undecided, portsOf(rule, destination))
    if (rule.action === 'Allow') through = portUnion(through, spoken)
    if (rule.action === 'Pass') passed = portUnion(passed, spoken)
    undecided = portSubtract(undecided, spoken)
  }
  return { allowed: through, open: portUnion(passed, undecided) }
}

function portsOf(rule: AdminRule, destination: End): PortSet {
  if (rule.ports === undefined) return allPorts
  return rule.ports.reduce<PortSet>((set, port) => {
    if ('ports' in port) return portUnion(set, port.ports)
    const named =
      destination.type === 'pod' ? destination.ports.filter((candidate) => candidate.name === port.name) : []
    return named.reduce((sum, { protocol, port: number }) => portUnion(sum, portRange(protocol, number, number)), set)
  }, noPorts)
}
