/** Where an API server serves kinds and objects, and which kinds make pods. */
import type { JsonObject } from '../../model/json.ts'
import { drivenKinds, kubeKind, type KubeKind } from '../kube-kinds.ts'

export { drivenKinds, groupKind, secretKind, snapshotKinds, type KubeKind } from '../kube-kinds.ts'

/** Controllers of pods, owners before what they own, then pods: the order in which work is ended. */
export const workloadKinds: readonly KubeKind[] = [
  kubeKind('batch', 'v1', 'CronJob', 'cronjobs', true),
  kubeKind('batch', 'v1', 'Job', 'jobs', true),
  kubeKind('apps', 'v1', 'Deployment', 'deployments', true),
  kubeKind('apps', 'v1', 'StatefulSet', 'statefulsets', true),
  kubeKind('apps', 'v1', 'DaemonSet', 'daemonsets', true),
  kubeKind('apps', 'v1', 'ReplicaSet', 'replicasets', true),
  kubeKind('', 'v1', 'ReplicationController', 'replicationcontrollers', true),
  kubeKind('', 'v1', 'Pod', 'pods', true),
]

export const namespaceKind = drivenKinds['Namespace'] as KubeKind

export const apiVersionOf = (kind: KubeKind): string =>
  kind.group === '' ? kind.version : `${kind.group}/${kind.version}`

export const groupPath = (kind: KubeKind): string =>
  kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`

/** Path of a collection; of all namespaces when none is named. */
export const collectionPath = (kind: KubeKind, namespace?: string): string =>
  `${groupPath(kind)}${kind.namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : ''}/${kind.plural}`

export const objectPath = (kind: KubeKind, namespace: string | undefined, name: string): string =>
  `${collectionPath(kind, namespace)}/${encodeURIComponent(name)}`

/** `namespace/name`, or the name alone where the kind is not namespaced: the external name of resources. */
export const externalNameOf = (object: JsonObject): string => {
  const { namespace, name } = object['metadata'] as { namespace?: string; name: string }
  return namespace === undefined ? name : `${namespace}/${name}`
}
