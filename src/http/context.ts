/** What every route is given: the control plane, who calls, and where streams end when the server closes. */
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, FastifyTypeProvider, RawServerDefault } from 'fastify'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { z } from 'zod'
import type { Caller, ControlPlane } from '../engine/control-plane.ts'
import { tenantName } from '../model/scalars.ts'
import { problem } from './schemas.ts'

/** Requests have the types of their schemas. Answers are the control plane's own types; tests hold them to theirs. */
export interface RouteTypes extends FastifyTypeProvider {
  validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown
  serializer: unknown
}

export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, RouteTypes>

export interface RouteContext {
  readonly controlPlane: ControlPlane
  readonly callerOf: (request: FastifyRequest) => Caller
  /** Aborts when the server begins to close. */
  readonly closing: AbortSignal
  readonly heartbeatMs: number
  readonly maxStreams: number
}

export const byName = z.strictObject({ name: tenantName })
/** Opaque cursors and limits of lists. */
export const paging = {
  limit: z.coerce.number().int().min(1).max(500).default(100),
  after: z.string().min(1).max(512).optional(),
}

export const conditional = {
  ifMatch: z.looseObject({ 'if-match': z.string().optional().describe('The ETag that was seen.') }),
  write: z.looseObject({
    'if-match': z.string().optional().describe('The ETag that was seen.'),
    'idempotency-key': z.string().optional().describe('8 to 128 visible characters; bound to caller, route and body.'),
  }),
  keyed: z.looseObject({
    'idempotency-key': z.string().optional().describe('8 to 128 visible characters; bound to caller, route and body.'),
  }),
}

/** An answer as JSON, in words. */
export const answers = (description: string, schema: z.ZodType) => ({
  description,
  content: { 'application/json': { schema } },
})
const fault = (description: string) => ({ description, content: { 'application/problem+json': { schema: problem } } })
/** Types of the bodies that carry a document. */
export const documents = ['application/json', 'application/yaml']

/** The refusals that every route behind the token shares. */
export const refusals = {
  400: fault('The request is not understood.'),
  401: fault('No token, or not the one of this server.'),
  403: fault('Another web origin, or not allowed.'),
  421: fault('Not a Host that this server answers for.'),
  500: fault('An internal fault.'),
  503: fault('A service that this needs is not there yet.'),
} as const
export const more = {
  notFound: { 404: fault('No such tenant.') },
  conflict: { 409: fault('Something else is there, or the world moved.') },
  stale: { 412: fault('The ETag sent is not the current one.') },
  unconditional: { 428: fault('Send If-Match, or force=true.') },
  invalid: {
    413: fault('The body is too large.'),
    415: fault('Neither JSON nor YAML.'),
    422: fault('The document is not valid; `problems` lists everything.'),
  },
} as const
