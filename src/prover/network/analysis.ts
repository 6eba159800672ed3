/**
 * Walks a world once, tenant by tenant, and gathers what the network logic says about it: holes in fences, ways around
 * them, what could not be decided. Cost is linear in tenants and objects.
 */
import type { KubernetesWorld, TenantBoundary, World } from '../../model/world.ts'
import { type Analysis, type LogicEdge, type Node, outsider } from '../logic.ts'
import { bypasses } from './bypass-report.ts'
import { type PodAddresses, podAddresses } from './bypass.ts'
import { bothClaims, claimOf } from './claims.ts'
import { namespaceNode, type OtherSide, podsNode, tell, type Told } from './counterexample.ts'
import { type FenceContext, type Hole, judgeFence, lets } from './fence.ts'
import { type ForeignObject, mayTouch } from './foreign-kinds.ts'
import { nameContradictions } from './labels-report.ts'
import { type Namespace, Namespaces } from './namespaces.ts'
import { noPolicies, type SortedObjects, sortObjects } from './objects.ts'
import { parseOpening, type ParsedOpening } from './openings.ts'
import type { Direction } from './policy.ts'
import { clusterRange, type NamedRange, reservedRanges } from './ranges.ts'
import { oddLabels, unreadableReasons, unseenBypasses } from './readable.ts'
import { NotUnderstood } from './selectors.ts'
import { shutAddresses } from './shut.ts'

const defaultTenantLabel = 'ringfence.dev/tenant'
/** More cluster-wide policies than this are not told apart by tenant. */
const maximalClusterWide = 200

const standingAssumptions = [
  'the network plug-in enforces every NetworkPolicy, for every pod, from its first packet on',
  'traffic that starts on nodes (kubelet, host processes) is trusted',
  'labels of namespaces are set by the control plane and its trusted operators alone',
] as const

export class NetworkAnalysis {
  readonly #world: World
  readonly #kubernetes: KubernetesWorld
  readonly #objects: SortedObjects
  readonly #namespaces: Namespaces
  readonly #context: FenceContext
  readonly #pods: PodAddresses | undefined
  readonly #foreignByNamespace = new Map<string, ForeignObject[]>()
  readonly #clusterWide: ForeignObject[] = []
  readonly #edges: LogicEdge[] = []
  readonly #refuted: Analysis['refuted'][number][] = []
  readonly #undecided: Analysis['undecided'][number][] = []
  readonly #checked = new Map<string, number>()
  readonly #assuming = new Set<string>(standingAssumptions)

