/**
 * The kinds beside NetworkPolicy that change who may connect to whom. They are known by name only: where one is
 * present, nothing that it may touch is proved. Owns the list. Calico's Tiers and NetworkSets are not in it: without a
 * policy that stands in them they change nothing.
 */
import type { KubeObject } from '../../model/world.ts'
import { at, child, groupOf } from './fields.ts'
import { type Labels, matches, parseSelector } from './selectors.ts'

export interface ForeignKind {
  readonly group: string
  readonly kind: string
  /** `policy` allows or denies traffic; `topology` decides which pods share a network at all. */
  readonly concern: 'policy' | 'topology'
}

const kinds: readonly ForeignKind[] = [
  ...['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy'].map((kind) => ({
    group: 'policy.networking.k8s.io',
    kind,
    concern: 'policy' as const,
  })),
  ...['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'].map((kind) => ({
    group: 'cilium.io',
    kind,
    concern: 'policy' as const,
  })),
  ...['crd.projectcalico.org', 'projectcalico.org'].flatMap((group) =>
    ['NetworkPolicy', 'GlobalNetworkPolicy'].map((kind) => ({ group, kind, concern: 'policy' as const })),
  ),
  { group: 'crd.antrea.io', kind: 'NetworkPolicy', concern: 'policy' },
  { group: 'crd.antrea.io', kind: 'ClusterNetworkPolicy', concern: 'policy' },
  { group: 'k8s.cni.cncf.io', kind: 'MultiNetworkPolicy', concern: 'policy' },
  { group: 'k8s.cni.cncf.io', kind: 'NetworkAttachmentDefinition', concern: 'topology' },
  { group: 'k8s.ovn.org', kind: 'UserDefinedNetwork', concern: 'topology' },
  { group: 'k8s.ovn.org', kind: 'ClusterUserDefinedNetwork', concern: 'topology' },
  { group: 'kubevirt.io', kind: 'VirtualMachine', concern: 'topology' },
]
const byName = new Map(kinds.map((kind) => [`${kind.group}/${kind.kind}`, kind]))

/** `group/Kind` of what a complete look at a live cluster must have asked for. */
export const policyKinds: readonly string[] = kinds
  .filter((kind) => /^(policy\.networking\.k8s\.io|cilium\.io|(crd\.)?projectcalico\.org)$/.test(kind.group))
  .map((kind) => `${kind.group}/${kind.kind}`)

/** The kind when this object is one of them. A NetworkPolicy of an API group that nobody knows is one, too. */
export function foreignKind(object: KubeObject): ForeignKind | undefined {
  const group = groupOf(object.apiVersion)
  const known = byName.get(`${group}/${object.kind}`)
  if (known !== undefined) return known
  const unheard = object.kind.endsWith('NetworkPolicy') && group !== 'networking.k8s.io'
  return unheard ? { group, kind: object.kind, concern: 'policy' } : undefined
}

export interface ForeignObject {
  readonly kind: string
  readonly group: string
  readonly namespace: string | undefined
  readonly name: string
  readonly concern: ForeignKind['concern']
  readonly object: KubeObject
}

export function foreignPolicies(objects: readonly KubeObject[]): readonly ForeignObject[] {
  return objects.flatMap((object) => {
    const known = foreignKind(object)
    if (known === undefined) return []
    return [{ ...known, namespace: object.metadata.namespace, name: object.metadata.name, object }]
  })
}

/**
 * Whether such an object could concern pods of a namespace. A namespaced one concerns its own; a cluster-wide one is
 * let off only where its subject plainly names other namespaces.
 */
export function mayTouch(foreign: ForeignObject, namespace: string, labels: Labels): boolean {
  if (foreign.namespace !== undefined) return foreign.namespace === namespace
  if (foreign.group !== 'policy.networking.k8s.io') return true
  const subject = child(foreign.object['spec'], 'subject')
  const selector = child(subject, 'namespaces') ?? at(subject, ['pods', 'namespaceSelector'])
  if (selector === undefined) return true
  try {
    return matches(parseSelector(selector), labels)
  } catch {
    return true
  }
}
