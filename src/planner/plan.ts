/**
 * The planner: desired, inventory and observations in, steps out. Pure and total; it alone decides what is created,
 * changed and removed, and in which order. What cannot be read or is not ours becomes a block, never a step.
 */
import type { Drift, Foreign, Observation, Owned } from '../model/driver.ts'
import { type ErrorCode, RingfenceError } from '../model/errors.ts'
import { jsonEqual, type JsonObject } from '../model/json.ts'
import {
  type Address,
  type BackendId,
  type Outputs,
  type Resource,
  resolveOutputs,
  type TenantRef,
} from '../model/resource.ts'
import { type CredentialRow, credentialsInDoubt, type Rotation } from './credentials.ts'

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

export function plan(input: PlanInput): Plan {
  if (!input.removing && input.desired.length === 0 && input.inventory.size > 0) {
    throw new RingfenceError(
      'Guarded',
      'no resource is desired although the tenant is not being removed; nothing is pruned',
    )
  }
  const draft: Draft = { steps: [], blocked: [], forget: [], retained: [] }
  const rotations = credentialsInDoubt(input.desired, input.observed, input.credentials)
  for (const resource of input.removing ? [] : input.desired) want(resource, input, rotations, draft)
  const wanted = new Set(input.removing ? [] : input.desired.map((resource) => resource.address))
  const leaving = [...input.inventory.values()].filter((row) => !wanted.has(row.address))
  for (const row of leaving) drop(row, input, leaving, draft)
  return settle(input, draft)
}

interface Draft {
  steps: Step[]
  blocked: Block[]
  forget: Address[]
  retained: InventoryRow[]
}

const unread = (address: Address): Observation => ({
  status: 'unreadable',
  cause: new RingfenceError('Unreadable', `${address} was not observed`),
})

function want(
  resource: Resource,
  input: PlanInput,
  rotationsBySlot: ReadonlyMap<Address, readonly Rotation[]>,
  draft: Draft,
): void {
  const { address } = resource
  const seen = input.observed.get(address) ?? unread(address)
  const rotations = rotationsBySlot.get(address) ?? []
  const base = { address, resource, drift: [], destructive: false, after: [], rotations }
  switch (seen.status) {
    case 'unreadable':
      draft.blocked.push({ address, code: seen.cause.code, message: seen.cause.message, cause: seen.cause })
      return
    case 'deleting':
      draft.blocked.push({ address, code: 'Waiting', message: deletingMessage(resource, seen.heldBy) })
      return
    case 'foreign':
      if (resource.adopt === true) draft.steps.push({ ...base, verb: 'adopt', seen, why: 'adoption' })
      else draft.blocked.push({ address, code: 'NameConflict', message: foreignMessage(resource, seen) })
      return
    case 'absent':
      if (resource.adopt === true) {
        draft.blocked.push({
          address,
          code: 'NotFound',
          message: `${resource.kind} ${resource.externalName} is to be adopted and is not there`,
        })
      } else draft.steps.push({ ...base, verb: 'create', why: input.inventory.has(address) ? 'lost' : 'new' })
      return
    case 'owned':
      draft.steps.push(compare(resource, seen, input, rotations, draft))
  }
}

function compare(
  resource: Resource,
  seen: Owned,
  input: PlanInput,
  rotations: readonly Rotation[],
  draft: Draft,
): Step {
  const { address } = resource
  const base = { address, resource, after: [], rotations, seen, destructive: false, drift: [] as readonly Drift[] }
  const resolved = resolveOutputs(resource.spec, (of) => outputsOf(of, input))
  if ('missing' in resolved) {
    draft.blocked.push({ address, code: 'Waiting', message: `waits for ${resolved.missing.join(', ')}` })
    return { ...base, verb: 'none', why: 'up to date' }
  }
  const drift = input.diff({ ...resource, spec: resolved.spec }, seen.state)
  const refused = drift.filter((difference) => difference.how === 'refuse')
  if (refused.length > 0) {
    draft.blocked.push({
      address,
      code: 'Rejected',
      message: `${refused.map((difference) => difference.path).join(', ')} of ${resource.kind} ${resource.externalName} cannot be changed without losing data`,
    })
    return { ...base, verb: 'none', why: 'up to date' }
  }
  if (drift.some((difference) => difference.how === 'replace')) {
    return { ...base, verb: 'replace', drift, destructive: true, why: changeReason(resource, input) }
  }
  if (drift.length > 0) return { ...base, verb: 'update', drift, why: changeReason(resource, input) }
  if (rotations.length > 0) return { ...base, verb: 'update', why: 'credential' }
  return { ...base, verb: 'none', why: 'up to date' }
}

