/**
 * The few plain requests that starting a cluster takes. Everything else talks to it through the Kubernetes driver.
 */
import { request as httpsRequest } from 'node:https'
import type { ClusterAccess } from '../../model/backends.ts'

export interface Answer {
  readonly status: number
  readonly body: string
}

/** One request with a client certificate; rejects where no answer came within `timeoutMs`. */
export function ask(
  access: ClusterAccess,
  method: string,
  path: string,
  body?: object,
  timeoutMs = 10_000,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const content = body === undefined ? undefined : JSON.stringify(body)
    const request = httpsRequest(
      new URL(path, access.server),
      {
        method,
        agent: false,
        timeout: timeoutMs,
        ...(access.ca === undefined ? {} : { ca: access.ca }),
        ...access.certificate,
        headers:
          content === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) },
      },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.once('error', reject)
        response.once('end', () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
        )
      },
    )
    request.once('timeout', () =>
      request.destroy(new Error(`no answer from ${access.server}${path} within ${timeoutMs} ms`)),
    )
    request.once('error', reject)
    request.end(content)
  })
}
