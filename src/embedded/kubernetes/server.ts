/**
 * Starts and stops a whole Kubernetes control plane in one folder: etcd, API server, controllers. Knows nothing of
 * where the binaries come from, nor of what the cluster is used for.
 */
import { join } from 'node:path'
import { randomBytes } from 'node:crypto'
import type { ClusterAccess } from '../../model/backends.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { KeyPair } from '../certificate.ts'
import { privateFolder, readIfThere, writePrivate } from '../folder.ts'
import { holdFolder } from '../lock.ts'
import { freePort } from '../port.ts'
import { onFreePorts, SupervisedSet } from '../supervised.ts'
import { issueFile, openIdentities, signClient, type Identities } from './identities.ts'
import { kubeconfig } from './kubeconfig.ts'
import { apiServer, controllers, etcd, type Layout } from './processes.ts'
import { ask } from './request.ts'

export interface EmbeddedKubernetes {
  readonly server: string
  readonly ca: string
  /** `ringfence:installer` in `system:masters`: sets the platform up, then is put away. */
  readonly admin: ClusterAccess
  /** What the control plane works as. */
  readonly engine: ClusterAccess
  /** For people in an emergency; cluster-admin by a binding, and known to the admission rules. */
  readonly breakGlass: ClusterAccess
  /** Paths of kubeconfig files, mode 0600. */
  readonly kubeconfigs: { readonly admin: string; readonly engine: string; readonly breakGlass: string }
  /** Paths of the cluster authority's certificate and key, for a process that must sign further clients. */
  readonly authority: { readonly cert: string; readonly key: string }
  /** `v1.35.4` */
  readonly version: string
  readonly pids: readonly number[]
  /** Resolves when a server ended without being told to; never rejects. */
  readonly failed: Promise<RingfenceError>
  signClient(user: string, groups?: readonly string[]): KeyPair
  access(user: string, groups?: readonly string[]): ClusterAccess
  /** Stops everything in order and returns when no process is left. Idempotent. */
  stop(): Promise<void>
}

export interface StartKubernetes {
  readonly dir: string
  /** From `acquireKubernetes`. */
  readonly programs: Layout['programs']
  readonly ports?: Partial<Layout['ports']>
  /** False only for tests. */
  readonly durable?: boolean
  readonly signal?: AbortSignal
}

async function choosePorts(dir: string, wanted: Partial<Layout['ports']> = {}): Promise<Layout['ports']> {
  const file = join(dir, 'ports.json')
  let last: Partial<Layout['ports']> = {}
  try {
    last = JSON.parse((await readIfThere(file)) ?? '{}') as typeof last
  } catch {
    // A damaged note of last time's ports only costs new ones.
  }
  const ports = {
    api: wanted.api ?? (await freePort(last.api)),
    etcd: wanted.etcd ?? (await freePort(last.etcd)),
    etcdPeer: wanted.etcdPeer ?? (await freePort(last.etcdPeer)),
    controllers: wanted.controllers ?? (await freePort(last.controllers)),
  }
  await writePrivate(file, JSON.stringify(ports))
  return ports
}

async function issueServers(identities: Identities): Promise<void> {
  const local = ['127.0.0.1', 'localhost']
  const cluster = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
    '10.96.0.1',
  ]
  await issueFile(identities, 'etcd', 'etcd', { commonName: 'etcd', use: ['server', 'client'], hosts: local })
  await issueFile(identities, 'etcd', 'etcd-client', { commonName: 'kube-apiserver', use: ['client'] })
  await issueFile(identities, 'cluster', 'api-server', {
    commonName: 'kube-apiserver',
    use: ['server'],
    hosts: [...local, ...cluster],
  })
  await issueFile(identities, 'cluster', 'controllers', {
    commonName: 'kube-controller-manager',
    use: ['server'],
    hosts: local,
  })
  await issueFile(identities, 'frontProxy', 'front-proxy', { commonName: 'front-proxy', use: ['client'] })
}

