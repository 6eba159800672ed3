/** What documents open is legitimate, and nothing beyond. */
import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { networkLogic } from '../../../../src/prover/network/logic.ts'
import type { Opening } from '../../../../src/prover/network/openings.ts'
import { boundary, dnsPorts, judge, named, outsideBlock, policy, twoTenants, worldOf } from './worlds.ts'

const egress = (...rules: object[]) => policy('acme', 'x', { podSelector: {}, policyTypes: ['Egress'], egress: rules })
const ingress = (...rules: object[]) =>
  policy('acme', 'x', { podSelector: {}, policyTypes: ['Ingress'], ingress: rules })

describe('openings', () => {
  const monitored = {
    from: [{ namespaceSelector: named('monitoring'), podSelector: { matchLabels: { app: 'prometheus' } } }],
    ports: [{ port: 9090 }],
  }
  const opening = {
    direction: 'ingress',
    peers: [{ namespaceSelector: named('monitoring'), podSelector: { matchLabels: { app: 'prometheus' } } }],
    ports: [{ protocol: 'TCP', port: 9090 }],
  }
  const world = (rule: object, ...openings: object[]) =>
    worldOf({
      objects: [...twoTenants(), ingress(rule)],
      tenants: [boundary('acme', { openings: [outsideEgress, ...openings] as never }), boundary('globex')],
    })
  const outsideEgress: Opening = { direction: 'egress', peers: [outsideBlock], ports: [] }

  test('what a document opens is legitimate, and nothing beyond it', () => {
    expect(judge(world(monitored, opening), 'acme', 'fenced').verdict).toBe('proved')
    expect(judge(world(monitored), 'acme', 'fenced').verdict).toBe('refuted')
    expect(judge(world({ ...monitored, ports: [{ port: 9091 }] }, opening), 'acme', 'fenced').verdict).toBe('refuted')
    expect(
      judge(
        world({ from: [{ namespaceSelector: named('monitoring') }], ports: monitored.ports }, opening),
        'acme',
        'fenced',
      ).verdict,
    ).toBe('refuted')
    expect(judge(world({ ...monitored, ports: [{ port: 'metrics' }] }, opening), 'acme', 'fenced').verdict).toBe(
      'refuted',
    )
  })

  test('an opening of the other direction opens nothing', () => {
    expect(judge(world(monitored, { ...opening, direction: 'egress' }), 'acme', 'fenced').verdict).toBe('refuted')
  })

  test('an opening never legitimises another tenant', () => {
    const rule = { from: [{ namespaceSelector: named('globex') }] }
    expect(judge(world(rule, { direction: 'ingress', peers: rule.from, ports: [] }), 'acme', 'fenced').verdict).toBe(
      'refuted',
    )
  })

  test('with openings, the public outside is open only where one says so', () => {
    const tenants = (openings: readonly Opening[]) => [boundary('acme', { openings }), boundary('globex')]
    expect(judge(worldOf({ tenants: tenants([outsideEgress]) }), 'acme', 'contained').verdict).toBe('proved')
    expect(judge(worldOf({ tenants: tenants([]) }), 'acme', 'contained').verdict).toBe('refuted')
    expect(
      judge(
        worldOf({
          tenants: tenants([{ direction: 'egress', peers: [{ ipBlock: { cidr: '8.0.0.0/8' } }], ports: [] }]),
        }),
        'acme',
        'contained',
      ).verdict,
    ).toBe('refuted')
  })

  const reach = (block: object, ports: object[], openings: object[], ranges: string[] = []) =>
    judge(
      worldOf({
        objects: [...twoTenants(), egress({ to: [{ ipBlock: block }], ...(ports.length > 0 ? { ports } : {}) })],
        tenants: [boundary('acme', { openings: [outsideEgress, ...openings] as never }), boundary('globex')],
        kubernetes: { ranges },
      }),
      'acme',
      'contained',
    ).verdict
  const open = (cidr: string, ...ports: object[]) => ({ direction: 'egress', peers: [{ ipBlock: { cidr } }], ports })

  test('a private endpoint is open where a document names it, the metadata address never', () => {
    const pg = [{ protocol: 'TCP', port: 5432 }]
    expect(reach({ cidr: '10.0.0.7/32' }, pg, [open('10.0.0.7/32', ...pg)])).toBe('proved')
    expect(reach({ cidr: '10.0.0.7/32' }, pg, [])).toBe('refuted')
    expect(reach({ cidr: '10.0.0.7/32' }, [], [open('10.0.0.7/32', ...pg)])).toBe('refuted')
    expect(reach({ cidr: '169.254.169.254/32' }, pg, [open('169.254.169.254/32', ...pg)])).toBe('refuted')
    expect(reach({ cidr: '169.254.169.254/32' }, dnsPorts, [open('169.254.169.254/32', ...dnsPorts)])).toBe('refuted')
    expect(reach({ cidr: '100.64.1.1/32' }, pg, [open('100.64.1.1/32', ...pg)])).toBe('refuted')
  })

  test('a resolver on the node is open on port 53 alone', () => {
    expect(reach({ cidr: '169.254.20.10/32' }, dnsPorts, [open('169.254.20.10/32', ...dnsPorts)])).toBe('proved')
    expect(reach({ cidr: '169.254.20.10/32' }, [{ port: 80 }], [open('169.254.20.10/32', { port: 80 })])).toBe(
      'refuted',
    )
  })

  test('ranges of the cluster stay shut, single endpoints in them may be named', () => {
    const api = [{ protocol: 'TCP', port: 6443 }]
    expect(reach({ cidr: '10.96.0.0/16' }, api, [open('10.96.0.0/16', ...api)])).toBe('proved')
    expect(reach({ cidr: '10.96.0.0/16' }, api, [open('10.96.0.0/16', ...api)], ['10.96.0.0/12'])).toBe('refuted')
    expect(reach({ cidr: '10.96.0.1/32' }, api, [open('10.96.0.1/32', ...api)], ['10.96.0.0/12'])).toBe('proved')
    expect(reach({ cidr: '203.0.113.0/24' }, [], [], ['203.0.113.0/24'])).toBe('refuted')
  })

  test.each([
    ['no peers', { direction: 'egress', peers: [], ports: [] }],
    ['an unknown direction', { direction: 'both', peers: [outsideBlock] }],
    ['a peer that names nothing', { direction: 'egress', peers: [{}] }],
    ['an unknown field in a peer', { direction: 'egress', peers: [{ fqdn: 'example.org' }] }],
  ])('an opening with %s decides nothing', (_, bad) => {
    expect(
      judge(
        worldOf({ tenants: [boundary('acme', { openings: [bad] as never }), boundary('globex')] }),
        'acme',
        'contained',
      ).verdict,
    ).toBe('undecided')
  })
})

