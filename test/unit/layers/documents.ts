/** Tenants, platforms and generators of hostile documents for the tests of the layers. */
import fc from 'fast-check'
import type { LayerContext } from '../../../src/model/layer.ts'
import { resolveNames } from '../../../src/model/names.ts'
import { platformDocument, type PlatformDocument, type PlatformInput } from '../../../src/model/platform.ts'
import { tenantDocument, type Tenant, type TenantInput } from '../../../src/model/tenant.ts'

type Spec = TenantInput['spec']
export const uidOf = (name: string): string =>
  `00000000-0000-4000-8000-${Buffer.from(name).toString('hex').padStart(12, '0').slice(-12)}`

export const platformOf = (spec: PlatformInput['spec'] = {}): PlatformDocument =>
  platformDocument.parse({ apiVersion: 'ringfence.dev/v1alpha1', kind: 'Platform', metadata: { name: 'test' }, spec })

export const contextOf = (
  platform: PlatformDocument = platformOf(),
  facts: Partial<NonNullable<LayerContext['facts']['kubernetes']>> = {},
): LayerContext => ({
  platform: platform.spec,
  facts: {
    kubernetes: {
      medium: 'live',
      ranges: ['10.96.0.0/16', '10.244.0.0/16', 'fd00:10:96::/112'],
      apiServer: [{ address: '10.0.0.1', port: 6443 }],
      resolvers: [],
      ...facts,
    },
  },
  backends: { kubernetes: 'kubernetes', postgres: 'postgres' },
})

export function tenantOf(
  name: string,
  spec: Spec = {},
  context = contextOf(),
  labels: { [key: string]: string } = {},
): Tenant {
  const document = tenantDocument.parse({
    apiVersion: 'ringfence.dev/v1alpha1',
    kind: 'Tenant',
    metadata: { name, labels },
    spec,
  })
  const uid = uidOf(name)
  const names = resolveNames(context.platform, { name, slug: document.spec.slug ?? name, uid, spec: document.spec })
  return { name, uid, generation: 1, spec: document.spec, labels: document.metadata.labels, names }
}

/** Keys that a tenant would like to set, among harmless ones. */
const key = fc.oneof(
  fc.constantFrom(
    'ringfence.dev/tenant',
    'ringfence.dev/tenant-uid',
    'ringfence.dev/shared',
    'app.kubernetes.io/managed-by',
    'pod-security.kubernetes.io/enforce',
    'pod-security.kubernetes.io/enforce-version',
    'kubernetes.io/metadata.name',
    'admission.gatekeeper.sh/ignore',
    'istio-injection',
    'team',
    'a/b',
    'x.ringfence.dev/y',
  ),
  fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/),
)
const value = fc.oneof(
  fc.constantFrom('privileged', 'globex', 'ringfence', 'true', ''),
  fc.stringMatching(/^[a-z0-9]{1,10}$/),
)
const dictionary = fc.dictionary(key, value, { maxKeys: 6 })
const tags = fc.dictionary(
  fc.oneof(
    key,
    fc.string({ minLength: 1, maxLength: 20 }).filter((text) => text !== '__proto__'),
  ),
  fc.oneof(value, fc.string({ maxLength: 80 })),
  { maxKeys: 5 },
)

const octet = fc.integer({ min: 0, max: 255 })
const ipv4 = fc.oneof(
  fc
    .tuple(octet, octet, octet, octet, fc.integer({ min: 0, max: 32 }))
    .map(([a, b, c, d, bits]) => `${a}.${b}.${c}.${d}/${bits}`),
  fc.constantFrom(
    '0.0.0.0/0',
    '169.254.169.254/32',
    '169.254.0.0/15',
    '100.64.0.0/9',
    '10.0.0.0/8',
    '10.244.3.0/24',
    '8.0.0.0/5',
    '192.168.0.0/16',
    '168.63.129.16/32',
    '203.0.113.0/24',
  ),
)
const ipv6 = fc.oneof(
  fc
    .tuple(
      fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 }),
      fc.integer({ min: 0, max: 128 }),
    )
    .map(([groups, bits]) => `${groups.map((group) => group.toString(16)).join(':')}/${bits}`),
  fc.constantFrom(
    '::/0',
    '::ffff:169.254.169.254/128',
    '::ffff:0:0/96',
    '64:ff9b::/96',
    '64:ff9b::a9fe:a9fe/128',
    'fd00:ec2::254/128',
    'fc00::/7',
    'fe80::/10',
    '2001:db8::/32',
    '2002::/15',
  ),
)
const cidr = fc.oneof(ipv4, ipv6)
const selector = fc.record({
  matchLabels: fc.oneof(
    fc.constant({}),
    fc.constant({ 'kubernetes.io/metadata.name': 'ringfence-globex' }),
    dictionary,
  ),
  matchExpressions: fc.array(
    fc.constantFrom<{ key: string; operator: 'Exists' | 'In' | 'NotIn'; values: string[] }>(
      { key: 'ringfence.dev/tenant', operator: 'Exists', values: [] },
      { key: 'kubernetes.io/metadata.name', operator: 'NotIn', values: ['x'] },
      { key: 'kubernetes.io/metadata.name', operator: 'In', values: ['kube-system', 'ringfence-globex', 'partner'] },
    ),
    { maxLength: 2 },
  ),
})
const peer = fc.oneof(
  fc.record({ ipBlock: fc.record({ cidr, except: fc.array(cidr, { maxLength: 2 }) }) }),
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ namespaceSelector: selector, podSelector: selector }),
)
const port = fc.record({
  protocol: fc.constantFrom('TCP' as const, 'UDP' as const),
  port: fc.integer({ min: 1, max: 65_535 }),
})
const rule = fc.record({
  peers: fc.array(peer, { minLength: 1, maxLength: 3 }),
  ports: fc.array(port, { maxLength: 2 }),
})

/** Documents that the schema accepts; what admission would refuse is among them, since a layer must be safe alone. */
export const hostileSpec: fc.Arbitrary<NonNullable<Spec>> = fc.record({
  environment: fc.constantFrom('production' as const, 'development' as const),
  tags,
  compute: fc.record({
    namespace: fc.record({ labels: dictionary }),
    podSecurity: fc.constantFrom('restricted' as const, 'baseline' as const),
    quota: fc.dictionary(
      fc.constantFrom('services.nodeports', 'pods', 'requests.cpu', 'cpu', 'count/deployments.apps'),
      fc.constantFrom('0', '5', '1000', '2Gi'),
      { maxKeys: 4 },
    ),
    allowed: fc.record({
      ingressHosts: fc.array(fc.oneof(fc.constant('a.example\nb.example'), fc.constant('a.example')), { maxLength: 2 }),
    }),
  }),
  network: fc.record({
    allowPrivateNetworks: fc.boolean(),
    allowKubernetesAPI: fc.boolean(),
    allowFrom: fc.array(rule, { maxLength: 2 }),
    allowTo: fc.array(rule, { maxLength: 3 }),
    egress: fc.record({
      fqdns: fc.array(fc.constantFrom('api.example.com', '*.example.com', '*', 'nonsense'), { maxLength: 2 }),
    }),
  }),
  access: fc.record({
    roleBindings: fc.array(
      fc.record({
        role: fc.constantFrom('owner' as const, 'viewer' as const),
        groups: fc.array(fc.constantFrom('people', 'system:authenticated', 'a\nsystem:masters', 'CN=x,OU=y'), {
          maxLength: 3,
        }),
      }),
      { maxLength: 3 },
    ),
  }),
})
export const hostileLabels = dictionary
