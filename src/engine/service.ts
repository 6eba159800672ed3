/** The control plane behind every way in: reads from the store, acts through the tenant service, proves on demand. */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../audit/canonical.ts'
import type { AuditFact } from '../audit/entry.ts'
import { RingfenceError } from '../model/errors.ts'
import type { LayerContext } from '../model/layer.ts'
import { resolveNames, slugOf } from '../model/names.ts'
import type { Resource } from '../model/resource.ts'
import type { Tenant, TenantDocument } from '../model/tenant.ts'
import { type Block, plan as draw, type Plan } from '../planner/plan.ts'
import { appendAudit, readAudit } from '../store/audit-log.ts'
import type { StoreConnection } from '../store/connection.ts'
import { streamEvents } from '../store/events.ts'
import { idempotent } from '../store/idempotency.ts'
import type { Ledger } from '../store/ledger.ts'
import type { Notifications } from '../store/notifications.ts'
import { findTenant, listTenants, tenantOf, type TenantRow } from '../store/tenants.ts'
import { pause, resume } from '../store/operations.ts'
import type { Caller, ControlPlane, PlanView, ProgressEvent } from './control-plane.ts'
import { doctor } from './doctor.ts'
import { observeAll } from './observe.ts'
import { postgresVersion } from './postgres-version.ts'
import { type Foretell, plannedWorld } from './planned-world.ts'
import type { Products } from './products.ts'
import type { Prove } from './proof-runner.ts'
import { allTenants, createTenantService } from './tenant-service.ts'
import { auditView, tenantView } from './views.ts'
import { boundaryOf, type Openings, type WorldReader } from './world.ts'

export interface ServiceParts {
  readonly store: StoreConnection
  readonly ledger: Ledger
  readonly notifications: Notifications
  readonly products: Products
  readonly worlds: WorldReader
  readonly prove: Prove
  readonly foretell: readonly Foretell[]
  readonly version: string
  readonly openings: Openings
}

export function createControlPlane(parts: ServiceParts): ControlPlane {
  const { store, products } = parts
  const tenants = createTenantService(store, products)
  const required = async (name: string): Promise<TenantRow> => {
    const row = await store.run((db) => findTenant(db, name))
    if (row === undefined) throw new RingfenceError('NotFound', `tenant ${name} does not exist`)
    return row
  }
  const planFor = async (input: unknown): Promise<PlanView> => {
    const { document, before } = await tenants.admit(input)
    return drawPlan(parts, document, before)
  }
  return {
    async create(input, caller) {
      const { row, created } = await tenants.create(input, caller)
      return { tenant: tenantView(row), created }
    },
    async apply(input, caller, ifMatch) {
      const { row, outcome } = await tenants.apply(input, caller, ifMatch)
      return { tenant: tenantView(row), outcome }
    },
    plan: (input) => planFor(input),
    async applyPlan(saved, caller) {
      const now = await planFor(saved.document)
      if (now.basis !== saved.basis) {
        throw new RingfenceError('WorldMoved', 'the tenant or the world changed since the plan was made; nothing was done, plan again')
      }
      const { row } = await tenants.apply(saved.document, caller)
      return tenantView(row)
    },
    get: async (name) => tenantView(await required(name)),
    async list({ phase, limit, after }) {
      const rows = await store.run((db) =>
        listTenants(db, { limit: limit + 1, ...(phase === undefined ? {} : { phase }), ...(after === undefined ? {} : { after }) }),
      )
      const items = rows.slice(0, limit).map(tenantView)
      const last = items.at(-1)?.metadata.name
      return { items, ...(rows.length > limit && last !== undefined ? { next: last } : {}) }
    },
    remove: async (name, confirm, caller, ifMatch) => tenantView(await tenants.remove(name, confirm, caller, ifMatch)),
    events: (query, signal) => progress(parts, query, signal),
    async prove(names) {
      const signal = AbortSignal.timeout(60_000)
      for (const name of names) await required(name)
      const world = await parts.worlds.read({ fresh: true, signal, ...(names.length === 0 ? {} : { inside: new Set(names) }) })
      return parts.prove(world, names.length === 0 ? {} : { tenants: names })
    },
    async audit({ tenant, after, limit }) {
      const rows = await allTenants(store)
      const named = rows.find((row) => row.name === tenant)
      // A chain outlives its tenant: an unknown name is taken for the uid of one that is gone.
      const chain = tenant === undefined ? undefined : (named?.uid ?? tenant)
      const entries = await store.run((db) => readAudit(db, { after: after ?? 0, limit: limit + 1, ...(chain === undefined ? {} : { chain }) }))
      const names = new Map(rows.map((row) => [row.uid, row.name]))
      const items = entries.slice(0, limit).map((entry) => auditView(entry, (uid) => names.get(uid)))
      const last = items.at(-1)?.sequence
      return { items, ...(entries.length > limit && last !== undefined ? { next: String(last) } : {}) }
    },
    auditDenials: (count, reason, requestId) =>
      store.transact((tx) =>
        appendAudit(tx, [
          {
            chain: 'platform',
            actor: 'unknown',
            action: 'access.denied',
            object: 'http',
            decision: 'denied',
            severity: 'warning',
            classification: 'internal',
            requestId,
            details: { count, reason },
          },
        ]),
      ),
    pause: (caller) =>
      store.transact(async (tx) => {
        await pause(tx, caller.actor)
        await appendAudit(tx, [engineFact(caller, 'engine.pause')])
      }),
    resume: (caller) =>
      store.transact(async (tx) => {
        await resume(tx)
        await appendAudit(tx, [engineFact(caller, 'engine.resume')])
      }),
    doctor: () => doctor(store, products),
    version() {
      const { facts } = products.context
      return {
        ringfence: parts.version,
        medium: facts.kubernetes?.medium ?? 'none',
        ...(facts.kubernetes?.version === undefined ? {} : { kubernetes: facts.kubernetes.version }),
        ...(facts.postgres === undefined ? {} : { postgres: postgresVersion(facts.postgres.version) }),
      }
    },
    idempotent: (key, run) => idempotent(store, key, run),
  }
}

