/** The Kubernetes driver on a real API server: every plain kind that a tenant or the platform gets. */
import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { createKubernetesBackend } from '../../../src/drivers/kubernetes/backend.ts'
import { createKubernetesClient, type KubernetesClient } from '../../../src/drivers/kubernetes/client.ts'
import { collectionPath, drivenKinds, objectPath, type KubeKind } from '../../../src/drivers/kubernetes/kinds.ts'
import { isRingfenceError } from '../../../src/model/errors.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import { addressOf, type Resource } from '../../../src/model/resource.ts'
import { driverConformance, type ConformanceCase, type ConformanceEnvironment } from '../../conformance/driver.ts'
import { examples, type Example } from '../../conformance/kubernetes-examples.ts'
import { createTcpProxy } from '../../conformance/tcp-proxy.ts'
import { describeOn, servers } from '../../support/servers.ts'

interface Environment extends ConformanceEnvironment {
  /** What people use. */
  readonly kubectl: KubernetesClient
  readonly namespace: string
}

const limits = () => ({ signal: new AbortController().signal, deadlineMs: Date.now() + 20_000 })
const unique = () => randomBytes(5).toString('hex')

async function setup(): Promise<Environment> {
  const cluster = servers().kubernetes
  const url = new URL(cluster.server)
  const proxy = await createTcpProxy({ host: url.hostname, port: Number(url.port) })
  const kubectl = createKubernetesClient(cluster.admin)
  const namespace = `conformance-${unique()}`
  await kubectl.request('POST', '/api/v1/namespaces', {
    ...limits(),
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  })
  const backend = createKubernetesBackend('kubernetes', cluster.admin)
  const broken = createKubernetesBackend(
    'kubernetes',
    { ...cluster.admin, server: `https://${url.hostname}:${proxy.port}` },
    { connections: 1 },
  )
  const powerless = createKubernetesBackend('kubernetes', cluster.access(`nobody-${unique()}`))
  return {
    backend,
    powerless,
    broken: { backend: broken, set: proxy.set },
    kubectl,
    namespace,
    async close() {
      for (const kind of Object.values(drivenKinds).filter(
        ({ namespaced, group }) => !namespaced && !group.includes('cilium') && !group.includes('calico'),
      )) {
        const { items } = (await kubectl.request('GET', collectionPath(kind), {
          ...limits(),
          query: { labelSelector: `conformance=${namespace}` },
        })) as unknown as { items: JsonObject[] }
        for (const item of items)
          await kubectl.request(
            'DELETE',
            objectPath(kind, undefined, (item['metadata'] as { name: string }).name),
            limits(),
          )
      }
      await kubectl.request('DELETE', `/api/v1/namespaces/${namespace}`, limits())
      await Promise.all([backend.close(), broken.close(), powerless.close(), kubectl.close(), proxy.close()])
    },
  }
}

async function finalize(kubectl: KubernetesClient, name: string): Promise<void> {
  const path = `/api/v1/namespaces/${name}`
  try {
    const live = await kubectl.request('GET', path, limits())
    await kubectl.request('PUT', `${path}/finalize`, { ...limits(), body: { ...live, spec: { finalizers: [] } } })
  } catch (error) {
    if (!isRingfenceError(error) || !['NotFound', 'Conflict'].includes(error.code)) throw error
  }
}

const strangersLabels = {
  path: '/metadata/labels/ringfence.dev~1tenant',
  patch: { metadata: { labels: { 'ringfence.dev/tenant': 'someone-else' } } },
}

