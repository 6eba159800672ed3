/** A control plane in memory: enough of the real rules for the ways in to be tested, and a hand on what it answers. */
import { randomUUID } from 'node:crypto'
import type {
  Caller,
  Check,
  ControlPlane,
  PlanView,
  ProgressEvent,
  TenantView,
} from '../../../src/engine/control-plane.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { jsonEqual } from '../../../src/model/json.ts'
import type { Json, JsonObject } from '../../../src/model/json.ts'
import { parseTenant } from '../../../src/model/parse.ts'
import type { TenantDocument } from '../../../src/model/tenant.ts'
import { reportOf } from '../../../src/model/verdict.ts'
import type { Report } from '../../../src/model/verdict.ts'
import { auditEntries, planSteps, proved } from './samples.ts'

export interface Fake extends ControlPlane {
  readonly tenants: Map<string, TenantView>
  /** Every write that reached the control plane: method and caller. */
  readonly calls: { readonly method: string; readonly caller: Caller }[]
  readonly denials: { readonly count: number; readonly reason: string; readonly requestId: string }[]
  report: Report
  checks: readonly Check[]
  /** Thrown by the next call of any method. */
  failNext: Error | undefined
  emit(event: Omit<ProgressEvent, 'sequence' | 'time'>): void
  /** Changes a tenant's status, as the engine would. */
  status(name: string, status: Partial<TenantView['status']>): void
  readonly openStreams: () => number
  readonly isPaused: () => boolean
}

const names = (name: string) => ({ namespace: `ringfence-${name}`, database: `${name}_db` })

function viewOf(document: TenantDocument, before: TenantView | undefined): TenantView {
  const { name, labels, annotations } = document.metadata
  const generation = (before?.metadata.generation ?? 0) + 1
  return {
    apiVersion: 'ringfence.dev/v1alpha1',
    kind: 'Tenant',
    metadata: {
      name,
      uid: before?.metadata.uid ?? randomUUID(),
      generation,
      resourceVersion: String(100 + generation),
      creationTimestamp: before?.metadata.creationTimestamp ?? '2026-01-01T00:00:00.000Z',
      labels,
      annotations,
    },
    spec: document.spec,
    status: { phase: 'Pending', observedGeneration: 0, names: names(name), conditions: [] },
  }
}

const sameContent = (view: TenantView, document: TenantDocument): boolean =>
  jsonEqual(view.spec as unknown as Json, document.spec as unknown as Json) &&
  jsonEqual(view.metadata.labels, document.metadata.labels)

