import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { RingfenceError } from '../../../src/model/errors.ts'
import { acme, rig } from './support.ts'
import type { Rig } from './support.ts'

let it: Rig
beforeEach(() => {
  it = rig()
})
afterEach(() => it.app.close())

const create = (spec?: object) => it.send({ method: 'POST', url: '/v1/tenants', payload: acme(spec) })
const put = (spec: object, headers: Record<string, string> = {}, query = '') =>
  it.send({ method: 'PUT', url: `/v1/tenants/acme${query}`, payload: acme(spec), headers })

describe('creating', () => {
  test('answers 201 with the tenant, its place and its ETag', async () => {
    const response = await create()
    expect(response.statusCode).toBe(201)
    expect(response.headers).toMatchObject({
      location: '/v1/tenants/acme',
      etag: '"101"',
      'ringfence-outcome': 'created',
    })
    expect(response.json()).toMatchObject({ kind: 'Tenant', metadata: { name: 'acme', resourceVersion: '101' } })
  })
  test('the same content again is a no-op, other content a conflict', async () => {
    await create()
    expect([(await create()).statusCode, (await create()).headers['ringfence-outcome']]).toEqual([200, 'unchanged'])
    const other = await create({ tier: 'enterprise' })
    expect([other.statusCode, other.json().code]).toEqual([409, 'AlreadyExists'])
  })
  test('a bad document is answered with every problem, and nothing is stored', async () => {
    const response = await it.send({
      method: 'POST',
      url: '/v1/tenants',
      payload: { ...acme({ teir: 'x', tier: 'gold' }), metadata: { name: 'A' } },
    })
    expect(response.statusCode).toBe(422)
    expect(response.json().problems.map(({ path }: { path: string }) => path)).toEqual([
      '/metadata/name',
      '/spec/teir',
      '/spec/tier',
    ])
    expect(it.fake.tenants.size).toBe(0)
  })
  test('YAML is as good as JSON', async () => {
    const payload =
      'apiVersion: ringfence.dev/v1alpha1\nkind: Tenant\nmetadata: { name: acme }\nspec:\n  tier: starter\n'
    const response = await it.send({
      method: 'POST',
      url: '/v1/tenants',
      payload,
      headers: { 'content-type': 'application/yaml' },
    })
    expect([response.statusCode, response.json().spec.tier]).toEqual([201, 'starter'])
  })
})

describe('replacing', () => {
  beforeEach(() => create())

  test('a tenant that is not there is created', async () => {
    it.fake.tenants.clear()
    expect((await put({})).statusCode).toBe(201)
  })
  test('without If-Match an existing tenant is not overwritten: 428', async () => {
    const response = await put({ tier: 'enterprise' })
    expect([response.statusCode, response.json().code]).toEqual([428, 'PreconditionRequired'])
    expect(it.fake.tenants.get('acme')?.spec.tier).toBe('community')
  })
  test('without If-Match the same content is confirmed', async () => {
    const response = await put({})
    expect([response.statusCode, response.headers['ringfence-outcome']]).toEqual([200, 'unchanged'])
  })
  test.each(['"101"', '"7", "101"', '*'])('If-Match %s replaces', async (ifMatch) => {
    const response = await put({ tier: 'enterprise' }, { 'if-match': ifMatch })
    expect([response.statusCode, response.headers.etag, response.headers['ringfence-outcome']]).toEqual([
      200,
      '"102"',
      'changed',
    ])
  })
  test.each(['"100"', '"7", "8"', 'W/"101"'])('If-Match %s is stale: 412', async (ifMatch) => {
    const response = await put({ tier: 'enterprise' }, { 'if-match': ifMatch })
    expect([response.statusCode, response.json().code]).toEqual([412, 'PreconditionFailed'])
    expect(it.fake.tenants.get('acme')?.spec.tier).toBe('community')
  })
  test.each(['"100"', '*'])('If-Match %s never creates', async (ifMatch) => {
    it.fake.tenants.clear()
    expect((await put({}, { 'if-match': ifMatch })).statusCode).toBe(412)
    expect(it.fake.tenants.size).toBe(0)
  })
  test.each(['101', '"101', '"1" "2"', '"a\u0001"'])('If-Match %j is not understood: 400', async (ifMatch) => {
    const response = await put({ tier: 'enterprise' }, { 'if-match': ifMatch })
    expect([response.statusCode, response.json().code]).toEqual([400, 'Usage'])
  })
  test('force=true replaces whatever is there', async () => {
    expect((await put({ tier: 'enterprise' }, {}, '?force=true')).statusCode).toBe(200)
  })
  test('If-None-Match: * only creates', async () => {
    expect((await put({}, { 'if-none-match': '*' })).statusCode).toBe(412)
    expect((await put({ tier: 'starter' }, { 'if-none-match': '*' })).statusCode).toBe(412)
    it.fake.tenants.clear()
    expect((await put({}, { 'if-none-match': '*' })).statusCode).toBe(201)
  })
  test('a document about another tenant than the URL is refused', async () => {
    const response = await it.send({
      method: 'PUT',
      url: '/v1/tenants/globex',
      payload: acme(),
      headers: { 'if-match': '*' },
    })
    expect([response.statusCode, response.json().problems[0].path]).toEqual([422, '/metadata/name'])
  })
})