describe('counterexamples', () => {
  const find = (objects: KubeObject[], claim: string, tenant: string) =>
    networkLogic
      .analyse(worldOf({ objects }))
      .refuted.find((entry) => entry.claim === claim && entry.tenant === tenant)!

  test('name policy, uid, rule and a command', () => {
    const found = find(
      [...twoTenants(), egress({ to: [{ namespaceSelector: named('globex') }], ports: [{ port: 8080 }] })],
      'network.contained',
      'acme',
    )
    expect(found.edge).toMatchObject({ from: 'k8s:ns:acme', to: 'net:pods:globex', rule: 'network.egress' })
    expect(found.edge.culprits).toEqual([
      {
        product: 'kubernetes',
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        namespace: 'acme',
        name: 'x',
        uid: 'uid-acme-x',
      },
    ])
    expect(found.edge.command).toContain('kubectl -n acme run probe')
    expect(found.edge.command).toMatch(/nc -zv -w 3 .* 8080$/)
    expect(found.object).toContain('namespace globex of tenant globex')
  })

  test('say whether the other side still blocks, and become a way through the graph only where it does not', () => {
    const out = egress({ to: [{ namespaceSelector: named('globex') }] })
    const into = policy('globex', 'y', {
      podSelector: {},
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ namespaceSelector: named('acme') }] }],
    })
    expect(find([...twoTenants(), out], 'network.contained', 'acme').object).toContain('the other side still blocks it')
    expect(find([...twoTenants(), out, into], 'network.contained', 'acme').object).not.toContain('blocks')
    const edges = (objects: KubeObject[]) =>
      networkLogic.analyse(worldOf({ objects })).edges.map(({ from, to }) => `${from} ${to}`)
    expect(edges([...twoTenants(), out])).toEqual([])
    expect(edges([...twoTenants(), into])).toEqual([])
    expect(new Set(edges([...twoTenants(), out, into]))).toEqual(new Set(['k8s:ns:acme net:pods:globex']))
  })

  test('quote what comes from objects for the shell', () => {
    const evil = policy('acme', "x'; rm -rf /", { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] })
    expect(find([...twoTenants(), evil], 'network.fenced', 'acme').edge.command).toBe(
      `kubectl -n acme get networkpolicy 'x'\\''; rm -rf /' -o yaml`,
    )
  })
})
