/** Complete lists, page by page, at one resource version. Owns the paging rules of the API; interprets no object. */
import { RingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import type { KubernetesClient } from './client.ts'
import { apiVersionOf, collectionPath, type KubeKind } from './kinds.ts'

export interface ListOptions {
  readonly signal: AbortSignal
  readonly deadlineMs: number
  readonly namespace?: string
  readonly accept?: string
  readonly labelSelector?: string
  readonly fieldSelector?: string
  readonly pageSize?: number
}

export interface ListPage {
  readonly items: readonly JsonObject[]
  readonly resourceVersion: string
}

/**
 * Every page of a collection. The pages belong to one moment (the continue token pins it); a token that expired
 * answers 410 as `Conflict`, and the caller starts over: mixing two moments could hide an object from both.
 */
export async function* listPages(
  client: KubernetesClient,
  kind: KubeKind,
  options: ListOptions,
): AsyncGenerator<ListPage> {
  let next: string | undefined
  do {
    const page = await client.request('GET', collectionPath(kind, options.namespace), {
      query: {
        limit: options.pageSize ?? 500,
        continue: next,
        labelSelector: options.labelSelector,
        fieldSelector: options.fieldSelector,
      },
      signal: options.signal,
      deadlineMs: options.deadlineMs,
      ...(options.accept === undefined ? {} : { accept: options.accept }),
    })
    const metadata = page['metadata'] as { resourceVersion?: string; continue?: string } | undefined
    const items = page['items'] ?? page['rows']
    if (!Array.isArray(items ?? []) || metadata?.resourceVersion === undefined) {
      throw new RingfenceError('Unreadable', `The list of ${kind.plural} has no items or no resource version`, {
        kind: kind.kind,
      })
    }
    yield { items: (items ?? []) as JsonObject[], resourceVersion: metadata.resourceVersion }
    next = metadata.continue === '' ? undefined : metadata.continue
  } while (next !== undefined)
}

/** All objects, with the `apiVersion` and `kind` that list items lack. */
export async function listAll(client: KubernetesClient, kind: KubeKind, options: ListOptions): Promise<JsonObject[]> {
  const all: JsonObject[] = []
  for await (const page of listPages(client, kind, options)) {
    for (const item of page.items) all.push({ apiVersion: apiVersionOf(kind), kind: kind.kind, ...item })
  }
  return all
}
