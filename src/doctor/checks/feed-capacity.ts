import { formatCount, formatShare } from '../../base/units.js';
import type { FeedReading } from '../../snapshot/feed.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { type Finding, fail, pass, warn } from '../outcome.js';
import { forEachPool, setOption } from '../pools.js';
import type { Check, Fix } from '../types.js';

const WARNS_ABOVE = 0.9;
const WANTED = 0.75;

export const feedCapacity: Check = {
  id: 'feed-capacity',
  title: 'feeds have room for more symbols',
  needs: ['pool'],
  why:
    'A feed refuses a symbol for which it has no room. The subscriber then gets no prices, while everything ' +
    'else looks healthy.',
  details:
    `Fails if a subscription was refused for lack of room. Warns if more than ${formatShare(WARNS_ABOVE, 0)} ` +
    'of the capacity is in use. The capacity is MAX_SYMBOLS_PER_WEBSOCKET times MAX_WEBSOCKET_CONNECTIONS, ' +
    'if the application uses these settings.',
  run: forEachPool(
    (pool) => (pool.feed === undefined ? null : judge(pool, pool.feed)),
    'no application has a feed',
  ),
};

function judge(pool: PoolReading, feed: FeedReading): Finding {
  const { symbols, capacity, exhausted } = feed;
  const summary = `${formatCount(symbols)} of ${formatCount(capacity)} symbols (${formatShare(symbols / Math.max(1, capacity), 0)})`;
  const evidence = [`${pool.size ?? '-'} connections at most, ${pool.live} open`];
  if (exhausted !== null && exhausted > 0)
    return fail(
      `${formatCount(exhausted)} subscriptions were refused for lack of room, ${summary}`,
      evidence,
      fixOf(pool, feed),
    );
  if (symbols > capacity * WARNS_ABOVE) return warn(summary, evidence, fixOf(pool, feed));
  return pass(summary);
}

function fixOf(pool: PoolReading, { symbols, capacity, exhausted }: FeedReading): Fix {
  const connections = Math.max(1, pool.size ?? 1);
  const each = Math.max(1, capacity / connections);
  const wanted = Math.max(
    Math.ceil((symbols + (exhausted ?? 0)) / WANTED / each),
    (exhausted ?? 0) > 0 ? connections + 1 : 1,
  );
  const step = setOption(pool, 'size', wanted);
  return {
    steps: step === null ? [] : [step],
    risk: 'The venue may allow fewer connections, or count symbols across all of them. Check its limits first.',
  };
}
