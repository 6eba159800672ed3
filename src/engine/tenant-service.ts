/** The operators' acts on tenants: create, apply, plan, remove. Each is one transaction with its audit entry. */
import { createHash, randomUUID } from 'node:crypto'
import type { AuditFact } from '../audit/entry.ts'
import { canonicalJson } from '../audit/canonical.ts'
import { admitTenant } from '../model/admit.ts'
import { RingfenceError } from '../model/errors.ts'
import type { PlatformSpec } from '../model/platform.ts'
import { claimsOf, resolveNames, slugOf } from '../model/names.ts'
import { parseTenant } from '../model/parse.ts'
import type { TenantDocument } from '../model/tenant.ts'
import { appendAudit } from '../store/audit-log.ts'
import type { StoreConnection, StoreTransaction } from '../store/connection.ts'
import { appendEvents } from '../store/ledger.ts'
import { trigger } from '../store/leases.ts'
import {
  claimNames,
  findTenant,
  insertTenant,
  listTenants,
  markDeleting,
  replaceDocument,
  tenantOf,
  type TenantRow,
} from '../store/tenants.ts'
import type { Caller } from './control-plane.ts'
import type { Products } from './products.ts'
import { otherTenant } from './views.ts'

export interface TenantService {
  create(input: unknown, caller: Caller): Promise<{ row: TenantRow; created: boolean }>
  apply(input: unknown, caller: Caller, ifMatch?: string): Promise<{ row: TenantRow; outcome: 'created' | 'changed' | 'unchanged' }>
  remove(name: string, confirm: string, caller: Caller, ifMatch?: string): Promise<TenantRow>
  /** A checked document and the tenant that it would change, if there is one. */
  admit(input: unknown): Promise<{ document: TenantDocument; before: TenantRow | undefined }>
}

export const documentDigest = (document: TenantDocument): string => createHash('sha256').update(canonicalJson(document)).digest('hex')

export function createTenantService(store: StoreConnection, products: Products): TenantService {
  const platform = () => products.context.platform
  const admit = async (input: unknown) => {
    const document = parseTenant(input)
    const rows = await allTenants(store)
    const before = rows.find((row) => row.name === document.metadata.name)
    admitTenant(document, {
      platform: platform(),
      facts: products.context.facts,
      others: rows.filter((row) => row !== before).map(otherTenant),
      ...(before === undefined ? {} : { existing: tenantOf(before) }),
    })
    return { document, before }
  }
  return {
    admit,
    async create(input, caller) {
      const { document, before } = await admit(input)
      if (before !== undefined) return { row: sameOrRefuse(before, document), created: false }
      return { row: await insert(store, platform(), document, caller), created: true }
    },
    async apply(input, caller, ifMatch) {
      const { document, before } = await admit(input)
      if (before === undefined) {
        if (ifMatch !== undefined) throw new RingfenceError('PreconditionFailed', `tenant ${document.metadata.name} does not exist`)
        return { row: await insert(store, platform(), document, caller), outcome: 'created' }
      }
      requireVersion(before, ifMatch)
      if (before.deletingAt !== null) throw new RingfenceError('Conflict', `tenant ${before.name} is being removed`)
      if (before.digest === documentDigest(document)) return { row: before, outcome: 'unchanged' }
      return { row: await change(store, before, document, caller), outcome: 'changed' }
    },
    remove: (name, confirm, caller, ifMatch) => remove(store, platform(), name, confirm, caller, ifMatch),
  }
}

/** Every live tenant: documents are judged beside all others. */
export async function allTenants(store: StoreConnection): Promise<readonly TenantRow[]> {
  const rows: TenantRow[] = []
  for (;;) {
    const last = rows.at(-1)?.name
    const page = await store.run((db) => listTenants(db, { limit: 1_000, ...(last === undefined ? {} : { after: last }) }))
    rows.push(...page)
    if (page.length < 1_000) return rows
  }
}

function sameOrRefuse(before: TenantRow, document: TenantDocument): TenantRow {
  if (before.deletingAt !== null) throw new RingfenceError('AlreadyExists', `tenant ${before.name} is being removed; wait until it is gone`)
  if (before.digest === documentDigest(document)) return before
  throw new RingfenceError('AlreadyExists', `tenant ${before.name} exists with other content; use apply to change it`)
}

function requireVersion(row: TenantRow, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch === String(row.resourceVersion)) return
  throw new RingfenceError('PreconditionFailed', `tenant ${row.name} was changed since you read it; read it again`, { resourceVersion: row.resourceVersion })
}

