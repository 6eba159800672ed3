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
import type { Database, StoreConnection, StoreTransaction } from '../store/connection.ts'
import { appendEvents } from '../store/ledger.ts'
import { trigger } from '../store/leases.ts'
import {
  claimNames,
  insertTenant,
  listTenants,
  lockTenants,
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
  apply(
    input: unknown,
    caller: Caller,
    ifMatch?: string,
  ): Promise<{ row: TenantRow; outcome: 'created' | 'changed' | 'unchanged' }>
  remove(name: string, confirm: string, caller: Caller, ifMatch?: string): Promise<TenantRow>
  /** A checked document and the tenant that it would change, if there is one. */
  admit(input: unknown): Promise<{ document: TenantDocument; before: TenantRow | undefined }>
}

export const documentDigest = (document: TenantDocument): string =>
  createHash('sha256').update(canonicalJson(document)).digest('hex')

export function createTenantService(store: StoreConnection, products: Products): TenantService {
  const platform = () => products.context.platform
  const judge = (document: TenantDocument, rows: readonly TenantRow[]) => {
    const before = rows.find((row) => row.name === document.metadata.name)
    admitTenant(document, {
      platform: platform(),
      facts: products.context.facts,
      others: rows.filter((row) => row !== before).map(otherTenant),
      ...(before === undefined ? {} : { existing: tenantOf(before) }),
    })
    return { document, before }
  }
  const alone = oneAtATime(store)
  return {
    admit: async (input) => judge(parseTenant(input), await allTenants(store)),
    async create(input, caller) {
      const parsed = parseTenant(input)
      return alone(async (tx) => {
        const { document, before } = judge(parsed, await everyTenant(tx))
        if (before !== undefined) return { row: sameOrRefuse(before, document), created: false }
        return { row: await insert(tx, platform(), document, caller), created: true }
      })
    },
    async apply(input, caller, ifMatch) {
      const parsed = parseTenant(input)
      return alone(async (tx) => {
        const { document, before } = judge(parsed, await everyTenant(tx))
        if (before === undefined) {
          if (ifMatch !== undefined)
            throw new RingfenceError('PreconditionFailed', `tenant ${document.metadata.name} does not exist`)
          return { row: await insert(tx, platform(), document, caller), outcome: 'created' as const }
        }
        requireVersion(before, ifMatch)
        if (before.deletingAt !== null) throw new RingfenceError('Conflict', `tenant ${before.name} is being removed`)
        if (before.digest === documentDigest(document)) return { row: before, outcome: 'unchanged' as const }
        return { row: await change(tx, before, document, caller), outcome: 'changed' as const }
      })
    },
    async remove(name, confirm, caller, ifMatch) {
      if (confirm !== name) throw new RingfenceError('Guarded', `to remove tenant ${name}, confirm by its exact name`)
      return alone((tx) => remove(tx, platform(), name, caller, ifMatch))
    },
  }
}

/**
 * Runs the acts on tenants one after the other: within this process in turn, so that those who wait hold no connection,
 * and across replicas under a lock.
 */
function oneAtATime(store: StoreConnection): <T>(act: (tx: StoreTransaction) => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve()
  return (act) => {
    const mine = last.then(() =>
      store.transact(async (tx) => {
        await lockTenants(tx)
        return act(tx)
      }),
    )
    last = mine.catch(() => undefined)
    return mine
  }
}

/** Every live tenant: documents are judged beside all others. */
export const allTenants = (store: StoreConnection): Promise<readonly TenantRow[]> => store.run(everyTenant)

async function everyTenant(db: Database | StoreTransaction): Promise<readonly TenantRow[]> {
  const rows: TenantRow[] = []
  for (;;) {
    const last = rows.at(-1)?.name
    const page = await listTenants(db, { limit: 1_000, ...(last === undefined ? {} : { after: last }) })
    rows.push(...page)
    if (page.length < 1_000) return rows
  }
}

function sameOrRefuse(before: TenantRow, document: TenantDocument): TenantRow {
  if (before.deletingAt !== null)
    throw new RingfenceError('AlreadyExists', `tenant ${before.name} is being removed; wait until it is gone`)
  if (before.digest === documentDigest(document)) return before
  throw new RingfenceError('AlreadyExists', `tenant ${before.name} exists with other content; use apply to change it`)
}

