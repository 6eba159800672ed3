/**
 * Proves tenants for the passes that ask, several at once: whoever asks while a proof runs shares the next one, so
 * that a hundred passes cost a few snapshots. The snapshot comes from the watch caches, which hold our own writes.
 */
import { type RingfenceError, toRingfenceError } from '../model/errors.ts'
import type { Report, Verdict } from '../model/verdict.ts'
import type { World } from '../model/world.ts'
import type { WorldReader } from './world.ts'

export type Prove = (world: World, options?: { readonly tenants?: readonly string[] }) => Report

export interface ProofRunner {
  /** Verdicts on one tenant over a snapshot that is taken after this call. */
  verdictsOn(tenant: string): Promise<readonly Verdict[]>
}

interface Request {
  readonly tenant: string
  readonly resolve: (verdicts: readonly Verdict[]) => void
  readonly reject: (error: RingfenceError) => void
}

export function createProofRunner(reader: WorldReader, prove: Prove, timeoutMs = 30_000): ProofRunner {
  let queue: Request[] = []
  let running = false
  const drain = async () => {
    running = true
    while (queue.length > 0) {
      const batch = queue
      queue = []
      try {
        const names = [...new Set(batch.map((request) => request.tenant))]
        const world = await reader.read({
          fresh: false,
          inside: new Set(names),
          signal: AbortSignal.timeout(timeoutMs),
        })
        const known = new Set(world.tenants.map((tenant) => tenant.name))
        const report = prove(world, { tenants: names.filter((name) => known.has(name)) })
        const byTenant = Map.groupBy(report.verdicts, (verdict) => verdict.tenant)
        for (const request of batch) request.resolve(byTenant.get(request.tenant) ?? [])
      } catch (error) {
        for (const request of batch) request.reject(toRingfenceError(error))
      }
    }
    running = false
  }
  return {
    verdictsOn: (tenant) =>
      new Promise((resolve, reject) => {
        queue.push({ tenant, resolve, reject })
        // One turn of the loop lets passes that end together share the snapshot.
        if (!running) setTimeout(() => void (running ? undefined : drain()), 5)
      }),
  }
}
