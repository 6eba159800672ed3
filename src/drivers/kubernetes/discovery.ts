/**
 * Whether, and in which version, the server serves a kind. "Not served" is said only after the server itself said so;
 * a group that cannot be asked about throws.
 */
import { isRingfenceError, RingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { KubernetesClient } from './client.ts'
import { groupPath, type KubeKind } from './kinds.ts'

interface Limits {
  readonly signal: AbortSignal
  readonly deadlineMs: number
}

export interface Discovery {
  /** The kind in the version to use: its own where the server has it, else the one the server prefers. */
  served(kind: KubeKind, limits: Limits): Promise<KubeKind | undefined>
  /** Forgets what was learned, after a definition or an API service changed. */
  forget(): void
}

export function createDiscovery(client: KubernetesClient): Discovery {
  const answers = new Map<string, Promise<JsonObject | undefined>>()
  const ask = (path: string, limits: Limits): Promise<JsonObject | undefined> => {
    const asked = answers.get(path)
    if (asked) return asked
    const answer = client.request('GET', path, limits).catch((error: unknown) => {
      if (isRingfenceError(error) && error.facts['httpStatus'] === 404) return undefined
      answers.delete(path)
      throw error
    })
    answers.set(path, answer)
    return answer
  }
  const versionsOf = async (kind: KubeKind, limits: Limits): Promise<string[]> => {
    if (kind.group === '') return ['v1']
    const group = await ask(`/apis/${kind.group}`, limits)
    if (!group) return []
    const preferred = (group['preferredVersion'] as { version?: string } | undefined)?.version
    const all = (group['versions'] as readonly { version: string }[] | undefined)?.map((entry) => entry.version)
    if (!all || all.length === 0)
      throw new RingfenceError('Unreadable', `The API group ${kind.group} lists no versions`, { group: kind.group })
    return [
      ...new Set([...(all.includes(kind.version) ? [kind.version] : []), ...(preferred ? [preferred] : []), ...all]),
    ]
  }
  return {
    async served(kind, limits) {
      for (const version of await versionsOf(kind, limits)) {
        const resources = await ask(groupPath({ ...kind, version }), limits)
        const entries = resources?.['resources'] as readonly { name: string; namespaced: boolean }[] | undefined
        const found = entries?.find((entry) => entry.name === kind.plural)
        if (found) return { ...kind, version, namespaced: found.namespaced }
      }
      return undefined
    },
    forget: () => answers.clear(),
  }
}
