/**
 * Extensions of the PostgreSQL distribution whose objects lead nowhere outside their database, or whose way out is a
 * grant that is judged by itself (a foreign data wrapper gives PUBLIC nothing, adminpack's functions neither). Everything
 * else is undecided by name, because a function in C can do anything.
 */
export const harmlessExtensions: ReadonlySet<string> = new Set([
  'plpgsql', 'amcheck', 'bloom', 'bool_plperl', 'btree_gin', 'btree_gist', 'citext', 'cube', 'dict_int', 'dict_xsyn', 'earthdistance',
  'fuzzystrmatch', 'hstore', 'intarray', 'isn', 'lo', 'ltree', 'pg_stat_statements', 'pg_trgm', 'pgcrypto', 'pgrowlocks', 'plperl',
  'pltcl', 'seg', 'tablefunc', 'tcn', 'tsm_system_rows', 'tsm_system_time', 'unaccent', 'uuid-ossp', 'vector',
  'postgres_fdw', 'file_fdw', 'adminpack', 'plpython3u', 'plperlu', 'pltclu',
]) // prettier-ignore
