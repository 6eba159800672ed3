/** What the rules for a tenant document are judged against, and the questions that several of them ask. */
import type { Facts } from '../layer.ts'
import { hasLiteral, matchesPattern } from '../names.ts'
import type { PlatformSpec } from '../platform.ts'
import type { Tenant, TenantDocument } from '../tenant.ts'

/** As much of another tenant as the rules need; those being removed included, until they are gone. */
export interface OtherTenant {
  readonly name: string
  readonly parent?: string
  readonly slug?: string
  readonly domain?: string
  /** Its namespaces, by their locked names. */
  readonly namespaces: readonly string[]
  /** Groups, users and foreign service accounts that its document binds. */
  readonly groups?: readonly string[]
  readonly users?: readonly string[]
  readonly serviceAccounts?: readonly { readonly namespace: string; readonly name: string }[]
}

export interface AdmissionContext {
  readonly platform: PlatformSpec
  /** What was observed about the servers, where it is known. */
  readonly facts?: Facts
  /** Every tenant but the one that the document names. */
  readonly others: readonly OtherTenant[]
  /** The tenant as it is, when the document changes one. */
  readonly existing?: Tenant
  /** For expiries; the present by default. */
  readonly nowMs?: number
}

/** Everything a rule may look at. */
export interface Admission extends AdmissionContext {
  readonly document: TenantDocument
  /** The tenant's namespace, locked or as it would be derived. */
  readonly namespace: string
}

/** Kubernetes' own namespaces. */
export const isKubernetesNamespace = (name: string): boolean => name === 'default' || name.startsWith('kube-')

/** Namespaces that the platform document names: what tenants may speak of, and never own. */
export const platformNamespaces = (platform: PlatformSpec): ReadonlySet<string> => {
  const { sharedNamespaces, services, gateway, monitoring } = platform.kubernetes
  const pods = [...services, gateway, monitoring].flatMap((entry) => (entry === undefined ? [] : [entry.namespace]))
  return new Set([...sharedNamespaces, ...pods])
}

/** The tenant that holds a namespace of this name, if there is one. */
export const holderOf = (context: AdmissionContext, namespace: string): string | undefined =>
  context.others.find((other) => other.namespaces.includes(namespace))?.name

/**
 * Why a namespace outside the tenant may not be named as somebody's home, or undefined when it may. A name that the
 * pattern makes for tenants counts as a tenant's even before that tenant exists: otherwise a rule written today
 * would let tomorrow's tenant in.
 */
export function foreignNamespaceProblem(admission: Admission, namespace: string): string | undefined {
  const { platform } = admission
  if (namespace === admission.namespace) return undefined
  const holder = holderOf(admission, namespace)
  if (holder !== undefined) return `is a namespace of tenant ${holder}`
  if (namespace === platform.kubernetes.systemNamespace)
    return "is the control plane's own namespace, where every tenant's role accounts live"
  if (platformNamespaces(platform).has(namespace) || platform.reservedNames.includes(namespace)) return undefined
  if (isKubernetesNamespace(namespace)) return "is Kubernetes' own namespace"
  if (hasLiteral(platform.names.namespace) && !matchesPattern(platform.names.namespace, namespace)) return undefined
  return 'is a name that the platform gives to tenants'
}
