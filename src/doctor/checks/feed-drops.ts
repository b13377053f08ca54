import { formatCount, formatShare } from '../../base/units.js';
import type { FeedReading } from '../../snapshot/feed.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { codeStep, type Finding, fail, pass, skip, warn } from '../outcome.js';
import { forEachPool } from '../pools.js';
import type { Check, Fix } from '../types.js';

const WARNS_FROM = 0.01;

export const feedDrops: Check = {
  id: 'feed-drops',
  title: 'subscribers keep up with the feed',
  needs: ['pool'],
  why:
    'Ticks that a slow subscriber did not receive are lost. For quotes the latest tick is enough ' +
    '(conflate). A trade counter or an order book has wrong figures from then on.',
  details:
    'Fails if ticks were dropped, or if a slow subscriber was disconnected. Warns if newer ticks of the same ' +
    `symbol replaced ${formatShare(WARNS_FROM, 0)} or more of all ticks.`,
  run: forEachPool(
    (pool) => (pool.feed === undefined ? null : judge(pool, pool.feed)),
    'no application has a feed',
  ),
};

function judge(pool: PoolReading, feed: FeedReading): Finding {
  const { ticks, dropped, conflated, slowDisconnects } = feed;
  if (ticks === null || dropped === null || conflated === null || slowDisconnects === null)
    return skip('its version of poolctl does not report ticks');
  const share = conflated / Math.max(1, ticks);
  const evidence = [
    `${formatCount(ticks)} ticks: ${formatCount(dropped)} dropped, ${formatCount(conflated)} replaced by newer ones`,
    ...(slowDisconnects === 0 ? [] : [`${slowDisconnects} slow subscribers disconnected`]),
  ];
  const fix: Fix = {
    steps: [
      codeStep(
        `feed '${pool.name}': do less work per tick (no await per tick; write in batches, or in a worker), ` +
          "or give the slow subscriber { policy: 'conflate' }; then restart the application",
      ),
    ],
    risk: 'With conflate, a subscriber sees only the latest tick of each symbol.',
  };
  if (dropped > 0) return fail(`${formatCount(dropped)} ticks were dropped`, evidence, fix);
  if (slowDisconnects > 0) return fail(`${slowDisconnects} subscribers were too slow`, evidence, fix);
  if (share >= WARNS_FROM)
    return warn(`${formatShare(share)} of ticks were replaced by newer ones`, evidence, fix);
  return pass(`${formatCount(ticks)} ticks, none dropped`);
}
