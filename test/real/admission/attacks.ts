/**
 * Every way around the fences that admission must close, as one request each, asked as an identity that RBAC refuses
 * nothing. All are dry runs: what would be admitted leaves nothing behind.
 */
import type { JsonObject } from '../../../src/model/json.ts'
import { collectionOf, type Api } from '../../support/kubernetes-api.ts'

export interface Attack {
  /** Completes "nobody can …". */
  readonly what: string
  readonly policy: string
  /** Words of the rule that must refuse it. */
  readonly says: string
  readonly method: Parameters<Api>[0]
  readonly path: string
  readonly body?: JsonObject | readonly JsonObject[]
  /** Words of the fence that stands behind the policy, where there is one: it refuses when the policy is gone. */
  readonly behind?: string
}

export const rbac = 'rbac.authorization.k8s.io'
const networking = 'networking.k8s.io/v1'

/** The namespace under attack, and names of what the test has put into it. */
export const target = { namespace: 'ringfence-acme', other: 'ringfence-globex' } as const
const ns = `/api/v1/namespaces/${target.namespace}`

type Made = readonly [apiVersion: string, kind: string, rest: JsonObject]
const object = ([apiVersion, kind, rest]: Made, name = 'attack'): JsonObject => ({ apiVersion, kind, metadata: { name }, ...rest })
const at = (apiVersion: string, kind: string, name?: string): string =>
  `${collectionOf(apiVersion, kind, target.namespace)}${name === undefined ? '' : `/${name}`}?dryRun=All`

const make = (policy: string, says: string, what: string, made: Made): Attack => ({
  what, policy, says, method: 'POST', path: at(made[0], made[1]), body: object(made),
}) // prettier-ignore
const change = (policy: string, says: string, what: string, kind: readonly [string, string, string], body: JsonObject): Attack => ({
  what, policy, says, method: 'PATCH', path: at(...kind), body,
}) // prettier-ignore
const remove = (policy: string, says: string, what: string, kind: readonly [string, string, string]): Attack => ({
  what, policy, says, method: 'DELETE', path: at(...kind),
}) // prettier-ignore

const onNamespace = (what: string, body: JsonObject, sub = ''): Attack => ({
  what,
  policy: 'ringfence-namespaces',
  says: 'only Ringfence changes the namespace of a tenant',
  method: 'PATCH',
  path: `${ns}${sub}?dryRun=All`,
  body,
})
const weaken = { 'ringfence.dev/tenant': null, 'pod-security.kubernetes.io/enforce': 'privileged' }

export const namespaceAttacks: readonly Attack[] = [
  onNamespace('drop the label of a tenant and weaken pod security in one request', { metadata: { labels: weaken } }),
  onNamespace('weaken pod security alone', { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } }),
  onNamespace('weaken pod security through the status', { metadata: { labels: weaken } }, '/status'),
  onNamespace('widen what admission allows through the annotations', { metadata: { annotations: { 'ringfence.dev/allowed-groups': 'everyone' } } }),
  onNamespace('choose the nodes of its pods by annotation', { metadata: { annotations: { 'scheduler.alpha.kubernetes.io/node-selector': 'a=b' } } }),
  onNamespace('have it collected by an owner reference', {
    metadata: { ownerReferences: [{ apiVersion: 'v1', kind: 'Namespace', name: 'gone', uid: '00000000-0000-4000-8000-000000000000' }] },
  }),
  { what: 'delete it', policy: 'ringfence-namespaces', says: 'only Ringfence removes', method: 'DELETE', path: `${ns}?dryRun=All` },
  {
    what: 'make another namespace a tenant\'s',
    policy: 'ringfence-namespaces',
    says: 'only Ringfence changes',
    method: 'PATCH',
    path: '/api/v1/namespaces/plain?dryRun=All',
    body: { metadata: { labels: { 'ringfence.dev/tenant': 'acme' } } },
  },
  ...(
    [
      ['make a namespace with the label of a tenant', { name: 'mine', labels: { 'ringfence.dev/tenant': 'acme' } }],
      ['make a namespace with a name of tenants', { name: 'ringfence-mine' }],
    ] as const
  ).map(([what, metadata]) => ({
    what,
    policy: 'ringfence-namespaces',
    says: 'only Ringfence makes',
    method: 'POST' as const,
    path: '/api/v1/namespaces?dryRun=All',
    body: { apiVersion: 'v1', kind: 'Namespace', metadata },
  })),
]

