/** What counts as a difference, kind by kind: defaults and spellings do not, openings do. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { adoptedMarks, releasedMarks } from '../../../../src/drivers/kubernetes/adoption.ts'
import { diffManifest } from '../../../../src/drivers/kubernetes/diff.ts'
import { desiredMarks, marksOf } from '../../../../src/drivers/kubernetes/marks.ts'
import { canonicalQuantity } from '../../../../src/drivers/kubernetes/quantity.ts'
import type { JsonObject } from '../../../../src/model/json.ts'

const manifest = (kind: string, fields: JsonObject, labels: JsonObject = {}): JsonObject => ({
  apiVersion: 'v1',
  kind,
  metadata: { name: 'x', labels },
  ...fields,
})
/** The manifest as a server would hold it after a create of ours. */
const held = (kind: string, fields: JsonObject, spec: JsonObject): JsonObject => ({
  ...manifest(kind, fields),
  metadata: { name: 'x', ...desiredMarks(spec) },
})
const paths = (spec: JsonObject, state: JsonObject) =>
  diffManifest(spec, state).map(({ path, how }) => `${how} ${path}`)

describe('server defaults are no drift', () => {
  it.each<[kind: string, ours: JsonObject, theirs: JsonObject]>([
    [
      'NetworkPolicy',
      { spec: { podSelector: {}, ingress: [{ ports: [{ port: 80 }], from: [] }], egress: [] } },
      { spec: { podSelector: {}, ingress: [{ ports: [{ port: 80, protocol: 'TCP' }] }], policyTypes: ['Ingress'] } },
    ],
    [
      'NetworkPolicy',
      { spec: { podSelector: {}, egress: [{}] } },
      { spec: { podSelector: {}, egress: [{}], policyTypes: ['Ingress', 'Egress'] } },
    ],
    [
      'ResourceQuota',
      { spec: { hard: { cpu: '1000m', memory: '64Gi' } } },
      { spec: { hard: { cpu: '1', memory: '65536Mi' } } },
    ],
    [
      'LimitRange',
      { spec: { limits: [{ type: 'Container', max: { cpu: '2' } }] } },
      {
        spec: {
          limits: [{ type: 'Container', max: { cpu: '2' }, default: { cpu: '2000m' }, defaultRequest: { cpu: '2' } }],
        },
      },
    ],
    [
      'ServiceAccount',
      { automountServiceAccountToken: false },
      { automountServiceAccountToken: false, secrets: [{ name: 'x' }], imagePullSecrets: [{ name: 'y' }] },
    ],
    [
      'RoleBinding',
      { roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'User', name: 'u' }] },
      {
        roleRef: { kind: 'Role', name: 'r', apiGroup: 'rbac.authorization.k8s.io' },
        subjects: [{ kind: 'User', name: 'u', apiGroup: 'rbac.authorization.k8s.io' }],
      },
    ],
    [
      'ClusterRole',
      { aggregationRule: { clusterRoleSelectors: [{}] }, rules: [] },
      { aggregationRule: { clusterRoleSelectors: [{}] }, rules: [{ verbs: ['get'] }] },
    ],
    ['Namespace', {}, { spec: { finalizers: ['kubernetes'] } }],
  ])('%s %#', (kind, ours, theirs) => {
    const spec = manifest(kind, ours)
    expect(diffManifest(spec, held(kind, theirs, spec))).toEqual([])
  })
})

