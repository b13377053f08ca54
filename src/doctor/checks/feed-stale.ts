import { formatDuration } from '../../base/units.js';
import type { FeedReading } from '../../snapshot/feed.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check, Fix } from '../types.js';

const SILENT_MS = 30_000;

export const feedStale: Check = {
  id: 'feed-stale',
  title: 'open feeds deliver data',
  needs: ['pool'],
  why: 'A connection that is open but silent looks healthy everywhere, and the last price looks current.',
  details:
    'Fails if a connection is degraded or was given up, or if the server refuses the credentials. Warns if a ' +
    'connection was found stale since the start, or if one with symbols has been silent for ' +
    `${formatDuration(SILENT_MS)}. Also warns about symbols that the server has not confirmed.`,
  run: forEachPool(
    (pool) => (pool.feed === undefined ? null : judge(pool, pool.feed)),
    'no application has a feed',
  ),
};

function judge(pool: PoolReading, feed: FeedReading): Finding {
  const { connections, stale, symbols, live, refused } = feed;
  const bad = connections.filter(({ state }) => state === 'degraded' || state === 'failed');
  const silent = connections.filter(
    (one) => one.state === 'open' && one.symbols > 0 && (one.lastTickAgoMs ?? 0) > SILENT_MS,
  );
  const evidence = [...bad, ...silent].map(
    ({ id, state, symbols: own, lastTickAgoMs }) =>
      `connection ${id}: ${state}, ${own} symbols, last tick ${lastTickAgoMs === null ? 'never' : `${formatDuration(Math.round(lastTickAgoMs / 1000) * 1000)} ago`}`,
  );
  const fix: Fix = {
    steps: [
      codeStep(
        `feed '${pool.name}': check the venue's status and the credentials. Give the pool isMarketOpen, so ` +
          'that it replaces silent connections itself. Then restart the application.',
      ),
    ],
    risk: 'If isMarketOpen returns true while the market is closed, the pool replaces connections for no reason.',
  };
  if (bad.length > 0)
    return fail(`${bad.length} of ${connections.length} connections deliver nothing`, evidence, fix);
  if (silent.length > 0)
    return warn(
      `${silent.length} of ${connections.length} connections are silent, which is normal only while the ` +
        'market is closed',
      evidence,
      fix,
    );
  if (stale !== null && stale > 0) return warn(`connections were found stale ${stale} times`, evidence, fix);
  if (refused !== null && refused > 0) return warn(`the server refused ${refused} symbols`, evidence, fix);
  if (live < symbols) return warn(`${symbols - live} of ${symbols} symbols are unconfirmed`, evidence, fix);
  return pass(`${live} symbols on ${connections.length} connections`);
}
