/** Plans and proofs: what would change, whether it would be isolated, and whether it is. */
import { z } from 'zod'
import type { TenantView } from '../../engine/control-plane.ts'
import type { JsonObject } from '../../model/json.ts'
import { tenantName } from '../../model/scalars.ts'
import { answers, byName, conditional, documents, more, refusals } from '../context.ts'
import type { App, RouteContext } from '../context.ts'
import { etagOf } from '../etag.ts'
import { once } from '../idempotency.ts'
import { planToApply, planView, report, tenant, tenantView } from '../schemas.ts'
import { checkName } from './tenants.ts'

/** A stored tenant as the document that a person would write to get it. */
const documentOf = ({ apiVersion, kind, metadata: { name, labels, annotations }, spec }: TenantView) => ({
  apiVersion,
  kind,
  metadata: { name, labels, annotations },
  spec,
})

function planning(app: App, context: RouteContext): void {
  const { controlPlane } = context
  app.post(
    '/v1/plan',
    {
      schema: {
        operationId: 'planDocument',
        summary: 'Plan a document',
        description: 'Writes nothing.',
        tags: ['plans'],
        consumes: documents,
        body: tenant,
        response: {
          200: answers('The plan, with the verdict on the planned state.', planView),
          ...refusals,
          ...more.conflict,
          ...more.invalid,
        },
      },
    },
    async (request) => controlPlane.plan(request.body, context.callerOf(request)),
  )
  app.post(
    '/v1/tenants/:name/plan',
    {
      schema: {
        operationId: 'planTenant',
        summary: 'Plan a tenant',
        description: 'The document in the body, or without one the tenant as it is: then the plan shows its drift.',
        tags: ['plans'],
        params: byName,
        consumes: documents,
        body: tenant.optional(),
        response: {
          200: answers('The plan, with the verdict on the planned state.', planView),
          ...refusals,
          ...more.notFound,
          ...more.conflict,
          ...more.invalid,
        },
      },
    },
    async (request) => {
      const { name } = request.params
      checkName(request.body, name)
      const document = request.body ?? documentOf(await controlPlane.get(name))
      return controlPlane.plan(document, context.callerOf(request))
    },
  )
}

/** What is checked of a plan that comes in; the document inside is admitted by the control plane. */
const planOf = z.strictObject({ document: z.unknown(), basis: z.string().min(1).max(512) })

function applying(app: App, context: RouteContext): void {
  const { controlPlane } = context
  app.post(
    '/v1/plans/apply',
    {
      schema: {
        operationId: 'applyPlan',
        summary: 'Apply a plan',
        description: 'Answers WorldMoved, and changes nothing, when it is not the world of the plan any more.',
        tags: ['plans'],
        headers: conditional.keyed,
        consumes: documents,
        body: planToApply,
        response: {
          200: answers('The tenant, as planned.', tenantView),
          ...refusals,
          ...more.conflict,
          ...more.invalid,
        },
      },
    },
    async (request, reply) => {
      const caller = context.callerOf(request)
      const { document, basis } = planOf.parse(request.body)
      const { body } = await once(controlPlane, caller, request, reply, async () => ({
        status: 200,
        body: (await controlPlane.applyPlan({ document, basis }, caller)) as unknown as JsonObject,
      }))
      const view = body as unknown as TenantView
      return reply.header('etag', etagOf(view.metadata.resourceVersion)).send(view)
    },
  )
}

export function planRoutes(app: App, context: RouteContext): void {
  planning(app, context)
  applying(app, context)
  app.post(
    '/v1/prove',
    {
      schema: {
        operationId: 'prove',
        summary: 'Prove isolation, live',
        description: 'Over what the backends say now; all tenants when none is named.',
        tags: ['proofs'],
        body: z.strictObject({ tenants: z.array(tenantName).max(10_000).default([]) }).nullish(),
        response: { 200: answers('The verdicts, refuted or not.', report), ...refusals, ...more.notFound },
      },
    },
    async (request) => context.controlPlane.prove(request.body?.tenants ?? [], context.callerOf(request)),
  )
}
