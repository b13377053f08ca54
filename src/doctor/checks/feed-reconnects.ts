import { formatCount } from '../../base/units.js';
import type { FeedReading } from '../../snapshot/feed.js';
import type { PoolReading } from '../../snapshot/reading.js';
import { sumOf } from '../../snapshot/sums.js';
import { codeStep, type Finding, pass, skip, warn } from '../outcome.js';
import { forEachPool } from '../pools.js';
import { isStorm, reconnectText, STORM_TEXT } from '../reconnects.js';
import type { Check } from '../types.js';

export const feedReconnects: Check = {
  id: 'feed-reconnects',
  title: 'connections to feeds stay open',
  needs: ['pool'],
  why:
    'Each reconnect is a gap: ticks of all its symbols are missing until the feed has subscribed again. ' +
    'Venues also count dials, and block clients that dial too often.',
  details: `Warns if connections reopen again and again. ${STORM_TEXT}`,
  run: forEachPool(
    (pool) => (pool.feed === undefined ? null : judge(pool, pool.feed)),
    'no application has a feed',
  ),
};

function judge(pool: PoolReading, { connections, gaps }: FeedReading): Finding {
  const reconnects = connections.length === 0 ? 0 : sumOf(connections.map((one) => one.reconnects));
  if (reconnects === null) return skip('its version of poolctl does not report reconnects');
  const summary = `reconnected ${reconnectText(reconnects, pool.app, pool.takenAtMs)}`;
  if (!isStorm(reconnects, pool.app, pool.takenAtMs)) return pass(summary);
  const evidence = [
    `${formatCount(gaps)} gaps`,
    ...(pool.createError === null ? [] : [`the last dial failed: ${pool.createError}`]),
  ];
  return warn(summary, evidence, {
    steps: [
      codeStep(
        `feed '${pool.name}': the event 'lost' tells why. Typical causes: a server that limits the age of ` +
          'connections, a proxy that cuts idle ones (lower pingIntervalMs), or messages that are too large ' +
          '(maxMessageBytes). Then restart the application.',
      ),
    ],
    risk: 'More pings cause slightly more traffic.',
  });
}
