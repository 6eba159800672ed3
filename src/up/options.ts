/** How the control plane is started, and where it keeps things. */
import { join } from 'node:path'

export interface UpOptions {
  /** Declares the two example tenants and reports on them. */
  readonly demo: boolean
  /** 0 takes a free port. */
  readonly port: number
  readonly dataDir: string
  /** A context of the kubeconfig; nothing is ever applied to a cluster that was not named. */
  readonly context?: string
  readonly inCluster?: boolean
  readonly kubernetes: 'embedded' | 'render'
  /** Path of a platform document. */
  readonly platform?: string
}

export interface UpIo {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  readonly env: { readonly [name: string]: string | undefined }
  /** Aborted at SIGINT or SIGTERM. */
  readonly signal: AbortSignal
}

export const paths = (dataDir: string) => ({
  api: join(dataDir, 'api.json'),
  token: join(dataDir, 'token'),
  kubernetes: join(dataDir, 'kubernetes'),
  postgres: join(dataDir, 'postgres'),
  manifests: join(dataDir, 'manifests'),
  credentials: join(dataDir, 'credentials'),
})
