/**
 * What must have been read before anything about the network may be called proved. Answers reasons, never verdicts.
 */
import type { KubeObject, KubernetesWorld, Unreadable, World } from '../../model/world.ts'
import { policyKinds } from './foreign-kinds.ts'

/** Kinds that say nothing about packets; being unable to read them is another logic's concern. */
const elsewhere =
  /(^|\/)(Secret|ConfigMap|ServiceAccount|Role|RoleBinding|ClusterRole|ClusterRoleBinding|ResourceQuota|LimitRange|(Validating|Mutating)\w+|CertificateSigningRequest|PersistentVolume(Claim)?|CustomResourceDefinition|Ingress)$/

const concernsNetwork = (entry: Unreadable): boolean =>
  entry.product === 'file' || (entry.product === 'kubernetes' && !elsewhere.test(entry.what))

/** Reasons against deciding, for one tenant or (without one) for all. */
export function unreadableReasons(
  world: World,
  kubernetes: KubernetesWorld,
): readonly { readonly tenant?: string; readonly because: string }[] {
  const kinds = new Set(kubernetes.kinds)
  const needed = ['/Namespace', 'networking.k8s.io/NetworkPolicy']
  // Files hold whatever they hold; of a live cluster every kind that changes the answer must have been asked for.
  if (world.source !== 'manifests') needed.push(...policyKinds)
  const missing = needed.filter((kind) => !kinds.has(kind))
  const failed = world.unreadable.filter(concernsNetwork)
  return [
    ...failed.map(({ tenant, what, why }) => ({
      ...(tenant === undefined ? {} : { tenant }),
      because: `${what} could not be read: ${why}`,
    })),
    ...missing.map((kind) => ({ because: `${kind} was not looked at` })),
  ]
}

/** Labels that no API server would hold decide nothing; selectors on them could be wrong either way. */
export const oddLabels = (namespaces: readonly KubeObject[]): readonly string[] =>
  namespaces
    .filter(({ metadata: { labels } }) =>
      Object.values(labels ?? {}).some((value: unknown) => typeof value !== 'string'),
    )
    .map(({ metadata: { name } }) => `namespace ${name} has a label whose value is no text`)

/** Kinds by which filtering is bypassed, where they were not read: said as assumptions. */
export function unseenBypasses(kubernetes: KubernetesWorld): readonly string[] {
  const kinds = new Set(kubernetes.kinds)
  const seen = (...names: string[]) => names.some((name) => kinds.has(name))
  return [
    ...(seen('/Pod') ? [] : ['no pod of a tenant uses the node network (pods were not read)']),
    ...(seen('/Service') ? [] : ['no Service of a tenant has externalIPs (Services were not read)']),
    ...(seen('discovery.k8s.io/EndpointSlice', '/Endpoints')
      ? []
      : ['no endpoints of a tenant were written by hand (EndpointSlices were not read)']),
  ]
}
