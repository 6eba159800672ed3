import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { reportOf } from '../../../src/model/verdict.ts'
import { proved, refuted } from '../http/samples.ts'
import { acting, site } from './support.ts'
import type { Site } from './support.ts'

let it: Site
beforeEach(async () => {
  it = await site()
})
afterEach(() => it.close())

const document = (name: string, tier = 'starter') => ({
  apiVersion: 'ringfence.dev/v1alpha1',
  kind: 'Tenant',
  metadata: { name },
  spec: { tier },
})

describe('tenant apply and plan', () => {
  test('apply creates, changes and leaves alone, each document of each file', async () => {
    await it.write('a.json', document('acme'))
    await it.write('b.yaml', `${JSON.stringify(document('b1'))}\n---\n${JSON.stringify(document('b2'))}\n`)
    expect(await it.cli('tenant apply -f a.json -f b.yaml')).toMatchObject({
      code: 0,
      out: 'tenant/acme created\ntenant/b1 created\ntenant/b2 created\n',
    })
    await it.write('a.json', document('acme', 'enterprise'))
    expect(await it.cli('tenant apply -f a.json -f b.yaml')).toMatchObject({
      code: 0,
      out: 'tenant/acme configured\ntenant/b1 unchanged\ntenant/b2 unchanged\n',
    })
  })
  test('a saved plan is applied once, and refused when the world moved', async () => {
    await it.write('a.json', document('acme'))
    const planned = await it.cli('tenant plan -f a.json --out plan.json')
    expect(planned.code).toBe(0)
    expect((await stat(join(it.cwd, 'plan.json'))).mode & 0o777).toBe(0o600)
    expect(JSON.parse(await readFile(join(it.cwd, 'plan.json'), 'utf8'))).toMatchObject({
      tenant: 'acme',
      basis: 'acme@absent',
    })
    expect(it.fake.tenants.size).toBe(0)
    expect(await it.cli('tenant apply --plan plan.json')).toMatchObject({
      code: 0,
      out: 'tenant/acme configured as planned\n',
    })
    const again = await it.cli('tenant apply --plan plan.json')
    expect([again.code, again.err]).toEqual([4, expect.stringContaining('(WorldMoved)')])
  })
  test('plan shows what would be made, changed field by field, replaced, removed, and the verdict', async () => {
    await it.write('a.json', document('acme'))
    const { code, out } = await it.cli('tenant plan -f a.json')
    expect(code).toBe(0)
    expect(out).toBe(`Plan for tenant acme
+ create  kubernetes/Namespace ringfence-acme (not there yet)
~ update  kubernetes/ResourceQuota ringfence-acme/quota (the document changed)
            /hard/pods: "100" → "50"
± replace kubernetes/RoleBinding ringfence-acme/owner  destructive (roleRef is immutable)
            /roleRef: "a" → "b" (replace)
- delete  postgres/Database acme_db  destructive (not wanted any more)
! blocked acme:database: PostgreSQL is starting (Waiting)
1 to create, 1 to update, 1 to replace, 1 to delete; 1 up to date.

Isolation of the planned state
✓ acme  rbac.contained  proved (12 checked)
✓ acme  network.contained  proved (12 checked)

Assuming:
  - the CNI enforces packets

2 proved, 0 refuted, 0 undecided (source: live)
`)
  })
  test('destructive steps are red on a terminal, unless NO_COLOR', async () => {
    await it.write('a.json', document('acme'))
    const coloured = await it.cli('tenant plan -f a.json', { tty: true, env: { TERM: 'xterm' } })
    expect(coloured.out).toContain(
      '\u001b[31m- delete  postgres/Database acme_db  destructive (not wanted any more)\u001b[39m',
    )
    expect(
      (await it.cli('tenant plan -f a.json', { tty: true, env: { TERM: 'xterm', NO_COLOR: '1' } })).out,
    ).not.toMatch(acting)
    expect((await it.cli('tenant plan -f a.json')).out).not.toMatch(acting)
  })
  test('a plan that would be refuted exits 3', async () => {
    await it.write('a.json', document('acme'))
    it.fake.report = reportOf([proved('acme'), refuted('acme')], 'planned')
    expect((await it.cli('tenant plan -f a.json')).code).toBe(3)
  })
  test('a tenant as it is can be planned by name', async () => {
    await it.cli('tenant create acme')
    expect(JSON.parse((await it.cli('tenant plan acme -o json')).out)).toMatchObject({
      tenant: 'acme',
      document: { metadata: { name: 'acme' } },
    })
  })
  test.each([
    'tenant apply',
    'tenant apply -f a.json --plan p.json',
    'tenant plan',
    'tenant plan acme -f a.json',
    'tenant apply --plan a.json',
    'tenant apply -f empty.yaml',
    'tenant apply -f bad.yaml',
  ])('%s is wrong usage', async (argv) => {
    await it.write('a.json', document('acme'))
    await it.write('empty.yaml', '# nothing\n')
    await it.write('bad.yaml', 'a: [1\n')
    const ran = await it.cli(argv)
    expect([ran.code, ran.out, it.fake.tenants.size]).toEqual([2, '', 0])
  })
})
