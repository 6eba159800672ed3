/**
 * The HTTP API as functions. Problems become `RingfenceError` again; reads, and writes under their idempotency key, are
 * repeated when the answer was lost or the server asks to come back, nothing else is.
 */
import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type {
  AuditEntryView,
  Check,
  ControlPlane,
  Page,
  PlanView,
  ProgressEvent,
  TenantView,
} from '../engine/control-plane.ts'
import { errorTraits, isRingfenceError, RingfenceError } from '../model/errors.ts'
import type { ErrorCode, Problem } from '../model/errors.ts'
import { isObject } from '../model/json.ts'
import type { Report } from '../model/verdict.ts'
import { serverEvents } from './sse.ts'

export interface ClientOptions {
  readonly url: string
  readonly token: string
  readonly signal?: AbortSignal
  readonly fetch?: typeof fetch
  /** Pause before the first repetition, in milliseconds; doubled for the second. */
  readonly pauseMs?: number
}

export type Outcome = 'created' | 'changed' | 'unchanged'
type Query = { readonly [name: string]: string | number | undefined }
type Version = ReturnType<ControlPlane['version']>

export interface ApiClient {
  readonly url: string
  create(document: unknown): Promise<{ tenant: TenantView; outcome: Outcome }>
  /** `over` is the version to replace; `nothing` only creates. */
  put(
    name: string,
    document: unknown,
    over: { readonly version: string } | 'nothing' | 'anything',
  ): Promise<{ tenant: TenantView; outcome: Outcome }>
  plan(document: unknown): Promise<PlanView>
  planTenant(name: string): Promise<PlanView>
  applyPlan(plan: { readonly document: unknown; readonly basis: string }): Promise<TenantView>
  get(name: string): Promise<TenantView>
  list(query: { readonly phase?: string; readonly limit?: number; readonly after?: string }): Promise<Page<TenantView>>
  remove(name: string, confirm: string): Promise<TenantView>
  /** Past events after `after`, then new ones; comes back by itself when the connection is lost. */
  events(
    query: { readonly tenant?: string; readonly after?: number },
    signal: AbortSignal,
  ): AsyncGenerator<ProgressEvent>
  prove(tenants: readonly string[]): Promise<Report>
  audit(query: {
    readonly tenant?: string
    readonly after?: string
    readonly limit?: number
  }): Promise<Page<AuditEntryView>>
  pause(): Promise<void>
  resume(): Promise<void>
  doctor(): Promise<readonly Check[]>
  version(): Promise<Version>
}

interface Request {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  readonly query?: Query
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
  /** A write that changes something gets a key, and with it may be repeated. */
  readonly keyed?: boolean
  readonly signal?: AbortSignal
}

const isCode = (value: unknown): value is ErrorCode => typeof value === 'string' && Object.hasOwn(errorTraits, value)

/** An answer that is not a success, as the error that the server meant. */
async function errorOf(response: Response): Promise<RingfenceError> {
  const body: unknown = await response.json().catch(() => undefined)
  const retryAfter = Number(response.headers.get('retry-after'))
  const facts = Number.isFinite(retryAfter) && retryAfter > 0 ? { retryAfterMs: retryAfter * 1000 } : {}
  if (!isObject(body) || !isCode(body['code'])) {
    return new RingfenceError(
      'BackendFault',
      `The server answered ${response.status} without a problem document. Is it Ringfence's?`,
      facts,
    )
  }
  const problems = body['problems'] as unknown as readonly Problem[] | undefined
  return new RingfenceError(body['code'], typeof body['detail'] === 'string' ? body['detail'] : '', {
    ...facts,
    ...(problems ? { problems } : {}),
  })
}

const passing: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'Unreachable',
  'RateLimited',
  'LeaseLost',
  'StaleFence',
  'Aborted',
])

function sender({ url, token, signal, fetch: send = fetch, pauseMs = 200 }: ClientOptions) {
  const once = async (
    { method, path, query = {}, body, headers = {}, signal: own }: Request,
    key?: string,
  ): Promise<Response> => {
    const target = new URL(url + path)
    for (const [name, value] of Object.entries(query))
      if (value !== undefined) target.searchParams.set(name, String(value))
    const stops = [signal, own].filter((one) => one !== undefined)
    const response = await send(target, {
      method,
      // A redirect would carry the token to somewhere else.
      redirect: 'error',
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(stops.length > 0 ? { signal: AbortSignal.any(stops) } : {}),
    }).catch((error: unknown) => {
      if (stops.some((stop) => stop.aborted))
        throw new RingfenceError('Aborted', 'Stopped before the answer came.', {}, error)
      throw new RingfenceError(
        'Unreachable',
        `Nothing answers at ${url}. Start the control plane with: ringfence up`,
        {},
        error,
      )
    })
    if (!response.ok) throw await errorOf(response)
    return response
  }
  return async (request: Request): Promise<Response> => {
    const key = request.keyed === true ? randomUUID() : undefined
    const attempts = request.method === 'GET' || key !== undefined ? 3 : 1
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await once(request, key)
      } catch (error) {
        const again =
          isRingfenceError(error) && passing.has(error.code) && attempt < attempts && signal?.aborted !== true
        if (!again) throw error
        await sleep(Math.min(error.facts.retryAfterMs ?? pauseMs * 2 ** (attempt - 1), 5000))
      }
    }
  }
}

