import { describe, expect, it } from 'vitest'
import { check, paths } from './admission.ts'
import { platformOf } from './documents.ts'

const to = (...peers: object[]) => ({ network: { allowTo: [{ peers }] } })
const named = (name: string) => ({ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': name } } })

describe('peers', () => {
  const peer = '/spec/network/allowTo/0/peers/0'
  it.each<[object, string]>([
    [{ namespaceSelector: {} }, '/namespaceSelector'],
    [{ podSelector: {} }, '/podSelector'],
    [{ namespaceSelector: { matchLabels: { team: 'x' } } }, '/namespaceSelector'],
    [
      { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'Exists' }] } },
      '/namespaceSelector',
    ],
    [
      {
        namespaceSelector: {
          matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['x'] }],
        },
      },
      '/namespaceSelector',
    ],
    [
      { namespaceSelector: { matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: [] }] } },
      '/namespaceSelector/matchExpressions/0',
    ],
    [
      {
        namespaceSelector: {
          matchExpressions: [
            { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shared-tools', 'ringfence-globex'] },
          ],
        },
      },
      '/namespaceSelector',
    ],
    [named('ringfence-globex'), '/namespaceSelector'],
    [named('ringfence-system'), '/namespaceSelector'],
    [named('kube-system'), '/namespaceSelector'],
    [named('catalog'), '/podSelector'],
    [{ ...named('catalog'), podSelector: { matchLabels: { app: 'catalog' } } }, '/podSelector'],
  ])('are refused: %j', (spec, at) => {
    expect(paths(to(spec))).toEqual([`${peer}${at}`])
  })
  it.each<object>([
    { podSelector: { matchLabels: { app: 'x' } } },
    named('shared-tools'),
    named('ringfence-acme'),
    {
      namespaceSelector: {
        matchExpressions: [{ key: 'kubernetes.io/metadata.name', operator: 'In', values: ['shared-tools'] }],
      },
    },
  ])('are allowed: %j', (spec) => {
    expect(paths(to(spec))).toEqual([])
  })
  it('open pods of the platform only as it offers them', () => {
    const rule = (port: object) => ({
      network: {
        allowTo: [
          { peers: [{ ...named('catalog'), podSelector: { matchLabels: { app: 'catalog' } } }], ports: [port] },
        ],
      },
    })
    expect(paths(rule({ port: 8585 }))).toEqual([])
    expect(paths(rule({ port: 22 }))).toEqual([`${peer}/podSelector`])
    expect(paths(rule({ port: 8585, endPort: 9000 }))).toEqual([`${peer}/podSelector`])
  })
  it('let the gateway in', () => {
    expect(paths({ network: { allowFrom: [{ peers: [named('ingress-nginx')] }] } })).toEqual([])
  })
})

