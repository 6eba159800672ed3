/**
 * Reads networking.k8s.io/v1 NetworkPolicy objects into typed rules, with the API's defaults filled in. Anything that
 * the API would refuse, or that this version does not know, is said by name and never guessed.
 */
import { isObject, type Json } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'
import { addressSubtract, type AddressSet, parseCidr } from './addresses.ts'
import { allPorts, type PortSet, portRange, type Protocol } from './ports.ts'
import { everything, NotUnderstood, parseSelector, type Selector } from './selectors.ts'

export type Direction = 'ingress' | 'egress'

/** Pods of the policy's own namespace when `namespaces` is undefined. */
export interface PodPeer {
  readonly type: 'pods'
  readonly namespaces: Selector | undefined
  readonly pods: Selector
}
export interface AddressPeer {
  readonly type: 'addresses'
  readonly addresses: AddressSet
}
export type Peer = PodPeer | AddressPeer

/** A range of numbers, or a name that each destination pod resolves for itself. */
export type PolicyPort =
  | { readonly ports: PortSet; readonly name?: undefined; readonly protocol: Protocol | undefined }
  | { readonly name: string; readonly protocol: Protocol }

export interface Rule {
  /** Undefined: from or to everywhere. */
  readonly peers: readonly Peer[] | undefined
  /** Undefined: all ports. */
  readonly ports: readonly PolicyPort[] | undefined
}

export interface Policy {
  readonly namespace: string
  readonly name: string
  readonly uid: string | undefined
  readonly pods: Selector
  /** Undefined where the policy does not speak about that direction. */
  readonly ingress: readonly Rule[] | undefined
  readonly egress: readonly Rule[] | undefined
  /** All rules as written, also those that policyTypes switches off. */
  readonly written: { readonly ingress: readonly Rule[]; readonly egress: readonly Rule[] }
}

export type ParsedPolicy = { readonly policy: Policy } | { readonly problem: string }

/** Never throws; `problem` names what is not understood. */
export function parsePolicy(object: KubeObject): ParsedPolicy {
  try {
    return { policy: readPolicy(object) }
  } catch (error) {
    if (error instanceof NotUnderstood) return { problem: error.message }
    throw error
  }
}

function readPolicy(object: KubeObject): Policy {
  const spec = knownFields(object['spec'] as Json, 'spec', ['podSelector', 'policyTypes', 'ingress', 'egress'])
  const ingress = list(spec['ingress'], 'ingress').map((rule) => parseRule(rule, 'from'))
  const egress = list(spec['egress'], 'egress').map((rule) => parseRule(rule, 'to'))
  const types = list(spec['policyTypes'], 'policyTypes')
  const strange = types.find((type) => type !== 'Ingress' && type !== 'Egress')
  if (strange !== undefined) throw new NotUnderstood(`the unknown policy type ${JSON.stringify(strange)}`)
  // Absent types: always Ingress, and Egress only where there are egress rules (API reference, NetworkPolicySpec).
  const speaksIngress = types.length === 0 || types.includes('Ingress')
  const speaksEgress = types.length === 0 ? egress.length > 0 : types.includes('Egress')
  const pods = spec['podSelector']
  return {
    namespace: object.metadata.namespace ?? 'default',
    name: object.metadata.name,
    uid: object.metadata.uid,
    pods: pods === undefined || pods === null ? everything : parseSelector(pods),
    ingress: speaksIngress ? ingress : undefined,
    egress: speaksEgress ? egress : undefined,
    written: { ingress, egress },
  }
}

function parseRule(value: Json, side: 'from' | 'to'): Rule {
  const rule = knownFields(value, 'a rule', [side, 'ports'])
  const peers = list(rule[side], side)
  const ports = list(rule['ports'], 'ports')
  return {
    peers: peers.length === 0 ? undefined : peers.map(parsePeer),
    ports: ports.length === 0 ? undefined : ports.map(parsePort),
  }
}

/** One NetworkPolicyPeer; throws NotUnderstood. */
export function parsePeer(value: Json): Peer {
  const { podSelector, namespaceSelector, ipBlock } = knownFields(value, 'a peer', [
    'podSelector',
    'namespaceSelector',
    'ipBlock',
  ])
  if (ipBlock !== undefined && ipBlock !== null) {
    if (podSelector || namespaceSelector) throw new NotUnderstood('a peer with both an ipBlock and a selector')
    return parseBlock(ipBlock)
  }
  const byPods = podSelector !== undefined && podSelector !== null
  const byNamespaces = namespaceSelector !== undefined && namespaceSelector !== null
  if (!byPods && !byNamespaces) throw new NotUnderstood('a peer that names nothing')
  return {
    type: 'pods',
    namespaces: byNamespaces ? parseSelector(namespaceSelector) : undefined,
    pods: byPods ? parseSelector(podSelector) : everything,
  }
}

const blocks = new Map<string, AddressPeer>()

/** Equal blocks are one object: fences repeat the same long block for every tenant. */
function parseBlock(value: Json): AddressPeer {
  const key = JSON.stringify(value)
  const known = blocks.get(key)
  if (known !== undefined) return known
  const block = readBlock(value)
  if (blocks.size > 10_000) blocks.clear()
  blocks.set(key, block)
  return block
}

function readBlock(value: Json): AddressPeer {
  const { cidr, except } = knownFields(value, 'an ipBlock', ['cidr', 'except'])
  let addresses = range(cidr)
  for (const hole of list(except, 'except')) addresses = addressSubtract(addresses, range(hole))
  return { type: 'addresses', addresses }
}

function range(value: Json | undefined): AddressSet {
  const set = typeof value === 'string' ? parseCidr(value) : undefined
  if (set === undefined) throw new NotUnderstood(`the address range ${JSON.stringify(value)}`)
  return set
}

/** One NetworkPolicyPort; throws NotUnderstood. */
export function parsePort(value: Json): PolicyPort {
  const { protocol = 'TCP', port, endPort } = knownFields(value, 'a port', ['protocol', 'port', 'endPort'])
  if (protocol !== 'TCP' && protocol !== 'UDP' && protocol !== 'SCTP') {
    throw new NotUnderstood(`the unknown protocol ${JSON.stringify(protocol)}`)
  }
  if (port === undefined || port === null) {
    if (endPort !== undefined && endPort !== null) throw new NotUnderstood('an endPort without a port')
    return { ports: portRange(protocol), protocol }
  }
  if (typeof port === 'string') {
    if (endPort !== undefined && endPort !== null) throw new NotUnderstood('an endPort beside a named port')
    return { name: port, protocol }
  }
  const last = endPort ?? port
  if (!isPortNumber(port) || !isPortNumber(last) || last < port) {
    throw new NotUnderstood(`the ports ${JSON.stringify(port)} to ${JSON.stringify(last)}`)
  }
  return { ports: portRange(protocol, port, last), protocol }
}

export const anyPort: PolicyPort = { ports: allPorts, protocol: undefined }

const isPortNumber = (value: Json): value is number =>
  Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 65_535

/** An object with only the fields named; null values count as absent, as in the API. */
export function knownFields(
  value: Json | undefined,
  what: string,
  known: readonly string[],
): { readonly [key: string]: Json } {
  if (value === undefined || value === null) return {}
  if (!isObject(value)) throw new NotUnderstood(`${what} that is no object`)
  const strange = Object.keys(value).find((key) => !known.includes(key))
  if (strange !== undefined) throw new NotUnderstood(`${what} with the unknown field "${strange}"`)
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null))
}

function list(value: Json | undefined, what: string): readonly Json[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw new NotUnderstood(`${what} that is no list`)
  return value as readonly Json[]
}
