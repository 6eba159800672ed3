/** Fans changes out to whoever listens; the same change told twice before it is read is told once. */
import type { BackendChange } from '../../model/driver.ts'

export interface ChangeFeed {
  push(change: BackendChange): void
  /** Ends when the signal aborts. */
  listen(signal: AbortSignal): AsyncIterable<BackendChange>
}

export function createChangeFeed(gatherMs = 100): ChangeFeed {
  const listeners = new Set<(change: BackendChange) => void>()
  return {
    push: (change) => listeners.forEach((listener) => listener(change)),
    async *listen(signal) {
      const waiting = new Map<string, BackendChange>()
      let wake: () => void = () => undefined
      const listener = (change: BackendChange) => {
        // A resync covers everything that is still waiting.
        if (change === 'resync') waiting.clear()
        if (!waiting.has('resync'))
          waiting.set(change === 'resync' ? change : `${change.kind} ${change.externalName}`, change)
        wake()
      }
      const abort = () => wake()
      listeners.add(listener)
      signal.addEventListener('abort', abort)
      try {
        while (!signal.aborted) {
          const [next] = waiting
          if (next) {
            // Kinds are listed side by side: their resyncs come in a bunch and are one to whoever listens.
            if (next[1] === 'resync') await new Promise((resolve) => setTimeout(resolve, gatherMs))
            waiting.delete(next[0])
            yield next[1]
          } else await new Promise<void>((resolve) => (wake = resolve))
        }
      } finally {
        listeners.delete(listener)
        signal.removeEventListener('abort', abort)
      }
    },
  }
}
