import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/model/world.ts'
import { networkLogic } from '../../../../src/prover/network/logic.ts'
import { boundary, closed, dnsPorts, fence, judge, kinds, named, nameLabel, namespace, outsideBlock, platform, policy, tenantLabel, twoTenants, worldOf } from './worlds.ts'

/** The fenced world with more objects in it. */
const plus = (...objects: KubeObject[]) => worldOf({ objects: [...twoTenants(), ...objects] })
const egress = (...rules: object[]) => policy('acme', 'x', { podSelector: {}, policyTypes: ['Egress'], egress: rules })
const ingress = (...rules: object[]) => policy('acme', 'x', { podSelector: {}, policyTypes: ['Ingress'], ingress: rules })

describe('the fenced world', () => {
  test.each(['acme', 'globex'])('proves both claims of %s, with cases counted', (tenant) => {
    expect(judge(worldOf(), tenant, 'contained')).toMatchObject({ verdict: 'proved', by: [] })
    expect(judge(worldOf(), tenant, 'fenced')).toMatchObject({ verdict: 'proved', by: [] })
    expect(networkLogic.analyse(worldOf()).checked.get(tenant)).toBeGreaterThan(5)
  })

  test('says what it assumes', () => {
    expect(networkLogic.analyse(worldOf()).assuming).toEqual(
      expect.arrayContaining([expect.stringContaining('enforces every NetworkPolicy'), expect.stringContaining('public addresses'), expect.stringContaining('ranges are not known')]),
    )
  })
})

