/** JSON requests to the shared API server over connections that are kept; as anyone, by impersonation or certificate. */
import { Pool } from 'undici'
import type { ClusterAccess } from '../../../../src/model/backends.ts'

export interface Answer {
  readonly status: number
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of the API server, asserted on by the tests
  readonly body: any
}

export interface Cluster {
  ask(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: unknown,
    headers?: Record<string, string | string[]>,
  ): Promise<Answer>
  close(): Promise<void>
}

export function clusterOf(access: ClusterAccess): Cluster {
  const { ca, certificate } = access
  const pool = new Pool(new URL(access.server).origin, {
    connections: 16,
    connect: {
      ...(ca === undefined ? {} : { ca }),
      ...(certificate === undefined ? {} : { cert: certificate.cert, key: certificate.key }),
    },
  })
  return {
    async ask(method, path, body, headers = {}) {
      const token = access.token === undefined ? {} : { authorization: `Bearer ${await access.token()}` }
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const answer = await pool.request({
        method,
        path,
        headers: { accept: 'application/json', 'content-type': type, ...token, ...headers },
        body: body === undefined ? null : JSON.stringify(body),
      })
      const text = await answer.body.text()
      return { status: answer.statusCode, body: text.startsWith('{') ? JSON.parse(text) : text }
    },
    close: () => pool.destroy(),
  }
}

/** Runs over all items, `width` at a time. */
export async function concurrently<T>(
  items: readonly T[],
  width: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const item = items[next] as T
      next += 1
      await run(item)
    }
  }
  await Promise.all(Array.from({ length: width }, worker))
}

/** Asks again until it holds; says what it waited for when it never does. */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 30_000): Promise<void> {
  const end = Date.now() + timeoutMs
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The text behind base64, as Secrets and certificates hold it. */
export const decoded = (text: string): string => Buffer.from(text, 'base64').toString()
