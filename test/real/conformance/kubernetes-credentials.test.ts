/** Credentials in Secrets of a real API server. */
import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { createKubernetesClient, type KubernetesClient } from '../../../src/drivers/kubernetes/client.ts'
import { createKubernetesCredentials } from '../../../src/drivers/kubernetes/credentials.ts'
import type { Driver } from '../../../src/model/driver.ts'
import { isRingfenceError } from '../../../src/model/errors.ts'
import type { JsonObject } from '../../../src/model/json.ts'
import type { Resource } from '../../../src/model/resource.ts'
import { call, driverConformance, expectOwned, type ConformanceEnvironment } from '../../conformance/driver.ts'
import { changedLogin, login, material } from '../../conformance/login.ts'
import { createTcpProxy } from '../../conformance/tcp-proxy.ts'
import { describeOn, servers } from '../../support/servers.ts'

interface Environment extends ConformanceEnvironment {
  readonly kubectl: KubernetesClient
  readonly namespace: string
}
const limits = () => ({ signal: new AbortController().signal, deadlineMs: Date.now() + 20_000 })
const at = ({ externalName }: Resource) => `/api/v1/namespaces/${externalName.replace('/', '/secrets/')}`
const base64 = (text: string) => Buffer.from(text).toString('base64')
const patch =
  (body: JsonObject) =>
  async ({ kubectl }: Environment, resource: Resource) =>
    void (await kubectl.request('PATCH', at(resource), {
      ...limits(),
      contentType: 'application/merge-patch+json',
      body,
    }))

async function setup(): Promise<Environment> {
  const cluster = servers().kubernetes
  const url = new URL(cluster.server)
  const proxy = await createTcpProxy({ host: url.hostname, port: Number(url.port) })
  const kubectl = createKubernetesClient(cluster.admin)
  const namespace = `credentials-${randomBytes(5).toString('hex')}`
  await kubectl.request('POST', '/api/v1/namespaces', {
    ...limits(),
    body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } },
  })
  const backend = createKubernetesCredentials('credentials', cluster.admin)
  const broken = createKubernetesCredentials(
    'credentials',
    { ...cluster.admin, server: `https://${url.hostname}:${proxy.port}` },
    { connections: 1 },
  )
  const powerless = createKubernetesCredentials('credentials', cluster.access('nobody-of-credentials'))
  return {
    backend,
    powerless,
    broken: { backend: broken, set: proxy.set },
    kubectl,
    namespace,
    async close() {
      await kubectl.request('DELETE', `/api/v1/namespaces/${namespace}`, limits())
      await Promise.all([backend.close(), broken.close(), powerless.close(), kubectl.close(), proxy.close()])
    },
  }
}

const get = async ({ kubectl }: Environment, resource: Resource): Promise<JsonObject | undefined> => {
  try {
    return await kubectl.request('GET', at(resource), limits())
  } catch (error) {
    if (isRingfenceError(error) && error.code === 'NotFound') return undefined
    throw error
  }
}

describeOn(['kubernetes'], 'on a real API server', () => {
  driverConformance<Environment>('the credentials in Secrets', {
    setup,
    hasTransport: true,
    hasPowerless: true,
    cases: [
      {
        title: 'a login',
        fresh: async ({ namespace }) => login(namespace),
        changed: changedLogin,
        disturbances: [
          { title: 'another host', path: '/data/host', disturb: patch({ data: { host: base64('evil.example.com') } }) },
          { title: 'a key added', path: '/data/extra', disturb: patch({ data: { extra: base64('x') } }) },
          { title: 'the password gone', path: '/slots', disturb: patch({ data: { password: null } }) },
          {
            title: 'a label taken off',
            path: '/labels/app.kubernetes.io~1managed-by',
            disturb: patch({ metadata: { labels: { 'app.kubernetes.io/managed-by': null } } }),
          },
          {
            title: 'another tenant in the label',
            path: '/labels/ringfence.dev~1tenant',
            disturb: patch({ metadata: { labels: { 'ringfence.dev/tenant': 'globex' } } }),
          },
          { title: 'made immutable', path: '/immutable', how: 'replace', disturb: patch({ immutable: true }) },
        ],
        stranger: async ({ kubectl, namespace }, resource) => {
          await kubectl.request('POST', `/api/v1/namespaces/${namespace}/secrets`, {
            ...limits(),
            body: {
              apiVersion: 'v1',
              kind: 'Secret',
              metadata: { name: resource.spec['name'] as string },
              data: { password: base64('theirs') },
            },
          })
        },
        destroy: async ({ kubectl }, resource) => void (await kubectl.request('DELETE', at(resource), limits())),
        raw: async (env, resource) => {
          const live = await get(env, resource)
          return (
            live &&
            JSON.stringify({
              data: live['data'],
              type: live['type'],
              labels: (live['metadata'] as JsonObject)['labels'],
            })
          )
        },
        material,
      },
    ],
  })

  it('keeps the data and the password where pods can mount them, and tells of changes without reading contents', async () => {
    const env = await setup()
    const stop = new AbortController()
    try {
      const driver = env.backend.drivers['credential/Login'] as Driver
      const resource = login(env.namespace)
      const seen: unknown[] = []
      const listening = (async () => {
        for await (const change of env.backend.changes?.(stop.signal) ?? []) seen.push(change)
      })()
      await expect.poll(() => seen).toContain('resync')
      const slots = material()
      const made = expectOwned(await driver.create(resource, call({ material: slots })))
      const { data, type } = (await get(env, resource)) as { data: { [key: string]: string }; type: string }
      expect(type).toBe('Opaque')
      expect(data).toEqual({
        host: base64('db.example.com'),
        port: base64('5432'),
        database: base64('acme_db'),
        username: base64('acme_user'),
        password: base64(slots.password.clear),
      })

      // Unchanged: answered from what was read before, without a request; changed: read again.
      const known = { knownId: made.id }
      await expect.poll(async () => (await driver.observe(resource, call(known))).status).toBe('owned')
      await patch({ data: { password: base64('swapped') } })(env, resource)
      await expect.poll(() => seen).toContainEqual({ kind: 'credential/Login', externalName: resource.externalName })
      const print = async () => expectOwned(await driver.observe(resource, call(known))).credentials?.['password']
      await expect.poll(print).not.toBe(slots.password.sourceFingerprint)
      expect(JSON.stringify(await driver.observe(resource, call(known)))).not.toContain('swapped')
      await env.kubectl.request('DELETE', at(resource), limits())
      await expect.poll(async () => (await driver.observe(resource, call(known))).status).toBe('absent')
      stop.abort()
      await listening
    } finally {
      stop.abort()
      await env.close()
    }
  })
})
