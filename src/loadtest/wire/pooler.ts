import { PgConnection } from '../../db/drivers/pg-connection.js';
import { SET_UP_MS } from '../workloads/prepare.js';
import type { OpenTarget } from '../workloads/sql-target.js';
import { WireError } from './errors.js';

/**
 * Refuses a pooler that hands the server's connections from one client to the next and does not follow prepared
 * statements: the server that gets an execution would not know the statement. A pooler that follows them gives them names
 * of its own on the server (PgBouncer: PGBOUNCER_1). Rejects with ERR_WIRE_POOLER.
 */
export async function refusePooler({ database, server }: OpenTarget, signal: AbortSignal): Promise<void> {
  const bouncer = server?.figures().pgbouncer ?? null;
  if (bouncer?.poolMode === 'session') return;
  using lease = await database.pool.acquire({ signal, timeoutMs: SET_UP_MS });
  const connection = lease.resource;
  if (!(connection instanceof PgConnection)) throw new Error('not a connection to PostgreSQL');
  if (!(await connection.namesReachServer(signal))) return;
  const version = bouncer?.version?.replace(/^PgBouncer /i, '');
  const what = bouncer === null ? 'the pooler' : `PgBouncer ${version ?? ''}`.trimEnd();
  const mode = bouncer?.poolMode ? ` in ${bouncer.poolMode} mode` : '';
  throw new WireError(
    'ERR_WIRE_POOLER',
    `${what}${mode} does not keep prepared statements, and --engine wire runs nothing else`,
    {
      hint:
        'Set max_prepared_statements in pgbouncer.ini (PgBouncer 1.21 or later), use session mode, or leave --engine wire ' +
        'out. poolctl reads the pool mode if its user is in admin_users or stats_users.',
    },
  );
}
