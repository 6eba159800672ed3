/**
 * One pass over one tenant, or over the platform's own objects: named phases in a fixed order with one exit. Each
 * phase fills in a part of the state or throws; whatever is thrown becomes a condition, and the pass always concludes.
 */
import { RingfenceError, toRingfenceError } from '../model/errors.ts'
import type { Layer } from '../model/layer.ts'
import { layerOf, type Resource } from '../model/resource.ts'
import type { Tenant } from '../model/tenant.ts'
import type { Verdict } from '../model/verdict.ts'
import { plan } from '../planner/plan.ts'
import { type Block, isChange, type Plan } from '../planner/step.ts'
import type { Ledger, OwnerState } from '../store/ledger.ts'
import type { TenantRow } from '../store/tenants.ts'
import { removableAdditions } from './additions.ts'
import { removeAddition } from './remove-addition.ts'
import { type Execution, execute, type StepResult } from './execute.ts'
import type { HeldLease } from './held-lease.ts'
import { type Observed, observeAll, observerOf } from './observe.ts'
import type { Products } from './products.ts'
import { engineActor } from './record.ts'

export interface PassInput {
  readonly held: HeldLease
  readonly ledger: Ledger
  readonly products: Products
  readonly requestId: string
  /** The tenant, or the platform's own objects. */
  readonly subject: { readonly row: TenantRow; readonly tenant: Tenant } | 'platform'
  /** Observe past the caches. */
  readonly fresh: boolean
  /** Prove although nothing was changed. */
  readonly mustProve: boolean
  newId(): string
  verdictsOn(tenant: string): Promise<readonly Verdict[]>
  readonly checkpoint?: Execution['checkpoint']
}

export interface PassResult {
  readonly problems: ReadonlyMap<string, RingfenceError>
  readonly layers: readonly string[]
  readonly plan: Plan | undefined
  readonly results: readonly StepResult[]
  readonly verdicts: readonly Verdict[] | undefined
  readonly fault?: RingfenceError
  /** Nothing of the tenant is left but what is retained. */
  readonly gone: boolean
}

interface State {
  problems: Map<string, RingfenceError>
  layers: readonly Layer[]
  desired: readonly Resource[]
  stored: OwnerState | undefined
  observed: Observed | undefined
  plan: Plan | undefined
  results: readonly StepResult[]
  verdicts: readonly Verdict[] | undefined
}

type Phase = readonly [name: string, run: (input: PassInput, state: State) => Promise<void>]

const phases: readonly Phase[] = [
  ['desire', desire],
  ['observe', observe],
  ['recover', recover],
  ['plan', draw],
  ['execute', carryOut],
  ['prove', prove],
  ['additions', removeAdditions],
]

export async function runPass(input: PassInput): Promise<PassResult> {
  const state: State = {
    problems: new Map(),
    layers: [],
    desired: [],
    stored: undefined,
    observed: undefined,
    plan: undefined,
    results: [],
    verdicts: undefined,
  }
  let fault: RingfenceError | undefined
  for (const [, run] of phases) {
    try {
      await run(input, state)
    } catch (error) {
      fault = toRingfenceError(error)
      break
    }
  }
  return {
    problems: state.problems,
    layers: state.layers.map((layer) => layer.name),
    plan: state.plan,
    results: state.results,
    verdicts: state.verdicts,
    gone: fault === undefined && isGone(input, state),
    ...(fault === undefined ? {} : { fault }),
  }
}

const ownerOf = (input: PassInput) =>
  input.subject === 'platform'
    ? { id: 'platform', name: 'platform' }
    : { id: input.subject.tenant.uid, name: input.subject.tenant.name }
const isRemoving = (input: PassInput): boolean => input.subject !== 'platform' && input.subject.tenant.deleting === true

/** What the layers want. A layer that cannot be served keeps what it has: its resources are desired, and blocked. */
async function desire(input: PassInput, state: State): Promise<void> {
  const { products, subject } = input
  const { context } = products
  if (subject === 'platform') {
    state.layers = products.layers
    for (const layer of state.layers) {
      const problem = products.unserved(layer)
      if (problem !== undefined) state.problems.set(layer.name, problem)
      else state.desired = [...state.desired, ...layer.platform(context)]
    }
    return
  }
  state.layers = products.layers.filter((layer) => layer.wanted(subject.tenant, context))
  if (isRemoving(input)) return
  for (const layer of state.layers) {
    const problem = products.problem(layer, subject.tenant)
    if (problem !== undefined) state.problems.set(layer.name, problem)
    else state.desired = [...state.desired, ...layer.desired(subject.tenant, context)]
  }
}

async function observe(input: PassInput, state: State): Promise<void> {
  state.stored = await input.ledger.read(ownerOf(input).id)
  // Resources of a layer that cannot be served now are neither wanted nor dropped: they are left as they are.
  if (state.problems.size > 0) {
    const kept = [...state.stored.inventory].filter(([address]) => !state.problems.has(layerOf(address)))
    state.stored = {
      ...state.stored,
      inventory: new Map(kept),
      open: state.stored.open.filter((one) => !state.problems.has(layerOf(one.address))),
    }
  }
  const fresh = input.fresh || isRemoving(input)
  state.observed = await observeAll(
    state.desired,
    state.stored,
    fresh,
    observerOf(input.held, (resource) => input.products.driverOf(resource)),
  )
}