describe('each fence removed', () => {
  const without = (name: string) => worldOf({ objects: twoTenants().filter((object) => !(object.metadata.namespace === 'acme' && object.metadata.name === name)) })

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
      worldOf({ objects: [...objects, policy('acme', 'deny', { podSelector: selector, policyTypes: ['Ingress', 'Egress'] })] })
    const hole = partial({ matchExpressions: [{ key: 'tier', operator: 'NotIn', values: ['open'] }] })
    expect(judge(hole, 'acme', 'fenced').by).toEqual(['no policy isolates pods with labels tier=open for ingress'])
    expect(judge(hole, 'acme', 'contained').by).toEqual(['no policy isolates pods with labels tier=open for egress'])
    expect(judge(partial({}), 'acme', 'contained').verdict).toBe('proved')
  })

  test('two policies that together select every label set are a full fence', () => {
    const objects = twoTenants().filter((object) => object.metadata.namespace !== 'acme')
    const both = ['Exists', 'DoesNotExist'].map((operator) =>
      policy('acme', operator.toLowerCase(), { podSelector: { matchExpressions: [{ key: 'tier', operator }] }, policyTypes: ['Ingress', 'Egress'] }),
    )
    expect(judge(worldOf({ objects: [...objects, ...both] }), 'acme', 'fenced').verdict).toBe('proved')
    expect(judge(worldOf({ objects: [...objects, both[0]!] }), 'acme', 'fenced').verdict).toBe('refuted')
  })

  test('a policy that speaks of ingress only is no fence for egress', () => {
    const objects = [...twoTenants().filter((object) => object.metadata.namespace !== 'acme'), policy('acme', 'deny', { podSelector: {} })]
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
    ['to the own namespace by tenant', { to: [{ namespaceSelector: { matchLabels: { [tenantLabel]: 'acme' } } }] }, 'proved'],
    ['to another tenant by name', { to: [{ namespaceSelector: named('globex') }] }, 'refuted'],
    ['to another tenant by label', { to: [{ namespaceSelector: { matchLabels: { [tenantLabel]: 'globex' } } }] }, 'refuted'],
    ['to every tenant but one', { to: [{ namespaceSelector: { matchExpressions: [{ key: tenantLabel, operator: 'NotIn', values: ['globex'] }] } }] }, 'refuted'],
    ['to all namespaces', { to: [{ namespaceSelector: {} }] }, 'refuted'],
    ['to resolvers in any namespace', { to: [{ namespaceSelector: {}, podSelector: { matchLabels: { 'k8s-app': 'kube-dns' } } }], ports: dnsPorts }, 'refuted'],
    ['to a tenant that does not exist yet', { to: [{ namespaceSelector: { matchLabels: { [tenantLabel]: 'initech' } } }] }, 'refuted'],
    ['to a namespace that does not exist yet', { to: [{ namespaceSelector: named('initech') }] }, 'refuted'],
    ['to a shared namespace', { to: [{ namespaceSelector: named('shared-tools') }] }, 'proved'],
    ['to a platform namespace', { to: [{ namespaceSelector: named('monitoring') }] }, 'refuted'],
    ['to kube-system on port 53', { to: [{ namespaceSelector: named('kube-system') }], ports: dnsPorts }, 'proved'],
    ['to kube-system on another port', { to: [{ namespaceSelector: named('kube-system') }], ports: [{ port: 443 }] }, 'refuted'],
    ['to kube-system on all ports', { to: [{ namespaceSelector: named('kube-system') }] }, 'refuted'],
    ['to a public range', { to: [{ ipBlock: { cidr: '8.8.8.0/24' } }] }, 'proved'],
    ['to the outside without the reserved ranges', { to: [outsideBlock] }, 'proved'],
    ['to the metadata address', { to: [{ ipBlock: { cidr: '169.254.169.254/32' } }] }, 'refuted'],
    ['to carrier NAT', { to: [{ ipBlock: { cidr: '100.100.0.0/16' } }] }, 'refuted'],
    ['to a private range', { to: [{ ipBlock: { cidr: '10.1.2.0/24' } }] }, 'refuted'],
    ['to everything but private ranges', { to: [{ ipBlock: { cidr: '0.0.0.0/0', except: closed.slice(0, 3) } }] }, 'refuted'],
    ['to metadata over IPv6', { to: [{ ipBlock: { cidr: 'fd00:ec2::254/128' } }] }, 'refuted'],
    ['to metadata through NAT64', { to: [{ ipBlock: { cidr: '64:ff9b::a9fe:a9fe/128' } }] }, 'refuted'],
    ['to a public IPv6 range', { to: [{ ipBlock: { cidr: '2606:4700::/32' } }] }, 'proved'],
    ['to nobody, since no labels can match', { to: [{ namespaceSelector: {}, podSelector: { matchLabels: { a: 'b' }, matchExpressions: [{ key: 'a', operator: 'DoesNotExist' }] } }] }, 'proved'],
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

describe('openings', () => {
  const monitored = { from: [{ namespaceSelector: named('monitoring'), podSelector: { matchLabels: { app: 'prometheus' } } }], ports: [{ port: 9090 }] }
  const opening = { direction: 'ingress', peers: [{ namespaceSelector: named('monitoring'), podSelector: { matchLabels: { app: 'prometheus' } } }], ports: [{ protocol: 'TCP', port: 9090 }] }
  const world = (rule: object, ...openings: object[]) =>
    worldOf({
      objects: [...twoTenants(), ingress(rule)],
      tenants: [boundary('acme', { openings: [outsideEgress, ...openings] as never }), boundary('globex')],
    })
  const outsideEgress = { direction: 'egress', peers: [outsideBlock], ports: [] }

  test('what a document opens is legitimate, and nothing beyond it', () => {
    expect(judge(world(monitored, opening), 'acme', 'fenced').verdict).toBe('proved')
    expect(judge(world(monitored), 'acme', 'fenced').verdict).toBe('refuted')
    expect(judge(world({ ...monitored, ports: [{ port: 9091 }] }, opening), 'acme', 'fenced').verdict).toBe('refuted')
    expect(judge(world({ from: [{ namespaceSelector: named('monitoring') }], ports: monitored.ports }, opening), 'acme', 'fenced').verdict).toBe('refuted')
    expect(judge(world({ ...monitored, ports: [{ port: 'metrics' }] }, opening), 'acme', 'fenced').verdict).toBe('refuted')
  })

  test('an opening of the other direction opens nothing', () => {
    expect(judge(world(monitored, { ...opening, direction: 'egress' }), 'acme', 'fenced').verdict).toBe('refuted')
  })

  test('an opening never legitimises another tenant', () => {
    const rule = { from: [{ namespaceSelector: named('globex') }] }
    expect(judge(world(rule, { direction: 'ingress', peers: rule.from, ports: [] }), 'acme', 'fenced').verdict).toBe('refuted')
  })

  test('with openings, the public outside is open only where one says so', () => {
    const tenants = (openings: object[]) => [boundary('acme', { openings: openings as never }), boundary('globex')]
    expect(judge(worldOf({ tenants: tenants([outsideEgress]) }), 'acme', 'contained').verdict).toBe('proved')
    expect(judge(worldOf({ tenants: tenants([]) }), 'acme', 'contained').verdict).toBe('refuted')
    expect(judge(worldOf({ tenants: tenants([{ direction: 'egress', peers: [{ ipBlock: { cidr: '8.0.0.0/8' } }] }]) }), 'acme', 'contained').verdict).toBe('refuted')
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
    expect(reach({ cidr: '169.254.20.10/32' }, [{ port: 80 }], [open('169.254.20.10/32', { port: 80 })])).toBe('refuted')
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
    expect(judge(worldOf({ tenants: [boundary('acme', { openings: [bad] as never }), boundary('globex')] }), 'acme', 'contained').verdict).toBe('undecided')
  })
})

describe('counterexamples', () => {
  const find = (objects: KubeObject[], claim: string, tenant: string) =>
    networkLogic.analyse(worldOf({ objects })).refuted.find((entry) => entry.claim === claim && entry.tenant === tenant)!

  test('name policy, uid, rule and a command', () => {
    const found = find([...twoTenants(), egress({ to: [{ namespaceSelector: named('globex') }], ports: [{ port: 8080 }] })], 'network.contained', 'acme')
    expect(found.edge).toMatchObject({ from: 'k8s:ns:acme', to: 'net:pods:globex', rule: 'network.egress' })
    expect(found.edge.culprits).toEqual([{ product: 'kubernetes', apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', namespace: 'acme', name: 'x', uid: 'uid-acme-x' }])
    expect(found.edge.command).toContain('kubectl -n acme run probe')
    expect(found.edge.command).toMatch(/nc -zv -w 3 .* 8080$/)
    expect(found.object).toContain('namespace globex of tenant globex')
  })

  test('say whether the other side still blocks, and become a way through the graph only where it does not', () => {
    const out = egress({ to: [{ namespaceSelector: named('globex') }] })
    const into = policy('globex', 'y', { podSelector: {}, policyTypes: ['Ingress'], ingress: [{ from: [{ namespaceSelector: named('acme') }] }] })
    expect(find([...twoTenants(), out], 'network.contained', 'acme').object).toContain('the other side still blocks it')
    expect(find([...twoTenants(), out, into], 'network.contained', 'acme').object).not.toContain('blocks')
    const edges = (objects: KubeObject[]) => networkLogic.analyse(worldOf({ objects })).edges.map(({ from, to }) => `${from} ${to}`)
    expect(edges([...twoTenants(), out])).toEqual([])
    expect(edges([...twoTenants(), into])).toEqual([])
    expect(new Set(edges([...twoTenants(), out, into]))).toEqual(new Set(['k8s:ns:acme net:pods:globex']))
  })

  test('quote what comes from objects for the shell', () => {
    const evil = policy('acme', "x'; rm -rf /", { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] })
    expect(find([...twoTenants(), evil], 'network.fenced', 'acme').edge.command).toBe(`kubectl -n acme get networkpolicy 'x'\\''; rm -rf /' -o yaml`)
  })
})

describe('what is not read or understood is never proved', () => {
  const undecided = (world: Parameters<typeof judge>[0], reason: RegExp, tenant = 'acme') => {
    const outcome = judge(world, tenant, 'contained')
    expect(outcome.verdict).toBe('undecided')
    expect(outcome.because.join('\n')).toMatch(reason)
  }

  test.each(['networking.k8s.io/NetworkPolicy', '/Namespace', 'cilium.io/CiliumNetworkPolicy', 'policy.networking.k8s.io/AdminNetworkPolicy'])('%s not listed', (kind) => {
    undecided(worldOf({ kubernetes: { kinds: kinds.filter((one) => one !== kind) } }), new RegExp(`${kind} was not looked at`))
  })

  test('no Kubernetes at all', () => {
    const { kubernetes: _, ...world } = worldOf()
    undecided({ ...world, unreadable: [{ product: 'kubernetes', what: 'the API server', why: 'timed out' }] }, /timed out/)
    expect(networkLogic.applies(world)).toBe(true)
    expect(networkLogic.applies({ ...world, tenants: [] })).toBe(false)
  })

  test('an unreadable file or list, but not one that says nothing about packets', () => {
    const unreadable = (product: string, what: string) => worldOf({ world: { unreadable: [{ product, what, why: 'broken' }] } })
    undecided(unreadable('file', 'a.yaml'), /a\.yaml could not be read: broken/)
    undecided(unreadable('kubernetes', '/Pod'), /Pod could not be read/)
    expect(judge(unreadable('kubernetes', '/Secret'), 'acme', 'contained').verdict).toBe('proved')
    expect(judge(unreadable('postgres', 'catalog'), 'acme', 'contained').verdict).toBe('proved')
  })

  test('an unreadable thing of one tenant leaves the others decided', () => {
    const world = worldOf({ world: { unreadable: [{ product: 'file', what: 'a.yaml', why: 'broken', tenant: 'acme' }] } })
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
    const world = plus({ apiVersion, kind, metadata: { name: 'odd', namespace: ns, labels: { 'app.kubernetes.io/managed-by': 'ringfence' } }, spec: {} })
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
    const world = plus({ apiVersion: 'policy.networking.k8s.io/v1alpha1', kind: 'AdminNetworkPolicy', metadata: { name: 'odd' }, spec: { subject: { namespaces: { matchLabels: { [nameLabel]: 'globex' } } } } })
    expect(judge(world, 'acme', 'contained').verdict).toBe('proved')
    undecided(world, /AdminNetworkPolicy odd/, 'globex')
  })

  test('a tenant without a namespace, or with one that does not exist', () => {
    undecided(worldOf({ tenants: [boundary('late', { namespaces: [] })] }), /has no namespace/, 'late')
    undecided(worldOf({ tenants: [boundary('late', { namespaces: ['gone'] })] }), /namespace gone of tenant late does not exist/, 'late')
  })

  test('a range of the cluster that cannot be read', () => {
    undecided(worldOf({ kubernetes: { ranges: ['pods'] } }), /no address range: pods/)
  })
})

describe('labels that contradict the registry', () => {
  const relabelled = (name: string, labels: Record<string, string>) =>
    worldOf({ objects: twoTenants().map((object) => (object.kind === 'Namespace' && object.metadata.name === name ? { ...object, metadata: { ...object.metadata, labels: { ...object.metadata.labels, ...labels } } } : object)) })

  test("a tenant's namespace that carries another's name is refuted for both", () => {
    const world = relabelled('acme', { [tenantLabel]: 'globex' })
    for (const tenant of ['acme', 'globex']) {
      for (const side of ['contained', 'fenced'] as const) expect(judge(world, tenant, side)).toMatchObject({ verdict: 'refuted', rules: ['network.namespace-label'] })
    }
  })

  test("a stranger's namespace that carries a tenant's name is refuted", () => {
    expect(judge(relabelled('default', { [tenantLabel]: 'acme' }), 'acme', 'fenced').rules).toEqual(['network.namespace-label'])
    expect(judge(relabelled('default', { [tenantLabel]: 'acme' }), 'globex', 'fenced').verdict).toBe('proved')
  })

  test('a namespace of two tenants is refuted for both', () => {
    const world = worldOf({ tenants: [boundary('acme', { namespaces: ['acme', 'globex'] }), boundary('globex')] })
    expect(judge(world, 'acme', 'contained').rules).toContain('network.namespace-label')
    expect(judge(world, 'globex', 'contained').rules).toContain('network.namespace-label')
  })
})

describe('ways around packet filtering', () => {
  const pod = (spec: object, status: object = {}, ns = 'acme', name = 'p'): KubeObject => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: ns }, spec, status })
  const outcome = (object: KubeObject) => judge(plus(pod({}, { podIP: '10.0.0.1' }), pod({}, { podIP: '10.0.0.2' }, 'globex', 'q'), object), 'acme', 'contained')
  const slice = (address: string) => ({ apiVersion: 'discovery.k8s.io/v1', kind: 'EndpointSlice', metadata: { name: 's', namespace: 'acme' }, endpoints: [{ addresses: [address] }] })

  test('a pod on the node network, or a template of one', () => {
    expect(outcome(pod({ hostNetwork: true }, {}, 'acme', 'h'))).toMatchObject({ verdict: 'refuted', rules: ['network.host-network'], by: ['Pod acme/h'] })
    expect(outcome({ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'd', namespace: 'acme' }, spec: { template: { spec: { hostNetwork: true } } } }).rules).toEqual(['network.host-network'])
    expect(outcome({ apiVersion: 'batch/v1', kind: 'CronJob', metadata: { name: 'c', namespace: 'acme' }, spec: { jobTemplate: { spec: { template: { spec: { hostNetwork: true } } } } } }).rules).toEqual(['network.host-network'])
    expect(outcome(pod({ hostNetwork: false }, {}, 'acme', 'h')).verdict).toBe('proved')
    expect(outcome(pod({ hostNetwork: true }, {}, 'monitoring', 'h')).verdict).toBe('proved')
  })

  test('a namespace of a live tenant that does not enforce Pod Security', () => {
    const objects = (level?: string) => [...twoTenants().filter((object) => object.metadata.name !== 'acme' || object.kind !== 'Namespace'), { ...namespace('acme', undefined, { [tenantLabel]: 'acme', ...(level === undefined ? {} : { 'pod-security.kubernetes.io/enforce': level }) }) }]
    expect(judge(worldOf({ objects: objects() }), 'acme', 'contained').rules).toEqual(['network.host-network'])
    expect(judge(worldOf({ objects: objects('privileged') }), 'acme', 'contained').rules).toEqual(['network.host-network'])
    expect(judge(worldOf({ objects: objects('baseline') }), 'acme', 'contained').verdict).toBe('proved')
    const files = worldOf({ objects: objects(), world: { source: 'manifests' } })
    expect(judge(files, 'acme', 'contained').verdict).toBe('proved')
    expect(networkLogic.analyse(files).assuming.join()).toContain('hostNetwork')
  })

  test('a Service with external addresses', () => {
    const service = (externalIPs: string[]) => ({ apiVersion: 'v1', kind: 'Service', metadata: { name: 's', namespace: 'acme' }, spec: { externalIPs } })
    expect(outcome(service(['10.0.0.2'])).rules).toEqual(['network.external-ip'])
    expect(outcome(service([])).verdict).toBe('proved')
  })

  test("endpoints that name another tenant's pod, metadata or a private address", () => {
    for (const address of ['10.0.0.2', '169.254.169.254', '10.9.9.9', 'not-an-address']) expect(outcome(slice(address)).rules).toEqual(['network.endpoints'])
    for (const address of ['10.0.0.1', '203.0.113.9']) expect(outcome(slice(address)).verdict).toBe('proved')
  })

  test('kinds that were not read become assumptions', () => {
    const world = worldOf({ kubernetes: { kinds: kinds.filter((kind) => kind !== '/Pod' && kind !== '/Service') } })
    expect(judge(world, 'acme', 'contained').verdict).toBe('proved')
    expect(networkLogic.analyse(world).assuming).toEqual(expect.arrayContaining([expect.stringContaining('pods were not read'), expect.stringContaining('Services were not read')]))
  })
})

test('one tenant alone is not proved by a selector that a later one would match', () => {
  const managed = namespace('acme', 'acme', { tier: 'customer' })
  const alone = (selector: object) =>
    worldOf({ objects: [...platform, managed, ...fence('acme'), egress({ to: [{ namespaceSelector: selector }] })], tenants: [boundary('acme')] })
  expect(judge(alone({ matchLabels: { tier: 'customer' } }), 'acme', 'contained').verdict).toBe('refuted')
  expect(judge(alone({ matchExpressions: [{ key: tenantLabel, operator: 'Exists' }] }), 'acme', 'contained').verdict).toBe('refuted')
  expect(judge(alone({ matchLabels: { tier: 'customer', [tenantLabel]: 'acme' } }), 'acme', 'contained').verdict).toBe('proved')
  // A label that names the tenant will name the next one in its own way.
  const telling = worldOf({
    objects: [...platform, namespace('acme', 'acme', { team: 'acme' }), ...fence('acme'), egress({ to: [{ namespaceSelector: { matchLabels: { team: 'initech' } } }] })],
    tenants: [boundary('acme')],
  })
  expect(judge(telling, 'acme', 'contained').verdict).toBe('refuted')
})
