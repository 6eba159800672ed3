/** Small worlds for the network logic: two fenced tenants and the platform, from which tests take pieces away. */
import type { KubeObject, TenantBoundary, World } from '../../../../src/model/world.ts'
import { policyKinds } from '../../../../src/prover/network/foreign-kinds.ts'
import { networkLogic } from '../../../../src/prover/network/logic.ts'

export const tenantLabel = 'ringfence.dev/tenant'
export const nameLabel = 'kubernetes.io/metadata.name'

export const namespace = (name: string, tenant?: string, labels: Record<string, string> = {}): KubeObject => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    name,
    uid: `uid-${name}`,
    labels: {
      ...(tenant === undefined ? {} : { [tenantLabel]: tenant, 'pod-security.kubernetes.io/enforce': 'restricted' }),
      ...labels,
    },
  },
})

export const policy = (ns: string, name: string, spec: object): KubeObject => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'NetworkPolicy',
  metadata: { name, namespace: ns, uid: `uid-${ns}-${name}` },
  spec,
})

export const named = (...names: string[]) => ({ matchExpressions: [{ key: nameLabel, operator: 'In', values: names }] })
export const dnsPorts = [
  { protocol: 'UDP', port: 53 },
  { protocol: 'TCP', port: 53 },
]
export const closed = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10', '169.254.0.0/16']
export const outsideBlock = { ipBlock: { cidr: '0.0.0.0/0', except: closed } }

/** The fence of one tenant in three policies, as a careful platform writes it. */
export const fence = (ns: string): KubeObject[] => [
  policy(ns, 'default-deny', { podSelector: {}, policyTypes: ['Ingress', 'Egress'] }),
  policy(ns, 'same-namespace', {
    podSelector: {},
    policyTypes: ['Ingress', 'Egress'],
    ingress: [{ from: [{ podSelector: {} }] }],
    egress: [{ to: [{ podSelector: {} }] }],
  }),
  policy(ns, 'egress', {
    podSelector: {},
    policyTypes: ['Egress'],
    egress: [
      {
        to: [{ namespaceSelector: named('kube-system'), podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }],
        ports: dnsPorts,
      },
      { to: [outsideBlock] },
    ],
  }),
]

export const boundary = (name: string, more: Partial<TenantBoundary> = {}): TenantBoundary => ({
  name,
  namespaces: [name],
  subjects: [],
  databases: [],
  shared: [],
  ...more,
})

export const platform: KubeObject[] = [
  namespace('kube-system'),
  namespace('default'),
  namespace('monitoring'),
  namespace('shared-tools'),
]
export const kinds = [
  '/Namespace',
  '/Pod',
  '/Service',
  'discovery.k8s.io/EndpointSlice',
  'networking.k8s.io/NetworkPolicy',
  ...policyKinds,
]

export interface Pieces {
  readonly objects?: readonly KubeObject[]
  readonly tenants?: readonly TenantBoundary[]
  readonly kubernetes?: Partial<NonNullable<World['kubernetes']>>
  readonly world?: Partial<World>
}

/** Two tenants `acme` and `globex`, both fenced, unless the pieces say otherwise. */
export function worldOf({
  objects = twoTenants(),
  tenants = [boundary('acme'), boundary('globex')],
  kubernetes = {},
  world = {},
}: Pieces = {}): World {
  return {
    source: 'live',
    observed: ['2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'],
    tenants,
    kubernetes: { objects, kinds, ranges: [], sharedNamespaces: ['shared-tools'], ...kubernetes },
    unreadable: [],
    trusted: [],
    trustedRoles: [],
    ...world,
  }
}

export const twoTenants = (): KubeObject[] => [
  ...platform,
  namespace('acme', 'acme'),
  namespace('globex', 'globex'),
  ...fence('acme'),
  ...fence('globex'),
]

export interface Outcome {
  readonly verdict: 'proved' | 'refuted' | 'undecided'
  readonly rules: readonly string[]
  readonly by: readonly string[]
  readonly because: readonly string[]
}

/** The verdict on one claim by the logic's findings alone, without the joint graph. */
export function judge(world: World, tenant: string, side: 'contained' | 'fenced'): Outcome {
  const claim = `network.${side}`
  const analysis = networkLogic.analyse(world)
  const refuted = analysis.refuted.filter((entry) => entry.claim === claim && entry.tenant === tenant)
  const because = analysis.undecided
    .filter((entry) => entry.claim === claim && (entry.tenant === undefined || entry.tenant === tenant))
    .map((entry) => entry.because)
  const checked = analysis.checked.get(tenant) ?? 0
  return {
    verdict: refuted.length > 0 ? 'refuted' : because.length > 0 || checked === 0 ? 'undecided' : 'proved',
    rules: [...new Set(refuted.map((entry) => entry.edge.rule))],
    by: refuted.map((entry) => entry.edge.by),
    because,
  }
}

/** A value that a test knows to be there. */
export function sure<T>(value: T | undefined): T {
  if (value === undefined) throw new Error('nothing there')
  return value
}
