import type { FeedReading, HttpReading, IbReading, PoolReading, Reading } from '../sources/types.js';
import { counter, type Family, gauge, type Labelled, type Metric, type Unit } from './metric.js';
import { POOL_LABELS, poolLabels } from './pool-labels.js';

const ofKind =
  <Part>(part: (pool: PoolReading) => Part | undefined) =>
  ({ pools }: Reading): readonly Labelled<Part>[] =>
    pools.flatMap((pool) => {
      const subject = part(pool);
      return subject === undefined ? [] : [{ labels: poolLabels(pool), subject }];
    });

/** One series for each thing that is counted: each state, each reason. */
const countedBy =
  (counts: (pool: PoolReading) => Readonly<Record<string, number>>) =>
  ({ pools }: Reading): readonly Labelled<number>[] =>
    pools.flatMap((pool) =>
      Object.entries(counts(pool)).map(([what, subject]) => ({
        labels: [...poolLabels(pool), what],
        subject,
      })),
    );

const feedGauge = (name: string, help: string, read: (feed: FeedReading) => number): Metric<FeedReading> =>
  gauge({ name: `poolctl_feed_${name}`, unit: 'count', help, read });
const feedCounter = (name: string, help: string, read: (feed: FeedReading) => number): Metric<FeedReading> =>
  counter({ name: `poolctl_feed_${name}_total`, help, read });

/** Subscriptions to WebSocket feeds (poolctl/ws), beside what they have in common with all pools. */
export const feeds = {
  labels: POOL_LABELS,
  subjectsOf: ofKind(({ feed }) => feed),
  metrics: {
    symbols: feedGauge('symbols', 'Symbols that somebody wants.', ({ symbols }) => symbols),
    live: feedGauge('live_symbols', 'Symbols that the server has confirmed.', ({ live }) => live),
    capacity: feedGauge('capacity', 'Symbols that there is room for.', ({ capacity }) => capacity),
    ticks: feedCounter('ticks', 'Ticks received.', ({ ticks }) => ticks),
    gaps: feedCounter(
      'gaps',
      'Times that ticks were missed, while a connection was gone.',
      ({ gaps }) => gaps,
    ),
    stale: feedCounter('stale', 'Connections found without data although it was due.', ({ stale }) => stale),
    conflated: feedCounter(
      'conflated',
      'Ticks replaced by newer ones for slow subscribers.',
      ({ conflated }) => conflated,
    ),
    dropped: feedCounter('dropped', 'Ticks lost to slow subscribers.', ({ dropped }) => dropped),
    slow: feedCounter(
      'slow_disconnects',
      'Subscribers ended since they were too slow.',
      ({ slowDisconnects }) => slowDisconnects,
    ),
    exhausted: feedCounter(
      'exhausted',
      'Subscriptions for which there was no room.',
      ({ exhausted }) => exhausted,
    ),
    refused: feedCounter('refused', 'Symbols that the server refused.', ({ refused }) => refused),
  },
} satisfies Family<FeedReading>;

export const feedConnections = {
  labels: [...POOL_LABELS, 'state'],
  subjectsOf: countedBy(({ feed }) => byState(feed?.connections ?? [])),
  metrics: {
    connections: gauge<number>({
      name: 'poolctl_feed_connections',
      unit: 'connections',
      help: 'Connections to the feed, by state.',
      read: (count) => count,
    }),
  },
} satisfies Family<number>;

const brokerGauge = (
  name: string,
  help: string,
  read: (ib: IbReading) => number | null | undefined,
  unit: Unit = 'count',
): Metric<IbReading> => gauge({ name: `poolctl_ib_${name}`, unit, help, read: (ib) => read(ib) ?? null });

/** Connections to a broker's gateway (poolctl/ib). */
export const brokers = {
  labels: POOL_LABELS,
  subjectsOf: ofKind(({ ib }) => ib),
  metrics: {
    idsFree: brokerGauge(
      'client_ids_free',
      'Client ids that are not taken.',
      ({ clientIdsFree }) => clientIdsFree,
    ),
    limit: brokerGauge(
      ...(['message_limit', 'Messages that the gateway takes in a second.'] as const),
      ({ pacing }) => pacing?.limitPerSecond,
    ),
    peak: brokerGauge(
      ...([
        'message_peak',
        'The most messages sent in any one second: above the limit it is broken.',
      ] as const),
      ({ pacing }) => pacing?.peakSecond,
    ),
    waiting: brokerGauge(
      'messages_waiting',
      'Messages that wait for their turn.',
      ({ pacing }) => pacing?.waiting,
    ),
    sent: counter<IbReading>({
      name: 'poolctl_ib_messages_sent_total',
      help: 'Messages sent to the gateway.',
      read: ({ pacing }) => pacing?.sent ?? null,
    }),
  },
} satisfies Family<IbReading>;

export const brokerConnections = {
  labels: [...POOL_LABELS, 'state'],
  subjectsOf: countedBy(({ ib }) => byState(ib?.connections ?? [])),
  metrics: {
    connections: gauge<number>({
      name: 'poolctl_ib_connections',
      unit: 'connections',
      help: 'Connections to the gateway, by state.',
      read: (count) => count,
    }),
  },
} satisfies Family<number>;

/** HTTP connections (poolctl/http). */
export const httpPools = {
  labels: POOL_LABELS,
  subjectsOf: ofKind(({ http }) => http),
  metrics: {
    requests: counter<HttpReading>({
      name: 'poolctl_http_requests_total',
      help: 'Requests, retries apart.',
      read: ({ requests }) => requests,
    }),
    failed: counter<HttpReading>({
      name: 'poolctl_http_failed_total',
      help: 'Requests that ended with an error.',
      read: ({ failed }) => failed,
    }),
    attempts: counter<HttpReading>({
      name: 'poolctl_http_attempts_total',
      help: 'Attempts that were sent, retries among them.',
      read: ({ sent }) => sent,
    }),
    reuse: gauge<HttpReading>({
      name: 'poolctl_http_reuse_ratio',
      unit: 'count',
      help: 'Attempts on a connection that had been used before, as a share of 1.',
      together: 'max',
      read: ({ reuseRatio }) => reuseRatio,
    }),
  },
} satisfies Family<HttpReading>;

const httpCounts = (
  name: string,
  label: string,
  help: string,
  counts: (http: HttpReading) => Readonly<Record<string, number>>,
) =>
  ({
    labels: [...POOL_LABELS, label],
    subjectsOf: countedBy(({ http }) => (http === undefined ? {} : counts(http))),
    metrics: {
      counted: counter<number>({ name: `poolctl_http_${name}_total`, help, read: (count) => count }),
    },
  }) satisfies Family<number>;

export const httpClosed = httpCounts(
  'closed',
  'reason',
  'Connections closed, by why.',
  ({ closed }) => closed,
);
export const httpRetries = httpCounts('retries', 'cause', 'Retries, by cause.', ({ retries }) => retries);
export const httpTimeouts = httpCounts(
  'timeouts',
  'phase',
  'Time-outs, by phase.',
  ({ timeouts }) => timeouts,
);

function byState(connections: readonly { readonly state: string }[]): Readonly<Record<string, number>> {
  const counts = new Map<string, number>();
  for (const { state } of connections) counts.set(state, (counts.get(state) ?? 0) + 1);
  return Object.fromEntries(counts);
}
