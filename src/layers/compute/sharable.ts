/**
 * The kinds of platform-owned objects that a tenant may be given to read, and how the API spells them. Closed: a kind
 * that is not here is refused by name, since granting `get` on a resource of a guessed name grants nothing, silently.
 */
import type { PolicyRule } from './roles.ts'

const plurals: { readonly [groupAndKind: string]: string } = {
  '/ConfigMap': 'configmaps',
  '/Secret': 'secrets',
  '/Service': 'services',
  '/Endpoints': 'endpoints',
  '/PersistentVolumeClaim': 'persistentvolumeclaims',
  'apps/Deployment': 'deployments',
  'apps/StatefulSet': 'statefulsets',
  'batch/Job': 'jobs',
  'batch/CronJob': 'cronjobs',
  'discovery.k8s.io/EndpointSlice': 'endpointslices',
  'networking.k8s.io/Ingress': 'ingresses',
}

export const sharableKinds: readonly string[] = Object.keys(plurals).map((key) => key.replace(/^\//, ''))

export const pluralOf = (apiGroup: string, kind: string): string | undefined => {
  const key = `${apiGroup}/${kind}`
  return Object.hasOwn(plurals, key) ? plurals[key] : undefined
}

/** What the engine must hold itself, so that it may hand it on. */
export const sharableRules: readonly PolicyRule[] = Object.entries(
  Object.groupBy(Object.keys(plurals), (key) => key.slice(0, key.indexOf('/'))),
).map(([group, keys]) => ({
  apiGroups: [group],
  resources: (keys ?? []).map((key) => plurals[key] ?? ''),
  verbs: ['get'],
}))
