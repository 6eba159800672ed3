/** Ways around the fences by namespaces, by what we keep in them, and by who is let in. */
import type { JsonObject } from '../../../src/model/json.ts'
import {
  binding,
  change,
  group,
  make,
  networking,
  ns,
  ownAccount,
  rbac,
  remove,
  roleRef,
  target,
  type Attack,
} from './attack.ts'

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
  onNamespace('weaken pod security alone', {
    metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } },
  }),
  onNamespace('weaken pod security through the status', { metadata: { labels: weaken } }, '/status'),
  onNamespace('widen what admission allows through the annotations', {
    metadata: { annotations: { 'ringfence.dev/allowed-groups': 'everyone' } },
  }),
  onNamespace('choose the nodes of its pods by annotation', {
    metadata: { annotations: { 'scheduler.alpha.kubernetes.io/node-selector': 'a=b' } },
  }),
  onNamespace('have it collected by an owner reference', {
    metadata: {
      ownerReferences: [
        { apiVersion: 'v1', kind: 'Namespace', name: 'gone', uid: '00000000-0000-4000-8000-000000000000' },
      ],
    },
  }),
  {
    what: 'delete it',
    policy: 'ringfence-namespaces',
    says: 'only Ringfence removes',
    method: 'DELETE',
    path: `${ns}?dryRun=All`,
  },
  {
    what: "make another namespace a tenant's",
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
  {
    ...change(...kept, 'reset what the quota has counted', quota, { status: { used: { pods: '0' } } }),
    path: `${ns}/resourcequotas/ringfence/status?dryRun=All`,
  },
  {
    ...make(...kept, 'add a quota of their own', ['v1', 'ResourceQuota', { spec: { hard: { pods: '1' } } }]),
    behind: 'exceeded quota: ringfence',
  },
  remove(...kept, 'delete the limits', limits),
  make(...kept, 'add limits of their own', [
    'v1',
    'LimitRange',
    { spec: { limits: [{ type: 'Pod', max: { cpu: '1m' } }] } },
  ]),
  change(...kept, 'change the limits', limits, { spec: { limits: [] } }),
  remove(...kept, 'delete the default deny', deny),
  change(...kept, 'have the default deny select no pod', deny, {
    spec: { podSelector: { matchLabels: { no: 'pod' } } },
  }),
  change(...kept, 'take the mark off the default deny', deny, {
    metadata: {
      labels: { 'app.kubernetes.io/managed-by': null, 'ringfence.dev/tenant': null, 'ringfence.dev/tenant-uid': null },
    },
  }),
  remove(...kept, 'delete a binding of ours', viewers),
  change(...kept, 'add a subject to a binding of ours', viewers, {
    subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: target.namespace }],
  }),
  make(...kept, 'give their own objects our mark', [
    'v1',
    'ConfigMap',
    { metadata: { name: 'attack', labels: { 'app.kubernetes.io/managed-by': 'ringfence' } } },
  ]),
  make(...kept, 'give their own objects the label of another tenant', [
    'v1',
    'ConfigMap',
    { metadata: { name: 'attack', labels: { 'ringfence.dev/tenant': 'globex' } } },
  ]),
]

const access = 'ringfence-access'

export const accessAttacks: readonly Attack[] = [
  make(access, 'only name groups', 'let in a group of others', binding(group('globex-people'))),
  make(access, 'only name groups', 'let in everyone who is signed in', binding(group('system:authenticated'))),
  make(
    access,
    'only name groups',
    'let in the accounts of another namespace',
    binding(group(`system:serviceaccounts:${target.other}`)),
  ),
  make(
    access,
    'only name service accounts',
    'let in an account of another tenant',
    binding({ ...ownAccount, namespace: target.other }),
  ),
  make(
    access,
    'only name service accounts',
    "let in an account of the system namespace that is another tenant's",
    binding({ kind: 'ServiceAccount', name: 'globex-owner', namespace: 'ringfence-system' }),
  ),
  make(access, 'not name single users', 'let in a user', binding({ kind: 'User', apiGroup: rbac, name: 'mallory' })),
  make(
    access,
    'not name single users',
    'let in an account of others as a user',
    binding({ kind: 'User', apiGroup: rbac, name: `system:serviceaccount:${target.other}:default` }),
  ),
  make(
    access,
    'only give its own roles',
    'give out cluster-admin',
    binding(ownAccount, { ...roleRef, name: 'cluster-admin' }),
  ),
  make(
    access,
    'only give its own roles',
    'give out the built-in edit',
    binding(ownAccount, { ...roleRef, name: 'edit' }),
  ),
  change(
    access,
    'only name groups',
    'add a group of others to a binding that is there',
    [`${rbac}/v1`, 'RoleBinding', 'own'],
    { subjects: [group('globex-people')] },
  ),
  make(access, 'tokens without an end', 'make a token that never ends', [
    'v1',
    'Secret',
    {
      metadata: { name: 'attack', annotations: { 'kubernetes.io/service-account.name': 'default' } },
      type: 'kubernetes.io/service-account-token',
    },
  ]),
]

export const clusterBindingAttacks: readonly Attack[] = [
  ownAccount,
  group(`system:serviceaccounts:${target.namespace}`),
].map((subject) => ({
  what: `give ${JSON.stringify(subject)} of a tenant rights in the whole cluster`,
  policy: 'ringfence-cluster-bindings',
  says: 'may not name accounts of a tenant',
  method: 'POST' as const,
  path: `/apis/${rbac}/v1/clusterrolebindings?dryRun=All`,
  body: {
    apiVersion: `${rbac}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'attack' },
    roleRef: { ...roleRef, name: 'view' },
    subjects: [subject],
  },
}))
