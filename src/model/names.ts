/**
 * Derived names: a pattern of the platform and a tenant give the external name of each thing, checked against the
 * rules of the product that it is for. A name is never shortened or altered to make it fit: it is refused.
 */
import type { Problem } from './errors.ts'
import type { PlatformSpec } from './platform.ts'
import { excerpt } from './printable.ts'
import { invalidDocument } from './problems.ts'
import type { TenantNames, TenantSpec } from './tenant.ts'

export const placeholders = ['name', 'slug', 'uid'] as const
type Placeholder = (typeof placeholders)[number]

interface NameRule {
  readonly valid: RegExp
  /** In bytes; every alphabet here is ASCII, so characters are bytes. */
  readonly longest: number
  readonly says: string
  /** The product's own names, never a tenant's. */
  readonly taken?: RegExp
  /** Lives inside a namespace of the tenant, so the pattern need not tell tenants apart. */
  readonly namespaced?: true
}

const label = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/
const subdomain = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/

/** One rule per kind of external name, with the source of the rule. */
export const nameRules = {
  /** Kubernetes: RFC 1123 label. */
  namespace: { valid: label, longest: 63, says: 'a DNS label of at most 63 characters', taken: /^(default|kube-.*)$/ },
  /** Kubernetes: RFC 1123 subdomain. */
  networkPolicy: { valid: subdomain, longest: 253, says: 'a DNS name of at most 253 characters', namespaced: true },
  /** PostgreSQL NAMEDATALEN - 1; lower case only, so that quoting never decides which one is meant. */
  database: {
    valid: /^[a-z][a-z0-9_-]*$/,
    longest: 63,
    says: 'at most 63 of a-z, 0-9, "_" and "-"',
    taken: /^(postgres|template[01])$/,
  },
  role: {
    valid: /^[a-z][a-z0-9_-]*$/,
    longest: 63,
    says: 'at most 63 of a-z, 0-9, "_" and "-"',
    taken: /^(postgres|public|none|pg_.*|current_role|current_user|session_user|rds.*|cloudsql.*|azure.*)$/,
  },
  /** S3 general purpose buckets: 3-63, no dots (they break TLS host names), none of Amazon's own prefixes. */
  bucket: {
    valid: /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/,
    longest: 63,
    says: '3-63 of a-z, 0-9 and "-"',
    taken: /^(xn--|sthree-|amzn-s3-demo-)|(-s3alias|--ol-s3)$/,
  },
  /** IAM, MinIO and OpenBao policies, Keycloak realms and scopes. */
  policy: {
    valid: /^[a-z0-9][a-z0-9._-]*$/,
    longest: 128,
    says: 'at most 128 of a-z, 0-9, ".", "_" and "-"',
    taken: /^(root|default|master)$/,
  },
  /** Object-store prefixes: whole segments, closed by a slash, so that no prefix begins another. */
  prefix: {
    valid: /^([a-z0-9][a-z0-9._-]*\/)+$/,
    longest: 512,
    says: 'segments of a-z, 0-9, ".", "_" and "-", each closed by "/"',
  },
  /** Secret-store paths in policies: a glob only as the whole last segment. */
  secretPath: {
    valid: /^([a-z0-9][a-z0-9._-]*\/)+\*?$/,
    longest: 512,
    says: 'segments closed by "/", "*" only at the end',
  },
} as const satisfies { readonly [kind: string]: NameRule }

export type NameKind = keyof typeof nameRules

/** What a pattern is filled with. `slug` is the tenant's name where the document gives none. */
export type NameValues = { readonly [placeholder in Placeholder]: string }

const token = /<([^<>]*)>/g

/** What is wrong with a pattern for names of this kind, whoever the tenant is; undefined when nothing is. */
export function patternProblem(
  pattern: string,
  kind: NameKind,
): { readonly reason: string; readonly fix: string } | undefined {
  const rule: NameRule = nameRules[kind]
  const used = [...pattern.matchAll(token)].map((match) => match[1] ?? '')
  const unknown = used.find((name) => !placeholders.some((known) => known === name))
  if (unknown !== undefined) {
    return { reason: `uses the unknown placeholder <${excerpt(unknown, 40)}>`, fix: 'use <name>, <slug> or <uid>' }
  }
  if (/[<>]/.test(pattern.replaceAll(token, '')))
    return { reason: 'has an unpaired "<" or ">"', fix: 'write placeholders as <name>' }
  if (used.length === 0 && rule.namespaced !== true) {
    return { reason: 'gives every tenant the same name', fix: 'use at least one of <name>, <slug>, <uid>' }
  }
  const shortest = fill(pattern, { name: 'aa', slug: 'a', uid: sampleUid })
  if (!rule.valid.test(shortest.length < 3 ? `${shortest}aa` : shortest) || shortest.length > rule.longest) {
    return { reason: `makes names such as "${excerpt(shortest)}"`, fix: `make names of ${rule.says}` }
  }
  return undefined
}

/** Stands for a uid that is not given out yet: as long as any, and no tenant's. */
export const sampleUid = 'a0000000-0000-4000-8000-000000000000'

const fill = (pattern: string, values: NameValues): string =>
  pattern.replaceAll(token, (whole, name: string) =>
    placeholders.some((known) => known === name) ? values[name as Placeholder] : whole,
  )

