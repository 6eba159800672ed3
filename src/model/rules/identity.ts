/** Who a tenant is: reserved and colliding names, what never changes, labels and tags that are not the tenant's to set. */
import type { Problem } from '../errors.ts'
import { derivedNames, hasLiteral, matchesPattern, sampleUid, slugOf } from '../names.ts'
import { problemAt } from '../problems.ts'
import type { PlatformSpec } from '../platform.ts'
import { holderOf, isKubernetesNamespace, platformNamespaces } from './context.ts'
import type { Admission } from './context.ts'

const reserved = new Set(['default', 'system', 'shared', 'platform'])

/** Names that no tenant may have: they would read as Kubernetes', the platform's or ours. */
export const isReservedName = (name: string, platform: PlatformSpec): boolean =>
  reserved.has(name) ||
  name === 'kube' ||
  name.startsWith('kube-') ||
  name.startsWith('ringfence') ||
  platform.reservedNames.includes(name)

export function identityProblems(admission: Admission): readonly Problem[] {
  return [
    ...nameProblems(admission),
    ...namespaceProblems(admission),
    ...(admission.existing === undefined ? [] : immutableProblems(admission)),
    ...labelProblems(admission),
    ...tagProblems(admission),
  ]
}

function nameProblems({ document, platform, existing, others }: Admission): readonly Problem[] {
  const { name } = document.metadata
  const problems: Problem[] = []
  const slug = document.spec.slug
  // A name that the platform reserves later does not lock out the tenant that has it.
  if (existing === undefined && isReservedName(name, platform)) {
    problems.push(problemAt(['metadata', 'name'], `is the reserved name "${name}"`, 'choose another name'))
  }
  if (slug !== undefined && slug !== existing?.spec.slug && isReservedName(slug, platform)) {
    problems.push(problemAt(['spec', 'slug'], `is the reserved name "${slug}"`, 'choose another slug'))
  }
  if (existing === undefined) {
    const sample = { name, slug: slugOf({ name, spec: document.spec }), uid: sampleUid, spec: document.spec }
    problems.push(...derivedNames(platform, sample).problems)
  }
  const domain = document.spec.domain
  const holder = domain === undefined ? undefined : others.find((other) => other.domain === domain)
  if (holder !== undefined)
    problems.push(problemAt(['spec', 'domain'], `is the domain of tenant ${holder.name}`, 'choose another domain'))
  return problems
}

function namespaceProblems(admission: Admission): readonly Problem[] {
  const { document, platform, namespace, existing, others } = admission
  const wanted = document.spec.compute.namespace
  const path = wanted.name === undefined ? ['metadata', 'name'] : ['spec', 'compute', 'namespace', 'name']
  const says = `makes the namespace "${namespace}", which`
  const another = 'choose another name'
  const holder = holderOf(admission, namespace)
  if (holder !== undefined) return [problemAt(path, `${says} belongs to tenant ${holder}`, another)]
  if (existing !== undefined) return []
  if (isKubernetesNamespace(namespace)) return [problemAt(path, `${says} is Kubernetes' own`, another)]
  if (namespace === platform.kubernetes.systemNamespace || platformNamespaces(platform).has(namespace)) {
    return [problemAt(path, `${says} is the platform's`, another)]
  }
  const inside = others.find((other) => other.serviceAccounts?.some((account) => account.namespace === namespace))
  if (inside !== undefined)
    return [problemAt(path, `${says} holds service accounts that tenant ${inside.name} binds`, another)]
  const pattern = platform.names.namespace
  const derived = pattern
    .replaceAll('<name>', document.metadata.name)
    .replaceAll('<slug>', slugOf({ name: document.metadata.name, spec: document.spec }))
  if (
    wanted.name !== undefined &&
    wanted.name !== derived &&
    hasLiteral(pattern) &&
    matchesPattern(pattern, wanted.name)
  ) {
    return [
      problemAt(
        path,
        `${says} the platform's pattern ${pattern} keeps for another tenant`,
        `leave it out, or choose a name that does not match ${pattern}`,
      ),
    ]
  }
  return []
}

function immutableProblems({ document, existing }: Admission): readonly Problem[] {
  if (existing === undefined) return []
  const problems: Problem[] = []
  const [before, after] = [existing.spec.compute.namespace, document.spec.compute.namespace]
  if (document.metadata.name !== existing.name) {
    problems.push(problemAt(['metadata', 'name'], `cannot change from "${existing.name}"`, 'create another tenant'))
  }
  if (after.name !== before.name && after.name !== existing.names.namespace) {
    const fix =
      before.name === undefined ? `leave it out, or write "${existing.names.namespace}"` : `write "${before.name}"`
    problems.push(
      problemAt(
        ['spec', 'compute', 'namespace', 'name'],
        `cannot change: the namespace is "${existing.names.namespace}"`,
        fix,
      ),
    )
  }
  for (const field of ['adopt', 'create'] as const) {
    if (after[field] === before[field]) continue
    problems.push(
      problemAt(
        ['spec', 'compute', 'namespace', field],
        'cannot change: it decided whose the namespace is',
        `write ${before[field]}`,
      ),
    )
  }
  const [was, now] = [existing.spec.database.mode, document.spec.database.mode]
  if (was !== 'none' && now !== was) {
    problems.push(
      problemAt(
        ['spec', 'database', 'mode'],
        `cannot change from "${was}": the database and its data would go`,
        'remove the tenant, or keep the mode',
      ),
    )
  }
  return problems
}

const systemKey = /^(([a-z0-9.-]+\.)?(kubernetes\.io|k8s\.io|ringfence\.dev))\//

/** Whether a label or annotation key belongs to Kubernetes or to us. */
export const isSystemKey = (key: string): boolean => systemKey.test(key)

function labelProblems({ document }: Admission): readonly Problem[] {
  const ours = ['labels', 'annotations'] as const
  const own = ours.flatMap((field) =>
    Object.keys(document.metadata[field])
      .filter((key) => /^([a-z0-9.-]+\.)?ringfence\.dev\//.test(key))
      .map((key) => problemAt(['metadata', field, key], 'is a key that only the control plane sets', 'remove it')),
  )
  const onNamespace = Object.keys(document.spec.compute.namespace.labels)
    .filter(isSystemKey)
    .map((key) =>
      problemAt(
        ['spec', 'compute', 'namespace', 'labels', key],
        'is a system label: it would change what the fences select',
        'remove it, or use a key of your own',
      ),
    )
  return [...own, ...onNamespace]
}

const tagKey = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/
const tagValue = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/

/** Tags become labels on every object, so they follow the rules for labels. */
function tagProblems({ document }: Admission): readonly Problem[] {
  return Object.entries(document.spec.tags).flatMap(([key, value]) => {
    if (!tagKey.test(key))
      return [problemAt(['spec', 'tags', key], 'is not a tag name', 'use 1-63 of letters, digits, ".", "_" and "-"')]
    if (tagValue.test(value)) return []
    return [
      problemAt(
        ['spec', 'tags', key],
        'is not a value that a label can carry',
        'use at most 63 of letters, digits, ".", "_" and "-"',
      ),
    ]
  })
}
