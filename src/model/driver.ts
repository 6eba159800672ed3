/**
 * The contract between the engine, which decides, and the drivers, which carry out one call on one object each and
 * decide nothing. Call order, how often a verb may run, and what an answer means are part of it; the conformance
 * suite in `test/conformance` holds every driver to it.
 */
import type { RingfenceError } from './errors.ts'
import type { Json, JsonObject } from './json.ts'
import type { Address, BackendId, Outputs, Resource } from './resource.ts'

/** `unreadable` is never taken for `absent`; `foreign` is never changed. */
export type Observation =
  | { readonly status: 'absent' }
  | Owned
  | {
      readonly status: 'deleting'
      readonly id: BackendId
      readonly heldBy: readonly string[]
      readonly sinceMs?: number
    }
  | Foreign
  | { readonly status: 'unreadable'; readonly cause: RingfenceError }

export interface Owned {
  readonly status: 'owned'
  readonly id: BackendId
  /** The object in the shape of the resource's spec, with whatever else the backend says that may be drift. */
  readonly state: JsonObject
  readonly outputs: Outputs
  /** Usable now. A namespace is, a database that is still being made is not. */
  readonly ready: boolean
  /** Fingerprints of the credentials that the object holds, by slot; undefined where the backend cannot say. */
  readonly credentials?: { readonly [slot: string]: string | undefined }
  readonly retryAfterMs?: number
}

/** An object of that name with an id that the inventory does not know. */
export interface Foreign {
  readonly status: 'foreign'
  readonly id: BackendId
  readonly state: JsonObject
  readonly owner?: string
}

/** One difference between desired and observed; `path` is an RFC 6901 pointer. */
export interface Drift {
  readonly path: string
  readonly from: Json | undefined
  readonly to: Json | undefined
  /** `update` in place, `replace` by delete and create, `refuse` when the backend can do neither without losing data. */
  readonly how: 'update' | 'replace' | 'refuse'
}

/** A credential in clear, on its way from the engine to a source or a verifier. Never logged, stored or returned. */
export interface Material {
  readonly clear: string
  /** What the source's observation will show for it afterwards. */
  readonly sourceFingerprint: string
}

/** Everything that a call may use besides its arguments. */
export interface Call {
  readonly signal: AbortSignal
  /** Epoch milliseconds by which the call must have answered. */
  readonly deadlineMs: number
  /** The journal id; sent as idempotency key where the backend takes one. */
  readonly key: string
  /** The id that the inventory holds for this address, if any: what makes an object ours. */
  readonly knownId?: BackendId
  /**
   * Set when an earlier create of this address has no recorded outcome. If an object is there, and the backend can
   * show that this very create made it (the journal id is on it as a mark), it is observed as `owned`.
   */
  readonly openCreateKey?: string
  /** Must not come from a cache: the answer decides about a deletion or follows a doubt. */
  readonly fresh?: boolean
  /** The credentials of this step, by slot. */
  readonly material?: { readonly [slot: string]: Material }
}

/**
 * One per product and kind. All verbs are idempotent, throw only `RingfenceError`, neither retry nor log, and honour
 * `call.signal`. `diff` is pure and is empty exactly when the object is up to date.
 */
export interface Driver {
  /** What it can promise about a stalled writer: the backend fences, calls are conditional on ids, or only deadlines hold. */
  readonly fencing: 'native' | 'conditional' | 'deadline'
  observe(resource: Resource, call: Call): Promise<Observation>
  /** `resource.spec` has its outputs resolved. Paths only name what differs; values of secrets never appear. */
  diff(resource: Resource, state: JsonObject): readonly Drift[]
  /**
   * Never merges into what is there: an existing object throws `AlreadyExists`. Answers the observation of what it
   * made (so that no second read is needed), or `unknown` when the answer was lost on the way.
   */
  create(resource: Resource, call: Call): Promise<Owned | 'unknown'>
  /** Conditional on `seen.id`; throws `Conflict` when the object is another one by now. */
  update(resource: Resource, seen: Owned, drift: readonly Drift[], call: Call): Promise<Owned>
  /** Conditional on `seen.id`. Returns when the deletion is accepted; absence is observed afterwards. */
  remove(resource: Resource, seen: Owned, call: Call): Promise<void>
  /** Marks an existing object as ours, for `resource.adopt` only. */
  adopt?(resource: Resource, seen: Foreign, call: Call): Promise<Owned>
  /** Undoes what we did to an adopted object and leaves it to its owner. */
  release?(resource: Resource, seen: Owned, call: Call): Promise<void>
}

/** A running product connection: its drivers by kind, what it can tell the prover, and what changes in it. */
export interface Backend {
  readonly name: string
  readonly drivers: { readonly [kind: string]: Driver }
  /** Names what changed outside of us: external names by kind, or `resync` when some changes may have been missed. */
  changes?(signal: AbortSignal): AsyncIterable<BackendChange>
  /** Throws `Waiting` or a connection error while the backend cannot serve. */
  check(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export type BackendChange = { readonly kind: string; readonly externalName: string } | 'resync'

export type AddressedObservation = readonly [Address, Observation]
