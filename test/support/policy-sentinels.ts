/**
 * One request a policy that it alone refuses, asked again and again until the policy bites, or no longer does: a new
 * policy takes about half a second to be seen.
 */
import type { JsonObject } from '../../src/model/json.ts'
import { collectionOf, poll, type Api } from './kubernetes-api.ts'

/** The same dry request over and over, until the policy's answer to it is `refused` or not. */
export async function untilBites(api: Api, policy: string, refused: boolean): Promise<void> {
  // Refused by every namespaced policy while its parameters cannot be found is not meant: the policy's name must show.
  await poll(`the policy ${policy} ${refused ? 'bites' : 'is gone'}`, async () => {
    const answers = await Promise.all(
      sentinels[policy]?.map(([path, body]) => api('POST', `${path}?dryRun=All`, body)) ?? [],
    )
    if (answers.length === 0) throw new Error(`no sentinel for ${policy}`)
    return answers.every((answer) => answer.message.includes(`ValidatingAdmissionPolicy '${policy}'`) === refused)
      ? true
      : undefined
  })
}

export const sentinelNamespace = 'ringfence-sentinel'
const inSentinel = (apiVersion: string, kind: string, rest: JsonObject): readonly [string, JsonObject] => [
  collectionOf(apiVersion, kind, sentinelNamespace),
  { apiVersion, kind, metadata: { name: 'sentinel' }, ...rest },
]
const rbac = 'rbac.authorization.k8s.io'
const container = { name: 'c', image: 'i:1', imagePullPolicy: 'IfNotPresent' }
/** One request a policy that it refuses, to see whether it bites yet. */
const sentinels: { readonly [policy: string]: readonly (readonly [string, JsonObject])[] } = {
  'ringfence-namespaces': [
    ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'ringfence-probe' } }],
  ],
  'ringfence-cluster-bindings': [
    [
      `/apis/${rbac}/v1/clusterrolebindings`,
      {
        apiVersion: `${rbac}/v1`,
        kind: 'ClusterRoleBinding',
        metadata: { name: 'sentinel' },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'view' },
        subjects: [{ kind: 'ServiceAccount', name: 'x', namespace: 'ringfence-x' }],
      },
    ],
  ],
  'ringfence-fences': [inSentinel('v1', 'ResourceQuota', { spec: {} })],
  'ringfence-access': [
    inSentinel('v1', 'Secret', {
      type: 'kubernetes.io/service-account-token',
      metadata: { name: 's', annotations: { 'kubernetes.io/service-account.name': 'default' } },
    }),
  ],
  'ringfence-network-policies': [
    inSentinel('networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {}, ingress: [{}] } }),
  ],
  'ringfence-services': [inSentinel('v1', 'Service', { spec: { type: 'ExternalName', externalName: 'x.example' } })],
  'ringfence-ingresses': [
    inSentinel('networking.k8s.io/v1', 'Ingress', {
      spec: { defaultBackend: { service: { name: 's', port: { number: 1 } } } },
    }),
  ],
  'ringfence-pods': [inSentinel('v1', 'Pod', { spec: { containers: [container] } })],
  'ringfence-storage': [
    inSentinel('v1', 'PersistentVolumeClaim', {
      spec: { volumeName: 'v', accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    }),
  ],
}
