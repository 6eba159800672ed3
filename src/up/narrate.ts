/**
 * Progress events as the few lines that a person wants to read at a start: what was made is counted for each tenant
 * and layer, what was found and repaired is told one by one. Decides nothing; prints through the caller.
 */
import type { ProgressEvent } from '../engine/control-plane.ts'

interface Batch {
  readonly verb: string
  readonly layers: Map<string, number>
  readonly fromMs: number
  toMs: number
}

export interface Narrator {
  event(event: ProgressEvent): void
  /** Verdicts and phases are news only from here on: before, a backend that is still starting answers nothing. */
  attached(): void
  end(): void
}

/** Verbs of the steps that are counted; every other step is told in its own words. */
const counted: ReadonlySet<string> = new Set(['Created', 'Updated', 'Deleted', 'Adopted', 'Released', 'Replaced'])

/** Steps with a longer pause between them are not one piece of work. */
const quietMs = 1_500

/** The tenant name under which the platform's own objects are told. */
const platform = 'platform'

export function narrate(line: (text: string) => void): Narrator {
  const batches = new Map<string, Batch>()
  const timers = new Map<string, NodeJS.Timeout>()
  /** A proof that says what the last one said is no news, unless something happened in between. */
  const proofs = new Map<string, string>()
  let attached = false

  const flush = (tenant: string): void => {
    // What tenants stand on was made before them, and is told before them.
    if (tenant !== platform) flush(platform)
    clearTimeout(timers.get(tenant))
    timers.delete(tenant)
    const batch = batches.get(tenant)
    batches.delete(tenant)
    if (batch !== undefined) line(`${tenant}: ${batchText(batch)}`)
  }
  const count = ({ tenant, reason, layer = 'other', time }: ProgressEvent): void => {
    const atMs = Date.parse(time)
    if (batches.get(tenant)?.verb !== reason) flush(tenant)
    const batch = batches.get(tenant) ?? { verb: reason, layers: new Map<string, number>(), fromMs: atMs, toMs: atMs }
    batch.layers.set(layer, (batch.layers.get(layer) ?? 0) + 1)
    batch.toMs = Math.max(batch.toMs, atMs)
    batches.set(tenant, batch)
    clearTimeout(timers.get(tenant))
    timers.set(
      tenant,
      setTimeout(() => flush(tenant), quietMs),
    )
  }

  return {
    event(event) {
      const { tenant, type, reason, message } = event
      if (type === 'condition') return
      if (type === 'step' && counted.has(reason) && !message.endsWith('(repaired)')) {
        proofs.delete(tenant)
        count(event)
        return
      }
      if ((type === 'proof' || type === 'phase') && !attached) return
      if (type === 'proof' && proofs.get(tenant) === message) return
      if (type === 'proof') proofs.set(tenant, message)
      else if (type !== 'phase') proofs.delete(tenant)
      flush(tenant)
      line(type === 'phase' ? message : `${tenant}: ${message}`)
    },
    attached: () => void (attached = true),
    end() {
      for (const tenant of batches.keys()) flush(tenant)
    },
  }
}

/** `18 objects created in 0.7 s: compute 10, database 5, network 3`; layers by name, whichever came first. */
function batchText({ verb, layers, fromMs, toMs }: Batch): string {
  const sum = [...layers.values()].reduce((total, one) => total + one, 0)
  const parts =
    layers.size > 1
      ? `: ${[...layers]
          .map(([layer, one]) => `${layer} ${one}`)
          .toSorted()
          .join(', ')}`
      : ''
  return `${sum} ${sum === 1 ? 'object' : 'objects'} ${verb.toLowerCase()} in ${((toMs - fromMs) / 1000).toFixed(1)} s${parts}`
}
