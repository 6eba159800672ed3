import { createServer } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { apiClient } from '../../../src/cli/client.ts'
import { serverEvents } from '../../../src/cli/sse.ts'
import { token } from './support.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, attempt: number) => void
const servers: Server[] = []
afterEach(() =>
  Promise.all(
    servers.splice(0).map((server) => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)))),
  ),
)

/** A server that answers as the handler says, and what it was asked. */
async function backend(handler: Handler) {
  const asked: { method: string; url: string; headers: IncomingMessage['headers'] }[] = []
  const server = createServer((request, response) => {
    asked.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers })
    handler(request, response, asked.length)
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, client: apiClient({ url, token, pauseMs: 1 }) }
}

const json = (response: ServerResponse, status: number, body: object, headers = {}) =>
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
const drop: Handler = (request) => request.socket.destroy()

describe('repeating', () => {
  test('a write whose answer was lost is sent again under the same key', async () => {
    const { asked, client } = await backend((request, response, attempt) =>
      attempt < 3
        ? drop(request, response, attempt)
        : json(response, 201, { metadata: { name: 'acme' } }, { 'ringfence-outcome': 'created' }),
    )
    expect(await client.create({})).toMatchObject({ outcome: 'created' })
    const keys = asked.map(({ headers }) => headers['idempotency-key'])
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect(keys[0]).toMatch(/^[0-9a-f-]{36}$/)
  })
  test('two writes have two keys', async () => {
    const { asked, client } = await backend((_request, response) => json(response, 200, {}))
    await client.remove('acme', 'acme')
    await client.remove('acme', 'acme')
    expect(new Set(asked.map(({ headers }) => headers['idempotency-key'])).size).toBe(2)
  })
  test('it ends after three attempts, as Unreachable', async () => {
    const { asked, client } = await backend(drop)
    await expect(client.create({})).rejects.toMatchObject({ code: 'Unreachable' })
    expect(asked).toHaveLength(3)
  })
  test('what has no key is sent once', async () => {
    const { asked, client } = await backend(drop)
    await expect(client.plan({})).rejects.toMatchObject({ code: 'Unreachable' })
    await expect(client.prove([])).rejects.toMatchObject({ code: 'Unreachable' })
    expect(asked).toHaveLength(2)
  })
  test('a read is repeated when the server asks to come back, and never when it refused', async () => {
    const busy = await backend((_request, response, attempt) =>
      attempt === 1
        ? json(response, 429, { code: 'RateLimited', detail: 'later' })
        : json(response, 200, { items: [] }),
    )
    expect(await busy.client.list({})).toEqual({ items: [] })
    const refusing = await backend((_request, response) => json(response, 403, { code: 'Forbidden', detail: 'no' }))
    await expect(refusing.client.list({})).rejects.toMatchObject({ code: 'Forbidden' })
    expect([busy.asked.length, refusing.asked.length]).toEqual([2, 1])
  })
})

describe('answers', () => {
  test('a problem becomes the error that it was, with its problems', async () => {
    const problems = [{ path: '/spec', reason: 'r', fix: 'f' }]
    const { client } = await backend((_request, response) =>
      json(response, 422, { code: 'InvalidDocument', detail: 'bad', problems }),
    )
    await expect(client.plan({})).rejects.toMatchObject({
      code: 'InvalidDocument',
      message: 'bad',
      facts: { problems },
    })
  })
  test.each([
    ['not JSON', '<html>'],
    ['a code that nobody knows', '{"code":"Surprise","detail":"x"}'],
    ['a code of the prototype', '{"code":"constructor","detail":"x"}'],
  ])('a failure with %s is a fault of the backend', async (_what, body) => {
    const { client } = await backend((_request, response) => void response.writeHead(500).end(body))
    await expect(client.plan({})).rejects.toMatchObject({ code: 'BackendFault' })
  })
  test('a redirect is not followed, so the token goes nowhere else', async () => {
    const other = await backend((_request, response) => json(response, 200, {}))
    const { client } = await backend(
      (_request, response) => void response.writeHead(307, { location: other.client.url }).end(),
    )
    await expect(client.plan({})).rejects.toMatchObject({ code: 'Unreachable' })
    expect(other.asked).toEqual([])
  })
  test('names are escaped in paths', async () => {
    const { asked, client } = await backend((_request, response) => json(response, 200, {}))
    await client.get('../audit?x=1#')
    expect(asked[0]?.url).toBe('/v1/tenants/..%2Faudit%3Fx%3D1%23')
  })
})

describe('events', () => {
  const event = (sequence: number) =>
    `id: ${sequence}\nevent: step\ndata: ${JSON.stringify({ sequence, message: `m${sequence}` })}\n\n`
  const collect = async (client: ReturnType<typeof apiClient>, count: number, after?: number) => {
    const stopping = new AbortController()
    const seen: number[] = []
    for await (const { sequence } of client.events(after === undefined ? {} : { after }, stopping.signal)) {
      seen.push(sequence)
      if (seen.length === count) stopping.abort()
    }
    return seen
  }
  test('a stream that breaks off, even inside an event, is taken up after the last whole one', async () => {
    const { asked, client } = await backend((_request, response, attempt) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      if (attempt === 1) response.write(event(1) + event(2) + 'id: 3\ndata: {"sequ', () => response.destroy())
      else if (attempt === 2) response.end(event(3))
      else response.write(event(4))
    })
    expect(await collect(client, 4)).toEqual([1, 2, 3, 4])
    expect(asked.map(({ headers }) => headers['last-event-id'])).toEqual([undefined, '2', '3'])
  })
  test('it begins after the event that is named', async () => {
    const { asked, client } = await backend((_request, response) => void response.writeHead(200).write(event(8)))
    expect(await collect(client, 1, 7)).toEqual([8])
    expect(asked[0]?.headers['last-event-id']).toBe('7')
  })
  test('a problem that the server tells in the stream ends it with that code', async () => {
    const { client } = await backend(
      (_request, response) =>
        void response.writeHead(200).end('event: error\ndata: {"code":"StoreUnavailable","detail":"away"}\n\n'),
    )
    await expect(collect(client, 1)).rejects.toMatchObject({ code: 'StoreUnavailable' })
  })

  async function parsed(...chunks: string[]) {
    const bytes = async function* () {
      for (const chunk of chunks) yield new TextEncoder().encode(chunk)
    }
    return Array.fromAsync(serverEvents(bytes()))
  }
  test.each([
    ['LF', ['data: a\n\n']],
    ['CRLF', ['data: a\r\n\r\n']],
    ['CR', ['data: a\r\rx']],
    ['split anywhere', ['da', 'ta: ', 'a\r', '\n\r', '\n']],
    ['comments and unknown fields', [': hello\nretry: 5\nfoo: bar\ndata:a\n\n']],
  ])('line ends are read: %s', async (_what, chunks) => {
    expect((await parsed(...chunks)).map(({ data }) => data)).toEqual(['a'])
  })
  test('several data lines are one text, an event without its empty line is none', async () => {
    expect(await parsed('id: 1\nevent: e\ndata: a\ndata: b\n\ndata: lost\n')).toEqual([
      { id: '1', event: 'e', data: 'a\nb' },
    ])
  })
})