/** Waits until `ready` says so; fails as soon as the server has ended, or at the deadline. */
async function until(
  set: SupervisedSet,
  id: string,
  ready: () => Promise<boolean>,
  deadline: number,
  signal?: AbortSignal,
): Promise<void> {
  let last: unknown
  for (;;) {
    signal?.throwIfAborted()
    // What it stands on may be what ended.
    for (const one of ['etcd', id]) if (set.endOf(one) !== undefined) throw await set.failure(one)
    try {
      if (await ready()) return
    } catch (error) {
      last = error
    }
    if (Date.now() > deadline)
      throw new RingfenceError('Timeout', `${id} did not become ready; see ${set.logOf(id)}`, {}, last)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

const answers = async (access: ClusterAccess, path: string): Promise<boolean> =>
  (await ask(access, 'GET', path, undefined, 5000)).status === 200

/** A cluster is only of use when its controllers act: they fill a new namespace and the aggregated roles. */
async function controllersAct(access: ClusterAccess, name: string): Promise<boolean> {
  const view = await ask(access, 'GET', '/apis/rbac.authorization.k8s.io/v1/clusterroles/view')
  if (view.status !== 200 || ((JSON.parse(view.body) as { rules?: unknown[] }).rules ?? []).length === 0) return false
  const path = `/api/v1/namespaces/${name}/serviceaccounts/default`
  return (await ask(access, 'GET', path)).status === 200
}

const probeLabel = 'embedded-start-probe'

/** A namespace for the controllers to fill, under a name that no tenant pattern makes. */
async function makeProbe(admin: ClusterAccess): Promise<string> {
  const metadata = { name: `embedded-start-${randomBytes(4).toString('hex')}`, labels: { [probeLabel]: '' } }
  const made = await ask(admin, 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata })
  if (made.status === 201) return metadata.name
  throw new RingfenceError('BackendFault', `a namespace was refused with ${made.status}: ${made.body.slice(0, 300)}`)
}

/** Removes ours, and those of starts that were killed in between. The namespace controller does it behind us. */
async function removeProbes(admin: ClusterAccess): Promise<void> {
  const { body } = await ask(admin, 'GET', `/api/v1/namespaces?labelSelector=${probeLabel}`)
  const { items } = JSON.parse(body) as { items: { metadata: { name: string } }[] }
  await Promise.all(items.map(({ metadata }) => ask(admin, 'DELETE', `/api/v1/namespaces/${metadata.name}`)))
}

async function bindBreakGlass(admin: ClusterAccess): Promise<void> {
  const group = 'rbac.authorization.k8s.io'
  const answer = await ask(admin, 'POST', `/apis/${group}/v1/clusterrolebindings`, {
    apiVersion: `${group}/v1`,
    kind: 'ClusterRoleBinding',
    metadata: { name: 'ringfence:break-glass' },
    roleRef: { apiGroup: group, kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [{ apiGroup: group, kind: 'Group', name: 'ringfence:break-glass' }],
  })
  if (answer.status !== 201 && answer.status !== 409) {
    throw new RingfenceError(
      'BackendFault',
      `the break-glass binding was refused with ${answer.status}: ${answer.body.slice(0, 300)}`,
    )
  }
}

/** Brings the three servers up in order. `set` is stopped by the caller if this throws. */
async function bringUp(
  set: SupervisedSet,
  layout: Layout,
  identities: Identities,
  admin: ClusterAccess,
  signal?: AbortSignal,
): Promise<void> {
  const deadline = Date.now() + 120_000
  await set.run(etcd(layout))
  const controllerAccess = { ...admin, certificate: signClient(identities.cluster, 'system:kube-controller-manager') }
  const controllerConfig = join(identities.dir, 'controllers.kubeconfig')
  await writePrivate(controllerConfig, kubeconfig(controllerAccess, 'system:kube-controller-manager'))
  await set.run(apiServer(layout))
  await until(set, 'kube-apiserver', () => answers(admin, '/readyz'), deadline, signal)
  await set.run(controllers(layout, controllerConfig))
  await bindBreakGlass(admin)
  const name = await makeProbe(admin)
  const health = { server: `https://127.0.0.1:${layout.ports.controllers}`, ca: identities.cluster.cert }
  await until(set, 'kube-controller-manager', () => answers(health, '/healthz'), deadline, signal)
  await until(set, 'kube-controller-manager', () => controllersAct(admin, name), deadline, signal)
  await removeProbes(admin)
}

/** Starts a control plane whose data lives in `dir` and answers how it is reached, ready for use. */
export const startKubernetes = (options: StartKubernetes): Promise<EmbeddedKubernetes> =>
  onFreePorts(() => startOnce(options))

async function startOnce(options: StartKubernetes): Promise<EmbeddedKubernetes> {
  const dir = await privateFolder(options.dir)
  const hold = await holdFolder(dir)
  let set: SupervisedSet | undefined
  const stop = async (): Promise<void> => {
    await set?.stop()
    await hold.release()
  }
  try {
    set = await SupervisedSet.open(dir)
    const identities = await openIdentities(join(dir, 'pki'))
    await issueServers(identities)
    await privateFolder(join(dir, 'etcd'))
    const ports = await choosePorts(dir, options.ports)
    const layout: Layout = { programs: options.programs, dir, ports, durable: options.durable ?? true }
    const [server, ca] = [`https://127.0.0.1:${ports.api}`, identities.cluster.cert]
    const access = (user: string, groups: readonly string[] = []): ClusterAccess => ({
      server,
      ca,
      certificate: signClient(identities.cluster, user, groups),
    })
    const people = {
      admin: access('ringfence:installer', ['system:masters']),
      engine: access('ringfence:engine', ['ringfence:engines']),
      breakGlass: access('ringfence:break-glass', ['ringfence:break-glass']),
    }
    await bringUp(set, layout, identities, people.admin, options.signal)
    const version = JSON.parse((await ask(people.admin, 'GET', '/version')).body) as { gitVersion: string }
    const kubeconfigs = {
      admin: join(dir, 'admin.kubeconfig'),
      engine: join(dir, 'engine.kubeconfig'),
      breakGlass: join(dir, 'break-glass.kubeconfig'),
    }
    await writePrivate(kubeconfigs.admin, kubeconfig(people.admin, 'ringfence:installer'))
    await writePrivate(kubeconfigs.engine, kubeconfig(people.engine, 'ringfence:engine'))
    await writePrivate(kubeconfigs.breakGlass, kubeconfig(people.breakGlass, 'ringfence:break-glass'))
    const authority = { cert: join(identities.dir, 'cluster-ca.crt'), key: join(identities.dir, 'cluster-ca.key') }
    const sign = (user: string, groups: readonly string[] = []): KeyPair => signClient(identities.cluster, user, groups)
    return {
      server,
      ca,
      ...people,
      kubeconfigs,
      authority,
      version: version.gitVersion,
      pids: set.pids,
      failed: set.failed,
      access,
      signClient: sign,
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}
