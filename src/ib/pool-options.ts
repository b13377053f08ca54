import { type ForeignNames, type OptionShape, optionProblems } from '../base/option-shape.js';
import type { Topology } from '../snapshot/broker.js';
import type { ClientIds } from './client-ids.js';
import type { ConnectionOptions } from './connection.js';
import { optionError } from './errors.js';
import type { Line } from './link.js';
import type { IbLog } from './log.js';
import { PACING_SHAPE, type Pacer, type PacingOptions } from './pacing.js';
import { MARKET_DATA_TYPES } from './subscriptions.js';

export interface IbPoolOptions extends Omit<ConnectionOptions, 'pacer' | 'histories' | 'line' | 'onState'> {
  readonly topology?: Topology;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 7497, where TWS listens for paper trading. */
  readonly port?: number;
  /** The client id, or the first of several. Default 1. */
  readonly clientId?: number;
  /** `worker`: at most so many connections. Default 10; a gateway serves 32. */
  readonly workers?: number;
  /** `worker`: how long an acquire waits for a free one, in milliseconds. Default 30,000; null for ever. */
  readonly acquireTimeoutMs?: number | null;
  /** A connection that nobody used for this long is closed, in milliseconds. Default null: kept. */
  readonly idleMs?: number | null;
  /** A lease out for longer is shown as leaked, in milliseconds. Default 60,000. */
  readonly leakMs?: number;
  /** Told in snapshots. Default `ib HOST:PORT`. */
  readonly name?: string;
  /** Told of every step in the life of the pool; formatIbLog puts it in words. */
  readonly log?: (entry: IbLog) => void;
  /** Shared with all others that talk to this gateway. Default: a pacer made of `pacing`. */
  readonly pacer?: Pacer;
  readonly pacing?: PacingOptions;
  /** Shared with other pools of this gateway in this process. Default: its own, from `clientId` on. */
  readonly clientIds?: ClientIds;
  /** Makes the place where a connection lives. Default: a thread of its own for `worker`, this one for `shared`. */
  readonly line?: () => Line;
}

const SHAPE = {
  topology: 'text',
  host: 'text',
  port: 'number',
  clientId: 'number',
  workers: 'number',
  acquireTimeoutMs: 'number or null',
  idleMs: 'number or null',
  leakMs: 'number',
  name: 'text',
  log: 'function',
  pacer: 'any',
  pacing: { fields: PACING_SHAPE },
  clientIds: 'any',
  line: 'function',
  trust1102: 'boolean',
  onNotice: 'function',
  codes: 'any',
  orders: { fields: { orderRefPrefix: 'text', recheckMs: 'number', keepOrders: 'number' } },
  marketDataType: 'text',
  streamWatchdogMs: 'number or null',
  handshakeTimeoutMs: 'number',
  heartbeatMs: 'number',
  heartbeatTimeoutMs: 'number',
  reconnectMs: 'number',
  reconnectMostMs: 'number',
  firstAttempts: 'number',
  clock: 'any',
  random: 'function',
} as const satisfies OptionShape & Record<keyof IbPoolOptions, unknown>;

/** The names of options in IB's own clients and in other pools. */
const FOREIGN_NAMES: ForeignNames = {
  max: 'workers',
  size: 'workers',
  maxConnections: 'workers',
  timeout: 'acquireTimeoutMs',
  timeoutMs: 'acquireTimeoutMs',
  client_id: 'clientId',
  leakWatch: 'leakMs',
  maxIdleMs: 'idleMs',
  maxReqPerSec: 'pass pacing: { messagesPerSecond }',
  reconnectInterval: 'reconnectMs',
};

/** Throws an IbError with ERR_IB_OPTION. */
export function checkPoolOptions(options: IbPoolOptions): void {
  const problems = optionProblems(options, SHAPE, FOREIGN_NAMES);
  if (problems.length > 0) throw optionError(problems.join('; '));
  const { workers = 10, port = 7497, marketDataType } = options;
  if (!Number.isSafeInteger(workers) || workers < 1) {
    throw optionError(`workers must be a whole number from 1, got ${workers}`);
  }
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw optionError(`port must be a whole number from 1 to 65535, got ${port}`);
  }
  if (marketDataType !== undefined && !MARKET_DATA_TYPES.includes(marketDataType)) {
    throw optionError(
      `marketDataType must be one of ${MARKET_DATA_TYPES.join(', ')}, got '${marketDataType}'`,
    );
  }
}

/** The options of connections, as far as they were given: their owner fills in the defaults. */
export function connectionOptions(options: IbPoolOptions): ConnectionOptions {
  const { topology, host, port, clientId, workers, acquireTimeoutMs, idleMs, leakMs, name, ...rest } =
    options;
  const { log, pacer, pacing, clientIds, line, ...own } = rest;
  return Object.fromEntries(Object.entries(own).filter(([, value]) => value !== undefined));
}