describe('reading', () => {
  beforeEach(() => create())

  test('the ETag of a read lets the next write through', async () => {
    const { headers } = await it.send({ url: '/v1/tenants/acme' })
    expect((await put({ tier: 'starter' }, { 'if-match': String(headers.etag) })).statusCode).toBe(200)
  })
  test('the status is told also to a reader who knows the ETag, which does not speak of it', async () => {
    const { headers } = await it.send({ url: '/v1/tenants/acme' })
    it.fake.status('acme', { phase: 'Degraded' })
    const again = await it.send({ url: '/v1/tenants/acme', headers: { 'if-none-match': String(headers.etag) } })
    expect([again.statusCode, again.json().status.phase]).toEqual([200, 'Degraded'])
  })
  test('a tenant that is not there is 404', async () => {
    expect((await it.send({ url: '/v1/tenants/nobody' })).json()).toMatchObject({ code: 'NotFound', status: 404 })
  })
  test.each(['A', 'a', 'a--b', '-ab', '..%2f..%2fetc', 'x'.repeat(41)])(
    'the name %s is no name of a tenant: 400',
    async (name) => {
      expect((await it.send({ url: `/v1/tenants/${name}` })).json()).toMatchObject({
        code: 'Usage',
        status: 400,
        problems: expect.arrayContaining([expect.objectContaining({ path: '/name' })]),
      })
    },
  )
  test('pages follow each other without a gap, and the link names the next', async () => {
    for (const name of ['b1', 'b2', 'b3', 'b4'])
      await it.send({ method: 'POST', url: '/v1/tenants', payload: { ...acme(), metadata: { name } } })
    const seen: string[] = []
    let url: string | undefined = '/v1/tenants?limit=2'
    while (url !== undefined) {
      const response: Awaited<ReturnType<Rig['send']>> = await it.send({ url })
      seen.push(...response.json().items.map((item: { metadata: { name: string } }) => item.metadata.name))
      url = String(response.headers.link ?? '').match(/<([^>]+)>; rel="next"/)?.[1]
    }
    expect(seen).toEqual(['acme', 'b1', 'b2', 'b3', 'b4'])
  })
  test.each(['limit=0', 'limit=501', 'limit=x', 'phase=Sleepy', 'unknown=1', 'after='])(
    'the query %s is refused with its problem',
    async (query) => {
      const response = await it.send({ url: `/v1/tenants?${query}` })
      expect([response.statusCode, response.json().code, response.json().problems.length]).toEqual([400, 'Usage', 1])
    },
  )
  test('a list can be of one phase', async () => {
    it.fake.status('acme', { phase: 'Degraded' })
    expect((await it.send({ url: '/v1/tenants?phase=Degraded' })).json().items).toHaveLength(1)
    expect((await it.send({ url: '/v1/tenants?phase=Ready' })).json().items).toHaveLength(0)
  })
})

