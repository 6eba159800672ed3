/** What the RBAC claims stand on and do not examine, in sentences that are printed with every proof. */
import type { World } from '../../model/world.ts'
import { shellQuote } from '../logic.ts'
import type { Profile } from './profile.ts'

const naming = (subject: World['trusted'][number]): string =>
  `${subject.kind} ${shellQuote(subject.namespace === undefined ? subject.name : `${subject.namespace}/${subject.name}`)}`

/** `tenantProfiles`: the roles that tenants hold in their own namespaces. */
export function assumptionsOf(world: World, tenantProfiles: Iterable<Profile>): readonly string[] {
  const system = world.kubernetes?.systemNamespace
  const platform = ['kube-system', ...(system === undefined ? [] : [system])].join(' and ')
  const general = [
    'the API server authorises by RBAC and the node authorizer alone',
    `nobody but Kubernetes signs in under its own user and group names, and the ServiceAccounts of ${platform} are the platform's`,
    'the container boundary and the kubelet hold, and pod security is enforced without exemptions',
    'storage, ingress, priority and runtime classes, CRDs and API services may be read by all',
  ]
  const trusted =
    world.trusted.length === 0
      ? []
      : [`trusted with the whole cluster: ${world.trusted.map((subject) => naming(subject)).join(', ')}`]
  const files =
    world.source === 'manifests'
      ? [
          'beside the files the cluster holds only what Kubernetes itself creates',
          "users and groups that are bound in a tenant's namespaces are that tenant's",
        ]
      : []
  return [...general, ...trusted, ...files, ...held([...tenantProfiles])]
}

/** What tenants may do at home that only admission, or an operator, keeps at home. */
function held(profiles: readonly Profile[]): readonly string[] {
  const rules = new Set(profiles.flatMap((profile) => profile.inNamespace.map((match) => match.rule)))
  const deputies = [...new Set(profiles.flatMap((profile) => profile.deputies))].toSorted()
  const everything = rules.has('everything')
  return [
    ...(everything || rules.has('networkpolicies.write')
      ? ["admission keeps tenants' own network policies within their fences"]
      : []),
    ...(everything || rules.has('rolebindings.write')
      ? ["admission keeps tenants' own role bindings to their own subjects"]
      : []),
    ...(everything || rules.has('services.write') ? ["admission refuses externalIPs in tenants' Services"] : []),
    ...(deputies.length === 0
      ? []
      : [
          `operators of custom resources act for a tenant in its own namespaces only: ${deputies.map((group) => (group === '*' ? 'any API group' : group)).join(', ')}`,
        ]),
  ]
}
