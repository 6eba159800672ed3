/**
 * Progress as server-sent events. Read through fetch, since EventSource cannot send a token: a reader that lost the
 * connection comes back with `Last-Event-ID` and misses nothing.
 */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { ProgressEvent } from '../../engine/control-plane.ts'
import { RingfenceError } from '../../model/errors.ts'
import { byName, more, refusals } from '../context.ts'
import type { App, RouteContext } from '../context.ts'
import { classify, problemOf } from '../problem.ts'
import { progressEvent } from '../schemas.ts'

const query = z.strictObject({
  after: z.coerce.number().int().min(0).optional().describe('Past events after this sequence first.'),
})
const headers = z.looseObject({
  'last-event-id': z
    .string()
    .regex(/^\d{1,15}$/, 'a sequence number')
    .optional(),
})
const stream = {
  description: 'One event a line block; comments are heartbeats.',
  content: { 'text/event-stream': { schema: progressEvent } },
}

/** One event of the HTML standard's event stream (§9.2). JSON escapes line ends, so it stays one line. */
const encode = (event: ProgressEvent): string =>
  `id: ${event.sequence}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`

/** Resolves to `beat` after the pause; the timer is cleared when the race was won by an event. */
function heartbeat(pauseMs: number): { beat: Promise<'beat'>; stop: () => void } {
  let timer: NodeJS.Timeout | undefined
  const beat = new Promise<'beat'>((resolve) => {
    timer = setTimeout(() => resolve('beat'), pauseMs)
  })
  return { beat, stop: () => clearTimeout(timer) }
}

/** The text of the stream: events as they come, a comment when none came for a while, a problem when it broke. */
async function* textOf(
  events: AsyncIterable<ProgressEvent>,
  signal: AbortSignal,
  heartbeatMs: number,
  requestId: string,
): AsyncGenerator<string> {
  yield `retry: 1000\n: connected\n\n`
  const iterator = events[Symbol.asyncIterator]()
  try {
    let next = iterator.next()
    while (!signal.aborted) {
      const { beat, stop } = heartbeat(heartbeatMs)
      const result = await Promise.race([next, beat]).finally(stop)
      if (result === 'beat') yield ': heartbeat\n\n'
      else if (result.done) break
      else {
        yield encode(result.value)
        next = iterator.next()
      }
    }
  } catch (error) {
    if (!signal.aborted) yield `event: error\ndata: ${JSON.stringify(problemOf(classify(error), requestId))}\n\n`
  } finally {
    await iterator.return?.()
  }
}

export function eventRoutes(app: App, context: RouteContext): void {
  const open = new Set<Promise<void>>()
  const send = (
    request: FastifyRequest,
    reply: FastifyReply,
    after: number | undefined,
    tenant?: string,
  ): FastifyReply => {
    if (open.size >= context.maxStreams)
      throw new RingfenceError('RateLimited', 'Too many event streams are open.', { retryAfterMs: 5000 })
    const gone = new AbortController()
    const signal = AbortSignal.any([gone.signal, context.closing])
    const events = context.controlPlane.events(
      { ...(tenant ? { tenant } : {}), ...(after === undefined ? {} : { after }) },
      signal,
    )
    const body = Readable.from(textOf(events, signal, context.heartbeatMs, request.id), { objectMode: false })
    const release = (): void => {
      open.delete(ended)
      gone.abort()
    }
    const ended = once(reply.raw, 'close').then(release, release)
    open.add(ended)
    return reply.header('content-type', 'text/event-stream; charset=utf-8').header('x-accel-buffering', 'no').send(body)
  }
  // `closing` has ended the streams; their last bytes go out before the sockets are closed.
  app.addHook('preClose', async () => {
    await Promise.race([Promise.all(open), sleep(1000, undefined, { ref: false })])
  })
  const afterOf = (headers: { 'last-event-id'?: string | undefined }, after?: number): number | undefined =>
    headers['last-event-id'] === undefined ? after : Number(headers['last-event-id'])

  app.get(
    '/v1/events',
    {
      schema: {
        operationId: 'events',
        summary: 'Follow all tenants',
        tags: ['events'],
        querystring: query,
        headers,
        response: { 200: stream, ...refusals },
      },
    },
    (request, reply) => send(request, reply, afterOf(request.headers, request.query.after)),
  )
  app.get(
    '/v1/tenants/:name/events',
    {
      schema: {
        operationId: 'tenantEvents',
        summary: 'Follow one tenant',
        tags: ['events'],
        params: byName,
        querystring: query,
        headers,
        response: { 200: stream, ...refusals, ...more.notFound },
      },
    },
    async (request, reply) => {
      const { name } = request.params
      await context.controlPlane.get(name)
      return send(request, reply, afterOf(request.headers, request.query.after), name)
    },
  )
}
