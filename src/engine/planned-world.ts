/**
 * The world as a plan would leave it, for the prover's verdict before anything is done. Kubernetes objects are laid
 * over the snapshot; what a product cannot be foretold for is said to be unread, so that it is never called proved.
 */
import { isObject, type JsonObject } from '../model/json.ts'
import { resolveOutputs } from '../model/resource.ts'
import type { KubeObject, TenantBoundary, Unreadable, World } from '../model/world.ts'
import { plannedFences } from './fences.ts'
import { isChange, type Plan, type Step } from '../planner/step.ts'

/** Lays one product's steps over its part of the world. */
export type Foretell = (world: World, steps: readonly Step[], boundary: TenantBoundary) => World

export function plannedWorld(world: World, plan: Plan, boundary: TenantBoundary, foretell: readonly Foretell[]): World {
  const tenants = [...world.tenants.filter((tenant) => tenant.name !== boundary.name), boundary]
  const steps = plan.steps.filter(isChange)
  const blocked: readonly Unreadable[] = plan.blocked.map((block) => ({
    product: 'plan',
    what: block.address,
    why: block.message,
    tenant: boundary.name,
  }))
  const fences = plannedFences(world, plan, boundary.name)
  const base: World = { ...world, source: 'planned', tenants, fences, unreadable: [...world.unreadable, ...blocked] }
  return foretell.reduce((before, apply) => apply(before, steps, boundary), base)
}

/** Objects are what their manifests say; outputs that are not there yet leave their object out of the foretelling. */
export const foretellKubernetes: Foretell = (world, steps) => {
  if (world.kubernetes === undefined) return world
  const objects = new Map(world.kubernetes.objects.map((object) => [keyOf(object), object]))
  for (const step of steps) {
    if (!step.resource.kind.startsWith('kubernetes/')) continue
    const resolved = resolveOutputs(step.resource.spec, () => undefined)
    const manifest = manifestOf('spec' in resolved ? resolved.spec : {})
    if (manifest === undefined) continue
    const before = objects.get(keyOf(manifest))
    if (step.verb === 'delete' || step.verb === 'release') objects.delete(keyOf(manifest))
    else
      objects.set(keyOf(manifest), {
        ...manifest,
        metadata: { ...manifest.metadata, ...(before?.metadata.uid === undefined ? {} : { uid: before.metadata.uid }) },
      })
  }
  return { ...world, kubernetes: { ...world.kubernetes, objects: [...objects.values()] } }
}

const keyOf = ({ apiVersion, kind, metadata }: KubeObject): string =>
  [apiVersion.split('/').slice(0, -1).join('/'), kind, metadata.namespace ?? '', metadata.name].join('\0')

function manifestOf(spec: JsonObject): KubeObject | undefined {
  const { apiVersion, kind, metadata } = spec
  if (
    typeof apiVersion !== 'string' ||
    typeof kind !== 'string' ||
    !isObject(metadata) ||
    typeof metadata['name'] !== 'string'
  )
    return undefined
  return spec as unknown as KubeObject
}
