import { Writable } from 'node:stream'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { errorTraits, RingfenceError } from '../../../src/model/errors.ts'
import type { ErrorCode } from '../../../src/model/errors.ts'
import { acme, rig, token } from './support.ts'
import type { Rig } from './support.ts'

const lines: string[] = []
const sink = new Writable({
  write(chunk, _encoding, done) {
    lines.push(String(chunk))
    done()
  },
})
let it: Rig
beforeEach(() => {
  lines.length = 0
  it = rig({ log: pino(sink), bodyLimitBytes: 10_000 })
})
afterEach(() => it.app.close())

const post = (payload: string | object, type?: string) =>
  it.send({
    method: 'POST',
    url: '/v1/tenants',
    payload,
    ...(type === undefined ? {} : { headers: { 'content-type': type } }),
  })

test.each(Object.keys(errorTraits) as ErrorCode[])('%s has the status of the table and a stable code', async (code) => {
  it.fake.failNext = new RingfenceError(code, 'What was tried, on what, and what to do.')
  const response = await it.send({ url: '/v1/doctor' })
  const { status } = errorTraits[code]
  expect(response.statusCode).toBe(status)
  expect(response.json()).toEqual({
    type: `urn:ringfence:error:${code}`,
    title: expect.stringMatching(/^[A-Z]/),
    status,
    code,
    detail:
      code === 'Internal'
        ? expect.stringContaining(String(response.headers['x-request-id']))
        : 'What was tried, on what, and what to do.',
    requestId: response.headers['x-request-id'],
  })
})

test('what nobody classified says nothing to the caller and everything to the log', async () => {
  it.fake.failNext = new TypeError('password=hunter2 at /srv/secret.ts:12')
  const response = await it.send({ url: '/v1/doctor' })
  expect([response.statusCode, response.json().code]).toEqual([500, 'Internal'])
  expect(response.body).not.toMatch(/hunter2|secret\.ts|TypeError/)
  expect(lines.join('')).toContain('hunter2')
  expect(lines.join('')).toContain(response.json().requestId)
})

test('a backend that asks us to stay away is passed on as Retry-After, in whole seconds', async () => {
  it.fake.failNext = new RingfenceError('RateLimited', 'Later.', { retryAfterMs: 1200 })
  expect((await it.send({ url: '/v1/doctor' })).headers['retry-after']).toBe('2')
})

test('refusals of the token say how to authenticate', async () => {
  expect((await it.app.inject({ url: '/v1/doctor', headers: { host: '127.0.0.1' } })).headers['www-authenticate']).toBe(
    'Bearer realm="ringfence"',
  )
})

describe('bodies', () => {
  const deep = (depth: number) => '['.repeat(depth) + ']'.repeat(depth)
  test.each([
    ['too large', JSON.stringify(acme({ description: 'x'.repeat(11_000) })), 'application/json', 413, 'Usage'],
    ['a form', 'kind=Tenant', 'application/x-www-form-urlencoded', 415, 'Usage'],
    ['plain text', JSON.stringify(acme()), 'text/plain', 415, 'Usage'],
    ['not JSON', '{"kind":', 'application/json', 400, 'Usage'],
    ['a polluted prototype', '{"__proto__":{"x":1}}', 'application/json', 400, 'Usage'],
    ['too deep', deep(2000), 'application/json', 422, 'InvalidDocument'],
    ['deep YAML', deep(200), 'application/yaml', 422, 'InvalidDocument'],
    ['two documents', 'a: 1\n---\nb: 2', 'application/yaml', 400, 'Usage'],
    ['a doubled key', 'kind: Tenant\nkind: Tenant', 'application/yaml', 400, 'Usage'],
    [
      'an alias bomb',
      `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(9)}*a]\nc: &c [${'*b,'.repeat(9)}*b]\nd: [${'*c,'.repeat(9)}*c]`,
      'application/yaml',
      400,
      'Usage',
    ],
    ['a number that is none', 'kind: .nan', 'application/yaml', 422, 'InvalidDocument'],
    ['nothing', '', 'application/yaml', 400, 'Usage'],
    ['a text', '"Tenant"', 'application/json', 422, 'InvalidDocument'],
    ['null', 'null', 'application/json', 422, 'InvalidDocument'],
  ])('that are %s are refused', async (_what, payload, type, status, code) => {
    const response = await post(payload, type)
    expect([response.statusCode, response.json().code]).toEqual([status, code])
    expect(it.fake.tenants.size).toBe(0)
  })
  test('a good one is accepted by the same server', async () => {
    expect((await post(acme())).statusCode).toBe(201)
  })
})

test('the log holds one line a request, without token, query values or text that acts', async () => {
  await it.send({ url: `/v1/tenants?after=geheim`, headers: { 'user-agent': '\u009b2J' } })
  await it.send({ url: '/v1/%1b%5b2J' })
  const text = lines.join('')
  expect(lines.length).toBe(2)
  expect(text).toContain('/v1/tenants')
  expect(text).not.toContain('geheim')
  expect(text).not.toContain(token)
  // oxlint-disable-next-line no-control-regex -- finding them is the purpose
  expect(text.replaceAll('\n', '')).not.toMatch(/[\u0000-\u001f\u007f-\u009f]/)
})
