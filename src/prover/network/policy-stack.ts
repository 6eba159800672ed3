/**
 * Gathers every policy of given manifests, in the order in which they count. What is not understood, and the kinds
 * that are known by name only, come back as problems in words.
 */
import type { KubeObject } from '../../model/world.ts'
import type { PolicyStack } from './admin-evaluate.ts'
import { type AdminPolicy, parseAdminPolicy } from './admin-policy.ts'
import { foreignPolicies, type ForeignObject } from './foreign-kinds.ts'
import { parsePolicy, type Policy } from './policy.ts'

const adminKinds = new Set(['AdminNetworkPolicy', 'BaselineAdminNetworkPolicy'])
const isAdmin = ({ group, kind }: ForeignObject) => group === 'policy.networking.k8s.io' && adminKinds.has(kind)

export function readPolicies(objects: readonly KubeObject[]): {
  readonly stack: PolicyStack
  readonly problems: readonly string[]
} {
  const problems: string[] = []
  const foreign = foreignPolicies(objects)
  for (const { kind, namespace, name } of foreign.filter((one) => !isAdmin(one))) {
    problems.push(`${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}: not supported yet`)
  }
  const admin: AdminPolicy[] = []
  for (const { kind, name, object } of foreign.filter(isAdmin)) {
    const parsed = parseAdminPolicy(object)
    if ('policy' in parsed) admin.push(parsed.policy)
    else problems.push(`${kind} ${name}: ${parsed.problem} is not understood`)
  }
  const policies: Policy[] = []
  for (const object of objects) {
    if (object.kind !== 'NetworkPolicy' || !object.apiVersion.startsWith('networking.k8s.io/')) continue
    const parsed = parsePolicy(object)
    if ('policy' in parsed) policies.push(parsed.policy)
    else
      problems.push(
        `NetworkPolicy ${object.metadata.namespace ?? 'default'}/${object.metadata.name}: ${parsed.problem} is not understood`,
      )
  }
  return { stack: { ...ordered(admin, problems), policies }, problems }
}

/** Policies of equal priority are in no defined order, and there is only one baseline. */
function ordered(all: readonly AdminPolicy[], problems: string[]): Pick<PolicyStack, 'admin' | 'baseline'> {
  const [baseline, ...others] = all.filter((policy) => policy.priority === undefined)
  for (const { name } of others) problems.push(`BaselineAdminNetworkPolicy ${name}: there is more than one`)
  const admin = all
    .filter((policy) => policy.priority !== undefined)
    .sort((a, b) => (a.priority ?? 0) - (b.priority ?? 0))
  admin.forEach((policy, index) => {
    if (policy.priority === admin[index + 1]?.priority) {
      problems.push(
        `AdminNetworkPolicy ${policy.name}: has the same priority as ${admin[index + 1]?.name ?? 'another'}`,
      )
    }
  })
  return { admin, baseline }
}
