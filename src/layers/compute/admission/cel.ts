/**
 * Pieces that the admission policies are written with: CEL literals, who is exempt, and the shape of a policy and its
 * binding with every field explicit. Source of the shapes: admissionregistration.k8s.io/v1.
 */
import type { JsonObject } from '../../../model/json.ts'
import type { LayerContext } from '../../../model/layer.ts'
import { platformLabels, tenantLabel, type Manifest } from '../../manifest.ts'
import { engineServiceAccount, engineUser } from '../engine-rules.ts'

/** JSON's string syntax is a subset of CEL's. */
export const text = (value: string): string => JSON.stringify(value)
export const list = (values: readonly string[]): string => `[${values.map((value) => text(value)).join(', ')}]`

/** Users as whom the control plane works; `facts.kubernetes.user` is who the API server says that we are. */
export function engineUsers(context: LayerContext): readonly string[] {
  const inCluster = `system:serviceaccount:${context.platform.kubernetes.systemNamespace}:${engineServiceAccount}`
  const seen = context.facts.kubernetes?.user
  return [...new Set([engineUser, inCluster, ...(seen === undefined ? [] : [seen])])].toSorted()
}

/** Groups of people who may pass in an emergency. Kubernetes' own groups would exempt everyone. */
export const exemptGroups = (context: LayerContext): readonly string[] =>
  [...new Set(context.platform.kubernetes.breakGlassGroups)]
    .filter((group) => !group.startsWith('system:') && !group.includes('\n'))
    .toSorted()

/** Controllers of Kubernetes itself that clean up and count in tenants' namespaces. */
export const controllers: readonly string[] = [
  'system:apiserver',
  'system:kube-controller-manager',
  'system:serviceaccount:kube-system:generic-garbage-collector',
  'system:serviceaccount:kube-system:namespace-controller',
  'system:serviceaccount:kube-system:resourcequota-controller',
]

export const parametersName = 'ringfence-admission'

export interface Condition {
  readonly name: string
  readonly expression: string
}
export interface Validation {
  readonly expression: string
  readonly message: string
}
export interface ResourceRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly operations: readonly ('CREATE' | 'UPDATE' | 'DELETE')[]
}
export interface PolicyText {
  /** Ends the name of the policy, and is the key of its address. */
  readonly key: string
  /** Whether it guards objects in tenants' namespaces (with parameters), or objects of the cluster (without). */
  readonly scope: 'Namespaced' | 'Cluster'
  readonly rules: readonly ResourceRule[]
  readonly conditions: readonly Condition[]
  readonly variables: readonly Condition[]
  readonly validations: readonly Validation[]
}

const notExempt = (users: string, groups: string): Condition => ({
  name: 'not-exempt',
  expression: `!(request.userInfo.username in ${users}) && !(has(request.userInfo.groups) && request.userInfo.groups.exists(g, g in ${groups}))`,
})

/** Parameters may be gone while a namespace is made or ended, so what guards the cluster's own objects has none. */
const exemption = (policy: PolicyText, context: LayerContext): Condition =>
  policy.scope === 'Cluster'
    ? notExempt(list(engineUsers(context)), list(exemptGroups(context)))
    : notExempt(`params.data.users.split('\\n')`, `params.data.groups.split('\\n')`)

/** Exempt identities, read by all policies that guard tenants' namespaces. */
export const parameters = (context: LayerContext): Manifest => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: {
    name: parametersName,
    namespace: context.platform.kubernetes.systemNamespace,
    labels: platformLabels,
    annotations: {},
  },
  data: { users: engineUsers(context).join('\n'), groups: exemptGroups(context).join('\n') },
})

export const policyName = (key: string): string => `ringfence-${key}`

export function policyManifest(policy: PolicyText, context: LayerContext): Manifest {
  const inTenants: JsonObject = { matchExpressions: [{ key: tenantLabel, operator: 'Exists' }] }
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name: policyName(policy.key), labels: platformLabels, annotations: {} },
    spec: {
      failurePolicy: 'Fail',
      ...(policy.scope === 'Namespaced' ? { paramKind: { apiVersion: 'v1', kind: 'ConfigMap' } } : {}),
      matchConstraints: {
        matchPolicy: 'Equivalent',
        namespaceSelector: policy.scope === 'Namespaced' ? inTenants : {},
        objectSelector: {},
        resourceRules: policy.rules.map((rule) => ({ ...rule, apiVersions: ['*'], scope: policy.scope })),
      },
      matchConditions: [exemption(policy, context), ...policy.conditions].map((condition) => ({ ...condition })),
      variables: policy.variables.map((variable) => ({ ...variable })),
      validations: policy.validations.map((validation) => ({ ...validation, reason: 'Forbidden' })),
    },
  }
}

export const bindingManifest = (policy: PolicyText, context: LayerContext): Manifest => ({
  apiVersion: 'admissionregistration.k8s.io/v1',
  kind: 'ValidatingAdmissionPolicyBinding',
  metadata: { name: policyName(policy.key), labels: platformLabels, annotations: {} },
  spec: {
    policyName: policyName(policy.key),
    validationActions: ['Deny'],
    ...(policy.scope === 'Namespaced'
      ? {
          paramRef: {
            name: parametersName,
            namespace: context.platform.kubernetes.systemNamespace,
            parameterNotFoundAction: 'Deny',
          },
        }
      : {}),
  },
})

/** A list that the namespace carries (see parameters.ts); a namespace without it has an empty one. */
export const namespaceList = (name: string, annotation: string): Condition => ({
  name,
  expression:
    `has(namespaceObject.metadata.annotations) && ${text(annotation)} in namespaceObject.metadata.annotations ? ` +
    `namespaceObject.metadata.annotations[${text(annotation)}].split('\\n').filter(line, line != '') : []`,
})
