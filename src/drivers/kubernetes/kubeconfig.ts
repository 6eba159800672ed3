/**
 * How a named cluster is reached: from a context of the user's kubeconfig, exec plug-ins included, or from the pod we
 * run in. The only place that loads `@kubernetes/client-node`, and only when a kubeconfig is really asked for.
 */
import { readFile } from 'node:fs/promises'
import type { ClusterAccess } from '../../model/backends.ts'
import { RingfenceError } from '../../model/errors.ts'

/** What `applyToHTTPSOptions` of client-node fills in. */
interface Applied {
  headers: { [name: string]: unknown }
  ca?: string | Buffer
  cert?: string | Buffer
  key?: string | Buffer
}

const text = (value: string | Buffer): string => value.toString()

/**
 * Access by a context of the kubeconfig (`KUBECONFIG`, or `~/.kube/config`). Throws `Usage` when the context is not
 * there or asks for something that we would not honour: there is no fall-back to another context, and none to a
 * connection without verification.
 */
export async function accessFromContext(context: string, kubeconfigPath?: string): Promise<ClusterAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  try {
    if (kubeconfigPath === undefined) config.loadFromDefault()
    else config.loadFromFile(kubeconfigPath)
  } catch (error) {
    throw new RingfenceError('Usage', 'The kubeconfig cannot be read; check KUBECONFIG', { context }, error)
  }
  if (!config.getContextObject(context)) {
    const known = config.getContexts().map(({ name }) => name)
    throw new RingfenceError(
      'Usage',
      `There is no context "${context}" in the kubeconfig; it has ${known.join(', ') || 'none'}`,
      { context },
    )
  }
  config.setCurrentContext(context)
  const cluster = config.getCurrentCluster()
  if (!cluster?.server)
    throw new RingfenceError('Usage', `Context "${context}" names no cluster with a server`, { context })
  if (cluster.skipTLSVerify)
    throw new RingfenceError(
      'Usage',
      `Context "${context}" turns TLS verification off; give its cluster a certificate authority instead`,
      { context },
    )
  if (!cluster.server.startsWith('https://'))
    throw new RingfenceError('Usage', `Context "${context}" does not use TLS`, { context })
  const asksFor = cluster.proxyUrl ? 'a proxy' : cluster.tlsServerName ? 'another TLS server name' : undefined
  if (asksFor)
    throw new RingfenceError('Usage', `Context "${context}" asks for ${asksFor}, which is not supported`, { context })

  const apply = async (): Promise<Applied> => {
    const options: Applied = { headers: {} }
    try {
      await config.applyToHTTPSOptions(options)
    } catch (error) {
      throw new RingfenceError(
        'Unauthenticated',
        `The credentials of context "${context}" cannot be had`,
        { context },
        error,
      )
    }
    return options
  }
  const first = await apply()
  const bearer = (options: Applied): string | undefined =>
    /^Bearer (.+)$/.exec(String(options.headers['Authorization'] ?? ''))?.[1]
  return {
    server: cluster.server,
    ...(first.ca === undefined ? {} : { ca: text(first.ca) }),
    ...(first.cert === undefined || first.key === undefined
      ? {}
      : { certificate: { cert: text(first.cert), key: text(first.key) } }),
    ...(bearer(first) === undefined
      ? {}
      : {
          token: cached(async () => {
            const token = bearer(await apply())
            if (token === undefined)
              throw new RingfenceError('Unauthenticated', `Context "${context}" gives no token any more`, { context })
            return token
          }),
        }),
  }
}

const serviceAccountFolder = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Access as the ServiceAccount of the pod we run in; its token is rotated by the kubelet and read again each minute. */
export async function accessInCluster(
  folder: string = serviceAccountFolder,
  environment: { readonly [name: string]: string | undefined } = process.env,
): Promise<ClusterAccess> {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = environment
  const read = async (file: string): Promise<string> => {
    try {
      return (await readFile(`${folder}/${file}`, 'utf8')).trim()
    } catch (error) {
      throw new RingfenceError(
        'Usage',
        `${folder}/${file} cannot be read: --in-cluster works in a pod with a mounted ServiceAccount only`,
        {},
        error,
      )
    }
  }
  if (!host || !port)
    throw new RingfenceError('Usage', 'KUBERNETES_SERVICE_HOST is not set: --in-cluster works in a pod only')
  const ca = await read('ca.crt')
  await read('token')
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca,
    token: cached(() => read('token')),
  }
}

/** One read for all calls of a minute; a failure is not kept. */
function cached(read: () => Promise<string>, forMs = 60_000): () => Promise<string> {
  let kept: { readonly token: Promise<string>; readonly untilMs: number } | undefined
  return () => {
    if (!kept || kept.untilMs <= Date.now()) {
      const token = read()
      kept = { token, untilMs: Date.now() + forMs }
      token.catch(() => (kept = undefined))
    }
    return kept.token
  }
}
