/**
 * The real servers of this run, as `global-setup.ts` started them. They are shared by all files at once: make names of
 * your own, and leave nothing behind.
 */
import { readFileSync } from 'node:fs'
import { describe, inject } from 'vitest'
import { signClient } from '../../src/embedded/kubernetes/identities.ts'
import type { ClusterAccess, PostgresAccess } from '../../src/model/backends.ts'

/** What can be handed from the process that started the servers to the tests. */
export interface SharedKubernetes {
  readonly server: string
  readonly ca: string
  /** `ringfence:installer` in `system:masters`. */
  readonly admin: ClusterAccess
  /** `ringfence:engine` in `ringfence:engines`; has no rights until the platform grants them. */
  readonly engine: ClusterAccess
  /** `ringfence:break-glass` in the group of that name, bound to cluster-admin. */
  readonly breakGlass: ClusterAccess
  readonly kubeconfigs: { readonly admin: string; readonly engine: string; readonly breakGlass: string }
  readonly authority: { readonly cert: string; readonly key: string }
  readonly version: string
  /** Path of a kubectl of this version. */
  readonly kubectl: string
}

type Outcome<T> = { readonly running: T } | { readonly skipped: string } | { readonly missing: string }

export interface SharedServers {
  readonly kubernetes: Outcome<SharedKubernetes>
  readonly postgres18: Outcome<PostgresAccess>
  readonly postgres15: Outcome<PostgresAccess>
}

declare module 'vitest' {
  export interface ProvidedContext {
    servers: SharedServers
  }
}

export interface TestKubernetes extends SharedKubernetes {
  /** Signs in as anybody: a certificate with this user and these groups. */
  access(user: string, groups?: readonly string[]): ClusterAccess
}

export interface Servers {
  readonly kubernetes: TestKubernetes
  readonly postgres18: PostgresAccess
  readonly postgres15: PostgresAccess
}

function running<T>(outcome: Outcome<T>): T {
  if ('running' in outcome) return outcome.running
  throw new Error('skipped' in outcome ? outcome.skipped : outcome.missing)
}

/** The servers of this run. Taking one that is not there fails with the reason. */
export function servers(): Servers {
  const shared = inject('servers')
  return {
    get kubernetes(): TestKubernetes {
      const cluster = running(shared.kubernetes)
      const authority = {
        name: 'ringfence-cluster-ca',
        cert: cluster.ca,
        key: readFileSync(cluster.authority.key, 'utf8'),
      }
      const access = (user: string, groups: readonly string[] = []): ClusterAccess => ({
        server: cluster.server,
        ca: cluster.ca,
        certificate: signClient(authority, user, groups),
      })
      return { ...cluster, access }
    },
    get postgres18() {
      return running(shared.postgres18)
    },
    get postgres15() {
      return running(shared.postgres15)
    },
  }
}

/**
 * `describe` for tests that need these servers. They are skipped, with the reason in the title, only where the person
 * who runs them left a server out by name; a server that could not be had fails them.
 */
export function describeOn(needed: readonly (keyof SharedServers)[], title: string, body: () => void): void {
  const shared = inject('servers')
  const reasons = needed.flatMap((name) => {
    const outcome = shared[name]
    return 'skipped' in outcome ? [outcome.skipped] : []
  })
  if (reasons.length > 0) describe.skip(`${title} (${reasons.join('; ')})`, body)
  else describe(title, body)
}
