/**
 * Turns what an API server answers, or fails to answer, into the closed error codes. Knows HTTP and the `Status`
 * object; knows nothing about what the caller wanted to do.
 */
import { RingfenceError, type ErrorCode, type ErrorFacts } from '../../model/errors.ts'
import { isObject, type JsonObject } from '../../model/json.ts'

/** The parts of `meta/v1 Status` that decide a code. */
interface Status {
  readonly reason: string
  readonly message: string
  readonly causes: readonly string[]
  readonly retryAfterSeconds?: number
  readonly about?: string
}

/** What was asked, for messages: never a body, never a query that could hold a value. */
export interface Asked {
  readonly method: string
  readonly path: string
}

/**
 * Whether a request that failed with this error may all the same have been carried out. Connections that were never
 * made and requests that the server turned away at the door were not; everything lost on the way may have been.
 */
export const mayHaveHappened = (error: RingfenceError): boolean => error.facts['sent'] === true

/** Classifies an HTTP answer of 400 and above. `body` is the text as received, at most a few kilobytes of it matter. */
export function answerError(
  asked: Asked,
  httpStatus: number,
  headers: { readonly [name: string]: unknown },
  body: string,
): RingfenceError {
  const status = parseStatus(body)
  const code = codeOf(httpStatus, status)
  const retryAfterMs =
    retryAfter(headers['retry-after']) ??
    (status?.retryAfterSeconds === undefined ? undefined : status.retryAfterSeconds * 1000)
  const facts: ErrorFacts = {
    httpStatus,
    method: asked.method,
    path: asked.path,
    ...(status ? { reason: status.reason } : {}),
    ...(status?.about === undefined ? {} : { about: status.about }),
    ...(status && status.causes.length > 0 ? { cause: status.causes.join(' ') } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    ...(httpStatus >= 500 && httpStatus !== 503 && !refusedByWebhook(status) ? { sent: true } : {}),
  }
  const text = status?.message || body.slice(0, 200).trim() || `HTTP ${httpStatus}`
  return new RingfenceError(code, `${asked.method} ${asked.path}: ${text}`, facts)
}

/**
 * 404 is said by a handler (`Status` NotFound about an object) or by the router (no `Status`, or one that names no
 * object): only the former means that the object is absent.
 */
function codeOf(httpStatus: number, status: Status | undefined): ErrorCode {
  switch (httpStatus) {
    case 401:
      return 'Unauthenticated'
    case 403:
      return status?.causes.includes('NamespaceTerminating') ? 'Waiting' : 'Forbidden'
    case 404:
      return status?.reason === 'NotFound' && status.about !== undefined ? 'NotFound' : 'NotConfigured'
    case 409:
      return status?.reason === 'AlreadyExists' ? 'AlreadyExists' : 'Conflict'
    case 410:
      return 'Conflict'
    case 429:
      return 'RateLimited'
    case 504:
      return 'Timeout'
    default:
      return httpStatus >= 500 ? 'BackendFault' : 'Rejected'
  }
}

const refusedByWebhook = (status: Status | undefined): boolean =>
  status?.reason === 'InternalError' && status.message.includes('failed calling webhook')

function parseStatus(body: string): Status | undefined {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return undefined
  }
  return isObject(parsed) && parsed['kind'] === 'Status' ? statusOf(parsed) : undefined
}

/** Reads a `Status` object, as found in answers and in the `ERROR` events of a watch. */
export function statusOf(object: JsonObject): Status {
  const details = isObject(object['details']) ? object['details'] : {}
  const causes = Array.isArray(details['causes']) ? (details['causes'] as JsonObject[]) : []
  const name = details['name']
  const seconds = details['retryAfterSeconds']
  return {
    reason: typeof object['reason'] === 'string' ? object['reason'] : '',
    message: typeof object['message'] === 'string' ? object['message'] : '',
    causes: causes.map((cause) => String(cause['reason'] ?? '')),
    ...(typeof seconds === 'number' && seconds > 0 ? { retryAfterSeconds: seconds } : {}),
    ...(typeof name === 'string' && name !== '' ? { about: `${String(details['kind'] ?? '')}/${name}` } : {}),
  }
}

/** RFC 9110 §10.2.3: seconds or an HTTP date. Milliseconds, or undefined when there is none that can be read. */
export function retryAfter(header: unknown, nowMs: number = Date.now()): number | undefined {
  const text = Array.isArray(header) ? String(header[0]) : typeof header === 'string' ? header : undefined
  if (text === undefined) return undefined
  if (/^\d+$/.test(text.trim())) return Number(text.trim()) * 1000
  const date = Date.parse(text)
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs)
}

const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
])
const timeouts = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'UND_ERR_CONNECT_TIMEOUT', 'ETIMEDOUT'])

/** Classifies a failure of the transport. `ended` says why we gave up ourselves, if we did. */
export function transportError(
  asked: Asked,
  error: unknown,
  ended: 'aborted' | 'deadline' | undefined,
  started: boolean,
): RingfenceError {
  const errorCode = codeIn(error)
  const sent = started && !(errorCode !== undefined && (neverSent.has(errorCode) || errorCode.startsWith('ERR_TLS')))
  const facts: ErrorFacts = {
    method: asked.method,
    path: asked.path,
    ...(errorCode ? { errno: errorCode } : {}),
    ...(sent ? { sent: true } : {}),
  }
  const what = `${asked.method} ${asked.path}`
  if (ended === 'aborted') return new RingfenceError('Aborted', `${what}: given up by the caller`, facts, error)
  if (ended === 'deadline' || (errorCode !== undefined && timeouts.has(errorCode))) {
    return new RingfenceError('Timeout', `${what}: no answer in time`, facts, error)
  }
  return new RingfenceError(
    'Unreachable',
    `${what}: ${error instanceof Error ? error.message : 'connection failed'}`,
    facts,
    error,
  )
}

function codeIn(error: unknown): string | undefined {
  for (let inner = error, depth = 0; inner instanceof Error && depth < 4; inner = inner.cause, depth++) {
    const code = (inner as { code?: unknown }).code
    if (typeof code === 'string') return code
  }
  return undefined
}