async function* eventsOf(
  send: (request: Request) => Promise<Response>,
  { tenant, after }: { readonly tenant?: string; readonly after?: number },
  signal: AbortSignal,
  pauseMs: number,
): AsyncGenerator<ProgressEvent> {
  const path = tenant === undefined ? '/v1/events' : `/v1/tenants/${encodeURIComponent(tenant)}/events`
  let last = after
  while (!signal.aborted) {
    try {
      const headers = { accept: 'text/event-stream', ...(last === undefined ? {} : { 'last-event-id': String(last) }) }
      const response = await send({ method: 'GET', path, signal, headers })
      for await (const { event, data } of serverEvents(response.body ?? new ReadableStream())) {
        const progress = eventOf(event, data)
        last = progress.sequence
        yield progress
      }
    } catch (error) {
      if (signal.aborted) return
      // A stream that broke off is taken up where it ended; a problem that the server told is not.
      if (isRingfenceError(error)) throw error
    }
    await sleep(pauseMs, undefined, { signal }).catch(() => undefined)
  }
}

/** The progress in one server event, or the problem that ended the stream, thrown. */
function eventOf(event: string, data: string): ProgressEvent {
  const value: unknown = JSON.parse(data)
  if (event !== 'error') return value as ProgressEvent
  const { code, detail } = value as { code: unknown; detail: unknown }
  throw new RingfenceError(isCode(code) ? code : 'BackendFault', String(detail))
}

/** Builds a client; opens no connection. */
export function apiClient(options: ClientOptions): ApiClient {
  const send = sender(options)
  const json = async <T>(request: Request): Promise<T> => (await send(request)).json() as Promise<T>
  const tenantPath = (name: string): string => `/v1/tenants/${encodeURIComponent(name)}`
  const written = async (request: Request): Promise<{ tenant: TenantView; outcome: Outcome }> => {
    const response = await send({ ...request, keyed: true })
    const outcome = (response.headers.get('ringfence-outcome') ?? 'changed') as Outcome
    return { tenant: (await response.json()) as TenantView, outcome }
  }
  return {
    url: options.url,
    create: (document) => written({ method: 'POST', path: '/v1/tenants', body: document }),
    put: (name, document, over) => {
      const headers =
        over === 'nothing' ? { 'if-none-match': '*' } : over === 'anything' ? {} : { 'if-match': `"${over.version}"` }
      return written({
        method: 'PUT',
        path: tenantPath(name),
        body: document,
        headers,
        query: { force: over === 'anything' ? 'true' : undefined },
      })
    },
    plan: (document) => json({ method: 'POST', path: '/v1/plan', body: document }),
    planTenant: (name) => json({ method: 'POST', path: `${tenantPath(name)}/plan` }),
    applyPlan: ({ document, basis }) =>
      json({ method: 'POST', path: '/v1/plans/apply', body: { document, basis }, keyed: true }),
    get: (name) => json({ method: 'GET', path: tenantPath(name) }),
    list: (query) => json({ method: 'GET', path: '/v1/tenants', query }),
    remove: (name, confirm) => json({ method: 'DELETE', path: tenantPath(name), query: { confirm }, keyed: true }),
    events: (query, signal) => eventsOf(send, query, signal, options.pauseMs ?? 200),
    prove: (tenants) => json({ method: 'POST', path: '/v1/prove', body: { tenants } }),
    audit: (query) => json({ method: 'GET', path: '/v1/audit', query }),
    pause: async () => void (await send({ method: 'POST', path: '/v1/pause', keyed: true })),
    resume: async () => void (await send({ method: 'POST', path: '/v1/resume', keyed: true })),
    doctor: async () => (await json<{ checks: readonly Check[] }>({ method: 'GET', path: '/v1/doctor' })).checks,
    version: () => json({ method: 'GET', path: '/v1/version' }),
  }
}