function requireVersion(row: TenantRow, ifMatch: string | undefined): void {
  if (ifMatch === undefined || ifMatch === String(row.resourceVersion)) return
  throw new RingfenceError('PreconditionFailed', `tenant ${row.name} was changed since you read it; read it again`, {
    resourceVersion: row.resourceVersion,
  })
}

const factOf = (
  caller: Caller,
  row: { uid: string; name: string },
  action: string,
  details: AuditFact['details'] = {},
): AuditFact => ({
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

async function insert(
  tx: StoreTransaction,
  platform: PlatformSpec,
  document: TenantDocument,
  caller: Caller,
): Promise<TenantRow> {
  const uid = randomUUID()
  const { name } = document.metadata
  const names = resolveNames(platform, { name, slug: slugOf({ name, spec: document.spec }), uid, spec: document.spec })
  const claims = claimsOf(names, { databases: document.spec.database.mode === 'shared' })
  const row = await insertTenant(tx, { uid, name, document, digest: documentDigest(document), names }, claims)
  await appendAudit(tx, [factOf(caller, row, 'tenant.create', { names: { ...names }, digest: row.digest })])
  await announce(tx, row, 'Created', `${name} was declared`)
  await trigger(tx, [uid], 'created')
  return row
}

async function change(
  tx: StoreTransaction,
  before: TenantRow,
  document: TenantDocument,
  caller: Caller,
): Promise<TenantRow> {
  const slugBefore = slugOf({ name: before.name, spec: before.document.spec })
  const slug = slugOf({ name: before.name, spec: document.spec })
  const row = await replaceDocument(tx, before.uid, before.resourceVersion, document, documentDigest(document))
  await claimLate(tx, before, document)
  const facts = [factOf(caller, row, 'tenant.change', { generation: row.generation, digest: row.digest })]
  if (slug !== slugBefore) {
    facts.push({
      ...factOf(caller, row, 'tenant.slug.rename', { namespaceUnchanged: true, namespace: row.names.namespace }),
      severity: 'warning',
    })
    await announce(
      tx,
      row,
      'SlugRenamed',
      `the slug was renamed; namespace ${row.names.namespace} and all other names stay as they are`,
      'warning',
    )
  }
  await appendAudit(tx, facts)
  await announce(tx, row, 'Changed', `generation ${row.generation}`)
  await trigger(tx, [row.uid], 'changed')
  return row
}

/** Names that the tenant did not need until now are claimed before anything of that name is made. */
async function claimLate(tx: StoreTransaction, before: TenantRow, document: TenantDocument): Promise<void> {
  if (document.spec.database.mode !== 'shared') return
  await claimNames(tx, before.uid, claimsOf(before.names, { databases: true }))
}

async function remove(
  tx: StoreTransaction,
  platform: PlatformSpec,
  name: string,
  caller: Caller,
  ifMatch: string | undefined,
): Promise<TenantRow> {
  const rows = await everyTenant(tx)
  const row = rows.find((one) => one.name === name)
  if (row === undefined) throw new RingfenceError('NotFound', `tenant ${name} does not exist`)
  requireVersion(row, ifMatch)
  const leaving = rows.filter((one) => one.deletingAt !== null && one.uid !== row.uid).length
  const most = Math.max(1, Math.floor(rows.length * platform.guards.maxDeleteShare))
  if (row.deletingAt === null && leaving + 1 > most) {
    throw new RingfenceError(
      'Guarded',
      `${leaving} of ${rows.length} tenants are being removed already; the platform allows ${most} at a time (guards.maxDeleteShare)`,
    )
  }
  const marked = await markDeleting(tx, row.uid)
  await appendAudit(tx, [
    { ...factOf(caller, row, 'tenant.remove'), severity: 'warning', classification: 'confidential' },
  ])
  await announce(tx, row, 'Removing', `${name} is being removed`)
  await trigger(tx, [row.uid], 'removed')
  return marked
}

const announce = (
  tx: StoreTransaction,
  row: TenantRow,
  reason: string,
  message: string,
  type: 'phase' | 'warning' = 'phase',
) => appendEvents(tx, [{ tenant: row.name, type, reason, message }])
