/** Tenants as a collection: list, create, read, replace, remove. Conditions and idempotency are HTTP's; rules are not here. */
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { TenantView } from '../../engine/control-plane.ts'
import { isRingfenceError, RingfenceError } from '../../model/errors.ts'
import { isObject } from '../../model/json.ts'
import type { JsonObject } from '../../model/json.ts'
import { phases } from '../../model/status.ts'
import { answers, byName, conditional, documents, more, paging, refusals } from '../context.ts'
import type { App, RouteContext } from '../context.ts'
import { etagOf, matches, tagsOf } from '../etag.ts'
import { once } from '../idempotency.ts'
import type { Answer } from '../idempotency.ts'
import { tenant, tenantList, tenantView } from '../schemas.ts'

type Outcome = 'created' | 'changed' | 'unchanged'

const answer = (view: TenantView, outcome: Outcome): Answer => ({
  status: outcome === 'created' ? 201 : 200,
  body: { tenant: view as unknown as JsonObject, outcome },
})

/** Sends a remembered or fresh answer: the tenant as body, what happened to it as header. */
function sendTenant(reply: FastifyReply, { status, body }: Answer): FastifyReply {
  const view = body['tenant'] as unknown as TenantView
  if (typeof body['outcome'] === 'string') void reply.header('ringfence-outcome', body['outcome'])
  if (status === 201) void reply.header('location', `/v1/tenants/${view.metadata.name}`)
  return reply.code(status).header('etag', etagOf(view.metadata.resourceVersion)).send(view)
}

/** The document in a body must be the tenant of the path. */
export function checkName(body: unknown, name: string): void {
  const metadata = isObject(body) ? body['metadata'] : undefined
  const named = isObject(metadata) ? metadata['name'] : undefined
  if (typeof named !== 'string' || named === name) return
  const problems = [
    {
      path: '/metadata/name',
      reason: 'is not the tenant of the URL',
      fix: `Write ${name}, or use the URL of the other tenant.`,
    },
  ]
  throw new RingfenceError('InvalidDocument', 'The document is about another tenant than the URL.', { problems })
}

/** The version that an If-Match allows to write over, or a refusal. Only `*` and lists need to look first. */
async function versionToMatch(
  request: FastifyRequest,
  name: string,
  context: RouteContext,
): Promise<string | undefined> {
  const condition = tagsOf(request, 'if-match')
  if (condition === undefined) return undefined
  if (condition !== '*' && condition.length === 1) return condition[0]
  const current = await context.controlPlane.get(name).catch((error: unknown) => {
    if (isRingfenceError(error) && error.code === 'NotFound') throw stale(name)
    throw error
  })
  if (!matches(condition, current.metadata.resourceVersion)) throw stale(name)
  return current.metadata.resourceVersion
}

const stale = (name: string): RingfenceError =>
  new RingfenceError(
    'PreconditionFailed',
    `Tenant ${name} is not at the version of If-Match. Read it again and decide anew.`,
  )

/** With a condition, a tenant that is not there is a condition that failed. */
async function conditionally<T>(name: string, ifMatch: string | undefined, run: () => Promise<T>): Promise<T> {
  try {
    return await run()
  } catch (error) {
    if (ifMatch !== undefined && isRingfenceError(error) && error.code === 'NotFound') throw stale(name)
    throw error
  }
}

/**
 * PUT. With If-Match it replaces that version; with `force=true` whatever is there; with `If-None-Match: *` it only
 * creates. Without any of them it creates or confirms, and answers 428 rather than overwrite what it has not seen.
 */
async function put(request: FastifyRequest, name: string, force: boolean, context: RouteContext): Promise<Answer> {
  const { controlPlane } = context
  const caller = context.callerOf(request)
  const ifMatch = await versionToMatch(request, name, context)
  if (ifMatch !== undefined || force) {
    const { tenant: view, outcome } = await conditionally(name, ifMatch, () =>
      controlPlane.apply(request.body, caller, ifMatch),
    )
    return answer(view, outcome)
  }
  const onlyCreate = tagsOf(request, 'if-none-match') !== undefined
  const exists = (): RingfenceError =>
    onlyCreate
      ? new RingfenceError('PreconditionFailed', `Tenant ${name} exists already.`)
      : new RingfenceError(
          'PreconditionRequired',
          `Tenant ${name} exists with other content. Send If-Match with its ETag, or force=true.`,
        )
  try {
    const { tenant: view, created } = await controlPlane.create(request.body, caller)
    if (!created && onlyCreate) throw exists()
    return answer(view, created ? 'created' : 'unchanged')
  } catch (error) {
    if (isRingfenceError(error) && error.code === 'AlreadyExists') throw exists()
    throw error
  }
}

