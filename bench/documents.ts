/** The tenants that are measured: what a platform would declare for a team, with every layer that it has. */
import type { TenantInput } from '../src/model/tenant.ts'

export const caller = { actor: 'bench', requestId: 'bench' }

export const documentOf = (name: string, database: 'shared' | 'none' = 'shared'): TenantInput => ({
  apiVersion: 'ringfence.dev/v1alpha1',
  kind: 'Tenant',
  metadata: { name },
  spec: {
    displayName: `Team ${name}`,
    admin: { email: `admin@${name}.example` },
    tags: { team: name, purpose: 'benchmark' },
    database: { mode: database },
  },
})

export const numbered = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(5, '0')}`)
