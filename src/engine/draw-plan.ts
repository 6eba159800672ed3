/** A plan for people: what applying a document would do, and the prover's verdict on the state that it would leave. */
import { createHash } from 'node:crypto'
import { canonicalJson } from '../audit/canonical.ts'
import type { LayerContext } from '../model/layer.ts'
import { resolveNames, slugOf } from '../model/names.ts'
import type { Resource } from '../model/resource.ts'
import type { Tenant, TenantDocument } from '../model/tenant.ts'
import { type Block, plan as draw, type Plan } from '../planner/plan.ts'
import type { Ledger } from '../store/ledger.ts'
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
  const { products } = parts
  const { context } = products
  const tenant = plannedTenant(context, document, before)
  const blocked: Block[] = []
  const desired: Resource[] = []
  for (const layer of products.layers.filter((one) => one.wanted(tenant, context))) {
    const problem = products.problem(layer, tenant)
    if (problem === undefined) desired.push(...layer.desired(tenant, context))
    else blocked.push({ address: layer.name as Block['address'], code: problem.code, message: problem.message })
  }
  const stored = await parts.ledger.read(tenant.uid)
  const signal = AbortSignal.timeout(30_000)
  const observer = {
    driverOf: (resource: Resource) => products.driverOf(resource),
    window: () => ({ signal, deadlineMs: Date.now() + 8_000 }),
  }
  const { observed, found } = await observeAll(desired, stored, true, observer)
  const inventory = new Map([...stored.inventory, ...found.map((row) => [row.address, row] as const)])
  const drawn: Plan =
    desired.length === 0
      ? { owner: tenant, steps: [], blocked: [], forget: [], retained: [] }
      : draw({
          owner: tenant,
          desired,
          inventory,
          observed,
          credentials: stored.credentials,
          removing: false,
          diff: (resource, state) => products.driverOf(resource).diff(resource, state),
        })
  const whole: Plan = { ...drawn, blocked: [...blocked, ...drawn.blocked] }
  const boundary = boundaryOf(
    tenant,
    context,
    parts.openings(tenant, context, (address) => stored.inventory.get(address)?.outputs),
  )
  const world = await parts.worlds.read({
    fresh: true,
    signal,
    inside: new Set(before === undefined ? [] : [tenant.name]),
  })
  const report = parts.prove(plannedWorld(world, whole, boundary, parts.foretell), { tenants: [tenant.name] })
  // What would be done, to which objects, and what comes of it: a plan that differs in none of these is the same plan.
  const acts = whole.steps.map((step) => [
    step.address,
    step.verb,
    'seen' in step ? step.seen.id : '',
    step.drift.map(({ path, from, to }) => [path, from ?? null, to ?? null]),
  ])
  const basis = createHash('sha256')
    .update(
      canonicalJson([
        before?.resourceVersion ?? 0,
        document,
        acts,
        whole.blocked.map(({ address, code }) => [address, code]),
        { ...report.summary },
      ]),
    )
    .digest('hex')
  return {
    tenant: tenant.name,
    uid: before?.uid ?? null,
    generation: (before?.generation ?? 0) + (before === undefined ? 1 : 0),
    basis,
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

function plannedTenant(context: LayerContext, document: TenantDocument, before: TenantRow | undefined): Tenant {
  if (before !== undefined) return { ...tenantOf(before), spec: document.spec, labels: document.metadata.labels }
  const { name } = document.metadata
  const { spec } = document
  const names = resolveNames(context.platform, { name, slug: slugOf({ name, spec }), uid: noUid, spec })
  return { name, uid: noUid, generation: 1, spec, labels: document.metadata.labels, names }
}
