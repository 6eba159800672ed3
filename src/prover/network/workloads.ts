/**
 * Workloads as one sees them from outside: pods of one controlling owner, or the pods that a template would make.
 * Reads objects only as far as names, labels and container ports; what it cannot read it names.
 */
import { isObject, type Json } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'
import type { ContainerPort, Pod } from './evaluate.ts'
import { at, child, groupOf, items } from './fields.ts'
import { protocols } from './ports.ts'
import type { Labels } from './selectors.ts'

export interface Workload {
  /** `namespace/name[Kind]`. */
  readonly name: string
  readonly namespace: string
  /** All its pods; several only where they may behave differently. */
  readonly pods: readonly [Pod, ...Pod[]]
}

const namespaceName = 'kubernetes.io/metadata.name'

/** Every namespace carries its own name as a label, whoever wrote it (the API server sets it). */
export const namespaceLabels = (name: string, labels: Labels | undefined): Labels => ({
  ...labels,
  [namespaceName]: name,
})

const template = ['spec', 'template'] as const
/** The API group of each kind that makes pods, and where its pod template lies; a Pod is its own. */
const kinds: ReadonlyMap<string, { readonly group: string; readonly template: readonly string[] }> = new Map([
  ['Pod', { group: '', template: [] }],
  ['ReplicationController', { group: '', template }],
  ['Deployment', { group: 'apps', template }],
  ['ReplicaSet', { group: 'apps', template }],
  ['StatefulSet', { group: 'apps', template }],
  ['DaemonSet', { group: 'apps', template }],
  ['Job', { group: 'batch', template }],
  ['CronJob', { group: 'batch', template: ['spec', 'jobTemplate', ...template] }],
])

/** What a workload's pods look like; undefined for other kinds. Old dumps have `extensions` where `apps` is now. */
function podTemplate(object: KubeObject): Json | undefined {
  const kind = kinds.get(object.kind)
  const group = groupOf(object.apiVersion)
  if (kind === undefined || (group !== kind.group && !(kind.group === 'apps' && group === 'extensions')))
    return undefined
  return at(object, kind.template) ?? {}
}

function containerPorts(podSpec: Json | undefined): readonly ContainerPort[] {
  const ports = items(child(podSpec, 'containers')).flatMap((container) => items(child(container, 'ports')))
  return ports.flatMap((declared) => {
    const { name, protocol = 'TCP', containerPort } = isObject(declared) ? declared : {}
    const known = protocols.find((candidate) => candidate === protocol)
    if (known === undefined || typeof containerPort !== 'number') return []
    return [{ name: typeof name === 'string' ? name : undefined, protocol: known, port: containerPort }]
  })
}

function labelsIn(value: Json | undefined): Labels {
  const entries = isObject(value) ? Object.entries(value) : []
  return Object.fromEntries(entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'))
}

/** The controlling owner; a node is none, since it only mirrors static pods. */
function owner(object: KubeObject): { name: string; kind: string } | undefined {
  const controller = items(child(object.metadata, 'ownerReferences'))
    .filter(isObject)
    .find((reference) => reference['controller'] === true)
  if (controller === undefined || controller['kind'] === 'Node' || typeof controller['name'] !== 'string')
    return undefined
  const kind = controller['kind']
  return { name: controller['name'], kind: typeof kind === 'string' && kind !== '' ? kind : 'Pod' }
}

/** Groups the objects into workloads, in the order of their names. Other kinds are passed over. */
export function workloads(objects: readonly KubeObject[]): readonly Workload[] {
  const labelsOfNamespaces = new Map<string, Labels>()
  for (const object of objects) {
    if (object.kind === 'Namespace' && groupOf(object.apiVersion) === '') {
      labelsOfNamespaces.set(object.metadata.name, namespaceLabels(object.metadata.name, object.metadata.labels))
    }
  }
  const pods = new Map<string, Map<string, Pod>>()
  for (const object of objects) {
    const made = podTemplate(object)
    if (made === undefined) continue
    const namespace = object.metadata.namespace ?? 'default'
    const identity = (object.kind === 'Pod' ? owner(object) : undefined) ?? {
      name: object.metadata.name,
      kind: object.kind,
    }
    const name = `${namespace}/${identity.name}[${identity.kind}]`
    const pod: Pod = {
      type: 'pod',
      namespace,
      namespaceLabels: labelsOfNamespaces.get(namespace) ?? namespaceLabels(namespace, undefined),
      labels: labelsIn(at(made, ['metadata', 'labels'])),
      ports: containerPorts(child(made, 'spec')),
    }
    const ofWorkload = pods.get(name) ?? new Map<string, Pod>()
    pods.set(name, ofWorkload.set(object.metadata.name, pod))
  }
  return [...pods]
    .flatMap(([name, ofWorkload]) => {
      const [first, ...others] = ofWorkload.values()
      return first === undefined ? [] : [{ name, namespace: first.namespace, pods: [first, ...others] as const }]
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
