import { chmod, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { UpOptions } from '../../../src/cli/up-options.ts'
import { RingfenceError } from '../../../src/model/errors.ts'
import { reportOf } from '../../../src/model/verdict.ts'
import { proved, refuted } from '../http/samples.ts'
import { run, site, token } from './support.ts'
import type { Site } from './support.ts'

const fail = (error: Error): never => {
  throw error
}

let it: Site
beforeEach(async () => {
  it = await site()
})
afterEach(() => it.close())

describe('finding the control plane', () => {
  test('nothing running is told with the fix', async () => {
    await rm(join(it.cwd, '.ringfence'), { recursive: true })
    const ran = await it.cli('tenant list')
    expect([ran.code, ran.out]).toEqual([1, ''])
    expect(ran.err).toContain('No control plane is running here')
    expect(ran.err).toContain('ringfence up')
  })
  test('a control plane that has gone is told with the fix', async () => {
    await writeFile(join(it.cwd, '.ringfence', 'api.json'), JSON.stringify({ url: 'http://127.0.0.1:1' }))
    const ran = await it.cli('tenant list')
    expect([ran.code, ran.err]).toEqual([
      1,
      'error: Nothing answers at http://127.0.0.1:1. Start the control plane with: ringfence up (Unreachable)\n',
    ])
  })
  test('a server and a token file can be named, and a data directory', async () => {
    await mkdir(join(it.cwd, 'elsewhere'))
    await writeFile(join(it.cwd, 'elsewhere', 'token'), token, { mode: 0o600 })
    expect((await run(it.cwd, ['tenant', 'list', '--server', it.url, '--token-file', 'elsewhere/token'])).code).toBe(0)
    await writeFile(join(it.cwd, 'elsewhere', 'api.json'), JSON.stringify({ url: it.url }))
    await rm(join(it.cwd, '.ringfence'), { recursive: true })
    expect((await it.cli('tenant list --data-dir elsewhere')).code).toBe(0)
    expect((await it.cli('tenant list', { env: { RINGFENCE_DATA_DIR: 'elsewhere' } })).code).toBe(0)
  })
  test('a token that others can read is refused', async () => {
    await chmod(join(it.cwd, '.ringfence', 'token'), 0o644)
    const ran = await it.cli('tenant list')
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('chmod 600')])
    await chmod(join(it.cwd, '.ringfence', 'token'), 0o600)
    expect((await it.cli('tenant list')).code).toBe(0)
  })
  test('a wrong token fails, and neither it nor the right one is printed', async () => {
    await writeFile(join(it.cwd, '.ringfence', 'token'), `${token}-not`)
    const ran = await it.cli('tenant list')
    expect([ran.code, ran.err]).toEqual([1, expect.stringContaining('(Unauthenticated)')])
    expect(ran.out + ran.err).not.toContain(token)
  })
  test('a folder that was left lying around sends the token nowhere', async () => {
    await writeFile(join(it.cwd, '.ringfence', 'api.json'), JSON.stringify({ url: 'https://collector.example' }))
    const ran = await it.cli('tenant list')
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('not this machine')])
  })
  test.each([
    'http://example.com',
    'ftp://127.0.0.1',
    'http://user:pass@127.0.0.1',
    'nonsense',
    'http://127.0.0.1.example.com',
  ])('the token is never sent to %s', async (server) => {
    const ran = await it.cli(`tenant list --server ${server}`)
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('(Usage)')])
  })
})