  constructor(world: World, kubernetes: KubernetesWorld) {
    this.#world = world
    this.#kubernetes = kubernetes
    this.#objects = sortObjects(kubernetes.objects)
    this.#namespaces = new Namespaces(
      this.#objects.namespaces,
      world.tenants,
      kubernetes.tenantLabel ?? defaultTenantLabel,
    )
    const ranges = this.#ranges()
    this.#context = {
      namespaces: this.#namespaces,
      sharedNamespaces: new Set(kubernetes.sharedNamespaces),
      ranges,
      shut: shutAddresses(ranges),
    }
    this.#pods = kubernetes.kinds.includes('/Pod') ? podAddresses(this.#objects.pods) : undefined
    for (const foreign of this.#objects.foreign) {
      if (foreign.namespace === undefined) this.#clusterWide.push(foreign)
      else
        this.#foreignByNamespace.set(foreign.namespace, [
          ...(this.#foreignByNamespace.get(foreign.namespace) ?? []),
          foreign,
        ])
    }
  }

  #ranges(): readonly NamedRange[] {
    const { ranges } = this.#kubernetes
    if (ranges.length === 0) {
      this.#assuming.add(
        'pod, service and node addresses of the cluster lie in private networks (its ranges are not known)',
      )
      return reservedRanges
    }
    const cluster = clusterRange(ranges)
    if (cluster !== undefined) return [...reservedRanges, cluster]
    this.#undecide(undefined, `a range of the cluster is no address range: ${ranges.join(', ')}`)
    return reservedRanges
  }

  result(): Analysis {
    for (const { tenant, because } of unreadableReasons(this.#world, this.#kubernetes)) this.#undecide(tenant, because)
    for (const because of oddLabels(this.#objects.namespaces)) this.#undecide(undefined, because)
    for (const assumption of unseenBypasses(this.#kubernetes)) this.#assuming.add(assumption)
    if (this.#clusterWide.length > maximalClusterWide) {
      const [first] = this.#clusterWide
      this.#undecide(
        undefined,
        `${first?.kind} ${first?.name} and ${this.#clusterWide.length - 1} more cluster-wide policies are not supported yet`,
      )
    }
    for (const { tenant, told } of nameContradictions(
      this.#world.tenants,
      this.#namespaces,
      this.#kubernetes.tenantLabel ?? defaultTenantLabel,
    )) {
      for (const claim of bothClaims) this.#refuted.push({ claim, tenant, ...told })
    }
    for (const tenant of this.#world.tenants) this.#tenant(tenant)
    return {
      edges: this.#edges,
      starts: this.#starts(),
      owners: this.#owners(),
      undecided: this.#undecided,
      refuted: this.#refuted,
      checked: this.#checked,
      assuming: [...this.#assuming],
    }
  }

  #undecide(tenant: string | undefined, because: string): void {
    for (const claim of bothClaims)
      this.#undecided.push({ claim, because, ...(tenant === undefined ? {} : { tenant }) })
  }

  #tenant(tenant: TenantBoundary): void {
    this.#checked.set(tenant.name, 0)
    const openings = this.#openings(tenant)
    if (openings === 'unreadable') return
    if (tenant.namespaces.length === 0) this.#undecide(tenant.name, `tenant ${tenant.name} has no namespace`)
    for (const name of tenant.namespaces) {
      const namespace = this.#namespaces.get(name)
      if (namespace === undefined)
        this.#undecide(tenant.name, `namespace ${name} of tenant ${tenant.name} does not exist`)
      else this.#namespace(tenant, namespace, openings)
    }
  }

  #openings(tenant: TenantBoundary): readonly ParsedOpening[] | undefined | 'unreadable' {
    try {
      return tenant.openings?.map(parseOpening)
    } catch (error) {
      if (!(error instanceof NotUnderstood)) throw error
      this.#undecide(tenant.name, `an opening of tenant ${tenant.name} is not understood: ${error.message}`)
      return 'unreadable'
    }
  }

  #namespace(tenant: TenantBoundary, namespace: Namespace, openings: readonly ParsedOpening[] | undefined): void {
    const { policies, problems } = this.#objects.policies.get(namespace.name) ?? noPolicies
    for (const problem of problems) this.#undecide(tenant.name, `${problem}, which is not understood`)
    const clusterWide = this.#clusterWide.length > maximalClusterWide ? [] : this.#clusterWide
    for (const foreign of [...(this.#foreignByNamespace.get(namespace.name) ?? []), ...clusterWide]) {
      if (!mayTouch(foreign, namespace.name, namespace.labels)) continue
      const place = foreign.namespace === undefined ? foreign.name : `${foreign.namespace}/${foreign.name}`
      this.#undecide(tenant.name, `${foreign.kind} ${place} (${foreign.group}) is not supported yet`)
    }
    for (const direction of ['egress', 'ingress'] as const) {
      const inside = { tenant: tenant.name, namespace: namespace.name, openings }
      const verdict = judgeFence(this.#context, inside, direction, policies)
      for (const because of verdict.undecided) this.#undecide(tenant.name, because)
      for (const hole of verdict.holes) this.#hole(tenant.name, namespace, hole)
      if (verdict.publicAssumed)
        this.#assuming.add('public addresses are no tenant: where no document says otherwise, egress to them is open')
      this.#count(tenant.name, verdict.checked)
    }
    this.#around(tenant, namespace)
  }

  #count(tenant: string, cases: number): void {
    this.#checked.set(tenant, (this.#checked.get(tenant) ?? 0) + cases)
  }

  #hole(tenant: string, namespace: Namespace, hole: Hole): void {
    const other = this.#otherSide(namespace, hole)
    const told = tell(hole, other)
    this.#refuted.push({ claim: claimOf[hole.direction], tenant, ...told })
    // A way through the graph needs both sides open; a hole on one side is refuted for itself.
    if (other !== 'blocks' && hole.target.type !== 'future') this.#edges.push(told.edge)
  }

  #otherSide(namespace: Namespace, hole: Hole): OtherSide {
    if (hole.target.type !== 'namespace' || !hole.target.exists) return 'unknown'
    const opposite: Direction = hole.direction === 'egress' ? 'ingress' : 'egress'
    const { name } = hole.target.namespace
    const { policies, problems } = this.#objects.policies.get(name) ?? noPolicies
    if (problems.length > 0) return 'unknown'
    return lets(policies, opposite, name, namespace) ? 'open' : 'blocks'
  }

  #around(tenant: TenantBoundary, namespace: Namespace): void {
    const { found, assuming } = bypasses(this.#objects, namespace, this.#pods, this.#context.ranges, this.#world.source)
    for (const assumption of assuming) this.#assuming.add(assumption)
    for (const told of found) this.#bypass(tenant.name, told)
    this.#count(tenant.name, 1)
  }

  #bypass(tenant: string, told: Told): void {
    this.#refuted.push({ claim: claimOf.egress, tenant, ...told })
  }

  /** Whoever may run pods in a namespace connects from there. */
  #starts(): Analysis['starts'] {
    const starts = new Map<string, readonly Node[]>(
      this.#world.tenants.map((tenant) => [tenant.name, tenant.namespaces.map(namespaceNode)]),
    )
    return starts.set(outsider, ['net:outside', 'net:any'])
  }

  #owners(): Analysis['owners'] {
    const owners = new Map<Node, string>([['net:metadata', 'platform']])
    for (const namespace of this.#namespaces.all) owners.set(podsNode(namespace.name), namespace.owner ?? 'platform')
    for (const tenant of this.#world.tenants)
      for (const name of tenant.namespaces) owners.set(podsNode(name), tenant.name)
    return owners
  }
}