function reads(app: App, context: RouteContext): void {
  const { controlPlane } = context
  app.get(
    '/v1/tenants',
    {
      schema: {
        operationId: 'listTenants',
        summary: 'List tenants',
        tags: ['tenants'],
        querystring: z.strictObject({ phase: z.enum(phases).optional(), ...paging }),
        response: { 200: answers('One page of tenants.', tenantList), ...refusals },
      },
    },
    async (request, reply) => {
      const { phase, limit, after } = request.query
      const page = await controlPlane.list({ limit, ...(phase ? { phase } : {}), ...(after ? { after } : {}) })
      if (page.next !== undefined) {
        const next = new URLSearchParams({ limit: String(limit), after: page.next, ...(phase ? { phase } : {}) })
        void reply.header('link', `</v1/tenants?${next.toString()}>; rel="next"`)
      }
      return reply.send(page)
    },
  )
  app.get(
    '/v1/tenants/:name',
    {
      schema: {
        operationId: 'getTenant',
        summary: 'Read one tenant',
        tags: ['tenants'],
        params: byName,
        response: { 200: answers('The tenant; its ETag is in the header.', tenantView), ...refusals, ...more.notFound },
      },
    },
    async (request, reply) => {
      const view = await controlPlane.get(request.params.name)
      // No 304: the tag is that of spec and labels, and the status beside them may have moved.
      return reply.header('etag', etagOf(view.metadata.resourceVersion)).send(view)
    },
  )
}

function writes(app: App, context: RouteContext): void {
  const { controlPlane } = context
  app.post(
    '/v1/tenants',
    {
      schema: {
        operationId: 'createTenant',
        summary: 'Create a tenant',
        description: 'The same content again is a no-op (200); other content is AlreadyExists.',
        tags: ['tenants'],
        headers: conditional.keyed,
        consumes: documents,
        body: tenant,
        response: {
          200: answers('The tenant; its ETag is in the header.', tenantView),
          201: answers('Created.', tenantView),
          ...refusals,
          ...more.conflict,
          ...more.invalid,
        },
      },
    },
    async (request, reply) => {
      const caller = context.callerOf(request)
      const made = await once(controlPlane, caller, request, reply, async () => {
        const { tenant: view, created } = await controlPlane.create(request.body, caller)
        return answer(view, created ? 'created' : 'unchanged')
      })
      return sendTenant(reply, made)
    },
  )
  app.put(
    '/v1/tenants/:name',
    {
      schema: {
        operationId: 'putTenant',
        summary: 'Create or replace a tenant',
        description: put428,
        tags: ['tenants'],
        params: byName,
        querystring: z.strictObject({ force: z.enum(['true', 'false']).default('false') }),
        headers: conditional.write,
        consumes: documents,
        body: tenant,
        response: {
          200: answers('The tenant; its ETag is in the header.', tenantView),
          201: answers('Created.', tenantView),
          ...refusals,
          ...more.conflict,
          ...more.stale,
          ...more.unconditional,
          ...more.invalid,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      checkName(request.body, name)
      const run = () => put(request, name, request.query.force === 'true', context)
      return sendTenant(reply, await once(controlPlane, context.callerOf(request), request, reply, run))
    },
  )
}

function removal(app: App, context: RouteContext): void {
  const { controlPlane } = context
  app.delete(
    '/v1/tenants/:name',
    {
      schema: {
        operationId: 'deleteTenant',
        summary: 'Ask for the removal of a tenant',
        description: 'Answers 202 at once; progress comes as events. `confirm` repeats the name. If-Match is optional.',
        tags: ['tenants'],
        params: byName,
        querystring: z.strictObject({ confirm: z.string().max(64) }),
        headers: conditional.write,
        response: {
          202: answers('On its way out.', tenantView),
          ...refusals,
          ...more.notFound,
          ...more.conflict,
          ...more.stale,
        },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      const { confirm } = request.query
      if (confirm !== name) throw new RingfenceError('Usage', `Repeat the tenant's name to confirm: confirm=${name}.`)
      const caller = context.callerOf(request)
      const removed = await once(controlPlane, caller, request, reply, async () => {
        const ifMatch = await versionToMatch(request, name, context)
        const view = await controlPlane.remove(name, confirm, caller, ifMatch)
        return { status: 202, body: { tenant: view as unknown as JsonObject } }
      })
      return sendTenant(reply, removed)
    },
  )
}

const put428 =
  'With If-Match it replaces that version, with force=true whatever is there, with `If-None-Match: *` it only creates. Without any of them it creates or confirms, and answers 428 where it would overwrite.'

export function tenantRoutes(app: App, context: RouteContext): void {
  reads(app, context)
  writes(app, context)
  removal(app, context)
}
