/**
 * The multi-tenancy benchmark of the field against a tenant on a real API server, as its own people. The original
 * passes on any error; here every refusal must come from the fence that is meant, and its twin must be admitted.
 */
import { afterAll, beforeAll, expect } from 'vitest'
import { roles, type Role } from '../../../src/model/tenant.ts'
import { fencedCluster, type FencedCluster } from '../../support/fenced-cluster.ts'
import { collectionOf, poll, type Api } from '../../support/kubernetes-api.ts'
import { describeOn } from '../../support/servers.ts'
import { accessTests } from './access.ts'
import { own } from './checks.ts'
import { may, rbac, type People } from './people.ts'
import { workloadTests } from './workloads.ts'

let cluster: FencedCluster
let world: People

const provision = (name: string) =>
  cluster.provision({
    apiVersion: 'ringfence.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name },
    spec: { access: { roleBindings: roles.map((role) => ({ role, groups: [`${name}-${role}s`] })) } },
  })

/** A namespace without any fence, and cluster-admin in it alone. */
async function freeNamespace(): Promise<void> {
  for (const [path, body] of [
    ['/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'free' } }],
    [
      collectionOf(`${rbac}/v1`, 'RoleBinding', 'free'),
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata: { name: 'all' },
        roleRef: { apiGroup: rbac, kind: 'ClusterRole', name: 'cluster-admin' },
        subjects: [{ apiGroup: rbac, kind: 'User', name: 'free' }],
      },
    ],
  ] as const) {
    expect((await cluster.admin('POST', path, body)).status).toBe(201)
  }
  await poll('the account of the free namespace', async () =>
    (await cluster.admin('GET', '/api/v1/namespaces/free/serviceaccounts/default')).status === 200 ? true : undefined,
  )
}

describeOn(['kubernetes'], 'the multi-tenancy benchmark', () => {
  beforeAll(async () => {
    cluster = await fencedCluster()
    await provision('acme')
    await provision('globex')
    await freeNamespace()
    const person = (role: Role): Api => cluster.as(`ann-${role}`, [`acme-${role}s`])
    const people = { owner: person('owner'), editor: person('editor'), viewer: person('viewer') }
    world = { cluster, people, neighbour: cluster.as('bob', ['globex-owners']), free: cluster.as('free') }
    await poll('bindings are seen', async () =>
      (await may(people.owner, { verb: 'list', resource: 'pods', namespace: own })) ? true : undefined,
    )
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  accessTests(() => world)
  workloadTests(() => world)
})
