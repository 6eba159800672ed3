/** Each rule and each fence, refuted and proved side by side. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { networkLogic } from '../../../../src/prover/network/logic.ts'
import {
  boundary,
  closed,
  dnsPorts,
  fence,
  judge,
  named,
  namespace,
  outsideBlock,
  platform,
  policy,
  sure,
  tenantLabel,
  twoTenants,
  worldOf,
} from './worlds.ts'

const plus = (...objects: KubeObject[]) => worldOf({ objects: [...twoTenants(), ...objects] })
const egress = (...rules: object[]) => policy('acme', 'x', { podSelector: {}, policyTypes: ['Egress'], egress: rules })
const ingress = (...rules: object[]) =>
  policy('acme', 'x', { podSelector: {}, policyTypes: ['Ingress'], ingress: rules })

describe('the fenced world', () => {
  test.each(['acme', 'globex'])('proves both claims of %s, with cases counted', (tenant) => {
    expect(judge(worldOf(), tenant, 'contained')).toMatchObject({ verdict: 'proved', by: [] })
    expect(judge(worldOf(), tenant, 'fenced')).toMatchObject({ verdict: 'proved', by: [] })
    expect(networkLogic.analyse(worldOf()).checked.get(tenant)).toBeGreaterThan(5)
  })

  test('says what it assumes', () => {
    expect(networkLogic.analyse(worldOf()).assuming).toEqual(
      expect.arrayContaining([
        expect.stringContaining('enforces every NetworkPolicy'),
        expect.stringContaining('public addresses'),
        expect.stringContaining('ranges are not known'),
      ]),
    )
  })
})

describe('each fence removed', () => {
  const without = (name: string) =>
    worldOf({
      objects: twoTenants().filter(
        (object) => !(object.metadata.namespace === 'acme' && object.metadata.name === name),
      ),
    })

  test('no policy at all refutes both claims, of that tenant alone', () => {
    const bare = worldOf({ objects: twoTenants().filter((object) => object.metadata.namespace !== 'acme') })
    expect(judge(bare, 'acme', 'contained')).toMatchObject({ verdict: 'refuted', rules: ['network.egress'] })
    expect(judge(bare, 'acme', 'fenced')).toMatchObject({ verdict: 'refuted', rules: ['network.ingress'] })
    expect(judge(bare, 'acme', 'fenced').by).toEqual(['no policy isolates pods with any labels for ingress'])
    expect(judge(bare, 'globex', 'contained').verdict).toBe('proved')
    expect(judge(bare, 'globex', 'fenced').verdict).toBe('proved')
  })

  test('the default deny alone is not missed while another policy isolates all pods', () => {
    expect(judge(without('default-deny'), 'acme', 'fenced').verdict).toBe('proved')
  })

  test('a default deny that leaves some labels out is refuted with those labels', () => {
    const objects = twoTenants().filter((object) => object.metadata.namespace !== 'acme')
    const partial = (selector: object) =>
      worldOf({
        objects: [...objects, policy('acme', 'deny', { podSelector: selector, policyTypes: ['Ingress', 'Egress'] })],
      })
    const hole = partial({ matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['open'] }] })
    expect(judge(hole, 'acme', 'fenced').by).toEqual(['no policy isolates pods with labels tier=open for ingress'])
    expect(judge(hole, 'acme', 'contained').by).toEqual(['no policy isolates pods with labels tier=open for egress'])
    expect(judge(partial({}), 'acme', 'contained').verdict).toBe('proved')
  })

  test('two policies that together select every label set are a full fence', () => {
    const objects = twoTenants().filter((object) => object.metadata.namespace !== 'acme')
    const both = ['Exists', 'DoesNotExist'].map((operator) =>
      policy('acme', operator.toLowerCase(), {
        podSelector: { matchExpressions: [{ key: 'tier', operator }] },
        policyTypes: ['Ingress', 'Egress'],
      }),
    )
    expect(judge(worldOf({ objects: [...objects, ...both] }), 'acme', 'fenced').verdict).toBe('proved')
    expect(judge(worldOf({ objects: [...objects, sure(both[0])] }), 'acme', 'fenced').verdict).toBe('refuted')
  })

  test('a policy that speaks of ingress only is no fence for egress', () => {
    const objects = [
      ...twoTenants().filter((object) => object.metadata.namespace !== 'acme'),
      policy('acme', 'deny', { podSelector: {} }),
    ]
    expect(judge(worldOf({ objects }), 'acme', 'fenced').verdict).toBe('proved')
    expect(judge(worldOf({ objects }), 'acme', 'contained').verdict).toBe('refuted')
  })
})

describe('a rule of egress', () => {
  const cases: [what: string, rule: object, verdict: 'proved' | 'refuted'][] = [
    ['to anywhere', {}, 'refuted'],
    ['to anywhere on port 53', { ports: dnsPorts }, 'refuted'],
    ['to pods of the own namespace', { to: [{ podSelector: { matchLabels: { a: 'b' } } }] }, 'proved'],
    ['to the own namespace by name', { to: [{ namespaceSelector: named('acme') }] }, 'proved'],
    [
      'to the own namespace by tenant',
      { to: [{ namespaceSelector: { matchLabels: { [tenantLabel]: 'acme' } } }] },
      'proved',
    ],
    ['to another tenant by name', { to: [{ namespaceSelector: named('globex') }] }, 'refuted'],
    [
      'to another tenant by label',
      { to: [{ namespaceSelector: { matchLabels: { [tenantLabel]: 'globex' } } }] },
      'refuted',
    ],
    [
      'to every tenant but one',
      {
        to: [
          { namespaceSelector: { matchExpressions: [{ key: tenantLabel, operator: 'NotIn', values: ['globex'] }] } },
        ],
      },
      'refuted',
    ],
    ['to all namespaces', { to: [{ namespaceSelector: {} }] }, 'refuted'],
    [
      'to resolvers in any namespace',
      { to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: dnsPorts },
      'refuted',
    ],
    [
      'to a tenant that does not exist yet',
      { to: [{ namespaceSelector: { matchLabels: { [tenantLabel]: 'initech' } } }] },
      'refuted',
    ],
    ['to a namespace that does not exist yet', { to: [{ namespaceSelector: named('initech') }] }, 'refuted'],
    ['to a shared namespace', { to: [{ namespaceSelector: named('shared-tools') }] }, 'proved'],
    ['to a platform namespace', { to: [{ namespaceSelector: named('monitoring') }] }, 'refuted'],
    ['to kube-system on port 53', { to: [{ namespaceSelector: named('kube-system') }], ports: dnsPorts }, 'proved'],
    [
      'to kube-system on another port',
      { to: [{ namespaceSelector: named('kube-system') }], ports: [{ port: 443 }] },
      'refuted',
    ],
    ['to kube-system on all ports', { to: [{ namespaceSelector: named('kube-system') }] }, 'refuted'],
    ['to a public range', { to: [{ ipBlock: { cidr: '8.8.8.0/24' } }] }, 'proved'],
    ['to the outside without the reserved ranges', { to: [outsideBlock] }, 'proved'],
    ['to the metadata address', { to: [{ ipBlock: { cidr: '169.254.169.254/32' } }] }, 'refuted'],
    ['to carrier NAT', { to: [{ ipBlock: { cidr: '100.100.0.0/16' } }] }, 'refuted'],
    ['to a private range', { to: [{ ipBlock: { cidr: '10.1.2.0/24' } }] }, 'refuted'],
    [
      'to everything but private ranges',
      { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: closed.slice(0, 3) } }] },
      'refuted',
    ],
    ['to metadata over IPv6', { to: [{ ipBlock: { cidr: 'fd00:ec2::254/128' } }] }, 'refuted'],
    ['to metadata through NAT64', { to: [{ ipBlock: { cidr: '64:ff9b::a9fe:a9fe/128' } }] }, 'refuted'],
    ['to a public IPv6 range', { to: [{ ipBlock: { cidr: '2606:4700::/32' } }] }, 'proved'],
    [
      'to nobody, since no labels can match',
      {
        to: [
          {
            namespaceSelector: {},
            podSelector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] },
          },
        ],
      },
      'proved',
    ],
  ]

  test.each(cases)('%s', (_, rule, verdict) => {
    const outcome = judge(plus(egress(rule)), 'acme', 'contained')
    expect(outcome).toMatchObject({ verdict, rules: verdict === 'refuted' ? ['network.egress'] : [] })
    if (verdict === 'refuted') expect(outcome.by[0]).toMatch(/^NetworkPolicy acme\/x/)
    // The other side's own fence is another claim, and the other direction of this tenant, too.
    expect(judge(plus(egress(rule)), 'globex', 'fenced').verdict).toBe('proved')
    expect(judge(plus(egress(rule)), 'acme', 'fenced').verdict).toBe('proved')
  })
})

describe('a rule of ingress', () => {
  const cases: [what: string, rule: object, verdict: 'proved' | 'refuted'][] = [
    ['from anywhere', {}, 'refuted'],
    ['from the own namespace', { from: [{ podSelector: {} }] }, 'proved'],
    ['from another tenant', { from: [{ namespaceSelector: named('globex') }] }, 'refuted'],
    ['from all namespaces', { from: [{ namespaceSelector: {} }] }, 'refuted'],
    ['from a shared namespace', { from: [{ namespaceSelector: named('shared-tools') }] }, 'proved'],
    ['from a platform namespace', { from: [{ namespaceSelector: named('monitoring') }] }, 'refuted'],
    ['from kube-system', { from: [{ namespaceSelector: named('kube-system') }], ports: dnsPorts }, 'refuted'],
    ['from a public range', { from: [{ ipBlock: { cidr: '8.8.8.0/24' } }] }, 'refuted'],
    ['from a private range', { from: [{ ipBlock: { cidr: '10.0.0.0/24' } }] }, 'refuted'],
  ]

  test.each(cases)('%s', (_, rule, verdict) => {
    const outcome = judge(plus(ingress(rule)), 'acme', 'fenced')
    expect(outcome).toMatchObject({ verdict, rules: verdict === 'refuted' ? ['network.ingress'] : [] })
    expect(judge(plus(ingress(rule)), 'acme', 'contained').verdict).toBe('proved')
  })
})

test('one tenant alone is not proved by a selector that a later one would match', () => {
  const managed = namespace('acme', 'acme', { tier: 'customer' })
  const alone = (selector: object) =>
    worldOf({
      objects: [...platform, managed, ...fence('acme'), egress({ to: [{ namespaceSelector: selector }] })],
      tenants: [boundary('acme')],
    })
  expect(judge(alone({ matchLabels: { tier: 'customer' } }), 'acme', 'contained').verdict).toBe('refuted')
  expect(
    judge(alone({ matchExpressions: [{ key: tenantLabel, operator: 'Exists' }] }), 'acme', 'contained').verdict,
  ).toBe('refuted')
  expect(judge(alone({ matchLabels: { tier: 'customer', [tenantLabel]: 'acme' } }), 'acme', 'contained').verdict).toBe(
    'proved',
  )
  // A label that names the tenant will name the next one in its own way.
  const telling = worldOf({
    objects: [
      ...platform,
      namespace('acme', 'acme', { team: 'acme' }),
      ...fence('acme'),
      egress({ to: [{ namespaceSelector: { matchLabels: { team: 'initech' } } }] }),
    ],
    tenants: [boundary('acme')],
  })
  expect(judge(telling, 'acme', 'contained').verdict).toBe('refuted')
})
