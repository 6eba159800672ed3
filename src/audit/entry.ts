/**
 * The audit entry and its hash, pure. An entry names pseudonyms and paths, never people's data or values. Each tenant
 * has a chain of its own, so that it verifies without seeing another's; the platform's acts have one too.
 *
 * The hash covers the encoding version, the chain, the position in it and the previous hash. Signed checkpoints and a
 * Merkle tree over all chains can be added beside it without touching a stored entry.
 */
import { createHash } from 'node:crypto'
import type { JsonObject } from '../model/json.ts'
import { canonicalJson } from './canonical.ts'

export const encodingVersion = 1
/** The chain of acts that concern no single tenant. */
export const platformChain = 'platform'
/** What the first entry of a chain names as its predecessor. */
export const genesisHash = '0'.repeat(64)

export type Severity = 'info' | 'warning' | 'error'
export type Classification = 'public' | 'internal' | 'confidential'

/** What a caller says happened; position and hashes are added when it is appended. */
export interface AuditFact {
  /** A tenant's uid, or `platform`. */
  readonly chain: string
  /** Pseudonym of who acted: `system:engine`, `token:operator`. */
  readonly actor: string
  /** `tenant.create`, `resource.update.intent`, `resource.update.outcome`, `drift.found` … */
  readonly action: string
  /** Address or name of what was acted on. */
  readonly object: string
  readonly decision: 'allowed' | 'denied' | 'intended' | 'done' | 'failed' | 'recovered' | 'found'
  readonly severity: Severity
  readonly classification: Classification
  readonly details: JsonObject
  readonly requestId: string
}

export interface SealedEntry {
  readonly chain: string
  readonly position: number
  readonly previousHash: string
  readonly hash: string
  /** The exact text that was hashed; stored as it is and never written anew. */
  readonly body: string
}

export interface ChainHead {
  readonly position: number
  readonly hash: string
}

/** Appends facts to the head of their chain. `time` is RFC 3339 in UTC and the same for one batch. */
export function seal(facts: readonly AuditFact[], head: ChainHead, time: string): SealedEntry[] {
  let { position, hash } = head
  return facts.map((fact) => {
    position += 1
    const previousHash = hash
    const body = canonicalJson({ v: encodingVersion, ...fact, position, previousHash, time })
    hash = hashOf(body)
    return { chain: fact.chain, position, previousHash, hash, body }
  })
}

/** SHA-256 over a domain separator and the canonical text, in hex. */
export const hashOf = (body: string): string =>
  createHash('sha256').update('ringfence/audit/entry\n').update(body).digest('hex')
