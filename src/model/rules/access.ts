/** Whom a tenant may let in: never the platform's people, another tenant's accounts, or a grant that cannot end. */
import type { Problem } from '../errors.ts'
import { excerpt } from '../printable.ts'
import { problemAt } from '../problems.ts'
import { foreignNamespaceProblem } from './context.ts'
import type { Admission } from './context.ts'

type Path = readonly (string | number)[]

export function accessProblems(admission: Admission): readonly Problem[] {
  const { roleBindings, directGrants, shared } = admission.document.spec.access
  const at = ['spec', 'access']
  return [
    ...roleBindings.flatMap((binding, index) => bindingProblems(admission, binding, [...at, 'roleBindings', index])),
    ...directGrants.flatMap((grant, index) => grantProblems(admission, grant, [...at, 'directGrants', index])),
    ...shared.flatMap((object, index) => sharedProblems(admission, object, [...at, 'shared', index])),
    ...ownerProblems(admission),
  ]
}

interface Binding {
  readonly groups: readonly string[]
  readonly serviceAccounts: readonly Account[]
}
interface Account {
  readonly namespace: string
  readonly name: string
}

function bindingProblems(admission: Admission, binding: Binding, path: Path): readonly Problem[] {
  if (binding.groups.length + binding.serviceAccounts.length === 0) {
    return [problemAt(path, 'binds nobody', 'name groups or serviceAccounts, or remove the binding')]
  }
  const groups = binding.groups.flatMap((group, index) => {
    const reason = identityProblem(admission, group, 'group') ?? boundElsewhere(admission, 'groups', group)
    return reason === undefined
      ? []
      : [problemAt([...path, 'groups', index], reason, 'name a group of this tenant only')]
  })
  const accounts = binding.serviceAccounts.flatMap((account, index) =>
    accountProblems(admission, account, [...path, 'serviceAccounts', index]),
  )
  return [...groups, ...accounts]
}

/** Kubernetes gives `system:` names their power by the name alone; ours are `ringfence:`. Compared without case. */
function identityProblem({ platform }: Admission, name: string, what: 'group' | 'user'): string | undefined {
  const shown = `"${excerpt(name)}"`
  const folded = name.normalize('NFKC').trim().toLowerCase()
  if (folded !== name.normalize('NFKC').toLowerCase()) return `is ${shown}, with spaces around it`
  if (folded.startsWith('system:')) return `is ${shown}, a ${what} that Kubernetes itself gives out`
  if (folded.startsWith('ringfence:')) return `is ${shown}, a ${what} of the control plane`
  const { breakGlassGroups, trusted } = platform.kubernetes
  const kept = [...breakGlassGroups, ...trusted].some((one) => one.toLowerCase() === folded)
  return kept ? `is ${shown}, which the platform trusts with all tenants` : undefined
}

function boundElsewhere({ others }: Admission, field: 'groups' | 'users', name: string): string | undefined {
  const holder = others.find((other) => other[field]?.some((one) => one.toLowerCase() === name.toLowerCase()))
  return holder === undefined ? undefined : `is "${excerpt(name)}", whose members tenant ${holder.name} lets in too`
}

function accountProblems(admission: Admission, account: Account, path: Path): readonly Problem[] {
  const shown = `${account.namespace}/${account.name}`
  const reason = foreignNamespaceProblem(admission, account.namespace)
  if (reason !== undefined) {
    const fix =
      'use an account of this tenant, or of a namespace that the platform document names (sharedNamespaces, reservedNames)'
    return [problemAt(path, `is ${shown}, and ${account.namespace} ${reason}`, fix)]
  }
  const trusted = admission.platform.kubernetes.trusted.includes(
    `system:serviceaccount:${account.namespace}:${account.name}`,
  )
  const holder = admission.others.find((other) =>
    other.serviceAccounts?.some((one) => one.namespace === account.namespace && one.name === account.name),
  )
  if (holder === undefined || trusted) return []
  const fix = `use an account of its own, or list system:serviceaccount:${account.namespace}:${account.name} under kubernetes.trusted of the platform`
  return [problemAt(path, `is ${shown}, which tenant ${holder.name} lets in too`, fix)]
}

interface Grant {
  readonly user: string
  readonly expires?: string | undefined
}

function grantProblems(admission: Admission, grant: Grant, path: Path): readonly Problem[] {
  const { platform } = admission
  if (platform.guards.forbidDirectGrants)
    return [problemAt(path, 'is a direct grant, which this platform forbids', 'use roleBindings with a group')]
  const problems: Problem[] = []
  const reason = identityProblem(admission, grant.user, 'user') ?? boundElsewhere(admission, 'users', grant.user)
  if (reason !== undefined) problems.push(problemAt([...path, 'user'], reason, 'name a person of this tenant only'))
  if (grant.expires === undefined || isKept(admission, grant)) return problems
  const endsMs = Date.parse(grant.expires)
  if (!(endsMs > (admission.nowMs ?? Date.now()))) {
    problems.push(
      problemAt(
        [...path, 'expires'],
        `is ${excerpt(grant.expires)}, which is past or no time`,
        'give a time that is still to come, or remove the grant',
      ),
    )
  }
  return problems
}

/** A grant that was stored before may run out in place, so that sending the same document again stays a no-op. */
const isKept = ({ existing }: Admission, grant: Grant): boolean =>
  existing?.spec.access.directGrants.some((one) => one.user === grant.user && one.expires === grant.expires) === true

interface SharedObject {
  readonly kind: string
  readonly apiGroup: string
  readonly namespace: string
  readonly name: string
}

function sharedProblems({ platform }: Admission, object: SharedObject, path: Path): readonly Problem[] {
  const problems: Problem[] = []
  const { sharedNamespaces } = platform.kubernetes
  if (!sharedNamespaces.includes(object.namespace)) {
    const known =
      sharedNamespaces.length === 0 ? 'this platform shares none' : `shared here: ${sharedNamespaces.join(', ')}`
    problems.push(
      problemAt([...path, 'namespace'], `is ${object.namespace}, not a namespace that the platform shares`, known),
    )
  }
  if (!/^[A-Z][A-Za-z0-9]{0,62}$/.test(object.kind))
    problems.push(problemAt([...path, 'kind'], 'is not a kind', 'write it as in manifests, such as ConfigMap'))
  if (object.kind.toLowerCase() === 'secret' && object.apiGroup === '') {
    problems.push(
      problemAt(
        [...path, 'kind'],
        'is Secret; credentials are never shared between tenants',
        'share a ConfigMap, or give the tenant a credential of its own',
      ),
    )
  }
  if (object.apiGroup !== '' && !/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/.test(object.apiGroup)) {
    problems.push(
      problemAt([...path, 'apiGroup'], 'is not an API group', 'write it as in apiVersion, without the version'),
    )
  }
  return problems
}

/** SPEC §4: the last owner cannot be removed. */
function ownerProblems({ document, existing }: Admission): readonly Problem[] {
  const owners = (access: typeof document.spec.access): boolean =>
    access.roleBindings.some((one) => one.role === 'owner') || access.directGrants.some((one) => one.role === 'owner')
  if (existing === undefined || !owners(existing.spec.access) || owners(document.spec.access)) return []
  return [problemAt(['spec', 'access'], 'removes the last owner', 'name another owner in the same change')]
}