describe('openings are drift', () => {
  it.each<[kind: string, ours: JsonObject, theirs: JsonObject, path: string]>([
    [
      'NetworkPolicy',
      { spec: { podSelector: {}, policyTypes: ['Ingress'] } },
      { spec: { podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] } },
      'update /spec/ingress',
    ],
    [
      'NetworkPolicy',
      { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } },
      { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {}, namespaceSelector: {} }] }] } },
      'update /spec/ingress/0/from/0/namespaceSelector',
    ],
    [
      'NetworkPolicy',
      { spec: { podSelector: {}, ingress: [{ from: [{ podSelector: {} }] }] } },
      { spec: { podSelector: {}, ingress: [{}] } },
      'update /spec/ingress/0/from',
    ],
    ['ResourceQuota', { spec: { hard: { pods: '10' } } }, { spec: { hard: { pods: '11' } } }, 'update /spec/hard/pods'],
    [
      'ResourceQuota',
      { spec: { hard: { pods: '10' } } },
      { spec: { hard: { pods: '10' }, scopes: ['BestEffort'] } },
      'update /spec/scopes',
    ],
    [
      'RoleBinding',
      { roleRef: { kind: 'Role', name: 'r' }, subjects: [] },
      { roleRef: { kind: 'ClusterRole', name: 'r' } },
      'replace /roleRef/kind',
    ],
    ['ClusterRole', { rules: [] }, { aggregationRule: { clusterRoleSelectors: [{}] } }, 'update /aggregationRule'],
    ['ConfigMap', { data: { a: '1' } }, { data: { a: '2' }, immutable: true }, 'replace /data/a'],
    ['CiliumNetworkPolicy', { spec: { ingress: [] } }, { spec: {} }, 'update /spec/ingress'],
    [
      'CustomResourceDefinition',
      { spec: { scope: 'Cluster', names: { kind: 'T' } } },
      { spec: { scope: 'Namespaced', names: { kind: 'T' } } },
      'refuse /spec/scope',
    ],
  ])('%s %#', (kind, ours, theirs, path) => {
    const spec = manifest(kind, ours)
    expect(paths(spec, held(kind, theirs, spec))).toContain(path)
  })
})

describe('labels and annotations', () => {
  const spec = manifest('Namespace', {}, { tag: 'a', 'ringfence.dev/tenant': 'acme' })
  const state = (labels: JsonObject, annotations: JsonObject = {}): JsonObject => ({
    ...spec,
    metadata: { name: 'x', labels, annotations: { ...desiredMarks(spec).annotations, ...annotations } },
  })
  it('of others stay, ours are enforced', () => {
    expect(paths(spec, state({ tag: 'a', 'ringfence.dev/tenant': 'acme', theirs: 'x' }))).toEqual([])
    expect(paths(spec, state({ tag: 'b', theirs: 'x' }))).toEqual([
      'update /metadata/labels/ringfence.dev~1tenant',
      'update /metadata/labels/tag',
    ])
  })
  it('that we set once and no longer want are taken off', () => {
    const next = manifest('Namespace', {}, { 'ringfence.dev/tenant': 'acme' })
    expect(paths(next, state({ tag: 'a', 'ringfence.dev/tenant': 'acme', theirs: 'x' }))).toContain(
      'update /metadata/labels/tag',
    )
  })
  it('that weaken a fence are drift whoever put them there', () => {
    const ours = { tag: 'a', 'ringfence.dev/tenant': 'acme' }
    expect(paths(spec, state({ ...ours, 'pod-security.kubernetes.io/enforce': 'privileged' }))).toEqual([
      'update /metadata/labels/pod-security.kubernetes.io~1enforce',
    ])
    expect(paths(spec, state(ours, { 'ringfence.dev/allow': '*' }))).toEqual([
      'update /metadata/annotations/ringfence.dev~1allow',
    ])
  })
  it('come back as they were when an adopted namespace is released', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom('tag', 'theirs', 'team'), fc.oneof(fc.constant('a'), fc.string())),
        (labels) => {
          const present = { labels: { ...labels }, annotations: {} }
          const released = releasedMarks(adoptedMarks('Namespace', spec, present))
          expect({ ...released.labels }).toEqual({ ...labels })
          expect(released.annotations).toEqual({})
          expect(marksOf(spec).labels).toMatchObject({ tag: 'a' })
        },
      ),
    )
  })
})

describe('quantities', () => {
  it.each([
    ['1000m', '1'], ['1', '1'], ['1Gi', '1073741824'], ['1024Mi', '1073741824'], ['1e3', '1000'], ['0.5', '500000000n'], ['500m', '500000000n'], ['1.5Gi', '1610612736'], ['100k', '100000'], ['-1', '-1'], ['-0', '0'], ['1E', '1000000000000000000'],
  ])('%s is %s', (written, canonical) => expect(canonicalQuantity(written)).toBe(canonical)) // prettier-ignore
  it('that are none equal only themselves', () => {
    for (const text of ['', 'many', '1 Gi', '.', '1KiB']) expect(canonicalQuantity(text)).toBe(text)
  })
  it('are stable', () => {
    fc.assert(
      fc.property(
        fc.nat(),
        fc.constantFrom('', 'm', 'k', 'Ki', 'Mi', 'G'),
        (n, suffix) => canonicalQuantity(canonicalQuantity(`${n}${suffix}`)) === canonicalQuantity(`${n}${suffix}`),
      ),
    )
  })
})
