/**
 * Who may speak to the API at all: the Host allow-list (against DNS rebinding), no foreign web origin, and the bearer
 * token. Runs before routing decides anything, so that an unknown caller learns nothing but the refusal.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RingfenceError } from '../model/errors.ts'
import type { DenialReason } from './denials.ts'
import { HttpProblem } from './problem.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answered without a token. Only the health route is. */
    readonly open?: boolean
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()

/** Tokens are compared as digests, so that neither length nor a common prefix shows in the time it takes. */
export const sameSecret = (a: string, b: string): boolean => timingSafeEqual(digest(a), digest(b))

/** Pseudonym of whoever holds a token: stable for its life, and worthless for finding it. */
export const pseudonymOf = (token: string): string =>
  `operator:${digest(`actor:${token}`).toString('hex').slice(0, 16)}`

/** Whether a Host header is on the list. An entry without port stands for every port of that name. */
export function hostAllowed(host: string | undefined, allowed: readonly string[]): boolean {
  const [whole, name] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d{1,5})?$/.exec(host?.toLowerCase() ?? '') ?? []
  return whole !== undefined && allowed.some((entry) => entry.toLowerCase() === whole || entry.toLowerCase() === name)
}

/** A browser names the page a request comes from; only pages of this very server may. */
function originForeign(request: FastifyRequest, allowed: readonly string[]): boolean {
  const { origin, 'sec-fetch-site': site, host } = request.headers
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
  if (origin === undefined) return false
  const own = origin.match(/^https?:\/\/([^/]+)$/i)?.[1]?.toLowerCase()
  return own === undefined || own !== host?.toLowerCase() || !hostAllowed(own, allowed)
}

/** RFC 6750 §2.1: the scheme is case-insensitive, one token follows. */
const bearerOf = (request: FastifyRequest): string | undefined =>
  request.headers.authorization?.match(/^bearer ([\x21-\x7e]+)$/i)?.[1]

export interface GuardOptions {
  readonly token: string
  readonly allowedHosts: readonly string[]
  readonly onDenied: (reason: DenialReason, requestId: string) => void
}

/** Installs the three checks. A token under 32 characters is refused, so that none is ever guessed or empty. */
export function guard(app: FastifyInstance, { token, allowedHosts, onDenied }: GuardOptions): void {
  if (token.length < 32) throw new RingfenceError('Usage', 'The API token must have at least 32 characters.')
  const deny = (reason: DenialReason, request: FastifyRequest, error: RingfenceError): never => {
    onDenied(reason, request.id)
    throw error
  }
  app.addHook('onRequest', async (request) => {
    if (!hostAllowed(request.headers.host, allowedHosts)) {
      deny(
        'foreign-host',
        request,
        new HttpProblem(
          421,
          'Forbidden',
          'This server does not answer for that Host. Use the address it was started on.',
        ),
      )
    }
    if (originForeign(request, allowedHosts)) {
      deny('foreign-origin', request, new RingfenceError('Forbidden', 'Requests from another web origin are refused.'))
    }
    if (request.routeOptions.config?.open === true) return
    const sent = bearerOf(request)
    if (sent === undefined) {
      deny(
        'missing-token',
        request,
        new RingfenceError('Unauthenticated', 'Send the API token: Authorization: Bearer <token>.'),
      )
    } else if (!sameSecret(sent, token)) {
      deny(
        'wrong-token',
        request,
        new RingfenceError('Unauthenticated', 'The API token is not the one of this server.'),
      )
    }
  })
}
