/**
 * What an analysis of one logic says by itself: the tenants' ways through its edges, its missing fences and its doubts.
 * A plain closure, so that tests of a logic do not lean on the prover that joins them all.
 */
import { outsider, type Analysis, type LogicEdge, type Node } from '../../src/prover/logic.ts'

export interface Finding {
  readonly claim: string
  readonly tenant: string
  /** The rules along the way, the last one opening what is not the tenant's. */
  readonly rules: readonly string[]
  readonly edge: LogicEdge
}

/** Every claim that is refuted, once for each foreign node that is reached and each fence that is missing. */
export function refutations(analysis: Analysis, logic = 'grants'): readonly Finding[] {
  const next = Map.groupBy(analysis.edges, ({ from }) => from)
  const found: Finding[] = analysis.refuted.map(({ claim, tenant, edge }) => ({
    claim,
    tenant,
    rules: [edge.rule],
    edge,
  }))
  for (const [who, starts] of analysis.starts) {
    const paths = new Map<Node, readonly LogicEdge[]>(starts.map((node) => [node, []]))
    for (const [node, path] of paths) {
      const owner = analysis.owners.get(node)
      const last = path.at(-1)
      if (owner !== undefined && owner !== who && last !== undefined) {
        const finding = { rules: path.map(({ rule }) => rule), edge: last }
        if (who !== outsider) found.push({ claim: `${logic}.contained`, tenant: who, ...finding })
        if (owner !== 'platform') found.push({ claim: `${logic}.fenced`, tenant: owner, ...finding })
      }
      for (const edge of next.get(node) ?? []) if (!paths.has(edge.to)) paths.set(edge.to, [...path, edge])
    }
  }
  return found
}

export const doubts = (analysis: Analysis): readonly string[] => [
  ...new Set(analysis.undecided.map(({ because }) => because)),
]
