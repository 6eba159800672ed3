/** Where a running control plane keeps things, and what it may use of the process. */
import { join } from 'node:path'
import type { Execution } from '../engine/execute.ts'

export interface UpIo {
  /** Plain lines for people. */
  readonly log: (line: string) => void
  readonly env: { readonly [name: string]: string | undefined }
  /** Aborted at SIGINT or SIGTERM. */
  readonly signal: AbortSignal
  /** Tests end the process at a boundary of the journal. */
  readonly checkpoint?: Execution['checkpoint']
}

export const paths = (dataDir: string) => ({
  api: join(dataDir, 'api.json'),
  token: join(dataDir, 'token'),
  kubernetes: join(dataDir, 'kubernetes'),
  postgres: join(dataDir, 'postgres'),
  manifests: join(dataDir, 'manifests'),
  credentials: join(dataDir, 'credentials'),
})
