/**
 * What the engine asks of the two products beyond single objects: their facts, and the snapshot that the prover
 * judges. Implemented in `drivers/`, wired in `main.ts`; the embedded servers hand out the access records.
 */
import type { Backend } from './driver.ts'
import type { JsonObject } from './json.ts'
import type { Facts } from './layer.ts'
import type { Culprit } from './verdict.ts'
import type { KubeObject, PostgresWorld, Unreadable } from './world.ts'

/** How a Kubernetes API server is reached. PEM texts, not paths. */
export interface ClusterAccess {
  readonly server: string
  readonly ca?: string
  readonly certificate?: { readonly cert: string; readonly key: string }
  readonly token?: () => Promise<string>
}

/** How a PostgreSQL server is reached by us. `tls` false only on a server of our own that listens on loopback. */
export interface PostgresAccess {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  readonly database: string
  readonly tls: boolean
  /** PEM of the authority that signed the server's certificate, where it is not one that the system trusts. */
  readonly ca?: string
}

export interface KubernetesSnapshot {
  readonly objects: readonly KubeObject[]
  /** `group/Kind` (core: `/Kind`) that were listed completely. */
  readonly kinds: readonly string[]
  readonly unreadable: readonly Unreadable[]
}

export interface KubernetesBackend extends Backend {
  facts(signal: AbortSignal): Promise<NonNullable<Facts['kubernetes']>>
  /** All objects that isolation depends on. From watch caches when they are in step, from lists with `fresh`. */
  snapshot(signal: AbortSignal, options: { readonly fresh: boolean }): Promise<KubernetesSnapshot>
  /** Deletes one addition by kind, name and uid (conditional), and answers the whole object as it was. */
  removeAddition(culprit: Culprit, signal: AbortSignal): Promise<JsonObject>
}

export interface PostgresBackend extends Backend {
  facts(signal: AbortSignal): Promise<NonNullable<Facts['postgres']>>
  /**
   * The server's catalogs, and the inside of the databases named (and of `postgres` and `template1`). Everything is
   * read now, except that without `fresh` the inside of those two may be half a minute old; it says when it was read.
   */
  snapshot(
    signal: AbortSignal,
    databases: readonly string[],
    options?: { readonly fresh: boolean },
  ): Promise<PostgresWorld>
}
