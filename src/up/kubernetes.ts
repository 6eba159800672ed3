/**
 * The Kubernetes that tenants get: an embedded one, a cluster named by context, the cluster we run in, or a folder of
 * manifests where there is none. Nothing is applied to a cluster that was not named.
 */
import { acquireKubernetes } from '../embedded/kubernetes/acquire.ts'
import { startKubernetes } from '../embedded/kubernetes/server.ts'
import { createCredentialFileBackend } from '../drivers/credential-file/backend.ts'
import { createKubernetesClient } from '../drivers/kubernetes/client.ts'
import { createKubernetesBackend } from '../drivers/kubernetes/backend.ts'
import { createKubernetesCredentials } from '../drivers/kubernetes/credentials.ts'
import { createRenderBackend } from '../drivers/render/backend.ts'
import { engineServiceAccount, engineUser } from '../layers/compute/engine-rules.ts'
import { installation } from '../layers/compute/platform.ts'
import { tenantDefinition } from '../model/crd.ts'
import type { ClusterAccess, KubernetesBackend } from '../model/backends.ts'
import type { Backend } from '../model/driver.ts'
import { isObject } from '../model/json.ts'
import type { LayerContext } from '../model/layer.ts'
import type { PlatformSpec } from '../model/platform.ts'
import type { UpOptions } from '../cli/up-options.ts'
import { paths } from './options.ts'

export interface RunningKubernetes {
  readonly backend: KubernetesBackend
  readonly credentials: Backend
  /** For people: kubeconfig of the break-glass identity, where the server is ours. */
  readonly kubeconfig?: string
  stop(): Promise<void>
}

const backendName = 'kubernetes'
const credentialsName = 'credentials'

/** Acquires, starts and installs; may take minutes on a first start. It says what takes the time, and when it died. */
export async function openEmbedded(
  options: UpOptions,
  context: LayerContext,
  told: { readonly progress: (message: string) => void; readonly died: (why: string) => void },
  signal: AbortSignal,
): Promise<RunningKubernetes> {
  const programs = await acquireKubernetes({ progress: told.progress, signal })
  told.progress('starting the embedded Kubernetes')
  const server = await startKubernetes({ dir: paths(options.dataDir).kubernetes, programs, signal })
  try {
    void server.failed.then((error) => told.died(error.message))
    await install(server.admin, context)
    return { ...connect(server.engine), kubeconfig: server.kubeconfigs.breakGlass, stop: () => server.stop() }
  } catch (error) {
    await server.stop()
    throw error
  }
}

export async function openCluster(options: UpOptions): Promise<RunningKubernetes> {
  const { accessFromContext, accessInCluster } = await import('../drivers/kubernetes/kubeconfig.ts')
  const access = options.inCluster ? await accessInCluster() : await accessFromContext(options.context ?? '')
  return { ...connect(access), stop: async () => undefined }
}

export function openManifests(options: UpOptions): RunningKubernetes {
  const folders = paths(options.dataDir)
  return {
    backend: createRenderBackend(backendName, { folder: folders.manifests }),
    credentials: createCredentialFileBackend(credentialsName, { folder: folders.credentials }),
    stop: async () => undefined,
  }
}

const connect = (access: ClusterAccess) => ({
  backend: createKubernetesBackend(backendName, access),
  credentials: createKubernetesCredentials(credentialsName, access),
})

/** What an administrator applies to a cluster once, before the control plane runs there with rights of its own. */
export async function installationText(platform: PlatformSpec): Promise<string> {
  const { stringify } = await import('yaml')
  const name = platform.kubernetes.systemNamespace
  const manifests = [tenantDefinition(), ...installation({ platform, facts: {}, backends: {} })]
  return [
    `# The rights of Ringfence, for the ServiceAccount ${name}/${engineServiceAccount} or a user ${engineUser}; and its resource.`,
    ...manifests.map((manifest) => stringify(manifest, { lineWidth: 0 }).trimEnd()),
  ]
    .join('\n---\n')
    .replace('\n---\n', '\n')
}

/** What the engine could not give itself: its own rights and the resource definition. Repeating it changes nothing. */
export async function install(admin: ClusterAccess, context: LayerContext): Promise<void> {
  const client = createKubernetesClient(admin)
  try {
    for (const manifest of [tenantDefinition(), ...installation(context)]) {
      const { apiVersion, kind, metadata } = manifest
      const plural = plurals[String(kind)]
      // The engine makes our namespace itself, so that it knows it as its own.
      if (plural === undefined || !isObject(metadata)) continue
      await client.request('PATCH', `/apis/${String(apiVersion)}/${plural}/${String(metadata['name'])}`, {
        query: { fieldManager: 'ringfence-install', force: true },
        body: manifest,
        contentType: 'application/apply-patch+yaml',
        signal: AbortSignal.timeout(20_000),
        deadlineMs: Date.now() + 20_000,
      })
    }
  } finally {
    await client.close()
  }
}

const plurals: { readonly [kind: string]: string } = {
  ClusterRole: 'clusterroles',
  ClusterRoleBinding: 'clusterrolebindings',
  CustomResourceDefinition: 'customresourcedefinitions',
}
