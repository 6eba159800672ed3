/**
 * Where a server is, as NetworkPolicy peers: the addresses that its host name stands for, each as a range of one.
 * Remembers the last answer, so that a resolver's hiccup does not shut a tenant off its database.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import type { Json } from '../../model/json.ts'

const maxAgeMs = 60_000

/** Answers `undefined` while the name has never been resolved; a folder for a socket is no address at all. */
export function createAddresses(host: string, now: () => number): () => Promise<readonly Json[] | undefined> {
  let known: { readonly peers: readonly Json[]; readonly atMs: number } | undefined
  return async () => {
    if (known !== undefined && now() - known.atMs < maxAgeMs) return known.peers
    const found = await addressesOf(host).catch(() => undefined)
    if (found === undefined) return known?.peers
    const peers = found.map((address) => ({
      ipBlock: { cidr: `${address}/${isIP(address) === 6 ? 128 : 32}`, except: [] },
    }))
    known = { peers, atMs: now() }
    return peers
  }
}

async function addressesOf(host: string): Promise<readonly string[]> {
  if (host.startsWith('/')) return []
  if (isIP(host) !== 0) return [host]
  const found = await lookup(host, { all: true })
  return [...new Set(found.map(({ address }) => address))].toSorted()
}
