/** How answers, and their absence, become error codes. */
import { afterEach, describe, expect, it } from 'vitest'
import { createKubernetesClient, type KubernetesClient } from '../../../../src/drivers/kubernetes/client.ts'
import { drivenKinds, type KubeKind } from '../../../../src/drivers/kubernetes/kinds.ts'
import { listAll } from '../../../../src/drivers/kubernetes/list.ts'
import { mayHaveHappened, retryAfter } from '../../../../src/drivers/kubernetes/status.ts'
import type { ErrorCode } from '../../../../src/model/errors.ts'
import type { JsonObject } from '../../../../src/model/json.ts'
import { refusal } from '../../../conformance/driver.ts'
import { answer, startFakeApi, statusObject, type FakeApi, type Handler } from './fake-api.ts'

let api: FakeApi | undefined
let client: KubernetesClient | undefined
afterEach(async () => {
  await client?.close()
  await api?.close()
})
async function serve(handler: Handler): Promise<KubernetesClient> {
  api = await startFakeApi(handler)
  client = createKubernetesClient({ server: api.url, token: async () => 'a-token' })
  return client
}
const limits = (ms = 5_000) => ({ signal: new AbortController().signal, deadlineMs: Date.now() + ms })
const get = (over = limits()) => refusal((client as KubernetesClient).request('GET', '/api/v1/namespaces/x', over))

describe('an answer becomes a code', () => {
  const about = { name: 'x', kind: 'namespaces' }
  const cases: readonly [
    title: string,
    status: number,
    body: JsonObject | string,
    code: ErrorCode,
    happened: boolean,
  ][] = [
    ['an object that is not there', 404, statusObject(404, 'NotFound', about), 'NotFound', false],
    ['a path that no handler serves', 404, '404 page not found\n', 'NotConfigured', false],
    ['a kind that is not served', 404, statusObject(404, 'NotFound', {}), 'NotConfigured', false],
    ['no right', 403, statusObject(403, 'Forbidden', about), 'Forbidden', false],
    [
      'a namespace on its way out',
      403,
      statusObject(403, 'Forbidden', { ...about, causes: [{ reason: 'NamespaceTerminating' }] }),
      'Waiting',
      false,
    ],
    ['no identity', 401, statusObject(401, 'Unauthorized'), 'Unauthenticated', false],
    ['a name that is taken', 409, statusObject(409, 'AlreadyExists', about), 'AlreadyExists', false],
    ['a version that moved on', 409, statusObject(409, 'Conflict', about), 'Conflict', false],
    ['content that is refused', 422, statusObject(422, 'Invalid', about), 'Rejected', false],
    ['a fault', 500, statusObject(500, 'InternalError'), 'BackendFault', true],
    [
      'a webhook that failed',
      500,
      { ...statusObject(500, 'InternalError'), message: 'Internal error occurred: failed calling webhook "x"' },
      'BackendFault',
      false,
    ],
    ['a server that is not ready', 503, statusObject(503, 'ServiceUnavailable'), 'BackendFault', false],
    ['a time-out over there', 504, statusObject(504, 'Timeout'), 'Timeout', true],
    ['a proxy in between', 502, '<html>bad gateway</html>', 'BackendFault', true],
  ]
  it.each(cases)('%s', async (_title, status, body, code, happened) => {
    await serve((_request, response) => answer(response, status, body))
    const error = await get()
    expect(error.code).toBe(code)
    expect(mayHaveHappened(error)).toBe(happened)
  })

  it('keeps for how long a busy server wants to be left alone, from the header and from the Status', async () => {
    await serve((request, response) =>
      answer(
        response,
        429,
        statusObject(429, 'TooManyRequests', { retryAfterSeconds: 3 }),
        request.url.searchParams.has('header') ? { 'retry-after': '7' } : {},
      ),
    )
    expect(await get()).toMatchObject({ code: 'RateLimited', facts: { retryAfterMs: 3_000 } })
    const withHeader = await refusal(
      (client as KubernetesClient).request('GET', '/x', { ...limits(), query: { header: 1 } }),
    )
    expect(withHeader).toMatchObject({ code: 'RateLimited', facts: { retryAfterMs: 7_000 } })
  })

  it('reads Retry-After as seconds and as a date', () => {
    expect(retryAfter('12')).toBe(12_000)
    expect(retryAfter('Wed, 21 Oct 2015 07:28:30 GMT', Date.parse('Wed, 21 Oct 2015 07:28:00 GMT'))).toBe(30_000)
    expect(retryAfter('Wed, 21 Oct 2015 07:28:00 GMT')).toBe(0)
    expect(retryAfter('soon')).toBeUndefined()
    expect(retryAfter(undefined)).toBeUndefined()
  })

  it('does not take an answer that is not JSON for an object', async () => {
    await serve((_request, response) => answer(response, 200, '<html>log in</html>'))
    expect((await get()).code).toBe('Unreadable')
  })
})

