/** Ways around the network fence: policies that open it, services and endpoints that lead elsewhere, hosts of others. */
import type { JsonObject } from '../../../src/model/json.ts'
import { change, make, networking, target, type Attack, type Made } from './attack.ts'

const policies = 'ringfence-network-policies'
export const network = (spec: JsonObject): Made => [networking, 'NetworkPolicy', { spec: { podSelector: {}, ...spec } }]
export const namespaceNamed = (name: string): JsonObject => ({
  namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } },
})
const strangers: readonly (readonly [string, JsonObject])[] = [
  ['all addresses', { ipBlock: { cidr: '0.0.0.0/0' } }],
  ['the metadata server', { ipBlock: { cidr: '169.254.169.254/32' } }],
  ['all namespaces', { namespaceSelector: {} }],
  ['the namespace of another tenant', namespaceNamed(target.other)],
  [
    'all namespaces but one',
    {
      namespaceSelector: {
        matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['x'] }],
      },
    },
  ],
]

export const networkAttacks: readonly Attack[] = [
  make(policies, 'only let in pods', 'let in everyone by a rule without peers', network({ ingress: [{}] })),
  make(policies, 'only let in pods', 'let in everyone by an empty list of peers', network({ ingress: [{ from: [] }] })),
  make(
    policies,
    'only lead to pods',
    'get out everywhere by a rule without peers',
    network({ policyTypes: ['Egress'], egress: [{}] }),
  ),
  make(
    policies,
    'only lead to pods',
    'get out everywhere on one port',
    network({ policyTypes: ['Egress'], egress: [{ ports: [{ port: 443 }] }] }),
  ),
  ...strangers.flatMap(([whom, peer]) => [
    make(policies, 'only let in pods', `let in ${whom}`, network({ ingress: [{ from: [{ podSelector: {} }, peer] }] })),
    make(
      policies,
      'only lead to pods',
      `get out to ${whom}`,
      network({ policyTypes: ['Egress'], egress: [{ to: [peer] }] }),
    ),
  ]),
  change(policies, 'only let in pods', 'open a policy of their own afterwards', [networking, 'NetworkPolicy', 'own'], {
    spec: { ingress: [{}] },
  }),
]

const services = 'ringfence-services'
export const service = (spec: JsonObject): Made => ['v1', 'Service', { spec: { ports: [{ port: 80 }], ...spec } }]
const slice = { addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.9'] }], ports: [{ port: 443 }] }

export const serviceAttacks: readonly Attack[] = [
  make(
    services,
    'not claim external addresses',
    'claim an external address',
    service({ externalIPs: ['203.0.113.7'] }),
  ),
  change(services, 'not claim external addresses', 'claim an external address afterwards', ['v1', 'Service', 'own'], {
    spec: { externalIPs: ['203.0.113.7'] },
  }),
  make(services, 'not stand for a name', 'stand for a name elsewhere', [
    'v1',
    'Service',
    { spec: { type: 'ExternalName', externalName: 'db.internal' } },
  ]),
  {
    ...make(services, 'not open a port of the nodes', 'open a port of the nodes', service({ type: 'NodePort' })),
    behind: 'exceeded quota: ringfence',
  },
  make(services, 'come from its pods alone', 'point endpoints at other addresses', [
    'v1',
    'Endpoints',
    { subsets: [{ addresses: [{ ip: '10.0.0.9' }], ports: [{ port: 443 }] }] },
  ]),
  make(services, 'come from its pods alone', 'point endpoint slices at other addresses', [
    'discovery.k8s.io/v1',
    'EndpointSlice',
    slice,
  ]),
]

const ingresses = 'ringfence-ingresses'
export const path = { path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }
export const ingress = (host: string | undefined, rest: JsonObject = {}, metadata: JsonObject = {}): Made => [
  networking,
  'Ingress',
  {
    metadata: { name: 'attack', ...metadata },
    spec: {
      ingressClassName: 'shared',
      rules: [{ ...(host === undefined ? {} : { host }), http: { paths: [path] } }],
      ...rest,
    },
  },
]

export const ingressAttacks: readonly Attack[] = [
  make(ingresses, 'only name hosts', 'answer for a host of others', ingress('data.globex.example')),
  make(ingresses, 'only name hosts', 'answer for a host that ends like theirs', ingress('evil-acme.example')),
  make(ingresses, 'only name hosts', 'answer for all hosts by a rule without one', ingress(undefined)),
  make(
    ingresses,
    'only name hosts',
    'take the certificate of others',
    ingress('acme.example', { tls: [{ hosts: ['data.globex.example'], secretName: 's' }] }),
  ),
  make(
    ingresses,
    'names its hosts',
    'answer for all hosts by a default',
    ingress('acme.example', { defaultBackend: { service: { name: 'web', port: { number: 80 } } } }),
  ),
  make(
    ingresses,
    'only use the ingress classes',
    'use another gateway',
    ingress('acme.example', { ingressClassName: 'internal' }),
  ),
  make(
    ingresses,
    'only use the ingress classes',
    'use another gateway by the old annotation',
    ingress('acme.example', { ingressClassName: null }, { annotations: { 'kubernetes.io/ingress.class': 'internal' } }),
  ),
  change(
    ingresses,
    'only use the ingress classes',
    'move to another gateway by the old annotation',
    [networking, 'Ingress', 'own'],
    { metadata: { annotations: { 'kubernetes.io/ingress.class': 'internal' } } },
  ),
  make(
    ingresses,
    'not hand configuration text',
    'hand configuration to the gateway',
    ingress('acme.example', {}, { annotations: { 'nginx.ingress.kubernetes.io/configuration-snippet': 'x' } }),
  ),
]
