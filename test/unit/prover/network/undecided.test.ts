/** What is not read or not understood is never proved. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { networkLogic } from '../../../../src/prover/network/logic.ts'
import { boundary, judge, kinds, nameLabel, policy, twoTenants, worldOf } from './worlds.ts'

const plus = (...objects: KubeObject[]) => worldOf({ objects: [...twoTenants(), ...objects] })
describe('what is not read or understood is never proved', () => {
  const undecided = (world: Parameters<typeof judge>[0], reason: RegExp, tenant = 'acme') => {
    const outcome = judge(world, tenant, 'contained')
    expect(outcome.verdict).toBe('undecided')
    expect(outcome.because.join('\n')).toMatch(reason)
  }

  test.each([
    'networking.k8s.io/NetworkPolicy',
    '/Namespace',
    'cilium.io/CiliumNetworkPolicy',
    'policy.networking.k8s.io/AdminNetworkPolicy',
  ])('%s not listed', (kind) => {
    undecided(
      worldOf({ kubernetes: { kinds: kinds.filter((one) => one !== kind) } }),
      new RegExp(`${kind} was not looked at`),
    )
  })

  test('no Kubernetes at all', () => {
    const { kubernetes: _, ...world } = worldOf()
    undecided(
      { ...world, unreadable: [{ product: 'kubernetes', what: 'the API server', why: 'timed out' }] },
      /timed out/,
    )
    expect(networkLogic.applies(world)).toBe(true)
    expect(networkLogic.applies({ ...world, tenants: [] })).toBe(false)
  })

  test('an unreadable file or list, but not one that says nothing about packets', () => {
    const unreadable = (product: string, what: string) =>
      worldOf({ world: { unreadable: [{ product, what, why: 'broken' }] } })
    undecided(unreadable('file', 'a.yaml'), /a\.yaml could not be read: broken/)
    undecided(unreadable('kubernetes', '/Pod'), /Pod could not be read/)
    expect(judge(unreadable('kubernetes', '/Secret'), 'acme', 'contained').verdict).toBe('proved')
    expect(judge(unreadable('postgres', 'catalog'), 'acme', 'contained').verdict).toBe('proved')
  })

  test('an unreadable thing of one tenant leaves the others decided', () => {
    const world = worldOf({
      world: { unreadable: [{ product: 'file', what: 'a.yaml', why: 'broken', tenant: 'acme' }] },
    })
    undecided(world, /a\.yaml/)
    expect(judge(world, 'globex', 'contained').verdict).toBe('proved')
  })

  test.each([
    ['an unknown field of the spec', { podSelector: {}, egress: [], tier: 'x' }],
    ['an unknown field of a peer', { podSelector: {}, egress: [{ to: [{ serviceSelector: {} }] }] }],
    ['an empty peer', { podSelector: {}, egress: [{ to: [{}] }] }],
    ['an unknown operator', { podSelector: { matchExpressions: [{ key: 'a', operator: 'Gt', values: ['1'] }] } }],
    ['In without values', { podSelector: { matchExpressions: [{ key: 'a', operator: 'In', values: [] }] } }],
    ['a range that is none', { podSelector: {}, egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/33' } }] }] }],
    ['an unknown protocol', { podSelector: {}, egress: [{ ports: [{ protocol: 'ICMP' }] }] }],
    ['a reversed port range', { podSelector: {}, egress: [{ ports: [{ port: 90, endPort: 80 }] }] }],
    ['an unknown policy type', { podSelector: {}, policyTypes: ['Sideways'] }],
  ])('a policy with %s', (_, spec) => {
    undecided(plus(policy('acme', 'odd', spec)), /NetworkPolicy acme\/odd holds/)
    expect(judge(plus(policy('acme', 'odd', spec)), 'globex', 'contained').verdict).toBe('proved')
  })

  test.each([
    ['cilium.io/v2', 'CiliumNetworkPolicy', 'acme'],
    ['projectcalico.org/v3', 'NetworkPolicy', 'acme'],
    ['crd.projectcalico.org/v1', 'NetworkPolicy', 'acme'],
    ['policy.example.com/v1', 'SpecialNetworkPolicy', 'acme'],
  ])('%s %s in the namespace of the tenant, and only there', (apiVersion, kind, ns) => {
    const world = plus({
      apiVersion,
      kind,
      metadata: { name: 'odd', namespace: ns, labels: { 'app.kubernetes.io/managed-by': 'ringfence' } },
      spec: {},
    })
    undecided(world, new RegExp(`${kind} acme/odd .* is not supported yet`))
    expect(judge(world, 'globex', 'contained').verdict).toBe('proved')
  })

  test.each([
    ['cilium.io/v2', 'CiliumClusterwideNetworkPolicy'],
    ['crd.projectcalico.org/v1', 'GlobalNetworkPolicy'],
    ['policy.networking.k8s.io/v1alpha1', 'AdminNetworkPolicy'],
    ['policy.networking.k8s.io/v1alpha1', 'BaselineAdminNetworkPolicy'],
    ['policy.networking.k8s.io/v1alpha2', 'ClusterNetworkPolicy'],
  ])('%s %s anywhere', (apiVersion, kind) => {
    const world = plus({ apiVersion, kind, metadata: { name: 'odd' }, spec: {} })
    undecided(world, new RegExp(`${kind} odd`))
    undecided(world, new RegExp(`${kind} odd`), 'globex')
  })

  test('an AdminNetworkPolicy whose subject plainly names other namespaces leaves a tenant decided', () => {
    const world = plus({
      apiVersion: 'policy.networking.k8s.io/v1alpha1',
      kind: 'AdminNetworkPolicy',
      metadata: { name: 'odd' },
      spec: { subject: { namespaces: { matchLabels: { [nameLabel]: 'globex' } } } },
    })
    expect(judge(world, 'acme', 'contained').verdict).toBe('proved')
    undecided(world, /AdminNetworkPolicy odd/, 'globex')
  })

  test('a tenant without a namespace, or with one that does not exist', () => {
    undecided(worldOf({ tenants: [boundary('late', { namespaces: [] })] }), /has no namespace/, 'late')
    undecided(
      worldOf({ tenants: [boundary('late', { namespaces: ['gone'] })] }),
      /namespace gone of tenant late does not exist/,
      'late',
    )
  })

  test('a namespace with a label that is no text', () => {
    const odd = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: 'odd', labels: { team: 1 } },
    } as unknown as KubeObject
    undecided(plus(odd), /namespace odd has a label whose value is no text/)
  })

  test('a range of the cluster that cannot be read', () => {
    undecided(worldOf({ kubernetes: { ranges: ['pods'] } }), /no address range: pods/)
  })
})
