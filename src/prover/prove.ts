/**
 * Judges a world: joins what all logics found into one graph, follows every tenant and the outsider through it, and
 * gives a verdict for each claim and tenant. Pure. Whatever is not decided is said to be undecided.
 */
import { RingfenceError } from '../model/errors.ts'
import { type Culprit, type Edge, type Report, reportOf, type Verdict } from '../model/verdict.ts'
import type { World } from '../model/world.ts'
import { describeNode } from './describe.ts'
import { buildGraph, type Graph, type GraphEdge, trespasses } from './graph.ts'
import { fencesLogic } from './fences/logic.ts'
import { grantsLogic } from './grants/logic.ts'
import { type Analysis, type Logic, type LogicEdge, type Node, outsider } from './logic.ts'
import { networkLogic } from './network/logic.ts'
import { rbacLogic } from './rbac/logic.ts'

/** Every logic that there is, in the order in which verdicts are given. */
export const allLogics: readonly Logic[] = [rbacLogic, networkLogic, grantsLogic, fencesLogic]

export interface ProveOptions {
  /** Only these tenants get verdicts; all of the world is judged all the same. */
  readonly tenants?: readonly string[]
  readonly logics?: readonly Logic[]
}

/**
 * The verdicts on a world. A tenant that is asked for and not there throws `NotFound`. A world without tenants gives an
 * empty report, which proves nothing.
 */
export function prove(world: World, options: ProveOptions = {}): Report {
  const names = [...new Set(world.tenants.map((tenant) => tenant.name))]
  const missing = options.tenants?.find((name) => !names.includes(name))
  if (missing !== undefined)
    throw new RingfenceError('NotFound', `There is no tenant ${missing} in what is to be proved.`, { tenant: missing })
  const logics = (options.logics ?? allLogics).filter((logic) => logic.applies(world))
  if (names.length === 0) return reportOf([], world.source)
  const analyses = logics.map((logic) => ({ logic, analysis: logic.analyse(world) }))
  const refuted = refutations(names, analyses)
  const asked = new Set(options.tenants ?? names)
  const verdicts = names
    .filter((tenant) => asked.has(tenant))
    .flatMap((tenant) =>
      analyses.flatMap((one) =>
        one.logic.claims.map(({ id }) => verdictOn(world, one, id, tenant, refuted.get(keyOf(id, tenant)))),
      ),
    )
  return reportOf(verdicts, world.source)
}

interface Analysed {
  readonly logic: Logic
  readonly analysis: Analysis
}

interface Refutation {
  readonly path: readonly LogicEdge[]
  readonly subject: string
  readonly object: string
}

const keyOf = (claim: string, tenant: string): string => `${claim} ${tenant}`

/** The first, and so shortest, refutation of each claim. */
function refutations(tenants: readonly string[], analyses: readonly Analysed[]): ReadonlyMap<string, Refutation> {
  const found = new Map<string, Refutation>()
  const add = (claim: string, tenant: string, refutation: Refutation): void => {
    const known = found.get(keyOf(claim, tenant))
    if (known === undefined || refutation.path.length < known.path.length) found.set(keyOf(claim, tenant), refutation)
  }
  for (const { analysis } of analyses) {
    for (const { claim, tenant, edge, subject, object } of analysis.refuted)
      add(claim, tenant, { path: [edge], subject, object })
  }
  const graph = jointGraph(analyses)
  const starts = Map.groupBy(
    analyses.flatMap(({ analysis }) => [...analysis.starts]),
    ([name]) => name,
  )
  const beyond = boundedExpansion(graph)
  // The outsider first: what lies behind a breach is told once, by the one from furthest away.
  for (const self of [outsider, ...tenants]) {
    const nodes = [...new Set((starts.get(self) ?? []).flatMap(([, own]) => own))]
    for (const { owner, node, path } of trespasses(graph, { self, starts: nodes, beyond: beyond(self) })) {
      const refutation = { path, subject: describeNode(path[0]?.from ?? node), object: describeNode(node) }
      const logic = path.at(-1)?.logic ?? logicOf(node)
      if (self !== outsider) add(`${logic}.contained`, self, refutation)
      if (owner !== 'platform') add(`${logic}.fenced`, owner, refutation)
    }
  }
  return found
}

/** A start that belongs to another is a way of no steps; its spelling says whose logic it is. */
const logicOf = (node: Node): string =>
  node.startsWith('pg:') ? 'grants' : node.startsWith('net:') ? 'network' : 'rbac'

function jointGraph(analyses: readonly Analysed[]): Graph {
  const owners = new Map<Node, string>(analyses.flatMap(({ analysis }) => [...analysis.owners]))
  function* edges(): Iterable<GraphEdge> {
    for (const { logic, analysis } of analyses) for (const edge of analysis.edges) yield { ...edge, logic: logic.name }
  }
  return buildGraph(edges(), owners)
}

/**
 * A search ends at what belongs to another tenant: what that one reaches is its own finding. Through the platform it
 * goes on, since nobody else is searched from there; but what lies behind has been told when two searches have been
 * there (the second finds the first one's victim), so that a world where all are let in costs no square of its size.
 */
function boundedExpansion(graph: Graph): (self: string) => (node: Node, owner: string) => boolean {
  const passed = new Map<Node, number>()
  return () => (node, owner) => {
    if (owner !== 'platform') return false
    const count = passed.get(node) ?? 0
    if (count >= 2 && (graph.from.get(node)?.length ?? 0) > 8) return false
    passed.set(node, count + 1)
    return true
  }
}

function verdictOn(
  world: World,
  { analysis }: Analysed,
  claim: string,
  tenant: string,
  refutation: Refutation | undefined,
): Verdict {
  if (refutation !== undefined)
    return { claim, tenant, verdict: 'refuted', counterexample: counterexampleOf(refutation) }
  const because = new Set([
    ...analysis.undecided
      .filter((entry) => entry.claim === claim && (entry.tenant === undefined || entry.tenant === tenant))
      .map((entry) => entry.because),
    ...world.unreadable
      .filter((entry) => concerns(entry.product, claim) && (entry.tenant === undefined || entry.tenant === tenant))
      .map(({ what, why }) => `${what} could not be read: ${why}`),
  ])
  const checked = analysis.checked.get(tenant) ?? 0
  if (checked === 0 && because.size === 0) because.add('nothing was there to be examined')
  if (because.size > 0) return { claim, tenant, verdict: 'undecided', because: [...because] }
  return { claim, tenant, verdict: 'proved', checked, assuming: analysis.assuming, observed: world.observed }
}

/** Logics know which kinds of their own product they need, and say so themselves; a file may have held anything. */
const concerns = (product: string, claim: string): boolean =>
  product === 'kubernetes' ? claim.startsWith('rbac.') : product === 'postgres' ? claim.startsWith('grants.') : true

function counterexampleOf({
  path,
  subject,
  object,
}: Refutation): Extract<Verdict, { verdict: 'refuted' }>['counterexample'] {
  const edges = path.map(({ from, to, rule, by }): Edge => ({ from, to, rule, by }))
  const command = path.findLast((edge) => edge.command !== undefined)?.command ?? ''
  const culprits = new Map<string, Culprit>(
    path.flatMap((edge) => edge.culprits ?? []).map((culprit) => [JSON.stringify(culprit), culprit]),
  )
  return { subject, path: edges, object, command, culprits: [...culprits.values()] }
}
