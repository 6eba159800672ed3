/**
 * The command lines of etcd, kube-apiserver and kube-controller-manager. Pure: paths and ports in, arguments out.
 */
import { join } from 'node:path'
import type { ServerProcess } from '../supervised.ts'
import type { KubernetesPrograms } from './release.ts'

export interface Layout {
  /** Where the programs are. */
  readonly programs: Pick<KubernetesPrograms, 'etcd' | 'kube-apiserver' | 'kube-controller-manager'>
  /** Folder of this cluster's data. */
  readonly dir: string
  readonly ports: {
    readonly api: number
    readonly etcd: number
    readonly etcdPeer: number
    readonly controllers: number
  }
  /** False only in tests: etcd then answers before its data is on disk. */
  readonly durable: boolean
}

export const serviceRange = '10.96.0.0/16'

const flags = (values: Readonly<Record<string, string | number | boolean>>): string[] =>
  Object.entries(values).map(([name, value]) => `--${name}=${value}`)

export function etcd(layout: Layout): ServerProcess {
  const pki = (file: string): string => join(layout.dir, 'pki', file)
  const client = `https://127.0.0.1:${layout.ports.etcd}`
  const peer = `https://127.0.0.1:${layout.ports.etcdPeer}`
  return {
    id: 'etcd',
    command: layout.programs['etcd'],
    cwd: layout.dir,
    stopSignal: 'SIGTERM',
    graceMs: 5000,
    env: { PATH: process.env['PATH'], GOGC: '75' },
    args: flags({
      name: 'ringfence',
      'data-dir': join(layout.dir, 'etcd'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `ringfence=${peer}`,
      // A single member whose peer port moved since the last start is still the same member.
      'client-cert-auth': true,
      'trusted-ca-file': pki('etcd-ca.crt'),
      'cert-file': pki('etcd.crt'),
      'key-file': pki('etcd.key'),
      'peer-client-cert-auth': true,
      'peer-trusted-ca-file': pki('etcd-ca.crt'),
      'peer-cert-file': pki('etcd.crt'),
      'peer-key-file': pki('etcd.key'),
      'auto-compaction-mode': 'periodic',
      'auto-compaction-retention': '10m',
      'quota-backend-bytes': 4 * 1024 ** 3,
      'snapshot-count': 10_000,
      'log-level': 'warn',
      logger: 'zap',
      'unsafe-no-fsync': !layout.durable,
    }),
  }
}

export function apiServer(layout: Layout): ServerProcess {
  const pki = (file: string): string => join(layout.dir, 'pki', file)
  return {
    id: 'kube-apiserver',
    command: layout.programs['kube-apiserver'],
    cwd: layout.dir,
    stopSignal: 'SIGTERM',
    graceMs: 8000,
    env: { PATH: process.env['PATH'] },
    args: flags({
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': layout.ports.api,
      'etcd-servers': `https://127.0.0.1:${layout.ports.etcd}`,
      'etcd-cafile': pki('etcd-ca.crt'),
      'etcd-certfile': pki('etcd-client.crt'),
      'etcd-keyfile': pki('etcd-client.key'),
      'tls-cert-file': pki('api-server.crt'),
      'tls-private-key-file': pki('api-server.key'),
      'client-ca-file': pki('cluster-ca.crt'),
      'requestheader-client-ca-file': pki('front-proxy-ca.crt'),
      'requestheader-allowed-names': 'front-proxy',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': pki('front-proxy.crt'),
      'proxy-client-key-file': pki('front-proxy.key'),
      'service-account-issuer': 'https://kubernetes.default.svc.cluster.local',
      'service-account-key-file': pki('service-account.pub'),
      'service-account-signing-key-file': pki('service-account.key'),
      'service-cluster-ip-range': serviceRange,
      // The defaults hold NamespaceLifecycle, ServiceAccount, PodSecurity, ResourceQuota, LimitRanger,
      // DefaultStorageClass, ValidatingAdmissionPolicy and the rest that a cluster has.
      'enable-admission-plugins': 'NodeRestriction',
      'authorization-mode': 'Node,RBAC',
      'anonymous-auth': false,
      'allow-privileged': true,
      // There is no node network here to announce a loopback address to.
      'endpoint-reconciler-type': 'none',
      'shutdown-delay-duration': '0s',
      profiling: false,
      v: 1,
    }),
  }
}

export function controllers(layout: Layout, kubeconfig: string): ServerProcess {
  const pki = (file: string): string => join(layout.dir, 'pki', file)
  return {
    id: 'kube-controller-manager',
    command: layout.programs['kube-controller-manager'],
    cwd: layout.dir,
    stopSignal: 'SIGTERM',
    graceMs: 5000,
    env: { PATH: process.env['PATH'] },
    args: flags({
      'bind-address': '127.0.0.1',
      'secure-port': layout.ports.controllers,
      'tls-cert-file': pki('controllers.crt'),
      'tls-private-key-file': pki('controllers.key'),
      kubeconfig,
      'authentication-kubeconfig': kubeconfig,
      'authorization-kubeconfig': kubeconfig,
      'client-ca-file': pki('cluster-ca.crt'),
      'root-ca-file': pki('cluster-ca.crt'),
      'cluster-signing-cert-file': pki('cluster-ca.crt'),
      'cluster-signing-key-file': pki('cluster-ca.key'),
      'service-account-private-key-file': pki('service-account.key'),
      'service-cluster-ip-range': serviceRange,
      'use-service-account-credentials': true,
      'leader-elect': false,
      'kube-api-qps': 200,
      'kube-api-burst': 400,
      'concurrent-namespace-syncs': 20,
      'concurrent-resource-quota-syncs': 10,
      'concurrent-serviceaccount-token-syncs': 10,
      profiling: false,
      v: 1,
    }),
  }
}
