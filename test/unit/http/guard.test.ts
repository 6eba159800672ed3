import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createServer } from '../../../src/http/server.ts'
import { hostAllowed, pseudonymOf } from '../../../src/http/guard.ts'
import { fakeControlPlane } from './fake-control-plane.ts'
import { acme, honest, rig, routes, streams, token } from './support.ts'
import type { Rig } from './support.ts'

let it: Rig
beforeEach(async () => {
  it = rig()
  await it.send({ method: 'POST', url: '/v1/tenants', payload: acme() })
  it.fake.calls.length = 0
})
afterEach(() => it.app.close())

const everyRoute = [
  ...routes.map(({ method, url, ...rest }) => ({ method, url, payload: 'payload' in rest ? rest.payload : undefined })),
  ...streams.map((url) => ({ method: 'GET' as const, url, payload: undefined })),
]

describe.each(everyRoute)('$method $url', ({ method, url, payload }) => {
  const request = { method, url, ...(payload ? { payload } : {}) }
  const refused: readonly (readonly [string, Record<string, string>, number, string])[] = [
    ['without a token', { host: honest.host }, 401, 'Unauthenticated'],
    ['with an empty token', { host: honest.host, authorization: 'Bearer ' }, 401, 'Unauthenticated'],
    ['with a wrong token', { host: honest.host, authorization: `Bearer ${token}x` }, 401, 'Unauthenticated'],
    ['with the token as Basic', { host: honest.host, authorization: `Basic ${token}` }, 401, 'Unauthenticated'],
    ['with two tokens', { host: honest.host, authorization: `Bearer ${token} ${token}` }, 401, 'Unauthenticated'],
    ['for a foreign Host', { ...honest, host: 'evil.example' }, 421, 'Forbidden'],
    ['for the right name on a port that is not listed', { ...honest, host: 'localhost:9' }, 421, 'Forbidden'],
    ['from a foreign origin', { ...honest, origin: 'https://evil.example' }, 403, 'Forbidden'],
    ['from an opaque origin', { ...honest, origin: 'null' }, 403, 'Forbidden'],
    ['from another site as the browser says', { ...honest, 'sec-fetch-site': 'cross-site' }, 403, 'Forbidden'],
  ]
  test.each(refused)('is refused %s, and nothing reaches the control plane', async (_what, headers, status, code) => {
    const response = await it.app.inject({ ...request, headers })
    expect(response.statusCode).toBe(status)
    expect(response.json()).toMatchObject({ code, status })
    expect(response.headers['content-type']).toContain('application/problem+json')
    expect(response.headers['access-control-allow-origin']).toBeUndefined()
    expect(it.fake.calls).toEqual([])
  })
})

test.each(routes)('$method $url answers an honest client', async (request) => {
  const response = await it.send(request)
  expect(response.statusCode).toBeLessThan(300)
  expect(response.headers['x-content-type-options']).toBe('nosniff')
  expect(response.headers['cache-control']).toBe('no-store')
})

test('the scheme of the token is not case-sensitive, the token is', async () => {
  expect((await it.send({ url: '/v1/version', headers: { authorization: `bEaReR ${token}` } })).statusCode).toBe(200)
  expect(
    (await it.send({ url: '/v1/version', headers: { authorization: `Bearer ${token.toUpperCase()}` } })).statusCode,
  ).toBe(401)
})

test('a page of the server itself may call it', async () => {
  expect(
    (
      await it.send({
        url: '/v1/version',
        headers: { origin: 'http://127.0.0.1:8080', 'sec-fetch-site': 'same-origin' },
      })
    ).statusCode,
  ).toBe(200)
})

test('health needs no token and says only ok, but not to a foreign Host', async () => {
  const healthy = await it.app.inject({ url: '/healthz', headers: { host: '127.0.0.1' } })
  expect([healthy.statusCode, healthy.body]).toEqual([200, 'ok'])
  expect((await it.app.inject({ url: '/healthz', headers: { host: 'evil.example' } })).statusCode).toBe(421)
})

