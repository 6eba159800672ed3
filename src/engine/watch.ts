/**
 * Turns what changes in the backends into keys of the queue. An event never decides what is done; it only says where
 * to look: at one tenant, at the platform's objects, or, when it may concern everybody, at all.
 */
import { setTimeout as pause } from 'node:timers/promises'
import type { Backend, BackendChange } from '../model/driver.ts'
import { toRingfenceError } from '../model/errors.ts'
import type { StoreConnection } from '../store/connection.ts'
import { ownersOf } from '../store/ledger.ts'
import { trigger } from '../store/leases.ts'
import { allTenants } from './tenant-service.ts'

export interface WatchOptions {
  readonly store: StoreConnection
  /** Called after a change that may concern every tenant: a cluster role, an admission rule. */
  onGlobalChange(): void
  /** Called when changes may have been missed. */
  onMissedChanges(): void
  readonly platformKey: string
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void
}

/** Changes within this time make one pass. */
const gatherMs = 150

/** Kinds without a tenant's namespace that decide about isolation everywhere. */
const globalKinds = new Set([
  'kubernetes/ClusterRole',
  'kubernetes/ClusterRoleBinding',
  'kubernetes/ValidatingAdmissionPolicy',
  'kubernetes/ValidatingAdmissionPolicyBinding',
])

/** Kinds of a server that all tenants share: what is not a tenant's may still reach every tenant. */
const strangerKinds = new Set(['postgres/Role', 'postgres/Database'])

export async function watchBackend(backend: Backend, options: WatchOptions, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && backend.changes !== undefined) {
    const gathered: BackendChange[] = []
    let timer: NodeJS.Timeout | undefined
    const flush = () => {
      timer = undefined
      const batch = gathered.splice(0)
      dispatch(batch, options).catch((error: unknown) =>
        options.log('warn', `changes could not be queued: ${toRingfenceError(error).message}`),
      )
    }
    try {
      for await (const change of backend.changes(signal)) {
        gathered.push(change)
        timer ??= setTimeout(flush, gatherMs)
      }
    } catch (error) {
      if (!signal.aborted) options.log('warn', `the watch on ${backend.name} broke: ${toRingfenceError(error).message}`)
    }
    if (!signal.aborted) await pause(1_000)
  }
}

async function dispatch(changes: readonly BackendChange[], options: WatchOptions): Promise<void> {
  const rows = await allTenants(options.store)
  const byName = new Map<string, string>()
  for (const row of rows) {
    byName.set(row.names.namespace, row.uid)
    byName.set(row.names.database, row.uid)
    byName.set(row.names.databaseLogin, row.uid)
    byName.set(row.names.databaseOwner, row.uid)
  }
  const keys = new Set<string>()
  const owners = await ownersOf(
    options.store,
    changes.flatMap((change) => (change === 'resync' ? [] : [change.externalName])),
  )
  let everybody = false
  let missed = false
  for (const change of changes) {
    if (change === 'resync') {
      everybody = true
      missed = true
      continue
    }
    // Exactly what was made, wherever it lies; then whose boundary it lies in, for what others add there.
    const { kind, externalName } = change
    const made = owners.get(`${kind} ${externalName}`)
    const owner = made ?? byName.get(externalName.split('/')[0] ?? '') ?? byName.get(externalName)
    keys.add(owner ?? options.platformKey)
    if (globalKinds.has(kind) || (owner === undefined && strangerKinds.has(kind))) everybody = true
  }
  await options.store.run((db) => trigger(db, [...keys], 'change'))
  if (everybody) options.onGlobalChange()
  if (missed) options.onMissedChanges()
}
