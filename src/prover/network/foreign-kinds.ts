/**
 * The kinds beside NetworkPolicy that change who may connect to whom. They are known by name only: where one is
 * present, nothing that it may touch is proved. Owns the list.
 */
import type { KubeObject } from '../../model/world.ts'

export interface ForeignKind {
  readonly group: string
  readonly kind: string
  /** `policy` allows or denies traffic; `topology` decides which pods share a network at all. */
  readonly concern: 'policy' | 'topology'
}

const kinds: readonly ForeignKind[] = [
  ...['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy', 'ClusterNetworkPolicy'].map((kind) => ({ group: 'policy.networking.k8s.io', kind, concern: 'policy' as const })),
  ...['CiliumNetworkPolicy', 'CiliumClusterwideNetworkPolicy'].map((kind) => ({ group: 'cilium.io', kind, concern: 'policy' as const })),
  ...['crd.projectcalico.org', 'projectcalico.org'].flatMap((group) =>
    ['NetworkPolicy', 'GlobalNetworkPolicy', 'Tier'].map((kind) => ({ group, kind, concern: 'policy' as const })),
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

export const policyKinds: readonly ForeignKind[] = kinds.filter((kind) => kind.concern === 'policy')

const groupOf = (apiVersion: string): string => (apiVersion.includes('/') ? apiVersion.split('/')[0]! : '')

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
