/** Where a running control plane keeps things, and what it may use of the process. */
import { join } from 'node:path'

export interface UpIo {
  /** Plain lines for people. */
  readonly log: (line: string) => void
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
