/**
 * One pass over a world's objects that sorts them the way the network logic asks for them. Decides nothing.
 */
import type { KubeObject } from '../../model/world.ts'
import { type ForeignObject, foreignPolicies } from './foreign-kinds.ts'
import { parsePolicy, type Policy } from './policy.ts'

export interface NamespacePolicies {
  readonly policies: Policy[]
  /** Policies that are not understood, in words. */
  readonly problems: string[]
}

export interface SortedObjects {
  readonly namespaces: readonly KubeObject[]
  readonly policies: ReadonlyMap<string, NamespacePolicies>
  readonly pods: ReadonlyMap<string, readonly KubeObject[]>
  readonly services: ReadonlyMap<string, readonly KubeObject[]>
  readonly endpoints: ReadonlyMap<string, readonly KubeObject[]>
  readonly foreign: readonly ForeignObject[]
}

export const noPolicies: NamespacePolicies = { policies: [], problems: [] }
const podKinds = new Set([
  'Pod',
  'Deployment',
  'ReplicaSet',
  'StatefulSet',
  'DaemonSet',
  'ReplicationController',
  'Job',
  'CronJob',
])

export function sortObjects(objects: readonly KubeObject[]): SortedObjects {
  const namespaces: KubeObject[] = []
  const policies = new Map<string, NamespacePolicies>()
  const pods = new Map<string, KubeObject[]>()
  const services = new Map<string, KubeObject[]>()
  const endpoints = new Map<string, KubeObject[]>()
  const possiblyForeign: KubeObject[] = []
  for (const object of objects) {
    const { kind, apiVersion } = object
    if (kind === 'Namespace' && apiVersion === 'v1') namespaces.push(object)
    else if (kind === 'NetworkPolicy' && apiVersion === 'networking.k8s.io/v1') addPolicy(policies, object)
    else if (podKinds.has(kind)) add(pods, object)
    else if (kind === 'Service' && apiVersion === 'v1') add(services, object)
    else if (kind === 'Endpoints' || kind === 'EndpointSlice') add(endpoints, object)
    else possiblyForeign.push(object)
  }
  const foreign = foreignPolicies(possiblyForeign).filter((object) => object.concern === 'policy')
  return { namespaces, policies, pods, services, endpoints, foreign }
}

const namespaceOf = (object: KubeObject): string => object.metadata.namespace ?? 'default'

function add(map: Map<string, KubeObject[]>, object: KubeObject): void {
  const list = map.get(namespaceOf(object))
  if (list === undefined) map.set(namespaceOf(object), [object])
  else list.push(object)
}

function addPolicy(map: Map<string, NamespacePolicies>, object: KubeObject): void {
  const entry = map.get(namespaceOf(object)) ?? { policies: [], problems: [] }
  map.set(namespaceOf(object), entry)
  const parsed = parsePolicy(object)
  if ('policy' in parsed) entry.policies.push(parsed.policy)
  else entry.problems.push(`NetworkPolicy ${namespaceOf(object)}/${object.metadata.name} holds ${parsed.problem}`)
}
