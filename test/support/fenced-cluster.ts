/**
 * A cluster of their own for the tests that take fences away and put them back: on a shared one, others would stand
 * unprotected meanwhile. Platform and tenants are written by plain requests, as the engine's user, with the rights
 * that the installation gives it and no others.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Agent } from 'undici'
import { acquireKubernetes } from '../../src/embedded/kubernetes/acquire.ts'
import { startKubernetes, type EmbeddedKubernetes } from '../../src/embedded/kubernetes/server.ts'
import { computeLayer } from '../../src/layers/compute/layer.ts'
import { installation } from '../../src/layers/compute/platform.ts'
import { networkLayer } from '../../src/layers/network/layer.ts'
import type { ClusterAccess } from '../../src/model/backends.ts'
import type { JsonObject } from '../../src/model/json.ts'
import type { LayerContext } from '../../src/model/layer.ts'
import type { Tenant, TenantInput } from '../../src/model/tenant.ts'
import { apiOf, poll, write, type Api } from './kubernetes-api.ts'
import { sentinelNamespace, untilBites } from './policy-sentinels.ts'
import { contextOf, manifestsOf, tenantOf } from './tenants.ts'

export interface FencedCluster {
  readonly kubernetes: EmbeddedKubernetes
  readonly context: LayerContext
  /** `system:masters`, and not exempt from admission: every refusal that it meets is admission's alone. */
  readonly admin: Api
  readonly engine: Api
  readonly breakGlass: Api
  as(user: string, groups?: readonly string[]): Api
  withToken(namespace: string, account: string): Promise<Api>
  provision(input: TenantInput): Promise<Tenant>
  /** Writes manifests as the engine, and fails on the first refusal. */
  apply(manifests: readonly JsonObject[]): Promise<void>
  /** Takes one policy's binding away while `run` runs, and waits until both bite. */
  without<T>(policy: string, run: () => Promise<T>): Promise<T>
  stop(): Promise<void>
}

async function setUp(kubernetes: EmbeddedKubernetes, context: LayerContext, agents: Agent[]): Promise<FencedCluster> {
  const api = (access: ClusterAccess): Api => apiOf(access, agents)
  const [admin, engine, breakGlass] = [api(kubernetes.admin), api(kubernetes.engine), api(kubernetes.breakGlass)]
  for (const manifest of installation(context)) await write(admin, manifest)
  // The engine's rights take a moment to reach the authorizer.
  await poll('the engine has its rights', async () =>
    (await engine('GET', '/api/v1/namespaces')).status === 200 ? true : undefined,
  )
  const platform = manifestsOf(computeLayer.platform(context))
  for (const manifest of platform) await write(engine, manifest)
  const sentinel = {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: sentinelNamespace,
      labels: { 'ringfence.dev/tenant': 'sentinel' },
      annotations: { 'ringfence.dev/admission': '1' },
    },
  }
  await write(engine, sentinel)
  await poll('the sentinel has its account', async () => {
    const answer = await admin('GET', `/api/v1/namespaces/${sentinelNamespace}/serviceaccounts/default`)
    return answer.status === 200 ? true : undefined
  })
  const policies = platform.filter((manifest) => manifest['kind'] === 'ValidatingAdmissionPolicyBinding')
  const bindings = new Map(policies.map((manifest) => [(manifest['metadata'] as { name: string }).name, manifest]))
  for (const policy of bindings.keys()) await untilBites(admin, policy, true)
  const apply = async (manifests: readonly JsonObject[]): Promise<void> => {
    for (const manifest of manifests) await write(engine, manifest)
  }
  return {
    kubernetes,
    context,
    admin,
    engine,
    breakGlass,
    apply,
    as: (user, groups = []) => api(kubernetes.access(user, groups)),
    async withToken(namespace, account) {
      const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${account}/token`
      const { body, message } = await admin('POST', path, {
        apiVersion: 'authentication.k8s.io/v1',
        kind: 'TokenRequest',
        spec: { expirationSeconds: 3600 },
      })
      const token = (body['status'] as { token?: string } | undefined)?.token
      if (token === undefined) throw new Error(`no token for ${namespace}/${account}: ${message}`)
      return api({ server: kubernetes.server, ca: kubernetes.ca, token: async () => token })
    },
    async provision(input) {
      const tenant = tenantOf(input)
      for (const layer of [computeLayer, networkLayer]) {
        const problem = layer.problem(tenant, context)
        if (problem !== undefined) throw problem
      }
      await apply(manifestsOf([...computeLayer.desired(tenant, context), ...networkLayer.desired(tenant, context)]))
      const { namespace } = tenant.names
      await poll(`${namespace} is filled by the controllers`, async () => {
        const account = await admin('GET', `/api/v1/namespaces/${namespace}/serviceaccounts/default`)
        const quota = await admin('GET', `/api/v1/namespaces/${namespace}/resourcequotas/ringfence`)
        const used = (quota.body['status'] as { hard?: JsonObject } | undefined)?.hard
        return account.status === 200 && used !== undefined ? true : undefined
      })
      return tenant
    },
    async without(policy, run) {
      const path = `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/${policy}`
      const manifest = bindings.get(policy)
      if (manifest === undefined) throw new Error(`no binding ${policy}`)
      await admin('DELETE', path)
      try {
        await untilBites(admin, policy, false)
        return await run()
      } finally {
        await write(engine, manifest)
        await untilBites(admin, policy, true)
      }
    },
    async stop() {
      await Promise.all(agents.map((agent) => agent.destroy()))
      await kubernetes.stop()
    },
  }
}

/** Starts a cluster in a temporary folder, with the platform on it and every policy seen to bite. */
export async function fencedCluster(spec: JsonObject = {}): Promise<FencedCluster> {
  const dir = await mkdtemp(join(tmpdir(), 'ringfence-fenced-'))
  const remove = () => rm(dir, { recursive: true, force: true })
  let kubernetes: EmbeddedKubernetes | undefined
  const agents: Agent[] = []
  try {
    const programs = await acquireKubernetes()
    kubernetes = await startKubernetes({ dir, programs, durable: false })
    const context = contextOf({ kubernetes: { breakGlassGroups: ['ringfence:break-glass'] }, ...spec })
    const cluster = await setUp(kubernetes, context, agents)
    const { stop } = cluster
    return {
      ...cluster,
      async stop() {
        await stop()
        await remove()
      },
    }
  } catch (error) {
    await Promise.all(agents.map((agent) => agent.destroy()))
    await kubernetes?.stop()
    await remove()
    throw error
  }
}
