import { formatCount, formatShare } from '../../base/units.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, fail, pass, warn } from '../outcome.js';
import { capacityOf, forEachPool, giveBack, limitText, roomFor, setOption } from '../pools.js';
import type { Check } from '../types.js';

/** From this share, timeouts count as many, as in the verdict of a load test. */
const FAILS_FROM = 0.01;

export const poolTimeouts: Check = {
  id: 'pool-timeouts',
  title: 'acquires do not time out',
  needs: ['pool'],
  why: 'Each timeout is a failed request, although the database may be healthy.',
  details:
    `Counts since the application started. Fails from ${formatShare(FAILS_FROM, 0)} of all acquires, and ` +
    'warns below that. It passes again after a restart without timeouts.',
  run: forEachPool(judge),
};

function judge(pool: PoolReading): Finding | null {
  const { timedOut, acquired } = pool.counters;
  if (timedOut === null || pool.feed !== undefined) return null;
  if (timedOut === 0) return pass(`none of ${formatCount(acquired)} acquires timed out`);
  const all = timedOut + (acquired ?? 0);
  const share = timedOut / all;
  const summary = `${formatCount(timedOut)} of ${formatCount(all)} acquires timed out (${formatShare(share)})`;
  const capacity = capacityOf(pool);
  const evidence = [
    `size ${pool.size ?? 'without limit'} + ${pool.maxOverflow ?? 0} overflow, at most ` +
      `${pool.peakInUse ?? '-'} lent and ${pool.peakWaiting ?? '-'} waiting at once`,
    `acquire timeout ${limitText(pool.setup?.acquireTimeoutMs)}`,
  ];
  // Without a count of peak waiters, half as many again is a first try.
  const wanted =
    pool.peakWaiting === null
      ? Math.max((capacity ?? 0) * 1.5, (pool.inUse ?? 0) + (pool.waiting ?? 0))
      : Math.max(pool.peakInUse ?? 0, capacity ?? 0) + pool.peakWaiting;
  const step = giveBack(pool) ?? setOption(pool, 'size', roomFor(wanted, pool));
  const fix = {
    steps: step === null ? [] : [step],
    risk:
      'Run pool-leaks and poolctl top first. A larger pool does not help against leaks, locks and slow ' +
      'queries, and the server needs room for it (fleet-sum). A longer timeout only makes the queue longer.',
  };
  return share < FAILS_FROM ? warn(summary, evidence, fix) : fail(summary, evidence, fix);
}
