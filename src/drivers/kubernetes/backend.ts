/**
 * One Kubernetes cluster as the engine sees it: drivers by kind, changes, the prover's snapshot and the cluster's
 * facts. Wires the parts of this folder together and holds the watches' life.
 */
import type { ClusterAccess, KubernetesBackend } from '../../model/backends.ts'
import type { BackendChange, Call, Driver } from '../../model/driver.ts'
import { RingfenceError } from '../../model/errors.ts'
import { additionRemover } from './additions.ts'
import { createChangeFeed } from './changes.ts'
import { createKubernetesClient, defaultTimeoutMs, type ClientOptions, type KubernetesClient } from './client.ts'
import { createDiscovery } from './discovery.ts'
import { createPlainDriver, type Known } from './driver.ts'
import { readFacts } from './facts.ts'
import { drivenKinds, namespaceKind, objectPath, type KubeKind } from './kinds.ts'
import { takeSnapshot } from './snapshot.ts'
import { createWatchers } from './watchers.ts'
import { createWorkloadsDriver } from './workloads.ts'

export interface KubernetesBackendOptions extends ClientOptions {
  readonly silenceMs?: number
  readonly backoffMs?: { readonly first: number; readonly last: number }
}

/** Connects on first use. Watches run from the first `changes()` on; until then every answer is a read. */
export function createKubernetesBackend(
  name: string,
  access: ClusterAccess,
  options: KubernetesBackendOptions = {},
): KubernetesBackend {
  const client = createKubernetesClient(access, options)
  const discovery = createDiscovery(client)
  const feed = createChangeFeed()
  const watchers = createWatchers({ client, discovery, onChange: (change) => feed.push(change), ...options })
  const closing = new AbortController()

  return {
    name,
    drivers: driversOf(client, watchers.known),
    async *changes(signal): AsyncIterable<BackendChange> {
      watchers.start(closing.signal)
      yield* feed.listen(AbortSignal.any([signal, closing.signal]))
    },
    async check(signal) {
      const answer = await client.request('GET', '/version', { signal, deadlineMs: Date.now() + defaultTimeoutMs })
      if (typeof answer['gitVersion'] !== 'string')
        throw new RingfenceError('Unreadable', `${access.server} does not answer like a Kubernetes API server`, {
          server: access.server,
        })
      await client.request('GET', objectPath(drivenKinds['Namespace'] as KubeKind, undefined, 'kube-system'), {
        signal,
        deadlineMs: Date.now() + defaultTimeoutMs,
      })
    },
    facts: (signal) => readFacts(client, discovery, signal),
    snapshot: (signal, { fresh }) => takeSnapshot({ client, discovery, watched: watchers.objects }, signal, fresh),
    removeAddition: additionRemover(client),
    async close() {
      closing.abort()
      await watchers.stopped()
      await client.close()
    },
  }
}

function driversOf(client: KubernetesClient, known: (kind: KubeKind) => Known): { readonly [kind: string]: Driver } {
  const definition = drivenKinds['CustomResourceDefinition'] as KubeKind
  const plain = Object.entries(drivenKinds).map(([name, kind]) => {
    const custom = ['cilium.io', 'projectcalico.org'].includes(kind.group)
    const definitionGone = async (call: Call): Promise<boolean> => {
      try {
        await client.request('GET', objectPath(definition, undefined, `${kind.plural}.${kind.group}`), {
          signal: call.signal,
          deadlineMs: call.deadlineMs,
        })
        return false
      } catch (error) {
        return error instanceof RingfenceError && error.code === 'NotFound'
      }
    }
    return [
      `kubernetes/${name}`,
      createPlainDriver({ client, kind, known: known(kind), ...(custom ? { definitionGone } : {}) }),
    ] as const
  })
  return Object.fromEntries([...plain, ['kubernetes/Workloads', createWorkloadsDriver(client, known(namespaceKind))]])
}
