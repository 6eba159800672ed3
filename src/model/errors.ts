/**
 * The one error type and the closed list of what can go wrong. Drivers classify into a code, the engine decides on
 * the code alone, the HTTP room maps it; nobody reads message texts.
 */
export interface ErrorTraits {
  /** HTTP status of the problem+json answer. */
  readonly status: number
  /** What the engine does next: `never` needs a person or a new document, `soon` waits on the world, `backoff` on a fault. */
  readonly retry: 'never' | 'soon' | 'backoff'
}

export const errorTraits = {
  /** A document or argument is wrong; `problems` lists every path, reason and fix. */
  InvalidDocument: { status: 422, retry: 'never' },
  Usage: { status: 400, retry: 'never' },
  NotFound: { status: 404, retry: 'never' },
  /** Something of that name is there with other content. */
  AlreadyExists: { status: 409, retry: 'never' },
  /** The resource version sent is not the current one. */
  Conflict: { status: 409, retry: 'backoff' },
  PreconditionRequired: { status: 428, retry: 'never' },
  PreconditionFailed: { status: 412, retry: 'never' },
  /** A derived name is held by another tenant, or by an object that is not ours. */
  NameConflict: { status: 409, retry: 'backoff' },
  /** The world or the tenant changed after the plan was made. */
  WorldMoved: { status: 409, retry: 'never' },
  /** The document asks for something that no configured backend serves. */
  NotConfigured: { status: 422, retry: 'backoff' },
  /** A server that is still being acquired, an output not there yet, an object still coming up. */
  Waiting: { status: 503, retry: 'soon' },
  Unauthenticated: { status: 401, retry: 'backoff' },
  Forbidden: { status: 403, retry: 'backoff' },
  /** The backend understood and refused the content (400, 422, SQLSTATE 22/42 …). */
  Rejected: { status: 502, retry: 'backoff' },
  RateLimited: { status: 429, retry: 'backoff' },
  Timeout: { status: 504, retry: 'backoff' },
  /** Connection refused or reset, name not resolved, TLS refused. */
  Unreachable: { status: 502, retry: 'backoff' },
  /** The backend answered with a fault of its own (5xx). */
  BackendFault: { status: 502, retry: 'backoff' },
  Aborted: { status: 503, retry: 'soon' },
  LeaseLost: { status: 503, retry: 'soon' },
  /** The store refused a write under an old fencing token. */
  StaleFence: { status: 503, retry: 'soon' },
  StoreUnavailable: { status: 503, retry: 'backoff' },
  /** The audit entry could not be written, so the change was not made. */
  AuditUnavailable: { status: 503, retry: 'backoff' },
  /** What the backend holds could not be understood; never read as absent or fine. */
  Unreadable: { status: 502, retry: 'backoff' },
  /** A guard refused a deletion (mass deletion, retained data, foreign object). */
  Guarded: { status: 409, retry: 'never' },
  Internal: { status: 500, retry: 'backoff' },
} as const satisfies Record<string, ErrorTraits>

export type ErrorCode = keyof typeof errorTraits

/** One thing that is wrong with a document, in the words of the person who wrote it. */
export interface Problem {
  /** RFC 6901 pointer into the document. */
  readonly path: string
  readonly reason: string
  /** What to do about it, with the nearest known name where there is one. */
  readonly fix: string
}

export interface ErrorFacts {
  /** What it was about: an address, a URL without credentials, an SQLSTATE. Never a secret or a person's data. */
  readonly [fact: string]: string | number | boolean | readonly Problem[] | undefined
  readonly problems?: readonly Problem[]
  /** How long the backend asked us to stay away, in milliseconds. */
  readonly retryAfterMs?: number
}

export class RingfenceError extends Error {
  readonly code: ErrorCode
  readonly facts: ErrorFacts

  constructor(code: ErrorCode, message: string, facts: ErrorFacts = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'RingfenceError'
    this.code = code
    this.facts = facts
  }
}

export const isRingfenceError = (error: unknown): error is RingfenceError => error instanceof RingfenceError

/** Wraps whatever was thrown, once; an error that is already classified passes unchanged. */
export function toRingfenceError(error: unknown, code: ErrorCode = 'Internal'): RingfenceError {
  if (isRingfenceError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  return new RingfenceError(code, message, {}, error)
}
