/** Who asks in the benchmark: the tenant's people by role, its neighbour, and somebody where no fence stands. */
import type { JsonObject } from '../../../src/model/json.ts'
import type { Role } from '../../../src/model/tenant.ts'
import type { FencedCluster } from '../../support/fenced-cluster.ts'
import type { Answer, Api } from '../../support/kubernetes-api.ts'

export interface People {
  readonly cluster: FencedCluster
  /** People of the tenant, by role, as a certificate with a bound group. */
  readonly people: { readonly [role in Role]: Api }
  readonly neighbour: Api
  /** cluster-admin in a namespace that is nobody's, with no fence around it: the positive control of refusals. */
  readonly free: Api
}

export const rbac = 'rbac.authorization.k8s.io'
export const dry = (path: string): string => `${path}?dryRun=All`
export const pods = (namespace: string): string => dry(`/api/v1/namespaces/${namespace}/pods`)
export const words = ({ status, message }: Answer) => ({ status, message })

/** Asks the server whether this identity may, as the server itself would decide. */
export async function may(api: Api, attributes: JsonObject): Promise<boolean> {
  const { body, status, message } = await api('POST', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: attributes },
  })
  if (status !== 201) throw new Error(`no review: ${status} ${message}`)
  const answer = body['status'] as { allowed: boolean; evaluationError?: string }
  if (answer.evaluationError !== undefined) throw new Error(answer.evaluationError)
  return answer.allowed
}
