/** What the layers refuse to serve, with the code and the way out; each beside the document that they do serve. */
import { describe, expect, test } from 'vitest'
import { computeLayer } from '../../../src/layers/compute/layer.ts'
import { networkLayer } from '../../../src/layers/network/layer.ts'
import type { Layer, LayerContext } from '../../../src/model/layer.ts'
import type { TenantInput } from '../../../src/model/tenant.ts'
import { contextOf, platformOf, tenantOf } from './documents.ts'

interface Case {
  readonly what: string
  readonly layer: Layer
  readonly spec: NonNullable<TenantInput['spec']>
  readonly context?: LayerContext
  readonly code: string
  readonly says: readonly string[]
  /** The same, but served. */
  readonly served: { readonly spec: NonNullable<TenantInput['spec']>; readonly context?: LayerContext }
}

const fqdns = { network: { egress: { fqdns: ['api.example.com'] } } }
const rule = (cidr: string) => ({ network: { allowTo: [{ peers: [{ ipBlock: { cidr } }] }] } })
const shared = (kind: string) => ({ access: { shared: [{ kind, namespace: 'shared-data', name: 'x' }] } })
const groups = (name: string) => ({ access: { roleBindings: [{ role: 'viewer' as const, groups: [name] }] } })
const unranged = contextOf(platformOf(), { ranges: [] })

const cases: readonly Case[] = [
  {
    what: 'rules by name without a plug-in for them',
    layer: networkLayer,
    spec: fqdns,
    code: 'NotConfigured',
    says: ['Cilium', 'Calico', 'install one of them', 'remove network.egress.fqdns'],
    served: { spec: fqdns, context: contextOf(platformOf(), { fqdn: 'calico' }) },
  },
  {
    what: 'rules by name on a live cluster that only the document says has Cilium',
    layer: networkLayer,
    spec: fqdns,
    context: contextOf(platformOf({ kubernetes: { cni: 'cilium' } })),
    code: 'NotConfigured',
    says: ['neither'],
    served: { spec: fqdns, context: contextOf(platformOf({ kubernetes: { cni: 'cilium' } }), { medium: 'manifests' }) },
  },
  {
    what: 'a name that is none',
    layer: networkLayer,
    spec: { network: { egress: { fqdns: ['*'] } } },
    context: contextOf(platformOf(), { fqdn: 'cilium' }),
    code: 'InvalidDocument',
    says: ['"*"'],
    served: { spec: fqdns, context: contextOf(platformOf(), { fqdn: 'cilium' }) },
  },
  {
    what: 'a fixed outgoing address',
    layer: networkLayer,
    spec: { network: { egress: { gateway: 'nat-1' } } },
    code: 'NotConfigured',
    says: ['egress.gateway'],
    served: { spec: {} },
  },
  {
    what: 'the Kubernetes API at an unknown address',
    layer: networkLayer,
    spec: { network: { allowKubernetesAPI: true } },
    context: contextOf(platformOf(), { apiServer: [] }),
    code: 'NotConfigured',
    says: ['allowKubernetesAPI'],
    served: { spec: { network: { allowKubernetesAPI: true } } },
  },
  {
    what: 'a rule to the metadata server',
    layer: networkLayer,
    spec: rule('169.254.169.254/32'),
    code: 'InvalidDocument',
    says: ['169.254.169.254/32'],
    served: { spec: rule('203.0.113.0/24') },
  },
  {
    what: 'a rule to the pods',
    layer: networkLayer,
    spec: rule('10.244.7.0/24'),
    code: 'InvalidDocument',
    says: ['10.244.7.0/24'],
    served: { spec: rule('10.20.0.0/16') },
  },
  {
    what: 'a private range where the cluster’s are not known',
    layer: networkLayer,
    spec: rule('10.20.0.0/16'),
    context: unranged,
    code: 'NotConfigured',
    says: ['kubernetes.ranges'],
    served: { spec: rule('203.0.113.0/24'), context: unranged },
  },
  {
    what: 'a namespace of Kubernetes',
    layer: computeLayer,
    spec: { compute: { namespace: { name: 'ringfence-x' } } },
    context: contextOf(platformOf({ kubernetes: { sharedNamespaces: ['ringfence-x'] } })),
    code: 'InvalidDocument',
    says: ['the platform'],
    served: { spec: { compute: { namespace: { name: 'ringfence-x' } } } },
  },
  {
    what: 'a namespace that nobody makes',
    layer: computeLayer,
    spec: { compute: { namespace: { create: false } } },
    code: 'InvalidDocument',
    says: ['adopt: true'],
    served: { spec: { compute: { namespace: { create: false, adopt: true } } } },
  },
  {
    what: 'a group of Kubernetes itself',
    layer: computeLayer,
    spec: groups('system:authenticated'),
    code: 'InvalidDocument',
    says: ['system:authenticated'],
    served: { spec: groups('people') },
  },
  {
    what: 'a group with a line break',
    layer: computeLayer,
    spec: groups('a\nb'),
    code: 'InvalidDocument',
    says: ['"a\\nb"'],
    served: { spec: groups('CN=a b') },
  },
  {
    what: 'sharing what cannot be shared',
    layer: computeLayer,
    spec: shared('Pod'),
    code: 'InvalidDocument',
    says: ['"Pod"', 'ConfigMap'],
    served: { spec: shared('ConfigMap') },
  },
]

