import { counter, gauge } from './metric.js';
import { histogram, poolFields } from './pool.js';
import {
  count,
  figure,
  grouped,
  list,
  type Made,
  metered,
  meteredBy,
  object,
  orNull,
  type Read,
  text,
  told,
  word,
} from './schema.js';

/** Prefix of the metrics that only pools of broker connections have. */
export const BROKER_PREFIX = 'poolctl_ib_';

/**
 * How connections are shared.
 * - `shared`: all use one connection, in this thread.
 * - `worker`: each lease has its own connection: a thread, a client id, an event loop.
 */
const TOPOLOGIES = ['shared', 'worker'] as const;
const LINK_STATES = ['idle', 'connecting', 'ready', 'waiting', 'failed', 'closed'] as const;

/** The history of a connection since it was made. The counts only grow. */
const linkCounters = object({
  attempts: told(count),
  /** Sessions that became ready. */
  ready: told(count),
  /** Sessions that ended. */
  lost: told(count),
  /** Sessions ended by the heartbeat. */
  heartbeatsMissed: told(count),
  /** Refusals because another client has this id: error 326. */
  idCollisions: told(count),
  /** 1100 and 2110: the gateway lost its own connection to IB. */
  upstreamLost: told(count),
  /** 505: messages that the library could not read. */
  unreadable: told(count),
});

const requestCounters = object({
  asked: told(count),
  answered: told(count),
  /** The gateway reported an error, or the caller gave up. */
  failed: told(count),
  timedOut: told(count),
  /** In progress when their connection broke. */
  lost: told(count),
  /** Sent again after that. */
  retried: told(count),
  /** Answers, or parts of them, that nobody waited for any more. */
  late: told(count),
});

const subscriptionFigures = object({
  /** Streams that are wanted, each once however many listeners it has. */
  wanted: told(count),
  /** Wanted streams that were requested in this session. */
  live: told(count),
  listeners: told(count),
  /** Requested again, after a reconnect, a 1101 or a 1102. */
  resubscribed: told(count),
  /** Listeners that threw. */
  listenerErrors: told(count),
});

const linkFields = {
  clientId: count,
  host: told(text),
  port: told(count),
  state: word(LINK_STATES),
  serverVersion: orNull(count),
  /** Whether the gateway has its own connection to IB; null while there is no session. */
  upstream: orNull(word(['up', 'down'])),
  /** Sessions after the first. */
  reconnects: told(count),
  inFlight: told(count),
  requests: told(requestCounters),
  subscriptions: told(subscriptionFigures),
};

/** A connection to a gateway. A snapshot groups its counters as `supervisor`; a reading has them beside the state. */
export const brokerConnection = grouped('supervisor', linkCounters, linkFields);

const pacing = (name: string, help: string) => gauge(name, 'count', help);

/** Messages sent to the gateway. Its limit covers all of its clients together. */
export const brokerPacing = object({
  /** The limit of the gateway, and the lower one that the pool keeps. */
  limitPerSecond: metered(pacing('message_limit', 'Messages that the gateway takes in a second.'), figure),
  messagesPerSecond: figure,
  /** The most sent in any one second so far, wherever it began. */
  peakSecond: metered(
    pacing('message_peak', 'The most messages sent in any one second: above the limit it is broken.'),
    count,
  ),
  waiting: metered(pacing('messages_waiting', 'Messages that wait for their turn.'), count),
  sent: metered(counter('messages_sent', 'Messages sent to the gateway.'), count),
  /** Sent in the last second. */
  lastSecond: told(count),
  /** Share of the gateway's limit that was never used: 1 - peakSecond / limitPerSecond. Below 0 the limit is broken. */
  headroom: told(figure),
  longestWaitMs: orNull(figure),
  wait: told(histogram),
  /** null where history is not watched. */
  history: orNull(
    object({
      waiting: told(count),
      open: told(count),
      openLimit: told(count),
      /** By weight. */
      tenMinutes: told(count),
      tenMinutesLimit: told(count),
    }),
  ),
});

/** The figures of a pool of broker connections beyond those that all pools have. */
export const brokerFigures = object({
  topology: told(word(TOPOLOGIES)),
  host: text,
  port: count,
  clientIds: list(count),
  clientIdsFree: metered(gauge('client_ids_free', 'count', 'Client ids that are not taken.'), told(count)),
  /** Counts of the open connections. */
  reconnects: told(count),
  /** null where another thread owns the pacing, and has reported nothing yet. */
  pacing: orNull(brokerPacing),
  /** Requests that were saved because an identical one was in progress. */
  historiesShared: told(count),
  connections: meteredBy(
    'state',
    gauge('connections', 'connections', 'Connections to the gateway, by state.'),
    list(brokerConnection),
  ),
});

/** A pool of connections to a broker's gateway. */
export const brokerPool = object({ ...poolFields, ib: brokerFigures });

export type Topology = (typeof TOPOLOGIES)[number];

/** The history of a connection since it was made. The counts only grow. */
export interface SupervisorCounters extends Made<typeof linkCounters> {}
export interface RequestCounters extends Made<typeof requestCounters> {}
export interface SubscriptionFigures extends Made<typeof subscriptionFigures> {}
/** The figures of one connection. */
export interface ConnectionFigures extends Made<typeof brokerConnection> {}
/** The figures of the pacing, as plain data. */
export interface PacingSnapshot extends Made<typeof brokerPacing> {}

/** The snapshot of any pool, with the figures that matter for IB. */
export interface IbPoolSnapshot extends Made<typeof brokerPool> {}

/** The figures of a pool of broker connections as read from any version. */
export interface IbReading extends Read<typeof brokerFigures> {}
export interface IbPacingReading extends Read<typeof brokerPacing> {}
export interface IbConnectionReading extends Read<typeof brokerConnection> {}
