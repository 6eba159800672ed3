/** Worlds out of files: an isolated pair is proved, each hole is refuted, and what cannot be read is undecided by name. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { prove } from '../../../../src/prover/prove.ts'
import { rbacLogic } from '../../../../src/prover/rbac/logic.ts'
import { exitCodeOf, renderReport, reportJson } from '../../../../src/prover/render.ts'
import { readManifests, worldOfManifests } from '../../../../src/prover/manifests/index.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'manifests-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

const put = async (files: Record<string, string | Buffer>) => {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(dir, path)), { recursive: true })
    await writeFile(join(dir, path), text)
  }
}

const binding = (name: string, place: string, role: string, subjects: string) => `
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: ${name}, namespace: ${place} }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${role} }
subjects: ${subjects}
`
const clusterBinding = (role: string, subjects: string) => `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: wide }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: ${role} }
subjects: ${subjects}
`
const tenant = (name: string, role = 'admin') => `
apiVersion: v1
kind: Namespace
metadata:
  name: ${name}
  labels: { ringfence.dev/tenant: ${name}, pod-security.kubernetes.io/enforce: restricted }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: app, namespace: ${name} }
---${binding('admins', name, role, `[{kind: Group, name: ${name}-people}, {kind: ServiceAccount, name: app, namespace: ${name}}]`)}---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: ${name} }
---
apiVersion: example.com/v1
kind: Widget
metadata: { name: w, namespace: ${name} }
`
const pair = { 'acme.yaml': tenant('acme'), 'nested/globex.yml': tenant('globex') }
const judge = async (label?: string) =>
  prove(worldOfManifests(await readManifests(dir), label), { logics: [rbacLogic] })

describe('an isolated pair', () => {
  test('is proved, with the built-in roles that no file holds, and the exit code is 0', async () => {
    await put(pair)
    const report = await judge()
    expect(report).toMatchObject({ source: 'manifests', summary: { proved: 4, refuted: 0, undecided: 0 } })
    expect(exitCodeOf(report)).toBe(0)
    const json = JSON.parse(JSON.stringify(reportJson(report)))
    expect(Object.keys(json)).toEqual(['verdicts', 'summary', 'source'])
    expect(json.verdicts[0]).toMatchObject({
      claim: 'rbac.contained',
      tenant: 'acme',
      verdict: 'proved',
      assuming: expect.any(Array),
    })
  })

  test('may name its tenants by another label', async () => {
    await put({ 'a.yaml': pair['acme.yaml'].replace('ringfence.dev/tenant', 'team') })
    expect((await judge('team')).summary.proved).toBe(2)
    expect((await judge()).verdicts).toEqual([])
    expect(exitCodeOf(await judge())).toBe(3)
  })

  test.each([
    ['a stranger’s binding for everybody', binding('hole', 'acme', 'view', '[{kind: Group, name: "system:authenticated"}]'), 'rbac.fenced', 'acme'],
    ['an account of the other tenant', binding('hole', 'acme', 'view', '[{kind: ServiceAccount, name: app, namespace: globex}]'), 'rbac.contained', 'globex'],
    ['a group of both', binding('hole', 'acme', 'view', '[{kind: Group, name: globex-people}]'), 'rbac.fenced', 'acme'],
    ['a cluster-wide grant to a tenant', clusterBinding('view', '[{kind: Group, name: acme-people}]'), 'rbac.contained', 'acme'],
    ['a cluster-wide grant to a stranger', clusterBinding('cluster-admin', '[{kind: User, name: mallory}]'), 'rbac.fenced', 'globex'],
    ['an account elsewhere', binding('hole', 'acme', 'edit', '[{kind: ServiceAccount, name: ci, namespace: build}]'), 'rbac.fenced', 'acme'],
    ['an account in the default namespace, unsaid', binding('hole', 'acme', 'edit', '[{kind: User, name: "system:serviceaccount:default:default"}]'), 'rbac.fenced', 'acme'],
    ['a role of their own that escalates', `
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: r, namespace: acme }
rules: [{ apiGroups: [rbac.authorization.k8s.io], resources: [roles], verbs: [escalate] }]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: hole, namespace: acme }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: r }
subjects: [{ kind: ServiceAccount, name: app }]
`, 'rbac.contained', 'acme'],
    ['a role that aggregation makes strong', `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: extra, labels: { rbac.authorization.k8s.io/aggregate-to-edit: "true" } }
rules: [{ apiGroups: [""], resources: [endpoints], verbs: [patch] }]
`, 'rbac.contained', 'acme'],
  ])('%s refutes it', async (_, hole, claim, about) => {
    await put({ ...pair, 'hole.yaml': hole })
    const report = await judge()
    expect(report.verdicts.find((verdict) => verdict.claim === claim && verdict.tenant === about)?.verdict).toBe('refuted')
    expect(exitCodeOf(report)).toBe(3)
  }) // prettier-ignore

  test('a namespace without pod security refutes whoever runs pods there', async () => {
    await put({
      ...pair,
      'acme.yaml': pair['acme.yaml'].replace(', pod-security.kubernetes.io/enforce: restricted', ''),
    })
    expect(
      (await judge()).verdicts.find(({ claim, tenant: about }) => claim === 'rbac.contained' && about === 'acme'),
    ).toMatchObject({ verdict: 'refuted', counterexample: { path: [{ rule: 'pods.privileged' }] } })
  })
})

describe('what cannot be read', () => {
  test.each([
    ['a broken file', 'a: [', 'x.yaml could not be read: is not YAML'],
    [
      'a template',
      'kind: Role\nmetadata:\n  name: {{ .Release.Name }}-x\n  {{- if .a }}',
      'x.yaml could not be read: is a template; render it first',
    ],
    [
      'a template in quotes',
      'apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: { name: "{{ name }}" }',
      'x.yaml could not be read: Role {{ name }} holds placeholders of a template; render it first',
    ],
    [
      'repeated keys',
      'apiVersion: v1\nkind: ConfigMap\nkind: Role\nmetadata: { name: a }',
      'x.yaml could not be read: is not YAML',
    ],
    [
      'something without a kind',
      'replicas: 3',
      'x.yaml could not be read: holds something without apiVersion and kind',
    ],
    ['text', 'hello', 'x.yaml could not be read: holds something that is not an object'],
    [
      'an overlay',
      'apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nnamespace: acme',
      'x.yaml could not be read: is a Kustomization, which changes other files; build it first',
    ],
    [
      'labels that are numbers',
      'apiVersion: v1\nkind: Namespace\nmetadata: { name: a, labels: { a: 1 } }',
      'x.yaml could not be read: Namespace a has labels that are not texts',
    ],
    [
      'a file that multiplies itself',
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((key, index) => `${key}: &${key} [${Array.from({ length: 9 }, () => `*${'abcdefgh'[index]}`).join(',')}]`)
        .join('\n')}`,
      'x.yaml could not be read: cannot be taken apart',
    ],
    [
      'a role that no file holds',
      binding('x', 'acme', 'ghost', '[{kind: Group, name: acme-people}]'),
      'RoleBinding acme/x grants the ClusterRole ghost, which is not among the files',
    ],
    [
      'a contradiction',
      binding('admins', 'acme', 'view', '[]'),
      'RoleBinding acme/admins (rbac.authorization.k8s.io) could not be read: is given twice, differently',
    ],
    [
      'a later version of RBAC',
      'apiVersion: rbac.authorization.k8s.io/v2\nkind: RoleBinding\nmetadata: { name: n, namespace: acme }',
      'RoleBinding acme/n is of the version v2',
    ],
  ])('%s leaves the claims undecided, by name', async (_, text, because) => {
    await put({ ...pair, 'x.yaml': text })
    const report = await judge()
    const verdict = report.verdicts.find(({ claim, tenant: about }) => claim === 'rbac.contained' && about === 'acme')
    expect(verdict).toMatchObject({ verdict: 'undecided', because: [expect.stringContaining(because)] })
    expect(exitCodeOf(report)).toBe(3)
  })

  test('binary content, dead links and link loops are no obstacle and no silence', async () => {
    await put({ ...pair, 'b.yaml': Buffer.from([0xff, 0xfe, 0xfd]) })
    await symlink(dir, join(dir, 'loop'))
    await symlink(join(dir, 'nowhere'), join(dir, 'dead.yaml'))
    const { objects, unreadable } = await readManifests(dir)
    expect(objects).toHaveLength(10)
    expect(unreadable).toEqual([
      { product: 'file', what: 'dead.yaml', why: 'is a link to nowhere' },
      { product: 'file', what: 'b.yaml', why: 'is not UTF-8 text' },
    ])
  })

  test('a folder that is not there is NotFound', async () => {
    await expect(readManifests(join(dir, 'none'))).rejects.toMatchObject({ code: 'NotFound' })
  })
})

test('lists are taken apart, typed ones too, and JSON is read', async () => {
  const role = { metadata: { name: 'r', namespace: 'a' }, rules: [] }
  await put({
    'list.json': JSON.stringify({
      apiVersion: 'v1',
      kind: 'List',
      items: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }],
    }),
    'roles.yaml': JSON.stringify({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'RoleList', items: [role] }),
    'empty.yaml': '---\n# nothing\n---\n',
    'notes.txt': 'not a manifest',
  })
  const { objects, unreadable } = await readManifests(dir)
  expect(unreadable).toEqual([])
  expect(objects.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`)).toEqual([
    'v1 ConfigMap',
    'rbac.authorization.k8s.io/v1 Role',
  ])
})

test('nothing from a file reaches the terminal unescaped', async () => {
  await put({
    ...pair,
    'x.yaml': binding(
      '"\\e[2J\\nproved"',
      'acme',
      'view',
      '[{kind: User, name: "\\e]0;x"}, {kind: Group, name: "system:authenticated"}]',
    ),
  })
  const text = renderReport(await judge())
  // oxlint-disable-next-line no-control-regex -- finding them is the purpose
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/)
  expect(text).toContain('\\x1b[2J\\nproved')
})
