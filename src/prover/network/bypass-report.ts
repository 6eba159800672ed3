/**
 * Tells the ways around packet filtering in one namespace as findings, and says as an assumption what only admission
 * can hold. Pure.
 */
import type { Culprit } from '../../model/verdict.ts'
import type { KubeObject, World } from '../../model/world.ts'
import { shellQuote } from '../logic.ts'
import { type Bypass, externalAddresses, foreignEndpoints, hostNetwork, type PodAddresses } from './bypass.ts'
import { namespaceNode, type Told } from './counterexample.ts'
import type { Namespace } from './namespaces.ts'
import type { SortedObjects } from './objects.ts'
import type { NamedRange } from './ranges.ts'

const enforceLabel = 'pod-security.kubernetes.io/enforce'

export function bypasses(
  objects: SortedObjects,
  namespace: Namespace,
  pods: PodAddresses | undefined,
  ranges: readonly NamedRange[],
  source: World['source'],
): { readonly found: readonly Told[]; readonly assuming: readonly string[] } {
  const { name } = namespace
  const found = [
    ...hostNetwork(objects.pods.get(name) ?? []),
    ...externalAddresses(objects.services.get(name) ?? []),
    ...foreignEndpoints(objects.endpoints.get(name) ?? [], name, pods, ranges),
  ].map((bypass) => told(name, bypass))
  const level = namespace.labels[enforceLabel]
  if (level === 'baseline' || level === 'restricted') return { found, assuming: [] }
  if (source === 'manifests' && level === undefined) {
    return {
      found,
      assuming: [
        'pods on the node network (hostNetwork) are refused by admission where a namespace does not enforce Pod Security',
      ],
    }
  }
  return { found: [...found, unguarded(name, level)], assuming: [] }
}

function told(namespace: string, { rule, object, reaches }: Bypass): Told {
  const what = `${object.kind} ${namespace}/${object.metadata.name}`
  return {
    subject: `pods in namespace ${namespace}`,
    object: reaches,
    edge: {
      from: namespaceNode(namespace),
      to: 'net:any',
      rule,
      by: what,
      command: `kubectl -n ${shellQuote(namespace)} get ${shellQuote(object.kind.toLowerCase())} ${shellQuote(object.metadata.name)} -o yaml`,
      culprits: [culprit(object, namespace)],
    },
  }
}

const culprit = (object: KubeObject, namespace: string): Culprit => ({
  product: 'kubernetes',
  apiVersion: object.apiVersion,
  kind: object.kind,
  namespace,
  name: object.metadata.name,
  ...(object.metadata.uid === undefined ? {} : { uid: object.metadata.uid }),
})

/** No culprit is named: repairing a label closes this, removing the namespace would not be a repair. */
function unguarded(namespace: string, level: string | undefined): Told {
  return {
    subject: `pods with hostNetwork in namespace ${namespace}`,
    object: 'everything that its node reaches, past every policy',
    edge: {
      from: namespaceNode(namespace),
      to: 'net:any',
      rule: 'network.host-network',
      by: `Namespace ${namespace} enforces Pod Security ${level === undefined ? 'at no level' : `"${level}"`}, which lets pods use the node network`,
      command: `kubectl -n ${shellQuote(namespace)} run probe --rm -i --restart=Never --image=busybox --overrides=${shellQuote('{"spec":{"hostNetwork":true}}')} -- nc -zv -w 3 169.254.169.254 80`,
    },
  }
}
