/** Plain requests to a real API server as one identity, for tests that judge the server's own words. */
import { Agent, request } from 'undici'
import type { ClusterAccess } from '../../src/model/backends.ts'
import type { JsonObject } from '../../src/model/json.ts'

export interface Answer {
  readonly status: number
  readonly body: JsonObject
  /** The API server's own words. */
  readonly message: string
  readonly reason: string
}

/** One identity's way to the API server. */
export type Api = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, body?: unknown) => Promise<Answer>

const plurals: { readonly [kind: string]: string } = {
  NetworkPolicy: 'networkpolicies',
  Ingress: 'ingresses',
  Endpoints: 'endpoints',
  ValidatingAdmissionPolicy: 'validatingadmissionpolicies',
}

export const collectionOf = (apiVersion: string, kind: string, namespace?: string): string => {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return `${root}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${plurals[kind] ?? `${kind.toLowerCase()}s`}`
}

const pathOf = (manifest: JsonObject): { collection: string; object: string } => {
  const { name, namespace } = manifest['metadata'] as { name: string; namespace?: string }
  const collection = collectionOf(manifest['apiVersion'] as string, manifest['kind'] as string, namespace)
  return { collection, object: `${collection}/${name}` }
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '')

/** A patch that is a list is a JSON patch (RFC 6902), else a merge patch (RFC 7386). */
const contentType = (method: string, body: unknown): string =>
  method !== 'PATCH'
    ? 'application/json'
    : Array.isArray(body)
      ? 'application/json-patch+json'
      : 'application/merge-patch+json'

/** `agents` collects what must be closed at the end. */
export function apiOf(access: ClusterAccess, agents: Agent[]): Api {
  const connect = { ...(access.ca === undefined ? {} : { ca: access.ca }), ...access.certificate }
  const agent = new Agent({ connect })
  agents.push(agent)
  return async (method, path, body) => {
    const headers: Record<string, string> = { accept: 'application/json' }
    if (body !== undefined) headers['content-type'] = contentType(method, body)
    if (access.token !== undefined) headers['authorization'] = `Bearer ${await access.token()}`
    const answer = await request(`${access.server}${path}`, {
      method,
      headers,
      dispatcher: agent,
      body: body === undefined ? null : JSON.stringify(body),
    })
    const text = await answer.body.text()
    // A path that is not served yet is answered in plain text ("404 page not found").
    const parsed = (text.startsWith('{') ? JSON.parse(text) : { message: text }) as JsonObject
    return {
      status: answer.statusCode,
      body: parsed,
      message: textOf(parsed['message']),
      reason: textOf(parsed['reason']),
    }
  }
}

/** Asks until there is an answer. */
export async function poll<T>(what: string, ask: () => Promise<T | undefined>, timeoutMs = 20_000): Promise<T> {
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 40))
  }
}

/** Creates; what is there already is left as it is. Fails with the server's words. */
export async function write(api: Api, manifest: JsonObject): Promise<void> {
  const { collection } = pathOf(manifest)
  const answer = await api('POST', collection, manifest)
  if (answer.status !== 201 && answer.status !== 409) {
    throw new Error(
      `${JSON.stringify(manifest['kind'])} ${JSON.stringify(manifest['metadata'])}: ${answer.status} ${answer.message}`,
    )
  }
}
