/** Selectors in a tenant's rules: they may name pods of the tenant, or of the platform one namespace at a time. */
import type { Problem } from '../errors.ts'
import type { PlatformPods } from '../platform.ts'
import { excerpt } from '../printable.ts'
import { problemAt } from '../problems.ts'
import type { NetworkPeer, NetworkRule } from '../tenant.ts'
import { platformNamespaces } from './context.ts'
import type { Admission } from './context.ts'
import type { Direction } from './network.ts'

type Path = readonly (string | number)[]
type Selector = Extract<NetworkPeer, { podSelector?: unknown; namespaceSelector: unknown }>['namespaceSelector']

/** The one label that only the API server sets: a namespace's own name. */
const nameLabel = 'kubernetes.io/metadata.name'

const isEmpty = (selector: Selector): boolean =>
  Object.keys(selector.matchLabels).length + selector.matchExpressions.length === 0

export function selectorProblems(
  admission: Admission,
  direction: Direction,
  rule: NetworkRule,
  peer: Exclude<NetworkPeer, { ipBlock: unknown }>,
  path: Path,
): readonly Problem[] {
  const expressions = expressionProblems(peer, path)
  if (expressions.length > 0) return expressions
  if (!('namespaceSelector' in peer)) {
    if (!isEmpty(peer.podSelector)) return []
    return [
      problemAt(
        [...path, 'podSelector'],
        'is empty and would mean every pod',
        'remove the rule: pods of one namespace reach each other anyway',
      ),
    ]
  }
  const at = [...path, 'namespaceSelector']
  if (isEmpty(peer.namespaceSelector))
    return [problemAt(at, 'is empty and would mean every namespace', `name one: matchLabels: {${nameLabel}: …}`)]
  const named = namespacesOf(peer.namespaceSelector)
  const allowed = platformNamespaces(admission.platform)
  const known = allowed.size === 0 ? 'this platform names none' : `named by this platform: ${[...allowed].join(', ')}`
  if (named === undefined) {
    return [problemAt(at, 'selects by labels that another tenant could have', `select by ${nameLabel}; ${known}`)]
  }
  const strange = named.filter((name) => name !== admission.namespace && !allowed.has(name))
  if (strange.length > 0) {
    return [problemAt(at, `names ${excerpt(strange.join(', '))}, not a namespace of the platform`, known)]
  }
  return direction === 'allowTo'
    ? named.flatMap((name) => wideProblems(admission, name, peer.podSelector, rule, path))
    : []
}

/** The namespaces that a selector can match at most, by name; undefined when labels decide. */
function namespacesOf(selector: Selector): readonly string[] | undefined {
  const label = selector.matchLabels[nameLabel]
  if (label !== undefined) return [label]
  return selector.matchExpressions.find(
    (one) => one.key === nameLabel && one.operator === 'In' && one.values.length > 0,
  )?.values
}

function expressionProblems(peer: Exclude<NetworkPeer, { ipBlock: unknown }>, path: Path): readonly Problem[] {
  const selectors = Object.entries(peer).flatMap(([field, selector]) =>
    selector === undefined ? [] : [{ field, selector }],
  )
  return selectors.flatMap(({ field, selector }) =>
    selector.matchExpressions.flatMap((one, index) => {
      const listed = one.operator === 'In' || one.operator === 'NotIn'
      if (listed === one.values.length > 0) return []
      const reason = listed ? `is ${one.operator} without values` : `is ${one.operator} with values`
      return [
        problemAt(
          [...path, field, 'matchExpressions', index],
          reason,
          listed ? 'list at least one value' : 'remove the values',
        ),
      ]
    }),
  )
}

/** Outwards, a namespace of the platform is never opened whole: only pods and ports that the platform names. */
function wideProblems(
  { platform, namespace }: Admission,
  name: string,
  pods: Selector | undefined,
  rule: NetworkRule,
  path: Path,
): readonly Problem[] {
  const { sharedNamespaces, services, gateway, monitoring } = platform.kubernetes
  if (name === namespace || sharedNamespaces.includes(name)) return []
  const offered = [...services, gateway, monitoring]
    .filter((one) => one !== undefined)
    .filter((one) => one.namespace === name)
  if (offered.some((one) => within(one, pods, rule))) return []
  const says = offered.map(
    (one) =>
      `${JSON.stringify(one.podLabels)} on ${one.ports.map((port) => `${port.port}/${port.protocol}`).join(', ')}`,
  )
  return [
    problemAt(
      [...path, 'podSelector'],
      `opens more of ${name} than the platform offers`,
      `offered: ${says.join('; ')}`,
    ),
  ]
}

const within = (offer: PlatformPods, pods: Selector | undefined, rule: NetworkRule): boolean =>
  pods !== undefined &&
  Object.entries(offer.podLabels).every(([key, value]) => pods.matchLabels[key] === value) &&
  rule.ports.length > 0 &&
  rule.ports.every(
    (port) =>
      (port.endPort === undefined || port.endPort === port.port) &&
      offer.ports.some((one) => one.port === port.port && one.protocol === port.protocol),
  )
