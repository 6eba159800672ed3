import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { serverEvents } from '../../../src/cli/sse.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { listen } from '../../../src/http/server.ts'
import { acme, rig, token } from './support.ts'
import type { Rig } from './support.ts'

let it: Rig
let url: string
const open: AbortController[] = []
beforeEach(async () => {
  it = rig({ heartbeatMs: 30, maxStreams: 3, allowedHosts: ['127.0.0.1'] })
  url = await listen(it.app, { port: 0 })
  await it.send({ method: 'POST', url: '/v1/tenants', payload: acme() })
})
afterEach(async () => {
  open.splice(0).forEach((one) => one.abort())
  await it.app.close()
})

async function follow(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ response: Response; stop: () => void }> {
  const stopping = new AbortController()
  open.push(stopping)
  const response = await fetch(url + path, {
    headers: { authorization: `Bearer ${token}`, ...headers },
    signal: stopping.signal,
  })
  return { response, stop: () => stopping.abort() }
}

const bytesOf = (response: Response) => response.body ?? new ReadableStream<Uint8Array<ArrayBuffer>>()

/** The next `count` events of a stream. */
async function take(response: Response, count: number) {
  const seen = []
  for await (const event of serverEvents(bytesOf(response))) {
    seen.push(event)
    if (seen.length === count) break
  }
  return seen
}

const tell = (message: string, tenant = 'acme') =>
  it.fake.emit({ tenant, type: 'phase', reason: 'Provisioning', message })

test('a listener that was told nothing of the interface is on loopback', () => {
  expect(it.app.addresses().map((one) => (typeof one === 'string' ? one : one.address))).toEqual(['127.0.0.1'])
})

describe.each(['/v1/events', '/v1/tenants/acme/events'])('%s', (path) => {
  test('sends the past and then what comes, in order, each with its number', async () => {
    tell('one')
    const { response } = await follow(path)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const taken = take(response, 3)
    tell('two')
    tell('three')
    expect((await taken).map(({ id, event, data }) => [id, event, JSON.parse(data).message])).toEqual([
      ['1', 'phase', 'one'],
      ['2', 'phase', 'two'],
      ['3', 'phase', 'three'],
    ])
  })
  test.each([
    ['Last-Event-ID', '', { 'last-event-id': '2' }],
    ['after', '?after=2', {}],
    ['Last-Event-ID over after', '?after=1', { 'last-event-id': '2' }],
  ])('is taken up after %s without a gap or a repetition', async (_what, query, headers) => {
    for (const message of ['one', 'two', 'three']) tell(message)
    const { response } = await follow(path + query, headers)
    const taken = take(response, 2)
    tell('four')
    expect((await taken).map(({ data }) => JSON.parse(data).message)).toEqual(['three', 'four'])
  })
  test.each([
    ['?after=-1', {}],
    ['?after=x', {}],
    ['', { 'last-event-id': 'x' }],
  ])('refuses %j %j', async (query, headers) => {
    const { response } = await follow(path + query, headers)
    expect([response.status, ((await response.json()) as { code: string }).code]).toEqual([400, 'Usage'])
  })
  test('a text with line ends and escapes stays one event', async () => {
    const { response } = await follow(path)
    const taken = take(response, 1)
    tell('a\n\nevent: error\r\ndata: {}\u2028\u001b[2J')
    expect(JSON.parse((await taken)[0]?.data ?? '').message).toBe('a\n\nevent: error\r\ndata: {}\u2028\u001b[2J')
  })
})

test('a quiet stream beats', async () => {
  const { response } = await follow('/v1/events')
  let text = ''
  for await (const chunk of bytesOf(response).pipeThrough(new TextDecoderStream())) {
    text += chunk
    if (text.split(': heartbeat').length > 3) break
  }
  expect(text).toMatch(/^retry: \d+\n: connected\n\n(: heartbeat\n\n)+$/)
})

test('the stream of one tenant holds nothing of another', async () => {
  tell('of globex', 'globex')
  const { response } = await follow('/v1/tenants/acme/events')
  const taken = take(response, 1)
  tell('of acme')
  expect((await taken).map(({ data }) => JSON.parse(data).tenant)).toEqual(['acme'])
})

test('the stream of a tenant that is not there is 404', async () => {
  expect((await follow('/v1/tenants/nobody/events')).response.status).toBe(404)
})

test('a reader that goes away is noticed', async () => {
  const { stop } = await follow('/v1/events')
  await expect.poll(() => it.fake.openStreams()).toBe(1)
  stop()
  await expect.poll(() => it.fake.openStreams()).toBe(0)
})

test('more streams than allowed are refused until one ends', async () => {
  const streams = await Promise.all([1, 2, 3].map(() => follow('/v1/events')))
  const refused = (await follow('/v1/events')).response
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5'])
  streams[0]?.stop()
  await expect.poll(async () => (await follow('/v1/events')).response.status).toBe(200)
})

test('a stream that breaks says why, as a problem, and ends', async () => {
  const { response } = await follow('/v1/events')
  const taken = take(response, 2)
  it.fake.failNext = new RingfenceError('StoreUnavailable', 'The store is away.')
  tell('wakes the stream')
  expect((await taken).map(({ event, data }) => [event, JSON.parse(data).code])).toEqual([
    ['error', 'StoreUnavailable'],
  ])
})

test('closing the server ends the streams at once', async () => {
  const { response } = await follow('/v1/events')
  const ended = take(response, 1)
  await it.app.close()
  expect(await ended).toEqual([])
  expect(it.fake.openStreams()).toBe(0)
})
