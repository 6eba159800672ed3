import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { tenantDefinition } from '../../../src/model/crd.ts'
import { describeOn, servers } from '../../support/servers.ts'

/** As much of a resource, a definition or a Status as these tests look at. */
interface Body {
  readonly message?: string
  readonly details?: { readonly causes: readonly { readonly field: string }[] }
  readonly spec?: { readonly tier?: string; readonly compute?: object }
  readonly status?: {
    readonly phase?: string
    readonly conditions?: readonly { readonly type: string; readonly status: string }[]
  }
}

interface Answer {
  readonly status: number
  /** What the API server warns of while it accepts. */
  readonly warning: string
  readonly body: Body
}

/** A group of this test's own: others may have the real definition installed on the same server. */
const group = 'crd-test.ringfence.dev'
const definition = (): object => {
  const real = tenantDefinition() as { readonly metadata: object; readonly spec: object }
  return { ...real, metadata: { name: `tenants.${group}` }, spec: { ...real.spec, group } }
}

const examples = new URL('../../../examples/', import.meta.url)
const readExample = (path: string) =>
  parse(readFileSync(new URL(path, examples), 'utf8')) as { readonly kind: string; readonly spec: object }
const tenants = readdirSync(examples, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.yaml'))
  .filter((path) => readExample(path).kind === 'Tenant')

describeOn(['kubernetes'], 'the definition of the Tenant resource', () => {
  let agent: Agent
  let server: string
  let made: Answer
  const collection = `/apis/${group}/v1alpha1/tenants`
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

  async function call(method: string, path: string, body?: object, type = 'application/json'): Promise<Answer> {
    const response = await request(`${server}${path}`, {
      method: method as 'GET',
      dispatcher: agent,
      headers: { 'content-type': type },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    // Until the resource is served, its path answers plain text.
    const json = String(response.headers['content-type']).startsWith('application/json')
    const text = await response.body.text()
    return {
      status: response.statusCode,
      warning: String(response.headers['warning'] ?? ''),
      body: json ? (JSON.parse(text) as Body) : { message: text },
    }
  }
  const create = (document: object, mode = 'Strict') =>
    call('POST', `${collection}?dryRun=All&fieldValidation=${mode}`, document)
  const tenant = (spec: object, name = 'acme') => ({
    apiVersion: `${group}/v1alpha1`,
    kind: 'Tenant',
    metadata: { name },
    spec,
  })

  beforeAll(async () => {
    const { admin } = servers().kubernetes
    server = admin.server
    agent = new Agent({
      connect: { ca: admin.ca ?? '', cert: admin.certificate?.cert ?? '', key: admin.certificate?.key ?? '' },
    })
    made = await call('POST', definitions, definition())
    expect(made.body, JSON.stringify(made.body)).toMatchObject({ kind: 'CustomResourceDefinition' })
    // Served a moment after it is established, on every path: wait until a list answers.
    for (let tries = 0; tries < 100 && (await call('GET', collection)).status !== 200; tries += 1) await pause(100)
  })
  afterAll(async () => {
    await call('DELETE', `${definitions}/tenants.${group}`)
    await agent.close()
  })

  it('is established, structural and accepted without a warning', async () => {
    expect(made.warning).toBe('')
    const { body } = await call('GET', `${definitions}/tenants.${group}`)
    const conditions = new Map(body.status?.conditions?.map((one) => [one.type, one.status]))
    expect(conditions.get('Established')).toBe('True')
    expect(conditions.get('NamesAccepted')).toBe('True')
    expect(conditions.get('NonStructuralSchema') ?? 'False').toBe('False')
  })

  it.each(tenants)('accepts the example %s', async (path) => {
    const { status, body } = await create({ ...readExample(path), apiVersion: `${group}/v1alpha1` })
    expect(body.message ?? '', path).toBe('')
    expect(status).toBe(201)
  })

  it('fills in the same defaults as we do', async () => {
    const { body } = await create(tenant({}))
    expect(body.spec).toMatchObject({
      isolation: 'isolated',
      compute: { podSecurity: 'restricted', namespace: { create: true, adopt: false } },
      network: { isolate: true, allowPrivateNetworks: false },
      database: { mode: 'shared', connectionLimit: 50 },
      storage: { mode: 'none' },
    })
  })

  it('refuses an unknown field when strict, and prunes it otherwise', async () => {
    const strict = await create(tenant({ compute: { qouta: {} } }))
    expect(strict.status).toBe(400)
    expect(strict.body.message).toContain('unknown field "spec.compute.qouta"')
    const pruned = await create(tenant({ compute: { qouta: {} } }), 'Ignore')
    expect(pruned.status).toBe(201)
    expect(pruned.body.spec?.compute).not.toHaveProperty('qouta')
  })

  it.each<[object, string]>([
    [{ tier: 'gold' }, 'spec.tier'],
    [{ network: { isolate: false } }, 'spec.network.isolate'],
    [{ compute: { quota: { pods: 'many' } } }, 'spec.compute.quota.pods'],
    [{ compute: { quota: { pods: true } } }, 'spec.compute.quota.pods'],
    [{ network: { allowTo: [{ peers: [] }] } }, 'spec.network.allowTo[0].peers'],
    [{ network: { allowTo: [{ peers: [{}] }] } }, 'spec.network.allowTo[0].peers[0]'],
    [
      { network: { allowTo: [{ peers: [{ podSelector: {}, ipBlock: { cidr: '1.2.3.0/24' } }] }] } },
      'spec.network.allowTo[0].peers[0]',
    ],
    [
      { network: { allowTo: [{ peers: [{ ipBlock: { cidr: '1.2.3.0/24' } }], ports: [{ port: 0 }] }] } },
      'spec.network.allowTo[0].ports[0].port',
    ],
    [{ owner: { email: 'nobody' } }, 'spec.owner.email'],
    [
      { access: { directGrants: [{ user: 'a', role: 'owner', expires: 'tomorrow' }] } },
      'spec.access.directGrants[0].expires',
    ],
    [{ database: { connectionLimit: 0 } }, 'spec.database.connectionLimit'],
  ])('refuses %j where the fault is', async (spec, field) => {
    const { status, body } = await create(tenant(spec))
    expect(status).toBe(422)
    const fields = body.details?.causes.map((cause) => cause.field) ?? []
    expect(
      fields.some((one) => one.startsWith(field)),
      fields.join(),
    ).toBe(true)
  })

  it('refuses a name that is none of ours', async () => {
    expect((await create(tenant({}, 'a.b'))).status).toBe(422)
    expect((await create(tenant({}, 'a-b'))).status).toBe(201)
  })

  it('keeps what is immutable, and lets the rest change', async () => {
    const name = 'crd-immutable'
    const created = await call('POST', collection, tenant({ compute: { namespace: { name: 'crd-one' } } }, name))
    expect(created.status).toBe(201)
    const patch = (spec: object) => call('PATCH', `${collection}/${name}`, { spec }, 'application/merge-patch+json')
    try {
      for (const spec of [
        { compute: { namespace: { name: 'crd-two' } } },
        { compute: { namespace: { name: null } } },
        { compute: { namespace: { adopt: true } } },
        { database: { mode: 'none' } },
      ]) {
        const { status, body } = await patch(spec)
        expect(status, JSON.stringify(spec)).toBe(422)
        expect(body.message).toContain('cannot change')
      }
      expect((await patch({ tier: 'starter' })).status).toBe(200)
    } finally {
      await call('DELETE', `${collection}/${name}`)
    }
  })

  it('keeps status apart from spec', async () => {
    const name = 'crd-status'
    await call('POST', collection, tenant({}, name))
    try {
      const patch = { spec: { tier: 'starter' }, status: { phase: 'Ready', proof: { proved: 6 } } }
      const { status, body } = await call(
        'PATCH',
        `${collection}/${name}/status`,
        patch,
        'application/merge-patch+json',
      )
      expect(status).toBe(200)
      expect(body.status?.phase).toBe('Ready')
      expect(body.spec?.tier).toBe('community')
    } finally {
      await call('DELETE', `${collection}/${name}`)
    }
  })
})