describe('tenant delete', () => {
  beforeEach(() => it.cli('tenant create acme'))

  test('needs the name again', async () => {
    const ran = await it.cli('tenant delete acme')
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining('--confirm acme')])
    expect((await it.cli('tenant delete acme --confirm acm')).code).toBe(2)
    expect(it.fake.calls.filter(({ method }) => method === 'remove')).toEqual([])
  })
  test('with it asks for the removal', async () => {
    expect(await it.cli('tenant delete acme --confirm acme')).toMatchObject({
      code: 0,
      out: 'tenant/acme is being removed\n',
    })
    expect(it.fake.tenants.get('acme')?.status.phase).toBe('TearingDown')
  })
  test.each([
    ['acme\r', 0, 'TearingDown', ''],
    ['acm\r', 2, 'Pending', 'Nothing was removed'],
    ['\u0003', 1, 'Pending', 'Nothing was removed'],
  ])('on a terminal it asks; %j exits %i', async (typing, code, phase, told) => {
    const ran = await it.cli('tenant delete acme', { tty: true, typing, env: { TERM: 'xterm', NO_COLOR: '1' } })
    expect([ran.code, it.fake.tenants.get('acme')?.status.phase]).toEqual([code, phase])
    expect(ran.err).toContain('namespace: ringfence-acme')
    expect(ran.err).toContain(told)
  })
  test('--wait waits until it is gone', async () => {
    const running = it.cli('tenant delete acme --confirm acme --wait')
    await expect.poll(() => it.fake.tenants.get('acme')?.status.phase).toBe('TearingDown')
    it.fake.tenants.delete('acme')
    expect(await running).toMatchObject({ code: 0, out: 'tenant/acme is gone\n' })
  })
  test('a tenant that is not there fails before anything is asked', async () => {
    expect((await it.cli('tenant delete nobody --confirm nobody')).code).toBe(1)
  })
})

describe('tenant watch', () => {
  test('prints one JSON object a line from where it is told, and ends well when stopped', async () => {
    for (const message of ['one', 'two', 'three'])
      it.fake.emit({ tenant: 'acme', type: 'step', reason: 'Created', message })
    await it.cli('tenant create acme')
    const stopping = new AbortController()
    const ran = await it.cli('tenant watch acme --after 1 -o json', {
      signal: stopping.signal,
      watching: (text) => text.includes('three') && stopping.abort(),
    })
    expect(ran.code).toBe(0)
    expect(
      ran.out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { message: string }).message),
    ).toEqual(['two', 'three'])
  })
})

describe('prove', () => {
  test('exits 0 when all is proved, and prints the report alone', async () => {
    const ran = await it.cli('prove -o json')
    expect([ran.code, ran.err]).toEqual([0, ''])
    expect(JSON.parse(ran.out)).toMatchObject({ summary: { proved: 2, refuted: 0, undecided: 0 }, source: 'live' })
  })
  test.each([
    ['prove', [proved('acme'), refuted('acme')], 3],
    ['prove', [{ claim: 'c', tenant: 'acme', verdict: 'undecided', because: ['b'] }], 3],
    ['prove', [], 3],
    ['prove --fail-on refuted', [{ claim: 'c', tenant: 'acme', verdict: 'undecided', because: ['b'] }], 0],
    ['prove --fail-on refuted', [refuted('acme')], 3],
    ['prove --fail-on refuted', [], 3],
    ['prove --fail-on undecided', [refuted('acme'), proved('acme')], 0],
    ['prove --fail-on nothing', [proved('acme')], 2],
    ['prove nobody', [proved('acme')], 1],
    ['prove --tenant-label x', [proved('acme')], 2],
  ] as const)('%s over %j exits %i', async (argv, verdicts, code) => {
    it.fake.report = reportOf([...verdicts], 'live')
    expect((await it.cli(argv)).code).toBe(code)
  })
  test('a refutation shows the way in and the command that demonstrates it', async () => {
    it.fake.report = reportOf([refuted('acme')], 'live')
    expect((await it.cli('prove')).out).toBe(`✗ acme  rbac.fenced  refuted
    ServiceAccount globex/default can reach namespace acme:
      k8s:sa:globex/default → k8s:ns:acme  [pods.exec] RoleBinding acme/let-all
    shown by: kubectl --as system:serviceaccount:globex:default -n acme auth can-i create pods/exec

0 proved, 1 refuted, 0 undecided (source: live)
`)
  })
})

