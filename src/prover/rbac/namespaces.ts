/**
 * What the Namespace and Secret objects of a world say that matters to access: pod security, whose label a namespace
 * carries, and which Secrets hold tokens.
 */
import type { KubeObject, World } from '../../model/world.ts'
import type { Culprit } from '../../model/verdict.ts'
import type { NamespaceFacts } from './edges.ts'

export const enforceLabel = 'pod-security.kubernetes.io/enforce'
export const defaultTenantLabel = 'ringfence.dev/tenant'

export interface ClusterFacts extends NamespaceFacts {
  readonly namespaces: ReadonlyMap<string, KubeObject>
  readonly secrets: readonly KubeObject[]
}

const culpritOf = (object: KubeObject): Culprit => ({
  product: 'kubernetes',
  apiVersion: object.apiVersion,
  kind: object.kind,
  name: object.metadata.name,
  ...(object.metadata.uid === undefined ? {} : { uid: object.metadata.uid }),
})

export function clusterFacts(world: World): ClusterFacts {
  const objects = world.kubernetes?.objects ?? []
  const namespaces = new Map<string, KubeObject>()
  const secrets: KubeObject[] = []
  const tokens = new Map<string, string>()
  for (const object of objects) {
    if (object.apiVersion !== 'v1') continue
    const { name, namespace = 'default', annotations } = object.metadata
    if (object.kind === 'Namespace') namespaces.set(name, object)
    if (object.kind !== 'Secret') continue
    secrets.push(object)
    const account = annotations?.['kubernetes.io/service-account.name']
    if (account !== undefined) tokens.set(`${namespace}/${name}`, account)
  }
  return {
    namespaces,
    secrets,
    tokenOf: (namespace, secret) => tokens.get(`${namespace}/${secret}`),
    weakness(namespace) {
      const object = namespaces.get(namespace)
      const level = object?.metadata.labels?.[enforceLabel]
      if (level === 'baseline' || level === 'restricted') return undefined
      const by = `Namespace ${namespace} (${level === undefined ? 'no pod security level' : `pod security ${level}`})`
      return { by, culprit: object === undefined ? undefined : culpritOf(object) }
    },
  }
}

export interface Mislabelled {
  readonly tenant: string
  readonly namespace: string
  readonly by: string
  readonly culprit: Culprit
}

/**
 * Namespaces whose label contradicts who they belong to. Admission and the network fences go by the label, so a
 * tenant's namespace without it stands outside of them, and a foreign one with it stands inside.
 */
export function mislabelled(world: World, facts: ClusterFacts): readonly Mislabelled[] {
  const key = world.kubernetes?.tenantLabel ?? defaultTenantLabel
  const owners = new Map(
    world.tenants.flatMap((tenant) => tenant.namespaces.map((namespace) => [namespace, tenant.name])),
  )
  const known = new Set(world.tenants.map((tenant) => tenant.name))
  return [...facts.namespaces.values()].flatMap((object): readonly Mislabelled[] => {
    const namespace = object.metadata.name
    const label = object.metadata.labels?.[key]
    const owner = owners.get(namespace)
    if (owner === label) return []
    const by = `Namespace ${namespace} (${key}${label === undefined ? ' is missing' : `=${label}`})`
    const about = [owner, label].filter((name): name is string => name !== undefined && known.has(name))
    return about.map((tenant) => ({ tenant, namespace, by, culprit: culpritOf(object) }))
  })
}
