/** One watch, through everything that a watch can live through. */
import type { ServerResponse } from 'node:http'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createKubernetesClient, type KubernetesClient } from '../../../../src/drivers/kubernetes/client.ts'
import { drivenKinds, type KubeKind } from '../../../../src/drivers/kubernetes/kinds.ts'
import { createReflector, type Reflector } from '../../../../src/drivers/kubernetes/reflector.ts'
import type { JsonObject } from '../../../../src/model/json.ts'
import { answer, startFakeApi, statusObject, type FakeApi } from './fake-api.ts'

const kind = drivenKinds['Namespace'] as KubeKind
const namespace = (name: string, version: number, labels: JsonObject = {}): JsonObject => ({
  metadata: { name, uid: `uid-${name}`, resourceVersion: String(version), labels, managedFields: [{ manager: 'x' }] },
})

describe('a reflector', () => {
  let api: FakeApi
  let client: KubernetesClient
  let reflector: Reflector
  let stop: AbortController
  let running: Promise<void>
  let changes: string[]
  /** What the server holds, and the open watches. */
  let listed: { items: JsonObject[]; version: number }
  let watches: { readonly response: ServerResponse; readonly from: string | null }[]
  let onWatch: ((response: ServerResponse, from: string | null) => boolean) | undefined

  beforeEach(async () => {
    listed = { items: [namespace('a', 1)], version: 10 }
    watches = []
    changes = []
    onWatch = undefined
    api = await startFakeApi(({ url }, response) => {
      if (!url.searchParams.has('watch'))
        return answer(response, 200, { metadata: { resourceVersion: String(listed.version) }, items: listed.items })
      const from = url.searchParams.get('resourceVersion')
      if (onWatch?.(response, from)) return
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      watches.push({ response, from })
    })
    client = createKubernetesClient({ server: api.url })
    reflector = createReflector({
      client,
      kind,
      silenceMs: 2_000,
      backoffMs: { first: 10, last: 40 },
      onChange: (change) => changes.push(change),
    })
    stop = new AbortController()
    running = reflector.run(stop.signal)
    await expect.poll(() => reflector.inStep()).toBe(true)
  })
  afterEach(async () => {
    stop.abort()
    await running
    await client.close()
    await api.close()
  })
  const send = (...events: JsonObject[]) =>
    watches.at(-1)?.response.write(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  const event = (type: string, object: JsonObject): JsonObject => ({ type, object })

  it('knows what was listed and what was not', () => {
    expect(reflector.get('a')).toMatchObject({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } })
    expect(reflector.get('b')).toBeNull()
    expect(JSON.stringify(reflector.get('a'))).not.toContain('managedFields')
    expect(changes).toEqual(['resync'])
    expect(watches[0]?.from).toBe('10')
  })

  it('follows additions, changes and deletions, and is quiet when nothing that counts changed', async () => {
    send(
      event('ADDED', namespace('b', 11)),
      event('MODIFIED', namespace('a', 12)),
      event('MODIFIED', namespace('a', 13, { x: 'y' })),
      event('DELETED', namespace('b', 14)),
    )
    await expect.poll(() => changes).toEqual(['resync', 'b', 'a', 'b'])
    expect(reflector.get('b')).toBeNull()
  })

  it('resumes from the last version it saw when the connection is cut, and misses nothing', async () => {
    send(event('ADDED', namespace('b', 11)), event('BOOKMARK', { metadata: { resourceVersion: '20' } }))
    await expect.poll(() => changes).toContain('b')
    watches[0]?.response.destroy()
    await expect.poll(() => watches.length).toBe(2)
    expect(watches[1]?.from).toBe('20')
    send(event('ADDED', namespace('c', 21)))
    await expect.poll(() => changes).toEqual(['resync', 'b', 'c'])
  })

  it('cuts a stream that fell silent', async () => {
    await expect.poll(() => watches.length, { timeout: 8_000 }).toBeGreaterThanOrEqual(2)
    expect(watches[1]?.from).toBe('10')
  })

  it.each([
    [
      'an ERROR event',
      (response: ServerResponse) => {
        response.writeHead(200)
        response.write(`${JSON.stringify(event('ERROR', statusObject(410, 'Expired')))}\n`)
      },
    ],
    ['an answer', (response: ServerResponse) => answer(response, 410, statusObject(410, 'Expired'))],
  ])('lists again when the server has forgotten where it was, said by %s', async (_title, expired) => {
    listed = { items: [namespace('a', 1, { new: 'yes' }), namespace('late', 30)], version: 40 }
    let once = true
    onWatch = (response) => {
      if (!once) return false
      once = false
      expired(response)
      return true
    }
    watches[0]?.response.destroy()
    await expect.poll(() => watches.at(-1)?.from).toBe('40')
    // The server has the request before the reflector has its answer.
    await expect.poll(() => reflector.inStep()).toBe(true)
    expect(changes).toEqual(['resync', 'resync'])
    expect(reflector.get('late')).toMatchObject({ metadata: { name: 'late' } })
    expect(reflector.get('a')).toMatchObject({ metadata: { labels: { new: 'yes' } } })
  })

  it('says that it does not know while it is not connected, and stays away for as long as the server asks', async () => {
    let refusals = 0
    const begun = Date.now()
    onWatch = (response) => {
      if (++refusals > 1) return false
      answer(response, 429, statusObject(429, 'TooManyRequests'), { 'retry-after': '1' })
      return true
    }
    watches[0]?.response.destroy()
    await expect.poll(() => reflector.inStep()).toBe(false)
    expect(reflector.get('a')).toBeUndefined()
    expect(reflector.get('b')).toBeUndefined()
    await expect.poll(() => reflector.problem()?.code).toBe('RateLimited')
    await expect.poll(() => reflector.inStep(), { timeout: 5_000 }).toBe(true)
    expect(Date.now() - begun).toBeGreaterThanOrEqual(1_000)
    expect(reflector.get('a')).toMatchObject({ metadata: { name: 'a' } })
  })

  it('breaks the watch on what is not an event instead of skipping it', async () => {
    watches[0]?.response.write('{"not":"an event"}\n')
    await expect.poll(() => watches.length).toBe(2)
    watches[1]?.response.end('{"type":"ADDED","obj')
    await expect.poll(() => watches.length).toBe(3)
    await expect.poll(() => reflector.inStep()).toBe(true)
    expect(reflector.get('b')).toBeNull()
  })

  it('believes the answer to our own write over an older event', async () => {
    reflector.saw('a', namespace('a', 50, { ours: 'yes' }))
    send(event('MODIFIED', namespace('a', 45, { older: 'yes' })), event('ADDED', namespace('end', 51)))
    await expect.poll(() => changes).toContain('end')
    expect(reflector.get('a')).toMatchObject({ metadata: { labels: { ours: 'yes' } } })
    expect(changes).not.toContain('a')
    send(event('DELETED', namespace('a', 48)), event('ADDED', namespace('end2', 52)))
    await expect.poll(() => changes).toContain('end2')
    expect(reflector.get('a')).not.toBeNull()
  })

  it('does not answer for an object whose write had no clear outcome, until it hears of it', async () => {
    reflector.doubt('a')
    expect(reflector.get('a')).toBeUndefined()
    expect(reflector.get('b')).toBeNull()
    send(event('MODIFIED', namespace('a', 60, { done: 'yes' })))
    await expect.poll(() => reflector.get('a')).toMatchObject({ metadata: { labels: { done: 'yes' } } })
  })
})
