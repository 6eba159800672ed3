/** The prover, which shares no code with the layers, over what the layers state: it holds, and each fence carries weight. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { computeLayer } from '../../../src/layers/compute/layer.ts'
import { installation } from '../../../src/layers/compute/platform.ts'
import { networkLayer } from '../../../src/layers/network/layer.ts'
import { openingsOf } from '../../../src/layers/network/openings.ts'
import type { LayerContext } from '../../../src/model/layer.ts'
import { presetNames, presetPlatform } from '../../../src/model/presets.ts'
import { resolveOutputs, type Outputs } from '../../../src/model/resource.ts'
import type { Tenant } from '../../../src/model/tenant.ts'
import type { KubeObject, World } from '../../../src/model/world.ts'
import type { Analysis, Logic } from '../../../src/prover/logic.ts'
import { networkLogic } from '../../../src/prover/network/logic.ts'
import { rbacLogic } from '../../../src/prover/rbac/logic.ts'
import { contextOf, hostileSpec, platformOf, tenantOf } from './documents.ts'

const backends: Outputs = { addresses: [{ ipBlock: { cidr: '10.9.8.7/32' } }], port: 5432 }
const kinds = [
  '/Namespace',
  '/Pod',
  '/Service',
  '/ServiceAccount',
  '/Secret',
  '/ResourceQuota',
  '/LimitRange',
  'discovery.k8s.io/EndpointSlice',
  'networking.k8s.io/NetworkPolicy',
  'rbac.authorization.k8s.io/Role',
  'rbac.authorization.k8s.io/RoleBinding',
  'rbac.authorization.k8s.io/ClusterRole',
  'rbac.authorization.k8s.io/ClusterRoleBinding',
  'admissionregistration.k8s.io/ValidatingAdmissionPolicy',
  'admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding',
  'admissionregistration.k8s.io/ValidatingWebhookConfiguration',
  'admissionregistration.k8s.io/MutatingWebhookConfiguration',
  'admissionregistration.k8s.io/MutatingAdmissionPolicy',
  'admissionregistration.k8s.io/MutatingAdmissionPolicyBinding',
  'policy.networking.k8s.io/AdminNetworkPolicy',
  'policy.networking.k8s.io/BaselineAdminNetworkPolicy',
  'policy.networking.k8s.io/ClusterNetworkPolicy',
  'cilium.io/CiliumNetworkPolicy',
  'cilium.io/CiliumClusterwideNetworkPolicy',
  'projectcalico.org/NetworkPolicy',
  'projectcalico.org/GlobalNetworkPolicy',
  'crd.projectcalico.org/NetworkPolicy',
  'crd.projectcalico.org/GlobalNetworkPolicy',
]

/** As the API server would list it: with the label that it puts on namespaces, and ServiceAccounts everywhere. */
function served(manifest: KubeObject): readonly KubeObject[] {
  if (manifest.kind !== 'Namespace') return [manifest]
  const { name, labels } = manifest.metadata
  const namespace = {
    ...manifest,
    metadata: { ...manifest.metadata, labels: { ...labels, 'kubernetes.io/metadata.name': name } },
  }
  return [namespace, { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: name } }]
}

function worldOf(tenants: readonly Tenant[], context: LayerContext): World {
  const resources = [
    ...computeLayer.platform(context),
    ...tenants.flatMap((tenant) => [
      ...computeLayer.desired(tenant, context),
      ...networkLayer.desired(tenant, context),
    ]),
  ].filter((resource) => resource.kind !== 'kubernetes/Workloads')
  const manifests = resources.map((resource) => {
    const resolved = resolveOutputs(resource.spec, () => backends)
    if (!('spec' in resolved)) throw new Error(`${resource.address} is not resolved`)
    return resolved.spec as unknown as KubeObject
  })
  const kubeSystem: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-system' } }
  const engine = installation(context).filter((manifest) => manifest.kind !== 'Namespace') as unknown as KubeObject[]
  return {
    source: 'planned',
    observed: ['2026-01-01T00:00:00Z', '2026-01-01T00:00:01Z'],
    tenants: tenants.map((tenant) => ({
      name: tenant.name,
      namespaces: [tenant.names.namespace],
      subjects: (['owner', 'editor', 'viewer'] as const).map((role) => ({
        kind: 'ServiceAccount',
        name: `${tenant.name}-${role}`,
        namespace: 'ringfence-system',
      })),
      databases: [],
      shared: [],
      openings: openingsOf(tenant, context, () => backends),
    })),
    kubernetes: {
      objects: [...manifests, kubeSystem, ...engine].flatMap((manifest) => served(manifest)),
      kinds,
      ranges: context.facts.kubernetes?.ranges ?? [],
      sharedNamespaces: context.platform.kubernetes.sharedNamespaces,
      systemNamespace: context.platform.kubernetes.systemNamespace,
    },
    unreadable: [],
    trusted: [
      { kind: 'Group', name: 'system:masters' },
      { kind: 'User', name: 'ringfence:engine' },
      { kind: 'ServiceAccount', name: 'ringfence-engine', namespace: 'ringfence-system' },
    ],
    trustedRoles: [],
  }
}

