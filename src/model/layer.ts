/** The contract of an isolation layer: pure functions from documents to desired objects, claims and probes. */
import type { RingfenceError } from './errors.ts'
import type { JsonObject } from './json.ts'
import type { PlatformSpec } from './platform.ts'
import type { Resource } from './resource.ts'
import type { Tenant } from './tenant.ts'

/** What was observed about the servers and may shape what a tenant gets. Re-read at every start and resync. */
export interface Facts {
  readonly kubernetes?: {
    /** `live` for an API server, `manifests` for a folder. */
    readonly medium: 'live' | 'manifests'
    /** FQDN policies can be applied with this CNI's kinds. */
    readonly fqdn?: 'cilium' | 'calico'
    /** Pod, service and node ranges that were observed. */
    readonly ranges: readonly string[]
    /** Addresses and port of the API server as seen from pods. */
    readonly apiServer: readonly { readonly address: string; readonly port: number }[]
    /** DNS resolver addresses outside kube-system. */
    readonly resolvers: readonly string[]
    readonly version?: string
    /** Who the API server says that we are (SelfSubjectReview); exempt from the admission rules. */
    readonly user?: string
  }
  readonly postgres?: { readonly version: number; readonly tls: boolean }
}

export interface LayerContext {
  readonly platform: PlatformSpec
  readonly facts: Facts
  /** Names of the backends that serve each product, where there are any. */
  readonly backends: { readonly kubernetes?: string; readonly postgres?: string; readonly credentials?: string }
}

/** A statement about a tenant that must hold, decided by the prover. `id` is stable: `rbac.no-cross-tenant`. */
export interface Claim {
  readonly id: string
  readonly tenant: string
  /** One sentence for people. */
  readonly statement: string
}

/** A live attack and its positive control. */
export interface Probe {
  readonly id: string
  readonly attack: JsonObject
  readonly control: JsonObject
  /** The refusal that must be seen: an HTTP status and reason, an SQLSTATE. */
  readonly expect: JsonObject
}

export interface Layer {
  readonly name: string
  /** Whether the tenant asks for this layer; a wanted layer without backend makes `problem` answer NotConfigured. */
  wanted(tenant: Tenant, context: LayerContext): boolean
  /** Why the layer cannot be served here (`NotConfigured`, `Waiting` …), or undefined. */
  problem(tenant: Tenant, context: LayerContext): RingfenceError | undefined
  /** Objects of the platform that this layer's tenants stand on: cluster roles, admission policies. */
  platform(context: LayerContext): readonly Resource[]
  desired(tenant: Tenant, context: LayerContext): readonly Resource[]
  claims(tenant: Tenant, context: LayerContext): readonly Claim[]
}
