/**
 * The platform document: what tenants do not decide. Name patterns, which backend serves which layer, what of the
 * platform may enter tenants, defaults and guards. Presets reproduce the described systems.
 */
import { z } from 'zod'
import { cidr, dnsLabel, labelKey, labelValue, portNumber, quantity } from './scalars.ts'

const servicePort = z.strictObject({ protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'), port: portNumber })
/** Some pods of the platform, named by their namespace and labels; never a whole namespace. */
const platformPods = z.strictObject({
  namespace: dnsLabel,
  podLabels: z
    .record(labelKey, labelValue)
    .refine((labels) => Object.keys(labels).length > 0, 'name the pods by at least one label'),
  ports: z.array(servicePort).min(1),
})

export const namePatterns = z.strictObject({
  namespace: z.string().max(120).default('ringfence-<name>').describe('A DNS label of at most 63 characters.'),
  database: z.string().max(120).default('<name>_db').describe('At most 63 of a-z, 0-9, `_` and `-`.'),
  databaseOwner: z
    .string()
    .max(120)
    .default('<name>_owner')
    .describe('The role that owns the database; nobody logs in as it.'),
  databaseLogin: z.string().max(120).default('<name>_user').describe('The role that the credentials are for.'),
  networkPolicy: z
    .string()
    .max(120)
    .default('ringfence-isolation')
    .describe('Inside the namespace; needs no placeholder.'),
})

export const platformSpec = z.strictObject({
  preset: z
    .enum(['calabi', 'akko', 'omnia', 'aifactory'])
    .optional()
    .describe('Names, defaults and quotas of a described system, under whatever this document says.'),
  names: namePatterns
    .prefault({})
    .describe(
      'Patterns of derived names, with `<name>`, `<slug>` and `<uid>`. A tenant keeps the names it was created with.',
    ),
  isolation: z
    .strictObject({ enabled: z.boolean().default(true).describe('False is not configured yet.') })
    .prefault({}),
  /** What is done about additions that break isolation (DESIGN §4, invariant 3). */
  enforcement: z
    .enum(['report', 'remove'])
    .default('report')
    .describe('What is done about additions that break isolation: said, or removed and kept in the audit entry.'),
  kubernetes: z
    .strictObject({
      cni: z
        .enum(['auto', 'calico', 'cilium'])
        .default('auto')
        .describe('Which kinds express domain rules; `auto` looks which are there.'),
      systemNamespace: dnsLabel
        .default('ringfence-system')
        .describe("The control plane's own namespace: admission parameters and the accounts of the roles live there."),
      breakGlassGroups: z
        .array(z.string().min(1).max(253))
        .default([])
        .describe('Groups that may pass the admission rules in an emergency; printed with every verdict.'),
      trusted: z
        .array(z.string().min(1).max(253))
        .default([])
        .describe('Users and groups trusted with the whole cluster; printed with every verdict.'),
      sharedNamespaces: z
        .array(dnsLabel)
        .default([])
        .describe('Namespaces whose pods every tenant may reach, and whose objects it may be given to read.'),
      resolvers: z
        .array(cidr)
        .default([])
        .describe('Resolver addresses outside kube-system (node-local cache, cloud resolvers).'),
      ranges: z
        .array(cidr)
        .default([])
        .describe(
          'Pod, service and node ranges of the cluster, for what cannot be observed. No rule of a tenant may reach them.',
        ),
      services: z
        .array(platformPods)
        .default([])
        .describe('Services of the platform that every tenant may call: pods by labels, never a whole namespace.'),
      gateway: platformPods.optional().describe('The pods that may enter tenants on the ports named.'),
      monitoring: platformPods.optional().describe('The pods that may scrape tenants on the ports named.'),
      imageRegistry: z.string().max(253).optional().describe('A mirror that every image comes through.'),
    })
    .prefault({}),
  database: z
    .strictObject({
      mode: z.enum(['shared', 'none']).default('shared').describe('Whether tenants can have a database here.'),
    })
    .prefault({}),
  defaults: z
    .strictObject({
      quota: z.record(z.string().max(253), quantity).prefault({
        'requests.cpu': '32',
        'requests.memory': '64Gi',
        'limits.cpu': '64',
        'limits.memory': '128Gi',
        'requests.ephemeral-storage': '64Gi',
        'limits.ephemeral-storage': '128Gi',
        'requests.storage': '1Ti',
        persistentvolumeclaims: '20',
        services: '30',
        'services.nodeports': '0',
        'services.loadbalancers': '2',
        pods: '100',
        configmaps: '200',
        secrets: '200',
        replicationcontrollers: '50',
        resourcequotas: '1',
      }),
      limits: z
        .strictObject({
          cpu: quantity.prefault('500m'),
          memory: quantity.prefault('512Mi'),
          ephemeralStorage: quantity.prefault('1Gi'),
        })
        .prefault({}),
      retain: z
        .array(z.enum(['database', 'storage']))
        .default([])
        .describe('Data that a removal leaves in place.'),
    })
    .prefault({}),
  reservedNames: z
    .array(dnsLabel)
    .default([])
    .describe(
      'Names that no tenant may take, besides those that are always reserved; also namespaces whose accounts tenants may bind.',
    ),
  guards: z
    .strictObject({
      maxDeleteShare: z.number().gt(0).max(1).default(0.2).describe('Share of all tenants that one batch may remove.'),
      forbidDirectGrants: z.boolean().default(false).describe('Roles by groups only.'),
    })
    .prefault({}),
})

export const platformDocument = z.strictObject({
  apiVersion: z.literal('ringfence.dev/v1alpha1'),
  kind: z.literal('Platform'),
  metadata: z.strictObject({ name: dnsLabel }),
  spec: platformSpec.prefault({}),
})

export type PlatformSpec = z.output<typeof platformSpec>
export type PlatformDocument = z.output<typeof platformDocument>
export type PlatformInput = z.input<typeof platformDocument>
export type PlatformPods = z.output<typeof platformPods>
