import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { reportOf } from '../../../src/model/verdict.ts'
import { proved, refuted } from '../http/fake-control-plane.ts'
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
      { type: 'Ready', status: 'True', reason: 'AllReady', message: 'all layers are ready', lastTransitionTime: '2026-01-01T00:00:00Z' },
      { type: 'compute', status: 'True', reason: 'Applied', message: 'namespace, quota, limits', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ],
    proof: { at: '2026-01-01T00:00:00Z', proved: 9, refuted: 0, undecided: 0 },
    ...more,
  })

describe('tenant create', () => {
  const documented = 'tenant create acme-corp --tier professional --domain data.acme.com --region us-east-1 --admin-email admin@acme.com'

  test('makes the document that the options say', async () => {
    const ran = await it.cli(`${documented} --owner-email o@acme.com --module bi --module ml --label team=x --set compute.quota.pods=50 --set compute.quota.requests\\.cpu=4`)
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
    await it.write('t.yaml', 'apiVersion: ringfence.dev/v1alpha1\nkind: Tenant\nmetadata: {labels: {a: b}}\nspec: {tier: starter, region: eu}\n')
    expect(await it.cli('tenant create acme -f t.yaml --tier professional --set /spec/tier=enterprise -o name')).toMatchObject({ code: 0, out: 'tenant/acme\n' })
    expect(it.fake.tenants.get('acme')).toMatchObject({ metadata: { labels: { a: 'b' } }, spec: { tier: 'enterprise', region: 'eu' } })
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
    it.fake.emit({ tenant: 'acme-corp', type: 'step', reason: 'Created', message: 'namespace acme-corp', layer: 'compute' })
    it.fake.status('acme-corp', { phase: 'Provisioning' })
    ready('acme-corp')
    it.fake.emit({ tenant: 'acme-corp', type: 'phase', reason: 'Ready', message: 'ready' })
    const ran = await running
    expect(ran).toMatchObject({ code: 0, out: 'tenant/acme-corp created\ntenant/acme-corp is Ready: 9 claims proved, 0 refuted, 0 undecided\n  all layers are ready\n' })
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
    it.fake.status('acme', { phase: 'Degraded', observedGeneration: 1, conditions: [{ type: 'compute', status: 'False', reason: 'Guarded', message: 'not ours', lastTransitionTime: 'x' }] })
    const ran = await running
    expect(ran.code).toBe(1)
    expect(ran.err).toContain('compute: not ours (Guarded)')
  })
})

const document = (name: string, tier = 'starter') => ({ apiVersion: 'ringfence.dev/v1alpha1', kind: 'Tenant', metadata: { name }, spec: { tier } })