test('an unknown caller cannot tell a route that exists from one that does not', async () => {
  const [known, unknown] = await Promise.all(
    ['/v1/tenants', '/v1/nothing'].map((url) => it.app.inject({ url, headers: { host: honest.host } })),
  )
  expect([known?.statusCode, unknown?.statusCode]).toEqual([401, 401])
  expect((await it.send({ url: '/v1/nothing' })).json()).toMatchObject({ code: 'NotFound', status: 404 })
})

test('preflights get no CORS headers', async () => {
  const response = await it.send({
    method: 'OPTIONS',
    url: '/v1/tenants',
    headers: { origin: 'https://evil.example', 'access-control-request-method': 'POST' },
  })
  expect(response.statusCode).toBe(403)
  expect(Object.keys(response.headers).filter((name) => name.startsWith('access-control'))).toEqual([])
})

test('refusals are audited once per window and reason, with their number', async () => {
  for (let count = 0; count < 30; count += 1)
    await it.app.inject({ url: '/v1/version', headers: { host: honest.host } })
  for (let count = 0; count < 3; count += 1)
    await it.app.inject({ url: '/v1/version', headers: { ...honest, host: 'evil.example' } })
  await expect.poll(() => it.fake.denials.reduce((sum, { count }) => sum + count, 0)).toBe(33)
  expect(it.fake.denials.length).toBeLessThan(33)
  expect(new Set(it.fake.denials.map(({ reason }) => reason))).toEqual(new Set(['missing-token', 'foreign-host']))
})

test('refusals that could not be audited are counted on, and still refused', async () => {
  it.fake.failNext = new Error('the store is away')
  expect((await it.app.inject({ url: '/v1/version', headers: { host: honest.host } })).statusCode).toBe(401)
  await expect.poll(() => it.fake.denials.map(({ count, reason }) => [count, reason])).toEqual([[1, 'missing-token']])
})

test('closing writes the refusals that are still counted', async () => {
  const slow = rig({ denialWindowMs: 60_000 })
  await slow.app.inject({ url: '/v1/version', headers: { host: honest.host } })
  await sleep(5)
  expect(slow.fake.denials).toEqual([])
  await slow.app.close()
  expect(slow.fake.denials).toMatchObject([{ count: 1, reason: 'missing-token' }])
})

test.each(['', 'short', 'x'.repeat(31)])('a server refuses to be made with the guessable token "%s"', (weak) => {
  expect(() => createServer({ controlPlane: fakeControlPlane(), token: weak, allowedHosts: ['localhost'] })).toThrow(
    expect.objectContaining({ code: 'Usage' }),
  )
})

test('the caller is a pseudonym that does not hold the token', async () => {
  await it.send({ method: 'POST', url: '/v1/plan', payload: acme(), headers: { 'x-request-id': 'trace-0001' } })
  expect(it.fake.calls).toMatchObject([
    { method: 'plan', caller: { actor: pseudonymOf(token), requestId: 'trace-0001' } },
  ])
  expect(pseudonymOf(token)).toMatch(/^operator:[0-9a-f]{16}$/)
})

test('a request id that would be dangerous in a log is replaced', async () => {
  const response = await it.send({ url: '/v1/version', headers: { 'x-request-id': 'a"; drop\u001b[2J' } })
  expect(response.headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/)
})

test('hosts match as a whole, without case, with any port only where none is listed', () => {
  const allowed = ['127.0.0.1', '[::1]', 'localhost:8080']
  expect(['127.0.0.1', '127.0.0.1:1', '[::1]:99', 'LOCALHOST:8080'].map((host) => hostAllowed(host, allowed))).toEqual([
    true,
    true,
    true,
    true,
  ])
  const foreign = [
    undefined,
    '',
    'localhost',
    'localhost:80',
    '127.0.0.1.evil.example',
    'evil-127.0.0.1',
    'localhost:8080:8080',
    '[::1',
    '127.0.0.1:',
  ]
  expect(foreign.filter((host) => hostAllowed(host, allowed))).toEqual([])
})
