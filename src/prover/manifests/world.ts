/**
 * A world out of files: tenants are the values of a namespace label, and what the files do not hold is what every new
 * cluster holds. Objects that contradict each other make the world unreadable, not the later one right.
 */
import { jsonEqual, type Json } from '../../model/json.ts'
import type { KubeObject, TenantBoundary, Unreadable, World } from '../../model/world.ts'
import { isDecisive } from './documents.ts'

export const defaultTenantLabel = 'ringfence.dev/tenant'
/** Where the rendered manifests keep the accounts of tenants' roles. */
const systemNamespace = 'ringfence-system'

export interface ManifestRead {
  readonly objects: readonly KubeObject[]
  readonly unreadable: readonly Unreadable[]
}

/** Kinds that the logics ask about; files that hold none of one say that there is none. */
const alwaysRead = [
  '/Namespace', '/Pod', '/Service', '/ServiceAccount', '/Secret', '/Endpoints', 'discovery.k8s.io/EndpointSlice', 'networking.k8s.io/NetworkPolicy',
  ...['Role', 'ClusterRole', 'RoleBinding', 'ClusterRoleBinding'].map((kind) => `rbac.authorization.k8s.io/${kind}`),
] // prettier-ignore

/** Names that the prover itself uses for owners. */
const reserved = new Set(['platform', 'outsider'])

export function worldOfManifests(
  read: ManifestRead,
  tenantLabel: string = defaultTenantLabel,
  now: Date = new Date(),
): World {
  const { objects, problems } = distinct(read.objects)
  const unreadable = [...read.unreadable, ...problems]
  const namespaces = new Map<string, string[]>()
  for (const object of objects) {
    if (object.kind !== 'Namespace' || object.apiVersion !== 'v1') continue
    const tenant = object.metadata.labels?.[tenantLabel]
    if (tenant === undefined) continue
    if (tenant === '' || reserved.has(tenant)) {
      unreadable.push({
        product: 'file',
        what: `Namespace ${object.metadata.name}`,
        why: `the label ${tenantLabel} cannot name a tenant ${JSON.stringify(tenant)}`,
      })
    } else namespaces.set(tenant, [...(namespaces.get(tenant) ?? []), object.metadata.name])
  }
  const instant = now.toISOString()
  return {
    source: 'manifests',
    observed: [instant, instant],
    tenants: boundaries(namespaces, objects, tenantLabel),
    kubernetes: {
      objects,
      kinds: [
        ...new Set([
          ...alwaysRead,
          ...objects.map(
            ({ apiVersion, kind }) =>
              `${apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''}/${kind}`,
          ),
        ]),
      ],
      ranges: [],
      sharedNamespaces: [],
      systemNamespace,
      tenantLabel,
    },
    unreadable,
    trusted: [],
    trustedRoles: [],
  }
}

type Subject = TenantBoundary['subjects'][number]

/**
 * Files have no registry. A user or group that is bound in a tenant's namespace acts for that tenant; one that is bound
 * in those of two tenants acts for both, and so refutes both. Kubernetes' own names are nobody's.
 */
function boundaries(
  namespaces: ReadonlyMap<string, readonly string[]>,
  objects: readonly KubeObject[],
  tenantLabel: string,
): readonly TenantBoundary[] {
  const owners = new Map([...namespaces].flatMap(([tenant, names]) => names.map((name) => [name, tenant] as const)))
  const subjects = new Map<string, Map<string, Subject>>(
    [...namespaces.keys()].map((tenant) => [tenant, new Map<string, Subject>()]),
  )
  const add = (tenant: string | undefined, subject: Subject): void => {
    if (tenant !== undefined)
      subjects.get(tenant)?.set(`${subject.kind} ${subject.namespace ?? ''}/${subject.name}`, subject)
  }
  for (const object of objects) {
    const namespace = object.metadata.namespace ?? 'default'
    if (object.kind === 'ServiceAccount' && namespace === systemNamespace) {
      add(object.metadata.labels?.[tenantLabel], { kind: 'ServiceAccount', namespace, name: object.metadata.name })
    }
    if (object.kind !== 'RoleBinding' || !Array.isArray(object['subjects'])) continue
    for (const subject of object['subjects'] as readonly { readonly kind?: unknown; readonly name?: unknown }[]) {
      const { kind, name } = subject ?? {}
      if (
        (kind !== 'User' && kind !== 'Group') ||
        typeof name !== 'string' ||
        name === '' ||
        name.startsWith('system:')
      )
        continue
      add(owners.get(namespace), { kind, name })
    }
  }
  return [...namespaces].map(([name, own]) => ({
    name,
    namespaces: own,
    subjects: [...(subjects.get(name)?.values() ?? [])],
    databases: [],
    shared: [],
  }))
}

/** One object a name. The same one twice is one; two different ones under a name are a contradiction. */
function distinct(objects: readonly KubeObject[]): {
  readonly objects: readonly KubeObject[]
  readonly problems: readonly Unreadable[]
} {
  const known = new Map<string, KubeObject>()
  const contradicted = new Set<string>()
  for (const object of objects) {
    const { apiVersion, kind, metadata } = object
    const group = apiVersion.includes('/') ? apiVersion.slice(0, apiVersion.indexOf('/')) : ''
    const place =
      kind === 'Namespace' || kind.startsWith('Cluster')
        ? metadata.name
        : `${metadata.namespace ?? 'default'}/${metadata.name}`
    const key = `${kind} ${place}${group === '' ? '' : ` (${group})`}`
    const other = known.get(key)
    if (other === undefined) known.set(key, object)
    else if (isDecisive(object) && !jsonEqual(other as unknown as Json, object as unknown as Json))
      contradicted.add(key)
  }
  return {
    objects: [...known.values()],
    problems: [...contradicted].map((what) => ({ product: 'file', what, why: 'is given twice, differently' })),
  }
}
