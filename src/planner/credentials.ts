/**
 * Which credentials must be made anew. A credential is trusted only when the store says that it is settled and both
 * ends still hold what the store remembers; after any doubt it is rotated, never read back (DESIGN §3).
 */
import type { Observation } from '../model/driver.ts'
import type { Address, Resource } from '../model/resource.ts'

export interface CredentialRow {
  readonly source: Address
  readonly slot: string
  readonly version: number
  readonly state: 'pending' | 'settled'
  readonly sourceFingerprint: string
  /** By the verifier's address; null where the backend does not show it. */
  readonly verifiers: { readonly [address: string]: string | null }
}

/** One end of a new credential: the step at this address writes or is told the material of `source` and `slot`. */
export interface Rotation {
  readonly source: Address
  readonly slot: string
  /** The slot's name at this end. */
  readonly name: string
  readonly version: number
  readonly role: 'source' | 'verifier'
}

export function credentialsInDoubt(
  desired: readonly Resource[],
  observed: ReadonlyMap<Address, Observation>,
  rows: readonly CredentialRow[],
): ReadonlyMap<Address, readonly Rotation[]> {
  const rotations = new Map<Address, Rotation[]>()
  const add = (address: Address, rotation: Rotation) =>
    rotations.set(address, [...(rotations.get(address) ?? []), rotation])
  for (const source of desired) {
    for (const slot of source.secrets) {
      if (slot.role !== 'source') continue
      const verifiers = desired.flatMap((resource) =>
        resource.secrets.flatMap((other) =>
          other.role === 'verifier' && other.source === source.address ? [{ resource, name: other.name }] : [],
        ),
      )
      const row = rows.find((candidate) => candidate.source === source.address && candidate.slot === slot.name)
      // A credential that cannot be compared now is left alone: the ends that cannot be read are blocked anyway.
      const ends = [source, ...verifiers.map((verifier) => verifier.resource)]
      if (ends.some((end) => (observed.get(end.address)?.status ?? 'unreadable') === 'unreadable')) continue
      // An end that is another's, or on its way out, cannot be told: what the source keeps is not replaced in vain.
      const shut = verifiers.some(({ resource }) => isShut(resource, observed.get(resource.address)))
      if (shut && observed.get(source.address)?.status === 'owned') continue
      if (row !== undefined && isSettled(row, source.address, verifiers, observed)) continue
      const version = (row?.version ?? 0) + 1
      const common = { source: source.address, slot: slot.name, version }
      add(source.address, { ...common, name: slot.name, role: 'source' })
      for (const verifier of verifiers)
        add(verifier.resource.address, { ...common, name: verifier.name, role: 'verifier' })
    }
  }
  return rotations
}

const isShut = (resource: Resource, seen: Observation | undefined): boolean =>
  seen?.status === 'deleting' || (seen?.status === 'foreign' && resource.adopt !== true)

function isSettled(
  row: CredentialRow,
  source: Address,
  verifiers: readonly { readonly resource: Resource; readonly name: string }[],
  observed: ReadonlyMap<Address, Observation>,
): boolean {
  // With nobody to be told, the source's word is all there is.
  if (row.state !== 'settled' && verifiers.length > 0) return false
  const kept = observed.get(source)
  if (kept?.status !== 'owned' || kept.credentials?.[row.slot] !== row.sourceFingerprint) return false
  return verifiers.every(({ resource, name }) => {
    const told = observed.get(resource.address)
    const remembered = row.verifiers[resource.address]
    if (told?.status !== 'owned' || remembered === undefined) return false
    // A backend that never shows its verifiers gives no reason for doubt; one that did once must go on showing it.
    return remembered === null ? true : told.credentials?.[name] === remembered
  })
}