describe('doctor, version, audit', () => {
  test('doctor exits 1 when a check failed, and shows its fix', async () => {
    expect((await it.cli('doctor')).code).toBe(0)
    it.fake.checks = [{ name: 'kubernetes', status: 'failed', message: 'refused', fix: 'start it' }]
    const ran = await it.cli('doctor')
    expect([ran.code, ran.out]).toEqual([1, expect.stringContaining('failed  kubernetes: refused\n        → start it')])
  })
  test('doctor says that nothing runs, and what to do', async () => {
    await rm(join(it.cwd, '.ringfence'), { recursive: true })
    const ran = await it.cli('doctor -o json')
    expect(ran.code).toBe(1)
    expect(JSON.parse(ran.out)).toMatchObject({
      checks: [
        { name: 'node', status: 'ok' },
        { name: 'control plane', status: 'failed', fix: expect.stringContaining('ringfence up') },
      ],
    })
  })
  test('version tells of both ends, or of one', async () => {
    expect((await it.cli('version')).out).toBe('ringfence 0.1.0\nserver: ringfence 0.1.0\nkubernetes: v1.34.1 (live)\n')
    await rm(join(it.cwd, '.ringfence'), { recursive: true })
    expect(await it.cli('version')).toMatchObject({ code: 0, out: 'ringfence 0.1.0\nserver: not running here\n' })
    expect(await it.cli('--version')).toMatchObject({ code: 0, out: '0.1.0\n' })
  })
  test('pause and resume reach the engine, and may be repeated', async () => {
    expect(await it.cli('pause')).toMatchObject({ code: 0, out: expect.stringContaining('paused') })
    expect(await it.cli('pause')).toMatchObject({ code: 0 })
    expect(it.fake.isPaused()).toBe(true)
    expect(await it.cli('resume')).toMatchObject({ code: 0, out: 'resumed\n' })
    expect(it.fake.isPaused()).toBe(false)
  })
  test('audit list pages by sequence', async () => {
    const { out } = await it.cli('audit list --limit 2')
    expect(out).toContain('SEQUENCE')
    expect(out).toContain('More with: ringfence audit list --after 2')
    expect(JSON.parse((await it.cli('audit list --after 4 -o json')).out).items).toMatchObject([{ sequence: 5 }])
    const all = JSON.parse((await it.cli('audit list --limit 100000 -o json')).out) as {
      items: unknown[]
      next?: string
    }
    expect([all.items.length, all.next]).toEqual([5, undefined])
    expect((await it.cli('audit list --limit 0')).code).toBe(2)
  })
})

describe('up', () => {
  const asked = async (argv: string) => {
    let options: UpOptions | undefined
    const ran = await it.cli(argv, { up: async (given) => ((options = given), 7) })
    return { ...ran, options }
  }
  test('hands over what it was asked for, and its exit code', async () => {
    expect(await asked('up --demo --port 0 --data-dir d --kubernetes render --platform p.yaml')).toMatchObject({
      code: 7,
      options: {
        demo: true,
        port: 0,
        dataDir: join(it.cwd, 'd'),
        inCluster: false,
        kubernetes: 'render',
        platform: join(it.cwd, 'p.yaml'),
      },
    })
    expect((await asked('up --verbose --print-rights')).options).toMatchObject({ verbose: true, printRights: true })
    expect((await asked('up')).options).toEqual({
      demo: false,
      dataDir: join(it.cwd, '.ringfence'),
      inCluster: false,
      kubernetes: 'embedded',
    })
  })
  test.each([
    'up --port x',
    'up --port 70000',
    'up --context a --in-cluster',
    'up --context a --kubernetes render',
    'up --kubernetes none',
    'up extra',
  ])('%s is wrong usage', async (argv) => {
    expect(await asked(argv)).toMatchObject({ code: 2, options: undefined })
  })
  test('a failure is told with its code', async () => {
    const ran = await it.cli('up', {
      up: async () => fail(new RingfenceError('NotConfigured', 'No such context.')),
    })
    expect([ran.code, ran.err]).toEqual([1, 'error: No such context. (NotConfigured)\n'])
  })
})

