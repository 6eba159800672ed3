/** What a tenant's document shares with it: `get` on named objects of the platform, and nothing more. */
import type { World } from '../../model/world.ts'
import type { Profile } from './profile.ts'

/** The plural that the API serves a kind under; kinds that may be shared follow the rule. */
function pluralOf(kind: string): string {
  const lower = kind.toLowerCase()
  if (lower === 'endpoints') return lower
  if (/(s|x|ch|sh)$/.test(lower)) return `${lower}es`
  return /[^aeiou]y$/.test(lower) ? `${lower.slice(0, -1)}ies` : `${lower}s`
}

const cache = new WeakMap<World, ReadonlyMap<string, ReadonlySet<string>>>()

function sharedOf(world: World): ReadonlyMap<string, ReadonlySet<string>> {
  const known = cache.get(world)
  if (known !== undefined) return known
  const made = new Map(
    world.tenants.map((tenant) => [
      tenant.name,
      new Set(
        tenant.shared.map(
          ({ apiGroup, kind, namespace, name }) => `${namespace} ${apiGroup}/${pluralOf(kind)}/${name}`,
        ),
      ),
    ]),
  )
  cache.set(world, made)
  return made
}

/** Whether all that a role allows in a namespace is shared with every one of these tenants. */
export function isShared(world: World, tenants: ReadonlySet<string>, namespace: string, profile: Profile): boolean {
  const { namedGets } = profile
  if (namedGets === undefined) return false
  const shared = sharedOf(world)
  return [...tenants].every((tenant) =>
    namedGets.every(
      ({ group, resource, name }) => shared.get(tenant)?.has(`${namespace} ${group}/${resource}/${name}`) === true,
    ),
  )
}
