import { formatDuration } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, pass, warn } from '../outcome.js';
import { forEachPool, isOfConnections, limitText, setOption } from '../pools.js';
import type { Check } from '../types.js';

/** Below what cloud load balancers and firewalls leave an idle connection: 4 minutes is the least among them. */
const SAFE_IDLE_MS = 240_000;
const WANTED_IDLE_MS = 60_000;

export const poolPrePing: Check = {
  id: 'pool-pre-ping',
  title: 'no connection is lent that has died while it was idle',
  needs: ['pool'],
  why:
    'After a restart of the server, a fail-over or a quiet night, all idle connections of a pool are dead, and each ' +
    'fails one request before it is thrown away.',
  details: `Passes where idle connections are tried before they are lent, or are closed before anybody cuts them, within \
${formatDuration(SAFE_IDLE_MS)}. Warns otherwise. SQLite is left out.`,
  run: forEachPool(judge, 'no pool tells'),
};

function judge(pool: PoolReading): Finding | null {
  const { setup } = pool;
  if (setup === undefined || !isOfConnections(pool) || pool.driver === 'sqlite') return null;
  const { prePing, maxIdleMs } = setup;
  if (prePing === null && maxIdleMs === null) return null;
  if (prePing === true) return pass('tried before they are lent');
  if (maxIdleMs !== null && maxIdleMs !== 'never' && maxIdleMs <= SAFE_IDLE_MS)
    return pass(`closed after ${formatDuration(maxIdleMs)} without use`);
  const ping = setOption(pool, 'prePing', true);
  const idle = [
    setOption(pool, 'keptIdle', Math.max(0, (pool.size ?? 1) - 1)),
    setOption(pool, 'maxIdleMs', WANTED_IDLE_MS),
  ].filter((step) => step !== null);
  return warn(
    `idle connections are lent untried, ${maxIdleMs === 'never' ? 'however long they were idle' : `after up to ${limitText(maxIdleMs)}`}`,
    [],
    {
      steps: ping === null ? idle : [ping],
      risk:
        ping === null
          ? 'After a quiet time connections have to be opened again.'
          : 'A round trip before the use of a connection that has been idle for a while.',
    },
  );
}