describe('usage', () => {
  test.each([
    [''],
    ['tenat list'],
    ['tenant'],
    ['tenant list --unknown'],
    ['network connections'],
    ['completion tcsh'],
  ])('"%s" exits 2 with nothing on stdout', async (argv) => {
    const ran = await run(it.cwd, argv === '' ? [] : argv.split(' '))
    expect([ran.code, ran.out]).toEqual([2, ''])
    expect(ran.err).not.toBe('')
  })
  test.each(['--help', 'tenant --help', 'tenant create --help', 'prove --help'])(
    '%s exits 0 and prints to stdout',
    async (argv) => {
      const ran = await it.cli(argv)
      expect([ran.code, ran.err]).toEqual([0, ''])
      expect(ran.out).toContain('Usage: ringfence')
    },
  )
  test.each(['bash', 'zsh', 'fish'])('completion prints a script for %s that asks for words', async (shell) => {
    const ran = await it.cli(`completion ${shell}`)
    expect(ran.code).toBe(0)
    expect(ran.out).toContain('ringfence complete --')
  })
  test('completion knows nouns, verbs, options and their choices', async () => {
    const words = async (...argv: string[]) =>
      (await run(it.cwd, ['complete', '--', ...argv])).out.split('\n').map((line) => line.split('\t')[0])
    expect(await words('tenant', '')).toEqual(
      expect.arrayContaining(['create', 'apply', 'plan', 'get', 'list', 'describe', 'watch', 'delete']),
    )
    expect(await words('tenant', 'create', '--tier', '')).toEqual(expect.arrayContaining(['starter', 'professional']))
    expect(await words('tenant', 'create', '--ti')).toEqual(expect.arrayContaining(['--tier', '--timeout']))
  })
})

describe('kubectl', () => {
  const install = async () => {
    await mkdir(join(it.cwd, '.ringfence', 'kubernetes'))
    await writeFile(join(it.cwd, '.ringfence', 'kubernetes', 'break-glass.kubeconfig'), 'x')
    await mkdir(join(it.cwd, 'bin'))
    await writeFile(
      join(it.cwd, 'bin', 'kubectl'),
      `#!/bin/sh\nprintf '%s\\n' "$KUBECONFIG" "$@" > "${it.cwd}/seen"\nexit 5\n`,
      { mode: 0o755 },
    )
    return { env: { PATH: `${join(it.cwd, 'bin')}:/usr/bin:/bin`, KUBECONFIG: '/somebody/elses' } }
  }
  test('passes everything on, with the kubeconfig of the embedded cluster only, and answers its exit code', async () => {
    const person = await install()
    const ran = await it.cli('kubectl -n acme get pods -o yaml --help', person)
    expect([ran.code, ran.out, ran.err]).toEqual([5, '', ''])
    const { readFile } = await import('node:fs/promises')
    expect((await readFile(join(it.cwd, 'seen'), 'utf8')).trim().split('\n')).toEqual([
      join(it.cwd, '.ringfence/kubernetes/break-glass.kubeconfig'),
      '-n',
      'acme',
      'get',
      'pods',
      '-o',
      'yaml',
      '--help',
    ])
  })
  test('--verbose says where it comes from', async () => {
    const person = await install()
    expect((await it.cli('kubectl --verbose get pods', person)).err).toContain(join(it.cwd, 'bin', 'kubectl'))
  })
  test('without an embedded cluster it says so, and runs nothing', async () => {
    const person = await install()
    await rm(join(it.cwd, '.ringfence', 'kubernetes'), { recursive: true })
    const ran = await it.cli('kubectl get pods', person)
    expect([ran.code, ran.err]).toEqual([1, expect.stringContaining('There is no embedded cluster here')])
  })
})
