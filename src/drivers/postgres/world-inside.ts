/**
 * Every object of one database that carries an owner and an access list (manual, 5.8 and `pg_depend`), for the prover.
 * Objects of the system schemas are listed only where their owner or list is no longer what initdb made (`pg_init_privs`).
 */
import type { PgInside, PgObject } from '../../model/world.ts'
import type { Session } from './connection.ts'

interface ObjectQuery {
  readonly type: string
  readonly catalog: string
  readonly prefix: string
  readonly acl: string | null
  /** SQL of the name; functions carry their argument types. */
  readonly name: string
  readonly schema: string | null
  readonly extra?: string
  readonly filter?: string
  /** Objects that are listed although they are as initdb made them. */
  readonly always?: string
}

const queries: readonly ObjectQuery[] = [
  {
    type: 'schema',
    catalog: 'pg_namespace',
    prefix: 'nsp',
    acl: 'nspacl',
    name: 'o.nspname',
    schema: null,
    filter: `o.nspname !~ '^pg_(toast|temp)'`,
    always: `o.nspname = 'public'`,
  },
  {
    type: 'table',
    catalog: 'pg_class',
    prefix: 'rel',
    acl: 'relacl',
    name: 'o.relname',
    schema: 'o.relnamespace',
    filter: `o.relkind IN ('r', 'p', 'f', 'v', 'm')`,
  },
  {
    type: 'sequence',
    catalog: 'pg_class',
    prefix: 'rel',
    acl: 'relacl',
    name: 'o.relname',
    schema: 'o.relnamespace',
    filter: `o.relkind = 'S'`,
  },
  {
    type: 'function',
    catalog: 'pg_proc',
    prefix: 'pro',
    acl: 'proacl',
    name: `o.proname || '(' || pg_get_function_identity_arguments(o.oid) || ')'`,
    schema: 'o.pronamespace',
    extra: `o.prosecdef AS "securityDefiner", (SELECT l.lanname::text FROM pg_language l WHERE l.oid = o.prolang) AS language`,
  },
  {
    type: 'type',
    catalog: 'pg_type',
    prefix: 'typ',
    acl: 'typacl',
    name: 'o.typname',
    schema: 'o.typnamespace',
    filter: `o.typelem = 0 AND (o.typrelid = 0 OR EXISTS (SELECT 1 FROM pg_class c WHERE c.oid = o.typrelid AND c.relkind = 'c'))`,
  },
  {
    type: 'language',
    catalog: 'pg_language',
    prefix: 'lan',
    acl: 'lanacl',
    name: `o.lanname || CASE WHEN o.lanpltrusted THEN '' ELSE ' (untrusted)' END`,
    schema: null,
    always: 'true',
  },
  {
    type: 'foreign data wrapper',
    catalog: 'pg_foreign_data_wrapper',
    prefix: 'fdw',
    acl: 'fdwacl',
    name: 'o.fdwname',
    schema: null,
  },
  {
    type: 'foreign server',
    catalog: 'pg_foreign_server',
    prefix: 'srv',
    acl: 'srvacl',
    name: 'o.srvname',
    schema: null,
  },
  {
    type: 'large object',
    catalog: 'pg_largeobject_metadata',
    prefix: 'lom',
    acl: 'lomacl',
    name: 'o.oid',
    schema: null,
  },
  { type: 'publication', catalog: 'pg_publication', prefix: 'pub', acl: null, name: 'o.pubname', schema: null },
  { type: 'event trigger', catalog: 'pg_event_trigger', prefix: 'evt', acl: null, name: 'o.evtname', schema: null },
]
const ownerColumn: { readonly [catalog: string]: string } = {
  pg_proc: 'proowner', pg_language: 'lanowner', pg_namespace: 'nspowner', pg_class: 'relowner', pg_type: 'typowner',
  pg_foreign_data_wrapper: 'fdwowner', pg_foreign_server: 'srvowner', pg_largeobject_metadata: 'lomowner', pg_publication: 'pubowner', pg_event_trigger: 'evtowner',
} // prettier-ignore

/** Objects below this oid were made by initdb (`FirstNormalObjectId`). */
const firstNormal = 16_384

const noExtra = 'NULL::boolean AS "securityDefiner", NULL::text AS language'

