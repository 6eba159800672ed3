/**
 * The joint graph of all logics and the one search over it: everything that a set of nodes leads to, each with its
 * shortest way. Knows nodes, edges and owners, and nothing of what they mean.
 */
import type { LogicEdge, Node } from './logic.ts'

/** An edge and the logic that found it. */
export interface GraphEdge extends LogicEdge {
  readonly logic: string
}

export interface Graph {
  readonly from: ReadonlyMap<Node, readonly GraphEdge[]>
  readonly owners: ReadonlyMap<Node, string>
}

export function buildGraph(edges: Iterable<GraphEdge>, owners: ReadonlyMap<Node, string>): Graph {
  const from = new Map<Node, GraphEdge[]>()
  for (const edge of edges) {
    const known = from.get(edge.from)
    if (known === undefined) from.set(edge.from, [edge])
    else known.push(edge)
  }
  return { from, owners }
}

/** A node that belongs to another, and the shortest way there; never empty unless it is a start. */
export interface Trespass {
  readonly owner: string
  readonly node: Node
  readonly path: readonly GraphEdge[]
}

export interface Search {
  /** Whose nodes are no trespass. */
  readonly self: string
  readonly starts: readonly Node[]
  /** Whether the search goes on beyond a node of another. */
  readonly beyond: (node: Node, owner: string) => boolean
}

/** Breadth first. Answers every foreign node that is met, nearest first; each node is looked at once. */
export function trespasses(graph: Graph, search: Search): readonly Trespass[] {
  const via = new Map<Node, GraphEdge | undefined>(search.starts.map((node) => [node, undefined]))
  const queue: Node[] = [...via.keys()]
  const found: Trespass[] = []
  for (let index = 0; index < queue.length; index += 1) {
    const node = queue[index] as Node
    const owner = graph.owners.get(node)
    if (owner !== undefined && owner !== search.self) {
      found.push({ owner, node, path: pathTo(node, via) })
      if (!search.beyond(node, owner)) continue
    }
    for (const edge of graph.from.get(node) ?? []) {
      if (via.has(edge.to)) continue
      via.set(edge.to, edge)
      queue.push(edge.to)
    }
  }
  return found
}

function pathTo(node: Node, via: ReadonlyMap<Node, GraphEdge | undefined>): readonly GraphEdge[] {
  const path: GraphEdge[] = []
  for (let edge = via.get(node); edge !== undefined; edge = via.get(edge.from)) path.push(edge)
  return path.reverse()
}
