/** Which `ResourceQuota` entries a document may name, and what their values may be. */
import type { Problem } from '../errors.ts'
import { nearest } from '../nearest.ts'
import { excerpt } from '../printable.ts'
import { problemAt } from '../problems.ts'

/** Kubernetes: counts take whole numbers. */
const counts = [
  'pods',
  'persistentvolumeclaims',
  'services',
  'services.nodeports',
  'services.loadbalancers',
  'configmaps',
  'secrets',
  'replicationcontrollers',
  'resourcequotas',
] as const
const amounts = [
  'cpu',
  'memory',
  'ephemeral-storage',
  'requests.cpu',
  'requests.memory',
  'requests.storage',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
] as const
const known: readonly string[] = [...counts, ...amounts]

const dns = '[a-z0-9]([a-z0-9.-]{0,250}[a-z0-9])?'
/** `count/<resource>[.<group>]`, a storage class's own entries, and extended resources such as GPUs. */
const countedKind = new RegExp(`^count/${dns}$`)
const storageClassCount = new RegExp(`^${dns}\\.storageclass\\.storage\\.k8s\\.io/persistentvolumeclaims$`)
const storageClassAmount = new RegExp(`^${dns}\\.storageclass\\.storage\\.k8s\\.io/requests\\.storage$`)
const extended = new RegExp(`^requests\\.${dns}/[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$`)
const hugePages = /^(requests\.)?hugepages-[1-9][0-9]*(Ki|Mi|Gi)$/

const isCount = (key: string): boolean =>
  counts.some((one) => one === key) || countedKind.test(key) || storageClassCount.test(key) || extended.test(key)
const isAmount = (key: string): boolean =>
  amounts.some((one) => one === key) || storageClassAmount.test(key) || hugePages.test(key)

export function quotaProblems(
  quota: { readonly [key: string]: string },
  path: readonly (string | number)[],
): readonly Problem[] {
  return Object.entries(quota).flatMap(([key, value]) => {
    const at = [...path, key]
    if (key === 'services.nodeports' && value !== '0') {
      return [
        problemAt(
          at,
          `is ${value}; a node port bypasses the network fence`,
          'leave it 0 and use an ingress or the gateway',
        ),
      ]
    }
    if (isCount(key))
      return /^[0-9]+$/.test(value)
        ? []
        : [problemAt(at, `is ${value}, but counts are whole numbers`, 'give a whole number')]
    if (isAmount(key)) return []
    const near = nearest(key, known)
    return [
      problemAt(
        at,
        `is not a resource that a quota can limit`,
        near === undefined ? `known: ${known.join(', ')}, count/<resource>` : `did you mean "${excerpt(near)}"?`,
      ),
    ]
  })
}
