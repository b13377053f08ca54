import { BROKER_PREFIX, brokerFigures, brokerPacing, type IbReading } from '../snapshot/broker.js';
import { FEED_PREFIX, feedFigures } from '../snapshot/feed.js';
import { HTTP_PREFIX, httpFigures } from '../snapshot/http.js';
import { POOL_PREFIX } from '../snapshot/pool.js';
import { sizing } from '../snapshot/sizing.js';
import { familyOf, labelledFamilyOf, metricsOf, through } from './of-schema.js';

/** Subscriptions to WebSocket feeds (poolctl/ws). */
export const feeds = familyOf(feedFigures, FEED_PREFIX, ({ feed }) => feed);

export const feedConnections = labelledFamilyOf(
  feedFigures.entries.connections,
  FEED_PREFIX,
  ({ feed }) => feed?.connections,
  byState,
);

const ofBrokers = familyOf(brokerFigures, BROKER_PREFIX, ({ ib }) => ib);

/** Connections to a broker's gateway (poolctl/ib). */
export const brokers = {
  ...ofBrokers,
  metrics: {
    ...ofBrokers.metrics,
    ...through(({ pacing }: IbReading) => pacing, metricsOf(brokerPacing, BROKER_PREFIX)),
  },
};

export const brokerConnections = labelledFamilyOf(
  brokerFigures.entries.connections,
  BROKER_PREFIX,
  ({ ib }) => ib?.connections,
  byState,
);

/** HTTP connections (poolctl/http). */
export const httpPools = familyOf(httpFigures, HTTP_PREFIX, ({ http }) => http);

const { closed, retries, timeouts } = httpFigures.entries;
const asCounted = <Counts>(counts: Counts): Counts => counts;
export const httpClosed = labelledFamilyOf(closed, HTTP_PREFIX, ({ http }) => http?.closed, asCounted);
export const httpRetries = labelledFamilyOf(retries, HTTP_PREFIX, ({ http }) => http?.retries, asCounted);
export const httpTimeouts = labelledFamilyOf(timeouts, HTTP_PREFIX, ({ http }) => http?.timeouts, asCounted);

/** Pools that choose their size by measurement. */
export const sizings = familyOf(sizing, POOL_PREFIX, (pool) => pool.sizing);

export const sizingReasons = labelledFamilyOf(
  sizing.entries.reason,
  POOL_PREFIX,
  (pool) => pool.sizing?.reason,
  (reason) => ({ [reason]: 1 }),
);

function byState(connections: readonly { readonly state: string }[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { state } of connections) counts.set(state, (counts.get(state) ?? 0) + 1);
  return Object.fromEntries(counts);
}
