/**
 * LISTEN on one connection of its own, which re-subscribes after its backend died. Notifications only wake: whoever
 * waits looks at the tables afterwards, and looks now and then anyway.
 */
import postgres from 'postgres'
import type { PostgresAccess } from '../model/backends.ts'

export type Channel = 'ringfence_work' | 'ringfence_events'

export interface Notifications {
  /** Calls back at each notification, and after a reconnection, when some may have been missed. */
  on(channel: Channel, wake: () => void): void
  /** Resolves at the next notification, after `timeoutMs`, or when the signal aborts. */
  next(channel: Channel, timeoutMs: number, signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

export function listenToStore(access: PostgresAccess): Notifications {
  const sql = postgres({
    host: access.host,
    port: access.port,
    user: access.user,
    password: access.password,
    database: access.database,
    ssl: access.tls ? { rejectUnauthorized: true, ...(access.ca === undefined ? {} : { ca: access.ca }) } : false,
    max: 1,
    onnotice: () => undefined,
    connection: { application_name: 'ringfence-listen' },
  })
  const listeners = new Map<Channel, Set<() => void>>([
    ['ringfence_work', new Set()],
    ['ringfence_events', new Set()],
  ])
  const wakeAll = (channel: Channel) => {
    for (const wake of listeners.get(channel) ?? []) wake()
  }
  for (const channel of listeners.keys()) {
    // A connection that cannot be made is tried again by the library; waiters have their own time-out until then.
    sql
      .listen(
        channel,
        () => wakeAll(channel),
        () => wakeAll(channel),
      )
      .catch(() => undefined)
  }
  return {
    on: (channel, wake) => void listeners.get(channel)?.add(wake),
    next: (channel, timeoutMs, signal) =>
      new Promise((resolve) => {
        const waiting = listeners.get(channel)
        const done = () => {
          clearTimeout(timer)
          waiting?.delete(done)
          signal.removeEventListener('abort', done)
          resolve()
        }
        const timer = setTimeout(done, timeoutMs)
        waiting?.add(done)
        signal.addEventListener('abort', done)
        if (signal.aborted) done()
      }),
    close: () => sql.end({ timeout: 1 }),
  }
}
