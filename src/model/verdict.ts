/** What the prover answers: a claim about a tenant holds, does not and here is the way in, or cannot be decided. */

/** One step of a way in. */
export interface Edge {
  readonly from: string
  readonly to: string
  /** The named rule: `pods.exec`, `network.policy`, `pg.membership`. */
  readonly rule: string
  /** The object that opens it: `RoleBinding acme/let-all`. */
  readonly by: string
}

/** An object whose removal or repair closes the way. */
export interface Culprit {
  readonly product: 'kubernetes' | 'postgres'
  readonly apiVersion?: string
  readonly kind: string
  readonly namespace?: string
  readonly name: string
  readonly uid?: string
}

export interface Counterexample {
  /** Who gets in: `ServiceAccount globex/default`, `any pod in namespace x`. */
  readonly subject: string
  readonly path: readonly Edge[]
  /** What they reach. */
  readonly object: string
  /** A command that shows it, escaped for a POSIX shell. */
  readonly command: string
  readonly culprits: readonly Culprit[]
}

export type Verdict = { readonly claim: string; readonly tenant: string } & (
  | {
      readonly verdict: 'proved'
      /** How many cases were decided (edges, classes, objects). */
      readonly checked: number
      readonly assuming: readonly string[]
      readonly observed: readonly [from: string, to: string]
    }
  | { readonly verdict: 'refuted'; readonly counterexample: Counterexample }
  | { readonly verdict: 'undecided'; readonly because: readonly string[] }
)

export interface Report {
  readonly verdicts: readonly Verdict[]
  readonly summary: { readonly proved: number; readonly refuted: number; readonly undecided: number }
  readonly source: 'live' | 'manifests' | 'planned'
}

/** Nothing decided is not all proved: an empty report fails. */
export const allProved = (report: Report): boolean =>
  report.verdicts.length > 0 && report.summary.refuted === 0 && report.summary.undecided === 0

export function reportOf(verdicts: readonly Verdict[], source: Report['source']): Report {
  const count = (kind: Verdict['verdict']) => verdicts.filter((verdict) => verdict.verdict === kind).length
  return {
    verdicts,
    summary: { proved: count('proved'), refuted: count('refuted'), undecided: count('undecided') },
    source,
  }
}
