/** How many connections MySQL and MariaDB allow the account of this session. */
export const MYSQL_CAPACITY =
  'select least(@@max_connections, if(@@max_user_connections > 0, @@max_user_connections, @@max_connections)) as most';

const FULL: ReadonlySet<unknown> = new Set([
  'ER_CON_COUNT_ERROR',
  'ER_TOO_MANY_USER_CONNECTIONS',
  'ER_USER_LIMIT_REACHED',
]);

/** Whether a connect failed since the server, or the account, has no connection left. */
export function isMysqlFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && FULL.has(error.code);
}