/** Closes what an earlier pass left open, in the journal and in the audit log. */
async function recover(input: PassInput, state: State): Promise<void> {
  const { stored, observed } = known(state)
  if (observed.recovered.length === 0) return
  const owner = ownerOf(input)
  await input.ledger.write(input.held.lease, owner.id, {
    outcomes: observed.recovered.map((intent) => ({ id: intent.id, outcome: 'recovered' })),
    remember: observed.found,
    audit: observed.recovered.map((intent) => ({
      chain: owner.id,
      actor: engineActor,
      action: `resource.${intent.verb}.outcome`,
      object: intent.address,
      decision: 'recovered',
      severity: 'warning',
      classification: 'internal',
      requestId: input.requestId,
      details: { journal: intent.id, now: observed.observed.get(intent.address)?.status ?? 'unknown' },
    })),
  })
  const inventory = new Map(stored.inventory)
  for (const row of observed.found) inventory.set(row.address, row)
  state.stored = { ...stored, inventory, open: stored.open.filter((intent) => !observed.recovered.includes(intent)) }
}

async function draw(input: PassInput, state: State): Promise<void> {
  const { stored, observed } = known(state)
  if (isRemoving(input) === false && state.desired.length === 0) {
    state.plan = { owner: 'platform', steps: [], blocked: [], forget: [], retained: [] }
    return
  }
  const drawn = plan({
    owner:
      input.subject === 'platform' ? 'platform' : { name: input.subject.tenant.name, uid: input.subject.tenant.uid },
    desired: state.desired,
    inventory: stored.inventory,
    observed: observed.observed,
    credentials: stored.credentials,
    removing: isRemoving(input),
    diff: (resource, seen) => input.products.driverOf(resource).diff(resource, seen),
  })
  state.plan = { ...drawn, blocked: [...drawn.blocked, ...inDoubt(stored, state.desired, observed)] }
  if (drawn.forget.length > 0) {
    await input.ledger.write(input.held.lease, ownerOf(input).id, {
      forget: drawn.forget,
      forgetCredentials: drawn.forget,
    })
  }
}

/**
 * What a call without recorded outcome may have made, and cannot be looked at now: nothing that is wanted or remembered,
 * so the planner does not know of it, and yet perhaps there.
 */
function inDoubt(stored: OwnerState, desired: readonly Resource[], { observed }: Observed): readonly Block[] {
  const known = new Set([...stored.inventory.keys(), ...desired.map((resource) => resource.address)])
  return stored.open.flatMap(({ address, resource }) => {
    const seen = observed.get(address)
    if (known.has(address) || seen?.status !== 'unreadable') return []
    const message = `whether ${resource.kind} ${resource.externalName} was made is not known: ${seen.cause.message}`
    return [{ address, code: seen.cause.code, message, cause: seen.cause }]
  })
}

async function carryOut(input: PassInput, state: State): Promise<void> {
  const { stored, observed } = known(state)
  if (state.plan === undefined) return
  const owner = ownerOf(input)
  state.results = await execute(state.plan, {
    held: input.held,
    ledger: input.ledger,
    owner: owner.id,
    ownerName: owner.name,
    requestId: input.requestId,
    credentials: stored.credentials,
    outputsOf: (address) => {
      const seen = observed.observed.get(address)
      return seen?.status === 'owned' && seen.ready ? seen.outputs : undefined
    },
    driverOf: (resource) => input.products.driverOf(resource),
    newId: () => input.newId(),
    ...(input.checkpoint === undefined ? {} : { checkpoint: input.checkpoint }),
  })
}

/** A proof follows every change, and whenever it is asked for; what is not built yet is not judged. */
async function prove(input: PassInput, state: State): Promise<void> {
  if (input.subject === 'platform' || isRemoving(input)) return
  const changed = state.plan?.steps.some(isChange) === true
  if (!changed && !input.mustProve) return
  if (isBeingBuilt(input.subject.row) && isIncomplete(state)) return
  state.verdicts = await input.verdictsOn(input.subject.tenant.name)
}

/** A tenant that never stood and of which a part still waits is no finding yet; one that stood is judged always. */
const isBeingBuilt = (row: TenantRow): boolean => row.phase === 'Pending' || row.phase === 'Provisioning'
const isIncomplete = (state: State): boolean =>
  state.problems.size > 0 ||
  (state.plan?.blocked.length ?? 0) > 0 ||
  state.results.some((result) => result.outcome !== 'done')

async function removeAdditions(input: PassInput, state: State): Promise<void> {
  const { subject, products } = input
  const { kubernetes } = products
  if (subject === 'platform' || state.verdicts === undefined || kubernetes === undefined) return
  const { tenant } = subject
  const { inventory } = await input.ledger.read(tenant.uid)
  const { enforcement } = products.context.platform
  const culprits = removableAdditions(state.verdicts, [tenant.names.namespace], inventory.values(), enforcement)
  if (culprits.length === 0) return
  for (const culprit of culprits) await removeAddition(kubernetes, culprit, { ...input, tenant })
  state.verdicts = await input.verdictsOn(tenant.name)
}

function known(state: State): { stored: OwnerState; observed: Observed } {
  if (state.stored === undefined || state.observed === undefined)
    throw new RingfenceError('Internal', 'the pass did not observe')
  return { stored: state.stored, observed: state.observed }
}

function isGone(input: PassInput, state: State): boolean {
  if (!isRemoving(input) || state.plan === undefined || state.stored === undefined) return false
  const { steps, blocked, forget, retained } = state.plan
  return steps.length === 0 && blocked.length === 0 && state.stored.inventory.size === forget.length + retained.length
}
