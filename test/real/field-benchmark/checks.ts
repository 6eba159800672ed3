/**
 * The checks of the retired multi-tenancy benchmark (kubectl-mtb, profiles 1 and 2) as requests of a tenant's own
 * people. Each refusal names who must refuse, and in which words; each has a twin that is admitted.
 */
import type { JsonObject } from '../../../src/model/json.ts'

export const own = 'ringfence-acme'
export const other = 'ringfence-globex'

const secure = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
}

/** A pod that is admitted, with one thing changed. */
export function pod(
  change: { readonly spec?: JsonObject; readonly container?: JsonObject; readonly security?: JsonObject } = {},
  name = 'probe',
): JsonObject {
  const container = {
    name: 'c',
    image: 'registry.example/app:1',
    imagePullPolicy: 'Always',
    securityContext: { ...secure, ...change.security },
    ...change.container,
  }
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { containers: [container], ...change.spec } }
}

export interface PodCheck {
  readonly what: string
  readonly pod: JsonObject
  /** Pod security's word for it, or the quota's. */
  readonly says: string
}

const podSecurity = 'violates PodSecurity "restricted:latest"'
const security = (what: string, says: string, change: Parameters<typeof pod>[0]): PodCheck => ({
  what: `block ${what}`,
  pod: pod(change),
  says: `${podSecurity}: ${says}`,
})

export const podChecks: readonly PodCheck[] = [
  security('added capabilities', 'unrestricted capabilities', {
    security: { capabilities: { drop: ['ALL'], add: ['SYS_ADMIN'] } },
  }),
  security('containers that may run as root', 'runAsNonRoot != true', { security: { runAsNonRoot: false } }),
  security('containers that run as root', 'runAsUser=0', { security: { runAsUser: 0 } }),
  security('privileged containers', 'privileged', { security: { privileged: true, allowPrivilegeEscalation: true } }),
  security('privilege escalation', 'allowPrivilegeEscalation != false', {
    security: { allowPrivilegeEscalation: true },
  }),
  security('host paths', 'restricted volume types', { spec: { volumes: [{ name: 'v', hostPath: { path: '/etc' } }] } }),
  security('the host network', 'host namespaces', { spec: { hostNetwork: true } }),
  security('host ports', 'hostPort', { container: { ports: [{ containerPort: 80, hostPort: 80 }] } }),
  security("the host's process ids", 'host namespaces', { spec: { hostPID: true } }),
  security("the host's IPC", 'host namespaces', { spec: { hostIPC: true } }),
]

/** Cluster-wide and platform resources that a tenant may not touch with any verb. */
export const clusterResources: readonly (readonly [group: string, resource: string])[] = [
  ['', 'namespaces'],
  ['', 'nodes'],
  ['', 'persistentvolumes'],
  ['rbac.authorization.k8s.io', 'clusterroles'],
  ['rbac.authorization.k8s.io', 'clusterrolebindings'],
  ['storage.k8s.io', 'storageclasses'],
  ['storage.k8s.io', 'volumeattachments'],
  ['scheduling.k8s.io', 'priorityclasses'],
  ['apiextensions.k8s.io', 'customresourcedefinitions'],
  ['admissionregistration.k8s.io', 'validatingwebhookconfigurations'],
  ['admissionregistration.k8s.io', 'mutatingwebhookconfigurations'],
  ['admissionregistration.k8s.io', 'validatingadmissionpolicies'],
  ['admissionregistration.k8s.io', 'validatingadmissionpolicybindings'],
  ['apiregistration.k8s.io', 'apiservices'],
  ['certificates.k8s.io', 'certificatesigningrequests'],
  ['policy.networking.k8s.io', 'adminnetworkpolicies'],
]

/** All eight verbs of the benchmark. */
export const verbs = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'] as const

/** What a tenant has in its own namespace and must not reach in another's, by resource. */
export const tenantResources: readonly (readonly [group: string, resource: string])[] = [
  ['', 'pods'],
  ['', 'services'],
  ['', 'configmaps'],
  ['', 'secrets'],
  ['', 'serviceaccounts'],
  ['', 'persistentvolumeclaims'],
  ['apps', 'deployments'],
  ['apps', 'statefulsets'],
  ['batch', 'jobs'],
  ['networking.k8s.io', 'networkpolicies'],
  ['networking.k8s.io', 'ingresses'],
  ['rbac.authorization.k8s.io', 'roles'],
  ['rbac.authorization.k8s.io', 'rolebindings'],
]

/** What nobody in a tenant may do even in their own namespace: each is a way to more. */
export const ownForbidden: readonly (readonly [verb: string, group: string, resource: string, subresource?: string])[] =
  [
    ['create', '', 'pods', 'exec'],
    ['get', '', 'pods', 'exec'],
    ['create', '', 'pods', 'attach'],
    ['create', '', 'pods', 'portforward'],
    ['get', '', 'pods', 'proxy'],
    ['get', '', 'services', 'proxy'],
    ['update', '', 'pods', 'ephemeralcontainers'],
    ['patch', '', 'pods', 'ephemeralcontainers'],
    ['update', '', 'pods', 'status'],
    ['update', '', 'services', 'status'],
    ['create', '', 'serviceaccounts', 'token'],
    ['impersonate', '', 'serviceaccounts'],
    ['escalate', 'rbac.authorization.k8s.io', 'roles'],
    ['bind', 'rbac.authorization.k8s.io', 'roles'],
    ['bind', 'rbac.authorization.k8s.io', 'clusterroles'],
    ['update', '', 'namespaces'],
    ['update', '', 'namespaces', 'finalize'],
    ['create', '', 'endpoints'],
    ['create', 'discovery.k8s.io', 'endpointslices'],
    ...(['create', 'update', 'patch', 'delete', 'deletecollection'] as const).flatMap(
      (verb) =>
        [
          [verb, '', 'resourcequotas'],
          [verb, '', 'limitranges'],
        ] as const,
    ),
  ]

/** Amounts that the benchmark wants limited. */
export const quotaNames = {
  amounts: [
    'requests.cpu',
    'limits.cpu',
    'requests.memory',
    'limits.memory',
    'requests.ephemeral-storage',
    'limits.ephemeral-storage',
  ],
  counts: [
    'pods',
    'services',
    'replicationcontrollers',
    'resourcequotas',
    'secrets',
    'configmaps',
    'persistentvolumeclaims',
    'services.nodeports',
    'services.loadbalancers',
  ],
} as const
