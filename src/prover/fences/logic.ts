/**
 * The fences logic: whether every object that fences a tenant stands as the platform states it, admission rules,
 * quotas and limits included. What the other logics assume of admission is checked here.
 */
import { type Analysis, type Logic, type LogicEdge, outsider, shellQuote, tenantNode } from '../logic.ts'
import type { FenceState, World } from '../../model/world.ts'

const claim = 'fences.stand'

export const fencesLogic: Logic = {
  name: 'fences',
  claims: [{ id: claim, statement: 'every object that fences the tenant stands as the platform states it' }],
  applies: (world) => world.fences !== undefined,
  analyse,
}

function analyse(world: World): Analysis {
  const fences = world.fences ?? []
  const platform = fences.filter((fence) => fence.tenant === undefined)
  const own = Map.groupBy(
    fences.filter((fence) => fence.tenant !== undefined),
    (fence) => fence.tenant ?? '',
  )
  const undecided: { claim: string; tenant: string; because: string }[] = []
  const refuted: { claim: string; tenant: string; edge: LogicEdge; subject: string; object: string }[] = []
  const checked = new Map<string, number>()
  const wrong = platform.filter((fence) => fence.status !== 'stands')
  for (const { name } of world.tenants) {
    const mine = own.get(name) ?? []
    // A tenant whose own fences were not looked at has nothing proved, however well the platform's stand.
    checked.set(name, mine.length === 0 ? 0 : platform.length + mine.length)
    for (const fence of [...wrong, ...mine.filter((one) => one.status !== 'stands')]) {
      const label = `${fence.kind.replace(/^.*\//, '')} ${fence.name}`
      if (fence.status === 'unreadable')
        undecided.push({ claim, tenant: name, because: `${label}: ${fence.detail ?? 'could not be read'}` })
      else
        refuted.push({
          claim,
          tenant: name,
          edge: edgeOf(fence, label, name),
          subject: 'whoever it kept out',
          object: `tenant ${name}`,
        })
    }
  }
  return { edges: [], starts: new Map([[outsider, []]]), owners: new Map(), undecided, refuted, checked, assuming: [] }
}

const edgeOf = (fence: FenceState, label: string, tenant: string): LogicEdge => ({
  from: outsider,
  to: tenantNode(tenant),
  rule: fence.status === 'missing' ? 'fence.missing' : 'fence.changed',
  by: fence.status === 'missing' ? `${label} is missing` : `${label} differs at ${fence.detail ?? '/'}`,
  ...(fence.kind.startsWith('kubernetes/') ? { command: commandOf(fence) } : {}),
})

function commandOf({ kind, name }: FenceState): string {
  const resource = kind.replace(/^.*\//, '').toLowerCase()
  const slash = name.indexOf('/')
  if (slash < 0) return `kubectl get ${shellQuote(resource)} ${shellQuote(name)} -o yaml`
  return `kubectl -n ${shellQuote(name.slice(0, slash))} get ${shellQuote(resource)} ${shellQuote(name.slice(slash + 1))} -o yaml`
}
