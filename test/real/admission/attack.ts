/**
 * An attack on the fences is one request that admission must refuse, asked as an identity that RBAC refuses nothing.
 * All are dry runs: what would be admitted leaves nothing behind.
 */
import type { JsonObject } from '../../../src/model/json.ts'
import { collectionOf, type Api } from '../../support/kubernetes-api.ts'

export interface Attack {
  /** Completes "nobody can …". */
  readonly what: string
  readonly policy: string
  /** Words of the rule that must refuse it. */
  readonly says: string
  readonly method: Parameters<Api>[0]
  readonly path: string
  readonly body?: JsonObject | readonly JsonObject[]
  /** Words of the fence that stands behind the policy, where there is one: it refuses when the policy is gone. */
  readonly behind?: string
}

export const rbac = 'rbac.authorization.k8s.io'
export const networking = 'networking.k8s.io/v1'

/** The namespace under attack, and names of what the test has put into it. */
export const target = { namespace: 'ringfence-acme', other: 'ringfence-globex' } as const
export const ns = `/api/v1/namespaces/${target.namespace}`

export type Made = readonly [apiVersion: string, kind: string, rest: JsonObject]
export const object = ([apiVersion, kind, rest]: Made, name = 'attack'): JsonObject => ({
  apiVersion,
  kind,
  metadata: { name },
  ...rest,
})
export const at = (apiVersion: string, kind: string, name?: string): string =>
  `${collectionOf(apiVersion, kind, target.namespace)}${name === undefined ? '' : `/${name}`}?dryRun=All`

export const make = (policy: string, says: string, what: string, made: Made): Attack => ({
  what,
  policy,
  says,
  method: 'POST',
  path: at(made[0], made[1]),
  body: object(made),
})
export const change = (
  policy: string,
  says: string,
  what: string,
  kind: readonly [string, string, string],
  body: JsonObject,
): Attack => ({
  what,
  policy,
  says,
  method: 'PATCH',
  path: at(...kind),
  body,
})
export const remove = (
  policy: string,
  says: string,
  what: string,
  kind: readonly [string, string, string],
): Attack => ({
  what,
  policy,
  says,
  method: 'DELETE',
  path: at(...kind),
})

export const roleRef = { apiGroup: rbac, kind: 'ClusterRole', name: 'ringfence-viewer' }
export const binding = (subject: JsonObject, ref: JsonObject = roleRef): Made => [
  `${rbac}/v1`,
  'RoleBinding',
  { roleRef: ref, subjects: [subject] },
]
export const ownAccount = { kind: 'ServiceAccount', name: 'default', namespace: target.namespace }
export const group = (name: string): JsonObject => ({ kind: 'Group', apiGroup: rbac, name })
