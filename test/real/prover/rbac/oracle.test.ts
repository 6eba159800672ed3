/** The authorizer against the real one: hundreds of random worlds, thousands of questions, one answer each. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { createAuthorizer } from '../../../../src/prover/rbac/authorizer.ts'
import { builtinRoles } from '../../../../src/prover/rbac/builtin-roles.ts'
import { readPolicy } from '../../../../src/prover/rbac/policy.ts'
import { describeOn, servers } from '../../../support/servers.ts'
import { type Cluster, clusterOf, concurrently, until } from './cluster.ts'
import { randomFrom, randomWorld } from './random-worlds.ts'

const worldCount = 220
const questionsEach = 50
const seed = Number(process.env['RINGFENCE_TEST_SEED'] ?? 20_260_101)
const rbac = '/apis/rbac.authorization.k8s.io/v1'

describeOn(['kubernetes'], `the authorizer and the API server (seed ${seed})`, () => {
  const id = `ro${randomBytes(3).toString('hex')}`
  const homes = ['x', 'y', 'z'].map((name) => `${id}-${name}`)
  const random = randomFrom(seed)
  const worlds = Array.from({ length: worldCount }, (_, index) =>
    randomWorld(`${id}-${index}`, random, homes, questionsEach),
  )
  let cluster: Cluster

  beforeAll(async () => {
    cluster = clusterOf(servers().kubernetes.admin)
    for (const name of homes)
      expect(
        (await cluster.ask('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } }))
          .status,
      ).toBe(201)
    await concurrently(worlds.flatMap((world) => world.objects), 16, async ({ path, body }) => {
      const answer = await cluster.ask('POST', path, body)
      if (answer.status !== 201) throw new Error(`${path} ${JSON.stringify(body)}: ${JSON.stringify(answer.body)}`)
    }) // prettier-ignore
  })

  afterAll(async () => {
    const cluster_ = worlds.flatMap((world) => world.objects).filter(({ path }) => !path.includes('/namespaces/'))
    await concurrently(
      cluster_,
      16,
      async ({ path, body }) => void (await cluster.ask('DELETE', `${path}/${body.metadata.name}`)),
    )
    for (const name of homes) await cluster.ask('DELETE', `/api/v1/namespaces/${name}`)
    await cluster.close()
  })

  const list = async (plural: string, kind: string): Promise<readonly KubeObject[]> => {
    const { body } = await cluster.ask('GET', `${rbac}/${plural}`)
    return body.items.map((item: object) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind, ...item }))
  }

  const review = async (question: (typeof worlds)[number]['questions'][number]): Promise<boolean> => {
    const { user, groups, request } = question
    const attributes = 'path' in request ? { nonResourceAttributes: request } : { resourceAttributes: request }
    const { status, body } = await cluster.ask('POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {
      apiVersion: 'authorization.k8s.io/v1', kind: 'SubjectAccessReview', spec: { user, groups, ...attributes },
    }) // prettier-ignore
    if (status !== 201) throw new Error(JSON.stringify(body))
    return body.status.allowed === true
  }

  test('they agree on every question', async () => {
    // The server's authorizer reads through informers: wait until each kind's last object bites.
    await until('the authorizer to see the last bindings', async () => {
      for (const plural of ['clusterrolebindings', `namespaces/${homes[0]}/rolebindings`]) {
        const name = `${id}-sentinel`
        const user = `${name}-${plural.length}`
        await cluster.ask('POST', `${rbac}/${plural}`, {
          apiVersion: 'rbac.authorization.k8s.io/v1', kind: plural.includes('/') ? 'RoleBinding' : 'ClusterRoleBinding', metadata: { name },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' }, subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: user }],
        }) // prettier-ignore
        const seen = await review({
          user,
          groups: [],
          request: { verb: 'get', group: '', resource: 'pods', namespace: homes[0] as string },
        })
        if (!seen) return false
      }
      return true
    })
    await cluster.ask('DELETE', `${rbac}/clusterrolebindings/${id}-sentinel`)
    const policyNow = async () => {
      const parts = await Promise.all([
        list('roles', 'Role'),
        list('clusterroles', 'ClusterRole'),
        list('rolebindings', 'RoleBinding'),
        list('clusterrolebindings', 'ClusterRoleBinding'),
      ])
      const policy = readPolicy(parts.flat(), { aggregate: false })
      expect(policy.problems).toEqual([])
      return createAuthorizer(policy)
    }
    const decide = await policyNow()
    const questions = worlds.flatMap((world) => world.questions)
    const doubtful: (typeof questions)[number][] = []
    let allowed = 0
    await concurrently(questions, 16, async (question) => {
      const theirs = await review(question)
      const ours = decide({ name: question.user, groups: question.groups }, question.request).allowed
      if (theirs) allowed += 1
      if (theirs !== ours) doubtful.push(question)
    })
    // Other tests grant things on the same server meanwhile; what differs over the policy of now is a disagreement.
    const again = await policyNow()
    const disagreements: unknown[] = []
    for (const question of doubtful) {
      const theirs = await review(question)
      const ours = again({ name: question.user, groups: question.groups }, question.request).allowed
      if (theirs !== ours) disagreements.push({ question, theirs, ours })
    }
    expect(disagreements.slice(0, 3)).toEqual([])
    expect(questions.length).toBeGreaterThanOrEqual(10_000)
    expect(worlds.length).toBeGreaterThanOrEqual(200)
    process.stdout.write(
      `[oracle] ${worlds.length} worlds, ${questions.length} decisions, ${((100 * allowed) / questions.length).toFixed(1)} % allowed\n`,
    )
    expect(allowed / questions.length).toBeGreaterThanOrEqual(0.25)
  })

  test('the built-in roles that files are judged with are those of the server', async () => {
    const theirs = (await list('clusterroles', 'ClusterRole')).filter(
      ({ metadata }) => metadata.labels?.['kubernetes.io/bootstrapping'] === 'rbac-defaults',
    )
    const shape = ({ metadata, rules, aggregationRule }: KubeObject) => ({
      name: metadata.name,
      labels: metadata.labels,
      rules: aggregationRule === undefined ? (rules ?? []) : 'aggregated',
      aggregationRule,
    })
    const sorted = (objects: readonly KubeObject[]) =>
      objects.map((object) => shape(object)).toSorted((a, b) => (a.name < b.name ? -1 : 1))
    expect(sorted(builtinRoles)).toEqual(sorted(theirs))
  })
})
