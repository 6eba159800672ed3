/**
 * The admission rules on a real API server. Every attack is asked by an identity that RBAC refuses nothing, is refused
 * by the rule meant for it, and is admitted once that policy's binding is gone.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JsonObject } from '../../../src/model/json.ts'
import { createKubernetesBackend } from '../../../src/drivers/kubernetes/backend.ts'
import { computeLayer } from '../../../src/layers/compute/layer.ts'
import { networkLayer } from '../../../src/layers/network/layer.ts'
import { fencedCluster, type FencedCluster } from '../../support/fenced-cluster.ts'
import { poll, write } from '../../support/kubernetes-api.ts'
import { describeOn } from '../../support/servers.ts'
import { manifestsOf, tenantOf } from '../../support/tenants.ts'
import { calico, cilium } from './plugin-kinds.ts'
import { accessAttacks, clusterBindingAttacks, fenceAttacks, namespaceAttacks } from './access-attacks.ts'
import { allowed, standing } from './allowed.ts'
import { target, type Attack } from './attack.ts'
import { ingressAttacks, networkAttacks, serviceAttacks } from './network-attacks.ts'
import { podAttacks, storageAttacks } from './workload-attacks.ts'

const groups: readonly (readonly [policy: string, attacks: readonly Attack[]])[] = [
  ['ringfence-namespaces', namespaceAttacks],
  ['ringfence-fences', fenceAttacks],
  ['ringfence-access', accessAttacks],
  ['ringfence-network-policies', networkAttacks],
  ['ringfence-services', serviceAttacks],
  ['ringfence-ingresses', ingressAttacks],
  ['ringfence-pods', podAttacks],
  ['ringfence-storage', storageAttacks],
  ['ringfence-cluster-bindings', clusterBindingAttacks],
]

let cluster: FencedCluster
const ask = (attack: Attack, api = cluster.admin) => api(attack.method, attack.path, attack.body)

/** What the attacks refer to that is no part of a tenant: classes, and a namespace of nobody. */
const surroundings: readonly JsonObject[] = [
  { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'plain' } },
  ...['gvisor', 'plain'].map((name) => ({
    apiVersion: 'node.k8s.io/v1',
    kind: 'RuntimeClass',
    metadata: { name },
    handler: name,
  })),
  ...['low', 'high'].map((name) => ({
    apiVersion: 'scheduling.k8s.io/v1',
    kind: 'PriorityClass',
    metadata: { name },
    value: 10,
  })),
]

const classPath: { readonly [kind: string]: string } = {
  RuntimeClass: '/apis/node.k8s.io/v1/runtimeclasses',
  PriorityClass: '/apis/scheduling.k8s.io/v1/priorityclasses',
}

