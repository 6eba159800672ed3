/** What a platform document must hold beyond its shape. Pure; knows no tenant. */
import type { Problem } from '../errors.ts'
import { patternProblem } from '../names.ts'
import type { NameKind } from '../names.ts'
import type { PlatformSpec } from '../platform.ts'
import { problemAt } from '../problems.ts'
import { parseRange, rangeText } from '../ranges.ts'
import { quotaProblems } from './quota.ts'

const kinds: { readonly [what in keyof PlatformSpec['names']]: NameKind } = {
  namespace: 'namespace',
  database: 'database',
  databaseOwner: 'role',
  databaseLogin: 'role',
  networkPolicy: 'networkPolicy',
}

/** Every problem of a platform spec; an empty list means that tenants may be admitted under it. */
export function platformProblems(spec: PlatformSpec): readonly Problem[] {
  return [
    ...patternProblems(spec),
    ...rangeProblems(spec.kubernetes.ranges, ['spec', 'kubernetes', 'ranges']),
    ...rangeProblems(spec.kubernetes.resolvers, ['spec', 'kubernetes', 'resolvers']),
    ...quotaProblems(spec.defaults.quota, ['spec', 'defaults', 'quota']),
    ...namespaceProblems(spec),
    ...notBuilt(spec),
  ]
}

function patternProblems(spec: PlatformSpec): readonly Problem[] {
  const problems = (Object.keys(kinds) as (keyof typeof kinds)[]).flatMap((what) => {
    const problem = patternProblem(spec.names[what], kinds[what])
    return problem === undefined ? [] : [problemAt(['spec', 'names', what], problem.reason, problem.fix)]
  })
  if (spec.names.databaseOwner !== spec.names.databaseLogin) return problems
  const same = problemAt(
    ['spec', 'names', 'databaseLogin'],
    'is the pattern of the database owner too',
    'give the login a pattern of its own',
  )
  return [...problems, same]
}

export function rangeProblems(ranges: readonly string[], path: readonly (string | number)[]): readonly Problem[] {
  return ranges.flatMap((text, index) => {
    const range = parseRange(text)
    if (range === undefined)
      return [
        problemAt(
          [...path, index],
          `is "${text}", not an address range`,
          'give a range such as 10.0.0.0/8 or fd00::/8',
        ),
      ]
    if (range.hostBits)
      return [problemAt([...path, index], `is "${text}", which has host bits set`, `did you mean ${rangeText(range)}?`)]
    return []
  })
}

function namespaceProblems(spec: PlatformSpec): readonly Problem[] {
  const { systemNamespace, sharedNamespaces } = spec.kubernetes
  const taken = /^(default|kube-.*)$/
  const problems = sharedNamespaces.flatMap((name, index) => {
    const path = ['spec', 'kubernetes', 'sharedNamespaces', index]
    if (name === systemNamespace) return [problemAt(path, "is the control plane's own namespace", 'share another one')]
    return taken.test(name)
      ? [problemAt(path, `is Kubernetes' own namespace ${name}`, 'share a namespace of its own')]
      : []
  })
  if (!taken.test(systemNamespace)) return problems
  const own = problemAt(
    ['spec', 'kubernetes', 'systemNamespace'],
    `is Kubernetes' own namespace ${systemNamespace}`,
    'use a namespace that holds nothing else',
  )
  return [...problems, own]
}

function notBuilt(spec: PlatformSpec): readonly Problem[] {
  if (spec.isolation.enabled) return []
  return [
    problemAt(['spec', 'isolation', 'enabled'], 'asks for shared isolation, which is not configured', 'leave it true'),
  ]
}
