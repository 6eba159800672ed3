/**
 * Additions that break isolation: objects inside a tenant's boundary that nobody of ours made and that open a way.
 * Which of them may be removed is decided here, purely; an adopted namespace keeps what its owner put there.
 */
import type { Culprit, Verdict } from '../model/verdict.ts'
import type { InventoryRow } from '../planner/step.ts'

/** Kinds that open a fence by being added. Deleting a workload or data is never our answer. */
const openers: ReadonlySet<string> = new Set(['NetworkPolicy', 'RoleBinding'])

export function removableAdditions(
  verdicts: readonly Verdict[],
  namespaces: readonly string[],
  inventory: Iterable<InventoryRow>,
  enforcement: 'report' | 'remove',
): readonly Culprit[] {
  if (enforcement !== 'remove') return []
  const rows = [...inventory]
  const ours = new Set<string>(rows.map((row) => row.id))
  const adopted = new Set(rows.filter((row) => row.adopted).map((row) => row.resource.externalName))
  const found = new Map<string, Culprit>()
  for (const verdict of verdicts) {
    if (verdict.verdict !== 'refuted') continue
    for (const culprit of verdict.counterexample.culprits) {
      const { product, kind, namespace, uid } = culprit
      if (product !== 'kubernetes' || !openers.has(kind) || uid === undefined || ours.has(uid)) continue
      if (namespace === undefined || !namespaces.includes(namespace) || adopted.has(namespace)) continue
      found.set(uid, culprit)
    }
  }
  return [...found.values()]
}
