/**
 * The order of a plan's steps: needed things first when building, what stands on others first when removing. What has
 * to wait becomes a block.
 */
import { RingfenceError } from '../model/errors.ts'
import { type Address, type Resource, resolveOutputs } from '../model/resource.ts'
import { type Block, isChange, type PlanInput, type Step } from './step.ts'

/**
 * Needed things first. An existing object is still kept as it should be when its ground is blocked; what is yet to be
 * made, and a credential whose other end is blocked, have to wait.
 */
export function orderBuilding(input: PlanInput, steps: readonly Step[], blocked: Map<Address, Block>): readonly Step[] {
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
export function orderRemoval(
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
function restsOn(resource: Resource): readonly Address[] {
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
