/** NetworkPolicy evaluated the plain way, written from the API's text and apart from the code under test. */
export type Labels = Record<string, string>
export interface Expression {
  key: string
  operator: string
  values?: string[]
}
export interface LabelSelector {
  matchLabels?: Labels
  matchExpressions?: Expression[]
}
export interface PeerSpec {
  podSelector?: LabelSelector
  namespaceSelector?: LabelSelector
  ipBlock?: { cidr: string; except?: string[] }
}
export interface PortSpec {
  protocol?: string
  port?: number | string
  endPort?: number
}
export interface RuleSpec {
  peers?: PeerSpec[]
  ports?: PortSpec[]
}
export interface PolicySpec {
  podSelector: LabelSelector
  policyTypes?: string[]
  ingress?: RuleSpec[]
  egress?: RuleSpec[]
}
export type Side = 'ingress' | 'egress'

const selects = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector, labels: Labels): boolean =>
  Object.entries(matchLabels).every(([key, value]) => labels[key] === value) &&
  matchExpressions.every(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key in labels
    if (operator === 'DoesNotExist') return !(key in labels)
    const inside = key in labels && values.includes(labels[key] ?? '')
    return operator === 'In' ? inside : !inside
  })

export interface Other {
  ns?: string
  nsLabels?: Labels
  labels?: Labels
  ip?: string
}
const ipNumber = (ip: string) => ip.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
const inCidr = (ip: string, cidr: string) => {
  const [base = '', bits = ''] = cidr.split('/')
  const size = 2 ** (32 - Number(bits))
  return Math.floor(ipNumber(ip) / size) === Math.floor(ipNumber(base) / size)
}

export function peerTakes(peer: PeerSpec, own: string, other: Other): boolean {
  if (peer.ipBlock)
    return (
      other.ip !== undefined &&
      inCidr(other.ip, peer.ipBlock.cidr) &&
      !(peer.ipBlock.except ?? []).some((hole) => inCidr(other.ip ?? '', hole))
    )
  if (other.ip !== undefined) return false
  const ns = peer.namespaceSelector ? selects(peer.namespaceSelector, other.nsLabels ?? {}) : other.ns === own
  return ns && (!peer.podSelector || selects(peer.podSelector, other.labels ?? {}))
}
export const portTakes = (port: PortSpec, protocol: string, number: number) =>
  (port.protocol ?? 'TCP') === protocol &&
  (port.port === undefined || (number >= Number(port.port) && number <= (port.endPort ?? Number(port.port))))

export function lets(
  specs: readonly PolicySpec[],
  side: Side,
  own: string,
  pod: Labels,
  other: Other,
  protocol: string,
  port: number,
): boolean {
  const type = side === 'ingress' ? 'Ingress' : 'Egress'
  const speaking = specs.filter((spec) => {
    const types = spec.policyTypes ?? (spec.egress && spec.egress.length > 0 ? ['Ingress', 'Egress'] : ['Ingress'])
    return types.includes(type) && selects(spec.podSelector, pod)
  })
  if (speaking.length === 0) return true
  return speaking.some((spec) =>
    (spec[side] ?? []).some(
      (rule) =>
        (!rule.peers || rule.peers.length === 0 || rule.peers.some((peer) => peerTakes(peer, own, other))) &&
        (!rule.ports || rule.ports.length === 0 || rule.ports.some((entry) => portTakes(entry, protocol, port))),
    ),
  )
}

export const written = (spec: PolicySpec): object => {
  const rules = (list: RuleSpec[] | undefined, key: 'from' | 'to') =>
    list?.map(({ peers, ports }) => ({ ...(peers ? { [key]: peers } : {}), ...(ports ? { ports } : {}) }))
  const { ingress, egress, ...rest } = spec
  return {
    ...rest,
    ...(ingress ? { ingress: rules(ingress, 'from') } : {}),
    ...(egress ? { egress: rules(egress, 'to') } : {}),
  }
}
