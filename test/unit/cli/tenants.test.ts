import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { acting, site } from './support.ts'
import type { Site } from './support.ts'

let it: Site
beforeEach(async () => {
  it = await site()
})
afterEach(() => it.close())

const ready = (name: string, more = {}) =>
  it.fake.status(name, {
    phase: 'Ready',
    observedGeneration: 9,
    conditions: [
      {
        type: 'Ready',
        status: 'True',
        reason: 'AllReady',
        message: 'all layers are ready',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
      {
        type: 'compute',
        status: 'True',
        reason: 'Applied',
        message: 'namespace, quota, limits',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      },
    ],
    proof: { at: '2026-01-01T00:00:00Z', proved: 9, refuted: 0, undecided: 0 },
    ...more,
  })

describe('tenant create', () => {
  const documented =
    'tenant create acme-corp --tier professional --domain data.acme.com --region us-east-1 --admin-email admin@acme.com'

  test('makes the document that the options say', async () => {
    const ran = await it.cli(
      `${documented} --owner-email o@acme.com --module bi --module ml --label team=x --set compute.quota.pods=50 --set compute.quota.requests\\.cpu=4`,
    )
    expect(ran).toMatchObject({ code: 0, out: 'tenant/acme-corp created\n' })
    expect(it.fake.tenants.get('acme-corp')).toMatchObject({
      metadata: { labels: { team: 'x' } },
      spec: {
        tier: 'professional',
        domain: 'data.acme.com',
        region: 'us-east-1',
        admin: { email: 'admin@acme.com' },
        owner: { email: 'o@acme.com' },
        modules: ['bi', 'ml'],
        compute: { quota: { pods: '50', 'requests.cpu': '4' } },
      },
    })
  })
  test('again changes nothing, with other content is a conflict', async () => {
    await it.cli(documented)
    expect(await it.cli(documented)).toMatchObject({ code: 0, out: 'tenant/acme-corp unchanged\n' })
    const other = await it.cli('tenant create acme-corp --tier starter')
    expect(other).toMatchObject({ code: 4, out: '' })
    expect(other.err).toContain('(AlreadyExists)')
  })
  test('lays options over a file, and --set over both', async () => {
    await it.write(
      't.yaml',
      'apiVersion: ringfence.dev/v1alpha1\nkind: Tenant\nmetadata: {labels: {a: b}}\nspec: {tier: starter, region: eu}\n',
    )
    expect(
      await it.cli('tenant create acme -f t.yaml --tier professional --set /spec/tier=enterprise -o name'),
    ).toMatchObject({ code: 0, out: 'tenant/acme\n' })
    expect(it.fake.tenants.get('acme')).toMatchObject({
      metadata: { labels: { a: 'b' } },
      spec: { tier: 'enterprise', region: 'eu' },
    })
  })
  test('reads the document from standard input', async () => {
    const stdin = 'apiVersion: ringfence.dev/v1alpha1\nkind: Tenant\nmetadata: {name: acme}\nspec: {tier: starter}\n'
    expect(await it.cli('tenant create acme -f -', { stdin })).toMatchObject({ code: 0 })
    expect(it.fake.tenants.get('acme')?.spec.tier).toBe('starter')
  })
  test.each([
    ['tenant create', 2],
    ['tenant create acme --tier gold', 2],
    ['tenant create acme --teir starter', 2],
    ['tenant create acme extra', 2],
    ['tenant create acme -f missing.yaml', 2],
    ['tenant create acme -o xml', 2],
    ['tenant create acme --set nothing', 2],
    ['tenant create acme --set __proto__.x=1', 2],
    ['tenant create acme --set tier.x=1 --tier starter', 2],
    ['tenant create acme --label nothing', 2],
    ['tenant create acme --wait --timeout soon', 2],
    ['tenant create acme --set unknown=1', 1],
    ['tenant create A', 1],
  ])('%s: exit %i, nothing on stdout, nothing stored', async (argv, code) => {
    const ran = await it.cli(argv)
    expect([ran.code, ran.out, it.fake.tenants.size]).toEqual([code, '', 0])
    expect(ran.err).toMatch(/^error: /)
  })
  test('a bad document is told with every path, reason and fix', async () => {
    const { code, err } = await it.cli('tenant create acme --set teir=gold --set database.mode=own')
    expect(code).toBe(1)
    expect(err).toContain('/spec/teir: is not a known field\n    → did you mean "tier"?')
    expect(err).toContain('/spec/database/mode: ')
  })
  test('--wait shows plain lines without a terminal and ends when it is ready', async () => {
    const running = it.cli(`${documented} --wait`)
    await expect.poll(() => it.fake.openStreams()).toBe(1)
    it.fake.emit({
      tenant: 'acme-corp',
      type: 'step',
      reason: 'Created',
      message: 'namespace acme-corp',
      layer: 'compute',
    })
    it.fake.status('acme-corp', { phase: 'Provisioning' })
    ready('acme-corp')
    it.fake.emit({ tenant: 'acme-corp', type: 'phase', reason: 'Ready', message: 'ready' })
    const ran = await running
    expect(ran).toMatchObject({
      code: 0,
      out: 'tenant/acme-corp created\ntenant/acme-corp is Ready: 9 claims proved, 0 refuted, 0 undecided\n  all layers are ready\n',
    })
    expect(ran.err).toMatch(/\d\d:\d\d:\d\d acme-corp step Created compute: namespace acme-corp\n/)
    expect(ran.err).not.toMatch(acting)
  })
  test('--wait waits for this generation, not for an older Ready', async () => {
    await it.cli('tenant create acme')
    ready('acme', { observedGeneration: 0 })
    const ran = await it.cli('tenant create acme --wait --timeout 1s')
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('(Timeout)')
  })
  test('--wait that is interrupted says that the work goes on', async () => {
    const stopping = new AbortController()
    const running = it.cli('tenant create acme --wait', { signal: stopping.signal })
    await expect.poll(() => it.fake.openStreams()).toBe(1)
    stopping.abort()
    expect(await running).toMatchObject({ code: 1, out: '', err: expect.stringContaining('(Aborted)') })
    expect(it.fake.tenants.has('acme')).toBe(true)
    await expect.poll(() => it.fake.openStreams()).toBe(0)
  })
  test('--wait on a terminal paints a tree and takes it back', async () => {
    const running = it.cli(`${documented} --wait`, { tty: true, env: { TERM: 'xterm' } })
    await expect.poll(() => it.fake.openStreams()).toBe(1)
    ready('acme-corp')
    const ran = await running
    expect(ran.code).toBe(0)
    expect(ran.err).toContain('\u001b[0J')
    expect(ran.err).toContain('✔')
    expect(ran.err).toContain('compute')
  })
  test('--wait exits 3 when it is ready but refuted', async () => {
    const running = it.cli('tenant create acme --wait')
    await expect.poll(() => it.fake.tenants.size).toBe(1)
    ready('acme', { proof: { at: 'x', proved: 3, refuted: 1, undecided: 0 } })
    expect((await running).code).toBe(3)
  })
  test('--wait ends early where only a person can help', async () => {
    const running = it.cli('tenant create acme --wait')
    await expect.poll(() => it.fake.tenants.size).toBe(1)
    it.fake.status('acme', {
      phase: 'Degraded',
      observedGeneration: 1,
      conditions: [
        { type: 'compute', status: 'False', reason: 'Guarded', message: 'not ours', lastTransitionTime: 'x' },
      ],
    })
    const ran = await running
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('compute: not ours (Guarded)')
  })
})

describe('tenant get, list, describe', () => {
  beforeEach(async () => {
    await it.cli('tenant create acme --tier starter')
    await it.cli('tenant create globex')
    ready('acme')
  })
  test('json and yaml carry the tenant whole, name only its name', async () => {
    const json = await it.cli('tenant get acme -o json')
    expect(JSON.parse(json.out)).toEqual(it.fake.tenants.get('acme'))
    expect(parse((await it.cli('tenant get acme -o yaml')).out)).toEqual(it.fake.tenants.get('acme'))
    expect((await it.cli('tenant list -o name')).out).toBe('tenant/acme\ntenant/globex\n')
    expect(json.err).toBe('')
  })
  test('list is a table for people', async () => {
    expect((await it.cli('tenant list')).out.replaceAll(/\d+d$/gm, 'old'))
      .toBe(`NAME    PHASE    TIER       ENVIRONMENT  ISOLATION                         AGE
acme    Ready    starter    production   9 proved, 0 refuted, 0 undecided  old
globex  Pending  community  production   not yet proved                    old
`)
  })
  test('list fetches every page, and can be of one phase', async () => {
    for (let count = 10; count < 30; count += 1) await it.cli(`tenant create t${count}`)
    expect((await it.cli('tenant list -o name')).out.split('\n').filter(Boolean)).toHaveLength(22)
    expect((await it.cli('tenant list -o name --limit 3')).out.split('\n').filter(Boolean)).toHaveLength(3)
    expect((await it.cli('tenant list --phase Ready -o name')).out).toBe('tenant/acme\n')
    expect((await it.cli('tenant list --failing')).out).toBe('No tenants.\n')
  })
  test('describe shows names, conditions, layers and proof', async () => {
    const { out } = await it.cli('tenant describe acme')
    for (const text of [
      'Name:           acme',
      'namespace:      ringfence-acme',
      'Conditions',
      'Layers',
      'compute  True    Applied  namespace, quota, limits',
      '9 proved, 0 refuted, 0 undecided (2026-01-01T00:00:00Z)',
    ]) {
      expect(out).toContain(text)
    }
  })
  test('a tenant that is not there fails with its code', async () => {
    const ran = await it.cli('tenant get nobody -o json')
    expect([ran.code, ran.out, ran.err]).toEqual([1, '', 'error: There is no tenant nobody. (NotFound)\n'])
  })
})