describe('what a layer does not serve', () => {
  test.each(cases)('$what', ({ layer, spec, context = contextOf(), code, says, served }) => {
    const problem = layer.problem(tenantOf('acme', spec, context), context)
    expect(problem?.code).toBe(code)
    for (const words of says) expect(problem?.message).toContain(words)
    const other = served.context ?? contextOf()
    expect(layer.problem(tenantOf('acme', served.spec, other), other)).toBeUndefined()
  })

  test.each([computeLayer, networkLayer])('anything, without a Kubernetes', (layer) => {
    const context = { ...contextOf(), backends: {} }
    expect(layer.problem(tenantOf('acme'), context)?.code).toBe('NotConfigured')
  })
})

test('a rule of which nothing may be opened leaves no rule behind, not one for everywhere', () => {
  const context = contextOf()
  const tenant = tenantOf('acme', rule('169.254.169.254/32'), context)
  expect(networkLayer.desired(tenant, context).map((resource) => resource.address)).not.toContain(
    'acme:network/network-policy/rules',
  )
  const served = tenantOf('acme', rule('203.0.113.0/24'), context)
  expect(networkLayer.desired(served, context).map((resource) => resource.address)).toContain(
    'acme:network/network-policy/rules',
  )
})

test('an adopted namespace keeps its pods at the end, and nothing of ours goes with it unseen', () => {
  const context = contextOf()
  const tenant = tenantOf('acme', { compute: { namespace: { name: 'theirs', adopt: true } } }, context)
  const resources = [...computeLayer.desired(tenant, context), ...networkLayer.desired(tenant, context)]
  expect(resources.filter((resource) => resource.adopt === true).map((resource) => resource.address)).toEqual([
    'acme:compute/namespace/main',
  ])
  expect(resources.some((resource) => resource.kind === 'kubernetes/Workloads' || resource.within !== undefined)).toBe(
    false,
  )
})

test('what is shared is a right to get it by name, for everyone of the tenant and nobody else', () => {
  const context = contextOf()
  const tenant = tenantOf(
    'acme',
    { access: { ...shared('ConfigMap').access, roleBindings: [{ role: 'viewer', groups: ['people'] }] } },
    context,
  )
  const [role, binding] = computeLayer
    .desired(tenant, context)
    .filter((resource) => resource.externalName === 'shared-data/ringfence-shared-acme')
  expect(role?.spec['rules']).toEqual([
    { apiGroups: [''], resources: ['configmaps'], resourceNames: ['x'], verbs: ['get'] },
  ])
  const subjects = binding?.spec['subjects'] as { kind: string; namespace?: string; name: string }[]
  expect(subjects.map(({ kind, namespace, name }) => `${kind} ${namespace ?? ''} ${name}`)).toEqual([
    'ServiceAccount ringfence-system acme-editor',
    'ServiceAccount ringfence-system acme-owner',
    'ServiceAccount ringfence-system acme-viewer',
    'Group  people',
    'Group  system:serviceaccounts:ringfence-acme',
  ])
})
