/** One example of every kind that tenants and the platform get, how a document changes it and how people disturb it. */
import type { JsonObject } from '../../src/model/json.ts'

export interface Example {
  readonly driver?: string
  readonly kind: string
  readonly apiVersion: string
  readonly fields: (name: string) => JsonObject
  readonly labels?: JsonObject
  readonly changed: (fields: JsonObject) => JsonObject
  /** Merge patches by title: the path that must be named, and how it is repaired. */
  readonly patches: {
    readonly [title: string]: {
      readonly path: string
      readonly patch: JsonObject | readonly JsonObject[]
      readonly how?: 'update' | 'replace'
    }
  }
  readonly strangers?: (name: string) => JsonObject
}

const withSpec =
  (change: JsonObject) =>
  (manifest: JsonObject): JsonObject => ({ ...manifest, spec: { ...(manifest['spec'] as JsonObject), ...change } })
export const examples: readonly Example[] = [
  {
    kind: 'Namespace',
    apiVersion: 'v1',
    labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    fields: () => ({}),
    changed: (manifest) => ({
      ...manifest,
      metadata: { ...(manifest['metadata'] as JsonObject), annotations: { note: 'changed' } },
    }),
    patches: {
      'pod security weakened': {
        path: '/metadata/labels/pod-security.kubernetes.io~1enforce',
        patch: { metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } },
      },
      'a pod security label added': {
        path: '/metadata/labels/pod-security.kubernetes.io~1warn',
        patch: { metadata: { labels: { 'pod-security.kubernetes.io/warn': 'privileged' } } },
      },
      'an admission parameter added': {
        path: '/metadata/annotations/ringfence.dev~1allowed',
        patch: { metadata: { annotations: { 'ringfence.dev/allowed': 'everything' } } },
      },
    },
  },
  {
    kind: 'ResourceQuota',
    apiVersion: 'v1',
    fields: () => ({ spec: { hard: { 'requests.cpu': '1000m', 'limits.memory': '64Gi', pods: '10' } } }),
    changed: withSpec({ hard: { 'requests.cpu': '2', 'limits.memory': '64Gi', pods: '10' } }),
    patches: {
      'a quota raised': { path: '/spec/hard/pods', patch: { spec: { hard: { pods: '1000' } } } },
      'a quota taken off': { path: '/spec/hard/limits.memory', patch: { spec: { hard: { 'limits.memory': null } } } },
    },
  },
  {
    kind: 'LimitRange',
    apiVersion: 'v1',
    fields: () => ({
      spec: {
        limits: [
          {
            type: 'Container',
            default: { cpu: '500m', memory: '512Mi' },
            max: { cpu: '4', 'ephemeral-storage': '1Gi' },
          },
        ],
      },
    }),
    changed: withSpec({ limits: [{ type: 'Container', default: { cpu: '1', memory: '512Mi' } }] }),
    patches: { 'limits widened': { path: '/spec/limits', patch: { spec: { limits: [] } } } },
  },
  {
    kind: 'ServiceAccount',
    apiVersion: 'v1',
    fields: () => ({ automountServiceAccountToken: false }),
    changed: (manifest) => ({ ...manifest, automountServiceAccountToken: true }),
    patches: {
      'tokens mounted': { path: '/automountServiceAccountToken', patch: { automountServiceAccountToken: true } },
      'the field taken off': { path: '/automountServiceAccountToken', patch: { automountServiceAccountToken: null } },
      'a cloud identity slipped in': {
        path: '/metadata/annotations/eks.amazonaws.com~1role-arn',
        patch: { metadata: { annotations: { 'eks.amazonaws.com/role-arn': 'arn:aws:iam::1:role/admin' } } },
      },
    },
  },
  {
    kind: 'ConfigMap',
    apiVersion: 'v1',
    fields: () => ({ data: { a: '1' } }),
    changed: (manifest) => ({ ...manifest, data: { a: '2' } }),
    patches: {
      'a key added': { path: '/data/b', patch: { data: { b: '2' } } },
      'binary data added': { path: '/binaryData', patch: { binaryData: { c: 'AA==' } } },
    },
  },
  {
    kind: 'Role',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    fields: () => ({ rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get', 'list'] }] }),
    changed: (manifest) => ({ ...manifest, rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }] }),
    patches: {
      'a verb added': { path: '/rules', patch: { rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['*'] }] } },
      'rules emptied': { path: '/rules', patch: { rules: null } },
    },
  },
  {
    kind: 'RoleBinding',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    fields: () => ({
      roleRef: { kind: 'ClusterRole', name: 'view', apiGroup: 'rbac.authorization.k8s.io' },
      subjects: [
        { kind: 'User', name: 'ann' },
        { kind: 'ServiceAccount', name: 'sa', namespace: 'default' },
      ],
    }),
    changed: (manifest) => ({ ...manifest, subjects: [{ kind: 'User', name: 'bob' }] }),
    patches: {
      'a subject added': {
        path: '/subjects',
        patch: { subjects: [{ kind: 'Group', name: 'system:authenticated', apiGroup: 'rbac.authorization.k8s.io' }] },
      },
    },
  },
  {
    kind: 'ClusterRole',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    fields: () => ({ rules: [{ nonResourceURLs: ['/healthz'], verbs: ['get'] }] }),
    changed: (manifest) => ({ ...manifest, rules: [] }),
    patches: {
      'rules widened': { path: '/rules', patch: { rules: [{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] }] } },
      'aggregated into a built-in role': {
        path: '/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view',
        patch: { metadata: { labels: { 'rbac.authorization.k8s.io/aggregate-to-view': 'true' } } },
      },
      'an aggregation rule added': {
        path: '/aggregationRule',
        patch: { aggregationRule: { clusterRoleSelectors: [{ matchLabels: { never: 'there' } }] } },
      },
    },
  },
  {
    kind: 'ClusterRoleBinding',
    apiVersion: 'rbac.authorization.k8s.io/v1',
    fields: () => ({
      roleRef: { kind: 'ClusterRole', name: 'view', apiGroup: 'rbac.authorization.k8s.io' },
      subjects: [{ kind: 'Group', name: 'nobody-at-all' }],
    }),
    changed: (manifest) => ({ ...manifest, subjects: [] }),
    patches: {
      'a subject added': {
        path: '/subjects',
        patch: { subjects: [{ kind: 'User', name: 'mallory', apiGroup: 'rbac.authorization.k8s.io' }] },
      },
    },
  },
  {
    kind: 'NetworkPolicy',
    apiVersion: 'networking.k8s.io/v1',
    fields: () => ({
      spec: {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        egress: [
          {
            ports: [{ port: 53 }, { port: 53, protocol: 'UDP' }],
            to: [{ ipBlock: { cidr: '10.0.0.0/8', except: [] } }],
          },
        ],
      },
    }),
    changed: withSpec({ egress: [] }),
    patches: {
      'ingress opened to all': { path: '/spec/ingress', patch: { spec: { ingress: [{}] } } },
      'egress no longer fenced': { path: '/spec/policyTypes', patch: { spec: { policyTypes: ['Ingress'] } } },
      'pods left out': {
        path: '/spec/podSelector/matchLabels',
        patch: { spec: { podSelector: { matchLabels: { fenced: 'yes' } } } },
      },
    },
  },
  {
    kind: 'ValidatingAdmissionPolicy',
    apiVersion: 'admissionregistration.k8s.io/v1',
    fields: () => ({
      spec: {
        matchConstraints: {
          resourceRules: [
            {
              apiGroups: ['conformance.example.com'],
              apiVersions: ['*'],
              operations: ['CREATE'],
              resources: ['things'],
            },
          ],
        },
        validations: [{ expression: 'true', message: 'never' }],
      },
    }),
    changed: withSpec({ failurePolicy: 'Ignore' }),
    patches: {
      'no longer failing closed': { path: '/spec/failurePolicy', patch: { spec: { failurePolicy: 'Ignore' } } },
      'selector narrowed': {
        path: '/spec/matchConstraints/objectSelector',
        patch: { spec: { matchConstraints: { objectSelector: { matchLabels: { a: 'b' } } } } },
      },
    },
  },
  {
    kind: 'ValidatingAdmissionPolicyBinding',
    apiVersion: 'admissionregistration.k8s.io/v1',
    fields: () => ({ spec: { policyName: 'conformance-never-there', validationActions: ['Deny'] } }),
    changed: withSpec({ validationActions: ['Warn'] }),
    patches: {
      'only warned about': { path: '/spec/validationActions', patch: { spec: { validationActions: ['Warn'] } } },
      narrowed: {
        path: '/spec/matchResources',
        patch: { spec: { matchResources: { namespaceSelector: { matchLabels: { a: 'b' } } } } },
      },
    },
  },
  {
    kind: 'CustomResourceDefinition',
    apiVersion: 'apiextensions.k8s.io/v1',
    fields: (name) => ({
      spec: {
        group: name.slice('things.'.length),
        scope: 'Namespaced',
        names: { plural: 'things', kind: 'Thing' },
        versions: [
          {
            name: 'v1',
            served: true,
            storage: true,
            schema: {
              openAPIV3Schema: {
                type: 'object',
                properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
              },
            },
          },
        ],
      },
    }),
    changed: (manifest) => ({
      ...manifest,
      metadata: { ...(manifest['metadata'] as JsonObject), annotations: { note: 'changed' } },
    }),
    patches: {
      'schema changed': {
        path: '/spec/versions/0/schema',
        patch: [
          {
            op: 'replace',
            path: '/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/size/type',
            value: 'string',
          },
        ],
      },
    },
  },
]
