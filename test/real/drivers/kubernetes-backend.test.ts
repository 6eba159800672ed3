/** What the Kubernetes backend does beyond single objects, on a real API server. */
import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { createKubernetesBackend } from '../../../src/drivers/kubernetes/backend.ts'
import { createKubernetesClient, type KubernetesClient } from '../../../src/drivers/kubernetes/client.ts'
import { accessFromContext } from '../../../src/drivers/kubernetes/kubeconfig.ts'
import type { KubernetesBackend } from '../../../src/model/backends.ts'
import type { BackendChange, Driver } from '../../../src/model/driver.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { addressOf, type Resource } from '../../../src/model/resource.ts'
import { call, expectOwned, refusal } from '../../conformance/driver.ts'
import { createTcpProxy, type TcpProxy } from '../../conformance/tcp-proxy.ts'
import { describeOn, servers } from '../../support/servers.ts'

const limits = () => ({ signal: new AbortController().signal, deadlineMs: Date.now() + 20_000 })
const signal = () => new AbortController().signal

describeOn(['kubernetes'], 'the Kubernetes backend on a real API server', () => {
  const namespace = `backend-${randomBytes(5).toString('hex')}`
  let kubectl: KubernetesClient
  let backend: KubernetesBackend
  let proxy: TcpProxy
  const made: string[] = []
  const post = (path: string, body: JsonObject) => kubectl.request('POST', path, { ...limits(), body })
  const policies = `/apis/networking.k8s.io/v1/namespaces/${namespace}/networkpolicies`
  const policyBody = (name: string): JsonObject => ({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace },
    spec: { podSelector: {}, ingress: [{}] },
  })
  const resource = (kind: string, externalName: string, spec: JsonObject): Resource => ({
    kind,
    address: addressOf('acme', 'compute', 'x', externalName),
    backend: 'kubernetes',
    externalName,
    owner: { name: 'acme', uid: 'u' },
    spec,
    secrets: [],
    needs: [],
    onRemove: 'delete',
  })
  const driver = (kind: string): Driver => backend.drivers[kind] as Driver
  const namespaceBody = (name: string, labels: JsonObject = {}): JsonObject => ({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels },
  })

  beforeAll(async () => {
    const cluster = servers().kubernetes
    const url = new URL(cluster.server)
    proxy = await createTcpProxy({ host: url.hostname, port: Number(url.port) })
    kubectl = createKubernetesClient(cluster.admin)
    backend = createKubernetesBackend(
      'kubernetes',
      { ...cluster.admin, server: `https://${url.hostname}:${proxy.port}` },
      { backoffMs: { first: 20, last: 200 } },
    )
    await post('/api/v1/namespaces', namespaceBody(namespace))
    made.push(namespace)
  })
  afterAll(async () => {
    for (const name of made)
      await kubectl.request('DELETE', `/api/v1/namespaces/${name}`, limits()).catch(() => undefined)
    await Promise.all([backend.close(), kubectl.close(), proxy.close()])
  })

  it('is reached by the context of a kubeconfig, and refuses one that is not there', async () => {
    const { kubeconfigs, version } = servers().kubernetes
    const { contexts } = parse(await readFile(kubeconfigs.admin, 'utf8')) as { contexts: { name: string }[] }
    const access = await accessFromContext(contexts[0]?.name ?? '', kubeconfigs.admin)
    const other = createKubernetesBackend('kubernetes', access)
    await other.check(signal())
    expect((await other.facts(signal())).version).toContain(version.replace(/^v/, ''))
    await other.close()
    expect((await refusal(accessFromContext('not-there', kubeconfigs.admin))).code).toBe('Usage')
  })

  it('knows the version, the ranges and the address of the API server', async () => {
    const facts = await backend.facts(signal())
    expect(facts).toMatchObject({ medium: 'live', version: expect.stringMatching(/^v1\.\d+/) })
    const { items } = (await kubectl.request(
      'GET',
      '/apis/networking.k8s.io/v1/servicecidrs',
      limits(),
    )) as unknown as { items: { spec: { cidrs: string[] } }[] }
    expect(items.length).toBeGreaterThan(0)
    expect(facts.ranges).toEqual(expect.arrayContaining(items.flatMap((item) => item.spec.cidrs)))
    // A server that listens on loopback only has no endpoints; whatever it has must be told.
    const slices = (
      await kubectl.request('GET', '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', limits())
    )['items'] as { endpoints: { addresses: string[] }[] | null; ports: { port: number }[] | null }[]
    expect(facts.apiServer).toEqual(
      slices.flatMap(({ endpoints, ports }) =>
        (endpoints ?? []).flatMap(({ addresses }) =>
          addresses.flatMap((address) => (ports ?? []).map(({ port }) => ({ address, port }))),
        ),
      ),
    )
  })

  it('takes a snapshot of every kind that isolation depends on, and of Secrets their metadata and type alone', async () => {
    await post(`/api/v1/namespaces/${namespace}/secrets`, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'hidden', annotations: { 'kubectl.kubernetes.io/last-applied-configuration': 'hunter2' } },
      stringData: { a: 'hunter2' },
    })
    await post(policies, policyBody('seen'))
    const { objects, kinds, unreadable } = await backend.snapshot(signal(), { fresh: true })
    expect(unreadable).toEqual([])
    expect(kinds).toEqual(
      expect.arrayContaining([
        '/Namespace',
        '/Pod',
        '/Secret',
        '/ServiceAccount',
        'networking.k8s.io/NetworkPolicy',
        'rbac.authorization.k8s.io/ClusterRole',
        'cilium.io/CiliumNetworkPolicy',
      ]),
    )
    const secret = objects.find((object) => object.kind === 'Secret' && object.metadata.namespace === namespace)
    expect(secret).toMatchObject({ type: 'Opaque', metadata: { name: 'hidden' } })
    expect(JSON.stringify(objects)).not.toContain('hunter2')
    expect(JSON.stringify(objects)).not.toContain(Buffer.from('hunter2').toString('base64'))
    expect(
      objects.find((object) => object.kind === 'NetworkPolicy' && object.metadata.namespace === namespace),
    ).toMatchObject({ apiVersion: 'networking.k8s.io/v1', spec: { ingress: [{}] } })
  })

  it('names every kind that it may not list, and does not count it as listed', async () => {
    const nobody = createKubernetesBackend('kubernetes', servers().kubernetes.access('nobody-of-backend'))
    const { objects, kinds, unreadable } = await nobody.snapshot(signal(), { fresh: true })
    expect(objects).toEqual([])
    expect(unreadable.map(({ what }) => what)).toEqual(
      expect.arrayContaining([
        '/Namespace',
        '/Secret',
        'rbac.authorization.k8s.io/RoleBinding',
        'networking.k8s.io/NetworkPolicy',
      ]),
    )
    expect(unreadable.every(({ why }) => why.startsWith('Forbidden'))).toBe(true)
    expect(kinds).not.toContain('/Namespace')
    await nobody.close()
  })

  it('answers from its watches while in step, hears of strangers, and misses nothing when connections are cut', async () => {
    const stop = new AbortController()
    const seen: BackendChange[] = []
    const listening = (async () => {
      for await (const change of backend.changes?.(stop.signal) ?? []) seen.push(change)
    })()
    const policyDriver = driver('kubernetes/NetworkPolicy')
    let probes = 0
    const heard = async () => {
      await post(policies, policyBody(`probe-${++probes}`))
      await new Promise((resolve) => setTimeout(resolve, 50))
      return seen.some((change) => change !== 'resync' && change.externalName === `${namespace}/probe-${probes}`)
    }
    await expect.poll(heard, { timeout: 10_000, interval: 100 }).toBe(true)
    const watched = resource('kubernetes/NetworkPolicy', `${namespace}/watched`, policyBody('watched'))
    const ours = expectOwned(await policyDriver.create(watched, call()))
    await post(policies, policyBody('stranger'))
    await expect
      .poll(() => seen, { timeout: 10_000 })
      .toContainEqual({ kind: 'kubernetes/NetworkPolicy', externalName: `${namespace}/stranger` })

    // In step: no request is needed. With the transport refused, a fresh read fails and a cached one answers.
    await expect
      .poll(async () => (await policyDriver.observe(watched, call({ knownId: ours.id }))).status)
      .toBe('owned')

    const beforeCut = seen.length
    proxy.set('refuse')
    expect((await policyDriver.observe(watched, call({ knownId: ours.id, fresh: true }))).status).toBe('unreadable')
    // Not in step any more: what the cache said is not repeated.
    await expect
      .poll(async () => (await policyDriver.observe(watched, call({ knownId: ours.id }))).status)
      .toBe('unreadable')
    await kubectl.request('DELETE', `${policies}/watched`, limits())
    await post(policies, policyBody('meanwhile'))
    proxy.set('pass')
    // Each is told by name, or covered by a resync that was told after the cut.
    const told = (externalName: string) =>
      seen.slice(beforeCut).some((change) => change === 'resync' || change.externalName === externalName)
    await expect.poll(() => told(`${namespace}/meanwhile`), { timeout: 40_000 }).toBe(true)
    await expect.poll(() => told(`${namespace}/watched`), { timeout: 40_000 }).toBe(true)
    await expect
      .poll(async () => (await policyDriver.observe(watched, call({ knownId: ours.id }))).status, { timeout: 40_000 })
      .toBe('absent')
    const { objects } = await backend.snapshot(signal(), { fresh: false })
    expect(
      objects
        .filter((object) => object.kind === 'NetworkPolicy' && object.metadata.namespace === namespace)
        .map((object) => object.metadata.name),
    ).toEqual(expect.arrayContaining(['stranger', 'meanwhile']))
    stop.abort()
    await listening
  })

  it('watches a kind as soon as its definition is installed, and treats its objects as gone with the definition', async () => {
    const group = 'cilium.io'
    const exists = await kubectl
      .request('GET', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ciliumcidrgroups.${group}`, limits())
      .then(
        () => true,
        () => false,
      )
    if (exists) throw new Error('another test has this definition; give it a name of its own')
    expect((await backend.snapshot(signal(), { fresh: true })).kinds).toContain('cilium.io/CiliumCIDRGroup')
    await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `ciliumcidrgroups.${group}` },
      spec: {
        group,
        scope: 'Cluster',
        names: {
          plural: 'ciliumcidrgroups',
          kind: 'CiliumCIDRGroup',
          singular: 'ciliumcidrgroup',
          listKind: 'CiliumCIDRGroupList',
        },
        versions: [
          {
            name: 'v2alpha1',
            served: true,
            storage: true,
            schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
          },
        ],
      },
    })
    try {
      await expect
        .poll(
          async () =>
            post(`/apis/${group}/v2alpha1/ciliumcidrgroups`, {
              apiVersion: `${group}/v2alpha1`,
              kind: 'CiliumCIDRGroup',
              metadata: { name: 'wide' },
              spec: { externalCIDRs: ['0.0.0.0/0'] },
            }).then(
              () => true,
              () => false,
            ),
          { timeout: 10_000 },
        )
        .toBe(true)
      const find = async (fresh: boolean) =>
        (await backend.snapshot(signal(), { fresh })).objects.find((object) => object.kind === 'CiliumCIDRGroup')
      expect(await find(true)).toMatchObject({ apiVersion: 'cilium.io/v2alpha1', metadata: { name: 'wide' } })
      await expect.poll(() => find(false), { timeout: 10_000 }).toMatchObject({ metadata: { name: 'wide' } })
    } finally {
      await kubectl.request(
        'DELETE',
        `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/ciliumcidrgroups.${group}`,
        limits(),
      )
    }
  })

  it('says of a kind that is not served that it is not configured, and of its objects that there are none', async () => {
    const spec = {
      apiVersion: 'projectcalico.org/v3',
      kind: 'GlobalNetworkPolicy',
      metadata: { name: 'x' },
      spec: {},
    }
    const calico = resource('kubernetes/CalicoGlobalNetworkPolicy', 'x', spec)
    expect((await driver('kubernetes/CalicoGlobalNetworkPolicy').observe(calico, call())).status).toBe('absent')
    expect((await refusal(driver('kubernetes/CalicoGlobalNetworkPolicy').create(calico, call()))).code).toBe(
      'NotConfigured',
    )
    // The same answer without the right to see definitions proves nothing.
    const nobody = createKubernetesBackend('kubernetes', servers().kubernetes.access('nobody-of-definitions'))
    expect(
      (await (nobody.drivers['kubernetes/CalicoGlobalNetworkPolicy'] as Driver).observe(calico, call())).status,
    ).toBe('unreadable')
    await nobody.close()
  })

  it('waits where the namespace of an object is not there', async () => {
    const homeless = resource('kubernetes/ConfigMap', 'never-there/x', {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'x', namespace: 'never-there' },
    })
    expect((await refusal(driver('kubernetes/ConfigMap').create(homeless, call()))).code).toBe('Waiting')
  })

  it('replaces a binding whose role changed, since roleRef cannot be changed', () => {
    const binding = (role: string): JsonObject => ({
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'RoleBinding',
      metadata: { name: 'x', namespace },
      roleRef: { kind: 'ClusterRole', name: role },
      subjects: [],
    })
    const drift = driver('kubernetes/RoleBinding').diff(
      resource('kubernetes/RoleBinding', `${namespace}/x`, binding('edit')),
      binding('view'),
    )
    expect(drift).toContainEqual({ path: '/roleRef/name', from: 'view', to: 'edit', how: 'replace' })
  })

  it('frees a fence that a stranger tied to an owner, for it would be deleted with that', async () => {
    const fence = resource('kubernetes/NetworkPolicy', `${namespace}/tied`, policyBody('tied'))
    const policyDriver = driver('kubernetes/NetworkPolicy')
    const ours = expectOwned(await policyDriver.create(fence, call()))
    const owner = await kubectl.request('GET', `/api/v1/namespaces/${namespace}`, limits())
    const { uid } = owner['metadata'] as { uid: string }
    const ownerReferences = [{ apiVersion: 'v1', kind: 'Namespace', name: namespace, uid }]
    await kubectl.request('PATCH', `${policies}/tied`, {
      ...limits(),
      contentType: 'application/merge-patch+json',
      body: { metadata: { ownerReferences } },
    })
    const seen = expectOwned(await policyDriver.observe(fence, call({ knownId: ours.id, fresh: true })))
    const drift = policyDriver.diff(fence, seen.state)
    expect(drift).toEqual([{ path: '/metadata/ownerReferences', from: ownerReferences, to: undefined, how: 'update' }])
    const freed = await policyDriver.update(fence, seen, drift, call())
    expect(policyDriver.diff(fence, freed.state)).toEqual([])
  })

  it('removes one addition by its uid, answers it whole, and leaves a successor and the cluster alone', async () => {
    await post(policies, policyBody('addition'))
    const live = await kubectl.request('GET', `${policies}/addition`, limits())
    const { uid } = live['metadata'] as { uid: string }
    const culprit = {
      product: 'kubernetes',
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      namespace,
      name: 'addition',
    } as const
    expect((await refusal(backend.removeAddition({ ...culprit, uid: 'another' }, signal()))).code).toBe('Conflict')
    expect((await refusal(backend.removeAddition(culprit, signal()))).code).toBe('Guarded')
    expect((await backend.removeAddition({ ...culprit, uid }, signal()))['spec']).toEqual(live['spec'])
    expect((await refusal(backend.removeAddition({ ...culprit, uid }, signal()))).code).toBe('NotFound')
    for (const guarded of [
      { ...culprit, kind: 'Namespace', apiVersion: 'v1', uid },
      { ...culprit, kind: 'Secret', apiVersion: 'v1', uid },
      {
        product: 'kubernetes',
        kind: 'ClusterRoleBinding',
        apiVersion: 'rbac.authorization.k8s.io/v1',
        name: 'cluster-admin',
        uid,
      } as const,
    ])
      expect((await refusal(backend.removeAddition(guarded, signal()))).code).toBe('Guarded')
  })
})