/** The same spec as last applied, and yet a difference: somebody else changed the object. */
function changeReason(resource: Resource, input: PlanInput): 'drift' | 'spec' {
  const before = input.inventory.get(resource.address)?.resource.spec
  return jsonEqual(before, resource.spec) ? 'drift' : 'spec'
}

function drop(row: InventoryRow, input: PlanInput, leaving: readonly InventoryRow[], draft: Draft): void {
  const { address, resource } = row
  const seen = input.observed.get(address) ?? unread(address)
  switch (seen.status) {
    case 'absent':
    case 'foreign':
      draft.forget.push(address)
      return
    case 'unreadable':
      draft.blocked.push({ address, code: seen.cause.code, message: seen.cause.message, cause: seen.cause })
      return
    case 'deleting':
      draft.blocked.push({ address, code: 'Waiting', message: deletingMessage(resource, seen.heldBy) })
      return
    case 'owned': {
      const why = input.removing ? 'removal' : 'dropped'
      const base = { address, resource, drift: [], after: [], rotations: [], seen, why } as const
      if (row.adopted) draft.steps.push({ ...base, verb: 'release', destructive: false })
      else if (resource.onRemove === 'retain') draft.retained.push(row)
      else if (!goesWithContainer(row, leaving)) draft.steps.push({ ...base, verb: 'delete', destructive: true })
    }
  }
}

/** A fence inside a container that is deleted as well goes with it, so that it stands until the very end. */
function goesWithContainer(row: InventoryRow, leaving: readonly InventoryRow[]): boolean {
  const container = leaving.find((other) => other.address === row.resource.within)
  if (container === undefined || container.adopted || container.resource.onRemove === 'retain') return false
  return leaving.some((other) => other.resource.needs.includes(row.address))
}

/** Blocks what stands on something blocked, and orders what is left. */
function settle(input: PlanInput, draft: Draft): Plan {
  const blocked = new Map<Address, Block>(draft.blocked.map((block) => [block.address, block]))
  const building = orderBuilding(
    input,
    draft.steps.filter((step) => !leaves(step)),
    blocked,
  )
  const removing = orderRemoval(input, draft.steps.filter(leaves), building, blocked)
  return {
    owner: input.owner,
    steps: [...building, ...removing],
    blocked: [...blocked.values()],
    forget: draft.forget,
    retained: draft.retained,
  }
}

const leaves = (step: Step): boolean => step.verb === 'delete' || step.verb === 'release'

/**
 * Needed things first. An existing object is still kept as it should be when its ground is blocked; what is yet to be
 * made, and a credential whose other end is blocked, have to wait.
 */
function orderBuilding(input: PlanInput, steps: readonly Step[], blocked: Map<Address, Block>): readonly Step[] {
  const kept = new Map<Address, Step>()
  const desired = new Set(input.desired.map((resource) => resource.address))
  const name = input.owner === 'platform' ? 'platform' : input.owner.name
  // Ground of a layer that cannot be served now is neither stated nor seen. The platform's is made before any tenant's.
  const unseen = (address: Address): boolean =>
    !desired.has(address) && address.startsWith(`${name}:`) && input.observed.get(address)?.status !== 'owned'
  for (const step of topological(steps)) {
    const ground = restsOn(step.resource)
    const shut = ground.filter((address) => blocked.has(address) || unseen(address))
    const waits =
      step.verb === 'create' ||
      step.verb === 'adopt' ||
      step.rotations.some((rotation) => shut.includes(rotation.source))
    if (shut.length > 0 && waits) {
      blocked.set(step.address, { address: step.address, code: 'Waiting', message: `waits for ${shut.join(', ')}` })
      continue
    }
    const after = ground.filter((address) => {
      const before = kept.get(address)
      return before !== undefined && isChange(before)
    })
    kept.set(step.address, { ...step, after })
  }
  return [...kept.values()]
}

