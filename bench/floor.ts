/**
 * The floor of provisioning: the very calls that make one tenant, without control plane, journal or observation. The
 * changes that the drivers send for a sample are written down once, and replayed for other names over bare
 * connections, as many as the drivers have, in the order that the planner would give them.
 */
import pg from 'pg'
import { Pool } from 'undici'
import { createConnections, type Connections } from '../src/drivers/postgres/connection.ts'
import { createPostgresBackend } from '../src/drivers/postgres/backend.ts'
import { collectionPath, drivenKinds, secretKind } from '../src/drivers/kubernetes/kinds.ts'
import type { ClusterAccess, PostgresAccess } from '../src/model/backends.ts'
import { makeMaterial } from '../src/engine/material.ts'
import { type Address, type Outputs, type Resource, resolveOutputs } from '../src/model/resource.ts'
import { plan } from '../src/planner/plan.ts'
import type { Step } from '../src/planner/step.ts'
import { clientConfig } from './servers.ts'

/** What one connection does from being lent to being given back. */
interface Turn {
  /** The database that a connection of its own is made to; the pool's own when undefined. */
  readonly inside?: string
  readonly statements: readonly { readonly text: string; readonly values?: readonly unknown[] }[]
}
interface Work {
  readonly address: Address
  readonly after: readonly Address[]
  readonly posts: readonly { readonly path: string; readonly body: string }[]
  readonly turns: readonly Turn[]
}

/** The calls that make the sample tenant; `sampleName` stands wherever another tenant's name will. */
export interface Script {
  readonly sampleName: string
  readonly works: readonly Work[]
}

/** Makes the sample in PostgreSQL for real (its Kubernetes calls are its manifests) and writes the calls down. */
export async function record(
  tenant: { readonly name: string; readonly uid: string },
  desired: readonly Resource[],
  access: PostgresAccess,
): Promise<Script> {
  const { recorder, taken } = recording(createConnections(access))
  const backend = createPostgresBackend('postgres', access, { connections: recorder })
  const outputs = new Map<Address, Outputs>()
  const works: Work[] = []
  const material = makeMaterial()
  try {
    for (const step of stepsOf(tenant, desired)) {
      const resolved = resolveOutputs(step.resource.spec, (address) => outputs.get(address))
      if ('missing' in resolved) throw new Error(`${step.address} waits for ${resolved.missing.join(', ')}`)
      const resource: Resource = { ...step.resource, spec: resolved.spec }
      const base = { address: step.address, after: step.after }
      const driver = backend.drivers[resource.kind]
      if (driver === undefined) {
        works.push({ ...base, posts: postsOf(resource, material.clear), turns: [] })
        continue
      }
      const limits = { signal: AbortSignal.timeout(20_000), deadlineMs: Date.now() + 20_000 }
      const slots = Object.fromEntries(resource.secrets.map((slot) => [slot.name, material]))
      const made = await driver.create(resource, { ...limits, key: crypto.randomUUID(), fresh: false, material: slots })
      if (made === 'unknown') throw new Error(`${resource.kind} was not made`)
      outputs.set(step.address, made.outputs)
      works.push({ ...base, posts: [], turns: taken() })
    }
  } finally {
    await backend.close()
  }
  return { sampleName: tenant.name, works }
}

function stepsOf(
  tenant: { readonly name: string; readonly uid: string },
  desired: readonly Resource[],
): readonly Step[] {
  const { steps } = plan({
    owner: tenant,
    desired,
    inventory: new Map(),
    observed: new Map(desired.map((resource) => [resource.address, { status: 'absent' }])),
    credentials: [],
    removing: false,
    diff: () => [],
  })
  const done = new Set<Address>()
  const ordered: Step[] = []
  while (ordered.length < steps.length) {
    const ready = steps.filter((step) => !done.has(step.address) && step.after.every((address) => done.has(address)))
    if (ready.length === 0) throw new Error('the steps wait for each other')
    for (const step of ready) done.add(step.address)
    ordered.push(...ready)
  }
  return ordered
}

function postsOf(resource: Resource, password: string): Work['posts'] {
  if (resource.kind === 'kubernetes/Workloads') return []
  if (resource.kind === 'credential/Login') {
    const { namespace, name, data, labels } = resource.spec as { [field: string]: string }
    const texts = Object.entries(data as unknown as object).map(([key, value]) => [key, String(value)])
    const stringData = { ...Object.fromEntries(texts), password }
    const metadata = {
      name,
      namespace,
      labels: { 'app.kubernetes.io/managed-by': 'ringfence', ...(labels as unknown as object) },
    }
    const body = { apiVersion: 'v1', kind: 'Secret', type: 'Opaque', metadata, stringData }
    return [{ path: collectionPath(secretKind, namespace), body: JSON.stringify(body) }]
  }
  const kind = drivenKinds[resource.kind.replace('kubernetes/', '')]
  if (kind === undefined) throw new Error(`${resource.kind} is not known to the floor`)
  const { namespace } = resource.spec['metadata'] as { readonly namespace?: string }
  return [{ path: collectionPath(kind, namespace), body: JSON.stringify(resource.spec) }]
}

