/**
 * Who a subject is: a tenant's, the platform's, or a stranger. Owns the spelling of RBAC's nodes and what Kubernetes
 * itself brings along; knows nothing of what anyone may do.
 */
import type { World } from '../../model/world.ts'
import type { Node } from '../logic.ts'
import type { RbacSubject } from './policy.ts'

export const cluster: Node = 'k8s:cluster'
export const everyNamespace: Node = 'k8s:ns:*'
export const namespaceNode = (namespace: string): Node => `k8s:ns:${namespace}`
export const administrationNode = (namespace: string): Node => `k8s:admin:${namespace}`
export const accountNode = (namespace: string, name: string): Node => `k8s:sa:${namespace}/${name}`
export const secretNode = (namespace: string, name: string): Node => `k8s:secret:${namespace}/${name}`
export const groupNode = (name: string): Node => `k8s:group:${name}`
export const platformNode = (what: string): Node => `k8s:platform:${what}`

export function subjectNode(subject: RbacSubject | World['trusted'][number]): Node {
  if (subject.kind === 'ServiceAccount') return accountNode(subject.namespace ?? 'default', subject.name)
  return `k8s:${subject.kind === 'Group' ? 'group' : 'user'}:${subject.name}`
}

/** Everybody is in these without anyone's doing, so a grant to them is a grant to strangers. */
export const everybody: readonly Node[] = [
  groupNode('system:authenticated'), groupNode('system:unauthenticated'), groupNode('system:serviceaccounts'), 'k8s:user:system:anonymous',
] // prettier-ignore

/** Names that only Kubernetes' own certificates and bootstrap tokens carry. A closed list: other `system:` names are strangers. */
const kubernetesOwn =
  /^k8s:(group:system:(masters|nodes|node-proxier|monitoring|bootstrappers(:.*)?)|user:system:(apiserver|kube-apiserver|kube-controller-manager|kube-scheduler|kube-proxy|node:.+))$/

const accountsGroup = /^k8s:group:system:serviceaccounts:(.+)$/
const account = /^k8s:sa:([^/]+)\//

/** Whose a principal is. Several tenants may share one that their documents name. */
export type Belonging =
  | { readonly kind: 'tenants'; readonly names: ReadonlySet<string> }
  | { readonly kind: 'platform' }
  | { readonly kind: 'everybody' }
  | { readonly kind: 'stranger' }

export interface Principals {
  belongingOf(node: Node): Belonging
  /** The tenant whose namespace it is; everything else is the platform's. */
  ownerOf(namespace: string): string
}

export const platformOwner = 'platform'

/** Principals of a world. Trusted ones are the platform's, unless a tenant names them as its own. */
export function principalsOf(world: World): Principals {
  const namespaces = new Map<string, string>()
  const named = new Map<Node, Set<string>>()
  for (const tenant of world.tenants) {
    for (const namespace of tenant.namespaces) namespaces.set(namespace, tenant.name)
    for (const subject of tenant.subjects) {
      const node = subjectNode(subject)
      named.set(node, (named.get(node) ?? new Set()).add(tenant.name))
    }
  }
  const trusted = new Set(world.trusted.map((subject) => subjectNode(subject)))
  const system = world.kubernetes?.systemNamespace
  const isPlatformNamespace = (namespace: string) => namespace === system || namespace === 'kube-system'
  const belongingOf = (node: Node): Belonging => {
    const home = (account.exec(node) ?? accountsGroup.exec(node))?.[1]
    const owner = home === undefined ? undefined : namespaces.get(home)
    const tenants = new Set([...(named.get(node) ?? []), ...(owner === undefined ? [] : [owner])])
    if (everybody.includes(node)) return { kind: 'everybody' }
    if (tenants.size > 0) return { kind: 'tenants', names: tenants }
    if (trusted.has(node) || kubernetesOwn.test(node)) return { kind: 'platform' }
    return home !== undefined && isPlatformNamespace(home) ? { kind: 'platform' } : { kind: 'stranger' }
  }
  const cache = new Map<Node, Belonging>()
  return {
    ownerOf: (namespace) => namespaces.get(namespace) ?? platformOwner,
    belongingOf(node) {
      const known = cache.get(node)
      if (known !== undefined) return known
      const belonging = belongingOf(node)
      cache.set(node, belonging)
      return belonging
    },
  }
}
