import { formatDuration } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, isOfConnections, setOption } from '../pools.js';
import { settingMs } from '../postgres-settings.js';
import type { Check, CheckContext, Fix, FixStep } from '../types.js';

/** Most callers of an HTTP service give up by then. */
const LONGEST_MS = 30_000;
const WANTED_MS = 10_000;

export const poolAcquireTimeout: Check = {
  id: 'pool-acquire-timeout',
  title: 'an acquire times out, and does so before its caller',
  needs: ['pool'],
  uses: ['postgres', 'settings'],
  why:
    'Without a limit, an empty pool makes every request hang forever, and nothing is logged. With a limit ' +
    'longer than the caller waits, the work is done for nobody.',
  details:
    'Fails if an acquire waits forever, the default of pg.Pool and generic-pool. Warns above ' +
    `${formatDuration(LONGEST_MS)}, when most callers have given up. Also warns if the limit is longer than ` +
    "a statement may take. That time is the pool's own statement or query timeout, --statement-timeout, or " +
    'statement_timeout of a single PostgreSQL target. mysql2 has no such limit and is skipped.',
  run: forEachPool(judge, 'no pool reports it'),
};

function judge(pool: PoolReading, { targets }: CheckContext): Finding | null {
  const limit = pool.setup?.acquireTimeoutMs ?? null;
  if (limit === null || !isOfConnections(pool)) return null;
  const own = pool.setup?.statementTimeoutMs ?? targets.settings?.statementTimeoutMs ?? null;
  const statement = own === null ? serverLimit(pool, targets) : own === 'never' ? null : own;
  const wanted = statement === null ? WANTED_MS : Math.min(WANTED_MS, statement);
  // mysql2 has no such option: there is nothing to be repaired by setting one.
  const step = setOption(pool, 'acquireTimeoutMs', wanted);
  if (step === null) return null;
  const fix = fixWith(step);
  if (limit === 'never') return fail('an acquire waits forever', [], fix);
  const summary = `an acquire waits up to ${formatDuration(limit)}`;
  if (limit > LONGEST_MS) return warn(`${summary}; most callers give up earlier`, [], fix);
  if (statement !== null && limit > statement) {
    const evidence = [`a statement may take ${formatDuration(statement)}`];
    return warn(`${summary}, longer than a statement may take`, evidence, fix);
  }
  return pass(summary);
}

/** The server's own limit for a statement; null: no limit, or unknown. */
function serverLimit({ driver }: PoolReading, { postgres }: CheckContext['targets']): number | null {
  const [server] = postgres;
  if (server === undefined || postgres.length > 1 || !['pg', 'postgresql'].includes(driver)) return null;
  const setting = server.settings.get('statement_timeout');
  // A limit that the doctor has asked for itself is nobody else's.
  if (setting === undefined || setting.source === 'client') return null;
  return settingMs(server, 'statement_timeout') || null;
}

function fixWith(step: FixStep): Fix {
  return {
    steps: [step],
    risk: 'Requests that were served late now fail with a timeout. Handle the error, or let the caller retry.',
  };
}
