/** The control plane behind every way in: reads from the store, acts through the tenant service, proves on demand. */
import { type AuditFact, platformChain } from '../audit/entry.ts'
import { RingfenceError } from '../model/errors.ts'
import type { Report } from '../model/verdict.ts'
import { appendAudit, readAudit } from '../store/audit-log.ts'
import type { StoreConnection } from '../store/connection.ts'
import { streamEvents } from '../store/events.ts'
import { idempotent } from '../store/idempotency.ts'
import type { Notifications } from '../store/notifications.ts'
import { trigger } from '../store/leases.ts'
import { findTenant, listTenants, type TenantRow } from '../store/tenants.ts'
import { pause, resume } from '../store/operations.ts'
import type { Caller, ControlPlane, PlanView, ProgressEvent } from './control-plane.ts'
import { doctor } from './doctor.ts'
import { drawPlan, type PlanParts } from './draw-plan.ts'
import { postgresVersion } from './postgres-version.ts'
import { allTenants, createTenantService } from './tenant-service.ts'
import { auditView, tenantView } from './views.ts'
import { freshReason, platformKey } from './worker.ts'

export interface ServiceParts extends PlanParts {
  readonly store: StoreConnection
  readonly notifications: Notifications
  readonly version: string
}

type Acts = Pick<ControlPlane, 'create' | 'apply' | 'plan' | 'applyPlan' | 'remove'>
type Reads = Pick<ControlPlane, 'get' | 'list' | 'events' | 'prove' | 'audit'>
type Operations = Pick<ControlPlane, 'auditDenials' | 'pause' | 'resume' | 'doctor' | 'version' | 'idempotent'>

export const createControlPlane = (parts: ServiceParts): ControlPlane => ({
  ...acts(parts),
  ...reads(parts),
  ...operations(parts),
})

function acts(parts: ServiceParts): Acts {
  const tenants = createTenantService(parts.store, parts.products)
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
      const { document, before } = await tenants.admit(saved.document)
      const now = await drawPlan(parts, document, before)
      if (now.basis !== saved.basis) {
        throw new RingfenceError(
          'WorldMoved',
          'the tenant or the world changed since the plan was made; nothing was done, plan again',
        )
      }
      // What was judged is what is changed: a tenant that was written, or made, meanwhile is refused.
      if (before === undefined) return tenantView((await tenants.create(document, caller)).row)
      return tenantView((await tenants.apply(document, caller, String(before.resourceVersion))).row)
    },
    remove: async (name, confirm, caller, ifMatch) => tenantView(await tenants.remove(name, confirm, caller, ifMatch)),
  }
}

function reads(parts: ServiceParts): Reads {
  const { store } = parts
  const required = async (name: string): Promise<TenantRow> => {
    const row = await store.run((db) => findTenant(db, name))
    if (row === undefined) throw new RingfenceError('NotFound', `tenant ${name} does not exist`)
    return row
  }
  return {
    get: async (name) => tenantView(await required(name)),
    async list({ phase, limit, after }) {
      const rows = await store.run((db) =>
        listTenants(db, {
          limit: limit + 1,
          ...(phase === undefined ? {} : { phase }),
          ...(after === undefined ? {} : { after }),
        }),
      )
      const items = rows.slice(0, limit).map(tenantView)
      const last = items.at(-1)?.metadata.name
      return { items, ...(rows.length > limit && last !== undefined ? { next: last } : {}) }
    },
    events: (query, signal) => progress(parts, query, signal),
    async prove(names) {
      const signal = AbortSignal.timeout(60_000)
      for (const name of names) await required(name)
      const world = await parts.worlds.read({
        fresh: true,
        signal,
        ...(names.length === 0 ? {} : { inside: new Set(names) }),
      })
      const report = parts.prove(world, names.length === 0 ? {} : { tenants: names })
      await lookAgain(store, report).catch(() => undefined)
      return report
    },
    async audit({ tenant, after, limit }) {
      const rows = await allTenants(store)
      const named = rows.find((row) => row.name === tenant)
      // A chain outlives its tenant: an unknown name is taken for the uid of one that is gone.
      const chain = tenant === undefined ? undefined : (named?.uid ?? tenant)
      const entries = await store.run((db) =>
        readAudit(db, { after: after ?? 0, limit: limit + 1, ...(chain === undefined ? {} : { chain }) }),
      )
      const names = new Map(rows.map((row) => [row.uid, row.name]))
      const items = entries.slice(0, limit).map((entry) => auditView(entry, (uid) => names.get(uid)))
      const last = items.at(-1)?.sequence
      return { items, ...(entries.length > limit && last !== undefined ? { next: String(last) } : {}) }
    },
  }
}

function operations(parts: ServiceParts): Operations {
  const { store, products } = parts
  return {
    auditDenials: (count, reason, requestId) =>
      store.transact((tx) =>
        appendAudit(tx, [
          {
            chain: platformChain,
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

/** What a proof refutes is repaired now: it looks into databases, which tell nobody when something in them changes. */
async function lookAgain(store: StoreConnection, report: Report): Promise<void> {
  const off = new Set(
    report.verdicts.filter((verdict) => verdict.verdict === 'refuted').map((verdict) => verdict.tenant),
  )
  if (off.size === 0 || report.source === 'planned') return
  const rows = await allTenants(store)
  const keys = rows.filter((row) => off.has(row.name)).map((row) => row.uid)
  await store.run((db) => trigger(db, [platformKey, ...keys], freshReason))
}

const engineFact = (caller: Caller, action: string): AuditFact => ({
  chain: platformChain,
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
