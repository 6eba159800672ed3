/**
 * The network logic: is every tenant fenced in, and fenced off, by the policies that the world holds now? Each side is
 * judged alone, for every pod that could be made there, so that one fence never leans on another's.
 */
import type { World } from '../../model/world.ts'
import type { Analysis, Logic } from '../logic.ts'
import { NetworkAnalysis } from './analysis.ts'
import { contained, fenced } from './claims.ts'

export const networkLogic: Logic = {
  name: 'network',
  claims: [
    {
      id: contained,
      statement:
        'No pod that the tenant could make can open a connection to other tenants, to platform pods or addresses that no document opens, to instance metadata, or to carrier NAT.',
    },
    {
      id: fenced,
      statement:
        'No pod outside of the tenant and no outside address can open a connection into its pods beyond what its documents open.',
    },
  ],
  applies: (world) =>
    world.kubernetes !== undefined ||
    world.unreadable.some((entry) => entry.product === 'kubernetes') ||
    world.tenants.some((tenant) => tenant.namespaces.length > 0),
  analyse: (world) =>
    world.kubernetes === undefined ? nothingRead(world) : new NetworkAnalysis(world, world.kubernetes).result(),
}

function nothingRead(world: World): Analysis {
  const why = world.unreadable.find((entry) => entry.product === 'kubernetes')?.why ?? 'no objects were given'
  const because = `Kubernetes was not read: ${why}`
  return {
    edges: [],
    starts: new Map(),
    owners: new Map(),
    refuted: [],
    checked: new Map(),
    assuming: [],
    undecided: [contained, fenced].map((claim) => ({ claim, because })),
  }
}
