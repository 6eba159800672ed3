/**
 * The shapes that the API answers with, as zod schemas, so that the OpenAPI document and the tests speak of the same
 * thing. Requests that carry a document are only described here: the control plane admits them, with every problem.
 */
import { z } from 'zod'
import { phases } from '../model/status.ts'
import { errorTraits } from '../model/errors.ts'
import type { ErrorCode } from '../model/errors.ts'
import { tenantDocument, tenantSpec } from '../model/tenant.ts'

/** Schemas that become named components of the OpenAPI document. */
export const components = z.registry<{ id?: string; description?: string }>()
const named = <S extends z.ZodType>(id: string, schema: S): S => {
  components.add(schema, { id })
  return schema
}

const instant = z.string().describe('RFC 3339 instant')
const texts = z.record(z.string(), z.string())
const json = z.unknown().describe('any JSON value')

export const problem = named(
  'Problem',
  z.strictObject({
    type: z.string().describe('urn:ringfence:error:<code>'),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z
      .enum(Object.keys(errorTraits) as [ErrorCode, ...ErrorCode[]])
      .describe('Stable; the only thing to branch on.'),
    requestId: z.string(),
    problems: z.array(z.strictObject({ path: z.string(), reason: z.string(), fix: z.string() })).optional(),
  }),
)

const condition = named(
  'Condition',
  z.strictObject({
    type: z.string(),
    status: z.enum(['True', 'False', 'Unknown']),
    reason: z.string(),
    message: z.string(),
    lastTransitionTime: instant,
    nextRetryTime: instant.optional(),
  }),
)

export const tenant = named('TenantDocument', tenantDocument)

export const tenantView = named(
  'Tenant',
  z.strictObject({
    apiVersion: z.literal('ringfence.dev/v1alpha1'),
    kind: z.literal('Tenant'),
    metadata: z.strictObject({
      name: z.string(),
      uid: z.string(),
      generation: z.int(),
      resourceVersion: z.string().describe('The ETag, without its quotes.'),
      creationTimestamp: instant,
      deletionTimestamp: instant.optional(),
      labels: texts,
      annotations: texts,
    }),
    spec: tenantSpec,
    status: z.strictObject({
      phase: z.enum(phases),
      observedGeneration: z.int(),
      names: texts,
      conditions: z.array(condition),
      proof: z
        .strictObject({ at: instant, proved: z.int(), refuted: z.int(), undecided: z.int() })
        .optional()
        .describe('The newest proof of this tenant.'),
    }),
  }),
)

const page = <S extends z.ZodType>(items: S) =>
  z.strictObject({
    items: z.array(items),
    next: z.string().optional().describe('Send as `after`; absent on the last page.'),
  })

export const tenantList = named('TenantList', page(tenantView))

const culprit = z.strictObject({
  product: z.enum(['kubernetes', 'postgres']),
  apiVersion: z.string().optional(),
  kind: z.string(),
  namespace: z.string().optional(),
  name: z.string(),
  uid: z.string().optional(),
})

const verdictBase = { claim: z.string(), tenant: z.string() }
const verdict = named(
  'Verdict',
  z.discriminatedUnion('verdict', [
    z.strictObject({
      ...verdictBase,
      verdict: z.literal('proved'),
      checked: z.int(),
      assuming: z.array(z.string()),
      observed: z.array(instant).length(2),
    }),
    z.strictObject({
      ...verdictBase,
      verdict: z.literal('refuted'),
      counterexample: z.strictObject({
        subject: z.string(),
        path: z.array(z.strictObject({ from: z.string(), to: z.string(), rule: z.string(), by: z.string() })),
        object: z.string(),
        command: z.string().describe('Shows the way in; escaped for a POSIX shell.'),
        culprits: z.array(culprit),
      }),
    }),
    z.strictObject({ ...verdictBase, verdict: z.literal('undecided'), because: z.array(z.string()) }),
  ]),
)

export const report = named(
  'Report',
  z.strictObject({
    verdicts: z.array(verdict),
    summary: z.strictObject({ proved: z.int(), refuted: z.int(), undecided: z.int() }),
    source: z.enum(['live', 'manifests', 'planned']),
  }),
)

const drift = z.strictObject({
  path: z.string(),
  from: json.optional(),
  to: json.optional(),
  how: z.enum(['update', 'replace', 'refuse']),
})

export const planView = named(
  'Plan',
  z.strictObject({
    tenant: z.string(),
    uid: z.string().nullable(),
    generation: z.int(),
    basis: z.string().describe('The world that the plan was made in; applying it in another one answers WorldMoved.'),
    steps: z.array(
      z.strictObject({
        address: z.string(),
        kind: z.string(),
        externalName: z.string(),
        verb: z.enum(['create', 'update', 'replace', 'delete', 'adopt', 'release', 'none']),
        destructive: z.boolean(),
        drift: z.array(drift),
        why: z.string(),
      }),
    ),
    blocked: z.array(z.strictObject({ address: z.string(), reason: z.string(), message: z.string() })),
    report,
    document: tenant,
  }),
)

/** `document` is described, not checked: the control plane admits it. */
export const planToApply = named('PlanToApply', z.strictObject({ document: tenant, basis: z.string().min(1).max(512) }))

export const progressEvent = named(
  'ProgressEvent',
  z.strictObject({
    sequence: z.int(),
    time: instant,
    tenant: z.string(),
    type: z.enum(['phase', 'step', 'drift', 'condition', 'proof', 'warning']),
    reason: z.string(),
    message: z.string(),
    layer: z.string().optional(),
    address: z.string().optional(),
  }),
)

export const auditList = named(
  'AuditList',
  page(
    z.strictObject({
      sequence: z.int(),
      time: instant,
      tenant: z.string().nullable(),
      actor: z.string().describe('A pseudonym.'),
      action: z.string(),
      object: z.string(),
      decision: z.string(),
      severity: z.string(),
      classification: z.string(),
      details: z.record(z.string(), json),
      requestId: z.string(),
      previousHash: z.string(),
      hash: z.string(),
    }),
  ),
)

export const checks = named(
  'Checks',
  z.strictObject({
    checks: z.array(
      z.strictObject({
        name: z.string(),
        status: z.enum(['ok', 'warning', 'failed']),
        message: z.string(),
        fix: z.string().optional(),
      }),
    ),
  }),
)

export const version = named(
  'Version',
  z.strictObject({
    ringfence: z.string(),
    kubernetes: z.string().optional(),
    postgres: z.string().optional(),
    medium: z.enum(['live', 'manifests', 'none']),
  }),
)
