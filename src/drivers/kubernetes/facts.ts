/**
 * What can be seen of a cluster that shapes tenants' objects: version, CNI capability, address ranges, resolvers.
 * Ranges that our rights do not reach are left out (the platform document can name them); a fault throws.
 */
import type { Facts } from '../../model/layer.ts'
import { isRingfenceError, RingfenceError } from '../../model/errors.ts'
import { isObject, type Json, type JsonObject } from '../../model/json.ts'
import { defaultTimeoutMs, type KubernetesClient } from './client.ts'
import type { Discovery } from './discovery.ts'
import { drivenKinds, type KubeKind } from './kinds.ts'
import { listAll } from './list.ts'
import { valueAt } from '../differences.ts'

type KubernetesFacts = NonNullable<Facts['kubernetes']>

const node: KubeKind = { kind: 'Node', group: '', version: 'v1', plural: 'nodes', namespaced: false }
const serviceCidr: KubeKind = {
  kind: 'ServiceCIDR',
  group: 'networking.k8s.io',
  version: 'v1',
  plural: 'servicecidrs',
  namespaced: false,
}
const endpointSlice: KubeKind = {
  kind: 'EndpointSlice',
  group: 'discovery.k8s.io',
  version: 'v1',
  plural: 'endpointslices',
  namespaced: true,
}

const reviews = '/apis/authentication.k8s.io/v1/selfsubjectreviews'

/** As whom the API server knows us (SelfSubjectReview, open to everybody who signs in). */
async function whoAmI(client: KubernetesClient, limits: { signal: AbortSignal; deadlineMs: number }): Promise<string> {
  const body = { apiVersion: 'authentication.k8s.io/v1', kind: 'SelfSubjectReview' }
  const user = valueAt(await client.request('POST', reviews, { ...limits, body }), ['status', 'userInfo', 'username'])
  if (typeof user !== 'string')
    throw new RingfenceError('Unreadable', 'The API server does not say as whom we signed in')
  return user
}

export async function readFacts(
  client: KubernetesClient,
  discovery: Discovery,
  signal: AbortSignal,
): Promise<KubernetesFacts> {
  const limits = { signal, deadlineMs: Date.now() + defaultTimeoutMs }
  const get = (path: string) => orNothing(client.request('GET', path, limits))
  const list = async (
    kind: KubeKind,
    options: { namespace?: string; labelSelector?: string } = {},
  ): Promise<JsonObject[]> => {
    const served = await orNothing(discovery.served(kind, limits))
    return served ? ((await orNothing(listAll(client, served, { ...limits, ...options }))) ?? []) : []
  }
  const [version, nodes, cidrs, slices, localDns, user, fqdn] = await Promise.all([
    client.request('GET', '/version', limits),
    list(node),
    list(serviceCidr),
    list(endpointSlice, { namespace: 'default', labelSelector: 'kubernetes.io/service-name=kubernetes' }),
    get('/apis/apps/v1/namespaces/kube-system/daemonsets/node-local-dns'),
    whoAmI(client, limits),
    fqdnCapability(discovery, get, limits),
  ])
  return {
    medium: 'live',
    user,
    ...(fqdn === undefined ? {} : { fqdn }),
    ranges: [
      ...new Set([
        ...nodes.flatMap(rangesOfNode),
        ...cidrs.flatMap((cidr) => strings(valueAt(cidr, ['spec', 'cidrs']))),
      ]),
    ].toSorted(),
    apiServer: slices.flatMap(addressesOfSlice),
    resolvers: localResolvers(localDns),
    version: String(version['gitVersion'] ?? ''),
  }
}

/** What is not served, not there or not ours to read is no fact; anything else is a fault. */
async function orNothing<T>(read: Promise<T>): Promise<T | undefined> {
  try {
    return await read
  } catch (error) {
    if (isRingfenceError(error) && ['NotFound', 'NotConfigured', 'Forbidden'].includes(error.code)) return undefined
    throw error
  }
}

const strings = (value: Json | undefined): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : []
const objects = (value: Json | undefined): JsonObject[] =>
  Array.isArray(value) ? (value as Json[]).filter(isObject) : []
const hostRange = (address: string): string => `${address}/${address.includes(':') ? 128 : 32}`

function rangesOfNode(found: JsonObject): string[] {
  const addresses = objects(valueAt(found, ['status', 'addresses'])).filter(
    (address) => address['type'] === 'InternalIP',
  )
  return [
    ...strings(valueAt(found, ['spec', 'podCIDRs'])),
    ...addresses.map((address) => hostRange(String(address['address']))),
  ]
}

function addressesOfSlice(slice: JsonObject): { address: string; port: number }[] {
  const ports = objects(slice['ports']).flatMap((port) => (typeof port['port'] === 'number' ? [port['port']] : []))
  const addresses = objects(slice['endpoints']).flatMap((endpoint) => strings(endpoint['addresses']))
  return addresses.flatMap((address) => ports.map((port) => ({ address, port })))
}

/** The node-local cache listens where its `-localip` argument says (kubernetes/dns, cmd/node-cache). */
function localResolvers(daemonSet: JsonObject | undefined): string[] {
  const containers = objects(valueAt(daemonSet, ['spec', 'template', 'spec', 'containers']))
  const args = containers.flatMap((container) => [...strings(container['command']), ...strings(container['args'])])
  return args.flatMap((arg, index) => {
    const match = /^--?localip(?:=(.*))?$/.exec(arg)
    const value = match ? (match[1] ?? args[index + 1] ?? '') : ''
    return value
      .split(',')
      .filter((address) => /^[0-9a-fA-F.:]+$/.test(address))
      .map(hostRange)
  })
}

/** Cilium always has `toFQDNs`; Calico has `domains` only where the schema of its policies says so. */
async function fqdnCapability(
  discovery: Discovery,
  get: (path: string) => Promise<JsonObject | undefined>,
  limits: { signal: AbortSignal; deadlineMs: number },
): Promise<'cilium' | 'calico' | undefined> {
  if (await discovery.served(drivenKinds['CiliumNetworkPolicy'] as KubeKind, limits)) return 'cilium'
  for (const group of ['projectcalico.org', 'crd.projectcalico.org']) {
    const definition = await get(`/apis/apiextensions.k8s.io/v1/customresourcedefinitions/networkpolicies.${group}`)
    const properties = [
      'schema',
      'openAPIV3Schema',
      'properties',
      'spec',
      'properties',
      'egress',
      'items',
      'properties',
      'destination',
      'properties',
      'domains',
    ]
    if (
      objects(valueAt(definition, ['spec', 'versions'])).some((version) => valueAt(version, properties) !== undefined)
    )
      return 'calico'
  }
  return undefined
}
