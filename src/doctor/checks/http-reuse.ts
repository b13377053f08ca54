import { formatCount, formatShare } from '../../base/units.js';
import type { HttpReading } from '../../snapshot/http.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, FixStep } from '../types.js';

const WARNS_BELOW = 0.5;
/** Fewer attempts prove nothing. */
const LEAST = 20;
const EXPIRY_MS = 60_000;

export const httpReuse: Check = {
  id: 'http-reuse',
  title: 'the pool reuses HTTP connections',
  needs: ['pool'],
  why:
    'A new connection costs two or three round trips before the first byte, and most of the CPU time with ' +
    'TLS. Closed connections also use up local ports.',
  details: `Warns if fewer than ${formatShare(WARNS_BELOW, 0)} of at least ${LEAST} attempts reused a connection.`,
  run: forEachPool(
    (pool) => (pool.http === undefined ? null : judge(pool, pool.http)),
    'no application has an HTTP pool with enough requests',
  ),
};

function judge(pool: PoolReading, http: HttpReading): Finding | null {
  const { reuseRatio, sent, closed } = http;
  if (reuseRatio === null || sent < LEAST) return null;
  const summary = `${formatShare(reuseRatio)} of ${formatCount(sent)} attempts reused a connection`;
  if (reuseRatio >= WARNS_BELOW) return pass(summary);
  const reasons = Object.entries(closed).filter(([, count]) => count !== null && count > 0);
  const evidence = [
    `closed: ${reasons.map(([why, count]) => `${count} ${why}`).join(', ') || 'none'}; ${formatCount(pool.counters.created)} opened`,
  ];
  return warn(summary, evidence, {
    steps: stepsFor(pool, closed),
    risk: 'More idle connections stay open, here and at the server.',
  });
}

function stepsFor(pool: PoolReading, closed: HttpReading['closed']): readonly FixStep[] {
  const tooFew = setOption(pool, 'keptIdle', pool.size ?? 20);
  const tooShort = setOption(pool, 'maxIdleMs', EXPIRY_MS);
  const steps = (closed.expiry ?? 0) > (closed.maxIdle ?? 0) ? [tooShort] : [tooFew];
  return steps.filter((step) => step !== null);
}