const engineFact = (caller: Caller, action: string): AuditFact => ({
  chain: 'platform',
  actor: caller.actor,
  action,
  object: 'engine',
  decision: 'allowed',
  severity: 'warning',
  classification: 'internal',
  requestId: caller.requestId,
  details: {},
})

async function* progress(
  parts: ServiceParts,
  query: { readonly tenant?: string; readonly after?: number },
  signal: AbortSignal,
): AsyncIterable<ProgressEvent> {
  for await (const row of streamEvents(parts.store, parts.notifications, query, signal)) {
    yield {
      sequence: row.sequence,
      time: row.time.toISOString(),
      tenant: row.tenant,
      type: row.type as ProgressEvent['type'],
      reason: row.reason,
      message: row.message,
      ...(row.layer === null ? {} : { layer: row.layer }),
      ...(row.address === null ? {} : { address: row.address }),
    }
  }
}

/** The uid that a tenant would get is not known before it is made; plans of new tenants carry this one. */
const noUid = '00000000-0000-4000-8000-000000000000'

async function drawPlan(parts: ServiceParts, document: TenantDocument, before: TenantRow | undefined): Promise<PlanView> {
  const { products } = parts
  const { context } = products
  const tenant = plannedTenant(context, document, before)
  const blocked: Block[] = []
  const desired: Resource[] = []
  for (const layer of products.layers.filter((one) => one.wanted(tenant, context))) {
    const problem = products.problem(layer, tenant)
    if (problem === undefined) desired.push(...layer.desired(tenant, context))
    else blocked.push({ address: layer.name as Block['address'], code: problem.code, message: problem.message })
  }
  const stored = await parts.ledger.read(tenant.uid)
  const signal = AbortSignal.timeout(30_000)
  const observer = { driverOf: (resource: Resource) => products.driverOf(resource), window: () => ({ signal, deadlineMs: Date.now() + 8_000 }) }
  const { observed, found } = await observeAll(desired, stored, true, observer)
  const inventory = new Map([...stored.inventory, ...found.map((row) => [row.address, row] as const)])
  const drawn: Plan =
    desired.length === 0
      ? { owner: tenant, steps: [], blocked: [], forget: [], retained: [] }
      : draw({
          owner: tenant,
          desired,
          inventory,
          observed,
          credentials: stored.credentials,
          removing: false,
          diff: (resource, state) => products.driverOf(resource).diff(resource, state),
        })
  const whole: Plan = { ...drawn, blocked: [...blocked, ...drawn.blocked] }
  const boundary = boundaryOf(tenant, context, parts.openings(tenant, context, (address) => stored.inventory.get(address)?.outputs))
  const world = await parts.worlds.read({ fresh: true, signal, inside: new Set(before === undefined ? [] : [tenant.name]) })
  const report = parts.prove(plannedWorld(world, whole, boundary, parts.foretell), { tenants: [tenant.name] })
  // What would be done, to which objects, and what comes of it: a plan that differs in none of these is the same plan.
  const acts = whole.steps.map((step) => [step.address, step.verb, 'seen' in step ? step.seen.id : '', step.drift.map(({ path, from, to }) => [path, from ?? null, to ?? null])])
  const basis = createHash('sha256')
    .update(canonicalJson([before?.resourceVersion ?? 0, document, acts, whole.blocked.map(({ address, code }) => [address, code]), { ...report.summary }]))
    .digest('hex')
  return {
    tenant: tenant.name,
    uid: before?.uid ?? null,
    generation: (before?.generation ?? 0) + (before === undefined ? 1 : 0),
    basis,
    steps: whole.steps.map(({ address, resource, verb, destructive, drift, why }) => ({
      address,
      kind: resource.kind,
      externalName: resource.externalName,
      verb,
      destructive,
      drift,
      why,
    })),
    blocked: whole.blocked.map(({ address, code, message }) => ({ address, reason: code, message })),
    report,
    document,
  }
}

function plannedTenant(context: LayerContext, document: TenantDocument, before: TenantRow | undefined): Tenant {
  if (before !== undefined) return { ...tenantOf(before), spec: document.spec, labels: document.metadata.labels }
  const { name } = document.metadata
  const { spec } = document
  const names = resolveNames(context.platform, { name, slug: slugOf({ name, spec }), uid: noUid, spec })
  return { name, uid: noUid, generation: 1, spec, labels: document.metadata.labels, names }
}
