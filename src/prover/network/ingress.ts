/**
 * What Ingress and Route objects open from the cluster's ingress controller to pods: backend → Service port → pod port.
 * Only what they ask for; whether policies let it through is decided by the caller.
 */
import { isObject, type Json } from '../../model/json.ts'
import type { KubeObject } from '../../model/world.ts'
import type { Pod } from './evaluate.ts'
import { child, items } from './fields.ts'
import { noPorts, type PortSet, portRange, portUnion } from './ports.ts'
import { matches, selectorOf } from './selectors.ts'

type PortReference = string | number | undefined

interface Backend {
  readonly namespace: string
  readonly service: string
  /** Undefined: every port of the Service. */
  readonly port: PortReference
}

const reference = (value: Json | undefined): PortReference =>
  typeof value === 'string' && value !== '' ? value : typeof value === 'number' && value !== 0 ? value : undefined

function ingressBackends(object: KubeObject): readonly Backend[] {
  const spec = object['spec'] as Json | undefined
  const paths = items(child(spec, 'rules')).flatMap((rule) => items(child(child(rule, 'http'), 'paths')))
  const backends = [child(spec, 'defaultBackend'), ...paths.map((path) => child(path, 'backend'))]
  return backends.flatMap((backend) => {
    const service = child(backend, 'service')
    const name = child(service, 'name')
    if (typeof name !== 'string') return []
    const port = child(service, 'port')
    return [
      {
        namespace: object.metadata.namespace ?? 'default',
        service: name,
        port: reference(child(port, 'name')) ?? reference(child(port, 'number')),
      },
    ]
  })
}

function routeBackends(object: KubeObject): readonly Backend[] {
  const spec = object['spec'] as Json | undefined
  const port = reference(child(child(spec, 'port'), 'targetPort'))
  return [child(spec, 'to'), ...items(child(spec, 'alternateBackends'))].flatMap((target) => {
    const name = child(target, 'name')
    const kind = child(target, 'kind') ?? 'Service'
    if (typeof name !== 'string' || (kind !== 'Service' && kind !== '')) return []
    return [{ namespace: object.metadata.namespace ?? 'default', service: name, port }]
  })
}

/** The pod ports that a Service forwards the asked port to: by its name, its number or, as Routes may, its target. */
function targets(service: KubeObject, asked: PortReference): readonly (string | number)[] {
  const found: (string | number)[] = []
  for (const entry of items(child(service['spec'], 'ports'))) {
    const port = reference(child(entry, 'port'))
    const target = reference(child(entry, 'targetPort')) ?? port
    if (target === undefined) continue
    if (asked === undefined) found.push(target)
    else if (asked === reference(child(entry, 'name')) || asked === port || asked === target) return [target]
  }
  return found
}

/** Controllers speak TCP to ports that the pod declares; a name must be declared as TCP. */
function open(pod: Pod, target: string | number): PortSet {
  const declared = pod.ports.find((port) =>
    typeof target === 'string' ? port.name === target && port.protocol === 'TCP' : port.port === target,
  )
  return declared === undefined ? noPorts : portRange('TCP', declared.port, declared.port)
}

const isIngress = (object: KubeObject) =>
  object.kind === 'Ingress' && /^(networking\.k8s\.io|extensions)\//.test(object.apiVersion)
const isRoute = (object: KubeObject) =>
  object.kind === 'Route' && /^(route\.openshift\.io\/|v1$)/.test(object.apiVersion)

/** For a pod, the ports that Ingress and Route objects lead to. A Service without selector leads nowhere we can see. */
export function ingressTargets(objects: readonly KubeObject[]): (pod: Pod) => PortSet {
  const backends = [
    ...objects.filter(isIngress).flatMap(ingressBackends),
    ...objects.filter(isRoute).flatMap(routeBackends),
  ]
  const services = new Map(
    objects
      .filter((object) => object.kind === 'Service' && object.apiVersion === 'v1')
      .map((object) => [`${object.metadata.namespace ?? 'default'}/${object.metadata.name}`, object]),
  )
  const ways = backends.flatMap((backend) => {
    const service = services.get(`${backend.namespace}/${backend.service}`)
    const selector = child(service?.['spec'], 'selector')
    if (service === undefined || !isObject(selector) || Object.keys(selector).length === 0) return []
    const requirements = Object.entries(selector).map(([key, value]) => ({
      key,
      operator: 'In' as const,
      values: new Set([typeof value === 'string' ? value : JSON.stringify(value)]),
    }))
    return [{ namespace: backend.namespace, selector: selectorOf(requirements), ports: targets(service, backend.port) }]
  })
  return (pod) =>
    ways
      .filter((way) => way.namespace === pod.namespace && matches(way.selector, pod.labels))
      .flatMap((way) => way.ports)
      .reduce<PortSet>((set, target) => portUnion(set, open(pod, target)), noPorts)
}