describeOn(['kubernetes'], 'admission', () => {
  beforeAll(async () => {
    cluster = await fencedCluster()
    for (const manifest of surroundings) {
      const path = classPath[manifest['kind'] as string]
      if (path === undefined) await write(cluster.admin, manifest)
      else expect((await cluster.admin('POST', path, manifest)).status).toBe(201)
    }
    await cluster.provision({
      apiVersion: 'ringfence.dev/v1alpha1',
      kind: 'Tenant',
      metadata: { name: 'acme' },
      spec: {
        domain: 'acme.example',
        compute: {
          runtimeClass: 'gvisor',
          allowed: {
            imageRegistries: ['registry.example'],
            storageClasses: ['fast'],
            ingressClasses: ['shared'],
            priorityClasses: ['low'],
            nodeSelector: { pool: 'acme' },
          },
        },
        access: {
          roleBindings: [
            { role: 'editor', groups: ['acme-people'], serviceAccounts: [{ namespace: 'ci', name: 'deployer' }] },
          ],
        },
      },
    })
    await cluster.provision({ apiVersion: 'ringfence.dev/v1alpha1', kind: 'Tenant', metadata: { name: 'globex' } })
    for (const manifest of standing) await write(cluster.admin, manifest)
  })
  afterAll(async () => {
    await cluster?.stop()
  })

  test('every policy that is installed is attacked here', async () => {
    const { body } = await cluster.admin('GET', '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies')
    const installed = (body['items'] as { metadata: { name: string } }[]).map((policy) => policy.metadata.name)
    expect(installed.toSorted()).toEqual(groups.map(([policy]) => policy).toSorted())
  })

  for (const [policy, attacks] of groups) {
    test(`${policy} refuses ${attacks.length} attacks that succeed without it`, async () => {
      for (const attack of attacks) {
        const answer = await ask(attack)
        expect.soft({ attack: attack.what, status: answer.status, message: answer.message }).toEqual({
          attack: attack.what,
          status: 403,
          message: expect.stringContaining(`ValidatingAdmissionPolicy '${policy}'`),
        })
        expect.soft(answer.message, attack.what).toContain(attack.says)
      }
      await cluster.without(policy, async () => {
        for (const attack of attacks) {
          const answer = await ask(attack)
          const admitted = attack.method === 'POST' ? 201 : 200
          expect.soft({ attack: attack.what, status: answer.status, message: answer.message }).toEqual({
            attack: attack.what,
            status: attack.behind === undefined ? admitted : 403,
            message: attack.behind === undefined ? '' : expect.stringContaining(attack.behind),
          })
        }
      })
    })
  }

  test('what a tenant is meant to do is admitted', async () => {
    for (const [what, path, body] of allowed) {
      const answer = await cluster.admin('POST', path, body)
      expect.soft({ what, status: answer.status, message: answer.message }).toMatchObject({ what, status: 201 })
    }
  })

  test('the same change to a namespace of nobody is admitted', async () => {
    const answer = await cluster.admin('PATCH', '/api/v1/namespaces/plain?dryRun=All', {
      metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' }, annotations: { a: 'b' } },
    })
    expect(answer.status).toBe(200)
  })

  test('the break-glass group passes, and only that group', async () => {
    const [attack] = namespaceAttacks
    const [fence] = fenceAttacks
    if (attack === undefined || fence === undefined) throw new Error('no attacks')
    expect((await ask(attack, cluster.breakGlass)).status).toBe(200)
    expect((await ask(fence, cluster.breakGlass)).status).toBe(200)
    const other = cluster.as('someone', ['system:masters', 'ringfence:break-glass-2'])
    expect((await ask(attack, other)).message).toContain(`ValidatingAdmissionPolicy 'ringfence-namespaces'`)
    expect((await ask(fence, other)).message).toContain(`ValidatingAdmissionPolicy 'ringfence-fences'`)
  })

  test('finalizing a namespace by hand is refused, and finalizers stay the controller’s', async () => {
    const path = `/api/v1/namespaces/${target.namespace}`
    const { body } = await cluster.admin('GET', path)
    const finalized = { ...body, spec: { finalizers: [] } }
    const refused = await cluster.admin('PUT', `${path}/finalize?dryRun=All`, finalized)
    expect(refused.status).toBe(403)
    expect(refused.message).toContain(`ValidatingAdmissionPolicy 'ringfence-namespaces'`)
    await cluster.without('ringfence-namespaces', async () => {
      expect((await cluster.admin('PUT', `${path}/finalize?dryRun=All`, finalized)).status).toBe(200)
    })
  })

  test('without its parameters a policy refuses rather than admits', async () => {
    const path = '/api/v1/namespaces/ringfence-system/configmaps/ringfence-admission'
    const { body } = await cluster.admin('GET', path)
    const [, create, control] = allowed.find(([what]) => what === 'make a service') ?? []
    if (create === undefined) throw new Error('no control')
    expect((await cluster.admin('POST', create, control)).status).toBe(201)
    const { metadata, ...rest } = body as { metadata: JsonObject }
    const again: JsonObject = {
      ...rest,
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: metadata['name'], namespace: metadata['namespace'] } as JsonObject,
    }
    await cluster.admin('DELETE', path)
    try {
      const refused = await poll('the parameters are missed', async () => {
        const answer = await cluster.admin('POST', create, control)
        return answer.status === 201 ? undefined : answer
      })
      expect(refused.status).toBe(422)
      expect(refused.message).toContain('no params found')
    } finally {
      // Nothing stands in the engine's way to put them back.
      await write(cluster.engine, again)
    }
    await poll('the parameters are found', async () =>
      (await cluster.admin('POST', create, control)).status === 201 ? true : undefined,
    )
  })

  test('Kubernetes’ own controllers count in, and clear, a fenced namespace', async () => {
    const tenant = await cluster.provision({
      apiVersion: 'ringfence.dev/v1alpha1',
      kind: 'Tenant',
      metadata: { name: 'brief' },
    })
    const path = `/api/v1/namespaces/${tenant.names.namespace}`
    expect(
      (
        await cluster.admin('POST', `${path}/services`, {
          apiVersion: 'v1',
          kind: 'Service',
          metadata: { name: 's' },
          spec: { ports: [{ port: 1 }] },
        })
      ).status,
    ).toBe(201)
    await poll('the quota counts the service', async () => {
      const { body } = await cluster.admin('GET', `${path}/resourcequotas/ringfence`)
      return (body['status'] as { used?: { services?: string } }).used?.services === '1' ? true : undefined
    })
    expect((await cluster.engine('DELETE', path)).status).toBe(200)
    await poll(
      'the namespace is gone',
      async () => ((await cluster.admin('GET', path)).status === 404 ? true : undefined),
      60_000,
    )
  })

  test.each([
    ['calico', calico, '/apis/projectcalico.org/v3', 'networkpolicies'],
    ['cilium', cilium, '/apis/cilium.io/v2', 'ciliumnetworkpolicies'],
  ] as const)(
    'rules by name are applied where %s is, and nobody else writes them',
    async (plugin, kind, root, plural) => {
      const name = `by-name-${plugin}`
      const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
      expect((await cluster.admin('POST', definitions, kind)).status).toBe(201)
      await poll(`${plugin} is served`, async () =>
        (await cluster.engine('GET', `${root}/${plural}`)).status === 200 ? true : undefined,
      )
      const backend = createKubernetesBackend('kubernetes', cluster.kubernetes.engine)
      const facts = await backend.facts(AbortSignal.timeout(20_000))
      await backend.close()
      expect(facts.fqdn).toBe(plugin)

      const context = { ...cluster.context, facts: { kubernetes: { ...cluster.context.facts.kubernetes, ...facts } } }
      const tenant = tenantOf({
        apiVersion: 'ringfence.dev/v1alpha1',
        kind: 'Tenant',
        metadata: { name },
        spec: { network: { egress: { fqdns: ['api.example.com'] } } },
      })
      expect(networkLayer.problem(tenant, cluster.context)?.code).toBe('NotConfigured')
      expect(networkLayer.problem(tenant, context)).toBeUndefined()
      await cluster.apply(manifestsOf(computeLayer.desired(tenant, context)))
      await poll('the namespace is filled', async () =>
        (await cluster.admin('GET', `/api/v1/namespaces/${tenant.names.namespace}/serviceaccounts/default`)).status ===
        200
          ? true
          : undefined,
      )
      const policy = networkLayer.desired(tenant, context).find((resource) => resource.address.endsWith('/fqdn'))
      const collection = `${root}/namespaces/${tenant.names.namespace}/${plural}`
      const made = await cluster.engine('POST', collection, policy?.spec)
      expect({ status: made.status, message: made.message }).toEqual({ status: 201, message: '' })
      expect(made.body['spec']).toEqual(policy?.spec['spec'])

      const own = { ...policy?.spec, metadata: { name: 'own' }, spec: {} }
      const refused = await cluster.admin('POST', `${collection}?dryRun=All`, own)
      expect(refused.message).toContain(`ValidatingAdmissionPolicy 'ringfence-fences'`)
      expect((await cluster.admin('POST', `${root}/namespaces/plain/${plural}?dryRun=All`, own)).status).toBe(201)
    },
  )
})