describe('address ranges', () => {
  const block = (cidr: string, ...except: string[]) => to({ ipBlock: { cidr, except } })
  it.each(['203.0.113.0/24', '104.18.0.0/16', '10.1.2.0/24', '2001:db8::/32', '172.16.0.0/12', '1.2.3.4/32'])(
    'may be %s',
    (cidr) => {
      expect(paths(block(cidr))).toEqual([])
    },
  )
  it.each([
    '169.254.169.254/32',
    '169.254.0.0/16',
    '100.64.1.0/24',
    '127.0.0.1/32',
    '10.42.3.0/24',
    '10.0.0.0/8',
    '10.43.0.1/32',
    '192.168.7.8/32',
    '0.0.0.0/0',
    '::/0',
    'fe80::/64',
    'fd00:ec2::254/128',
    '::ffff:10.42.0.0/112',
    '64:ff9b::a2a:0/112',
    '224.0.0.0/4',
    '168.63.129.16/32',
    '128.0.0.0/1',
  ])('may not be %s', (cidr) => {
    const problems = check(block(cidr))
    expect(problems.length).toBeGreaterThan(0)
    expect(new Set(problems.map((one) => one.path))).toEqual(new Set(['/spec/network/allowTo/0/peers/0/ipBlock/cidr']))
    expect(problems[0]?.reason).toContain('reaches')
  })
  it('may be wide when they leave out exactly what is shut', () => {
    expect(paths(block('10.0.0.0/8', '10.42.0.0/15'))).toEqual([])
    expect(paths(block('10.0.0.0/8', '10.42.0.0/16'))).not.toEqual([])
    expect(paths(block('10.0.0.0/8', '10.42.0.0/16', '10.43.0.0/17', '10.43.128.0/17'))).toEqual([])
  })
  it.each([
    ['10.1.2.3/8', 'did you mean 10.0.0.0/8?'],
    ['300.1.2.0/24', 'give a range'],
    ['1.2.3.0/33', 'give a range'],
    ['01.2.3.0/24', 'give a range'],
    ['2001:db8::1/32', 'did you mean 2001:db8::/32?'],
    ['2001::db8::/32', 'give a range'],
  ])('are refused when they are none: %s', (cidr, fix) => {
    expect(check(block(cidr))[0]?.fix).toContain(fix)
  })
  it('refuse exceptions that are not a part', () => {
    const except = '/spec/network/allowTo/0/peers/0/ipBlock/except/0'
    expect(paths(block('203.0.113.0/24', '203.0.114.0/25'))).toEqual([except])
    expect(paths(block('203.0.113.0/24', '203.0.113.0/24'))).toEqual([except])
    expect(paths(block('203.0.113.0/24', '2001:db8::/64'))).toEqual([except])
  })
  it('that are private are refused while the cluster’s ranges are unknown, and judged by observed ones', () => {
    const unknown = platformOf()
    expect(check(block('10.1.0.0/16'), { platform: unknown })[0]?.reason).toContain('not known')
    const facts = { kubernetes: { medium: 'live' as const, ranges: ['10.1.128.0/17'], apiServer: [], resolvers: [] } }
    expect(paths(block('10.1.0.0/17'), { platform: unknown, facts })).toEqual([])
    expect(paths(block('10.1.0.0/16'), { platform: unknown, facts })).toEqual([
      '/spec/network/allowTo/0/peers/0/ipBlock/cidr',
    ])
  })
  it('refuse ports that run backwards', () => {
    const rule = (port: object) => ({
      network: { allowTo: [{ peers: [{ ipBlock: { cidr: '203.0.113.0/24' } }], ports: [port] }] },
    })
    expect(paths(rule({ port: 80, endPort: 79 }))).toEqual(['/spec/network/allowTo/0/ports/0/endPort'])
    expect(paths(rule({ port: 80, endPort: 80 }))).toEqual([])
  })
  it('refuses private networks as a whole in production only', () => {
    expect(paths({ network: { allowPrivateNetworks: true } })).toEqual(['/spec/network/allowPrivateNetworks'])
    expect(paths({ environment: 'development', network: { allowPrivateNetworks: true } })).toEqual([])
  })
})

describe('domain rules', () => {
  const fqdns = (...names: string[]) => ({ network: { egress: { fqdns: names } } })
  const facts = (fqdn?: 'cilium', medium: 'live' | 'manifests' = 'live') => ({
    kubernetes: { medium, ranges: [], apiServer: [], resolvers: [], ...(fqdn === undefined ? {} : { fqdn }) },
  })
  it('are taken where Cilium or Calico enforces them, and refused with both ways out elsewhere', () => {
    expect(paths(fqdns('api.example.com', '*.example.org'), { facts: facts('cilium') })).toEqual([])
    const [problem] = check(fqdns('api.example.com'), { facts: facts() })
    expect(problem?.path).toBe('/spec/network/egress/fqdns')
    expect(problem?.fix).toMatch(/install.*or remove/)
    expect(paths(fqdns('api.example.com'), { facts: facts(undefined, 'manifests') })).toEqual([
      '/spec/network/egress/fqdns',
    ])
    expect(
      paths(fqdns('api.example.com'), {
        facts: facts(undefined, 'manifests'),
        platform: platformOf({ kubernetes: { cni: 'cilium' } }),
      }),
    ).toEqual([])
  })
  it('exclude the broad rule', () => {
    const both = { network: { allowExternalAPIs: true, egress: { fqdns: ['api.example.com'] } } }
    expect(paths(both, { facts: facts('cilium') })).toEqual(['/spec/network/allowExternalAPIs'])
  })
  it.each([
    '*',
    '*.com',
    'localhost',
    'x.svc',
    'a.svc.cluster.local',
    'metadata.google.internal',
    '1.2.3.4',
    'a..b.com',
    'A.com',
    'a.*.com',
    'evil.com\\n',
    '**.a.com',
  ])('refuse %s', (name) => {
    expect(paths(fqdns(name), { facts: facts('cilium') })).toEqual(['/spec/network/egress/fqdns/0'])
  })
})
