import { formatDuration } from '../../base/units.js';
import type { FeedReading } from '../../snapshot/feed.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check, Fix } from '../types.js';

const SILENT_MS = 30_000;

export const feedStale: Check = {
  id: 'feed-stale',
  title: 'feeds that are open send data',
  needs: ['pool'],
  why: 'A connection that is open and mute looks well from everywhere, and the last price stands as if it were of now.',
  details: `Fails where a connection is degraded or was given up, or the server refuses the credentials. Warns where one was \
found stale since the start, where one with symbols has said nothing for ${formatDuration(SILENT_MS)}, and where symbols are wanted \
that the server has not confirmed.`,
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
        `feed '${pool.name}': look at the venue's status and at the credentials; give the pool isMarketOpen, so that it replaces a mute connection by itself; then start the application anew`,
      ),
    ],
    risk: 'Where isMarketOpen says yes while the market is closed, connections are replaced for nothing.',
  };
  if (bad.length > 0)
    return fail(`${bad.length} of ${connections.length} connections send nothing`, evidence, fix);
  if (silent.length > 0)
    return warn(
      `${silent.length} of ${connections.length} connections are silent, which is right only while the market is closed`,
      evidence,
      fix,
    );
  if (stale !== null && stale > 0) return warn(`${stale} times a connection was found stale`, evidence, fix);
  if (refused !== null && refused > 0) return warn(`the server refused ${refused} symbols`, evidence, fix);
  if (live < symbols) return warn(`${symbols - live} of ${symbols} symbols are not confirmed`, evidence, fix);
  return pass(`${live} symbols on ${connections.length} connections`);
}
