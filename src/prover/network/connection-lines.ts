/**
 * `source => destination : connections` for given manifests: every pair of workloads and every range of outside
 * addresses that the policies tell apart. It answers lines only when it understands every policy that could change them.
 */
import type { KubeObject } from '../../model/world.ts'
import { formatIpv4 } from './addresses.ts'
import { allowed, isolating, type Outside, type Pod } from './evaluate.ts'
import { ingressTargets } from './ingress.ts'
import { foreignPolicies } from './foreign-kinds.ts'
import { type Direction, parsePolicy, type Policy } from './policy.ts'
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
  const undecided = foreignPolicies(objects).map(
    ({ kind, namespace, name }) =>
      `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}: not supported yet`,
  )
  const policies: Policy[] = []
  for (const object of objects.filter(
    (candidate) => candidate.kind === 'NetworkPolicy' && candidate.apiVersion.startsWith('networking.k8s.io/'),
  )) {
    const parsed = parsePolicy(object)
    if ('policy' in parsed) policies.push(parsed.policy)
    else
      undecided.push(
        `NetworkPolicy ${object.metadata.namespace ?? 'default'}/${object.metadata.name}: ${parsed.problem} is not understood`,
      )
  }
  const found = workloads(objects)
  const targets = ingressTargets(objects)
  undecided.push(...mixed(found, policies, targets))
  if (undecided.length > 0) return { undecided: [...new Set(undecided)].sort() }
  return { lines: found.length === 0 ? [] : linesBetween(found, policies, targets) }
}

function linesBetween(
  found: readonly Workload[],
  policies: readonly Policy[],
  targets: ReturnType<typeof ingressTargets>,
): readonly string[] {
  const lines: string[] = []
  const line = (from: string, to: string, ports: PortSet) => {
    if (!noPortsIn(ports)) lines.push(`${from} => ${to} : ${formatPorts(ports)}`)
  }
  const sources = outside(policies, 'ingress')
  const destinations = outside(policies, 'egress')
  const sides = found.map((workload) => {
    // Any of its pods: they were seen to behave alike.
    const [pod] = workload.pods
    return { workload, pod, ingress: isolating(policies, pod, 'ingress'), egress: isolating(policies, pod, 'egress') }
  })
  for (const to of sides) {
    for (const source of sources)
      line(source.name, to.workload.name, allowed(to.ingress, 'ingress', to.pod, source.end))
    for (const destination of destinations)
      line(to.workload.name, destination.name, allowed(to.egress, 'egress', to.pod, destination.end))
    const asked = targets(to.pod)
    if (!noPortsIn(asked)) {
      line(
        '{ingress-controller}',
        to.workload.name,
        portIntersect(asked, allowed(to.ingress, 'ingress', to.pod, ingressController)),
      )
    }
    for (const from of sides) {
      if (from === to) continue
      const out = allowed(from.egress, 'egress', from.pod, to.pod)
      if (!noPortsIn(out))
        line(from.workload.name, to.workload.name, portIntersect(out, allowed(to.ingress, 'ingress', to.pod, from.pod)))
    }
  }
  return lines.sort()
}

/** The IPv4 space cut wherever a rule of that direction begins or ends a block: inside a piece all rules agree. */
function outside(policies: readonly Policy[], direction: Direction): readonly { name: string; end: Outside }[] {
  const cuts = new Set([0, 2 ** 32])
  for (const policy of policies) {
    for (const peer of policy.written[direction].flatMap((rule) => rule.peers ?? [])) {
      if (peer.type === 'addresses') for (const [from, to] of peer.addresses.v4) cuts.add(from).add(to)
    }
  }
  const sorted = [...cuts].sort((a, b) => a - b)
  const pieces = sorted.slice(1).map((to, index) => [sorted[index] ?? 0, to] as const)
  return pieces.map(([from, to]) => {
    return {
      name: `${formatIpv4(from)}-${formatIpv4(to - 1)}[External]`,
      end: { type: 'outside', addresses: { v4: [[from, to]], v6: [] } },
    }
  })
}

/**
 * Pods of one owner that some selector or named port tells apart have no one answer. (Labels that differ without
 * mattering are fine: rolling updates leave such pods.)
 */
function mixed(
  found: readonly Workload[],
  policies: readonly Policy[],
  targets: ReturnType<typeof ingressTargets>,
): readonly string[] {
  const selectors = new Map<string, Selector>()
  for (const policy of policies) {
    selectors.set(policy.pods.text, policy.pods)
    for (const peer of [...policy.written.ingress, ...policy.written.egress].flatMap((rule) => rule.peers ?? [])) {
      if (peer.type === 'pods') selectors.set(peer.pods.text, peer.pods)
    }
  }
  const named = policies.some((policy) =>
    [...policy.written.ingress, ...policy.written.egress].some((rule) =>
      rule.ports?.some((port) => port.name !== undefined),
    ),
  )
  const signature = (pod: Pod): string =>
    JSON.stringify([
      [...selectors.values()].map((selector) => matches(selector, pod.labels)),
      named ? pod.ports : [],
      targets(pod),
    ])
  return found
    .filter((workload) => workload.pods.length > 1 && new Set(workload.pods.map(signature)).size > 1)
    .map((workload) => `${workload.name}: its pods differ in labels or ports that policies or Services select by`)
}
