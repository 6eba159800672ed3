/**
 * Puts a hole in a fence into words: who gets where, by which object, and the command that shows it. Everything that
 * comes from objects is quoted for the shell.
 */
import type { Culprit } from '../../model/verdict.ts'
import { type LogicEdge, type Node, shellQuote } from '../logic.ts'
import type { Hole, Target } from './fence.ts'
import type { Policy, PolicyPort } from './policy.ts'
import { formatPorts, protocols } from './ports.ts'
import type { Labels } from './selectors.ts'

export interface Told {
  readonly edge: LogicEdge
  readonly subject: string
  readonly object: string
}

/** Power over a namespace: whoever has it can run a pod there. */
export const namespaceNode = (name: string): Node => `k8s:ns:${name}`
/** The pods of a namespace, as something to connect to; nothing leads on from there. */
export const podsNode = (name: string): Node => `net:pods:${name}`

export const policyCulprit = (policy: Policy): Culprit => ({
  product: 'kubernetes',
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  namespace: policy.namespace,
  name: policy.name,
  ...(policy.uid === undefined ? {} : { uid: policy.uid }),
})

const labelsText = (labels: Labels): string => {
  const entries = Object.entries(labels)
  return entries.length === 0 ? 'any labels' : `labels ${entries.map(([key, value]) => `${key}=${value}`).join(',')}`
}
const portText = (port: PolicyPort): string =>
  port.name === undefined
    ? formatPorts(port.ports).replace('All Connections', 'all ports')
    : `${port.protocol} ${port.name}`

/** A node that stands for the other side, and words for it. */
function side(target: Target): { node: Node; text: string } {
  switch (target.type) {
    case 'everything':
      return { node: 'net:any', text: 'every pod and every address' }
    case 'future':
      return { node: 'net:any', text: `pods with ${labelsText(target.pods)} of any tenant made later` }
    case 'namespace': {
      const { name, owner } = target.namespace
      const whose =
        owner !== undefined
          ? `of tenant ${owner}`
          : target.exists
            ? 'of the platform, which no document opens'
            : 'that does not exist yet and no document names'
      return { node: podsNode(name), text: `pods with ${labelsText(target.pods)} in namespace ${name} ${whose}` }
    }
    case 'addresses':
      return target.range?.kind === 'metadata'
        ? { node: 'net:metadata', text: `${target.range.name} at ${target.address}` }
        : {
            node: target.range === undefined ? 'net:outside' : `net:platform:${target.range.kind}`,
            text: `${target.range?.name ?? 'outside addresses beyond the openings'}, such as ${target.address}`,
          }
  }
}

/** What the other side's fence does with it. */
export type OtherSide = 'blocks' | 'open' | 'unknown'

export function tell(hole: Hole, other: OtherSide): Told {
  const inside = `pods with ${labelsText(hole.labels)} in namespace ${hole.namespace}`
  const outside = side(hole.target)
  const by =
    hole.policy === undefined
      ? `no policy isolates pods with ${labelsText(hole.labels)} for ${hole.direction}`
      : `NetworkPolicy ${hole.namespace}/${hole.policy.name}`
  const note = other === 'blocks' ? ' (the other side still blocks it)' : ''
  const common = {
    rule: `network.${hole.direction}`,
    by: `${by}${note}`,
    command: commandFor(hole),
    ...(hole.policy === undefined ? {} : { culprits: [policyCulprit(hole.policy)] }),
  }
  const ports = `on ${portText(hole.port)}`
  return hole.direction === 'egress'
    ? {
        edge: { from: namespaceNode(hole.namespace), to: outside.node, ...common },
        subject: inside,
        object: `${outside.text}, ${ports}${note}`,
      }
    : {
        edge: { from: sourceNode(hole.target), to: podsNode(hole.namespace), ...common },
        subject: outside.text,
        object: `${inside}, ${ports}${note}`,
      }
}

/** Who comes in: those who can run pods there, or the outside. */
function sourceNode(target: Target): Node {
  if (target.type === 'namespace') return namespaceNode(target.namespace.name)
  return target.type === 'addresses' ? 'net:outside' : 'net:any'
}

function commandFor(hole: Hole): string {
  const { target } = hole
  const probe = probeOf(hole.port)
  if (hole.direction === 'egress') {
    const address =
      target.type === 'addresses'
        ? shellQuote(target.address)
        : target.type === 'namespace' && target.exists
          ? podAddress(target.namespace.name, target.pods)
          : undefined
    if (probe !== undefined && target.type === 'everything')
      return run(hole.namespace, hole.labels, probe, '169.254.169.254')
    if (probe !== undefined && address !== undefined) return run(hole.namespace, hole.labels, probe, address)
  } else if (probe !== undefined && target.type === 'namespace' && target.exists) {
    return run(target.namespace.name, target.pods, probe, podAddress(hole.namespace, hole.labels))
  }
  const policy = hole.policy === undefined ? [] : [shellQuote(hole.policy.name)]
  return ['kubectl', '-n', shellQuote(hole.namespace), 'get', 'networkpolicy', ...policy, '-o', 'yaml'].join(' ')
}

/** The arguments of nc for one port of the hole; SCTP it cannot speak. */
function probeOf(port: PolicyPort): { flags: string; port: number } | undefined {
  if (port.name !== undefined) return undefined
  const protocol = protocols.find((candidate) => candidate !== 'SCTP' && port.ports[candidate].length > 0)
  const first = protocol === undefined ? undefined : port.ports[protocol][0]?.[0]
  if (protocol === undefined || first === undefined) return undefined
  return { flags: protocol === 'UDP' ? '-zvu' : '-zv', port: first === 1 ? 80 : first }
}

const labelArguments = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

/** `address` is quoted already, or a substitution made of quoted parts. */
function run(namespace: string, labels: Labels, probe: { flags: string; port: number }, address: string): string {
  const marks = labelArguments(labels)
  const withLabels = marks === '' ? [] : [shellQuote(`--labels=${marks}`)]
  return [
    'kubectl',
    '-n',
    shellQuote(namespace),
    'run',
    'probe',
    '--rm',
    '-i',
    '--restart=Never',
    '--image=busybox',
    ...withLabels,
    '--',
    'nc',
    probe.flags,
    '-w',
    '3',
    address,
    String(probe.port),
  ].join(' ')
}

function podAddress(namespace: string, labels: Labels): string {
  const marks = labelArguments(labels)
  const selected = marks === '' ? [] : ['-l', shellQuote(marks)]
  return `"$(${['kubectl', '-n', shellQuote(namespace), 'get', 'pods', ...selected, '-o', shellQuote('jsonpath={.items[0].status.podIP}')].join(' ')})"`
}
