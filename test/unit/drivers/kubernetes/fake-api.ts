/** A tiny HTTP server that answers what a test tells it to: for answers that a real API server cannot be made to give. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { JsonObject } from '../../../../src/model/json.ts'

export interface FakeApi {
  readonly url: string
  readonly requests: { readonly method: string; readonly url: URL; readonly body: string }[]
  close(): Promise<void>
}

export type Handler = (
  request: { readonly method: string; readonly url: URL; readonly body: string },
  response: ServerResponse,
) => void | Promise<void>

export async function startFakeApi(handler: Handler): Promise<FakeApi> {
  const requests: FakeApi['requests'] = []
  const read = async (request: IncomingMessage) => {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    return body
  }
  const server = createServer((request, response) => {
    void (async () => {
      const asked = {
        method: request.method ?? '',
        url: new URL(request.url ?? '/', 'http://fake'),
        body: await read(request),
      }
      requests.push(asked)
      await handler(asked, response)
    })()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

export const answer = (
  response: ServerResponse,
  status: number,
  body: JsonObject | string,
  headers: { [name: string]: string } = {},
): void => {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(typeof body === 'string' ? body : JSON.stringify(body))
}

export const statusObject = (code: number, reason: string, details: JsonObject = {}): JsonObject => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message: `${reason} it is`,
  details,
})
