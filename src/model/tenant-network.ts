/** The network part of the tenant document: rules, peers and ports. Shapes and defaults only, as in `tenant.ts`. */
import { z } from 'zod'
import { cidr, labelKey, labelValue, portNumber } from './scalars.ts'

const port = z.strictObject({
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  port: portNumber,
  endPort: portNumber.optional().describe('Last port of a range; not below `port`.'),
})
const labelSelector = z.strictObject({
  matchLabels: z.record(labelKey, labelValue).default({}),
  matchExpressions: z
    .array(
      z.strictObject({
        key: labelKey,
        operator: z.enum(['In', 'NotIn', 'Exists', 'DoesNotExist']),
        values: z.array(labelValue).default([]),
      }),
    )
    .default([]),
})
const peer = z.union([
  z.strictObject({ namespaceSelector: labelSelector, podSelector: labelSelector.optional() }),
  z.strictObject({ podSelector: labelSelector }),
  z.strictObject({ ipBlock: z.strictObject({ cidr, except: z.array(cidr).default([]) }) }),
])
const networkRule = z.strictObject({
  peers: z
    .array(peer)
    .min(1)
    .describe(
      'Each is a `podSelector` (own namespace), a `namespaceSelector` with or without `podSelector`, or an `ipBlock`. Empty peers would mean everywhere and are refused.',
    ),
  ports: z.array(port).default([]).describe('None means every port.'),
})

export const networkSpec = z.strictObject({
  isolate: z.literal(true).default(true).describe('The fence itself; it cannot be switched off.'),
  allowExternalAPIs: z.boolean().optional().describe('Default true, unless `egress.fqdns` is given.'),
  allowSharedNamespaces: z.boolean().default(true).describe('Traffic with the namespaces that the platform shares.'),
  allowPrivateNetworks: z.boolean().default(false).describe('Refused in production.'),
  allowKubernetesAPI: z
    .boolean()
    .default(false)
    .describe('For executors that make pods, such as those of Spark and Airflow.'),
  allowFrom: z
    .array(networkRule)
    .default([])
    .describe('Who may come in besides. Never another tenant, nor a range that could hold one.'),
  allowTo: z
    .array(networkRule)
    .default([])
    .describe('Where pods may go besides. Cluster, link-local and carrier ranges stay shut.'),
  egress: z
    .strictObject({
      fqdns: z.array(z.string().min(1).max(253)).default([]).describe('Domain names, `*.` allowed in front.'),
      gateway: z.string().max(253).optional().describe('A fixed outgoing address. Not configured yet.'),
    })
    .prefault({}),
})

export type NetworkRule = z.output<typeof networkRule>
export type NetworkPeer = z.output<typeof peer>
