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
  title: 'connections do not break in use',
  needs: ['pool'],
  why:
    'A connection that breaks in use takes a request with it. Many of them point to a server that restarts, a network ' +
    'that cuts idle connections, or a server that ends sessions after a time.',
  details: `Counts connections given up as broken since the application was started. Warns from ${LEAST} on, if they are \
${formatShare(WARNS_FROM, 0)} of all leases or more. Connections that were found dead before they were lent do not count: that \
is what pre-ping is for.`,
  run: forEachPool(judge, 'no pool tells'),
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
    [`pre-ping ${isTried ? 'on' : 'off'}, ${formatCount(pingFailed)} found dead before they were lent`],
    {
      steps,
      risk:
        'A round trip before the use of a connection that has been idle for a while. Connections that break while a ' +
        'query runs are not helped: look into the log of the server.',
    },
  );
}
