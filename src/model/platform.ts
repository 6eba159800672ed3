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
  podLabels: z.record(labelKey, labelValue).refine((labels) => Object.keys(labels).length > 0, 'name the pods by at least one label'),
  ports: z.array(servicePort).min(1),
})

export const namePatterns = z.strictObject({
  namespace: z.string().max(120).default('ringfence-<name>'),
  database: z.string().max(120).default('<name>_db'),
  databaseOwner: z.string().max(120).default('<name>_owner'),
  databaseLogin: z.string().max(120).default('<name>_user'),
  networkPolicy: z.string().max(120).default('ringfence-isolation'),
})

export const platformSpec = z.strictObject({
  preset: z.enum(['calabi', 'akko', 'omnia', 'aifactory']).optional(),
  names: namePatterns.prefault({}),
  isolation: z.strictObject({ enabled: z.boolean().default(true) }).prefault({}),
  /** What is done about additions that break isolation (DESIGN §4, invariant 3). */
  enforcement: z.enum(['report', 'remove']).default('report'),
  kubernetes: z
    .strictObject({
      cni: z.enum(['auto', 'calico', 'cilium']).default('auto'),
      /** The control plane's own namespace: admission parameters and the ServiceAccounts of the roles live there. */
      systemNamespace: dnsLabel.default('ringfence-system'),
      /** Groups that may pass the admission rules in an emergency; printed with every verdict. */
      breakGlassGroups: z.array(z.string().min(1).max(253)).default([]),
      /** Users and groups that are trusted with the whole cluster; printed with every verdict. */
      trusted: z.array(z.string().min(1).max(253)).default([]),
      sharedNamespaces: z.array(dnsLabel).default([]),
      /** Resolver addresses outside kube-system (node-local cache, cloud resolvers). */
      resolvers: z.array(cidr).default([]),
      /** The cluster's pod, service and node ranges, for what cannot be observed. */
      ranges: z.array(cidr).default([]),
      services: z.array(platformPods).default([]),
      gateway: platformPods.optional(),
      monitoring: platformPods.optional(),
      imageRegistry: z.string().max(253).optional(),
    })
    .prefault({}),
  database: z
    .strictObject({
      mode: z.enum(['shared', 'none']).default('shared'),
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
          cpu: quantity.default('500m'),
          memory: quantity.default('512Mi'),
          ephemeralStorage: quantity.default('1Gi'),
        })
        .prefault({}),
      retain: z.array(z.enum(['database', 'storage'])).default([]),
    })
    .prefault({}),
  reservedNames: z.array(dnsLabel).default([]),
  guards: z
    .strictObject({
      /** Share of all tenants (0-1] that one batch may remove. */
      maxDeleteShare: z.number().gt(0).max(1).default(0.2),
      forbidDirectGrants: z.boolean().default(false),
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
