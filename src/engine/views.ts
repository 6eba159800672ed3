/** From rows to what the ways in show. Pure. */
import { platformChain } from '../audit/entry.ts'
import { RingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { OtherTenant } from '../model/admit.ts'
import type { AuditRow } from '../store/audit-log.ts'
import type { TenantRow } from '../store/tenants.ts'
import type { AuditEntryView, TenantView } from './control-plane.ts'

export function tenantView(row: TenantRow): TenantView {
  const { document } = row
  return {
    apiVersion: 'ringfence.dev/v1alpha1',
    kind: 'Tenant',
    metadata: {
      name: row.name,
      uid: row.uid,
      generation: row.generation,
      resourceVersion: String(row.resourceVersion),
      creationTimestamp: row.createdAt.toISOString(),
      ...(row.deletingAt === null ? {} : { deletionTimestamp: row.deletingAt.toISOString() }),
      labels: document.metadata.labels,
      annotations: document.metadata.annotations,
    },
    spec: document.spec,
    status: {
      phase: row.phase,
      observedGeneration: row.observedGeneration,
      names: { ...row.names },
      conditions: row.conditions,
      ...(row.proof === null ? {} : { proof: row.proof as unknown as NonNullable<TenantView['status']['proof']> }),
    },
  }
}

/** What the document rules must know of the other tenants. */
export const otherTenant = (row: TenantRow): OtherTenant => {
  const { spec } = row.document
  return {
    name: row.name,
    namespaces: [row.names.namespace],
    ...(spec.parent === undefined ? {} : { parent: spec.parent }),
    ...(spec.slug === undefined ? {} : { slug: spec.slug }),
    ...(spec.domain === undefined ? {} : { domain: spec.domain }),
    groups: spec.access.roleBindings.flatMap((binding) => binding.groups),
    users: spec.access.directGrants.map((grant) => grant.user),
    serviceAccounts: spec.access.roleBindings.flatMap((binding) => binding.serviceAccounts),
  }
}

const text = (body: JsonObject, field: string): string => {
  const value = body[field]
  if (typeof value !== 'string') throw new RingfenceError('Unreadable', `an audit entry has no ${field}`)
  return value
}

/** `nameOf` gives a tenant's name for its uid; a chain whose tenant is gone keeps the uid. */
export function auditView(row: AuditRow, nameOf: (uid: string) => string | undefined): AuditEntryView {
  const { body } = row
  return {
    sequence: row.sequence,
    time: text(body, 'time'),
    tenant: row.chain === platformChain ? null : (nameOf(row.chain) ?? row.chain),
    actor: text(body, 'actor'),
    action: text(body, 'action'),
    object: text(body, 'object'),
    decision: text(body, 'decision'),
    severity: text(body, 'severity'),
    classification: text(body, 'classification'),
    details: (body['details'] ?? {}) as JsonObject,
    requestId: text(body, 'requestId'),
    previousHash: row.previousHash,
    hash: row.hash,
  }
}
