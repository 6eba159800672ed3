/**
 * Errors on the wire: RFC 9457 problem details with a stable code. Status and code come from one table; what nobody
 * classified leaves as `Internal` without its text, which stays in the log under the request id.
 */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod'
import { errorTraits, isRingfenceError, RingfenceError } from '../model/errors.ts'
import type { ErrorCode, Problem } from '../model/errors.ts'

export const problemType = 'application/problem+json; charset=utf-8'

export interface ProblemDocument {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly code: ErrorCode
  readonly requestId: string
  readonly problems?: readonly Problem[]
}

/** An error that HTTP itself has a status for (413, 415, 421 …), which the table of codes does not know. */
export class HttpProblem extends RingfenceError {
  readonly status: number

  constructor(status: number, code: ErrorCode, message: string) {
    super(code, message)
    this.status = status
  }
}

/** `WorldMoved` → `World moved`. */
const titleOf = (code: ErrorCode): string => code.replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

/** The document for an error that is already classified. `Internal` never shows its message. */
export function problemOf(error: RingfenceError, requestId: string): ProblemDocument {
  const { code } = error
  return {
    type: `urn:ringfence:error:${code}`,
    title: titleOf(code),
    status: error instanceof HttpProblem ? error.status : errorTraits[code].status,
    detail:
      code === 'Internal' ? `An internal fault. The server's log has it under request id ${requestId}.` : error.message,
    code,
    requestId,
    ...(error.facts.problems ? { problems: error.facts.problems } : {}),
  }
}

const where: Record<string, string> = {
  querystring: 'query parameter',
  params: 'path parameter',
  headers: 'header',
  body: 'body field',
}

/** A failed schema check of the request's own parts, in the words of the caller. */
function validationProblems(error: FastifyError): RingfenceError {
  const part = where[error.validationContext ?? ''] ?? 'field'
  const problems = (error.validation ?? []).map((issue): Problem => {
    const unknown = (issue.params as { keys?: readonly string[] }).keys
    return {
      path: issue.instancePath === '/' ? '' : issue.instancePath,
      reason: unknown ? `unknown ${part}: ${unknown.join(', ')}` : (issue.message ?? 'is not valid'),
      fix: `See this route's ${part}s in /openapi.json.`,
    }
  })
  const code = error.validationContext === 'body' ? 'InvalidDocument' : 'Usage'
  const count = problems.length === 1 ? `A ${part} is` : `${problems.length} ${part}s are`
  return new RingfenceError(code, `${count} not valid.`, { problems })
}

/** Brings whatever a handler, a hook or the framework threw into the one error type. */
export function classify(error: unknown): RingfenceError {
  if (isRingfenceError(error)) return error
  if (hasZodFastifySchemaValidationErrors(error)) return validationProblems(error)
  const { statusCode, message } = error as Partial<FastifyError>
  if (typeof statusCode === 'number' && statusCode >= 400 && statusCode < 500) {
    return new HttpProblem(statusCode, 'Usage', message ?? 'The request is not valid.')
  }
  return new RingfenceError('Internal', 'unclassified', {}, error)
}

/** Answers with a problem; also logs what the caller is not told. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const classified = classify(error)
  const document = problemOf(classified, request.id)
  if (document.status >= 500)
    request.log.error({ err: classified.cause ?? classified, code: classified.code }, 'request failed')
  if (classified.code === 'Unauthenticated') void reply.header('www-authenticate', 'Bearer realm="ringfence"')
  if (classified.facts.retryAfterMs !== undefined) {
    void reply.header('retry-after', String(Math.max(1, Math.ceil(classified.facts.retryAfterMs / 1000))))
  }
  return reply.code(document.status).header('content-type', problemType).serializer(JSON.stringify).send(document)
}
