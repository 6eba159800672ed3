/**
 * The contract of a logic: it reads a world and emits edges over principals and assets. One closure over the joint
 * graph of all logics (`prove.ts`) decides, so that a Secret may lead to a SQL login and a pod to a ServiceAccount.
 */
import type { Culprit } from '../model/verdict.ts'
import type { World } from '../model/world.ts'

/**
 * A principal or an asset. Spelling, shared by all logics:
 * `k8s:sa:<ns>/<name>` · `k8s:user:<name>` · `k8s:group:<name>` · `k8s:ns:<ns>` (power over a namespace) ·
 * `k8s:secret:<ns>/<name>` · `k8s:cluster` (cluster-wide power) · `net:pods:<ns>` · `net:outside` · `net:any` ·
 * `net:metadata` · `net:platform:<what>` · `pg:role:<server>/<name>` · `pg:public:<server>` · `pg:db:<server>/<name>` ·
 * `pg:server:<server>` (superuser power). With RBAC's own: `k8s:sa:<ns>/*` (any account that could exist there),
 * `k8s:ns:*` (power over every namespace), `k8s:admin:<ns>` (every verb there), `k8s:platform:<what>` (what others stand on). A tenant itself is `tenant:<name>`, anyone unknown is `outsider`.
 */
export type Node = string

export const outsider = 'outsider'
export const tenantNode = (name: string): Node => `tenant:${name}`

export interface LogicEdge {
  readonly from: Node
  readonly to: Node
  /** Named rule: `pods.exec`, `secrets.read`, `network.ingress`, `pg.member`. */
  readonly rule: string
  /** The object that opens the way, for people: `RoleBinding acme/let-all`. */
  readonly by: string
  /** A shell-safe command that shows this step; the last step's is printed with the counterexample. */
  readonly command?: string
  readonly culprits?: readonly Culprit[]
}

/** A sentence that a logic decides for each tenant. */
export interface ClaimSpec {
  /** `<logic>.contained`: what the tenant can do reaches nothing of others. `<logic>.fenced`: nobody else reaches in. */
  readonly id: string
  readonly statement: string
}

export interface Analysis {
  readonly edges: readonly LogicEdge[]
  /** The nodes that each tenant is, or may become with what it has for free; `outsider` has an entry of its own. */
  readonly starts: ReadonlyMap<string, readonly Node[]>
  /**
   * Who owns a node: a tenant's name or `platform`. Nodes that nobody owns (groups, PUBLIC) are only passed through.
   * Reaching a node owned by another refutes `<logic>.contained` of the one who came and `<logic>.fenced` of the owner.
   */
  readonly owners: ReadonlyMap<Node, string>
  /** What could not be read or understood; without `tenant` it makes the claim undecided for all. */
  readonly undecided: readonly { readonly claim: string; readonly tenant?: string; readonly because: string }[]
  /** Refutations that are not a way through the graph: a fence that is missing. */
  readonly refuted: readonly {
    readonly claim: string
    readonly tenant: string
    readonly edge: LogicEdge
    readonly subject: string
    readonly object: string
  }[]
  /** How many cases were decided for a tenant; 0 makes its claims undecided: nothing examined proves nothing. */
  readonly checked: ReadonlyMap<string, number>
  readonly assuming: readonly string[]
}

export interface Logic {
  readonly name: 'rbac' | 'network' | 'grants' | 'fences'
  readonly claims: readonly ClaimSpec[]
  /** Whether the world holds what this logic judges, or should have held it. */
  applies(world: World): boolean
  /** Pure; cost linear in the number of tenants and objects. */
  analyse(world: World): Analysis
}

/** POSIX-shell quoting of one argument. */
export const shellQuote = (argument: string): string =>
  /^[A-Za-z0-9_@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`
