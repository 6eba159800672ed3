/** Appends to the audit log within the caller's transaction, so that a change and its entry stand or fall together. */
import { sql } from 'kysely'
import { type AuditFact, genesisHash, hashOf, seal } from '../audit/entry.ts'
import { RingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'
import type { Database, StoreTransaction } from './connection.ts'

export interface AuditRow {
  readonly sequence: number
  readonly chain: string
  readonly body: JsonObject
  readonly hash: string
  readonly previousHash: string
}

/**
 * Appends facts, each to its chain, in the order given. Heads are locked in the order of their names, so that two
 * writers cannot wait for each other. Throws `AuditUnavailable`, which must end the caller's transaction.
 */
export async function appendAudit(tx: StoreTransaction, facts: readonly AuditFact[]): Promise<void> {
  if (facts.length === 0) return
  try {
    const byChain = Map.groupBy(facts, (fact) => fact.chain)
    for (const chain of [...byChain.keys()].toSorted()) {
      const { rows } = await sql<{ position: number; hash: string; now: Date }>`
        insert into ringfence.audit_heads as head (chain, position, hash) values (${chain}, 0, ${genesisHash})
        on conflict (chain) do update set position = head.position
        returning position, hash, clock_timestamp() as now`.execute(tx)
      const head = rows[0]
      if (head === undefined) throw new Error('the head of the chain was not returned')
      const sealed = seal(byChain.get(chain) ?? [], head, head.now.toISOString())
      const last = sealed.at(-1)
      if (last === undefined) continue
      await sql`
        with entries as (
          insert into ringfence.audit (chain, position, body, hash, previous_hash)
          select ${chain}::text, position::bigint, body, hash, previous_hash
          from unnest(${texts(sealed.map(({ position }) => String(position)))}, ${texts(sealed.map(({ body }) => body))},
            ${texts(sealed.map((entry) => entry.hash))}, ${texts(sealed.map((entry) => entry.previousHash))})
            as new (position, body, hash, previous_hash)
          order by position::bigint)
        update ringfence.audit_heads set position = ${last.position}, hash = ${last.hash} where chain = ${chain}`.execute(
        tx,
      )
    }
  } catch (error) {
    throw new RingfenceError(
      'AuditUnavailable',
      'the audit entry could not be written, so the change was not made',
      {},
      error,
    )
  }
}

const texts = (values: readonly string[]) => sql`${sql.val(values)}::text[]`

/** Entries after a sequence, oldest first; of one chain when given. An entry whose text does not give its hash throws. */
export async function readAudit(
  db: Database,
  query: { readonly chain?: string; readonly after: number; readonly limit: number },
): Promise<readonly AuditRow[]> {
  let select = db.selectFrom('ringfence.audit').selectAll().where('sequence', '>', query.after)
  if (query.chain !== undefined) select = select.where('chain', '=', query.chain)
  const rows = await select.orderBy('sequence').limit(query.limit).execute()
  return rows.map((row) => {
    if (hashOf(row.body) !== row.hash) {
      throw new RingfenceError('Unreadable', `audit entry ${row.sequence} does not match its hash: it was altered`, {
        sequence: row.sequence,
      })
    }
    return {
      sequence: row.sequence,
      chain: row.chain,
      body: JSON.parse(row.body) as JsonObject,
      hash: row.hash,
      previousHash: row.previous_hash,
    }
  })
}