export function fakeControlPlane(): Fake {
  const tenants = new Map<string, TenantView>()
  const calls: Fake['calls'] = []
  const denials: Fake['denials'] = []
  const events: ProgressEvent[] = []
  const wakers = new Set<() => void>()
  const remembered = new Map<string, { digest: string; answer: { status: number; body: JsonObject } }>()
  let streams = 0
  let paused = false
  const find = (name: string): TenantView => {
    const view = tenants.get(name)
    if (!view) throw new RingfenceError('NotFound', `There is no tenant ${name}.`)
    return view
  }
  const begin = (method: string, caller?: Caller): void => {
    if (caller) calls.push({ method, caller })
    const error = fake.failNext
    fake.failNext = undefined
    if (error !== undefined) throw error
  }
  const basisOf = (name: string): string => `${name}@${tenants.get(name)?.metadata.resourceVersion ?? 'absent'}`
  const store = (document: TenantDocument): TenantView => {
    const view = viewOf(document, tenants.get(document.metadata.name))
    tenants.set(view.metadata.name, view)
    return view
  }
  const fake: Fake = {
    tenants,
    calls,
    denials,
    report: reportOf([proved('acme'), proved('acme', 'network.contained')], 'live'),
    checks: [{ name: 'store', status: 'ok', message: 'PostgreSQL 18 answers' }],
    failNext: undefined,
    openStreams: () => streams,
    isPaused: () => paused,
    emit(event) {
      events.push({ ...event, sequence: events.length + 1, time: new Date().toISOString() })
      wakers.forEach((wake) => wake())
    },
    status(name, status) {
      const view = find(name)
      tenants.set(name, { ...view, status: { ...view.status, ...status } })
    },
    async create(document, caller) {
      begin('create', caller)
      const parsed = parseTenant(document)
      const before = tenants.get(parsed.metadata.name)
      if (before === undefined) return { tenant: store(parsed), created: true }
      if (sameContent(before, parsed)) return { tenant: before, created: false }
      throw new RingfenceError('AlreadyExists', `Tenant ${parsed.metadata.name} exists with other content.`)
    },
    async apply(document, caller, ifMatch) {
      begin('apply', caller)
      const parsed = parseTenant(document)
      const before = tenants.get(parsed.metadata.name)
      if (ifMatch !== undefined && before === undefined)
        throw new RingfenceError('PreconditionFailed', 'There is no such tenant.')
      if (ifMatch !== undefined && before?.metadata.resourceVersion !== ifMatch)
        throw new RingfenceError('PreconditionFailed', 'It changed.')
      if (before && sameContent(before, parsed)) return { tenant: before, outcome: 'unchanged' }
      return { tenant: store(parsed), outcome: before ? 'changed' : 'created' }
    },
    async plan(document, caller): Promise<PlanView> {
      begin('plan', caller)
      const parsed = parseTenant(document)
      const { name } = parsed.metadata
      const before = tenants.get(name)
      return {
        tenant: name,
        uid: before?.metadata.uid ?? null,
        generation: before?.metadata.generation ?? 0,
        basis: basisOf(name),
        steps: planSteps(name),
        blocked: [{ address: `${name}:database`, reason: 'Waiting', message: 'PostgreSQL is starting' }],
        report: fake.report,
        document: parsed,
      }
    },
    async applyPlan({ document, basis }, caller) {
      begin('applyPlan', caller)
      const parsed = parseTenant(document)
      if (basis !== basisOf(parsed.metadata.name))
        throw new RingfenceError('WorldMoved', 'The world moved since the plan was made.')
      return store(parsed)
    },
    async get(name) {
      begin('get')
      return find(name)
    },
    async list({ phase, limit, after }) {
      begin('list')
      const all = [...tenants.values()]
        .filter((view) => phase === undefined || view.status.phase === phase)
        .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
      const from = after === undefined ? 0 : all.findIndex((view) => view.metadata.name === after) + 1
      const items = all.slice(from, from + limit)
      const last = items.at(-1)
      return from + limit < all.length && last ? { items, next: last.metadata.name } : { items }
    },
    async remove(name, confirm, caller, ifMatch) {
      begin('remove', caller)
      const view = find(name)
      if (confirm !== name) throw new RingfenceError('Usage', 'not confirmed')
      if (ifMatch !== undefined && view.metadata.resourceVersion !== ifMatch)
        throw new RingfenceError('PreconditionFailed', 'It changed.')
      const leaving: TenantView = { ...view, status: { ...view.status, phase: 'TearingDown' } }
      tenants.set(name, leaving)
      return leaving
    },
    async *events({ tenant, after }, signal) {
      streams += 1
      try {
        let seen = after ?? 0
        while (!signal.aborted) {
          if (fake.failNext !== undefined) begin('events')
          const due = events.filter(
            (event) => event.sequence > seen && (tenant === undefined || event.tenant === tenant),
          )
          for (const event of due) {
            seen = event.sequence
            yield event
          }
          if (due.length > 0) continue
          await new Promise<void>((resolve) => {
            const wake = (): void => {
              wakers.delete(wake)
              resolve()
            }
            wakers.add(wake)
            signal.addEventListener('abort', wake, { once: true })
          })
        }
      } finally {
        streams -= 1
      }
    },
    async prove(wanted, caller) {
      begin('prove', caller)
      wanted.forEach(find)
      return fake.report
    },
    async audit({ limit, after = 0 }) {
      begin('audit')
      const all = auditEntries()
      const items = all.filter(({ sequence }) => sequence > after).slice(0, limit)
      const last = items.at(-1)
      return last && last.sequence < all.length ? { items, next: String(last.sequence) } : { items }
    },
    async auditDenials(count, reason, requestId) {
      begin('auditDenials')
      denials.push({ count, reason, requestId })
    },
    async pause(caller) {
      begin('pause', caller)
      paused = true
    },
    async resume(caller) {
      begin('resume', caller)
      paused = false
    },
    async doctor() {
      begin('doctor')
      return fake.checks
    },
    version: () => ({ ringfence: '0.1.0', kubernetes: 'v1.34.1', medium: 'live' }),
    async idempotent(key, run) {
      const id = JSON.stringify([key.caller, key.route, key.key])
      const before = remembered.get(id)
      if (before && before.digest !== key.bodyDigest)
        throw new RingfenceError('Conflict', 'The key was used with another body.')
      if (before) return { ...before.answer, replayed: true } as never
      const answer = await run()
      remembered.set(id, { digest: key.bodyDigest, answer })
      return { ...answer, replayed: false }
    },
  }
  return fake
}