const quota = ['v1', 'ResourceQuota', 'ringfence'] as const
const limits = ['v1', 'LimitRange', 'ringfence'] as const
const deny = [networking, 'NetworkPolicy', 'ringfence-isolation-default-deny'] as const
const viewers = [`${rbac}/v1`, 'RoleBinding', 'ringfence-viewer'] as const
const kept = ['ringfence-fences', 'only Ringfence makes, changes and removes'] as const

export const fenceAttacks: readonly Attack[] = [
  remove(...kept, 'delete the quota', quota),
  change(...kept, 'raise the quota', quota, { spec: { hard: { pods: '1000' } } }),
  change(...kept, 'open node ports in the quota', quota, { spec: { hard: { 'services.nodeports': '5' } } }),
  { ...change(...kept, 'reset what the quota has counted', quota, { status: { used: { pods: '0' } } }), path: `${ns}/resourcequotas/ringfence/status?dryRun=All` },
  { ...make(...kept, 'add a quota of their own', ['v1', 'ResourceQuota', { spec: { hard: { pods: '1' } } }]), behind: 'exceeded quota: ringfence' },
  remove(...kept, 'delete the limits', limits),
  make(...kept, 'add limits of their own', ['v1', 'LimitRange', { spec: { limits: [{ type: 'Pod', max: { cpu: '1m' } }] } }]),
  change(...kept, 'change the limits', limits, { spec: { limits: [] } }),
  remove(...kept, 'delete the default deny', deny),
  change(...kept, 'have the default deny select no pod', deny, { spec: { podSelector: { matchLabels: { no: 'pod' } } } }),
  change(...kept, 'take the mark off the default deny', deny, { metadata: { labels: { 'app.kubernetes.io/managed-by': null, 'ringfence.dev/tenant': null, 'ringfence.dev/tenant-uid': null } } }),
  remove(...kept, 'delete a binding of ours', viewers),
  change(...kept, 'add a subject to a binding of ours', viewers, { subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: target.namespace }] }),
  make(...kept, 'give their own objects our mark', ['v1', 'ConfigMap', { metadata: { name: 'attack', labels: { 'app.kubernetes.io/managed-by': 'ringfence' } } }]),
  make(...kept, 'give their own objects the label of another tenant', ['v1', 'ConfigMap', { metadata: { name: 'attack', labels: { 'ringfence.dev/tenant': 'globex' } } }]),
]

const roleRef = { apiGroup: rbac, kind: 'ClusterRole', name: 'ringfence-viewer' }
const binding = (subject: JsonObject, ref: JsonObject = roleRef): Made => [`${rbac}/v1`, 'RoleBinding', { roleRef: ref, subjects: [subject] }]
const ownAccount = { kind: 'ServiceAccount', name: 'default', namespace: target.namespace }
const group = (name: string): JsonObject => ({ kind: 'Group', apiGroup: rbac, name })
const access = 'ringfence-access'

export const accessAttacks: readonly Attack[] = [
  make(access, 'only name groups', 'let in a group of others', binding(group('globex-people'))),
  make(access, 'only name groups', 'let in everyone who is signed in', binding(group('system:authenticated'))),
  make(access, 'only name groups', 'let in the accounts of another namespace', binding(group(`system:serviceaccounts:${target.other}`))),
  make(access, 'only name service accounts', 'let in an account of another tenant', binding({ ...ownAccount, namespace: target.other })),
  make(access, 'only name service accounts', 'let in an account of the system namespace that is another tenant\'s', binding({ kind: 'ServiceAccount', name: 'globex-owner', namespace: 'ringfence-system' })),
  make(access, 'not name single users', 'let in a user', binding({ kind: 'User', apiGroup: rbac, name: 'mallory' })),
  make(access, 'not name single users', 'let in an account of others as a user', binding({ kind: 'User', apiGroup: rbac, name: `system:serviceaccount:${target.other}:default` })),
  make(access, 'only give its own roles', 'give out cluster-admin', binding(ownAccount, { ...roleRef, name: 'cluster-admin' })),
  make(access, 'only give its own roles', 'give out the built-in edit', binding(ownAccount, { ...roleRef, name: 'edit' })),
  change(access, 'only name groups', 'add a group of others to a binding that is there', [`${rbac}/v1`, 'RoleBinding', 'own'], { subjects: [group('globex-people')] }),
  make(access, 'tokens without an end', 'make a token that never ends', ['v1', 'Secret', {
    metadata: { name: 'attack', annotations: { 'kubernetes.io/service-account.name': 'default' } }, type: 'kubernetes.io/service-account-token',
  }]), // prettier-ignore
]

