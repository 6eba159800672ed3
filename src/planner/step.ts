/** What goes into the planner and what comes out of it: inventory rows, steps, blocks and the plan itself, as data. */
import type { Drift, Foreign, Observation, Owned } from '../model/driver.ts'
import type { ErrorCode, RingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { Address, BackendId, Outputs, Resource, TenantRef } from '../model/resource.ts'
import type { CredentialRow, Rotation } from './credentials.ts'

/** What the store remembers of a resource that was made: the backend's id is what makes it ours. */
export interface InventoryRow {
  readonly address: Address
  readonly id: BackendId
  /** As it was last applied; its `needs` order the removal. */
  readonly resource: Resource
  readonly outputs: Outputs
  readonly adopted: boolean
}

export interface PlanInput {
  readonly owner: TenantRef | 'platform'
  readonly desired: readonly Resource[]
  readonly inventory: ReadonlyMap<Address, InventoryRow>
  /** For every address that is desired or in the inventory; one that is missing here is planned as unreadable. */
  readonly observed: ReadonlyMap<Address, Observation>
  readonly credentials: readonly CredentialRow[]
  /** The tenant is on its way out: nothing is desired, all that is ours goes, by the rules of `retain`. */
  readonly removing: boolean
  /** The drivers' pure comparison; the resource's outputs are resolved. */
  diff(resource: Resource, state: JsonObject): readonly Drift[]
}

interface StepBase {
  readonly address: Address
  readonly resource: Resource
  readonly drift: readonly Drift[]
  readonly destructive: boolean
  /** Why, in a few words for people and the audit log; `found` says that somebody else changed the world. */
  readonly why: 'new' | 'lost' | 'drift' | 'spec' | 'credential' | 'dropped' | 'removal' | 'adoption' | 'up to date'
  /** Steps of this plan that must be done before. */
  readonly after: readonly Address[]
  readonly rotations: readonly Rotation[]
}
export type Step = StepBase &
  (
    | { readonly verb: 'create' }
    | { readonly verb: 'update' | 'replace' | 'delete' | 'release' | 'none'; readonly seen: Owned }
    | { readonly verb: 'adopt'; readonly seen: Foreign }
  )

export interface Block {
  readonly address: Address
  readonly code: ErrorCode
  readonly message: string
  readonly cause?: RingfenceError
}

export interface Plan {
  readonly owner: TenantRef | 'platform'
  readonly steps: readonly Step[]
  readonly blocked: readonly Block[]
  /** Rows whose object is surely gone, or another's by now. */
  readonly forget: readonly Address[]
  /** Objects that stay behind by `retain`. */
  readonly retained: readonly InventoryRow[]
}

export const isChange = (step: Step): boolean => step.verb !== 'none'
