/** The kinds of the two network plug-ins in their smallest shape, as a cluster that has the plug-in would serve them. */
import type { JsonObject } from '../../../src/model/json.ts'

const free = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
const strings = { type: 'array', items: { type: 'string' } }

const definition = (group: string, version: string, kind: string, plural: string, spec: JsonObject): JsonObject => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.${group}`,
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for tests' },
  },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
    versions: [
      {
        name: version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
      },
    ],
  },
})

export const cilium = definition('cilium.io', 'v2', 'CiliumNetworkPolicy', 'ciliumnetworkpolicies', free)

/** With `domains`: that is how a version that has domain rules is told from one that has not. */
export const calico = definition('projectcalico.org', 'v3', 'NetworkPolicy', 'networkpolicies', {
  type: 'object',
  properties: {
    tier: { type: 'string' },
    order: { type: 'number' },
    selector: { type: 'string' },
    types: strings,
    egress: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          action: { type: 'string' },
          destination: { type: 'object', properties: { domains: strings, nets: strings } },
        },
      },
    },
  },
})
