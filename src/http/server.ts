/**
 * The HTTP server of the platform plane: guard, bodies, routes, problems. Holds no rule of its own about tenants, and
 * knows the control plane by its interface only. The tenant plane will be another server on another port.
 */
import { randomUUID } from 'node:crypto'
import Fastify, { LogController } from 'fastify'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import { validatorCompiler } from 'fastify-type-provider-zod'
import type { ControlPlane } from '../engine/control-plane.ts'
import { RingfenceError } from '../model/errors.ts'
import { printable } from '../model/printable.ts'
import { acceptBodies } from './bodies.ts'
import type { App, RouteContext, RouteTypes } from './context.ts'
import { denials } from './denials.ts'
import { guard, pseudonymOf } from './guard.ts'
import { describeRoutes } from './openapi.ts'
import { sendProblem } from './problem.ts'
import { eventRoutes } from './routes/events.ts'
import { planRoutes } from './routes/plans.ts'
import { platformRoutes } from './routes/platform.ts'
import { tenantRoutes } from './routes/tenants.ts'

export interface ServerOptions {
  readonly controlPlane: ControlPlane
  /** At least 32 characters; from a 0600 file, never logged. */
  readonly token: string
  /** Host header values that are answered for; without a port an entry stands for every port of that name. */
  readonly allowedHosts: readonly string[]
  readonly log?: FastifyBaseLogger
  readonly bodyLimitBytes?: number
  readonly heartbeatMs?: number
  /** Refusals are written to the audit log once per this time and reason. */
  readonly denialWindowMs?: number
  readonly maxStreams?: number
}

/** The names under which a server on loopback is reached. */
export const loopbackHosts = ['127.0.0.1', 'localhost', '[::1]'] as const

const securityHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
} as const

/** A caller's request id is kept where it is harmless in logs, so that a trace joins both sides. */
const requestIdOf = (sent: string | string[] | undefined): string =>
  typeof sent === 'string' && /^[A-Za-z0-9-]{8,64}$/.test(sent) ? sent : randomUUID()

function newApp(options: ServerOptions): App {
  const app = Fastify({
    ...(options.log ? { loggerInstance: options.log } : { logger: false }),
    bodyLimit: options.bodyLimitBytes ?? 1024 * 1024,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: (request) => requestIdOf(request.headers['x-request-id']),
    // HEAD of an event stream would never end.
    exposeHeadRoutes: false,
    requestTimeout: 30_000,
    forceCloseConnections: true,
    routerOptions: { maxParamLength: 128 },
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
  })
  // Response schemas describe and are tested; a stored document of an older schema must still be readable.
  app.setSerializerCompiler(() => JSON.stringify)
  // Documents are admitted by the control plane, which names every problem and the nearest known name.
  app.setValidatorCompiler((route) =>
    route.httpPart === 'body' && route.url !== '/v1/prove'
      ? (value: unknown) => ({ value })
      : validatorCompiler(route as never),
  )
  app.setErrorHandler((error, request, reply) => sendProblem(error, request, reply))
  app.setNotFoundHandler((request, reply) =>
    sendProblem(new RingfenceError('NotFound', 'There is no such route.'), request, reply),
  )
  return app.withTypeProvider<RouteTypes>()
}

/** One line a request, without headers, bodies or query values. */
function logRequests(app: App): void {
  app.addHook('onResponse', async (request, reply) => {
    const url = printable(request.routeOptions.url ?? request.url.split('?', 1)[0] ?? '')
    request.log.info(
      { method: request.method, url, status: reply.statusCode, ms: Math.round(reply.elapsedTime) },
      'request',
    )
  })
}

/** Builds the server; it does not listen yet (`listen`). `close()` ends event streams and writes counted denials. */
export function createServer(options: ServerOptions): FastifyInstance {
  const { controlPlane, token, allowedHosts } = options
  const app = newApp(options)
  const denied = denials(controlPlane, options.denialWindowMs ?? 10_000, (error) =>
    app.log.error({ err: error }, 'denials not audited'),
  )
  const closing = new AbortController()
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({ ...securityHeaders, 'x-request-id': request.id })
  })
  guard(app, { token, allowedHosts, onDenied: (reason, requestId) => denied.count(reason, requestId) })
  acceptBodies(app)
  logRequests(app)
  app.addHook('preClose', async () => closing.abort())
  app.addHook('onClose', async () => denied.flush())

  const actor = pseudonymOf(token)
  const context: RouteContext = {
    controlPlane,
    callerOf: (request: FastifyRequest) => ({ actor, requestId: request.id }),
    closing: closing.signal,
    heartbeatMs: options.heartbeatMs ?? 15_000,
    maxStreams: options.maxStreams ?? 256,
  }
  describeRoutes(app, controlPlane.version().ringfence)
  void app.register(async (scope) => {
    const routes = scope
    platformRoutes(routes, context)
    tenantRoutes(routes, context)
    planRoutes(routes, context)
    eventRoutes(routes, context)
    routes.get('/openapi.json', { schema: { hide: true } }, (_request, reply) => reply.send(app.swagger()))
  })
  return app
}

/** Listens, on loopback unless told otherwise, and answers the base URL. Port 0 takes a free one. */
export async function listen(
  app: FastifyInstance,
  { port, host = '127.0.0.1' }: { readonly port: number; readonly host?: string },
): Promise<string> {
  return app.listen({ port, host })
}
