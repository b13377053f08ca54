import { formatCount, formatShare } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, pass, warn } from '../outcome.js';
import { forEachPool, isOfConnections, lendsLeases, setOption } from '../pools.js';
import type { Check } from '../types.js';

const WARNS_FROM = 0.01;
/** Below it they are the one restart of a server. */
const LEAST = 3;
const RECYCLE_MS = 900_000;

export const poolInvalidations: Check = {
  id: 'pool-invalidations',
  title: 'connections do not break while in use',
  needs: ['pool'],
  why:
    'A connection that breaks in use fails a request. Many such failures point to a server that restarts, ' +
    'a network that cuts idle connections, or a server that limits the age of sessions.',
  details:
    `Counts connections that broke since the application started. Warns from ${LEAST} such connections, if ` +
    `they are ${formatShare(WARNS_FROM, 0)} or more of all leases. Connections that pre-ping found dead do ` +
    'not count.',
  run: forEachPool(judge, 'no pool reports it'),
};

function judge(pool: PoolReading): Finding | null {
  const { invalidated, acquired, pingFailed } = pool.counters;
  if (invalidated === null || acquired === null || !isOfConnections(pool) || !lendsLeases(pool)) return null;
  const share = invalidated / Math.max(1, acquired);
  const summary = `${formatCount(invalidated)} of ${formatCount(acquired)} leases ended with a broken connection`;
  if (invalidated < LEAST || share < WARNS_FROM) return pass(summary);
  const isTried = pool.setup?.prePing === true;
  const steps = [setOption(pool, 'prePing', true), setOption(pool, 'recycleMs', RECYCLE_MS)].filter(
    (step) => step !== null,
  );
  return warn(
    summary,
    [`pre-ping ${isTried ? 'on' : 'off'}, ${formatCount(pingFailed)} found dead before lending`],
    {
      steps,
      risk:
        'Costs a round trip before the use of a connection that was idle. It does not help connections ' +
        'that break during a query: read the log of the server.',
    },
  );
}
