import { readFileSync, readdirSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { tenantDefinition } from '../../../src/model/crd.ts'
import { isRingfenceError } from '../../../src/model/errors.ts'
import type { Problem } from '../../../src/model/errors.ts'
import { parseTenant } from '../../../src/model/parse.ts'
import { placesIn, replaced } from '../../support/places.ts'
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

/** A document that says something everywhere, so that each field can be spoilt. */
const full = {
  displayName: 'Acme',
  slug: 'acme-corp',
  environment: 'staging',
  owner: { email: 'owner@acme.com' },
  tags: { team: 'a' },
  domain: 'data.acme.com',
  tier: 'starter',
  compute: {
    namespace: { name: 'acme-prod', labels: { team: 'x' } },
    podSecurity: 'baseline',
    quota: { pods: 3, 'requests.cpu': '500m' },
    limits: { cpu: 1 },
    custom: { maxAgentRuntimes: 3 },
    allowed: { imageRegistries: ['ghcr.io/acme'], nodeSelector: { pool: 'a' } },
  },
  network: {
    allowFrom: [
      {
        peers: [
          {
            namespaceSelector: { matchLabels: { a: 'b' } },
            podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: ['b'] }] },
          },
        ],
      },
    ],
    allowTo: [
      {
        peers: [{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] } }],
        ports: [{ protocol: 'UDP', port: 443, endPort: 444 }],
      },
    ],
    egress: { fqdns: ['a.example.com'] },
  },
  database: { connectionLimit: 5 },
  access: {
    roleBindings: [{ role: 'owner', groups: ['acme-admins'], serviceAccounts: [{ namespace: 'ci', name: 'x' }] }],
    directGrants: [{ user: 'a@acme.com', role: 'viewer', expires: '2030-01-31T12:00:00Z' }],
    shared: [{ kind: 'ConfigMap', namespace: 'shared', name: 'x' }],
  },
  lifecycle: { graceDays: 7, retain: ['database'] },
}

function ourProblems(spec: object): readonly Problem[] {
  try {
    parseTenant({ apiVersion: 'ringfence.dev/v1alpha1', kind: 'Tenant', metadata: { name: 'acme' }, spec })
    return []
  } catch (error) {
    if (!isRingfenceError(error) || error.code !== 'InvalidDocument') throw error
    return error.facts.problems ?? []
  }
}

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

  it('accepts whatever we accept, and refuses what we refuse but for keys and characters', async () => {
    const tally = { accepted: 0, refused: 0, stricter: 0 }
    const places = placesIn(full)
    const values = fc.oneof(
      fc.constantFrom(
        true,
        0,
        1,
        -1,
        65_536,
        1.5,
        '',
        'x',
        'acme',
        'A_B',
        '10.0.0.0/8',
        '500m',
        '1e3',
        '2030-01-31T12:00:00Z',
        '2030-02-31T12:00:00Z',
        'a@b.co',
        'viewer',
        'production',
        443,
      ),
      fc.constantFrom(
        [],
        {},
        ['x'],
        [1],
        [{}],
        { x: 'y' },
        { matchLabels: { a: 'b' } },
        { podSelector: {} },
        { cidr: '1.2.3.0/24' },
      ),
      fc.string({ maxLength: 70 }),
    )
    const runs = fc.sample(fc.tuple(fc.constantFrom(...places), values), { numRuns: 600, seed: 7 })
    for (const [place, by] of runs) {
      const spec = replaced(full, place, by) as object
      const problems = ourProblems(spec)
      const { status, body } = await create(tenant(spec))
      const said = `${JSON.stringify(place)} = ${JSON.stringify(by)}: ${body.message ?? ''} / ${JSON.stringify(problems)}`
      if (problems.length === 0) expect(status, said).toBe(201)
      else if (status === 201) {
        // Maps of Kubernetes' schemas cannot restrict their keys, and JSON carries characters that we refuse.
        expect(
          problems.every(({ reason }) => /not a key that is allowed|holds the character|not a field name/.test(reason)),
          said,
        ).toBe(true)
        tally.stricter += 1
      } else expect([400, 422], said).toContain(status)
      tally[problems.length === 0 ? 'accepted' : 'refused'] += 1
    }
    expect(tally.accepted).toBeGreaterThan(40)
    expect(tally.refused - tally.stricter).toBeGreaterThan(100)
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
