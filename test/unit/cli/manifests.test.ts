import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { acting, run } from './support.ts'
import type { Person } from './support.ts'

let cwd: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'ringfence-manifests-'))
})
afterEach(() => rm(cwd, { recursive: true }))

const cli = (argv: string, person?: Person) => run(cwd, argv.split(' '), person)
const write = async (file: string, ...documents: (object | string)[]) => {
  await mkdir(dirname(join(cwd, file)), { recursive: true })
  await writeFile(
    join(cwd, file),
    documents.map((one) => (typeof one === 'string' ? one : JSON.stringify(one))).join('\n---\n'),
  )
}

const namespace = (name: string, key = 'ringfence.dev/tenant', tenant = name) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, labels: { [key]: tenant, 'kubernetes.io/metadata.name': name } },
})
const letAll = (name: string) => ({
  apiVersion: 'rbac.authorization.k8s.io/v1',
  kind: 'RoleBinding',
  metadata: { namespace: name, name: 'let-all' },
  roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'admin' },
  subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: 'system:authenticated' }],
})
interface Printed {
  readonly verdicts: readonly {
    claim: string
    tenant: string
    verdict: string
    because?: string[]
    counterexample?: { command: string }
  }[]
  readonly summary: { proved: number; refuted: number; undecided: number }
  readonly source: string
}
const printed = (out: string) => JSON.parse(out) as Printed

describe('prove --manifests', () => {
  test('a binding for everybody is refuted with the way in, on a stdout of its own', async () => {
    await write('a.yaml', namespace('acme'), namespace('globex'), letAll('acme'))
    const { code, out, err } = await cli('prove --manifests . -o json')
    expect([code, err]).toEqual([3, ''])
    const { verdicts, summary, source } = printed(out)
    expect(source).toBe('manifests')
    expect(Object.keys(printed(out)).sort()).toEqual(['source', 'summary', 'verdicts'])
    expect(summary.proved + summary.refuted + summary.undecided).toBe(verdicts.length)
    const fenced = verdicts.find(({ claim, tenant }) => claim === 'rbac.fenced' && tenant === 'acme')
    expect(fenced?.verdict).toBe('refuted')
    expect(fenced?.counterexample?.command).toMatch(/^kubectl /)
  })
  test('without that binding the same claim is not refuted', async () => {
    await write('a.yaml', namespace('acme'), namespace('globex'))
    const { verdicts } = printed((await cli('prove --manifests . -o json')).out)
    expect(verdicts.find(({ claim, tenant }) => claim === 'rbac.fenced' && tenant === 'acme')?.verdict).not.toBe(
      'refuted',
    )
  })
  test('the label that names the tenant can be another', async () => {
    await write('a.yaml', namespace('ns-1', 'team', 'acme'), namespace('ns-2', 'team', 'globex'))
    const tenants = (out: string) => [...new Set(printed(out).verdicts.map(({ tenant }) => tenant))].sort()
    expect(tenants((await cli('prove --manifests . --tenant-label team -o json')).out)).toEqual(['acme', 'globex'])
    expect(tenants((await cli('prove --manifests . --tenant-label team globex -o json')).out)).toEqual(['globex'])
  })
  test('a file that cannot be read makes it undecided, by its name', async () => {
    await write('a.yaml', namespace('acme'), namespace('globex'))
    await write('sub/broken.yaml', 'kind: [')
    const { code, out } = await cli('prove --manifests . -o json')
    expect(code).toBe(3)
    expect(
      printed(out)
        .verdicts.flatMap(({ because = [] }) => because)
        .join('\n'),
    ).toContain('broken.yaml')
  })
  test.each([
    ['prove --manifests missing', 1],
    ['prove --manifests . nobody', 1],
    ['prove --manifests empty', 3],
    ['prove --manifests . --server http://127.0.0.1:1', 2],
  ])('%s exits %i', async (argv, code) => {
    await write('a.yaml', namespace('acme'))
    await mkdir(join(cwd, 'empty'))
    const ran = await cli(argv)
    expect(ran.code).toBe(code)
    if (code !== 3) expect(ran.out).toBe('')
  })
  test('an empty folder proves nothing, also as JSON', async () => {
    const ran = await cli('prove --manifests . -o json')
    expect([ran.code, printed(ran.out)]).toEqual([
      3,
      { verdicts: [], summary: { proved: 0, refuted: 0, undecided: 0 }, source: 'manifests' },
    ])
  })
  test('names in files do not act on the terminal', async () => {
    await write('a.yaml', namespace('acme'), {
      ...letAll('acme'),
      metadata: { namespace: 'acme', name: 'x\u001b[2J\u202e\nok' },
    })
    const ran = await cli('prove --manifests .')
    expect(ran.out + ran.err).not.toMatch(acting)
  })
})

describe('network connections', () => {
  const pod = (namespace: string, name: string) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels: { app: name } },
    spec: { containers: [{ name: 'c', image: 'i' }] },
  })
  const denyAll = {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'a', name: 'deny' },
    spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  }

  test('prints one line a connection and nothing else', async () => {
    await write('pods.yaml', pod('a', 'one'), pod('b', 'two'))
    const open = await cli('network connections --manifests .')
    expect([open.code, open.err]).toEqual([0, ''])
    expect(open.out.split('\n')).toContain('a/one[Pod] => b/two[Pod] : All Connections')
    await write('deny.yaml', denyAll)
    const shut = await cli('network connections --manifests .')
    expect(shut.code).toBe(0)
    expect(shut.out).not.toContain('a/one')
    expect(shut.out).toContain('b/two')
  })
  test('what it does not understand is named, and no line is printed', async () => {
    await write('pods.yaml', pod('a', 'one'), pod('b', 'two'))
    await write('admin.yaml', {
      apiVersion: 'policy.networking.k8s.io/v1alpha1',
      kind: 'AdminNetworkPolicy',
      metadata: { name: 'anp' },
      spec: {},
    })
    const ran = await cli('network connections --manifests .')
    expect([ran.code, ran.out]).toEqual([3, ''])
    expect(ran.err).toContain('AdminNetworkPolicy anp')
  })
  test('a file that cannot be read is named, a folder that is not there fails', async () => {
    await write('broken.yaml', 'kind: [')
    const broken = await cli('network connections --manifests .')
    expect([broken.code, broken.out]).toEqual([3, ''])
    expect(broken.err).toContain('broken.yaml')
    const missing = await cli('network connections --manifests missing')
    expect([missing.code, missing.out]).toEqual([1, ''])
  })
})
