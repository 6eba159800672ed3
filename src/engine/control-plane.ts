/**
 * What the three ways in (HTTP, CLI, later the console) may ask of the control plane. One interface, so that none of
 * them holds a rule of its own. Every method throws `RingfenceError` only.
 */
import type { JsonObject } from '../model/json.ts'
import type { Drift } from '../model/driver.ts'
import type { Address } from '../model/resource.ts'
import type { Condition, Phase } from '../model/status.ts'
import type { TenantDocument } from '../model/tenant.ts'
import type { Report } from '../model/verdict.ts'

export type { Condition, Phase } from '../model/status.ts'

export interface TenantView {
  readonly apiVersion: 'ringfence.dev/v1alpha1'
  readonly kind: 'Tenant'
  readonly metadata: {
    readonly name: string
    readonly uid: string
    readonly generation: number
    /** Changes with every write of spec or labels; the ETag of the HTTP API. */
    readonly resourceVersion: string
    readonly creationTimestamp: string
    readonly deletionTimestamp?: string
    readonly labels: { readonly [key: string]: string }
    readonly annotations: { readonly [key: string]: string }
  }
  readonly spec: TenantDocument['spec']
  readonly status: {
    readonly phase: Phase
    readonly observedGeneration: number
    readonly names: { readonly [what: string]: string }
    readonly conditions: readonly Condition[]
    /** The newest proof of this tenant, where one was made. */
    readonly proof?: {
      readonly at: string
      readonly proved: number
      readonly refuted: number
      readonly undecided: number
    }
  }
}

export type StepVerb = 'create' | 'update' | 'replace' | 'delete' | 'adopt' | 'release' | 'none'

export interface PlanView {
  readonly tenant: string
  readonly uid: string | null
  readonly generation: number
  /** Identifies the world that the plan was made in; applying it in another one answers WorldMoved. */
  readonly basis: string
  readonly steps: readonly {
    readonly address: Address
    readonly kind: string
    readonly externalName: string
    readonly verb: StepVerb
    readonly destructive: boolean
    readonly drift: readonly Drift[]
    readonly why: string
  }[]
  /** Layers and resources that cannot be planned, with the reason. */
  readonly blocked: readonly { readonly address: string; readonly reason: string; readonly message: string }[]
  /** The prover's verdict on the planned state. */
  readonly report: Report
  readonly document: TenantDocument
}

export interface ProgressEvent {
  /** Grows; a reader that comes back names the last one it saw. */
  readonly sequence: number
  readonly time: string
  readonly tenant: string
  readonly type: 'phase' | 'step' | 'drift' | 'condition' | 'proof' | 'warning'
  readonly reason: string
  readonly message: string
  readonly layer?: string
  readonly address?: string
}

export interface AuditEntryView {
  readonly sequence: number
  readonly time: string
  readonly tenant: string | null
  readonly actor: string
  readonly action: string
  readonly object: string
  readonly decision: string
  readonly severity: string
  readonly classification: string
  readonly details: JsonObject
  readonly requestId: string
  readonly previousHash: string
  readonly hash: string
}

export interface Check {
  readonly name: string
  readonly status: 'ok' | 'warning' | 'failed'
  readonly message: string
  /** What to do about it. */
  readonly fix?: string
}

/** Who asks. `actor` is already a pseudonym. */
export interface Caller {
  readonly actor: string
  readonly requestId: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Opaque; absent on the last page. */
  readonly next?: string
}

export interface ControlPlane {
  /** Creates; the same content again is a no-op, other content AlreadyExists. InvalidDocument lists every problem. */
  create(document: unknown, caller: Caller): Promise<{ tenant: TenantView; created: boolean }>
  /** Creates or replaces the spec. `ifMatch` is the resource version that the caller has seen. */
  apply(
    document: unknown,
    caller: Caller,
    ifMatch?: string,
  ): Promise<{ tenant: TenantView; outcome: 'created' | 'changed' | 'unchanged' }>
  /** What applying the document would do, with the verdict on the planned state. Writes nothing. */
  plan(document: unknown, caller: Caller): Promise<PlanView>
  /** Applies a plan made by `plan`, or answers WorldMoved and changes nothing. */
  applyPlan(plan: { readonly document: unknown; readonly basis: string }, caller: Caller): Promise<TenantView>
  get(name: string): Promise<TenantView>
  list(query: { readonly phase?: Phase; readonly limit: number; readonly after?: string }): Promise<Page<TenantView>>
  /** Asks for removal; answers at once, progress comes as events. `confirm` must be the tenant's name. */
  remove(name: string, confirm: string, caller: Caller, ifMatch?: string): Promise<TenantView>
  /** Past events after `after`, then new ones as they come, until the signal aborts. */
  events(
    query: { readonly tenant?: string; readonly after?: number },
    signal: AbortSignal,
  ): AsyncIterable<ProgressEvent>
  /** Live proof over what the backends say now; all tenants when none is named. A name that is not there is NotFound. */
  prove(tenants: readonly string[], caller: Caller): Promise<Report>
  audit(query: {
    readonly tenant?: string
    readonly after?: number
    readonly limit: number
  }): Promise<Page<AuditEntryView>>
  /** Writes an entry for refused requests, aggregated by the caller. */
  auditDenials(count: number, reason: string, requestId: string): Promise<void>
  /** Stops every replica from changing anything until `resume`; proofs and plans go on. Repeating either is safe. */
  pause(caller: Caller): Promise<void>
  resume(caller: Caller): Promise<void>
  doctor(): Promise<readonly Check[]>
  version(): {
    readonly ringfence: string
    readonly kubernetes?: string
    readonly postgres?: string
    readonly medium: 'live' | 'manifests' | 'none'
  }
  /** Remembers answers by caller, route, key and body digest; the same key with another body is Conflict. */
  idempotent<T extends JsonObject>(
    key: { readonly caller: string; readonly route: string; readonly key: string; readonly bodyDigest: string },
    run: () => Promise<{ status: number; body: T }>,
  ): Promise<{ status: number; body: T; replayed: boolean }>
}
