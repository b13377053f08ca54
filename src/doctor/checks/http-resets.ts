import { formatCount, formatShare } from '../../base/units.js';
import type { HttpReading } from '../../snapshot/http.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, pass, skip, warn } from '../outcome.js';
import { forEachPool, limitText, setOption } from '../pools.js';
import type { Check } from '../types.js';

const WARNS_FROM = 0.01;
const LEAST = 3;

export const httpResets: Check = {
  id: 'http-resets',
  title: 'HTTP connections are not reset after idling',
  needs: ['pool'],
  why:
    'A server that closes idle connections sooner than the pool does resets the request that comes at that moment ' +
    '("connection reset by peer"). What may not be sent twice fails.',
  details: `Counts requests that met a connection which had died while idle. Warns from ${LEAST} on, if they are \
${formatShare(WARNS_FROM, 0)} of all attempts or more. The repair halves how long idle connections are kept.`,
  run: forEachPool(
    (pool) => (pool.http === undefined ? null : judge(pool, pool.http)),
    'no application has an HTTP pool',
  ),
};

function judge(pool: PoolReading, { retries, sent }: HttpReading): Finding {
  const { stale } = retries;
  if (stale === null) return skip('its version of poolctl does not report retries');
  const summary = `${formatCount(stale)} of ${formatCount(sent)} attempts met a connection that had died while idle`;
  if (stale < LEAST || stale / Math.max(1, sent) < WARNS_FROM) return pass(summary);
  const kept = pool.setup?.maxIdleMs ?? null;
  const wanted = typeof kept === 'number' ? Math.max(1000, Math.floor(kept / 2)) : 15_000;
  const step = setOption(pool, 'maxIdleMs', wanted);
  return warn(summary, [`idle connections are kept for ${limitText(kept)}`], {
    steps: step === null ? [] : [step],
    risk: 'After a pause a connection has to be opened again. If it is not enough, halve it again.',
  });
}