/** Passes everything on, and keeps the statements that change something. */
function recording(connections: Connections): { readonly recorder: Connections; taken(): readonly Turn[] } {
  let turns: { inside?: string; statements: { text: string; values?: readonly unknown[] }[] }[] = []
  const wrap =
    (inside: string | undefined): Connections['run'] =>
    (what, limits, work) => {
      const turn = { ...(inside === undefined ? {} : { inside }), statements: [] as Turn['statements'][number][] }
      turns.push(turn)
      const go: Parameters<Connections['run']>[2] = (session) => {
        const note = (text: string, values?: readonly unknown[]) => {
          if (!/^\s*(select|show|with)\b/i.test(text))
            turn.statements.push({ text, ...(values === undefined ? {} : { values }) })
        }
        return work({
          get sent() {
            return session.sent
          },
          query: (text, values) => {
            note(text, values)
            return session.query(text, values)
          },
          async transaction(inner, begin = 'BEGIN') {
            note(begin)
            const result = await session.transaction(inner, begin)
            note('COMMIT')
            return result
          },
        })
      }
      return (
        inside === undefined ? connections.run(what, limits, go) : connections.inside(inside, what, limits, go)
      ) as never
    }
  return {
    recorder: { ...connections, run: wrap(undefined), inside: (database, ...rest) => wrap(database)(...rest) },
    taken() {
      const kept = turns.filter((turn) => turn.statements.length > 0)
      turns = []
      return kept
    },
  }
}

export interface Replayer {
  /** Makes one tenant; resolves when its last call was answered. */
  replay(script: Script, name: string): Promise<void>
  close(): Promise<void>
}

/** As many connections as the drivers have: 16 to the API server, 4 to PostgreSQL and 4 into databases. */
export function openReplayer(cluster: ClusterAccess, access: PostgresAccess): Replayer {
  const api = new Pool(cluster.server, {
    connections: 16,
    connect: { ca: cluster.ca, cert: cluster.certificate?.cert, key: cluster.certificate?.key },
  })
  const pool = new pg.Pool({ ...clientConfig(access), max: 4 })
  // The server stops while connections rest in the pool.
  pool.on('error', () => undefined)
  const enter = gate(4)
  const turn = async ({ inside, statements }: Turn) => {
    const client =
      inside === undefined ? await pool.connect() : new pg.Client({ ...clientConfig(access), database: inside })
    if (client instanceof pg.Client && inside !== undefined) await client.connect()
    try {
      for (const { text, values } of statements)
        await client.query(text, values === undefined ? undefined : [...values])
    } finally {
      if (inside === undefined) (client as pg.PoolClient).release()
      else await client.end()
    }
  }
  const post = async ({ path, body }: Work['posts'][number]) => {
    const answer = await api.request({ method: 'POST', path, body, headers: { 'content-type': 'application/json' } })
    const text = await answer.body.text()
    if (answer.statusCode !== 201) throw new Error(`POST ${path}: ${answer.statusCode} ${text.slice(0, 300)}`)
    JSON.parse(text)
  }
  return {
    async replay({ sampleName, works }, name) {
      const named = JSON.parse(JSON.stringify(works).replaceAll(sampleName, name)) as readonly Work[]
      const done = new Map<Address, Promise<void>>()
      for (const work of named) {
        const ground = work.after.map((address) => done.get(address))
        const make = async () => {
          for (const before of ground) await before
          for (const one of work.posts) await post(one)
          for (const one of work.turns) await (one.inside === undefined ? turn(one) : enter(() => turn(one)))
        }
        done.set(work.address, make())
      }
      await Promise.all(done.values())
    },
    close: () => Promise.all([api.destroy(), pool.end()]).then(() => undefined),
  }
}

/** Lets so many tasks run at one time. */
export function gate(size: number): <T>(task: () => Promise<T>) => Promise<T> {
  let free = size
  const waiting: (() => void)[] = []
  return async (task) => {
    if (free > 0) free -= 1
    else await new Promise<void>((resolve) => waiting.push(resolve))
    try {
      return await task()
    } finally {
      const next = waiting.shift()
      if (next === undefined) free += 1
      else next()
    }
  }
}
