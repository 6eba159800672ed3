/**
 * Guards the ways around the network fence: policies add up, so a tenant's own may only open its own namespace;
 * services and endpoints may not stand for addresses elsewhere; hosts at the shared gateway are handed out by name.
 */
import { namespaceNameLabel } from '../../manifest.ts'
import { parameter } from '../parameters.ts'
import { list, namespaceList, text, type PolicyText } from './cel.ts'

const ownPeer =
  `!has(p.ipBlock) && (!has(p.namespaceSelector) || (has(p.namespaceSelector.matchLabels) && ` +
  `${text(namespaceNameLabel)} in p.namespaceSelector.matchLabels && ` +
  `p.namespaceSelector.matchLabels[${text(namespaceNameLabel)}] == namespaceObject.metadata.name))`

const ownRules = (direction: string, peers: string): string =>
  `!has(object.spec.${direction}) || object.spec.${direction}.all(r, has(r.${peers}) && size(r.${peers}) > 0 && r.${peers}.all(p, ${ownPeer}))`

export const networkPolicies = (): PolicyText => ({
  key: 'network-policies',
  scope: 'Namespaced',
  rules: [{ apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], operations: ['CREATE', 'UPDATE'] }],
  conditions: [],
  variables: [],
  validations: [
    {
      expression: `has(object.spec) ? ${ownRules('ingress', 'from')} : true`,
      message:
        "a tenant's own network policy may only let in pods of its own namespace; openings belong into network.allowFrom of the tenant document",
    },
    {
      expression: `has(object.spec) ? ${ownRules('egress', 'to')} : true`,
      message:
        "a tenant's own network policy may only lead to pods of its own namespace; openings belong into network.allowTo of the tenant document",
    },
  ],
})

/** Writers of endpoints that derive them from pods. */
const endpointControllers = [
  'system:kube-controller-manager',
  'system:serviceaccount:kube-system:endpoint-controller',
  'system:serviceaccount:kube-system:endpointslice-controller',
  'system:serviceaccount:kube-system:endpointslicemirroring-controller',
  'system:serviceaccount:kube-system:generic-garbage-collector',
]

export const services = (): PolicyText => ({
  key: 'services',
  scope: 'Namespaced',
  rules: [
    { apiGroups: [''], resources: ['services', 'endpoints'], operations: ['CREATE', 'UPDATE'] },
    { apiGroups: ['discovery.k8s.io'], resources: ['endpointslices'], operations: ['CREATE', 'UPDATE'] },
  ],
  conditions: [],
  variables: [{ name: 'service', expression: `request.resource.resource == 'services'` }],
  validations: [
    {
      expression: `!variables.service || !has(object.spec.externalIPs) || size(object.spec.externalIPs) == 0`,
      message: 'a service of a tenant may not claim external addresses',
    },
    {
      expression: `!variables.service || !has(object.spec.type) || object.spec.type != 'ExternalName'`,
      message: 'a service of a tenant may not stand for a name elsewhere',
    },
    {
      expression: `!variables.service || !has(object.spec.type) || object.spec.type != 'NodePort'`,
      message: 'a service of a tenant may not open a port of the nodes',
    },
    {
      expression: `variables.service || request.userInfo.username in ${list(endpointControllers)}`,
      message: 'endpoints in the namespace of a tenant come from its pods alone',
    },
  ],
})

/** `*.example.com` stands for one label, as in the API. */
const hostAllowed = `variables.hosts.exists(h, h == host || (h.startsWith('*.') && host.endsWith(h.substring(1)) && size(host) > size(h) - 1))`

export const ingresses = (): PolicyText => ({
  key: 'ingresses',
  scope: 'Namespaced',
  rules: [{ apiGroups: ['networking.k8s.io'], resources: ['ingresses'], operations: ['CREATE', 'UPDATE'] }],
  conditions: [],
  variables: [
    namespaceList('hosts', parameter.ingressHosts),
    namespaceList('classes', parameter.ingressClasses),
    { name: 'rules', expression: `has(object.spec.rules) ? object.spec.rules : []` },
    { name: 'annotations', expression: `has(object.metadata.annotations) ? object.metadata.annotations : {}` },
    { name: 'named', expression: `variables.rules.map(r, has(r.host) ? r.host : '')` },
    { name: 'oldClass', expression: `'kubernetes.io/ingress.class'` },
  ],
  validations: [
    {
      expression: `size(variables.rules) > 0 && !has(object.spec.defaultBackend)`,
      message: 'an ingress of a tenant names its hosts; one for all hosts would answer for everyone',
    },
    {
      expression:
        `variables.named.all(host, ${hostAllowed}) && ` +
        `(!has(object.spec.tls) || object.spec.tls.all(t, !has(t.hosts) || t.hosts.all(host, ${hostAllowed})))`,
      message:
        'an ingress of a tenant may only name hosts of the tenant document (domain, compute.allowed.ingressHosts)',
    },
    {
      expression:
        `size(variables.classes) == 0 || (has(object.spec.ingressClassName) && object.spec.ingressClassName in variables.classes && ` +
        `(!(variables.oldClass in variables.annotations) || variables.annotations[variables.oldClass] in variables.classes))`,
      message: 'an ingress of a tenant may only use the ingress classes of the tenant document',
    },
    {
      expression: `!variables.annotations.exists(k, k.endsWith('-snippet') || k.endsWith('-snippets'))`,
      message: 'an ingress of a tenant may not hand configuration text to the gateway',
    },
  ],
})
