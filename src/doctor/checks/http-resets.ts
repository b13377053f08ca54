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
  title: 'no request meets a connection that the server has closed',
  needs: ['pool'],
  why:
    'A server may close idle connections sooner than the pool does. A request sent at that moment fails ' +
    'with "connection reset by peer". Requests that must not be sent twice are lost.',
  details:
    `Counts requests that met a connection which died while idle. Warns from ${LEAST} such requests, if they ` +
    `are ${formatShare(WARNS_FROM, 0)} or more of all attempts. The repair halves the idle time of ` +
    'connections.',
  run: forEachPool(
    (pool) => (pool.http === undefined ? null : judge(pool, pool.http)),
    'no application has an HTTP pool',
  ),
};

function judge(pool: PoolReading, { retries, sent }: HttpReading): Finding {
  const { stale } = retries;
  if (stale === null) return skip('its version of poolctl does not report retries');
  const summary = `${formatCount(stale)} of ${formatCount(sent)} attempts met a connection that died while idle`;
  if (stale < LEAST || stale / Math.max(1, sent) < WARNS_FROM) return pass(summary);
  const kept = pool.setup?.maxIdleMs ?? null;
  const wanted = typeof kept === 'number' ? Math.max(1000, Math.floor(kept / 2)) : 15_000;
  const step = setOption(pool, 'maxIdleMs', wanted);
  return warn(summary, [`idle connections stay open for ${limitText(kept)}`], {
    steps: step === null ? [] : [step],
    risk: 'After a pause, the pool opens a new connection. If resets go on, halve the time again.',
  });
}
