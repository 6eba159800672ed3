/** Ways around packet filtering, and labels that lie about who owns a namespace. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { networkLogic } from '../../../../src/prover/network/logic.ts'
import { boundary, judge, kinds, namespace, tenantLabel, twoTenants, worldOf } from './worlds.ts'

const plus = (...objects: KubeObject[]) => worldOf({ objects: [...twoTenants(), ...objects] })
describe('labels that contradict the registry', () => {
  const relabelled = (name: string, labels: Record<string, string>) =>
    worldOf({
      objects: twoTenants().map((object) =>
        object.kind === 'Namespace' && object.metadata.name === name
          ? { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...labels } } }
          : object,
      ),
    })

  test("a tenant's namespace that carries another's name is refuted for both", () => {
    const world = relabelled('acme', { [tenantLabel]: 'globex' })
    for (const tenant of ['acme', 'globex']) {
      for (const side of ['contained', 'fenced'] as const)
        expect(judge(world, tenant, side)).toMatchObject({ verdict: 'refuted', rules: ['network.namespace-label'] })
    }
  })

  test("a stranger's namespace that carries a tenant's name is refuted", () => {
    expect(judge(relabelled('default', { [tenantLabel]: 'acme' }), 'acme', 'fenced').rules).toEqual([
      'network.namespace-label',
    ])
    expect(judge(relabelled('default', { [tenantLabel]: 'acme' }), 'globex', 'fenced').verdict).toBe('proved')
  })

  test('a namespace of two tenants is refuted for both', () => {
    const world = worldOf({ tenants: [boundary('acme', { namespaces: ['acme', 'globex'] }), boundary('globex')] })
    expect(judge(world, 'acme', 'contained').rules).toContain('network.namespace-label')
    expect(judge(world, 'globex', 'contained').rules).toContain('network.namespace-label')
  })
})

describe('ways around packet filtering', () => {
  const pod = (spec: object, status: object = {}, ns = 'acme', name = 'p'): KubeObject => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: ns },
    spec,
    status,
  })
  const outcome = (object: KubeObject) =>
    judge(
      plus(pod({}, { podIP: '10.0.0.1' }), pod({}, { podIP: '10.0.0.2' }, 'globex', 'q'), object),
      'acme',
      'contained',
    )
  const slice = (address: string) => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 's', namespace: 'acme' },
    endpoints: [{ addresses: [address] }],
  })

  test('a pod on the node network, or a template of one', () => {
    expect(outcome(pod({ hostNetwork: true }, {}, 'acme', 'h'))).toMatchObject({
      verdict: 'refuted',
      rules: ['network.host-network'],
      by: ['Pod acme/h'],
    })
    expect(
      outcome({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'd', namespace: 'acme' },
        spec: { template: { spec: { hostNetwork: true } } },
      }).rules,
    ).toEqual(['network.host-network'])
    expect(
      outcome({
        apiVersion: 'batch/v1',
        kind: 'CronJob',
        metadata: { name: 'c', namespace: 'acme' },
        spec: { jobTemplate: { spec: { template: { spec: { hostNetwork: true } } } } },
      }).rules,
    ).toEqual(['network.host-network'])
    expect(outcome(pod({ hostNetwork: false }, {}, 'acme', 'h')).verdict).toBe('proved')
    expect(outcome(pod({ hostNetwork: true }, {}, 'monitoring', 'h')).verdict).toBe('proved')
  })

  test('a namespace of a live tenant that does not enforce Pod Security', () => {
    const objects = (level?: string) => [
      ...twoTenants().filter((object) => object.metadata.name !== 'acme' || object.kind !== 'Namespace'),
      {
        ...namespace('acme', undefined, {
          [tenantLabel]: 'acme',
          ...(level === undefined ? {} : { 'pod-security.kubernetes.io/enforce': level }),
        }),
      },
    ]
    expect(judge(worldOf({ objects: objects() }), 'acme', 'contained').rules).toEqual(['network.host-network'])
    expect(judge(worldOf({ objects: objects('privileged') }), 'acme', 'contained').rules).toEqual([
      'network.host-network',
    ])
    expect(judge(worldOf({ objects: objects('baseline') }), 'acme', 'contained').verdict).toBe('proved')
    const files = worldOf({ objects: objects(), world: { source: 'manifests' } })
    expect(judge(files, 'acme', 'contained').verdict).toBe('proved')
    expect(networkLogic.analyse(files).assuming.join()).toContain('hostNetwork')
  })

  test('a Service with external addresses', () => {
    const service = (externalIPs: string[]) => ({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 's', namespace: 'acme' },
      spec: { externalIPs },
    })
    expect(outcome(service(['10.0.0.2'])).rules).toEqual(['network.external-ip'])
    expect(outcome(service([])).verdict).toBe('proved')
  })

  test("endpoints that name another tenant's pod, metadata or a private address", () => {
    for (const address of ['10.0.0.2', '169.254.169.254', '10.9.9.9', 'not-an-address'])
      expect(outcome(slice(address)).rules).toEqual(['network.endpoints'])
    for (const address of ['10.0.0.1', '203.0.113.9']) expect(outcome(slice(address)).verdict).toBe('proved')
  })

  test('kinds that were not read become assumptions', () => {
    const world = worldOf({ kubernetes: { kinds: kinds.filter((kind) => kind !== '/Pod' && kind !== '/Service') } })
    expect(judge(world, 'acme', 'contained').verdict).toBe('proved')
    expect(networkLogic.analyse(world).assuming).toEqual(
      expect.arrayContaining([
        expect.stringContaining('pods were not read'),
        expect.stringContaining('Services were not read'),
      ]),
    )
  })
})
