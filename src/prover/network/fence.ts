/**
 * Judges one fence: what the NetworkPolicies of one namespace let through in one direction, for every pod that could be
 * made there, beyond what is legitimately open. Pure; stops at the first finding of each peer, so that wide rules cost
 * no more than narrow ones.
 */
import { type AddressSet, firstAddress, noAddressesIn } from './addresses.ts'
import { uncovered, witness } from './label-space.ts'
import { nameLabel, type Namespace, type Namespaces } from './namespaces.ts'
import { beyondOpenings, coversPods, dns, type OpeningForm, type ParsedOpening } from './openings.ts'
import { type AddressPeer, anyPort, type Direction, type PodPeer, type Policy, type PolicyPort } from './policy.ts'
import { type NamedRange, touches } from './ranges.ts'
import { everything, type Labels, matches } from './selectors.ts'

/** What lies on the other side of a hole. */
export type Target =
  | { readonly type: 'everything' }
  | { readonly type: 'namespace'; readonly namespace: Namespace; readonly pods: Labels; readonly exists: boolean }
  | { readonly type: 'future'; readonly pods: Labels }
  | { readonly type: 'addresses'; readonly range: NamedRange | undefined; readonly address: string }

export interface Hole {
  readonly direction: Direction
  readonly namespace: string
  /** Undefined: no policy isolates these pods at all. */
  readonly policy: Policy | undefined
  /** Labels of a pod inside that has the hole. */
  readonly labels: Labels
  readonly target: Target
  readonly port: PolicyPort
}

export interface FenceVerdict {
  readonly holes: readonly Hole[]
  /** How many cases were decided. */
  readonly checked: number
  readonly undecided: readonly string[]
  /** Public addresses were taken as open because no document says otherwise. */
  readonly publicAssumed: boolean
}

export interface FenceContext {
  readonly namespaces: Namespaces
  readonly sharedNamespaces: ReadonlySet<string>
  readonly ranges: readonly NamedRange[]
  readonly shut: (peer: AddressPeer, form: OpeningForm) => AddressSet
}

/** Whose fence it is. `openings` undefined: no document says what is open. */
export interface Inside {
  readonly tenant: string
  readonly namespace: string
  readonly openings: readonly ParsedOpening[] | undefined
}

/** `policies` are those of the namespace. */
export function judgeFence(
  context: FenceContext,
  inside: Inside,
  direction: Direction,
  policies: readonly Policy[],
): FenceVerdict {
  const holes: Hole[] = []
  const undecided: string[] = []
  const speaking = policies.filter((policy) => policy[direction] !== undefined)
  const rest = uncovered(
    everything,
    speaking.map((policy) => policy.pods),
  )
  if (rest === 'unknown')
    undecided.push(
      `the podSelectors of ${speaking.length} policies in namespace ${inside.namespace} are too many to decide`,
    )
  else if (rest !== 'covered') {
    holes.push({
      direction,
      namespace: inside.namespace,
      policy: undefined,
      labels: rest.labels,
      target: { type: 'everything' },
      port: anyPort,
    })
  }
  const judge = new RuleJudge(context, inside, direction)
  for (const policy of speaking) {
    const labels = witness(policy.pods)
    if (labels === undefined) continue
    for (const { target, port } of judge.findings(policy))
      holes.push({ direction, namespace: inside.namespace, policy, labels, target, port })
  }
  return { holes, checked: judge.checked + 1, undecided, publicAssumed: judge.publicAssumed }
}

interface Finding {
  readonly target: Target
  readonly port: PolicyPort
}

class RuleJudge {
  checked = 0
  publicAssumed = false
  readonly #context: FenceContext
  readonly #inside: Inside
  readonly #direction: Direction
  readonly #openings: readonly ParsedOpening[]

  constructor(context: FenceContext, inside: Inside, direction: Direction) {
    this.#context = context
    this.#inside = inside
    this.#direction = direction
    this.#openings = [...(inside.openings ?? []), dns]
  }

  *findings(policy: Policy): Generator<Finding> {
    for (const rule of policy[this.#direction] ?? []) {
      const ports = rule.ports ?? [anyPort]
      this.checked++
      if (rule.peers === undefined) {
        yield { target: { type: 'everything' }, port: ports[0] ?? anyPort }
        continue
      }
      for (const peer of rule.peers) {
        for (const port of ports) {
          const target = peer.type === 'pods' ? this.#pods(peer, port) : this.#addresses(peer, port)
          if (target === undefined) continue
          yield { target, port }
          break
        }
      }
    }
  }

  #pods(peer: PodPeer, port: PolicyPort): Target | undefined {
    const pods = witness(peer.pods)
    // Pods of the own namespace, or none at all.
    if (peer.namespaces === undefined || pods === undefined) {
      this.checked++
      return undefined
    }
    for (const namespace of this.#context.namespaces.matching(peer.namespaces)) {
      this.checked++
      if (!this.#mayMeet(namespace, peer, port)) return { type: 'namespace', namespace, pods, exists: true }
    }
    this.checked++
    const future = this.#context.namespaces.future(peer.namespaces)
    if (future === undefined) return undefined
    if (future === 'any') return { type: 'future', pods }
    for (const name of future) {
      // A name that nobody has is the platform's where the documents name it, and anybody's otherwise.
      const namespace: Namespace = { name, labels: { [nameLabel]: name }, uid: undefined, owner: undefined }
      if (!this.#mayMeet(namespace, peer, port)) return { type: 'namespace', namespace, pods, exists: false }
    }
    return undefined
  }

  #mayMeet(namespace: Namespace, peer: PodPeer, port: PolicyPort): boolean {
    if (namespace.owner !== undefined) return namespace.owner === this.#inside.tenant
    if (this.#context.sharedNamespaces.has(namespace.name)) return true
    return coversPods(this.#openings, this.#direction, namespace, peer, port)
  }

  #addresses(peer: AddressPeer, port: PolicyPort): Target | undefined {
    this.checked++
    const left = beyondOpenings(this.#openings, this.#direction, peer, port, this.#context.shut)
    if (noAddressesIn(left)) return undefined
    const reserved = touches(left, this.#context.ranges)
    if (reserved !== undefined)
      return { type: 'addresses', range: reserved.range, address: firstAddress(reserved.part) ?? '' }
    if (this.#direction === 'egress' && this.#inside.openings === undefined) {
      this.publicAssumed = true
      return undefined
    }
    return { type: 'addresses', range: undefined, address: firstAddress(left) ?? '' }
  }
}

/** Whether the policies of a namespace let pods of the other namespace through, for some pod on either side. */
export function lets(policies: readonly Policy[], direction: Direction, own: string, other: Namespace): boolean {
  const speaking = policies.filter((policy) => policy[direction] !== undefined)
  if (
    uncovered(
      everything,
      speaking.map((policy) => policy.pods),
    ) !== 'covered'
  )
    return true
  return speaking.some(
    (policy) =>
      witness(policy.pods) !== undefined &&
      policy[direction]?.some(
        (rule) =>
          rule.peers === undefined ||
          rule.peers.some((peer) => peer.type === 'pods' && selectsNamespace(peer, own, other)),
      ),
  )
}

const selectsNamespace = (peer: PodPeer, own: string, other: Namespace): boolean =>
  peer.namespaces === undefined ? other.name === own : matches(peer.namespaces, other.labels)
