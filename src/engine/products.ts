/**
 * What the engine works with: the layers, the running backends with their drivers, and the facts observed about them.
 * A backend may still be on its way (an embedded server that is being built); what needs it waits and says so.
 */
import type { KubernetesBackend, PostgresBackend } from '../model/backends.ts'
import type { Backend, Driver } from '../model/driver.ts'
import { RingfenceError } from '../model/errors.ts'
import type { Facts, Layer, LayerContext } from '../model/layer.ts'
import type { PlatformSpec } from '../model/platform.ts'
import type { Resource } from '../model/resource.ts'
import type { Tenant } from '../model/tenant.ts'

export type Product = 'kubernetes' | 'postgres' | 'credentials'

/** Which product a layer cannot do without. */
const productOf: { readonly [layer: string]: Product } = {
  compute: 'kubernetes',
  network: 'kubernetes',
  database: 'postgres',
}

export interface Products {
  readonly layers: readonly Layer[]
  readonly kubernetes: KubernetesBackend | undefined
  readonly postgres: PostgresBackend | undefined
  readonly context: LayerContext
  /** Why a product is not there yet, while it is still expected. */
  readonly pending: ReadonlyMap<Product, string>
  /** Throws `NotConfigured` or `Waiting` when nobody serves the resource. */
  driverOf(resource: Resource): Driver
  /** Why nobody serves a layer: its product is still on its way, or is not to come. */
  unserved(layer: Layer): RingfenceError | undefined
  /** Why a layer cannot be served now. */
  problem(layer: Layer, tenant: Tenant): RingfenceError | undefined
}

export interface ProductSet extends Products {
  attach(product: 'kubernetes', backend: KubernetesBackend, facts: Facts['kubernetes']): void
  attach(product: 'postgres', backend: PostgresBackend, facts: Facts['postgres']): void
  attach(product: 'credentials', backend: Backend): void
  expect(product: Product, why: string): void
  giveUp(product: Product): void
  readonly backends: readonly Backend[]
}

export function createProducts(platform: PlatformSpec, layers: readonly Layer[]): ProductSet {
  const attached = new Map<Product, Backend>()
  const pending = new Map<Product, string>()
  let facts: Facts = {}
  const pendingError = (product: Product): RingfenceError | undefined => {
    const why = pending.get(product)
    return why === undefined ? undefined : new RingfenceError('Waiting', why, { product })
  }
  return {
    layers,
    pending,
    get kubernetes() {
      return attached.get('kubernetes') as KubernetesBackend | undefined
    },
    get postgres() {
      return attached.get('postgres') as PostgresBackend | undefined
    },
    get backends() {
      return [...attached.values()]
    },
    get context(): LayerContext {
      const backends = Object.fromEntries([...attached].map(([product, backend]) => [product, backend.name]))
      return { platform, facts, backends }
    },
    driverOf(resource) {
      for (const [, backend] of attached) {
        const driver = backend.name === resource.backend ? backend.drivers[resource.kind] : undefined
        if (driver !== undefined) return driver
      }
      const product = resource.kind.startsWith('kubernetes/')
        ? 'kubernetes'
        : resource.kind.startsWith('postgres/')
          ? 'postgres'
          : 'credentials'
      throw (
        pendingError(product) ??
        new RingfenceError('NotConfigured', `no backend serves ${resource.kind} (${resource.backend})`, {
          kind: resource.kind,
        })
      )
    },
    unserved(layer) {
      const product = productOf[layer.name]
      if (product === undefined || attached.has(product)) return undefined
      return pendingError(product) ?? new RingfenceError('NotConfigured', `no ${product} is connected`, { product })
    },
    problem(layer, tenant) {
      // A login needs a place to be kept; the platform's part of the layer does without.
      const keeping =
        layer.name === 'database' && !attached.has('credentials') ? pendingError('credentials') : undefined
      const unserved = this.unserved(layer)
      if (unserved?.code === 'Waiting') return unserved
      // The layer itself says best what to do about a product that is not to come.
      return keeping ?? layer.problem(tenant, this.context) ?? unserved
    },
    attach(product: Product, backend: Backend, observed?: Facts['kubernetes'] | Facts['postgres']) {
      attached.set(product, backend)
      pending.delete(product)
      if (observed !== undefined) facts = { ...facts, [product]: observed }
    },
    expect: (product, why) => void pending.set(product, why),
    giveUp: (product) => void pending.delete(product),
  }
}
