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
  title: 'the pool does not lend connections that died while idle',
  needs: ['pool'],
  why:
    'After a server restart, a failover or a quiet night, all idle connections of a pool are dead. Each ' +
    'one fails a request before the pool discards it.',
  details:
    'Passes if the pool tests idle connections before it lends them, or closes them within ' +
    `${formatDuration(SAFE_IDLE_MS)}, before anything else cuts them. Warns otherwise. SQLite is skipped.`,
  run: forEachPool(judge, 'no pool reports it'),
};

function judge(pool: PoolReading): Finding | null {
  const { setup } = pool;
  if (setup === undefined || !isOfConnections(pool) || pool.driver === 'sqlite') return null;
  const { prePing, maxIdleMs } = setup;
  if (prePing === null && maxIdleMs === null) return null;
  if (prePing === true) return pass('tested before lending');
  if (maxIdleMs !== null && maxIdleMs !== 'never' && maxIdleMs <= SAFE_IDLE_MS)
    return pass(`closed after ${formatDuration(maxIdleMs)} without use`);
  const ping = setOption(pool, 'prePing', true);
  const idle = [
    setOption(pool, 'keptIdle', Math.max(0, (pool.size ?? 1) - 1)),
    setOption(pool, 'maxIdleMs', WANTED_IDLE_MS),
  ].filter((step) => step !== null);
  return warn(
    'idle connections are lent untested, ' +
      `${maxIdleMs === 'never' ? 'after any idle time' : `after up to ${limitText(maxIdleMs)}`}`,
    [],
    {
      steps: ping === null ? idle : [ping],
      risk:
        ping === null
          ? 'After a quiet period, the pool opens new connections.'
          : 'Costs a round trip before the use of a connection that was idle.',
    },
  );
}