describe('removing', () => {
  beforeEach(() => create())
  const remove = (query: string, headers: Record<string, string> = {}) =>
    it.send({ method: 'DELETE', url: `/v1/tenants/acme${query}`, headers })

  test('answers 202 with the tenant on its way out', async () => {
    const response = await remove('?confirm=acme')
    expect([response.statusCode, response.json().status.phase]).toEqual([202, 'TearingDown'])
  })
  test.each(['', '?confirm=', '?confirm=acm', '?confirm=ACME'])(
    '"%s" does not confirm it, and nothing is removed',
    async (query) => {
      const response = await remove(query)
      expect([response.statusCode, response.json().code]).toEqual([400, 'Usage'])
      expect(it.fake.calls.map(({ method }) => method)).toEqual(['create'])
    },
  )
  test('If-Match is honoured', async () => {
    expect((await remove('?confirm=acme', { 'if-match': '"100"' })).statusCode).toBe(412)
    expect((await remove('?confirm=acme', { 'if-match': '"101"' })).statusCode).toBe(202)
  })
  test('a tenant that is not there is 404', async () => {
    it.fake.tenants.clear()
    expect((await remove('?confirm=acme')).statusCode).toBe(404)
  })
})

describe('idempotency keys', () => {
  const key = { 'idempotency-key': '6f1c2c1e-0001' }
  const keyed = (spec: object, headers: Record<string, string>) =>
    it.send({ method: 'POST', url: '/v1/tenants', payload: acme(spec), headers })

  test('a repeated write answers what the first one did, and is not done again', async () => {
    const first = await keyed({}, key)
    it.fake.tenants.clear()
    const again = await keyed({}, key)
    expect([again.statusCode, again.body, again.headers.etag]).toEqual([
      first.statusCode,
      first.body,
      first.headers.etag,
    ])
    expect(again.headers).toMatchObject({ 'idempotency-replayed': 'true', location: '/v1/tenants/acme' })
    expect(it.fake.calls.filter(({ method }) => method === 'create')).toHaveLength(1)
  })
  test('the quoted form is the same key, and YAML the same body as JSON', async () => {
    await keyed({ tier: 'starter' }, key)
    const payload = 'kind: Tenant\nspec: {tier: starter}\nmetadata: {name: acme}\napiVersion: ringfence.dev/v1alpha1'
    const again = await it.send({
      method: 'POST',
      url: '/v1/tenants',
      payload,
      headers: { 'idempotency-key': `"${key['idempotency-key']}"`, 'content-type': 'application/yaml' },
    })
    expect(again.headers['idempotency-replayed']).toBe('true')
  })
  test('the same key with another body is a conflict', async () => {
    await keyed({}, key)
    expect((await keyed({ tier: 'starter' }, key)).json()).toMatchObject({ code: 'Conflict', status: 409 })
  })
  test('the same key under another route or another condition is another write', async () => {
    await keyed({}, key)
    expect((await put({}, key)).headers['idempotency-replayed']).toBeUndefined()
    expect((await put({}, { ...key, 'if-match': '"101"' })).headers['idempotency-replayed']).toBeUndefined()
    expect((await put({}, { ...key, 'if-match': '"101"' })).headers['idempotency-replayed']).toBe('true')
  })
  test('a write that failed is not remembered', async () => {
    it.fake.failNext = new RingfenceError('StoreUnavailable', 'The store is away.')
    expect((await keyed({}, key)).statusCode).toBe(503)
    expect((await keyed({}, key)).statusCode).toBe(201)
  })
  test.each(['short', 'with space in it', 'x'.repeat(129), '"unclosed-key', 'schlüssel-0001'])(
    '%j is no key: 400',
    async (bad) => {
      expect((await keyed({}, { 'idempotency-key': Buffer.from(bad).toString('latin1') })).json()).toMatchObject({
        code: 'Usage',
        status: 400,
      })
      expect(it.fake.tenants.size).toBe(0)
    },
  )
})
