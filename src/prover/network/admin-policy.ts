/**
 * Reads policy.networking.k8s.io/v1alpha1 AdminNetworkPolicy and BaselineAdminNetworkPolicy into ordered rules. What
 * is not known here (nodes, domain names, other versions) is said by name and never guessed.
 */
import type { Json } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'
import { addressSet, parseCidr } from './addresses.ts'
import { items } from './fields.ts'
import { type Direction, knownFields, type Peer, type PodPeer } from './policy.ts'
import { type PortSet, portRange, protocols } from './ports.ts'
import { everything, NotUnderstood, parseSelector } from './selectors.ts'

/** A set of ports, or a name that each destination resolves, whatever its protocol. */
export type AdminPort = { readonly ports: PortSet } | { readonly name: string }

export interface AdminRule {
  readonly action: 'Allow' | 'Deny' | 'Pass'
  readonly peers: readonly Peer[]
  /** Undefined: all ports. */
  readonly ports: readonly AdminPort[] | undefined
}

export interface AdminPolicy {
  readonly name: string
  /** Undefined for the baseline. */
  readonly priority: number | undefined
  readonly subject: PodPeer
  readonly rules: Readonly<Record<Direction, readonly AdminRule[]>>
}

/** Never throws; `problem` names what is not understood. */
export function parseAdminPolicy(object: KubeObject): { readonly policy: AdminPolicy } | { readonly problem: string } {
  try {
    return { policy: read(object) }
  } catch (error) {
    if (error instanceof NotUnderstood) return { problem: error.message }
    throw error
  }
}

function read(object: KubeObject): AdminPolicy {
  if (object.apiVersion !== 'policy.networking.k8s.io/v1alpha1')
    throw new NotUnderstood(`the version ${object.apiVersion}`)
  const baseline = object.kind === 'BaselineAdminNetworkPolicy'
  const known = ['subject', 'ingress', 'egress', ...(baseline ? [] : ['priority'])]
  const { priority, subject, ingress, egress } = knownFields(object['spec'] as Json | undefined, 'spec', known)
  if (!baseline && !(Number.isInteger(priority) && Number(priority) >= 0 && Number(priority) <= 1000)) {
    throw new NotUnderstood(`the priority ${JSON.stringify(priority)}`)
  }
  const selected = parseSelected(subject)
  if (selected === undefined) throw new NotUnderstood('a subject that names nothing')
  return {
    name: object.metadata.name,
    priority: baseline ? undefined : Number(priority),
    subject: selected,
    rules: {
      ingress: items(ingress).map((rule) => parseRule(rule, 'from', baseline)),
      egress: items(egress).map((rule) => parseRule(rule, 'to', baseline)),
    },
  }
}

/** `namespaces` or `pods`, as subjects and peers have it. */
function parseSelected(value: Json | undefined): PodPeer | undefined {
  const { namespaces, pods } = knownFields(value, 'a subject or peer', ['namespaces', 'pods'])
  if (namespaces !== undefined && pods === undefined) {
    return { type: 'pods', namespaces: parseSelector(namespaces), pods: everything }
  }
  if (pods === undefined || namespaces !== undefined) return undefined
  const { namespaceSelector = {}, podSelector = {} } = knownFields(pods, 'pods', ['namespaceSelector', 'podSelector'])
  return { type: 'pods', namespaces: parseSelector(namespaceSelector), pods: parseSelector(podSelector) }
}

function parseRule(value: Json, side: 'from' | 'to', baseline: boolean): AdminRule {
  const rule = knownFields(value, 'a rule', ['name', 'action', side, 'ports'])
  const { action, ports } = rule
  if (action !== 'Allow' && action !== 'Deny' && (action !== 'Pass' || baseline)) {
    throw new NotUnderstood(`the action ${JSON.stringify(action)}`)
  }
  const peers = items(rule[side])
  if (peers.length === 0) throw new NotUnderstood('a rule without peers')
  const listed = items(ports)
  return {
    action,
    peers: peers.map((peer) => parsePeer(peer, side)),
    ports: listed.length === 0 ? undefined : listed.map(parsePort),
  }
}

function parsePeer(value: Json, side: 'from' | 'to'): Peer {
  const { networks, ...rest } = knownFields(value, 'a peer', [
    'namespaces',
    'pods',
    ...(side === 'to' ? ['networks'] : []),
  ])
  if (networks === undefined) {
    const selected = parseSelected(rest)
    if (selected === undefined) throw new NotUnderstood('a peer that names nothing')
    return selected
  }
  const ranges = items(networks).map((cidr) => (typeof cidr === 'string' ? parseCidr(cidr) : undefined))
  const sets = ranges.filter((range) => range !== undefined)
  if (Object.keys(rest).length > 0 || sets.length === 0 || sets.length < ranges.length) {
    throw new NotUnderstood(`the networks ${JSON.stringify(networks)}`)
  }
  return { type: 'addresses', addresses: addressSet(sets) }
}

function parsePort(value: Json): AdminPort {
  const {
    portNumber,
    portRange: range,
    namedPort,
  } = knownFields(value, 'a port', ['portNumber', 'portRange', 'namedPort'])
  if (typeof namedPort === 'string' && portNumber === undefined && range === undefined) return { name: namedPort }
  if (portNumber !== undefined && range === undefined && namedPort === undefined) {
    const { protocol = 'TCP', port } = knownFields(portNumber, 'portNumber', ['protocol', 'port'])
    return { ports: numbered(protocol, port, port) }
  }
  if (range !== undefined && portNumber === undefined && namedPort === undefined) {
    const { protocol = 'TCP', start, end } = knownFields(range, 'portRange', ['protocol', 'start', 'end'])
    return { ports: numbered(protocol, start, end) }
  }
  throw new NotUnderstood(`the port ${JSON.stringify(value)}`)
}

function numbered(protocol: Json, start: Json | undefined, end: Json | undefined): PortSet {
  const known = protocols.find((candidate) => candidate === protocol)
  if (
    known === undefined ||
    typeof start !== 'number' ||
    typeof end !== 'number' ||
    start < 1 ||
    end > 65_535 ||
    end < start
  ) {
    throw new NotUnderstood(`the ports ${JSON.stringify([protocol, start, end])}`)
  }
  return portRange(known, start, end)
}
