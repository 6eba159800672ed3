/**
 * The tenant document: the one schema that types, JSON Schema, CRD, OpenAPI and the reference pages come from.
 * Shapes and defaults only; rules that need the platform document are in `admit.ts`.
 */
import { z } from 'zod'
import { cidr, dnsLabel, dnsSubdomain, email, labelKey, labelValue, portNumber, quantity, tenantName } from './scalars.ts'

export const roles = ['owner', 'editor', 'viewer'] as const
export type Role = (typeof roles)[number]

const port = z.strictObject({
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
  port: portNumber,
  endPort: portNumber.optional(),
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
  peers: z.array(peer).min(1).describe('Empty peers would mean everywhere and are refused.'),
  ports: z.array(port).default([]),
})

export const computeSpec = z.strictObject({
  namespace: z
    .strictObject({
      name: dnsLabel.optional().describe('An explicit name instead of the platform pattern. Immutable.'),
      create: z.boolean().default(true),
      adopt: z.boolean().default(false).describe('Take over an existing namespace of that name; it is never deleted.'),
      labels: z.record(labelKey, labelValue).default({}),
    })
    .prefault({}),
  podSecurity: z.enum(['restricted', 'baseline']).default('restricted'),
  runtimeClass: dnsSubdomain.optional(),
  quota: z
    .record(z.string().max(253), quantity)
    .default({})
    .describe('ResourceQuota `hard` entries that differ from the platform defaults.'),
  limits: z
    .strictObject({ cpu: quantity.optional(), memory: quantity.optional(), ephemeralStorage: quantity.optional() })
    .prefault({}),
  custom: z.record(z.string().max(63), z.int().min(0)).default({}),
  allowed: z
    .strictObject({
      imageRegistries: z.array(z.string().min(1).max(253)).default([]),
      storageClasses: z.array(dnsSubdomain).default([]),
      ingressClasses: z.array(dnsSubdomain).default([]),
      priorityClasses: z.array(dnsSubdomain).default([]),
      runtimeClasses: z.array(dnsSubdomain).default([]),
      nodeSelector: z.record(labelKey, labelValue).default({}),
      ingressHosts: z.array(z.string().min(1).max(253)).default([]),
    })
    .prefault({}),
})

export const networkSpec = z.strictObject({
  isolate: z.literal(true).default(true),
  allowExternalAPIs: z.boolean().optional().describe('Default true, unless `egress.fqdns` is given.'),
  allowSharedNamespaces: z.boolean().default(true),
  allowPrivateNetworks: z.boolean().default(false).describe('Refused in production.'),
  allowKubernetesAPI: z.boolean().default(false),
  allowFrom: z.array(networkRule).default([]),
  allowTo: z.array(networkRule).default([]),
  egress: z
    .strictObject({
      fqdns: z.array(z.string().min(1).max(253)).default([]).describe('Domain names, `*.` allowed in front.'),
      gateway: z.string().max(253).optional(),
    })
    .prefault({}),
})

export const databaseSpec = z.strictObject({
  mode: z.enum(['shared', 'dedicated', 'none']).default('shared'),
  connectionLimit: z.int().min(1).max(10_000).default(50),
  statementTimeoutSeconds: z.int().min(0).max(86_400).default(0).describe('A default that a session can change; 0 is none.'),
  federated: z.array(z.strictObject({ name: dnsLabel, secretName: dnsSubdomain })).default([]),
})

const roleBinding = z.strictObject({
  role: z.enum(roles),
  groups: z.array(z.string().min(1).max(253)).default([]),
  serviceAccounts: z.array(z.strictObject({ namespace: dnsLabel, name: dnsSubdomain })).default([]),
})