describe('the absence of an answer becomes a code', () => {
  it('a deadline, at its time', async () => {
    await serve(() => undefined)
    const began = Date.now()
    const error = await get(limits(150))
    expect(error.code).toBe('Timeout')
    expect(mayHaveHappened(error)).toBe(true)
    expect(Date.now() - began).toBeLessThan(1_500)
  })

  it('a deadline too while a body is still coming', async () => {
    await serve((_request, response) => void response.write('{"a":'))
    expect((await get(limits(150))).code).toBe('Timeout')
  })

  it('an abort, at once', async () => {
    await serve(() => undefined)
    const stop = new AbortController()
    setTimeout(() => stop.abort(), 50)
    expect((await get({ ...limits(), signal: stop.signal })).code).toBe('Aborted')
  })

  it('a connection that is cut may have carried the request; one that is refused has not', async () => {
    await serve((_request, response) => void response.destroy())
    const cut = await get()
    expect(cut.code).toBe('Unreachable')
    expect(mayHaveHappened(cut)).toBe(true)
    await api?.close()
    const refused = await get()
    expect(refused.code).toBe('Unreachable')
    expect(mayHaveHappened(refused)).toBe(false)
  })

  it('shows neither the token nor a body in an error', async () => {
    await serve((_request, response) => answer(response, 500, statusObject(500, 'InternalError')))
    const error = await refusal(
      (client as KubernetesClient).request('POST', '/api/v1/secrets', {
        ...limits(),
        body: { data: { password: 'hunter2' } },
      }),
    )
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toMatch(/hunter2|a-token/)
  })
})

describe('a list', () => {
  const namespace = drivenKinds['Namespace'] as KubeKind
  const page = (names: string[], next = ''): JsonObject => ({
    kind: 'NamespaceList',
    metadata: { resourceVersion: '7', continue: next },
    items: names.map((name) => ({ metadata: { name } })),
  })

  it('is read to its last page', async () => {
    await serve(({ url }, response) =>
      answer(response, 200, url.searchParams.get('continue') === 'more' ? page(['c']) : page(['a', 'b'], 'more')),
    )
    const all = await listAll(client as KubernetesClient, namespace, { ...limits(), pageSize: 2 })
    expect(all.map((item) => (item['metadata'] as { name: string }).name)).toEqual(['a', 'b', 'c'])
    expect(all[0]).toMatchObject({ apiVersion: 'v1', kind: 'Namespace' })
    expect(api?.requests.map(({ url }) => url.searchParams.get('limit'))).toEqual(['2', '2'])
  })

  it('that breaks off after a page is an error, not a short list', async () => {
    await serve(({ url }, response) =>
      url.searchParams.has('continue')
        ? answer(response, 410, statusObject(410, 'Expired'))
        : answer(response, 200, page(['a'], 'more')),
    )
    expect((await refusal(listAll(client as KubernetesClient, namespace, limits()))).facts['httpStatus']).toBe(410)
  })

  it('without a resource version or items is unreadable', async () => {
    await serve((_request, response) => answer(response, 200, { items: [] }))
    expect((await refusal(listAll(client as KubernetesClient, namespace, limits()))).code).toBe('Unreadable')
  })
})
