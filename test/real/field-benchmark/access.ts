/** Whom the tenant's people can reach, and what they can make of themselves. */
import { expect, test } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import { roles } from '../../../src/model/tenant.ts'
import { collectionOf, poll } from '../../support/kubernetes-api.ts'
import { clusterResources, other, own, ownForbidden, pod, tenantResources, verbs } from './checks.ts'
import { dry, may, pods, rbac, words, type People } from './people.ts'

export function accessTests(world: () => People): void {
  test('block access to cluster resources: every verb, every role', async () => {
    for (const [group, resource] of clusterResources) {
      for (const verb of verbs) {
        const attributes = { verb, group, resource }
        expect.soft(await may(world().cluster.admin, attributes), `control: ${verb} ${resource}`).toBe(true)
        for (const role of roles)
          expect.soft(await may(world().people[role], attributes), `${role}: ${verb} ${resource}`).toBe(false)
      }
      const path = group === '' ? `/api/v1/${resource}` : `/apis/${group}/v1/${resource}`
      const refused = await world().people.owner('GET', path)
      if (resource !== 'adminnetworkpolicies')
        expect
          .soft(words(refused))
          .toEqual({ status: 403, message: expect.stringMatching(/User "ann-owner" cannot list resource/) })
    }
  })

  test('block access to resources of other tenants: eight verbs, both ways', async () => {
    for (const [group, resource] of tenantResources) {
      for (const verb of verbs) {
        const [here, there] = [
          { verb, group, resource, namespace: own },
          { verb, group, resource, namespace: other },
        ]
        expect.soft(await may(world().people.owner, here), `acme: ${verb} ${resource} in its own`).toBe(true)
        expect.soft(await may(world().neighbour, there), `globex: ${verb} ${resource} in its own`).toBe(true)
        expect.soft(await may(world().people.owner, there), `acme: ${verb} ${resource} of globex`).toBe(false)
        expect.soft(await may(world().neighbour, here), `globex: ${verb} ${resource} of acme`).toBe(false)
      }
    }
    const secrets = (namespace: string) => `/api/v1/namespaces/${namespace}/secrets`
    expect((await world().people.owner('GET', secrets(own))).status).toBe(200)
    expect(words(await world().people.owner('GET', secrets(other)))).toEqual({
      status: 403,
      message: expect.stringContaining(`cannot list resource "secrets" in API group "" in the namespace "${other}"`),
    })
    expect((await world().people.owner('GET', '/api/v1/secrets')).status).toBe(403)
  })

  test('the accounts of the roles have the same reach as the people', async () => {
    const account = await world().cluster.withToken('ringfence-system', 'acme-editor')
    expect((await account('POST', pods(own), pod())).status).toBe(201)
    expect(words(await account('POST', pods(other), pod()))).toEqual({
      status: 403,
      message: expect.stringContaining(
        'User "system:serviceaccount:ringfence-system:acme-editor" cannot create resource "pods"',
      ),
    })
    expect((await account('GET', '/api/v1/namespaces/ringfence-system/secrets')).status).toBe(403)
  })

  test('a pod of the tenant has no rights by itself', async () => {
    const account = await world().cluster.withToken(own, 'default')
    for (const [group, resource] of tenantResources) {
      for (const verb of verbs)
        expect.soft(await may(account, { verb, group, resource, namespace: own }), `${verb} ${resource}`).toBe(false)
    }
    expect(
      await may(account, { verb: 'create', group: 'authorization.k8s.io', resource: 'selfsubjectaccessreviews' }),
    ).toBe(true)
  })

  test('block what leads to more, even in the own namespace', async () => {
    for (const [verb, group, resource, subresource] of ownForbidden) {
      const attributes = {
        verb,
        group,
        resource,
        namespace: own,
        ...(subresource === undefined ? {} : { subresource }),
      }
      expect.soft(await may(world().cluster.admin, attributes), `control: ${JSON.stringify(attributes)}`).toBe(true)
      for (const role of roles)
        expect.soft(await may(world().people[role], attributes), `${role}: ${JSON.stringify(attributes)}`).toBe(false)
    }
  })

  test('viewers see, and read no Secrets; editors do not say who may do what', async () => {
    expect((await world().people.viewer('GET', `/api/v1/namespaces/${own}/configmaps`)).status).toBe(200)
    expect(words(await world().people.viewer('GET', `/api/v1/namespaces/${own}/secrets`))).toEqual({
      status: 403,
      message: expect.stringContaining('cannot list resource "secrets"'),
    })
    expect(words(await world().people.viewer('POST', pods(own), pod()))).toEqual({
      status: 403,
      message: expect.stringContaining('cannot create resource "pods"'),
    })
    expect((await world().people.editor('POST', pods(own), pod())).status).toBe(201)
    expect(
      await may(world().people.editor, { verb: 'create', group: rbac, resource: 'rolebindings', namespace: own }),
    ).toBe(false)
    expect(
      await may(world().people.editor, {
        verb: 'create',
        group: 'networking.k8s.io',
        resource: 'networkpolicies',
        namespace: own,
      }),
    ).toBe(false)
  })

  test('block multi-tenant resources: what the platform put there stays as it is', async () => {
    const deny = `/apis/networking.k8s.io/v1/namespaces/${own}/networkpolicies/ringfence-isolation-default-deny`
    const denied = { status: 403, message: expect.stringContaining(`ValidatingAdmissionPolicy 'ringfence-fences'`) }
    expect(words(await world().people.owner('DELETE', dry(deny)))).toEqual(denied)
    expect(
      words(
        await world().people.owner('PATCH', dry(deny), {
          metadata: { labels: { 'app.kubernetes.io/managed-by': null } },
        }),
      ),
    ).toEqual(denied)
    const binding = `/apis/${rbac}/v1/namespaces/${own}/rolebindings/ringfence-viewer`
    expect(words(await world().people.owner('DELETE', dry(binding)))).toEqual(denied)
    // The same verb on an object of their own.
    const policy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'mine' },
      spec: { podSelector: {} },
    }
    expect(
      (await world().people.owner('POST', `/apis/networking.k8s.io/v1/namespaces/${own}/networkpolicies`, policy))
        .status,
    ).toBe(201)
    expect(
      (await world().people.owner('DELETE', `/apis/networking.k8s.io/v1/namespaces/${own}/networkpolicies/mine`))
        .status,
    ).toBe(200)
  })

  test('block modification of resource quotas', async () => {
    const quota = `/api/v1/namespaces/${own}/resourcequotas/ringfence`
    expect((await world().people.owner('GET', quota)).status).toBe(200)
    for (const [method, body] of [
      ['PATCH', { spec: { hard: { pods: '1000' } } }],
      ['DELETE', undefined],
    ] as const) {
      expect(words(await world().people.owner(method, dry(quota), body))).toEqual({
        status: 403,
        message: expect.stringMatching(/User "ann-owner" cannot (patch|delete) resource "resourcequotas"/),
      })
    }
  })

  test('block role privilege escalation: no role wider than the one who makes it, none bound but the tenant’s', async () => {
    const collection = dry(collectionOf(`${rbac}/v1`, 'Role', own))
    const role = (rule: JsonObject) => ({
      apiVersion: `${rbac}/v1`,
      kind: 'Role',
      metadata: { name: 'probe' },
      rules: [rule],
    })
    expect(
      (
        await world().people.owner(
          'POST',
          collection,
          role({ apiGroups: [''], resources: ['pods'], verbs: ['get', 'delete'] }),
        )
      ).status,
    ).toBe(201)
    for (const rule of [
      { apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
      { apiGroups: [''], resources: ['pods/exec'], verbs: ['create'] },
      { apiGroups: [''], resources: ['serviceaccounts/token'], verbs: ['create'] },
      { apiGroups: [''], resources: ['resourcequotas'], verbs: ['update'] },
      { apiGroups: [rbac], resources: ['roles'], verbs: ['escalate'] },
    ]) {
      expect.soft(words(await world().people.owner('POST', collection, role(rule)))).toEqual({
        status: 403,
        message: expect.stringContaining('is attempting to grant RBAC permissions not currently held'),
      })
    }
    const bindings = dry(collectionOf(`${rbac}/v1`, 'RoleBinding', own))
    const binding = (name: string) => ({
      apiVersion: `${rbac}/v1`,
      kind: 'RoleBinding',
      metadata: { name: 'probe' },
      roleRef: { apiGroup: rbac, kind: 'ClusterRole', name },
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: own }],
    })
    expect((await world().people.owner('POST', bindings, binding('ringfence-editor'))).status).toBe(201)
    for (const name of ['cluster-admin', 'admin', 'system:node']) {
      expect.soft(words(await world().people.owner('POST', bindings, binding(name)))).toEqual({
        status: 403,
        message: expect.stringContaining('is attempting to grant RBAC permissions not currently held'),
      })
    }
  })

  test('tenants can manage roles, bindings and network policies of their own', async () => {
    const metadata = { name: 'of-acme' }
    const subject = { kind: 'ServiceAccount', name: 'default', namespace: own }
    const objects = [
      {
        apiVersion: `${rbac}/v1`,
        kind: 'Role',
        metadata,
        rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }],
      },
      {
        apiVersion: `${rbac}/v1`,
        kind: 'RoleBinding',
        metadata,
        roleRef: { apiGroup: rbac, kind: 'Role', name: 'of-acme' },
        subjects: [subject],
      },
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata,
        spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] },
      },
    ]
    for (const object of objects) {
      const collection = collectionOf(object.apiVersion, object.kind, own)
      expect.soft((await world().people.owner('POST', collection, object)).status, `create ${object.kind}`).toBe(201)
      expect
        .soft(
          (await world().people.owner('PATCH', `${collection}/of-acme`, { metadata: { labels: { a: 'b' } } })).status,
          `change ${object.kind}`,
        )
        .toBe(200)
    }
    const account = await world().cluster.withToken(own, 'default')
    await poll('the binding lets the account in', async () =>
      (await account('GET', `/api/v1/namespaces/${own}/pods`)).status === 200 ? true : undefined,
    )
    for (const object of objects.toReversed()) {
      const collection = collectionOf(object.apiVersion, object.kind, own)
      expect
        .soft((await world().people.owner('DELETE', `${collection}/of-acme`)).status, `delete ${object.kind}`)
        .toBe(200)
    }
  })
}
