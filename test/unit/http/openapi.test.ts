import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import * as schemas from '../../../src/http/schemas.ts'
import { refuted } from './samples.ts'
import { acme, rig, routes, streams } from './support.ts'
import type { Rig } from './support.ts'

type Node = { readonly [key: string]: Node }
let it: Rig
let document: Node
beforeAll(async () => {
  it = rig()
  document = (await it.send({ url: '/openapi.json' })).json()
})
afterAll(() => it.app.close())

/** What is at a path of keys; it must be there. */
const at = (...keys: string[]): Node =>
  keys.reduce((here, key) => {
    const inner = here[key]
    if (inner === undefined) throw new Error(`no ${key} in ${keys.join('/')}`)
    return inner
  }, document)

const operations = () =>
  Object.entries(at('paths')).flatMap(([path, item]) =>
    Object.entries<Node>(item).map(([method, operation]) => ({ path, method, operation })),
  )

/** Every value of a key, anywhere. */
const every = (value: unknown, key: string): unknown[] =>
  typeof value !== 'object' || value === null
    ? []
    : Object.entries(value).flatMap(([name, inner]) => [...(name === key ? [inner] : []), ...every(inner, key)])

test('it is OpenAPI 3.1 and describes every route that the server has', () => {
  expect(document['openapi']).toBe('3.1.0')
  const described = operations().map(({ path, method }) => `${method.toUpperCase()} ${path}`)
  const wanted = [
    ...routes.map(({ method, url }) => `${method} ${url}`),
    ...streams.map((url) => `GET ${url}`),
    'GET /healthz',
  ]
    .map((route) => route.replace(/\?.*/, '').replace('/acme', '/{name}'))
    .filter((route) => route !== 'GET /openapi.json')
  expect(described.sort()).toEqual(wanted.sort())
  for (const { path, method } of operations()) {
    expect(
      it.app.hasRoute({ method: method.toUpperCase(), url: path.replace('{name}', ':name') }),
      `${method} ${path}`,
    ).toBe(true)
  }
})

test('every reference leads to a component, and every component is used', () => {
  const references = new Set(every(document, '$ref').map(String))
  const present = Object.keys(at('components', 'schemas')).map((name) => `#/components/schemas/${name}`)
  expect(present.sort()).toEqual([...references].sort())
})

test('every operation has its own id, its refusals, and a token unless it is health', () => {
  const ids = operations().map(({ operation }) => JSON.stringify(operation['operationId']))
  expect(new Set(ids).size).toBe(ids.length)
  expect(document['security']).toEqual([{ token: [] }])
  for (const { path, operation } of operations()) {
    if (path === '/healthz') expect(operation['security']).toEqual([])
    else {
      expect(operation['security']).toBeUndefined()
      expect(Object.keys(operation['responses'] ?? {})).toEqual(
        expect.arrayContaining(['400', '401', '403', '421', '500']),
      )
    }
  }
})

test('every answer is described in words of its own', () => {
  expect(every(document, 'description').filter((text) => text === 'Default Response')).toEqual([])
})

test('what the documents say of their fields is in it', () => {
  expect(JSON.stringify(at('components', 'schemas', 'TenantDocumentInput'))).toContain('Refused in production.')
})

test('documents may be JSON or YAML', () => {
  const content = at('paths', '/v1/tenants', 'post', 'requestBody', 'content')
  expect(Object.keys(content)).toEqual(['application/json', 'application/yaml'])
})

test('patterns are in the syntax that every reader of JSON Schema has: no look-arounds', () => {
  const patterns = every(document['components'], 'pattern').map(String)
  expect(patterns.length).toBeGreaterThan(10)
  expect(patterns.filter((pattern) => /\(\?[=!<]/.test(pattern))).toEqual([])
})

test.each(Object.entries(schemas).filter(([, schema]) => schema instanceof z.ZodType))(
  'the schema %s converts to JSON Schema 2020-12',
  (_name, schema) => {
    const json = z.toJSONSchema(schema as z.ZodType, { io: 'input', target: 'draft-2020-12', unrepresentable: 'throw' })
    expect(json.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
  },
)

describe('what is answered is what is described', () => {
  const shapes = [
    ['POST', '/v1/tenants', schemas.tenantView, acme()],
    ['GET', '/v1/tenants/acme', schemas.tenantView],
    ['GET', '/v1/tenants', schemas.tenantList],
    ['POST', '/v1/plan', schemas.planView, acme()],
    ['POST', '/v1/tenants/acme/plan', schemas.planView],
    ['POST', '/v1/prove', schemas.report],
    ['GET', '/v1/audit?limit=2', schemas.auditList],
    ['GET', '/v1/doctor', schemas.checks],
    ['GET', '/v1/version', schemas.version],
    ['GET', '/v1/tenants/nobody', schemas.problem],
    ['POST', '/v1/tenants', schemas.problem, { kind: 'Tenant' }],
    ['DELETE', '/v1/tenants/acme?confirm=acme', schemas.tenantView],
  ] as const
  test.each(shapes)('%s %s', async (method, url, schema, payload?: object) => {
    it.fake.report = {
      ...it.fake.report,
      verdicts: [
        ...it.fake.report.verdicts,
        refuted('acme'),
        { claim: 'x', tenant: 'acme', verdict: 'undecided', because: ['y'] },
      ],
    }
    const response = await it.send({ method, url, ...(payload ? { payload } : {}) })
    expect(() => schema.parse(response.json())).not.toThrow()
  })
})