export const accessSpec = z.strictObject({
  roleBindings: z.array(roleBinding).default([]),
  directGrants: z
    .array(z.strictObject({ user: z.string().min(1).max(253), role: z.enum(roles), expires: z.iso.datetime({ offset: true }).optional() }))
    .default([]),
  anonymous: z.strictObject({ enabled: z.boolean().default(false), role: z.enum(roles).default('viewer') }).prefault({}),
  shared: z
    .array(z.strictObject({ kind: z.string().min(1).max(63), apiGroup: z.string().max(253).default(''), namespace: dnsLabel, name: dnsSubdomain }))
    .default([]),
})

/** A layer that this version knows by name only: everything but `none` needs a backend that the platform must have. */
const later = <const M extends readonly [string, ...string[]]>(modes: M) =>
  z.strictObject({ mode: z.enum(['none', ...modes]).default('none') }).prefault({})

export const tenantSpec = z.strictObject({
  displayName: z.string().min(1).max(200).optional(),
  slug: dnsLabel.optional().describe('For people and URLs. Renaming it renames nothing that exists.'),
  description: z.string().max(2000).default(''),
  environment: z.enum(['development', 'staging', 'production']).default('production'),
  owner: z.strictObject({ email }).optional(),
  admin: z.strictObject({ email }).optional(),
  tags: z.record(z.string().min(1).max(63), z.string().max(255)).default({}),
  region: z.string().min(1).max(63).optional(),
  residency: z.string().min(1).max(63).optional(),
  domain: dnsSubdomain.optional(),
  parent: tenantName.optional(),
  tier: z.enum(['community', 'starter', 'professional', 'enterprise']).default('community'),
  modules: z.array(z.string().min(1).max(63)).default([]),
  isolation: z.enum(['isolated', 'shared']).default('isolated'),
  compute: computeSpec.prefault({}),
  network: networkSpec.prefault({}),
  database: databaseSpec.prefault({}),
  access: accessSpec.prefault({}),
  storage: later(['bucket', 'prefix']),
  lakehouse: later(['iceberg']),
  identity: later(['builtin', 'realm', 'client-scope', 'user-pool']),
  secrets: later(['path']),
  keys: later(['local', 'transit', 'aws-kms']),
  policy: later(['opa']),
  cache: later(['acl', 'instance']),
  search: later(['prefix', 'domain']),
  dns: later(['records']),
  cloudIdentity: later(['aws', 'gke', 'azure', 'static']),
  lifecycle: z
    .strictObject({
      noticeDays: z.int().min(0).max(3650).default(0),
      graceDays: z.int().min(0).max(3650).default(30),
      dryRunHours: z.int().min(0).max(8760).default(24),
      retain: z.array(z.enum(['database', 'storage'])).default([]),
      legalHold: z.boolean().default(false),
    })
    .prefault({}),
})

export const tenantDocument = z.strictObject({
  apiVersion: z.literal('ringfence.dev/v1alpha1'),
  kind: z.literal('Tenant'),
  metadata: z.strictObject({
    name: tenantName,
    labels: z.record(labelKey, labelValue).default({}),
    annotations: z.record(labelKey, z.string().max(4096)).default({}),
  }),
  spec: tenantSpec.prefault({}),
})

export type TenantSpec = z.output<typeof tenantSpec>
/** A tenant document after its defaults were filled in. */
export type TenantDocument = z.output<typeof tenantDocument>
/** What a person may write. */
export type TenantInput = z.input<typeof tenantDocument>
export type NetworkRule = z.output<typeof networkRule>
export type NetworkPeer = z.output<typeof peer>

/** The external names of one tenant, resolved from the platform's patterns when it was created and locked since. */
export interface TenantNames {
  readonly namespace: string
  readonly database: string
  readonly databaseOwner: string
  readonly databaseLogin: string
  readonly networkPolicy: string
}

/** A tenant as the control plane knows it. */
export interface Tenant {
  readonly name: string
  readonly uid: string
  /** Counts changes of the spec. */
  readonly generation: number
  readonly spec: TenantSpec
  readonly labels: { readonly [key: string]: string }
  readonly names: TenantNames
  /** Set once its removal was asked for. */
  readonly deleting?: boolean
}
