/** What must be so for isolation to hold on this platform, checked loudly. Forbidden is never read as absent. */
import { toRingfenceError } from '../model/errors.ts'
import type { StoreConnection } from '../store/connection.ts'
import { pausedSince } from '../store/operations.ts'
import type { Check } from './control-plane.ts'
import { postgresVersion } from './postgres-version.ts'
import type { Products } from './products.ts'

export async function doctor(store: StoreConnection, products: Products): Promise<readonly Check[]> {
  const signal = AbortSignal.timeout(15_000)
  const { facts, platform } = products.context
  const checks = await Promise.all([
    attempt('store', 'the store answers', 'check DATABASE_URL and the server behind it', () => store.ping()),
    product('kubernetes', products, signal),
    product('postgres', products, signal),
  ])
  const fqdn: Check =
    facts.kubernetes?.fqdn === undefined
      ? {
          name: 'fqdn-rules',
          status: 'warning',
          message: 'neither Cilium nor a Calico with domain rules was found: documents with egress.fqdns are refused',
          fix: 'install Cilium or Calico, or open addresses with network.allowTo instead',
        }
      : { name: 'fqdn-rules', status: 'ok', message: `${facts.kubernetes.fqdn} can enforce egress.fqdns` }
  const cni: Check = {
    name: 'packet-enforcement',
    status: 'warning',
    message: 'that the CNI enforces NetworkPolicy is assumed; nothing here has sent a packet',
    fix: 'run a CNI that enforces NetworkPolicy, and test it',
  }
  const breakGlass: Check = {
    name: 'break-glass',
    status: 'ok',
    message:
      platform.kubernetes.breakGlassGroups.length === 0
        ? 'no group may pass the admission rules'
        : `may pass the admission rules: ${platform.kubernetes.breakGlassGroups.join(', ')}`,
  }
  const enforcement: Check = {
    name: 'enforcement',
    status: 'ok',
    message:
      platform.enforcement === 'remove'
        ? 'additions that break isolation are removed'
        : 'additions that break isolation are reported only',
  }
  return [...checks, await engine(store), fqdn, cni, breakGlass, enforcement]
}

/** Whether drift is repaired. A store that does not answer says nothing about it, and least of all that it is. */
async function engine(store: StoreConnection): Promise<Check> {
  const name = 'engine'
  try {
    const stopped = await store.run((db) => pausedSince(db))
    if (stopped === undefined) return { name, status: 'ok', message: 'drift is repaired as it is found' }
    const message = `paused since ${stopped.since.toISOString()}: nothing is repaired`
    return { name, status: 'warning', message, fix: 'ringfence resume' }
  } catch (error) {
    const message = `whether drift is repaired is not known: ${toRingfenceError(error).message}`
    return { name, status: 'failed', message, fix: 'see the check of the store' }
  }
}

async function product(name: 'kubernetes' | 'postgres', products: Products, signal: AbortSignal): Promise<Check> {
  const backend = products[name]
  const pending = products.pending.get(name)
  if (backend === undefined) {
    return pending === undefined
      ? { name, status: 'failed', message: `no ${name} is connected`, fix: 'see ringfence up --help' }
      : { name, status: 'warning', message: pending }
  }
  const { facts } = products.context
  const number = facts.postgres === undefined ? undefined : postgresVersion(facts.postgres.version)
  const known = name === 'postgres' ? number : facts.kubernetes?.version
  const version = known === undefined ? '' : ` (version ${known})`
  return attempt(name, `answers${version}`, 'the message says what was tried', () => backend.check(signal))
}

async function attempt(name: string, ok: string, fix: string, run: () => Promise<void>): Promise<Check> {
  try {
    await run()
    return { name, status: 'ok', message: ok }
  } catch (error) {
    const { code, message } = toRingfenceError(error)
    return { name, status: 'failed', message: `${code}: ${message}`, fix }
  }
}
