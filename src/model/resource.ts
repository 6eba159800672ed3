/**
 * What a tenant should have, piece by piece: the data that layers state, the planner compares and drivers carry out.
 * Plain, frozen and serialisable; knows no product.
 */
import type { Json, JsonObject } from './json.ts'

/** `acme:compute/namespace/main` or `platform:compute/cluster-role/owner`. Stable over the life of the code. */
export type Address = string & { readonly __brand: 'Address' }

/** The id a backend gave an object: a Kubernetes uid, a PostgreSQL oid, an ARN. The proof that an object is ours. */
export type BackendId = string & { readonly __brand: 'BackendId' }

/** Name of a configured server, unique in the platform: `kubernetes`, `postgres`, `credentials`. */
export type BackendName = string

export const backendId = (id: string | number | bigint): BackendId => String(id) as BackendId

/** Builds the address of one piece; `owner` is a tenant's name or `platform`, `key` tells apart pieces of one kind. */
export const addressOf = (owner: string, layer: string, kind: string, key: string): Address =>
  `${owner}:${layer}/${kind}/${key}` as Address

/** The layer an address belongs to. */
export const layerOf = (address: Address): string => address.slice(address.indexOf(':') + 1).split('/', 1)[0] ?? ''

export interface TenantRef {
  readonly name: string
  readonly uid: string
}

/**
 * A credential that belongs to a resource. A `source` keeps the clear value (a Secret, a 0600 file); a `verifier` is
 * told a one-way form of it. Material is made by the engine, handed to the source first and then to the verifier in
 * the same pass, and never read back: after any doubt the engine makes a new one.
 */
export type SecretSlot =
  | { readonly name: string; readonly role: 'source' }
  | { readonly name: string; readonly role: 'verifier'; readonly source: Address }

export interface Resource {
  /** `<product>/<Kind>`: `kubernetes/NetworkPolicy`, `postgres/Database`, `credential/Login`. Selects the driver. */
  readonly kind: string
  readonly address: Address
  /** The address that an earlier version of the code gave this piece. */
  readonly movedFrom?: Address
  readonly backend: BackendName
  /** The backend's own name (`namespace/name` for namespaced objects). Claimed per backend and kind before creation. */
  readonly externalName: string
  readonly owner: TenantRef | 'platform'
  /** Containment: when the container is deleted, this goes with it and needs no step of its own. */
  readonly within?: Address
  /** An entry in a list that several tenants share: read-modify-write under the container's own ETag. */
  readonly part?: { readonly of: Address; readonly key: string }
  /** The whole desired state, every field explicit. May hold `{ $output: [address, name] }` anywhere. */
  readonly spec: JsonObject
  readonly secrets: readonly SecretSlot[]
  /** Made after these, removed before them. Fences are needed by what they fence. */
  readonly needs: readonly Address[]
  readonly onRemove: 'delete' | 'retain'
  /** Set when the document explicitly takes over an existing object of that name. Never deleted at the end. */
  readonly adopt?: boolean
}

/** What an observed object hands to others: an endpoint, an address, an ARN. Never a secret. */
export type Outputs = { readonly [name: string]: Json }

/** A reference to an output of another resource, replaced by its value before diff and apply. */
export interface OutputRef {
  readonly $output: readonly [Address, string]
}
export const output = (address: Address, name: string): JsonObject => ({ $output: [address, name] })

/** Replaces every `$output`; answers the addresses that are still missing instead, when there are any. */
export function resolveOutputs(
  spec: JsonObject,
  outputs: (address: Address) => Outputs | undefined,
): { spec: JsonObject } | { missing: readonly Address[] } {
  const missing = new Set<Address>()
  const walk = (value: Json): Json => {
    if (Array.isArray(value)) {
      // An output that is itself a list, alone in a list, is spread: `[{$output: …}]` with two addresses gives two peers.
      return value.flatMap((item: Json) => {
        const resolved = walk(item)
        return isOutputRef(item) && Array.isArray(resolved) ? (resolved as Json[]) : [resolved]
      })
    }
    if (typeof value !== 'object' || value === null) return value
    if (isOutputRef(value)) {
      const [address, name] = (value as unknown as OutputRef).$output
      const found = outputs(address)?.[name]
      if (found === undefined) missing.add(address)
      return found ?? null
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]))
  }
  const resolved = walk(spec) as JsonObject
  return missing.size > 0 ? { missing: [...missing] } : { spec: resolved }
}

const isOutputRef = (value: Json): boolean =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  Array.isArray((value as JsonObject)['$output'])
