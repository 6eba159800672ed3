/**
 * Secrets for the prover, without their contents: the server is asked for a table of metadata and types, so that no
 * secret value ever reaches this process.
 */
import type { KubeObject } from '../../model/world.ts'
import { RingfenceError } from '../../model/errors.ts'
import { isObject, type Json, type JsonObject } from '../../model/json.ts'
import type { KubernetesClient } from './client.ts'
import { secretKind } from './kinds.ts'
import { listPages } from './list.ts'

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io'
/** Annotations of others may repeat contents (`last-applied-configuration`); these say what a secret is. */
const keptAnnotations = ['kubernetes.io/service-account.name', 'ringfence.dev/journal']

export async function listSecretMetadata(
  client: KubernetesClient,
  limits: { readonly signal: AbortSignal; readonly deadlineMs: number },
): Promise<KubeObject[]> {
  const secrets: KubeObject[] = []
  for await (const page of listPages(client, secretKind, { ...limits, accept: table })) {
    for (const row of page.items) secrets.push(secretOf(row))
  }
  return secrets
}

/** Columns of the Secret table: Name, Type, Data (a count), Age. */
function secretOf(row: JsonObject): KubeObject {
  const cells = row['cells'] as readonly Json[] | undefined
  const live = row['object']
  const metadata = isObject(live) && isObject(live['metadata']) ? live['metadata'] : undefined
  if (!metadata || typeof metadata['name'] !== 'string' || typeof cells?.[1] !== 'string') {
    throw new RingfenceError('Unreadable', 'The server did not answer the list of Secrets as a table of metadata', {
      kind: 'Secret',
    })
  }
  const annotations = isObject(metadata['annotations']) ? metadata['annotations'] : {}
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: metadata['name'],
      namespace: String(metadata['namespace']),
      uid: String(metadata['uid']),
      labels: (isObject(metadata['labels']) ? metadata['labels'] : {}) as { [key: string]: string },
      annotations: Object.fromEntries(
        keptAnnotations.flatMap((key) => (typeof annotations[key] === 'string' ? [[key, annotations[key]]] : [])),
      ),
    },
    type: cells[1],
  }
}
