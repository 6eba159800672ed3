/** The tables of the store as TypeScript types. The migrations are the truth; a test holds the two together. */
import type { ColumnType, Generated } from 'kysely'
import type { Condition, Phase } from '../model/status.ts'
import type { Json, JsonObject } from '../model/json.ts'
import type { Outputs, Resource } from '../model/resource.ts'
import type { TenantDocument, TenantNames } from '../model/tenant.ts'

type Written<T> = ColumnType<T, string, string>
type Timestamp = ColumnType<Date, Date | string | undefined, Date | string>

export interface Tables {
  'ringfence.tenants': {
    uid: string
    name: string
    generation: number
    resource_version: number
    document: Written<TenantDocument>
    /** SHA-256 of the canonical document: what `create` compares. */
    digest: string
    names: Written<TenantNames>
    phase: Phase
    observed_generation: Generated<number>
    conditions: Written<readonly Condition[]>
    proof: Written<JsonObject | null>
    created_at: Generated<Date>
    deleting_at: Timestamp | null
    gone_at: Timestamp | null
  }
  'ringfence.name_claims': { space: string; name: string; tenant_uid: string }
  'ringfence.inventory': {
    owner: string
    address: string
    kind: string
    backend: string
    external_name: string
    backend_id: string
    resource: Written<Resource>
    outputs: Written<Outputs>
    adopted: boolean
    created_at: Generated<Date>
  }
  'ringfence.journal': {
    id: string
    owner: string
    address: string
    verb: string
    resource: Written<Resource>
    started_at: Generated<Date>
    outcome: string | null
    finished_at: Timestamp | null
  }
  'ringfence.credentials': {
    owner: string
    source: string
    slot: string
    version: number
    state: 'pending' | 'settled'
    source_fingerprint: string
    /** By address of the verifier. */
    verifiers: Written<{ readonly [address: string]: string | null }>
    changed_at: Generated<Date>
  }
  'ringfence.leases': { key: string; holder: string; token: number; expires_at: Timestamp }
  'ringfence.work': {
    key: string
    dirty: number
    seen: number
    run_after: Timestamp
    attempts: number
    reasons: string[]
  }
  'ringfence.events': {
    sequence: Generated<number>
    time: Generated<Date>
    tenant: string
    type: string
    reason: string
    message: string
    layer: string | null
    address: string | null
  }
  'ringfence.audit_heads': { chain: string; position: number; hash: string }
  'ringfence.audit': {
    sequence: Generated<number>
    chain: string
    position: number
    body: string
    hash: string
    previous_hash: string
  }
  'ringfence.idempotency': {
    caller: string
    route: string
    key: string
    body_digest: string
    status: number | null
    answer: Written<Json> | null
    created_at: Generated<Date>
  }
}