const policies = 'ringfence-network-policies'
const network = (spec: JsonObject): Made => [networking, 'NetworkPolicy', { spec: { podSelector: {}, ...spec } }]
const namespaceNamed = (name: string): JsonObject => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } })
const strangers: readonly (readonly [string, JsonObject])[] = [
  ['all addresses', { ipBlock: { cidr: '0.0.0.0/0' } }],
  ['the metadata server', { ipBlock: { cidr: '169.254.169.254/32' } }],
  ['all namespaces', { namespaceSelector: {} }],
  ['the namespace of another tenant', namespaceNamed(target.other)],
  ['all namespaces but one', { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['x'] }] } }],
]

export const networkAttacks: readonly Attack[] = [
  make(policies, 'only let in pods', 'let in everyone by a rule without peers', network({ ingress: [{}] })),
  make(policies, 'only let in pods', 'let in everyone by an empty list of peers', network({ ingress: [{ from: [] }] })),
  make(policies, 'only lead to pods', 'get out everywhere by a rule without peers', network({ policyTypes: ['Egress'], egress: [{}] })),
  make(policies, 'only lead to pods', 'get out everywhere on one port', network({ policyTypes: ['Egress'], egress: [{ ports: [{ port: 443 }] }] })),
  ...strangers.flatMap(([whom, peer]) => [
    make(policies, 'only let in pods', `let in ${whom}`, network({ ingress: [{ from: [{ podSelector: {} }, peer] }] })),
    make(policies, 'only lead to pods', `get out to ${whom}`, network({ policyTypes: ['Egress'], egress: [{ to: [peer] }] })),
  ]),
  change(policies, 'only let in pods', 'open a policy of their own afterwards', [networking, 'NetworkPolicy', 'own'], { spec: { ingress: [{}] } }),
]

