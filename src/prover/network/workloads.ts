/**
 * Workloads as one sees them from outside: pods of one controlling owner, or the pods that a template would make.
 * Reads objects only as far as names, labels and container ports; what it cannot read it names.
 */
import { isObject, type Json } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'
import type { ContainerPort, Pod } from './evaluate.ts'
import { protocols } from './ports.ts'
import type { Labels } from './selectors.ts'

export interface Workload {
  /** `namespace/name[Kind]`. */
  readonly name: string
  readonly namespace: string
  /** All its pods; several only where they may behave differently. */
  readonly pods: readonly Pod[]
}

const namespaceName = 'kubernetes.io/metadata.name'

/** Every namespace carries its own name as a label, whoever wrote it (the API server sets it). */
export const namespaceLabels = (name: string, labels: Labels | undefined): Labels => ({ ...labels, [namespaceName]: name })

const templates: { readonly [kind: string]: readonly string[] } = {
  Deployment: ['spec', 'template'],
  ReplicaSet: ['spec', 'template'],
  StatefulSet: ['spec', 'template'],
  DaemonSet: ['spec', 'template'],
  ReplicationController: ['spec', 'template'],
  Job: ['spec', 'template'],
  CronJob: ['spec', 'jobTemplate', 'spec', 'template'],
}
const groups: { readonly [kind: string]: readonly string[] } = {
  Pod: [''],
  ReplicationController: [''],
  Job: ['batch'],
  CronJob: ['batch'],
}
const groupOf = (object: KubeObject): string => (object.apiVersion.includes('/') ? object.apiVersion.split('/')[0]! : '')

export function isWorkload(object: KubeObject): boolean {
  if (object.kind !== 'Pod' && templates[object.kind] === undefined) return false
  return (groups[object.kind] ?? ['apps', 'extensions']).includes(groupOf(object))
}

const at = (value: unknown, path: readonly string[]): Json | undefined => {
  let current: Json | undefined = value as Json | undefined
  for (const key of path) current = isObject(current) ? current[key] : undefined
  return current
}

function containerPorts(podSpec: Json | undefined): readonly ContainerPort[] {
  const containers = at(podSpec, ['containers'])
  const ports = (Array.isArray(containers) ? containers : []).flatMap((container: Json) => {
    const declared = at(container, ['ports'])
    return Array.isArray(declared) ? (declared as Json[]) : []
  })
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
  const references = object.metadata['ownerReferences']
  const list: readonly Json[] = Array.isArray(references) ? references : []
  const controller = list.filter(isObject).find((reference) => reference['controller'] === true)
  if (controller === undefined || controller['kind'] === 'Node' || typeof controller['name'] !== 'string') return undefined
  const kind = controller['kind']
  return { name: controller['name'], kind: typeof kind === 'string' && kind !== '' ? kind : 'Pod' }
}

/** Groups the objects into workloads, in the order of their names. Other kinds are passed over. */
export function workloads(objects: readonly KubeObject[]): readonly Workload[] {
  const labelsOfNamespaces = new Map<string, Labels>()
  for (const object of objects) {
    if (object.kind === 'Namespace' && groupOf(object) === '') {
      labelsOfNamespaces.set(object.metadata.name, namespaceLabels(object.metadata.name, object.metadata.labels))
    }
  }
  const pods = new Map<string, Map<string, Pod>>()
  for (const object of objects.filter(isWorkload)) {
    const namespace = object.metadata.namespace ?? 'default'
    const template = object.kind === 'Pod' ? object : at(object, templates[object.kind] ?? [])
    const identity = (object.kind === 'Pod' ? owner(object) : undefined) ?? { name: object.metadata.name, kind: object.kind }
    const name = `${namespace}/${identity.name}[${identity.kind}]`
    const pod: Pod = {
      type: 'pod',
      namespace,
      namespaceLabels: labelsOfNamespaces.get(namespace) ?? namespaceLabels(namespace, undefined),
      labels: labelsIn(at(template, ['metadata', 'labels'])),
      ports: containerPorts(at(template, ['spec'])),
    }
    const ofWorkload = pods.get(name) ?? new Map<string, Pod>()
    pods.set(name, ofWorkload.set(object.metadata.name, pod))
  }
  return [...pods]
    .map(([name, ofWorkload]) => ({ name, namespace: [...ofWorkload.values()][0]!.namespace, pods: [...ofWorkload.values()] }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}