function objectSql(query: ObjectQuery): string {
  const owner = `o.${ownerColumn[query.catalog]}`
  const acl = query.acl === null ? 'NULL::text[]' : `o.${query.acl}::text[]`
  const initial = `i.initprivs::text[]`
  // The bootstrap superuser has oid 10; pg_database_owner (6171) owns schema public from 15 on.
  // initdb makes the information schema after it has noted the first lists: PUBLIC reads it, and that is all.
  const standard =
    query.schema === null
      ? "o.oid = to_regnamespace('information_schema')"
      : `${query.schema} = to_regnamespace('information_schema')`
  const widened = `EXISTS (SELECT 1 FROM aclexplode(o.${query.acl}) x WHERE x.grantee NOT IN (0, ${owner}) OR (x.grantee = 0 AND x.privilege_type NOT IN ('SELECT', 'USAGE')))`
  const differs = `coalesce(o.${query.acl}::text, '') IS DISTINCT FROM coalesce(i.initprivs::text, '')`
  const changed =
    query.acl === null ? 'false' : `CASE WHEN i.objoid IS NULL AND ${standard} THEN ${widened} ELSE ${differs} END`
  return `SELECT '${query.type}' AS type, ${query.schema === null ? 'NULL::text' : `${query.schema}::regnamespace::text`} AS schema,
      (${query.name})::text AS name, pg_get_userbyid(${owner})::text AS owner, ${acl} AS acl, ${changed} AS changed, ${initial} AS initial,
      o.oid < ${firstNormal} AS system, ${query.extra ?? noExtra}
    FROM ${query.catalog} o LEFT JOIN pg_init_privs i ON i.objoid = o.oid AND i.classoid = '${query.catalog}'::regclass AND i.objsubid = 0
    WHERE ${query.filter ?? 'true'} AND (o.oid >= ${firstNormal} OR ${owner} NOT IN (10, 6171) OR ${changed} OR ${query.always ?? 'false'})`
}

type ObjectRow = PgObject & {
  readonly changed: boolean
  readonly system: boolean
  readonly initial: readonly string[] | null
}

/** Privileges on columns; what initdb gave there is told apart as it is for whole objects. */
const columnSql = `SELECT 'column' AS type, c.relnamespace::regnamespace::text AS schema, c.relname || '.' || a.attname AS name, pg_get_userbyid(c.relowner)::text AS owner,
    a.attacl::text[] AS acl, true AS changed, i.initprivs::text[] AS initial, c.oid < ${firstNormal} AS system, ${noExtra}
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_init_privs i ON i.objoid = c.oid AND i.classoid = 'pg_class'::regclass AND i.objsubid = a.attnum
  WHERE a.attacl IS NOT NULL AND a.attacl::text IS DISTINCT FROM coalesce(i.initprivs::text, '')`

const withoutList = `NULL::text[] AS acl, false AS changed, NULL::text[] AS initial, false AS system, ${noExtra}`

/** A user mapping has no list; whoever it is for may use it together with its server. PUBLIC is the empty name. */
const mappingSql = `SELECT 'user mapping' AS type, NULL::text AS schema, srvname::text AS name,
    CASE WHEN umuser = 0 THEN '' ELSE usename::text END AS owner, ${withoutList} FROM pg_user_mappings`

/** `subconninfo` may hold a password and is not read. */
const subscriptionSql = `SELECT 'subscription' AS type, NULL::text AS schema, subname::text AS name, pg_get_userbyid(subowner)::text AS owner,
    ${withoutList} FROM pg_subscription WHERE subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())`

/** One statement for all kinds: a database is looked into by every proof, and each question would be a round trip. */
const everything = [...queries.map(objectSql), columnSql, mappingSql, subscriptionSql].join('\nUNION ALL ')

/** One database, in the caller's transaction. */
export async function readObjects(session: Session, readAtMs: number): Promise<PgInside> {
  const rows = await session.query<ObjectRow>(everything)
  const defaultPrivileges = await session.query<PgInside['defaultPrivileges'][number]>(
    `SELECT pg_get_userbyid(defaclrole)::text AS role, n.nspname::text AS schema, defaclobjtype::text AS "objectType", defaclacl::text[] AS acl
     FROM pg_default_acl a LEFT JOIN pg_namespace n ON n.oid = a.defaclnamespace ORDER BY 1, 2, 3`,
  )
  const extensions = await session.query<{ name: string }>('SELECT extname::text AS name FROM pg_extension ORDER BY 1')
  return {
    readAtMs,
    objects: rows.map(objectOf),
    defaultPrivileges,
    extensions: extensions.map(({ name }) => name),
  }
}

function objectOf(row: ObjectRow): PgObject {
  const { type, schema, name, owner, acl, changed, system, initial } = row
  return {
    type,
    schema: schema?.replaceAll(/^"|"$/g, '').replaceAll('""', '"') ?? null,
    name,
    owner,
    acl,
    ...(changed && (system || initial !== null) ? { initial } : {}),
    ...(type === 'function'
      ? {
          securityDefiner: row.securityDefiner === true,
          ...(row.language === undefined || row.language === null ? {} : { language: row.language }),
        }
      : {}),
  }
}

export const readTablespaces = (session: Session): Promise<readonly PgObject[]> =>
  session.query<PgObject>(
    `SELECT 'tablespace' AS type, NULL::text AS schema, spcname::text AS name, pg_get_userbyid(spcowner)::text AS owner, spcacl::text[] AS acl FROM pg_tablespace`,
  )

/** Parameters that somebody was allowed to set (15 and later); the bootstrap superuser owns them. */
export const readParameters = (session: Session): Promise<readonly PgObject[]> =>
  session.query<PgObject>(
    `SELECT 'parameter' AS type, NULL::text AS schema, parname AS name, pg_get_userbyid(10)::text AS owner, paracl::text[] AS acl FROM pg_parameter_acl`,
  )