/**
 * What stands on a thing goes before it, through whatever lies between. While building, nothing is dropped before all
 * that replaces it stands, and nothing at all while a part is blocked.
 */
function orderRemoval(
  input: PlanInput,
  steps: readonly Step[],
  building: readonly Step[],
  blocked: Map<Address, Block>,
): readonly Step[] {
  const leaving = [...input.inventory.values()].filter(
    (row) => input.removing || !input.desired.some((resource) => resource.address === row.address),
  )
  const above = (address: Address, found = new Set<Address>()): Set<Address> => {
    for (const row of leaving) {
      if (found.has(row.address) || !restsOn(row.resource).includes(address)) continue
      found.add(row.address)
      above(row.address, found)
    }
    return found
  }
  const removed = new Set(steps.map((step) => step.address))
  const changes = building.filter(isChange).map((step) => step.address)
  const shut = new Set(blocked.keys())
  const kept: Step[] = []
  for (const step of steps) {
    const standing = [...above(step.address)]
    const waitsFor = standing.filter((address) => shut.has(address))
    if (waitsFor.length > 0 || (!input.removing && shut.size > 0)) {
      const message =
        waitsFor.length > 0 ? `is removed after ${waitsFor.join(', ')}` : 'is dropped once everything else is in place'
      blocked.set(step.address, { address: step.address, code: 'Waiting', message })
      continue
    }
    kept.push({ ...step, after: [...standing.filter((address) => removed.has(address)), ...changes] })
  }
  return kept
}

/** What a resource stands on: what it names as needed, its verifiers' sources, and the outputs that it uses. */
export function restsOn(resource: Resource): readonly Address[] {
  const found = new Set<Address>(resource.needs)
  for (const slot of resource.secrets) if (slot.role === 'verifier') found.add(slot.source)
  const outputs = resolveOutputs(resource.spec, () => undefined)
  if ('missing' in outputs) for (const address of outputs.missing) found.add(address)
  found.delete(resource.address)
  return [...found]
}

/** Needed things first; a circle of needs is a fault of the code that stated them. */
function topological(steps: readonly Step[]): readonly Step[] {
  const byAddress = new Map(steps.map((step) => [step.address, step]))
  const done = new Set<Address>()
  const order: Step[] = []
  const visit = (step: Step, path: readonly Address[]): void => {
    if (done.has(step.address)) return
    if (path.includes(step.address))
      throw new RingfenceError('Internal', `resources need each other in a circle: ${path.join(' → ')}`)
    for (const address of restsOn(step.resource)) {
      const needed = byAddress.get(address)
      if (needed !== undefined) visit(needed, [...path, step.address])
    }
    done.add(step.address)
    order.push(step)
  }
  for (const step of steps) visit(step, [])
  return order
}

function outputsOf(address: Address, input: PlanInput): Outputs | undefined {
  const seen = input.observed.get(address)
  return seen?.status === 'owned' && seen.ready ? seen.outputs : undefined
}

const foreignMessage = (resource: Resource, seen: Foreign): string =>
  `${resource.kind} ${resource.externalName} is there already and is not ours${seen.owner === undefined ? '' : ` (it says: ${seen.owner})`}; it is left alone`
const deletingMessage = (resource: Resource, heldBy: readonly string[]): string =>
  `${resource.kind} ${resource.externalName} is being deleted${heldBy.length === 0 ? '' : `, held by ${heldBy.join(', ')}`}`
