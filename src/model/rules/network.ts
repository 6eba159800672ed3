/** What a tenant may open in its own fence: ranges and peers that can never be another tenant, the cluster or the cloud. */
import type { Problem } from '../errors.ts'
import { excerpt } from '../printable.ts'
import { problemAt } from '../problems.ts'
import { contains, neverOpen, overlaps, parseRange, privateRanges, rangeText, reaches } from '../ranges.ts'
import type { AddressRange } from '../ranges.ts'
import type { NetworkPeer, NetworkRule } from '../tenant.ts'
import type { Admission } from './context.ts'
import { egressProblems } from './egress.ts'
import { selectorProblems } from './peers.ts'

type Path = readonly (string | number)[]
export type Direction = 'allowFrom' | 'allowTo'

export function networkProblems(admission: Admission): readonly Problem[] {
  const { network, environment } = admission.document.spec
  const at = ['spec', 'network']
  const rules = (['allowFrom', 'allowTo'] as const).flatMap((direction) =>
    network[direction].flatMap((rule, index) => ruleProblems(admission, direction, rule, [...at, direction, index])),
  )
  const inProduction = network.allowPrivateNetworks && environment === 'production'
  const problems = [...rules, ...egressProblems(admission)]
  if (!inProduction) return problems
  const reason = 'opens every private network, which production refuses'
  return [
    ...problems,
    problemAt([...at, 'allowPrivateNetworks'], reason, 'write false and name the ranges you need in allowTo'),
  ]
}

function ruleProblems(admission: Admission, direction: Direction, rule: NetworkRule, path: Path): readonly Problem[] {
  const peers = rule.peers.flatMap((peer, index) =>
    peerProblems(admission, direction, rule, peer, [...path, 'peers', index]),
  )
  const ports = rule.ports.flatMap((port, index) =>
    port.endPort !== undefined && port.endPort < port.port
      ? [
          problemAt(
            [...path, 'ports', index, 'endPort'],
            `is ${port.endPort}, below port ${port.port}`,
            'give the higher port as endPort',
          ),
        ]
      : [],
  )
  return [...peers, ...ports]
}

function peerProblems(
  admission: Admission,
  direction: Direction,
  rule: NetworkRule,
  peer: NetworkPeer,
  path: Path,
): readonly Problem[] {
  return 'ipBlock' in peer
    ? blockProblems(admission, peer.ipBlock, [...path, 'ipBlock'])
    : selectorProblems(admission, direction, rule, peer, path)
}

interface Block {
  readonly cidr: string
  readonly except: readonly string[]
}

function blockProblems(admission: Admission, block: Block, path: Path): readonly Problem[] {
  const whole = readRange(block.cidr, [...path, 'cidr'])
  if ('problem' in whole) return [whole.problem]
  const except: AddressRange[] = []
  const problems: Problem[] = []
  for (const [index, text] of block.except.entries()) {
    const at = [...path, 'except', index]
    const hole = readRange(text, at)
    if ('problem' in hole) problems.push(hole.problem)
    else if (!contains(whole.range, hole.range) || hole.range.prefix === whole.range.prefix) {
      problems.push(
        problemAt(at, `is ${text}, which is not a part of ${block.cidr}`, 'name a smaller range inside cidr'),
      )
    } else except.push(hole.range)
  }
  return problems.length > 0 ? problems : forbiddenProblems(admission, whole.range, except, [...path, 'cidr'])
}

function readRange(text: string, path: Path): { readonly range: AddressRange } | { readonly problem: Problem } {
  const range = parseRange(text)
  if (range === undefined)
    return {
      problem: problemAt(
        path,
        `is "${excerpt(text)}", not an address range`,
        'give a range such as 203.0.113.0/24 or 2001:db8::/32',
      ),
    }
  if (range.hostBits)
    return { problem: problemAt(path, `is ${text}, which has host bits set`, `did you mean ${rangeText(range)}?`) }
  return { range }
}

/** Every range that must stay shut and that the rule would open. */
function forbiddenProblems(
  admission: Admission,
  range: AddressRange,
  except: readonly AddressRange[],
  path: Path,
): readonly Problem[] {
  const cluster = clusterRanges(admission)
  const shut = [
    ...neverOpen,
    ...cluster.map((one) => ({ text: rangeText(one), what: "the cluster's pods, services or nodes", range: one })),
  ]
  const opened = shut.filter((one) => reaches(range, except, one.range))
  if (opened.length > 0) {
    return opened.map((one) => {
      const fix = contains(one.range, range) ? 'remove the rule' : `add ${one.text} to except, or name a smaller range`
      return problemAt(path, `reaches ${one.text}: ${one.what}`, fix)
    })
  }
  const priv =
    cluster.length > 0
      ? undefined
      : privateRanges.find((one) => overlaps(range, one.range) && reaches(range, except, one.range))
  if (priv === undefined) return []
  const reason = `reaches ${priv.text}, and the cluster's pod, service and node ranges are not known: it could be another tenant`
  return [problemAt(path, reason, 'give the platform document its kubernetes.ranges, or leave private ranges out')]
}

function clusterRanges({ platform, facts }: Admission): readonly AddressRange[] {
  return [...platform.kubernetes.ranges, ...(facts?.kubernetes?.ranges ?? [])].flatMap((text) => {
    const range = parseRange(text)
    return range === undefined ? [] : [range]
  })
}
