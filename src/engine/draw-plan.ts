/** A plan for people: what applying a document would do, and the prover's verdict on the state that it would leave. */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../audit/canonical.ts'
import type { LayerContext } from '../model/layer.ts'
import { resolveNames, slugOf } from '../model/names.ts'
import { layerOf, type Resource } from '../model/resource.ts'
import type { Tenant, TenantDocument } from '../model/tenant.ts'
import type { Report } from '../model/verdict.ts'
import { plan as draw } from '../planner/plan.ts'
import type { Block, Plan } from '../planner/step.ts'
import type { Ledger, OwnerState } from '../store/ledger.ts'
import { tenantOf, type TenantRow } from '../store/tenants.ts'
import type { PlanView } from './control-plane.ts'
import { observeAll } from './observe.ts'
import { type Foretell, plannedWorld } from './planned-world.ts'
import type { Products } from './products.ts'
import type { Prove } from './proof-runner.ts'
import { boundaryOf, type Openings, type WorldReader } from './world.ts'

export interface PlanParts {
  readonly ledger: Ledger
  readonly products: Products
  readonly worlds: WorldReader
  readonly prove: Prove
  readonly foretell: readonly Foretell[]
  readonly openings: Openings
}

/** The uid that a tenant would get is not known before it is made; plans of new tenants carry this one. */
const noUid = '00000000-0000-4000-8000-000000000000'

export async function drawPlan(
  parts: PlanParts,
  document: TenantDocument,
  before: TenantRow | undefined,
): Promise<PlanView> {
  const { context } = parts.products
  const tenant = plannedTenant(context, document, before)
  const signal = AbortSignal.timeout(30_000)
  const stored = await parts.ledger.read(tenant.uid)
  const whole = await planOf(parts, tenant, stored, signal)
  const outputs = (address: Resource['address']) => stored.inventory.get(address)?.outputs
  const boundary = boundaryOf(tenant, context, parts.openings(tenant, context, outputs))
  const inside = new Set(before === undefined ? [] : [tenant.name])
  const world = await parts.worlds.read({ fresh: true, signal, inside })
  const report = parts.prove(plannedWorld(world, whole, boundary, parts.foretell), { tenants: [tenant.name] })
  return {
    tenant: tenant.name,
    uid: before?.uid ?? null,
    generation: (before?.generation ?? 0) + (before === undefined ? 1 : 0),
    basis: basisOf(before, document, whole, report),
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

/** What the engine would plan now; a layer that cannot be served is blocked, and what it has is left as it is. */
async function planOf(parts: PlanParts, tenant: Tenant, stored: OwnerState, signal: AbortSignal): Promise<Plan> {
  const { products } = parts
  const blocked: Block[] = []
  const desired: Resource[] = []
  for (const layer of products.layers.filter((one) => one.wanted(tenant, products.context))) {
    const problem = products.problem(layer, tenant)
    if (problem === undefined) desired.push(...layer.desired(tenant, products.context))
    else blocked.push({ address: layer.name as Block['address'], code: problem.code, message: problem.message })
  }
  const shut = new Set<string>(blocked.map((block) => block.address))
  const served = new Map([...stored.inventory].filter(([address]) => !shut.has(layerOf(address))))
  const observer = {
    driverOf: (resource: Resource) => products.driverOf(resource),
    window: () => ({ signal, deadlineMs: Date.now() + 8_000 }),
  }
  const { observed, found } = await observeAll(desired, { ...stored, inventory: served }, true, observer)
  if (desired.length === 0) return { owner: tenant, steps: [], blocked, forget: [], retained: [] }
  const drawn = draw({
    owner: tenant,
    desired,
    inventory: new Map([...served, ...found.map((row) => [row.address, row] as const)]),
    observed,
    credentials: stored.credentials,
    removing: false,
    diff: (resource, state) => products.driverOf(resource).diff(resource, state),
  })
  return { ...drawn, blocked: [...blocked, ...drawn.blocked] }
}

/** What would be done, to which objects, and what comes of it: a plan that differs in none of these is the same plan. */
function basisOf(before: TenantRow | undefined, document: TenantDocument, whole: Plan, report: Report): string {
  const acts = whole.steps.map((step) => [
    step.address,
    step.verb,
    'seen' in step ? step.seen.id : '',
    step.drift.map(({ path, from, to }) => [path, from ?? null, to ?? null]),
  ])
  const blocks = whole.blocked.map(({ address, code }) => [address, code])
  const text = canonicalJson([before?.resourceVersion ?? 0, document, acts, blocks, { ...report.summary }])
  return createHash('sha256').update(text).digest('hex')
}

function plannedTenant(context: LayerContext, document: TenantDocument, before: TenantRow | undefined): Tenant {
  if (before !== undefined) return { ...tenantOf(before), spec: document.spec, labels: document.metadata.labels }
  const { name } = document.metadata
  const { spec } = document
  const names = resolveNames(context.platform, { name, slug: slugOf({ name, spec }), uid: noUid, spec })
  return { name, uid: noUid, generation: 1, spec, labels: document.metadata.labels, names }
}
