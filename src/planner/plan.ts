/**
 * The planner: desired, inventory and observations in, steps out. Pure and total; it alone decides what is created,
 * changed and removed, and in which order. What cannot be read or is not ours becomes a block, never a step.
 */
import type { Drift, Foreign, Observation, Owned } from '../model/driver.ts'
import { RingfenceError } from '../model/errors.ts'
import { jsonEqual } from '../model/json.ts'
import { type Address, type Outputs, type Resource, resolveOutputs } from '../model/resource.ts'
import { credentialsInDoubt, type Rotation } from './credentials.ts'
import { orderBuilding, orderRemoval } from './order.ts'
import type { Block, InventoryRow, Plan, PlanInput, Step } from './step.ts'

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

function outputsOf(address: Address, input: PlanInput): Outputs | undefined {
  const seen = input.observed.get(address)
  return seen?.status === 'owned' && seen.ready ? seen.outputs : undefined
}

const foreignMessage = (resource: Resource, seen: Foreign): string =>
  `${resource.kind} ${resource.externalName} is there already and is not ours${seen.owner === undefined ? '' : ` (it says: ${seen.owner})`}; it is left alone`
const deletingMessage = (resource: Resource, heldBy: readonly string[]): string =>
  `${resource.kind} ${resource.externalName} is being deleted${heldBy.length === 0 ? '' : `, held by ${heldBy.join(', ')}`}`