function caseOf(example: Example): ConformanceCase<Environment> {
  const kind = drivenKinds[example.driver ?? example.kind] as KubeKind
  const metadata = (env: Environment, name: string): JsonObject => ({
    name,
    ...(kind.namespaced ? { namespace: env.namespace } : {}),
    labels: {
      conformance: env.namespace,
      'app.kubernetes.io/managed-by': 'ringfence',
      'ringfence.dev/tenant': 'acme',
      ...example.labels,
    },
  })
  const at = (resource: Resource) => {
    const parts = resource.externalName.split('/')
    return kind.namespaced ? objectPath(kind, parts[0], parts[1] ?? '') : objectPath(kind, undefined, parts[0] ?? '')
  }
  const collection = (resource: Resource) =>
    collectionPath(kind, kind.namespaced ? resource.externalName.split('/')[0] : undefined)
  const get = async (env: Environment, resource: Resource): Promise<JsonObject | undefined> => {
    try {
      return await env.kubectl.request('GET', at(resource), limits())
    } catch (error) {
      if (isRingfenceError(error) && error.code === 'NotFound') return undefined
      throw error
    }
  }
  return {
    title: example.driver ?? example.kind,
    async fresh(env) {
      const name = kind.kind === 'CustomResourceDefinition' ? `things.x${unique()}.example.com` : `it-${unique()}`
      const spec: JsonObject = {
        apiVersion: example.apiVersion,
        kind: example.kind,
        metadata: metadata(env, name),
        ...example.fields(name),
      }
      const externalName = kind.namespaced ? `${env.namespace}/${name}` : name
      return {
        kind: `kubernetes/${example.driver ?? example.kind}`,
        address: addressOf('acme', 'compute', kind.plural, name),
        backend: 'kubernetes',
        externalName,
        owner: { name: 'acme', uid: 'u' },
        spec,
        secrets: [],
        needs: [],
        onRemove: 'delete',
      }
    },
    changed: (resource) => ({ ...resource, spec: example.changed(resource.spec) }),
    disturbances: Object.entries({
      ...example.patches,
      'another tenant in the label': strangersLabels,
      'a label taken off': {
        path: '/metadata/labels/app.kubernetes.io~1managed-by',
        patch: { metadata: { labels: { 'app.kubernetes.io/managed-by': null } } },
      },
    }).map(([title, { path, patch, ...rest }]) => ({
      title,
      path,
      ...rest,
      async disturb(env: Environment, resource: Resource) {
        const jsonPatch = Array.isArray(patch)
        await env.kubectl.request('PATCH', at(resource), {
          ...limits(),
          contentType: jsonPatch ? 'application/json-patch+json' : 'application/merge-patch+json',
          body: patch,
        })
      },
    })),
    async stranger(env, resource) {
      const name = (resource.spec['metadata'] as { name: string }).name
      const labels = { conformance: env.namespace }
      const { apiVersion, kind: kindName } = resource.spec
      const fields = (example.strangers ?? example.fields)(name)
      await env.kubectl.request('POST', collection(resource), {
        ...limits(),
        body: {
          apiVersion: apiVersion ?? '',
          kind: kindName ?? '',
          ...fields,
          metadata: { ...(resource.spec['metadata'] as JsonObject), labels },
        },
      })
      // Controllers write to new objects; what is compared to the byte is what people would see change.
      await expect.poll(async () => (await get(env, resource)) !== undefined).toBe(true)
    },
    async destroy(env, resource) {
      await env.kubectl.request('DELETE', at(resource), {
        ...limits(),
        body: { apiVersion: 'v1', kind: 'DeleteOptions', propagationPolicy: 'Background' },
      })
      // The namespace controller looks at an empty namespace every few seconds; this is what it would do then.
      if (kind.kind === 'Namespace') await finalize(env.kubectl, resource.externalName)
      await expect.poll(() => get(env, resource), { timeout: 20_000, interval: 50 }).toBeUndefined()
    },
    async raw(env, resource) {
      const live = await get(env, resource)
      if (!live) return undefined
      const { status: _status, metadata: all, ...rest } = live
      const { managedFields: _managed, resourceVersion: _version, generation: _generation, ...kept } = all as JsonObject
      return JSON.stringify({ ...rest, metadata: kept })
    },
  }
}

describeOn(['kubernetes'], 'on a real API server', () => {
  driverConformance('the Kubernetes backend', {
    setup,
    hasTransport: true,
    hasPowerless: true,
    cases: examples.map(caseOf),
  })
})
