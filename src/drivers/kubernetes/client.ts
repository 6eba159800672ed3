/**
 * A lean client of the Kubernetes API on undici: connections that are kept, JSON in and out, one error type. Knows
 * verbs and paths, not what the objects mean. Objects stay plain JSON, so that no field is lost on the way.
 */
import { Pool, type Dispatcher } from 'undici'
import type { ClusterAccess } from '../../model/backends.ts'
import { RingfenceError } from '../../model/errors.ts'
import type { JsonObject } from '../../model/json.ts'
import { answerError, transportError, type Asked } from './status.ts'

export interface RequestOptions {
  readonly query?: { readonly [name: string]: string | number | boolean | undefined }
  readonly body?: JsonObject | readonly JsonObject[]
  /** `application/json` unless it is a patch. */
  readonly contentType?: string
  readonly accept?: string
  readonly signal: AbortSignal
  /** Epoch milliseconds. */
  readonly deadlineMs: number
}

export interface StreamOptions extends Omit<RequestOptions, 'deadlineMs' | 'body'> {
  /** A stream on which nothing arrives for this long counts as cut. */
  readonly silenceMs: number
  /** Called when the server has accepted the request. */
  readonly opened?: () => void
}

export interface ClientOptions {
  /** Connections for plain requests; watches have their own. */
  readonly connections?: number
  readonly userAgent?: string
}

export interface KubernetesClient {
  request(method: Dispatcher.HttpMethod, path: string, options: RequestOptions): Promise<JsonObject>
  /** The lines of an endless answer, each one JSON value as text. Throws when the stream breaks or falls silent. */
  stream(path: string, options: StreamOptions): AsyncIterable<string>
  close(): Promise<void>
}

/** How long a call may take that has no deadline of its own (facts, discovery, lists for a snapshot). */
export const defaultTimeoutMs = 30_000

/** The two sets of connections, and what every request carries. */
interface Connections {
  readonly calls: Pool
  readonly watches: Pool
  /** Path of the API below the server's origin. */
  readonly prefix: string
  headers(accept: string | undefined, contentType: string | undefined): Promise<Record<string, string>>
}

/** Opens no connection until the first request. */
export function createKubernetesClient(access: ClusterAccess, options: ClientOptions = {}): KubernetesClient {
  const url = new URL(access.server)
  const connect = {
    timeout: 10_000,
    ...(access.ca === undefined ? {} : { ca: access.ca }),
    ...(access.certificate === undefined ? {} : { cert: access.certificate.cert, key: access.certificate.key }),
  }
  const keepAlive = { keepAliveTimeout: 60_000, keepAliveMaxTimeout: 120_000 }
  const connections: Connections = {
    calls: new Pool(url.origin, { connections: options.connections ?? 16, ...keepAlive, connect }),
    watches: new Pool(url.origin, { connections: null, keepAliveTimeout: 1_000, connect }),
    prefix: url.pathname.replace(/\/+$/, ''),
    headers: async (accept, contentType) => ({
      accept: accept ?? 'application/json',
      'user-agent': options.userAgent ?? 'ringfence',
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...(access.token === undefined ? {} : { authorization: `Bearer ${await access.token()}` }),
    }),
  }
  return {
    request: (method, path, call) => request(connections, { method, path }, call),
    stream: (path, call) => stream(connections, { method: 'WATCH', path }, call),
    async close() {
      await Promise.all([connections.calls.destroy(), connections.watches.destroy()])
    },
  }
}

async function request(connections: Connections, asked: Asked, call: RequestOptions): Promise<JsonObject> {
  const limit = limitOf(call.signal, call.deadlineMs)
  let started = false
  try {
    limit.signal.throwIfAborted()
    const body = call.body === undefined ? null : JSON.stringify(call.body)
    const headers = await connections.headers(
      call.accept,
      body === null ? undefined : (call.contentType ?? 'application/json'),
    )
    limit.signal.throwIfAborted()
    started = true
    const answered = connections.calls.request({
      method: asked.method,
      path: connections.prefix + asked.path,
      query: present(call.query),
      headers,
      body,
      signal: limit.signal,
      headersTimeout: 0,
      bodyTimeout: 0,
    })
    const answer = await limit.race(answered)
    const text = await answer.body.text()
    if (answer.statusCode >= 400) throw answerError(asked, answer.statusCode, answer.headers, text)
    return parseObject(asked, text)
  } catch (error) {
    if (error instanceof RingfenceError) throw error
    throw transportError(asked, error, limit.ended(), started)
  } finally {
    limit.release()
  }
}

async function* stream(connections: Connections, asked: Asked, call: StreamOptions): AsyncIterable<string> {
  const limit = limitOf(call.signal, Number.POSITIVE_INFINITY)
  try {
    limit.signal.throwIfAborted()
    const answered = connections.watches.request({
      method: 'GET',
      path: connections.prefix + asked.path,
      query: present(call.query),
      headers: await connections.headers(call.accept, undefined),
      signal: limit.signal,
      headersTimeout: call.silenceMs,
      bodyTimeout: call.silenceMs,
      blocking: true,
    })
    const answer = await limit.race(answered)
    if (answer.statusCode >= 400) throw answerError(asked, answer.statusCode, answer.headers, await answer.body.text())
    call.opened?.()
    yield* lines(answer.body)
  } catch (error) {
    if (error instanceof RingfenceError) throw error
    throw transportError(asked, error, limit.ended(), true)
  } finally {
    limit.release()
    limit.cancel()
  }
}

/** Splits a byte stream into its non-empty lines; UTF-8 sequences that are cut by a chunk border are kept together. */
async function* lines(body: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of body) {
    const text = decoder.decode(chunk, { stream: true })
    if (!text.includes('\n')) {
      rest += text
      continue
    }
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part !== '') yield part
  }
  if (rest !== '') yield rest
}

function parseObject(asked: Asked, text: string): JsonObject {
  try {
    return JSON.parse(text) as JsonObject
  } catch (error) {
    throw new RingfenceError(
      'Unreadable',
      `${asked.method} ${asked.path}: the answer is not JSON`,
      { ...asked, sent: true },
      error,
    )
  }
}

const present = (query: RequestOptions['query']): Record<string, string> =>
  Object.fromEntries(
    Object.entries(query ?? {}).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  )

/** One signal out of the caller's signal and deadline; remembers which of the two ended it, leaves no listener behind. */
function limitOf(signal: AbortSignal, deadlineMs: number) {
  const controller = new AbortController()
  let ended: 'aborted' | 'deadline' | undefined
  const end = (why: 'aborted' | 'deadline') => {
    ended ??= why
    controller.abort()
  }
  const abort = () => end('aborted')
  const over = new Promise<never>((_resolve, reject) => {
    controller.signal.addEventListener('abort', () => reject(new Error('ended')), { once: true })
  })
  over.catch(() => undefined)
  let timer: NodeJS.Timeout | undefined
  if (signal.aborted) abort()
  else if (deadlineMs <= Date.now()) end('deadline')
  else {
    signal.addEventListener('abort', abort, { once: true })
    if (Number.isFinite(deadlineMs))
      timer = setTimeout(() => end('deadline'), Math.min(deadlineMs - Date.now(), 0x7fff_ffff))
  }
  return {
    signal: controller.signal,
    ended: () => ended,
    /** undici tells a request that still waits for its connection of an abort only when that is made or refused. */
    race: async <T>(work: Promise<T>): Promise<T> => {
      work.catch(() => undefined)
      return Promise.race([work, over])
    },
    cancel: () => controller.abort(),
    release: () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
    },
  }
}