/** Nodes of others that each tenant's own nodes lead to. */
function crossings({ edges, starts, owners }: Analysis): readonly string[] {
  const next = Map.groupBy(edges, (edge) => edge.from)
  return [...starts].flatMap(([tenant, first]) => {
    const reached = new Set(first)
    for (const node of reached) for (const edge of next.get(node) ?? []) reached.add(edge.to)
    return [...reached].flatMap((node) => {
      const owner = owners.get(node)
      return owner === undefined || owner === tenant ? [] : [`${tenant} reaches ${node} of ${owner}`]
    })
  })
}

const judged = (logic: Logic, world: World) => {
  const analysis = logic.analyse(world)
  return {
    crossings: crossings(analysis),
    refuted: analysis.refuted.map((one) => `${one.claim}: ${one.edge.rule} by ${one.edge.by}`),
    undecided: analysis.undecided,
    checked: analysis.checked,
  }
}
const holds = { crossings: [], refuted: [], undecided: [] }

const openPlatform = platformOf({
  kubernetes: {
    sharedNamespaces: ['shared-data'],
    gateway: { namespace: 'gateway', podLabels: { app: 'gateway' }, ports: [{ port: 8080 }] },
    monitoring: { namespace: 'monitoring', podLabels: { app: 'prometheus' }, ports: [{ port: 9090 }] },
  },
})
const contexts: readonly (readonly [string, LayerContext])[] = [
  ['no preset', contextOf()],
  ['a platform that may enter', contextOf(openPlatform)],
  ...presetNames.map((preset) => [preset, contextOf(presetPlatform(preset))] as const),
]

describe.each(contexts)('two tenants under %s', (_name, context) => {
  const tenants = ['acme', 'globex'].map((name) => tenantOf(name, { network: { allowKubernetesAPI: true } }, context))

  test.each([
    ['rbac', rbacLogic],
    ['network', networkLogic],
  ] as const)('what the layers state is proved isolated by the %s logic', (_logic, logic) => {
    const { checked, ...verdict } = judged(logic, worldOf(tenants, context))
    expect(verdict).toEqual(holds)
    for (const { name } of tenants) expect(checked.get(name)).toBeGreaterThan(0)
  })
})

test.each([
  ['a policy that lets everyone in', networkLogic, 'NetworkPolicy'],
  ['a binding for everyone who is signed in', rbacLogic, 'RoleBinding'],
] as const)('%s beside it is found', (_what, logic, kind) => {
  const context = contextOf()
  const tenants = ['acme', 'globex'].map((name) => tenantOf(name, {}, context))
  const world = worldOf(tenants, context)
  const hole: KubeObject =
    kind === 'NetworkPolicy'
      ? {
          apiVersion: 'networking.k8s.io/v1',
          kind,
          metadata: { name: 'hole', namespace: 'ringfence-acme' },
          spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] },
        }
      : {
          apiVersion: 'rbac.authorization.k8s.io/v1',
          kind,
          metadata: { name: 'hole', namespace: 'ringfence-acme' },
          roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'ringfence-viewer' },
          subjects: [{ kind: 'Group', apiGroup: 'rbac.authorization.k8s.io', name: 'system:authenticated' }],
        }
  const opened = judged(logic, {
    ...world,
    kubernetes: {
      ...(world.kubernetes as NonNullable<World['kubernetes']>),
      objects: [...(world.kubernetes?.objects ?? []), hole],
    },
  })
  expect([...opened.crossings, ...opened.refuted].length).toBeGreaterThan(0)
})

test('whatever a document says, the network that comes of it is proved isolated', () => {
  fc.assert(
    fc.property(hostileSpec, (spec) => {
      // By name, Cilium's own kind would be written, which is not judged yet.
      const network = { ...spec.network, egress: {} }
      const context = contextOf()
      const tenants = [tenantOf('acme', { ...spec, network }, context), tenantOf('globex', {}, context)]
      const { checked, ...verdict } = judged(networkLogic, worldOf(tenants, context))
      expect(verdict).toEqual(holds)
      expect(checked.get('acme')).toBeGreaterThan(0)
    }),
    { numRuns: 150 },
  )
})