const services = 'ringfence-services'
const service = (spec: JsonObject): Made => ['v1', 'Service', { spec: { ports: [{ port: 80 }], ...spec } }]
const slice = { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.9'] }], ports: [{ port: 443 }] }

export const serviceAttacks: readonly Attack[] = [
  make(services, 'not claim external addresses', 'claim an external address', service({ externalIPs: ['203.0.113.7'] })),
  change(services, 'not claim external addresses', 'claim an external address afterwards', ['v1', 'Service', 'own'], { spec: { externalIPs: ['203.0.113.7'] } }),
  make(services, 'not stand for a name', 'stand for a name elsewhere', ['v1', 'Service', { spec: { type: 'ExternalName', externalName: 'db.internal' } }]),
  { ...make(services, 'not open a port of the nodes', 'open a port of the nodes', service({ type: 'NodePort' })), behind: 'exceeded quota: ringfence' },
  make(services, 'come from its pods alone', 'point endpoints at other addresses', ['v1', 'Endpoints', { subsets: [{ addresses: [{ ip: '10.0.0.9' }], ports: [{ port: 443 }] }] }]),
  make(services, 'come from its pods alone', 'point endpoint slices at other addresses', ['discovery.k8s.io/v1', 'EndpointSlice', slice]),
]

const ingresses = 'ringfence-ingresses'
const path = { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }
export const ingress = (host: string | undefined, rest: JsonObject = {}, metadata: JsonObject = {}): Made => [
  networking,
  'Ingress',
  { metadata: { name: 'attack', ...metadata }, spec: { ingressClassName: 'shared', rules: [{ ...(host === undefined ? {} : { host }), http: { paths: [path] } }], ...rest } },
]

export const ingressAttacks: readonly Attack[] = [
  make(ingresses, 'only name hosts', 'answer for a host of others', ingress('data.globex.example')),
  make(ingresses, 'only name hosts', 'answer for a host that ends like theirs', ingress('evil-acme.example')),
  make(ingresses, 'only name hosts', 'answer for all hosts by a rule without one', ingress(undefined)),
  make(ingresses, 'only name hosts', 'take the certificate of others', ingress('acme.example', { tls: [{ hosts: ['data.globex.example'], secretName: 's' }] })),
  make(ingresses, 'names its hosts', 'answer for all hosts by a default', ingress('acme.example', { defaultBackend: { service: { name: 'web', port: { number: 80 } } } })),
  make(ingresses, 'only use the ingress classes', 'use another gateway', ingress('acme.example', { ingressClassName: 'internal' })),
  make(ingresses, 'only use the ingress classes', 'use another gateway by the old annotation', ingress('acme.example', { ingressClassName: null }, { annotations: { 'kubernetes.io/ingress.class': 'internal' } })),
  change(ingresses, 'only use the ingress classes', 'move to another gateway by the old annotation', [networking, 'Ingress', 'own'], { metadata: { annotations: { 'kubernetes.io/ingress.class': 'internal' } } }),
  make(ingresses, 'not hand configuration text', 'hand configuration to the gateway', ingress('acme.example', {}, { annotations: { 'nginx.ingress.kubernetes.io/configuration-snippet': 'x' } })),
]

const pods = 'ringfence-pods'
const secure = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } }
export const container = (rest: JsonObject = {}): JsonObject => ({
  name: 'c', image: 'registry.example/acme/app:1', imagePullPolicy: 'Always', securityContext: secure, ...rest,
}) // prettier-ignore
export const pod = (spec: JsonObject = {}): Made => [
  'v1',
  'Pod',
  { spec: { containers: [container()], runtimeClassName: 'gvisor', nodeSelector: { pool: 'acme' }, ...spec } },
]

export const podAttacks: readonly Attack[] = [
  make(pods, 'always pulled', 'use an image that the node has of others', pod({ containers: [container({ imagePullPolicy: 'IfNotPresent' })] })),
  make(pods, 'always pulled', 'use such an image to start with', pod({ initContainers: [container({ name: 'i', imagePullPolicy: 'Never' })] })),
  make(pods, 'always pulled', 'mount such an image', pod({ volumes: [{ name: 'v', image: { reference: 'registry.example/acme/data:1', pullPolicy: 'IfNotPresent' } }] })),
  make(pods, 'registries of the tenant document', 'use an image from elsewhere', pod({ containers: [container({ image: 'docker.io/library/nginx:1' })] })),
  make(pods, 'registries of the tenant document', 'use an image from a registry that begins like theirs', pod({ containers: [container({ image: 'registry.example.evil/app:1' })] })),
  make(pods, 'registries of the tenant document', 'use an image of no registry', pod({ containers: [container({ image: 'nginx:1' })] })),
  make(pods, 'that priority class', 'come before the system', pod({ priorityClassName: 'system-cluster-critical' })),
  make(pods, 'that priority class', 'come before other tenants', pod({ priorityClassName: 'high' })),
  make(pods, 'must use its runtime class', 'leave the sandbox', pod({ runtimeClassName: undefined as unknown as null })),
  make(pods, 'must use its runtime class', 'use another sandbox', pod({ runtimeClassName: 'plain' })),
  make(pods, 'must select the nodes', 'run on the nodes of others', pod({ nodeSelector: { pool: 'globex' } })),
  make(pods, 'placed by the scheduler', 'choose a node by name', pod({ nodeName: 'control-plane' })),
  {
    ...change(pods, 'registries of the tenant document', 'change the image afterwards', ['v1', 'Pod', 'own'], {}),
    body: [{ op: 'replace', path: '/spec/containers/0/image', value: 'docker.io/library/nginx:1' }],
  },
  {
    ...change(pods, 'registries of the tenant document', 'add a container for debugging from elsewhere', ['v1', 'Pod', 'own'], {
      spec: { ephemeralContainers: [container({ name: 'debug', image: 'docker.io/library/busybox:1' })] },
    }),
    path: `${ns}/pods/own/ephemeralcontainers?dryRun=All`,
  },
]

