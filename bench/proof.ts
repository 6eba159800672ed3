/**
 * Proof of many tenants over manifests that the real layers state: the Kubernetes objects pass through YAML text and
 * the product's own reader, the catalogs of PostgreSQL are foretold from the same resources. No server takes part.
 */
import { performance } from 'node:perf_hooks'
import { stringify } from 'yaml'
import { boundaryOf } from '../src/engine/world.ts'
import { computeLayer } from '../src/layers/compute/layer.ts'
import { installation } from '../src/layers/compute/platform.ts'
import { foretellPostgres } from '../src/layers/database/foretell.ts'
import { databaseLayer } from '../src/layers/database/layer.ts'
import { networkLayer } from '../src/layers/network/layer.ts'
import { openingsOf } from '../src/layers/network/openings.ts'
import type { LayerContext } from '../src/model/layer.ts'
import { resolveNames, slugOf } from '../src/model/names.ts'
import { defaultPlatform } from '../src/model/presets.ts'
import { type Outputs, type Resource, resolveOutputs } from '../src/model/resource.ts'
import { type Tenant, tenantDocument } from '../src/model/tenant.ts'
import type { KubeObject, PostgresWorld, World } from '../src/model/world.ts'
import { objectsOf } from '../src/prover/manifests/documents.ts'
import { worldOfManifests } from '../src/prover/manifests/index.ts'
import { prove } from '../src/prover/prove.ts'
import { documentOf, numbered } from './documents.ts'
import { growthExponent, median, ms, ratioOf, type Result, verdict } from './figures.ts'
import type { BenchOptions } from './run.ts'

const endpoint: Outputs = { addresses: [{ ipBlock: { cidr: '10.9.8.7/32' } }], port: 5432 }

const context: LayerContext = {
  platform: defaultPlatform().spec,
  facts: {
    kubernetes: { medium: 'manifests', ranges: ['10.96.0.0/16', '10.244.0.0/16'], apiServer: [], resolvers: [] },
    postgres: { version: 180_004, tls: true },
  },
  backends: { kubernetes: 'kubernetes', postgres: 'postgres', credentials: 'credentials' },
}

function tenantNamed(name: string): Tenant {
  const { spec, metadata } = tenantDocument.parse(documentOf(name))
  const uid = `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').padStart(12, '0').slice(-12)}`
  const names = resolveNames(context.platform, { name, slug: slugOf({ name, spec }), uid, spec })
  return { name, uid, generation: 1, spec, labels: metadata.labels, names }
}

/** As an API server would list it: its own label on every namespace, and a ServiceAccount in it. */
function served(manifest: KubeObject): readonly KubeObject[] {
  if (manifest.kind !== 'Namespace') return [manifest]
  const { name, labels } = manifest.metadata
  const metadata = { ...manifest.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } }
  return [
    { ...manifest, metadata },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } },
  ]
}

/** One file, as a repository would hold it. */
function manifestsOf(resources: readonly Resource[], more: readonly KubeObject[] = []): string {
  const own = resources.flatMap(({ kind, spec }): KubeObject[] => {
    if (!kind.startsWith('kubernetes/') || kind === 'kubernetes/Workloads') return []
    const resolved = resolveOutputs(spec, () => endpoint)
    if ('missing' in resolved) throw new Error(`${kind} waits for an output`)
    return [resolved.spec as unknown as KubeObject]
  })
  return [...own, ...more]
    .flatMap(served)
    .map((object) => `---\n${stringify(object)}`)
    .join('')
}

/** A new server with PUBLIC shut out of what every server has. */
const emptyServer: PostgresWorld = {
  server: 'postgres',
  version: 180_004,
  roles: [
    {
      oid: '10',
      name: 'postgres',
      superuser: true,
      createRole: true,
      createDb: true,
      replication: true,
      bypassRls: true,
      login: true,
      inherit: true,
      connectionLimit: -1,
      config: [],
    },
  ],
  memberships: [],
  databases: ['postgres', 'template1', 'template0'].map((name, index) => ({
    oid: String(index + 1),
    name,
    owner: 'postgres',
    allowConnections: name !== 'template0',
    isTemplate: name !== 'postgres',
    acl: ['postgres=CTc/postgres'],
    ...(name === 'template0' ? {} : { inside: { readAtMs: 0, objects: [], defaultPrivileges: [], extensions: [] } }),
  })),
  unreadable: [],
}

interface Made {
  readonly world: World
  readonly parsedMs: number
}

