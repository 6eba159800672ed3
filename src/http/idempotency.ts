/**
 * Idempotency keys (draft-ietf-httpapi-idempotency-key-header): a repeated write answers what the first one did. A key
 * is bound to caller, route with its conditions, and body; the control plane remembers and refuses another use.
 */
import { createHash } from 'node:crypto'
import canonicalize from 'canonicalize'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Caller, ControlPlane } from '../engine/control-plane.ts'
import { RingfenceError } from '../model/errors.ts'
import type { JsonObject } from '../model/json.ts'

export interface Answer {
  readonly status: number
  readonly body: JsonObject
}

/** The draft's quoted string, or the bare key that most clients send: 8 to 128 visible characters. */
function keyOf(request: FastifyRequest): string | undefined {
  const value = request.headers['idempotency-key']
  if (value === undefined) return undefined
  const key = String(value).match(/^(?:"([\x21\x23-\x7e]{8,128})"|([\x21\x23-\x7e]{8,128}))$/)
  if (!key) throw new RingfenceError('Usage', 'Idempotency-Key must be 8 to 128 visible ASCII characters, best a UUID.')
  return key[1] ?? key[2]
}

/** SHA-256 over the canonical form (RFC 8785), so that key order and YAML or JSON make no difference. */
export const bodyDigestOf = (body: unknown): string =>
  createHash('sha256')
    .update(canonicalize(body ?? null) ?? 'null')
    .digest('hex')

/** Method, path, query and preconditions: what else than the body decides about the effect. */
const routeOf = (request: FastifyRequest): string =>
  [request.method, request.url, request.headers['if-match'] ?? '', request.headers['if-none-match'] ?? '']
    .join(' ')
    .trimEnd()

/** Runs a write at most once per key; without a key it just runs. */
export async function once(
  controlPlane: ControlPlane,
  caller: Caller,
  request: FastifyRequest,
  reply: FastifyReply,
  run: () => Promise<Answer>,
): Promise<Answer> {
  const key = keyOf(request)
  if (key === undefined) return run()
  const bound = { caller: caller.actor, route: routeOf(request), key, bodyDigest: bodyDigestOf(request.body) }
  const { status, body, replayed } = await controlPlane.idempotent(bound, run)
  if (replayed) void reply.header('idempotency-replayed', 'true')
  return { status, body }
}
