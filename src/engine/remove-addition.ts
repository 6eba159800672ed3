/**
 * Removes one addition that breaks isolation: intent before the call, outcome after it, and the object kept whole in
 * the audit entry. Which additions may go is decided in `additions.ts`.
 */
import type { AuditFact } from '../audit/entry.ts'
import type { KubernetesBackend } from '../model/backends.ts'
import { toRingfenceError } from '../model/errors.ts'
import type { TenantRef } from '../model/resource.ts'
import type { Culprit } from '../model/verdict.ts'
import type { Ledger } from '../store/ledger.ts'
import type { HeldLease } from './held-lease.ts'
import { engineActor } from './record.ts'

export interface Removal {
  readonly tenant: TenantRef
  readonly ledger: Ledger
  readonly held: HeldLease
  readonly requestId: string
}

/** Conditional on the culprit's uid. A refusal is recorded as such and thrown on. */
export async function removeAddition(kubernetes: KubernetesBackend, culprit: Culprit, removal: Removal): Promise<void> {
  const { tenant, ledger, held } = removal
  const name = `${culprit.kind} ${culprit.namespace ?? ''}/${culprit.name}`
  const event = { tenant: tenant.name }
  const fact = (action: string, decision: AuditFact['decision'], details: AuditFact['details']): AuditFact => ({
    chain: tenant.uid,
    actor: engineActor,
    action: `addition.remove.${action}`,
    object: name,
    decision,
    severity: 'warning',
    classification: 'confidential',
    requestId: removal.requestId,
    details,
  })
  await ledger.write(held.lease, tenant.uid, {
    audit: [fact('intent', 'intended', { uid: culprit.uid ?? '' })],
    events: [
      { ...event, type: 'drift', reason: 'IsolationBroken', message: `${name} opens the fence and is not ours` },
    ],
  })
  try {
    const removed = await kubernetes.removeAddition(culprit, held.callWindow().signal)
    await ledger.write(held.lease, tenant.uid, {
      audit: [fact('outcome', 'done', { object: JSON.stringify(removed) })],
      events: [
        { ...event, type: 'step', reason: 'Removed', message: `${name} removed; it is kept whole in the audit log` },
      ],
    })
  } catch (error) {
    const { code } = toRingfenceError(error)
    await ledger.write(held.lease, tenant.uid, { audit: [fact('outcome', 'failed', { code })] })
    throw error
  }
}