/** The resources of one tenant do not look at others, so each is made, written and read by itself. */
function makeWorld(names: readonly string[]): Made {
  const tenants = names.map(tenantNamed)
  const kubeSystem: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }
  const platform = [computeLayer, networkLayer, databaseLayer].flatMap((layer) => layer.platform(context))
  const installed = installation(context).filter(({ kind }) => kind !== 'Namespace') as unknown as KubeObject[]
  const objects: KubeObject[] = []
  const unreadable: World['unreadable'][number][] = []
  const roles: PostgresWorld['roles'][number][] = [...emptyServer.roles]
  const memberships: PostgresWorld['memberships'][number][] = []
  const databases: PostgresWorld['databases'][number][] = [...emptyServer.databases]
  let parsedMs = 0
  const read = (path: string, text: string) => {
    const startedMs = performance.now()
    objects.push(...objectsOf({ path, text }, unreadable))
    parsedMs += performance.now() - startedMs
  }
  read('platform.yaml', manifestsOf(platform, [kubeSystem, ...installed]))
  for (const tenant of tenants) {
    const desired = [computeLayer, networkLayer, databaseLayer].flatMap((layer) => layer.desired(tenant, context))
    read(`${tenant.name}.yaml`, manifestsOf(desired))
    const nothing: World = { ...emptyWorld, postgres: [{ ...emptyServer, roles: [], memberships: [], databases: [] }] }
    const steps = desired.map((resource) => ({ verb: 'create' as const, resource }))
    const [foretold] = foretellPostgres(nothing, steps).postgres ?? []
    roles.push(...(foretold?.roles ?? []))
    memberships.push(...(foretold?.memberships ?? []))
    databases.push(...(foretold?.databases ?? []))
  }
  const readWorld = worldOfManifests({ objects, unreadable })
  return {
    parsedMs,
    world: {
      ...readWorld,
      tenants: tenants.map((tenant) =>
        boundaryOf(
          tenant,
          context,
          openingsOf(tenant, context, () => endpoint),
        ),
      ),
      postgres: [{ ...emptyServer, roles, memberships, databases }],
      trusted: [{ kind: 'User', name: 'ringfence:engine' }],
      trustedRoles: ['postgres'],
    },
  }
}

const emptyWorld: World = {
  source: 'planned',
  observed: ['', ''],
  tenants: [],
  unreadable: [],
  trusted: [],
  trustedRoles: [],
}

/** The least that any proof can cost: every value of every object is looked at once. */
function walk(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1
  let count = 1
  for (const inner of Object.values(value)) count += walk(inner)
  return count
}

function timed<T>(runs: number, work: () => T): { readonly value: T; readonly tookMs: number } {
  const times: number[] = []
  let value = work()
  for (let run = 0; run < runs; run++) {
    const startedMs = performance.now()
    value = work()
    times.push(performance.now() - startedMs)
  }
  return { value, tookMs: median(times) }
}

export async function benchProof({ quick, say }: BenchOptions): Promise<Result> {
  const sizes = quick ? [10, 20, 40] : [100, 1_000, 5_000]
  const lines: Result['lines'][number][] = []
  const notes: string[] = []
  const points: (readonly [number, number])[] = []
  for (const size of sizes) {
    const { world, parsedMs } = makeWorld(numbered('team', size))
    const runs = size >= 5_000 ? 3 : 5
    const { value: report, tookMs } = timed(runs, () => prove(world))
    const floor = timed(runs, () => walk(world))
    const { proved, refuted, undecided } = report.summary
    if (refuted > 0 || undecided > 0) {
      const bad = report.verdicts.find((one) => one.verdict !== 'proved')
      throw new Error(`the generated world is not proved: ${JSON.stringify(bad)}`)
    }
    say(`${size} tenants: ${proved} claims proved in ${ms(tookMs)}`)
    points.push([size, tookMs])
    const limitMs = size
    lines.push({
      what: `proof of ${size} tenants, all layers`,
      measured: ms(tookMs),
      floor: `${ms(floor.tookMs)} (one walk over all values)`,
      ratio: ratioOf(tookMs, floor.tookMs),
      target: verdict(tookMs < limitMs, `< ${ms(limitMs)}`),
    })
    notes.push(
      `${size} tenants: ${proved} claims proved over ${world.kubernetes?.objects.length ?? 0} Kubernetes objects and ` +
        `${world.postgres?.[0]?.databases.length ?? 0} databases; parsing the manifests took ${ms(parsedMs)} more, once`,
    )
    // Let the garbage of one size be collected before the next is measured.
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  const exponent = growthExponent(points)
  notes.push(`time grows as n^${exponent.toFixed(2)} (${verdict(exponent <= 1.1, 'at most n^1.1')})`)
  return { lines, notes }
}
