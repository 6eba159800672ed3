/**
 * The multi-tenancy benchmark of the field against a tenant on a real API server, as its own people. The original
 * passes on any error; here every refusal must come from the fence that is meant, and its twin must be admitted.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import { roles, type Role } from '../../../src/model/tenant.ts'
import { fencedCluster, type FencedCluster } from '../../support/fenced-cluster.ts'
import { collectionOf, poll, type Answer, type Api } from '../../support/kubernetes-api.ts'
import { describeOn } from '../../support/servers.ts'
import { clusterResources, other, own, ownForbidden, pod, podChecks, quotaNames, tenantResources, verbs } from './checks.ts'

let cluster: FencedCluster
/** People of the tenant, by role, as a certificate with a bound group. */
let people: { readonly [role in Role]: Api }
let neighbour: Api
/** The same rights in a namespace that is nobody's, with no fence around it: the positive controls of refusals. */
let free: Api

const rbac = 'rbac.authorization.k8s.io'
const dry = (path: string): string => `${path}?dryRun=All`
const pods = (namespace: string): string => dry(`/api/v1/namespaces/${namespace}/pods`)
const words = ({ status, message }: Answer) => ({ status, message })

/** Asks the server whether this identity may, as the server itself would decide. */
async function may(api: Api, attributes: JsonObject): Promise<boolean> {
  const { body, status, message } = await api('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: attributes },
  })
  if (status !== 201) throw new Error(`no review: ${status} ${message}`)
  const answer = body['status'] as { allowed: boolean; evaluationError?: string }
  if (answer.evaluationError !== undefined) throw new Error(answer.evaluationError)
  return answer.allowed
}

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
    people = { owner: person('owner'), editor: person('editor'), viewer: person('viewer') }
    neighbour = cluster.as('bob', ['globex-owners'])
    free = cluster.as('free')
    await poll('bindings are seen', async () => ((await may(people.owner, { verb: 'list', resource: 'pods', namespace: own })) ? true : undefined))
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  test('block access to cluster resources: every verb, every role', async () => {
    for (const [group, resource] of clusterResources) {
      for (const verb of verbs) {
        const attributes = { verb, group, resource }
        expect.soft(await may(cluster.admin, attributes), `control: ${verb} ${resource}`).toBe(true)
        for (const role of roles) expect.soft(await may(people[role], attributes), `${role}: ${verb} ${resource}`).toBe(false)
      }
      const path = group === '' ? `/api/v1/${resource}` : `/apis/${group}/v1/${resource}`
      const refused = await people.owner('GET', path)
      if (resource !== 'adminnetworkpolicies') expect.soft(words(refused)).toEqual({ status: 403, message: expect.stringMatching(/User "ann-owner" cannot list resource/) })
    }
  })

  test('block access to resources of other tenants: eight verbs, both ways', async () => {
    for (const [group, resource] of tenantResources) {
      for (const verb of verbs) {
        const [here, there] = [{ verb, group, resource, namespace: own }, { verb, group, resource, namespace: other }]
        expect.soft(await may(people.owner, here), `acme: ${verb} ${resource} in its own`).toBe(true)
        expect.soft(await may(neighbour, there), `globex: ${verb} ${resource} in its own`).toBe(true)
        expect.soft(await may(people.owner, there), `acme: ${verb} ${resource} of globex`).toBe(false)
        expect.soft(await may(neighbour, here), `globex: ${verb} ${resource} of acme`).toBe(false)
      }
    }
    const secrets = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`
    expect((await people.owner('GET', secrets(own))).status).toBe(200)
    expect(words(await people.owner('GET', secrets(other)))).toEqual({ status: 403, message: expect.stringContaining(`cannot list resource "secrets" in API group "" in the namespace "${other}"`) })
    expect((await people.owner('GET', '/api/v1/secrets')).status).toBe(403)
  })

  test('the accounts of the roles have the same reach as the people', async () => {
    const account = await cluster.withToken('ringfence-system', 'acme-editor')
    expect((await account('POST', pods(own), pod())).status).toBe(201)
    expect(words(await account('POST', pods(other), pod()))).toEqual({ status: 403, message: expect.stringContaining('User "system:serviceaccount:ringfence-system:acme-editor" cannot create resource "pods"') })
    expect((await account('GET', '/api/v1/namespaces/ringfence-system/secrets')).status).toBe(403)
  })

  test('a pod of the tenant has no rights by itself', async () => {
    const account = await cluster.withToken(own, 'default')
    for (const [group, resource] of tenantResources) {
      for (const verb of verbs) expect.soft(await may(account, { verb, group, resource, namespace: own }), `${verb} ${resource}`).toBe(false)
    }
    expect(await may(account, { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' })).toBe(true)
  })

  test('block what leads to more, even in the own namespace', async () => {
    for (const [verb, group, resource, subresource] of ownForbidden) {
      const attributes = { verb, group, resource, namespace: own, ...(subresource === undefined ? {} : { subresource }) }
      expect.soft(await may(cluster.admin, attributes), `control: ${JSON.stringify(attributes)}`).toBe(true)
      for (const role of roles) expect.soft(await may(people[role], attributes), `${role}: ${JSON.stringify(attributes)}`).toBe(false)
    }
  })

  test('viewers see, and read no Secrets; editors do not say who may do what', async () => {
    expect((await people.viewer('GET', `/api/v1/namespaces/${own}/configmaps`)).status).toBe(200)
    expect(words(await people.viewer('GET', `/api/v1/namespaces/${own}/secrets`))).toEqual({ status: 403, message: expect.stringContaining('cannot list resource "secrets"') })
    expect(words(await people.viewer('POST', pods(own), pod()))).toEqual({ status: 403, message: expect.stringContaining('cannot create resource "pods"') })
    expect((await people.editor('POST', pods(own), pod())).status).toBe(201)
    expect(await may(people.editor, { verb: 'create', group: rbac, resource: 'rolebindings', namespace: own })).toBe(false)
    expect(await may(people.editor, { verb: 'create', group: 'networking.k8s.io', resource: 'networkpolicies', namespace: own })).toBe(false)
  })

  test('block multi-tenant resources: what the platform put there stays as it is', async () => {
    const deny = `/apis/networking.k8s.io/v1/namespaces/${own}/networkpolicies/ringfence-isolation-default-deny`
    const denied = { status: 403, message: expect.stringContaining(`ValidatingAdmissionPolicy 'ringfence-fences'`) }
    expect(words(await people.owner('DELETE', dry(deny)))).toEqual(denied)
    expect(words(await people.owner('PATCH', dry(deny), { metadata: { labels: { 'app.kubernetes.io/managed-by': null } } }))).toEqual(denied)
    const binding = `/apis/${rbac}/v1/namespaces/${own}/rolebindings/ringfence-viewer`
    expect(words(await people.owner('DELETE', dry(binding)))).toEqual(denied)
    // The same verb on an object of their own.
    const policy = { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { name: 'mine' }, spec: { podSelector: {} } }
    expect((await people.owner('POST', `/apis/networking.k8s.io/v1/namespaces/${own}/networkpolicies`, policy)).status).toBe(201)
    expect((await people.owner('DELETE', `/apis/networking.k8s.io/v1/namespaces/${own}/networkpolicies/mine`)).status).toBe(200)
  })

  test('block modification of resource quotas', async () => {
    const quota = `/api/v1/namespaces/${own}/resourcequotas/ringfence`
    expect((await people.owner('GET', quota)).status).toBe(200)
    for (const [method, body] of [['PATCH', { spec: { hard: { pods: '1000' } } }], ['DELETE', undefined]] as const) {
      expect(words(await people.owner(method, dry(quota), body))).toEqual({ status: 403, message: expect.stringMatching(/User "ann-owner" cannot (patch|delete) resource "resourcequotas"/) })
    }
  })

  test('block role privilege escalation: no role wider than the one who makes it, none bound but the tenant’s', async () => {
    const collection = dry(collectionOf(`${rbac}/v1`, 'Role', own))
    const role = (rule: JsonObject) => ({ apiVersion: `${rbac}/v1`, kind: 'Role', metadata: { name: 'probe' }, rules: [rule] })
    expect((await people.owner('POST', collection, role({ apiGroups: [''], resources: ['pods'], verbs: ['get', 'delete'] }))).status).toBe(201)
    for (const rule of [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] },
      { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
      { apiGroups: [''], resources: ['resourcequotas'], verbs: ['update'] },
      { apiGroups: [rbac], resources: ['roles'], verbs: ['escalate'] },
    ]) {
      expect.soft(words(await people.owner('POST', collection, role(rule)))).toEqual({ status: 403, message: expect.stringContaining('is attempting to grant RBAC permissions not currently held') })
    }
    const bindings = dry(collectionOf(`${rbac}/v1`, 'RoleBinding', own))
    const binding = (name: string) => ({
      apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata: { name: 'probe' }, roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: own }],
    }) // prettier-ignore
    expect((await people.owner('POST', bindings, binding('ringfence-editor'))).status).toBe(201)
    for (const name of ['cluster-admin', 'admin', 'system:node']) {
      expect.soft(words(await people.owner('POST', bindings, binding(name)))).toEqual({ status: 403, message: expect.stringContaining('is attempting to grant RBAC permissions not currently held') })
    }
  })

  test('tenants can manage roles, bindings and network policies of their own', async () => {
    const metadata = { name: 'of-acme' }
    const subject = { kind: 'ServiceAccount', name: 'default', namespace: own }
    const objects = [
      { apiVersion: `${rbac}/v1`, kind: 'Role', metadata, rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }] },
      { apiVersion: `${rbac}/v1`, kind: 'RoleBinding', metadata, roleRef: { apiGroup: rbac, kind: 'Role', name: 'of-acme' }, subjects: [subject] },
      { apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata, spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } },
    ]
    for (const object of objects) {
      const collection = collectionOf(object.apiVersion, object.kind, own)
      expect.soft((await people.owner('POST', collection, object)).status, `create ${object.kind}`).toBe(201)
      expect.soft((await people.owner('PATCH', `${collection}/of-acme`, { metadata: { labels: { a: 'b' } } })).status, `change ${object.kind}`).toBe(200)
    }
    const account = await cluster.withToken(own, 'default')
    await poll('the binding lets the account in', async () => ((await account('GET', `/api/v1/namespaces/${own}/pods`)).status === 200 ? true : undefined))
    for (const object of objects.toReversed()) {
      const collection = collectionOf(object.apiVersion, object.kind, own)
      expect.soft((await people.owner('DELETE', `${collection}/of-acme`)).status, `delete ${object.kind}`).toBe(200)
    }
  })

  for (const check of podChecks) {
    test(check.what, async () => {
      expect(words(await people.editor('POST', pods(own), check.pod))).toEqual({ status: 403, message: expect.stringContaining(check.says) })
      // The very same pod where no fence stands, and the pod without the one thing where it does.
      expect((await free('POST', pods('free'), check.pod)).status).toBe(201)
      expect((await people.editor('POST', pods(own), pod())).status).toBe(201)
    })
  }

  test('block node ports', async () => {
    const service = (spec: JsonObject) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 'probe' }, spec: { ports: [{ port: 80 }], ...spec } })
    const path = (namespace: string) => dry(`/api/v1/namespaces/${namespace}/services`)
    expect((await people.editor('POST', path(own), service({}))).status).toBe(201)
    expect((await free('POST', path('free'), service({ type: 'NodePort' }))).status).toBe(201)
    expect(words(await people.editor('POST', path(own), service({ type: 'NodePort' })))).toEqual({ status: 403, message: expect.stringContaining(`ValidatingAdmissionPolicy 'ringfence-services'`) })
    // A load balancer takes node ports too, unless it says otherwise; of those there are none.
    expect(words(await people.editor('POST', path(own), service({ type: 'LoadBalancer' })))).toEqual({ status: 403, message: expect.stringMatching(/exceeded quota: ringfence, requested: .*services\.nodeports=1/) })
    expect((await people.editor('POST', path(own), service({ type: 'LoadBalancer', allocateLoadBalancerNodePorts: false }))).status).toBe(201)
  })

  test('quotas on cpu, memory, ephemeral storage and nine object counts, which bite', async () => {
    const { body } = await people.viewer('GET', `/api/v1/namespaces/${own}/resourcequotas/ringfence`)
    const hard = (body['status'] as { hard: { [name: string]: string } }).hard
    expect(Object.keys(hard)).toEqual(expect.arrayContaining([...quotaNames.amounts, ...quotaNames.counts]))
    expect(hard['services.nodeports']).toBe('0')
    const huge = { cpu: '1000', memory: '10Ti', 'ephemeral-storage': '10Ti' }
    for (const [name, amount] of Object.entries(huge)) {
      const resources = { requests: { [name]: amount }, limits: { [name]: amount } }
      const greedy = pod({ container: { resources } })
      expect.soft(words(await people.editor('POST', pods(own), greedy))).toEqual({ status: 403, message: expect.stringMatching(new RegExp(`exceeded quota: ringfence, requested: .*${name}=`)) })
      expect.soft((await free('POST', pods('free'), greedy)).status).toBe(201)
    }
    const defaulted = await people.editor('POST', pods(own), pod())
    const { containers } = defaulted.body['spec'] as { containers: { resources: JsonObject }[] }
    expect(containers[0]?.resources['limits']).toEqual({ cpu: '500m', memory: '512Mi', 'ephemeral-storage': '1Gi' })
  })

  test('images are always pulled', async () => {
    const cached = pod({ container: { imagePullPolicy: 'IfNotPresent' } })
    expect(words(await people.editor('POST', pods(own), cached))).toEqual({ status: 403, message: expect.stringContaining('always pulled') })
    expect((await free('POST', pods('free'), cached)).status).toBe(201)
    expect((await people.editor('POST', pods(own), pod())).status).toBe(201)
  })

  test('existing volumes are not picked up', async () => {
    const claim = (spec: JsonObject) => ({
      apiVersion: 'v1', kind: 'PersistentVolumeClaim', metadata: { name: 'probe' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } }, ...spec },
    }) // prettier-ignore
    const path = (namespace: string) => dry(`/api/v1/namespaces/${namespace}/persistentvolumeclaims`)
    expect((await people.editor('POST', path(own), claim({}))).status).toBe(201)
    expect(words(await people.editor('POST', path(own), claim({ volumeName: 'old' })))).toEqual({ status: 403, message: expect.stringContaining('may not pick an existing volume') })
    expect((await free('POST', path('free'), claim({ volumeName: 'old' }))).status).toBe(201)
  })
})