const claim = (spec: JsonObject): Made => [
  'v1',
  'PersistentVolumeClaim',
  { spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, storageClassName: 'fast', ...spec } },
]
export const storageAttacks: readonly Attack[] = [
  make('ringfence-storage', 'only use the storage classes', 'use another storage class', claim({ storageClassName: 'shared-disk' })),
  make('ringfence-storage', 'not pick an existing volume', 'pick a volume by name', claim({ volumeName: 'of-globex' })),
  make('ringfence-storage', 'not pick an existing volume', 'pick a volume by label', claim({ selector: { matchLabels: { of: 'globex' } } })),
]

export const clusterBindingAttacks: readonly Attack[] = [ownAccount, group(`system:serviceaccounts:${target.namespace}`)].map((subject) => ({
  what: `give ${String(subject['kind'])} ${String(subject['name'])} of a tenant rights in the whole cluster`,
  policy: 'ringfence-cluster-bindings',
  says: 'may not name accounts of a tenant',
  method: 'POST' as const,
  path: `/apis/${rbac}/v1/clusterrolebindings?dryRun=All`,
  body: { apiVersion: `${rbac}/v1`, kind: 'ClusterRoleBinding', metadata: { name: 'attack' }, roleRef: { ...roleRef, name: 'view' }, subjects: [subject] },
}))

/** What a tenant is meant to do, each beside the rule that it could be mistaken for. */
export const allowed: readonly (readonly [what: string, path: string, body: JsonObject])[] = [
  ['bind an account of its own', at(`${rbac}/v1`, 'RoleBinding'), object(binding(ownAccount))],
  ['bind a group of its document', at(`${rbac}/v1`, 'RoleBinding'), object(binding(group('acme-people')))],
  ['bind an account that its document names', at(`${rbac}/v1`, 'RoleBinding'), object(binding({ kind: 'ServiceAccount', name: 'deployer', namespace: 'ci' }))],
  ['bind its own accounts together', at(`${rbac}/v1`, 'RoleBinding'), object(binding(group(`system:serviceaccounts:${target.namespace}`)))],
  ['narrow its network', at(networking, 'NetworkPolicy'), object(network({ ingress: [{ from: [{ podSelector: { matchLabels: { a: 'b' } } }] }] }))],
  ['name its own namespace in a policy', at(networking, 'NetworkPolicy'), object(network({ ingress: [{ from: [namespaceNamed(target.namespace)] }] }))],
  ['shut its pods', at(networking, 'NetworkPolicy'), object(network({ policyTypes: ['Ingress', 'Egress'] }))],
  ['make a service', at('v1', 'Service'), object(service({}))],
  ['answer for its own domain', at(networking, 'Ingress'), object(ingress('acme.example'))],
  ['answer for a host under its domain', at(networking, 'Ingress'), object(ingress('www.acme.example', { tls: [{ hosts: ['www.acme.example'], secretName: 's' }] }))],
  ['run a pod', at('v1', 'Pod'), object(pod({ priorityClassName: 'low' }))],
  ['claim a volume', at('v1', 'PersistentVolumeClaim'), object(claim({}))],
  ['keep a secret', at('v1', 'Secret'), object(['v1', 'Secret', { type: 'Opaque' }])],
  ['label its own objects', at('v1', 'ConfigMap'), object(['v1', 'ConfigMap', { metadata: { name: 'attack', labels: { 'app.kubernetes.io/managed-by': 'Helm' } } }])],
]

/** Objects that must be there for the attacks that change them. */
export const standing: readonly JsonObject[] = (
  [
    [`${rbac}/v1`, 'RoleBinding', { roleRef, subjects: [ownAccount] }],
    network({ ingress: [{ from: [{ podSelector: {} }] }] }),
    service({ selector: { a: 'b' } }),
    ingress('acme.example'),
    pod(),
  ] as const
).map((made) => ({ ...object(made as Made), metadata: { name: 'own', namespace: target.namespace } }))
