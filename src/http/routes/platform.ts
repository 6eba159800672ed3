/** What is asked about the control plane itself: health, version, check-up and the audit log. */
import { z } from 'zod'
import { answers, conditional, more, paging, refusals } from '../context.ts'
import type { App, RouteContext } from '../context.ts'
import { once } from '../idempotency.ts'
import { auditList, checks, version } from '../schemas.ts'

/** `pause` and `resume`: idempotent by nature, audited by the control plane. */
function switches(app: App, { controlPlane, callerOf }: RouteContext): void {
  const route = (verb: 'pause' | 'resume', summary: string): void => {
    app.post(
      `/v1/${verb}`,
      {
        schema: {
          operationId: verb,
          summary,
          tags: ['platform'],
          headers: conditional.keyed,
          response: { 204: z.null().describe('Done.'), ...refusals },
        },
      },
      async (request, reply) => {
        const caller = callerOf(request)
        await once(controlPlane, caller, request, reply, async () => {
          await controlPlane[verb](caller)
          return { status: 204, body: {} }
        })
        return reply.code(204).send()
      },
    )
  }
  route('pause', 'Stop changing anything, on every replica; proofs and plans go on')
  route('resume', 'Go on changing what differs')
}

export function platformRoutes(app: App, context: RouteContext): void {
  const { controlPlane } = context
  switches(app, context)
  audit(app, context)
  app.get(
    '/healthz',
    {
      config: { open: true },
      schema: {
        operationId: 'health',
        summary: 'Whether the server answers',
        tags: ['platform'],
        security: [],
        response: { 200: { description: 'ok', content: { 'text/plain': { schema: z.literal('ok') } } } },
      },
    },
    (_request, reply) => reply.type('text/plain; charset=utf-8').serializer(String).send('ok'),
  )
  app.get(
    '/v1/version',
    {
      schema: {
        operationId: 'version',
        summary: 'Versions',
        tags: ['platform'],
        response: { 200: answers('Versions.', version), ...refusals },
      },
    },
    (_request, reply) => reply.send(controlPlane.version()),
  )
  app.get(
    '/v1/doctor',
    {
      schema: {
        operationId: 'doctor',
        summary: 'Check the control plane and its backends',
        tags: ['platform'],
        response: { 200: answers('Every check, failed or not.', checks), ...refusals },
      },
    },
    async () => ({ checks: [...(await controlPlane.doctor())] }),
  )
}

/** The chain of a tenant that is gone is found by its uid. */
const tenantOrUid = z.string().regex(/^[a-z0-9-]{1,64}$/, 'the name of a tenant, or the uid of one that is gone')

function audit(app: App, { controlPlane }: RouteContext): void {
  app.get(
    '/v1/audit',
    {
      schema: {
        operationId: 'listAudit',
        summary: 'Read the audit log',
        description: 'Oldest first; `after` is a sequence number.',
        tags: ['audit'],
        querystring: z.strictObject({
          tenant: tenantOrUid.optional(),
          limit: paging.limit,
          after: z.coerce.number().int().min(0).optional(),
        }),
        response: { 200: answers('One page of entries.', auditList), ...refusals, ...more.notFound },
      },
    },
    async (request, reply) => {
      const { tenant, limit, after } = request.query
      const page = await controlPlane.audit({
        limit,
        ...(tenant ? { tenant } : {}),
        ...(after === undefined ? {} : { after }),
      })
      if (page.next !== undefined) {
        const next = new URLSearchParams({ limit: String(limit), after: page.next, ...(tenant ? { tenant } : {}) })
        void reply.header('link', `</v1/audit?${next.toString()}>; rel="next"`)
      }
      return reply.send(page)
    },
  )
}
