/**
 * The tenant document: the one schema that types, JSON Schema, CRD, OpenAPI and the reference pages come from.
 * Shapes and defaults only; rules that need the platform document are in `admit.ts`.
 */
import { z } from 'zod'
import { dnsLabel, dnsSubdomain, email, labelKey, labelValue, quantity, tenantName } from './scalars.ts'
import { networkSpec } from './tenant-network.ts'

export const roles = ['owner', 'editor', 'viewer'] as const
export type Role = (typeof roles)[number]

export const computeSpec = z.strictObject({
  namespace: z
    .strictObject({
      name: dnsLabel.optional().describe('An explicit name instead of the platform pattern. Immutable.'),
      create: z.boolean().default(true).describe('False only with `adopt`. Immutable.'),
      adopt: z
        .boolean()
        .default(false)
        .describe('Take over an existing namespace of that name; it is emptied at the end, never deleted. Immutable.'),
      labels: z
        .record(labelKey, labelValue)
        .default({})
        .describe('Keys of `kubernetes.io`, `k8s.io` and `ringfence.dev` are refused.'),
    })
    .prefault({})
    .describe('The one namespace of the tenant.'),
  podSecurity: z
    .enum(['restricted', 'baseline'])
    .default('restricted')
    .describe('Pod Security Standard that is enforced.'),
  runtimeClass: dnsSubdomain
    .optional()
    .describe('Sandbox that every pod must use, such as gVisor, where the platform has it.'),
  quota: z
    .record(z.string().max(253), quantity)
    .default({})
    .describe('ResourceQuota `hard` entries that differ from the platform defaults.'),
  limits: z
    .strictObject({ cpu: quantity.optional(), memory: quantity.optional(), ephemeralStorage: quantity.optional() })
    .prefault({})
    .describe('What a container gets that says nothing itself, where it differs from the platform defaults.'),
  custom: z
    .record(z.string().max(63), z.int().min(0))
    .default({})
    .describe('Counters that the platform defines. Not configured yet.'),
  allowed: z
    .strictObject({
      imageRegistries: z.array(z.string().min(1).max(253)).default([]).describe('`host[:port][/path]`.'),
      storageClasses: z.array(dnsSubdomain).default([]),
      ingressClasses: z.array(dnsSubdomain).default([]),
      priorityClasses: z.array(dnsSubdomain).default([]),
      runtimeClasses: z.array(dnsSubdomain).default([]),
      nodeSelector: z.record(labelKey, labelValue).default({}),
      ingressHosts: z.array(z.string().min(1).max(253)).default([]).describe('Host names, `*.` allowed in front.'),
    })
    .prefault({})
    .describe('What workloads may use. An empty list allows everything that the platform allows.'),
})

export const databaseSpec = z.strictObject({
  mode: z
    .enum(['shared', 'dedicated', 'none'])
    .default('shared')
    .describe('`dedicated` is not configured yet. Cannot change once there is a database.'),
  connectionLimit: z.int().min(1).max(10_000).default(50),
  statementTimeoutSeconds: z
    .int()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('A default that a session can change; 0 is none.'),
  federated: z
    .array(z.strictObject({ name: dnsLabel, secretName: dnsSubdomain }))
    .default([])
    .describe('Read-only catalogs over databases that the tenant already owns. Not configured yet.'),
})

const roleBinding = z.strictObject({
  role: z.enum(roles),
  groups: z
    .array(z.string().min(1).max(253))
    .default([])
    .describe(
      'Groups of the identity provider, by exact name; none that Kubernetes, the platform or another tenant uses.',
    ),
  serviceAccounts: z
    .array(z.strictObject({ namespace: dnsLabel, name: dnsSubdomain }))
    .default([])
    .describe('Automation; none from a namespace of another tenant.'),
})

export const accessSpec = z.strictObject({
  roleBindings: z.array(roleBinding).default([]).describe('Who has which role.'),
  directGrants: z
    .array(
      z.strictObject({
        user: z.string().min(1).max(253),
        role: z.enum(roles),
        expires: z.iso.datetime({ offset: true }).optional(),
      }),
    )
    .default([])
    .describe('Single people, until a time. The platform may forbid them.'),
  anonymous: z
    .strictObject({ enabled: z.boolean().default(false), role: z.enum(roles).default('viewer') })
    .prefault({})
    .describe('Not configured yet.'),
  shared: z
    .array(
      z.strictObject({
        kind: z.string().min(1).max(63),
        apiGroup: z.string().max(253).default(''),
        namespace: dnsLabel,
        name: dnsSubdomain,
      }),
    )
    .default([])
    .describe('Objects of the platform that this tenant may read by name, never list. No Secrets.'),
})