/** One name from one pattern. Throws `InvalidDocument` when the pattern is wrong or the name is not allowed. */
export function deriveName(pattern: string, kind: NameKind, values: NameValues): string {
  const wrong = patternProblem(pattern, kind)
  if (wrong !== undefined) throw invalidDocument('the name pattern', [{ path: '', ...wrong }])
  const name = fill(pattern, values)
  const problem = nameProblem(name, kind)
  if (problem !== undefined) throw invalidDocument('the derived name', [{ path: '/metadata/name', ...problem }])
  return name
}

/** What keeps a finished name from being used for this kind of thing. */
export function nameProblem(
  name: string,
  kind: NameKind,
): { readonly reason: string; readonly fix: string } | undefined {
  const rule: NameRule = nameRules[kind]
  if (Buffer.byteLength(name) > rule.longest) {
    return {
      reason: `gives a ${kind} name of ${Buffer.byteLength(name)} bytes, "${excerpt(name)}"`,
      fix: `choose a shorter name: ${rule.says}`,
    }
  }
  if (!rule.valid.test(name))
    return { reason: `gives the ${kind} name "${excerpt(name)}"`, fix: `choose another name: ${rule.says}` }
  if (rule.taken?.test(name) === true) {
    return {
      reason: `gives the ${kind} name "${excerpt(name)}", which the product itself uses`,
      fix: 'choose another name',
    }
  }
  return undefined
}

export interface NamedTenant {
  readonly name: string
  readonly slug: string
  readonly uid: string
  readonly spec: TenantSpec
}

/** What the platform's patterns and the document make of each name, and which of them may not be used. */
export function derivedNames(
  platform: PlatformSpec,
  tenant: NamedTenant,
): { readonly names: TenantNames; readonly problems: readonly Problem[] } {
  const problems: Problem[] = []
  const derive = (what: keyof TenantNames, kind: NameKind): string => {
    const name = fill(platform.names[what], tenant)
    const wrong = patternProblem(platform.names[what], kind) ?? nameProblem(name, kind)
    if (wrong !== undefined) {
      const path =
        platform.names[what].includes('<slug>') && tenant.slug !== tenant.name ? '/spec/slug' : '/metadata/name'
      problems.push({ path, ...wrong })
    }
    return name
  }
  const explicit = tenant.spec.compute.namespace.name
  const wrong = explicit === undefined ? undefined : nameProblem(explicit, 'namespace')
  if (wrong !== undefined) problems.push({ path: '/spec/compute/namespace/name', ...wrong })
  const names: TenantNames = {
    namespace: explicit ?? derive('namespace', 'namespace'),
    database: derive('database', 'database'),
    databaseOwner: derive('databaseOwner', 'role'),
    databaseLogin: derive('databaseLogin', 'role'),
    networkPolicy: derive('networkPolicy', 'networkPolicy'),
  }
  if (names.databaseOwner === names.databaseLogin) {
    problems.push({
      path: '/metadata/name',
      reason: 'gives the database owner and its login one name',
      fix: 'give the platform two different patterns',
    })
  }
  return { names, problems }
}

/**
 * The external names of a tenant. Called once, when it is created: they are locked from then on, whatever slug or
 * pattern changes later. Throws `InvalidDocument` when one of them may not be used.
 */
export function resolveNames(platform: PlatformSpec, tenant: NamedTenant): TenantNames {
  const { names, problems } = derivedNames(platform, tenant)
  if (problems.length > 0) throw invalidDocument(`the tenant document of ${tenant.name}`, problems)
  return names
}

/** One entry of the name registry: unique over all tenants and over all time. */
export interface NameClaim {
  /** Where the name must be unique: `kubernetes/Namespace`, `postgres/Role`. */
  readonly space: string
  readonly name: string
}

/**
 * What a tenant holds in the registry. Owner and login share one space, as roles do on a server. Names are folded to
 * lower case, so that spaces in which the product ignores case cannot be entered twice. The policy's name is not
 * claimed: it lives inside the claimed namespace. `databases: false` for a tenant without one.
 */
export function claimsOf(names: TenantNames, options: { readonly databases?: boolean } = {}): readonly NameClaim[] {
  const claims: NameClaim[] = [{ space: 'kubernetes/Namespace', name: names.namespace }]
  if (options.databases !== false) {
    claims.push(
      { space: 'postgres/Database', name: names.database },
      { space: 'postgres/Role', name: names.databaseOwner },
      { space: 'postgres/Role', name: names.databaseLogin },
    )
  }
  return claims.map((claim) => ({ space: claim.space, name: claim.name.toLowerCase() }))
}

/** The slug of a tenant: its own, or its name. */
export const slugOf = (document: { readonly name: string; readonly spec: TenantSpec }): string =>
  document.spec.slug ?? document.name

/** Whether a namespace of this name is what the pattern makes for some tenant, existing or not. */
export function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .split(/(<name>|<slug>|<uid>)/)
    .map((part) => (/^<(name|slug|uid)>$/.test(part) ? '[a-z0-9-]+' : part.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')))
    .join('')
  return new RegExp(`^${source}$`).test(name)
}

/** Whether the pattern is more than placeholders: only then does a name tell by itself that it is a tenant's. */
export const hasLiteral = (pattern: string): boolean =>
  pattern.replaceAll(token, '').replaceAll(/[^a-z0-9]/g, '') !== ''
