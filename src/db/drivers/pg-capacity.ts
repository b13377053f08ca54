/** How many connections PostgreSQL allows the user of this session; a limit of -1 is none. */
export const PG_CAPACITY = `
select least(
  current_setting('max_connections')::int
    - current_setting('superuser_reserved_connections')::int
    - coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int,
  (select nullif(rolconnlimit, -1) from pg_catalog.pg_roles where rolname = session_user),
  (select nullif(datconnlimit, -1) from pg_catalog.pg_database where datname = current_database())
) as most`;

/** PgBouncer, Supavisor and Odyssey have texts of their own: they send codes that mean many things. */
const POOLER_IS_FULL =
  /no more connections allowed|max client connections reached|too many (tcp )?connections/i;

/** Whether a connect failed since PostgreSQL (SQLSTATE 53300), the role, the database or a pooler takes no more. */
export function isPostgresFull(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && error.code === '53300') || POOLER_IS_FULL.test(error.message);
}