/** A layer that this version knows by name only: everything but `none` needs a backend that the platform must have. */
const later = <const M extends readonly [string, ...string[]]>(modes: M) =>
  z
    .strictObject({ mode: z.enum(['none', ...modes]).default('none') })
    .prefault({})
    .describe('Not configured yet.')

export const tenantSpec = z.strictObject({
  displayName: z.string().min(1).max(200).optional().describe('For people.'),
  slug: dnsLabel.optional().describe('For people and URLs. Renaming it renames nothing that exists.'),
  description: z.string().max(2000).default('').describe('For people.'),
  environment: z
    .enum(['development', 'staging', 'production'])
    .default('production')
    .describe('Production refuses what only development may have.'),
  owner: z.strictObject({ email }).optional().describe('Who answers for the tenant.'),
  admin: z.strictObject({ email }).optional().describe('The first administrator.'),
  tags: z
    .record(z.string().min(1).max(63), z.string().max(255))
    .default({})
    .describe('Cost attribution: labels on every object made for the tenant.'),
  region: z.string().min(1).max(63).optional().describe('Where the tenant is served from.'),
  residency: z
    .string()
    .min(1)
    .max(63)
    .optional()
    .describe('Where every object and copy must stay. Not configured yet.'),
  domain: dnsSubdomain.optional().describe("The tenant's own domain; one tenant each."),
  parent: tenantName.optional().describe('Another tenant, for hierarchies. Not configured yet.'),
  tier: z
    .enum(['community', 'starter', 'professional', 'enterprise'])
    .default('community')
    .describe('Commercial tier.'),
  modules: z
    .array(z.string().min(1).max(63))
    .default([])
    .describe('Platform services of the tier. Not configured yet.'),
  isolation: z.enum(['isolated', 'shared']).default('isolated').describe('`shared` is not configured yet.'),
  compute: computeSpec.prefault({}).describe('Namespace, quota, and what workloads may use.'),
  network: networkSpec.prefault({}).describe('What the fence lets through besides what every tenant needs.'),
  database: databaseSpec.prefault({}).describe('A PostgreSQL database with an owner role and a login of its own.'),
  access: accessSpec.prefault({}).describe('Who may do what, and what of the platform may be read.'),
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
      noticeDays: z
        .int()
        .min(0)
        .max(3650)
        .default(0)
        .describe('Days between asking for removal and it beginning. Not configured yet.'),
      graceDays: z.int().min(0).max(3650).default(30).describe('Days in which a removed tenant can be restored.'),
      dryRunHours: z
        .int()
        .min(0)
        .max(8760)
        .default(24)
        .describe('Hours in which the tear-down only says what it would do.'),
      retain: z
        .array(z.enum(['database', 'storage']))
        .default([])
        .describe('Data that the removal leaves in place.'),
      legalHold: z.boolean().default(false).describe('Stops removal altogether. Not configured yet.'),
    })
    .prefault({})
    .describe('How the tenant ends.'),
})

export const tenantDocument = z.strictObject({
  apiVersion: z.literal('ringfence.dev/v1alpha1'),
  kind: z.literal('Tenant'),
  metadata: z.strictObject({
    name: tenantName.describe(
      '2-40 of a-z, 0-9 and `-`, starting with a letter, without `--`. Immutable; reserved names are refused.',
    ),
    labels: z
      .record(labelKey, labelValue)
      .default({})
      .describe('Of the document; keys of `ringfence.dev` are refused.'),
    annotations: z.record(labelKey, z.string().max(4096)).default({}),
  }),
  spec: tenantSpec.prefault({}),
})

export type TenantSpec = z.output<typeof tenantSpec>
/** A tenant document after its defaults were filled in. */
export type TenantDocument = z.output<typeof tenantDocument>
/** What a person may write. */
export type TenantInput = z.input<typeof tenantDocument>
export type { NetworkPeer, NetworkRule } from './tenant-network.ts'

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
