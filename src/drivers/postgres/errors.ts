/**
 * Turns what PostgreSQL and the network say into the closed list of codes. Knows SQLSTATEs (manual, appendix A) and
 * Node's system errors; never carries statement texts or parameters, which may hold verifiers.
 */
import { RingfenceError, isRingfenceError, type ErrorCode } from '../../model/errors.ts'

const byState: { readonly [state: string]: ErrorCode } = {
  '42501': 'Forbidden',
  '42710': 'AlreadyExists',
  '42P04': 'AlreadyExists',
  '42P06': 'AlreadyExists',
  '23505': 'AlreadyExists',
  '42704': 'NotFound',
  '3D000': 'NotFound',
  '57014': 'Timeout',
  '55P03': 'Timeout',
  '25P03': 'Timeout',
  '25P04': 'Timeout',
  '40001': 'Conflict',
  '40P01': 'Conflict',
  '55006': 'Conflict',
  /** "database … is not currently accepting connections": closed by us or by a person. */
  '55000': 'Rejected',
  '53300': 'RateLimited',
  '57P01': 'Unreachable',
  '57P02': 'Unreachable',
  '57P03': 'Waiting',
  '57P05': 'Timeout',
  /** Two transactions changed one catalog row ("tuple concurrently updated"). */
  XX000: 'BackendFault',
}
const byClass: { readonly [state: string]: ErrorCode } = {
  '08': 'Unreachable',
  '28': 'Unauthenticated',
  '22': 'Rejected',
  '2B': 'Rejected',
  '42': 'Rejected',
  '40': 'Conflict',
  '53': 'BackendFault',
  '57': 'BackendFault',
  '58': 'BackendFault',
  XX: 'BackendFault',
}
const byErrno: { readonly [code: string]: ErrorCode } = {
  ETIMEDOUT: 'Timeout',
  EACCES: 'Unreachable',
  ECONNREFUSED: 'Unreachable',
  ECONNRESET: 'Unreachable',
  EHOSTUNREACH: 'Unreachable',
  ENETUNREACH: 'Unreachable',
  ENOENT: 'Unreachable',
  ENOTFOUND: 'Unreachable',
  EAI_AGAIN: 'Unreachable',
  EPIPE: 'Unreachable',
}

/** The SQLSTATE of an error that came from the server, through any wrapping of ours. */
export function sqlState(error: unknown): string | undefined {
  if (isRingfenceError(error)) return typeof error.facts['sqlstate'] === 'string' ? error.facts['sqlstate'] : undefined
  const code = (error as { code?: unknown } | undefined)?.code
  const severity = (error as { severity?: unknown } | undefined)?.severity
  return typeof code === 'string' && typeof severity === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Classifies once; `what` says what was tried, on what. */
export function classify(error: unknown, what: string, signal?: AbortSignal): RingfenceError {
  if (isRingfenceError(error)) return error
  const message = error instanceof Error ? error.message : String(error)
  const state = sqlState(error)
  if (signal?.aborted === true && (state === undefined || state === '57014')) {
    return new RingfenceError('Aborted', `${what}: given up because the work was called off`, {}, error)
  }
  if (state !== undefined) {
    const tuple = state === 'XX000' && /concurrently/.test(message)
    const code = tuple ? 'Conflict' : (byState[state] ?? byClass[state.slice(0, 2)] ?? 'Rejected')
    return new RingfenceError(code, `${what}: ${message} (SQLSTATE ${state})`, { sqlstate: state }, error)
  }
  const errno = (error as { code?: unknown } | undefined)?.code
  const certificate = typeof errno === 'string' && /CERT|TLS|SSL|UNABLE_TO_/.test(errno)
  const code =
    typeof errno === 'string' && byErrno[errno] !== undefined
      ? byErrno[errno]
      : certificate || /terminated|SSL|not queryable|closed/i.test(message)
        ? 'Unreachable'
        : /timeout/i.test(message)
          ? 'Timeout'
          : 'Internal'
  return new RingfenceError(
    /due to connection timeout/.test(message) ? 'Timeout' : code,
    `${what}: ${message}`,
    {},
    error,
  )
}

/** True where the server may have done the work although no answer came: nothing may be concluded from the error. */
export const outcomeUnknown = (error: RingfenceError): boolean =>
  sqlState(error) === undefined ||
  sqlState(error)?.startsWith('57P') === true ||
  sqlState(error)?.startsWith('08') === true
