/** The RBAC logic over a real server's own objects: what Kubernetes brings along lets nobody in, one binding more does. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject, World } from '../../../../src/model/world.ts'
import { prove } from '../../../../src/prover/prove.ts'
import { rbacLogic } from '../../../../src/prover/rbac/logic.ts'
import { describeOn, servers } from '../../../support/servers.ts'
import { type Cluster, clusterOf } from './cluster.ts'

const rbac = '/apis/rbac.authorization.k8s.io/v1'
const group = 'rbac.authorization.k8s.io'

describeOn(['kubernetes'], 'the RBAC logic on a real server', () => {
  const name = `rl${randomBytes(3).toString('hex')}`
  let cluster: Cluster

  beforeAll(async () => {
    cluster = clusterOf(servers().kubernetes.admin)
    const labels = { 'ringfence.dev/tenant': name, 'pod-security.kubernetes.io/enforce': 'restricted' }
    const made = await cluster.ask('POST', '/api/v1/namespaces', {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name, labels },
    })
    expect(made.status).toBe(201)
  })
  afterAll(async () => {
    await cluster.ask('DELETE', `/api/v1/namespaces/${name}`)
    await cluster.close()
  })

  /** What is Kubernetes' own or this test's: others use the same server at the same time. */
  const world = async (): Promise<World> => {
    const list = async (path: string, apiVersion: string, kind: string): Promise<readonly KubeObject[]> =>
      (await cluster.ask('GET', path)).body.items.map((item: object) => ({ apiVersion, kind, ...item }))
    const all = await Promise.all([
      list('/api/v1/namespaces', 'v1', 'Namespace'),
      ...['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'].map((kind) =>
        list(`${rbac}/${kind.toLowerCase()}s`, `${group}/v1`, kind),
      ),
    ])
    const objects = all.flat().filter(({ kind, metadata }) => {
      if (metadata.labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults') return true
      return kind === 'Namespace'
        ? metadata.name === name || metadata.name.startsWith('kube-')
        : metadata.namespace === name
    })
    const kinds = [
      '/Namespace',
      ...['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'].map((kind) => `${group}/${kind}`),
    ]
    const now = new Date().toISOString()
    return {
      source: 'live',
      observed: [now, now],
      tenants: [{ name, namespaces: [name], subjects: [], databases: [], shared: [] }],
      kubernetes: { objects, kinds, ranges: [], sharedNamespaces: [], systemNamespace: 'ringfence-system' },
      unreadable: [],
      trusted: [],
      trustedRoles: [],
    }
  }
  const judged = async () => prove(await world(), { logics: [rbacLogic] })

  test("Kubernetes' own bindings break nothing, a binding for everybody does, and the command shows it", async () => {
    const before = await world()
    expect(before.kubernetes?.objects.filter(({ kind }) => kind === 'ClusterRoleBinding').length).toBeGreaterThan(40)
    expect(await judged()).toMatchObject({ summary: { proved: 2, refuted: 0, undecided: 0 } })
    const made = await cluster.ask('POST', `${rbac}/namespaces/${name}/rolebindings`, {
      apiVersion: `${group}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'let-all' },
      roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'view' },
      subjects: [{ apiGroup: group, kind: 'Group', name: 'system:authenticated' }],
    })
    expect(made.status).toBe(201)
    const { verdicts } = await judged()
    const { uid } = made.body.metadata
    expect(verdicts.find(({ claim }) => claim === 'rbac.fenced')).toMatchObject({
      verdict: 'refuted',
      counterexample: {
        subject: 'Group system:authenticated',
        path: [{ by: `RoleBinding ${name}/let-all` }],
        command: expect.stringMatching(
          new RegExp(`^kubectl --as=someone --as-group=system:authenticated .* -n ${name}$`),
        ),
        culprits: [{ kind: 'RoleBinding', namespace: name, name: 'let-all', uid }],
      },
    })
    expect((await cluster.ask('DELETE', `${rbac}/namespaces/${name}/rolebindings/let-all`)).status).toBe(200)
    expect((await judged()).summary.proved).toBe(2)
  })
})
