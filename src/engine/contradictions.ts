/** Whose conditions say other than a proof of everybody found. Pure. */
import type { Verdict } from '../model/verdict.ts'
import type { TenantRow } from '../store/tenants.ts'

/** A proof of everybody does not look into databases; what it leaves undecided there says nothing new. */
const seenWhole = (claim: string): boolean => claim.startsWith('rbac.') || claim.startsWith('network.')

/**
 * Tenants that need a pass: refuted and not said to be broken, or the other way round; or said to be verified although
 * something can no longer be decided.
 */
export function contradicted<Row extends Pick<TenantRow, 'name' | 'conditions'>>(
  verdicts: readonly Verdict[],
  rows: readonly Row[],
): readonly Row[] {
  const refuted = new Set(verdicts.filter((one) => one.verdict === 'refuted').map((one) => one.tenant))
  const undecided = new Set(
    verdicts.filter((one) => one.verdict === 'undecided' && seenWhole(one.claim)).map((one) => one.tenant),
  )
  const says = (row: Row, type: string) => row.conditions.some((one) => one.type === type && one.status === 'True')
  return rows.filter(
    (row) =>
      refuted.has(row.name) !== says(row, 'IsolationBroken') || (undecided.has(row.name) && says(row, 'Verified')),
  )
}
