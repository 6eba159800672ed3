/** What happens to whole namespaces: adoption, the end of their workloads, a deletion that hangs. */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createKubernetesBackend } from '../../../src/drivers/kubernetes/backend.ts'
import { createKubernetesClient, type KubernetesClient } from '../../../src/drivers/kubernetes/client.ts'
import type { KubernetesBackend } from '../../../src/model/backends.ts'
import type { Driver } from '../../../src/model/driver.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { addressOf, type Resource } from '../../../src/model/resource.ts'
import { call, expectOwned, refusal } from '../../conformance/driver.ts'
import { describeOn, servers } from '../../support/servers.ts'

const limits = () => ({ signal: new AbortController().signal, deadlineMs: Date.now() + 20_000 })

describeOn(['kubernetes'], 'namespaces on a real API server', () => {
  const namespace = `spaces-${randomBytes(5).toString('hex')}`
  let kubectl: KubernetesClient
  let backend: KubernetesBackend
  const made: string[] = []
  const post = (path: string, body: JsonObject) => kubectl.request('POST', path, { ...limits(), body })
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

  beforeAll(() => {
    const { admin } = servers().kubernetes
    kubectl = createKubernetesClient(admin)
    backend = createKubernetesBackend('kubernetes', admin)
  })
  afterAll(async () => {
    for (const name of made)
      await kubectl.request('DELETE', `/api/v1/namespaces/${name}`, limits()).catch(() => undefined)
    await Promise.all([backend.close(), kubectl.close()])
  })

  it('adopts a namespace by its labels alone, and gives it back as it was', async () => {
    const name = `${namespace}-adopted`
    made.push(name)
    await post(
      '/api/v1/namespaces',
      namespaceBody(name, { team: 'theirs', 'pod-security.kubernetes.io/enforce': 'baseline' }),
    )
    const before = ((await kubectl.request('GET', `/api/v1/namespaces/${name}`, limits()))['metadata'] as JsonObject)[
      'labels'
    ]
    const ours = { 'ringfence.dev/tenant': 'acme', 'pod-security.kubernetes.io/enforce': 'restricted' }
    const wanted = resource('kubernetes/Namespace', name, namespaceBody(name, ours))
    const found = await driver('kubernetes/Namespace').observe(wanted, call())
    if (found.status !== 'foreign') throw new Error(`expected foreign, got ${found.status}`)
    const adopted = expectOwned((await driver('kubernetes/Namespace').adopt?.(wanted, found, call())) as never)
    expect(driver('kubernetes/Namespace').diff(wanted, adopted.state)).toEqual([])
    expect((adopted.state['metadata'] as JsonObject)['labels']).toMatchObject({ ...ours, team: 'theirs' })
    expect(
      (
        await refusal(
          driver('kubernetes/Namespace').release?.(wanted, { ...adopted, id: 'another' as never }, call()) as never,
        )
      ).code,
    ).toBe('Conflict')
    await driver('kubernetes/Namespace').release?.(wanted, adopted, call())
    const after = (await kubectl.request('GET', `/api/v1/namespaces/${name}`, limits()))['metadata'] as JsonObject
    expect(after['labels']).toEqual(before)
    expect(after['annotations']).toBeUndefined()
  })

  it('ends everything that runs in a namespace, and says what is still on its way', async () => {
    const name = `${namespace}-busy`
    made.push(name)
    const workloads = resource('kubernetes/Workloads', name, { namespace: name })
    const works = driver('kubernetes/Workloads')
    expect((await refusal(works.create(workloads, call()))).code).toBe('Waiting')
    await post('/api/v1/namespaces', namespaceBody(name))
    const template = { metadata: { labels: { app: 'x' } }, spec: { containers: [{ name: 'x', image: 'x' }] } }
    await post(`/apis/apps/v1/namespaces/${name}/deployments`, {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name: 'd' },
      spec: { replicas: 2, selector: { matchLabels: { app: 'x' } }, template },
    })
    await post(`/apis/batch/v1/namespaces/${name}/cronjobs`, {
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: { name: 'c' },
      spec: {
        schedule: '0 0 1 1 *',
        jobTemplate: { spec: { template: { spec: { ...template.spec, restartPolicy: 'Never' } } } },
      },
    })
    const held = { ...template.spec, terminationGracePeriodSeconds: 0 }
    const pods = async () =>
      ((await kubectl.request('GET', `/api/v1/namespaces/${name}/pods`, limits()))['items'] as JsonObject[]).length
    await expect
      .poll(
        async () =>
          post(`/api/v1/namespaces/${name}/pods`, {
            apiVersion: 'v1',
            kind: 'Pod',
            metadata: { name: 'p', finalizers: ['example.com/held'] },
            spec: held,
          }).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true)
    await expect.poll(pods, { timeout: 20_000 }).toBeGreaterThanOrEqual(3)

    const known = { knownId: expectOwned(await works.create(workloads, call())).id }
    const seen = expectOwned(await works.observe(workloads, call(known)))
    expect(works.diff(workloads, seen.state)).toEqual([])
    // As the engine does it: told again for as long as controllers may have made more.
    await expect
      .poll(
        async () => {
          const now = await works.observe(workloads, call(known))
          if (now.status === 'owned') await works.remove(workloads, now, call())
          return now.status === 'deleting' ? now.heldBy : now.status
        },
        { timeout: 20_000, interval: 100 },
      )
      .toEqual(['Pod p'])
    await kubectl.request('PATCH', `/api/v1/namespaces/${name}/pods/p`, {
      ...limits(),
      contentType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    })
    await expect
      .poll(async () => (await works.observe(workloads, call(known))).status, { timeout: 10_000 })
      .toBe('absent')
    expect(await pods()).toBe(0)
    expect((await works.observe(workloads, call({ knownId: 'workloads:another' as never }))).status).toBe('absent')
    expect((await refusal(works.remove(workloads, { ...seen, id: 'workloads:another' as never }, call()))).code).toBe(
      'Conflict',
    )
    expectOwned(await works.create(workloads, call()))
    expect((await works.observe(workloads, call(known))).status).toBe('owned')
  })

  it('says what holds a namespace that is on its way out, and since when', async () => {
    const name = `${namespace}-stuck`
    made.push(name)
    const stuck = resource('kubernetes/Namespace', name, namespaceBody(name))
    const owned = expectOwned(await driver('kubernetes/Namespace').create(stuck, call()))
    await post(`/api/v1/namespaces/${name}/configmaps`, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: 'kept', finalizers: ['example.com/held'] },
    })
    await driver('kubernetes/Namespace').remove(stuck, owned, call())
    const observe = async () => driver('kubernetes/Namespace').observe(stuck, call({ knownId: owned.id, fresh: true }))
    await expect.poll(async () => JSON.stringify(await observe()), { timeout: 20_000 }).toContain('example.com/held')
    const now = await observe()
    expect(now).toMatchObject({ status: 'deleting', id: owned.id, heldBy: expect.arrayContaining(['kubernetes']) })
    expect(now.status === 'deleting' && Math.abs((now.sinceMs ?? 0) - Date.now())).toBeLessThan(60_000)
    await kubectl.request('PATCH', `/api/v1/namespaces/${name}/configmaps/kept`, {
      ...limits(),
      contentType: 'application/merge-patch+json',
      body: { metadata: { finalizers: null } },
    })
  })
})
