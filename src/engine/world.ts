/**
 * Reads the world that the prover judges: what the backends say now, with the tenants as the registry knows them. A
 * backend that cannot be read becomes an entry of what could not be read; it is never left out silently.
 */
import { toRingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { LayerContext } from '../model/layer.ts'
import type { Address, BackendId, Outputs } from '../model/resource.ts'
import type { Tenant } from '../model/tenant.ts'
import type { KubernetesWorld, PostgresWorld, TenantBoundary, Unreadable, World } from '../model/world.ts'
import { readFences } from './fences.ts'
import type { Products } from './products.ts'

export interface WorldReader {
  /** `inside` names the tenants whose databases are read from within; all when undefined. */
  read(options: {
    readonly fresh: boolean
    readonly inside?: ReadonlySet<string>
    readonly signal: AbortSignal
  }): Promise<World>
}

/** What the documents legitimately open (the network layer knows). */
export type Openings = (
  tenant: Tenant,
  context: LayerContext,
  outputs: (address: Address) => Outputs | undefined,
) => readonly JsonObject[]

export interface WorldSources {
  readonly products: Products
  tenants(): Promise<readonly Tenant[]>
  /** Outputs of what was made, by tenant uid and address. */
  outputs(): Promise<ReadonlyMap<string, ReadonlyMap<Address, Outputs>>>
  /** The backends' ids of what was made, by owner (tenant uid or `platform`) and address. */
  ids(owners: readonly string[]): Promise<ReadonlyMap<string, ReadonlyMap<Address, BackendId>>>
  readonly openings: Openings
  /** The role that we sign in to PostgreSQL as, and the superuser that the server came with. */
  readonly trustedRoles: readonly string[]
  now(): Date
}

export function createWorldReader(sources: WorldSources): WorldReader {
  return {
    async read({ fresh, inside, signal }) {
      const from = sources.now().toISOString()
      const { products } = sources
      const { context } = products
      const [tenants, outputs] = await Promise.all([sources.tenants(), sources.outputs()])
      const boundaries = tenants.map((tenant) =>
        boundaryOf(
          tenant,
          context,
          sources.openings(tenant, context, (address) => outputs.get(tenant.uid)?.get(address)),
        ),
      )
      const judged = tenants.filter((tenant) => inside === undefined || inside.has(tenant.name))
      const databases = judged.map((tenant) => tenant.names.database)
      const ids = await sources.ids([...judged.map((tenant) => tenant.uid), 'platform'])
      const reading = {
        outputsOf: (owner: string, address: Address) => outputs.get(owner)?.get(address),
        idOf: (owner: string, address: Address) => ids.get(owner)?.get(address),
        fresh,
        signal,
      }
      const [kubernetes, postgres, fences] = await Promise.all([
        readKubernetes(products, fresh, signal),
        readPostgres(products, databases, fresh, signal),
        readFences(products, judged, reading),
      ])
      return {
        source: context.facts.kubernetes?.medium === 'manifests' ? 'manifests' : 'live',
        observed: [earliest(from, postgres.world), sources.now().toISOString()],
        tenants: boundaries,
        ...(kubernetes.world === undefined ? {} : { kubernetes: kubernetes.world }),
        ...(postgres.world === undefined ? {} : { postgres: [postgres.world] }),
        unreadable: [...kubernetes.unreadable, ...postgres.unreadable],
        trusted: trustedOf(context),
        fences,
        trustedRoles: sources.trustedRoles,
      }
    },
  }
}

export function boundaryOf(tenant: Tenant, context: LayerContext, openings: readonly JsonObject[]): TenantBoundary {
  const { names, spec } = tenant
  const server = context.backends.postgres
  const system = context.platform.kubernetes.systemNamespace
  return {
    name: tenant.name,
    namespaces: [names.namespace],
    subjects: [
      ...['owner', 'editor', 'viewer'].map((role) => ({
        kind: 'ServiceAccount' as const,
        namespace: system,
        name: `${tenant.name}-${role}`,
      })),
      ...spec.access.roleBindings.flatMap((binding) => [
        ...binding.groups.map((name) => ({ kind: 'Group' as const, name })),
        ...binding.serviceAccounts.map(({ namespace, name }) => ({ kind: 'ServiceAccount' as const, namespace, name })),
      ]),
    ],
    databases:
      server === undefined || spec.database.mode !== 'shared'
        ? []
        : [{ server, database: names.database, owner: names.databaseOwner, login: names.databaseLogin }],
    shared: spec.access.shared,
    openings,
  }
}

async function readKubernetes(
  products: Products,
  fresh: boolean,
  signal: AbortSignal,
): Promise<{ world?: KubernetesWorld; unreadable: readonly Unreadable[] }> {
  const { kubernetes, context } = products
  const { platform, facts } = context
  if (kubernetes === undefined)
    return { unreadable: [{ product: 'kubernetes', what: 'the API server', why: 'no Kubernetes is connected' }] }
  try {
    const snapshot = await kubernetes.snapshot(signal, { fresh })
    return {
      unreadable: snapshot.unreadable,
      world: {
        objects: snapshot.objects,
        kinds: snapshot.kinds,
        ranges: [...new Set([...(facts.kubernetes?.ranges ?? []), ...platform.kubernetes.ranges])],
        sharedNamespaces: platform.kubernetes.sharedNamespaces,
        systemNamespace: platform.kubernetes.systemNamespace,
      },
    }
  } catch (error) {
    return { unreadable: [{ product: 'kubernetes', what: 'the API server', why: toRingfenceError(error).message }] }
  }
}

/** A snapshot is as old as the oldest thing in it. */
function earliest(from: string, postgres: PostgresWorld | undefined): string {
  const insides = postgres?.databases.flatMap(({ inside }) => (inside === undefined ? [] : [inside.readAtMs])) ?? []
  return insides.reduce(
    (oldest, readAtMs) => (readAtMs < Date.parse(oldest) ? new Date(readAtMs).toISOString() : oldest),
    from,
  )
}

async function readPostgres(
  products: Products,
  databases: readonly string[],
  fresh: boolean,
  signal: AbortSignal,
): Promise<{ world?: PostgresWorld; unreadable: readonly Unreadable[] }> {
  const { postgres, context } = products
  if (postgres === undefined) {
    return context.platform.database.mode === 'none'
      ? { unreadable: [] }
      : { unreadable: [{ product: 'postgres', what: 'the server', why: 'no PostgreSQL is connected' }] }
  }
  try {
    const world = await postgres.snapshot(signal, databases, { fresh })
    return { world, unreadable: world.unreadable }
  } catch (error) {
    return { unreadable: [{ product: 'postgres', what: 'the server', why: toRingfenceError(error).message }] }
  }
}

const engineUser = 'ringfence:engine'

/** A name in the platform document may be a user's or a group's; `system:serviceaccount:<ns>:<name>` is an account's. */
function subjectsNamed(name: string): World['trusted'] {
  const [namespace, account] = name.startsWith('system:serviceaccount:') ? name.split(':').slice(2) : []
  if (namespace !== undefined && account !== undefined) return [{ kind: 'ServiceAccount', namespace, name: account }]
  return [
    { kind: 'User', name },
    { kind: 'Group', name },
  ]
}

function trustedOf(context: LayerContext): World['trusted'] {
  const { trusted, breakGlassGroups } = context.platform.kubernetes
  const own = context.facts.kubernetes?.user ?? engineUser
  return [
    ...trusted.flatMap(subjectsNamed),
    ...breakGlassGroups.map((name) => ({ kind: 'Group' as const, name })),
    { kind: 'User', name: own },
  ]
}
