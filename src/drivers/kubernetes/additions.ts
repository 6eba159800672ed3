/**
 * Removal of one addition that breaks isolation. Only kinds that open ways, never what the cluster itself stands on,
 * and only the very object that the prover named: by uid and resource version.
 */
import type { KubernetesBackend } from '../../model/backends.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { defaultTimeoutMs, type KubernetesClient } from './client.ts'
import { apiVersionOf, objectPath, snapshotKinds, type KubeKind } from './kinds.ts'
import { liveMetadata } from './object.ts'

const removable = new Set([
  'NetworkPolicy',
  'RoleBinding',
  'ClusterRoleBinding',
  'Role',
  'ClusterRole',
  'Service',
  'EndpointSlice',
  'AdminNetworkPolicy',
  'BaselineAdminNetworkPolicy',
  'ClusterNetworkPolicy',
  'CiliumNetworkPolicy',
  'CiliumClusterwideNetworkPolicy',
  'GlobalNetworkPolicy',
])

export function additionRemover(client: KubernetesClient): KubernetesBackend['removeAddition'] {
  return async (culprit, signal): Promise<JsonObject> => {
    const { name, namespace, uid } = culprit
    const what = `${culprit.kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
    const kind = kindOf(culprit.apiVersion, culprit.kind)
    const refuse = (why: string) =>
      new RingfenceError('Guarded', `${what} is not removed: ${why}`, { kind: culprit.kind, name })
    if (culprit.product !== 'kubernetes' || !kind || !removable.has(kind.kind))
      throw refuse('objects of this kind are never removed')
    if (uid === undefined) throw refuse('it was named without its uid')
    if (name.startsWith('system:') || name === 'cluster-admin' || namespace?.startsWith('kube-'))
      throw refuse('it belongs to the cluster')
    const limits = { signal, deadlineMs: Date.now() + defaultTimeoutMs }
    const path = objectPath(kind, namespace, name)
    const live = await client.request('GET', path, limits)
    const found = liveMetadata(live)
    if (found.uid !== uid)
      throw new RingfenceError('Conflict', `${what} is another object by now; nothing was removed`, {
        seen: uid,
        found: found.uid,
      })
    const preconditions = { uid, resourceVersion: found.resourceVersion }
    await client.request('DELETE', path, {
      ...limits,
      body: { apiVersion: 'v1', kind: 'DeleteOptions', preconditions, propagationPolicy: 'Background' },
    })
    return live
  }
}

function kindOf(apiVersion: string | undefined, kind: string): KubeKind | undefined {
  const candidates = snapshotKinds.filter((known) => known.kind === kind)
  if (apiVersion === undefined) return candidates.length === 1 && candidates[0]?.version ? candidates[0] : undefined
  const [version = '', group = ''] = apiVersion.split('/').toReversed()
  const found = candidates.find(
    (known) => known.group === group && (known.version === '' || apiVersionOf(known) === apiVersion),
  )
  return found && { ...found, version }
}
