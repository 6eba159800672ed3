/**
 * What the prover judges: a snapshot of what the backends say, or what files say, or what a plan would make of it.
 * Objects are as the backend gave them; nothing here interprets them. What could not be read is part of the snapshot.
 */
import type { JsonObject } from './json.ts'

/** A Kubernetes object as the API server or a manifest gives it. */
export interface KubeObject {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly uid?: string
    readonly labels?: { readonly [key: string]: string }
    readonly annotations?: { readonly [key: string]: string }
    readonly [other: string]: unknown
  }
  readonly [field: string]: unknown
}

/** Something that was there to be read and was not, by name: a kind, a file, a catalog. Makes verdicts `undecided`. */
export interface Unreadable {
  /** `kubernetes` | `postgres` | `file` … */
  readonly product: string
  readonly what: string
  readonly why: string
  /** The tenant it is about; undefined when it may concern all. */
  readonly tenant?: string
}

/** Who and what belongs to one tenant. Live: from the registry and inventory; files: from the namespace label. */
export interface TenantBoundary {
  readonly name: string
  readonly namespaces: readonly string[]
  /** Subjects that the tenant document binds from outside its namespaces; acting as them is acting as the tenant. */
  readonly subjects: readonly {
    readonly kind: 'User' | 'Group' | 'ServiceAccount'
    readonly name: string
    readonly namespace?: string
  }[]
  readonly databases: readonly {
    readonly server: string
    readonly database: string
    readonly owner: string
    readonly login: string
  }[]
  /** Platform-owned objects that the document shares with this tenant, read-only. */
  readonly shared: readonly {
    readonly apiGroup: string
    readonly kind: string
    readonly namespace: string
    readonly name: string
  }[]
  /** Address ranges and ports that the tenant's document or the platform opens outwards (backends, allowTo). */
  readonly openings?: readonly JsonObject[]
}

export interface KubernetesWorld {
  readonly objects: readonly KubeObject[]
  /** Kinds (`group/Kind`, core as `/Kind`) that were listed completely. What is not here was not looked at. */
  readonly kinds: readonly string[]
  /** Pod, service and node ranges of the cluster, where known. */
  readonly ranges: readonly string[]
  /** Namespaces whose pods every tenant may reach, and the pods that may enter (from the platform document). */
  readonly sharedNamespaces: readonly string[]
  readonly systemNamespace?: string
  /** The namespace label whose value names the tenant; `ringfence.dev/tenant` when absent. */
  readonly tenantLabel?: string
}

/** The catalogs of one PostgreSQL server, as far as isolation needs them. Rows as read; oids as strings. */
export interface PostgresWorld {
  readonly server: string
  readonly version: number
  readonly roles: readonly PgRole[]
  readonly memberships: readonly PgMembership[]
  readonly databases: readonly PgDatabase[]
  readonly unreadable: readonly Unreadable[]
  /** True where the server lets us read pg_authid. */
  readonly sslOnly?: boolean
  /** Where clients reach it, for the commands of counterexamples. */
  readonly endpoint?: { readonly host: string; readonly port: number }
}
export interface PgRole {
  readonly oid: string
  readonly name: string
  readonly superuser: boolean
  readonly createRole: boolean
  readonly createDb: boolean
  readonly replication: boolean
  readonly bypassRls: boolean
  readonly login: boolean
  readonly inherit: boolean
  readonly connectionLimit: number
  readonly config: readonly string[]
}
export interface PgMembership {
  readonly role: string
  readonly member: string
  readonly admin: boolean
  readonly inherit: boolean
  readonly set: boolean
}
export interface PgDatabase {
  readonly oid: string
  readonly name: string
  readonly owner: string
  readonly allowConnections: boolean
  readonly isTemplate: boolean
  /** aclitem list as `grantee=privileges/grantor`; null means the built-in default. */
  readonly acl: readonly string[] | null
  /** What is inside, where it was read; absent for databases that no claim needs. */
  readonly inside?: PgInside
}
export interface PgInside {
  readonly readAtMs: number
  /** Every object with an owner and an acl: schemas, tables, sequences, functions, types, languages, fdw, large objects … */
  readonly objects: readonly PgObject[]
  readonly defaultPrivileges: readonly {
    readonly role: string
    readonly schema: string | null
    readonly objectType: string
    readonly acl: readonly string[]
  }[]
  readonly extensions: readonly string[]
}
export interface PgObject {
  readonly type: string
  readonly schema: string | null
  readonly name: string
  readonly owner: string
  readonly acl: readonly string[] | null
  /** What initdb or an extension gave, where `acl` is another list; null is the built-in default of the type. */
  readonly initial?: readonly string[] | null
  /** Functions only. */
  readonly securityDefiner?: boolean
  readonly language?: string
}

/**
 * An object that fences and that the platform states: whether it stands as stated. What the other logics call an
 * assumption (admission keeps tenants within their fences) rests on these.
 */
export interface FenceState {
  /** Absent for the platform's own fences, on which every tenant stands. */
  readonly tenant?: string
  readonly kind: string
  readonly name: string
  readonly status: 'stands' | 'missing' | 'differs' | 'unreadable'
  /** RFC 6901 paths that differ, or why it could not be read. */
  readonly detail?: string
}

export interface World {
  readonly source: 'live' | 'manifests' | 'planned'
  /** ISO 8601 instants between which it was read. */
  readonly observed: readonly [from: string, to: string]
  readonly tenants: readonly TenantBoundary[]
  readonly kubernetes?: KubernetesWorld
  readonly postgres?: readonly PostgresWorld[]
  readonly unreadable: readonly Unreadable[]
  /** Users and groups that are trusted with everything; printed as an assumption. */
  readonly trusted: readonly {
    readonly kind: 'User' | 'Group' | 'ServiceAccount'
    readonly name: string
    readonly namespace?: string
  }[]
  /** Only where the platform's statement is known: live and planned worlds. */
  readonly fences?: readonly FenceState[]
  /** The login roles trusted with the database servers. */
  readonly trustedRoles: readonly string[]
}
