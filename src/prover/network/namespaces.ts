/**
 * The namespaces of a world: who owns each, which of them a selector matches, and whether it could match one of a
 * tenant that does not exist yet. Each distinct selector is evaluated once, through an index by label.
 */
import type { KubeObject, TenantBoundary } from '../../model/world.ts'
import { type Labels, matches, meets, type Requirement, type Selector } from './selectors.ts'
import { namespaceLabels } from './workloads.ts'

export const nameLabel = 'kubernetes.io/metadata.name'

export interface Namespace {
  readonly name: string
  readonly labels: Labels
  readonly uid: string | undefined
  /** The tenant that owns it; undefined for the platform's. */
  readonly owner: string | undefined
}

/** How a label comes on the namespace of a tenant still to be made: one value for all, or one of its own. */
type Future = { readonly value: string } | 'own'

/** Above this, matches are walked again instead of kept: a wide selector stops at its first finding anyway. */
const keptMatches = 256

export class Namespaces {
  readonly all: readonly Namespace[]
  readonly #byName = new Map<string, Namespace>()
  readonly #byLabel = new Map<string, Map<string, Namespace[]>>()
  readonly #future: ReadonlyMap<string, Future>
  readonly #kept = new Map<string, readonly Namespace[]>()
  readonly #couldBe = new Map<string, readonly string[] | 'any' | undefined>()

  constructor(objects: readonly KubeObject[], tenants: readonly TenantBoundary[], tenantLabel: string) {
    const owners = new Map(tenants.flatMap((tenant) => tenant.namespaces.map((name) => [name, tenant.name] as const)))
    this.all = objects.map(({ metadata: { name, labels, uid } }) => ({
      name,
      uid,
      labels: namespaceLabels(name, labels),
      owner: owners.get(name),
    }))
    for (const namespace of this.all) {
      this.#byName.set(namespace.name, namespace)
      for (const [key, value] of Object.entries(namespace.labels)) {
        const values = this.#byLabel.get(key) ?? new Map<string, Namespace[]>()
        this.#byLabel.set(key, values)
        const same = values.get(value)
        if (same === undefined) values.set(value, [namespace])
        else same.push(namespace)
      }
    }
    this.#future = futureLabels(this.all, tenantLabel)
  }

  get(name: string): Namespace | undefined {
    return this.#byName.get(name)
  }

  /** The existing namespaces that a selector matches; lazily, so that a caller may stop at the first finding. */
  *matching(selector: Selector): Generator<Namespace> {
    const kept = this.#kept.get(selector.text)
    if (kept !== undefined) {
      yield* kept
      return
    }
    const found: Namespace[] = []
    for (const namespace of this.#candidates(selector)) {
      if (!matches(selector, namespace.labels)) continue
      if (found.length <= keptMatches) found.push(namespace)
      yield namespace
    }
    if (found.length <= keptMatches) this.#kept.set(selector.text, found)
  }

  #candidates(selector: Selector): readonly Namespace[] {
    let best = this.all
    for (const requirement of selector.requirements) {
      if (requirement.operator !== 'In') continue
      const values = this.#byLabel.get(requirement.key)
      const some = [...requirement.values].flatMap((value) => values?.get(value) ?? [])
      if (some.length < best.length) best = some
    }
    return best
  }

  /**
   * Whether the namespace of a tenant that does not exist yet could be matched: `any` name, or only one of the names
   * listed, none of which exists. Labels of namespaces are set by the control plane alone, so that a future one
   * carries what all tenants' namespaces carry, and values of its own where they differ.
   */
  future(selector: Selector): readonly string[] | 'any' | undefined {
    if (!this.#couldBe.has(selector.text)) this.#couldBe.set(selector.text, this.#futureNames(selector))
    return this.#couldBe.get(selector.text)
  }

  #futureNames(selector: Selector): readonly string[] | 'any' | undefined {
    const byKey = new Map<string, Requirement[]>()
    for (const requirement of selector.requirements)
      byKey.set(requirement.key, [...(byKey.get(requirement.key) ?? []), requirement])
    const named = byKey.get(nameLabel) ?? []
    byKey.delete(nameLabel)
    // Once with the labels that tenants have in common, once with none but the tenant's own.
    const possible = [true, false].some((common) =>
      [...byKey].every(([key, requirements]) => {
        const future = this.#future.get(key)
        if (future === 'own') return this.#unused(key, requirements) !== undefined
        return requirements.every((requirement) => meets(requirement, common ? future?.value : undefined))
      }),
    )
    return possible ? this.#unused(nameLabel, named) : undefined
  }

  /** Values of a key that no namespace has and that meet the requirements; `any` where they are not a closed list. */
  #unused(key: string, requirements: readonly Requirement[]): readonly string[] | 'any' | undefined {
    if (requirements.some((requirement) => requirement.operator === 'DoesNotExist')) return undefined
    const listed = requirements.find((requirement) => requirement.operator === 'In')
    if (listed === undefined || !('values' in listed)) return 'any'
    const values = [...listed.values].filter(
      (value) => !this.#byLabel.get(key)?.has(value) && requirements.every((requirement) => meets(requirement, value)),
    )
    return values.length === 0 ? undefined : values
  }
}

function futureLabels(all: readonly Namespace[], tenantLabel: string): ReadonlyMap<string, Future> {
  const owned = all.filter((namespace) => namespace.owner !== undefined)
  const future = new Map<string, Future>()
  const [first, ...others] = owned
  for (const [key, value] of Object.entries(first?.labels ?? {})) {
    if (!others.every((namespace) => Object.hasOwn(namespace.labels, key))) continue
    const same = others.every((namespace) => namespace.labels[key] === value)
    const telling = value === first?.owner || value === first?.name
    future.set(key, same && !telling ? { value } : 'own')
  }
  return future.set(tenantLabel, 'own').set(nameLabel, 'own')
}