const factOf = (caller: Caller, row: { uid: string; name: string }, action: string, details: AuditFact['details'] = {}): AuditFact => ({
  chain: row.uid,
  actor: caller.actor,
  action,
  object: `tenant/${row.name}`,
  decision: 'allowed',
  severity: 'info',
  classification: 'internal',
  requestId: caller.requestId,
  details,
})

async function insert(store: StoreConnection, platform: PlatformSpec, document: TenantDocument, caller: Caller): Promise<TenantRow> {
  const uid = randomUUID()
  const { name } = document.metadata
  const names = resolveNames(platform, { name, slug: slugOf({ name, spec: document.spec }), uid, spec: document.spec })
  const claims = claimsOf(names, { databases: document.spec.database.mode === 'shared' })
  return store.transact(async (tx) => {
    const row = await insertTenant(tx, { uid, name, document, digest: documentDigest(document), names }, claims)
    await appendAudit(tx, [factOf(caller, row, 'tenant.create', { names: { ...names }, digest: row.digest })])
    await announce(tx, row, 'Created', `${name} was declared`)
    await trigger(tx, [uid], 'created')
    return row
  })
}

async function change(store: StoreConnection, before: TenantRow, document: TenantDocument, caller: Caller): Promise<TenantRow> {
  const slugBefore = slugOf({ name: before.name, spec: before.document.spec })
  const slug = slugOf({ name: before.name, spec: document.spec })
  return store.transact(async (tx) => {
    const row = await replaceDocument(tx, before.uid, before.resourceVersion, document, documentDigest(document))
    await claimLate(tx, before, document)
    const facts = [factOf(caller, row, 'tenant.change', { generation: row.generation, digest: row.digest })]
    if (slug !== slugBefore) {
      facts.push({ ...factOf(caller, row, 'tenant.slug.rename', { namespaceUnchanged: true, namespace: row.names.namespace }), severity: 'warning' })
      await announce(tx, row, 'SlugRenamed', `the slug was renamed; namespace ${row.names.namespace} and all other names stay as they are`, 'warning')
    }
    await appendAudit(tx, facts)
    await announce(tx, row, 'Changed', `generation ${row.generation}`)
    await trigger(tx, [row.uid], 'changed')
    return row
  })
}

/** Names that the tenant did not need until now are claimed before anything of that name is made. */
async function claimLate(tx: StoreTransaction, before: TenantRow, document: TenantDocument): Promise<void> {
  if (document.spec.database.mode !== 'shared') return
  await claimNames(tx, before.uid, claimsOf(before.names, { databases: true }))
}

async function remove(
  store: StoreConnection,
  platform: PlatformSpec,
  name: string,
  confirm: string,
  caller: Caller,
  ifMatch: string | undefined,
): Promise<TenantRow> {
  if (confirm !== name) throw new RingfenceError('Guarded', `to remove tenant ${name}, confirm by its exact name`)
  const rows = await allTenants(store)
  const row = rows.find((one) => one.name === name)
  if (row === undefined) throw new RingfenceError('NotFound', `tenant ${name} does not exist`)
  requireVersion(row, ifMatch)
  const leaving = rows.filter((one) => one.deletingAt !== null && one.uid !== row.uid).length
  const most = Math.max(1, Math.floor(rows.length * platform.guards.maxDeleteShare))
  if (row.deletingAt === null && leaving + 1 > most) {
    throw new RingfenceError('Guarded', `${leaving} of ${rows.length} tenants are being removed already; the platform allows ${most} at a time (guards.maxDeleteShare)`)
  }
  return store.transact(async (tx) => {
    const current = await findTenant(tx, name)
    if (current === undefined || current.uid !== row.uid) throw new RingfenceError('Conflict', `tenant ${name} was changed meanwhile`)
    const marked = await markDeleting(tx, row.uid)
    await appendAudit(tx, [{ ...factOf(caller, row, 'tenant.remove'), severity: 'warning', classification: 'confidential' }])
    await announce(tx, row, 'Removing', `${name} is being removed`)
    await trigger(tx, [row.uid], 'removed')
    return marked
  })
}

const announce = (tx: StoreTransaction, row: TenantRow, reason: string, message: string, type: 'phase' | 'warning' = 'phase') =>
  appendEvents(tx, [{ tenant: row.name, type, reason, message }])
