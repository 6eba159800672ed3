/** The other side: what a tenant is meant to do, and what stands in its namespace while it is attacked. */
import type { JsonObject } from '../../../src/model/json.ts'
import { at, binding, group, networking, object, ownAccount, rbac, roleRef, target, type Made } from './attack.ts'
import { ingress, namespaceNamed, network, service } from './network-attacks.ts'
import { claim, pod } from './workload-attacks.ts'

/** What a tenant is meant to do, each beside the rule that it could be mistaken for. */
export const allowed: readonly (readonly [what: string, path: string, body: JsonObject])[] = [
  ['bind an account of its own', at(`${rbac}/v1`, 'RoleBinding'), object(binding(ownAccount))],
  ['bind a group of its document', at(`${rbac}/v1`, 'RoleBinding'), object(binding(group('acme-people')))],
  [
    'bind an account that its document names',
    at(`${rbac}/v1`, 'RoleBinding'),
    object(binding({ kind: 'ServiceAccount', name: 'deployer', namespace: 'ci' })),
  ],
  [
    'bind its own accounts together',
    at(`${rbac}/v1`, 'RoleBinding'),
    object(binding(group(`system:serviceaccounts:${target.namespace}`))),
  ],
  [
    'narrow its network',
    at(networking, 'NetworkPolicy'),
    object(network({ ingress: [{ from: [{ podSelector: { matchLabels: { a: 'b' } } }] }] })),
  ],
  [
    'name its own namespace in a policy',
    at(networking, 'NetworkPolicy'),
    object(network({ ingress: [{ from: [namespaceNamed(target.namespace)] }] })),
  ],
  ['shut its pods', at(networking, 'NetworkPolicy'), object(network({ policyTypes: ['Ingress', 'Egress'] }))],
  ['make a service', at('v1', 'Service'), object(service({}))],
  ['answer for its own domain', at(networking, 'Ingress'), object(ingress('acme.example'))],
  [
    'answer for a host under its domain',
    at(networking, 'Ingress'),
    object(ingress('www.acme.example', { tls: [{ hosts: ['www.acme.example'], secretName: 's' }] })),
  ],
  ['run a pod', at('v1', 'Pod'), object(pod({ priorityClassName: 'low' }))],
  ['claim a volume', at('v1', 'PersistentVolumeClaim'), object(claim({}))],
  ['keep a secret', at('v1', 'Secret'), object(['v1', 'Secret', { type: 'Opaque' }])],
  [
    'label its own objects',
    at('v1', 'ConfigMap'),
    object(['v1', 'ConfigMap', { metadata: { name: 'attack', labels: { 'app.kubernetes.io/managed-by': 'Helm' } } }]),
  ],
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