describe('tenant apply and plan', () => {
  test('apply creates, changes and leaves alone, each document of each file', async () => {
    await it.write('a.json', document('acme'))
    await it.write('b.yaml', `${JSON.stringify(document('b1'))}\n---\n${JSON.stringify(document('b2'))}\n`)
    expect(await it.cli('tenant apply -f a.json -f b.yaml')).toMatchObject({ code: 0, out: 'tenant/acme created\ntenant/b1 created\ntenant/b2 created\n' })
    await it.write('a.json', document('acme', 'enterprise'))
    expect(await it.cli('tenant apply -f a.json -f b.yaml')).toMatchObject({ code: 0, out: 'tenant/acme configured\ntenant/b1 unchanged\ntenant/b2 unchanged\n' })
  })
  test('a saved plan is applied once, and refused when the world moved', async () => {
    await it.write('a.json', document('acme'))
    const planned = await it.cli('tenant plan -f a.json --out plan.json')
    expect(planned.code).toBe(0)
    expect((await stat(join(it.cwd, 'plan.json'))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(it.cwd, 'plan.json'), 'utf8'))).toMatchObject({ tenant: 'acme', basis: 'acme@absent' })
    expect(it.fake.tenants.size).toBe(0)
    expect(await it.cli('tenant apply --plan plan.json')).toMatchObject({ code: 0, out: 'tenant/acme configured as planned\n' })
    const again = await it.cli('tenant apply --plan plan.json')
    expect([again.code, again.err]).toEqual([4, expect.stringContaining('(WorldMoved)')])
  })
  test('plan shows what would be made, changed field by field, replaced, removed, and the verdict', async () => {
    await it.write('a.json', document('acme'))
    const { code, out } = await it.cli('tenant plan -f a.json')
    expect(code).toBe(0)
    expect(out).toBe(`Plan for tenant acme
+ create  kubernetes/Namespace ringfence-acme
            not there yet
~ update  kubernetes/ResourceQuota ringfence-acme/quota
            the document changed
            /hard/pods: "100" → "50"
± replace kubernetes/RoleBinding ringfence-acme/owner  destructive
            roleRef is immutable
            /roleRef: "a" → "b" (replace)
- delete  postgres/Database acme_db  destructive
            not wanted any more
! blocked acme:database: PostgreSQL is starting (Waiting)
1 to create, 1 to update, 1 to replace, 1 to delete; 1 up to date.

Isolation of the planned state
proved    acme  rbac.contained  12 cases
proved    acme  network.contained  12 cases
assuming
  the CNI enforces packets
2 proved, 0 refuted, 0 undecided over what the backends say now
`)
  })
  test('destructive steps are red on a terminal, unless NO_COLOR', async () => {
    await it.write('a.json', document('acme'))
    const coloured = await it.cli('tenant plan -f a.json', { tty: true, env: { TERM: 'xterm' } })
    expect(coloured.out).toContain('\u001b[31m- delete  postgres/Database acme_db  destructive\u001b[39m')
    expect((await it.cli('tenant plan -f a.json', { tty: true, env: { TERM: 'xterm', NO_COLOR: '1' } })).out).not.toMatch(acting)
    expect((await it.cli('tenant plan -f a.json')).out).not.toMatch(acting)
  })
  test('a plan that would be refuted exits 3', async () => {
    await it.write('a.json', document('acme'))
    it.fake.report = reportOf([proved('acme'), refuted('acme')], 'planned')
    expect((await it.cli('tenant plan -f a.json')).code).toBe(3)
  })
  test('a tenant as it is can be planned by name', async () => {
    await it.cli('tenant create acme')
    expect(JSON.parse((await it.cli('tenant plan acme -o json')).out)).toMatchObject({ tenant: 'acme', document: { metadata: { name: 'acme' } } })
  })
  test.each(['tenant apply', 'tenant apply -f a.json --plan p.json', 'tenant plan', 'tenant plan acme -f a.json', 'tenant apply --plan a.json', 'tenant apply -f empty.yaml', 'tenant apply -f bad.yaml'])(
    '%s is wrong usage',
    async (argv) => {
      await it.write('a.json', document('acme'))
      await it.write('empty.yaml', '# nothing\n')
      await it.write('bad.yaml', 'a: [1\n')
      const ran = await it.cli(argv)
      expect([ran.code, ran.out, it.fake.tenants.size]).toEqual([2, '', 0])
    },
  )
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
    expect((await it.cli('tenant list')).out.replaceAll(/\d+d$/gm, 'old')).toBe(`NAME    PHASE    TIER       ENVIRONMENT  ISOLATION                         AGE
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
    for (const text of ['Name:           acme', 'namespace:      ringfence-acme', 'Conditions', 'Layers', 'compute  True    Applied  namespace, quota, limits', '9 proved, 0 refuted, 0 undecided (2026-01-01T00:00:00Z)']) {
      expect(out).toContain(text)
    }
  })
  test('a tenant that is not there fails with its code', async () => {
    const ran = await it.cli('tenant get nobody -o json')
    expect([ran.code, ran.out, ran.err]).toEqual([1, '', 'error: There is no tenant nobody. (NotFound)\n'])
  })
})

describe('strings that attack the terminal', () => {
  const hostile = 'x\u001b]0;owned\u0007\u001b[2J\nfake line\r\u202egnp.exe\u009b31m\u2028'
  beforeEach(async () => {
    await it.cli('tenant create acme')
    it.fake.status('acme', {
      phase: 'Ready',
      names: { [hostile]: hostile },
      conditions: [{ type: 'compute', status: 'False', reason: hostile, message: hostile, lastTransitionTime: 'x' }],
    })
    it.fake.checks = [{ name: hostile, status: 'warning', message: hostile, fix: hostile }]
    const { counterexample } = refuted('acme')
    const verdict = { ...refuted('acme'), counterexample: { ...counterexample, subject: hostile, object: hostile, command: hostile, path: [{ from: hostile, to: hostile, rule: hostile, by: hostile }] } }
    it.fake.report = reportOf([verdict, { claim: hostile, tenant: hostile, verdict: 'undecided', because: [hostile] }], 'live')
  })
  test.each(['tenant list', 'tenant describe acme', 'tenant plan acme', 'prove', 'doctor'])('%s spells them out', async (argv) => {
    const { out, err } = await it.cli(argv)
    expect(out + err).not.toMatch(acting)
    expect(out.split('\n')).not.toContain('fake line')
    if (argv !== 'tenant list') expect(out).toContain('\\x1b]0;owned\\x07')
  })
  test.each(['json', 'yaml'])('%s says them exactly, without a character that acts', async (format) => {
    for (const argv of [`tenant get acme -o ${format}`, `prove -o ${format}`]) {
      const { out } = await it.cli(argv)
      expect(out).not.toMatch(acting)
      const value: unknown = format === 'json' ? JSON.parse(out) : parse(out)
      expect(JSON.stringify(value)).toContain(JSON.stringify(hostile).slice(1, -1))
    }
  })
  test('an event stays one line', async () => {
    it.fake.emit({ tenant: 'acme', type: 'warning', reason: 'X', message: hostile })
    const stopping = new AbortController()
    const ran = await it.cli('tenant watch acme --after 0', { signal: stopping.signal, watching: () => stopping.abort() })
    expect(ran.out.trimEnd().split('\n')).toHaveLength(1)
    expect(ran.out).not.toMatch(acting)
  })
  test('an error of the server cannot act either', async () => {
    const { RingfenceError } = await import('../../../src/model/errors.ts')
    it.fake.failNext = new RingfenceError('Rejected', hostile, { problems: [{ path: hostile, reason: hostile, fix: hostile }] })
    const { code, err } = await it.cli('tenant get acme')
    expect(code).toBe(1)
    expect(err).not.toMatch(acting)
  })
})
