/**
 * `source => destination : connections` for given manifests: every pair of workloads and every range of outside
 * addresses that the policies tell apart. It answers lines only when it understands every policy that could change them.
 */
import type { KubeObject } from '../../model/world.ts'
import { formatIpv4 } from './addresses.ts'
import { letsThrough, type PolicyStack, type Stacked, stackOf } from './admin-evaluate.ts'
import type { Outside, Pod } from './evaluate.ts'
import { ingressTargets } from './ingress.ts'
import type { Direction, Peer } from './policy.ts'
import { readPolicies } from './policy-stack.ts'
import { formatPorts, noPortsIn, portIntersect, type PortSet } from './ports.ts'
import { matches, type Selector } from './selectors.ts'
import { namespaceLabels, type Workload, workloads } from './workloads.ts'

export type ConnectionLines = { readonly lines: readonly string[] } | { readonly undecided: readonly string[] }

/** The controller is not among the manifests: a pod without labels in a namespace that nobody else names. */
const ingressController: Pod = {
  type: 'pod',
  namespace: 'ingress-controller-ns',
  namespaceLabels: namespaceLabels('ingress-controller-ns', undefined),
  labels: {},
  ports: [],
}

/** Sorted lines without a line end; pairs that cannot connect have none. Pure. */
export function connectionLines(objects: readonly KubeObject[]): ConnectionLines {
  const { stack, problems } = readPolicies(objects)
  const found = workloads(objects)
  const targets = ingressTargets(objects)
  const undecided = [...problems, ...mixed(found, stack, targets)]
  if (undecided.length > 0) return { undecided: [...new Set(undecided)].sort() }
  return { lines: found.length === 0 ? [] : linesBetween(found, stack, targets) }
}

type Targets = ReturnType<typeof ingressTargets>

function linesBetween(found: readonly Workload[], stack: PolicyStack, targets: Targets): readonly string[] {
  const lines: string[] = []
  const line = (from: string, to: string, ports: PortSet) => {
    if (!noPortsIn(ports)) lines.push(`${from} => ${to} : ${formatPorts(ports)}`)
  }
  const sources = outside(stack, 'ingress')
  const destinations = outside(stack, 'egress')
  const controller = stackOf(stack, ingressController)
  // Any pod of a workload: they were seen to behave alike.
  const sides = found.map(({ name, pods: [pod] }) => ({ name, pod, own: stackOf(stack, pod) }))
  for (const to of sides) {
    for (const source of sources) line(source.name, to.name, letsThrough(to.own, 'ingress', source.end))
    for (const target of destinations) line(to.name, target.name, letsThrough(to.own, 'egress', target.end))
    const asked = targets(to.pod)
    if (!noPortsIn(asked)) line('{ingress-controller}', to.name, portIntersect(asked, between(controller, to.own)))
    for (const from of sides) if (from !== to) line(from.name, to.name, between(from.own, to.own))
  }
  return lines.sort()
}

function between(from: Stacked, to: Stacked): PortSet {
  const out = letsThrough(from, 'egress', to.pod)
  return noPortsIn(out) ? out : portIntersect(out, letsThrough(to, 'ingress', from.pod))
}

/** All peers that rules of a direction name, also of rules that policyTypes switches off. */
const peersOf = (stack: PolicyStack, direction: Direction): readonly Peer[] => [
  ...stack.policies.flatMap((policy) => policy.written[direction].flatMap((rule) => rule.peers ?? [])),
  ...adminPolicies(stack).flatMap((policy) => policy.rules[direction].flatMap((rule) => rule.peers)),
]

const adminPolicies = (stack: PolicyStack) => [
  ...stack.admin,
  ...(stack.baseline === undefined ? [] : [stack.baseline]),
]

/** The IPv4 space cut wherever a rule of that direction begins or ends a block: inside a piece all rules agree. */
function outside(stack: PolicyStack, direction: Direction): readonly { name: string; end: Outside }[] {
  const cuts = new Set([0, 2 ** 32])
  for (const peer of peersOf(stack, direction)) {
    if (peer.type === 'addresses') for (const [from, to] of peer.addresses.v4) cuts.add(from).add(to)
  }
  const sorted = [...cuts].sort((a, b) => a - b)
  const pieces = sorted.slice(1).map((to, index) => [sorted[index] ?? 0, to] as const)
  return pieces.map(([from, to]) => ({
    name: `${formatIpv4(from)}-${formatIpv4(to - 1)}[External]`,
    end: { type: 'outside', addresses: { v4: [[from, to]], v6: [] } },
  }))
}

/**
 * Pods of one owner that some selector or named port tells apart have no one answer. (Labels that differ without
 * mattering are fine: rolling updates leave such pods.)
 */
function mixed(found: readonly Workload[], stack: PolicyStack, targets: Targets): readonly string[] {
  const peers = [
    ...peersOf(stack, 'ingress'),
    ...peersOf(stack, 'egress'),
    ...adminPolicies(stack).map((policy) => policy.subject),
  ]
  const used = [
    ...stack.policies.map((policy) => policy.pods),
    ...peers.flatMap((peer) => (peer.type === 'pods' ? [peer.pods] : [])),
  ]
  const selectors = [...new Map<string, Selector>(used.map((selector) => [selector.text, selector])).values()]
  const rules = [
    ...stack.policies.map((policy) => policy.written),
    ...adminPolicies(stack).map((policy) => policy.rules),
  ]
  const named = rules.some(({ ingress, egress }) =>
    [...ingress, ...egress].some((rule) => rule.ports?.some((port) => 'name' in port)),
  )
  const signature = (pod: Pod): string =>
    JSON.stringify([selectors.map((selector) => matches(selector, pod.labels)), named ? pod.ports : [], targets(pod)])
  return found
    .filter((workload) => workload.pods.length > 1 && new Set(workload.pods.map(signature)).size > 1)
    .map((workload) => `${workload.name}: its pods differ in labels or ports that policies or Services select by`)
}
