/// <reference lib="esnext.disposable" preserve="true" />
/** The library door of the IB pool: `import { createIbPool } from 'poolctl/ib'`. */

export type {
  ConnectionFigures,
  IbPoolSnapshot,
  PacingSnapshot,
  RequestCounters,
  SubscriptionFigures,
  SupervisorCounters,
  Topology,
} from '../snapshot/broker.js';
export { type ClientIdOptions, ClientIds } from './client-ids.js';
export { Coalescer } from './coalescer.js';
export { type ConnectionOptions, IbConnection } from './connection.js';
export type {
  AccountValue,
  Bar,
  Contract,
  ContractDetails,
  HistoryQuery,
  Order,
  OrderStatus,
  Position,
  Tick,
} from './contracts.js';
export { IbError, type IbErrorCode, PoolExhaustedError } from './errors.js';
export type { HistoryFacts, HistoryRules } from './history-log.js';
export { type Line, type Link, localLine, type Target, threadLine } from './link.js';
export { formatIbLog, type IbLog } from './log.js';
export { createPacer, type Paced, type Pacer, type PacingOptions, type Sent } from './pacing.js';
export { remotePacer, sharePacing } from './pacing-port.js';
export { type Ping, type PingOptions, pingGateway } from './ping.js';
export { type AcquireOptions, createIbPool, type IbLease, IbPool, type IbPoolOptions } from './pool.js';
export type { RequestOptions } from './requests.js';
export type { MarketDataOptions, Subscription } from './subscriptions.js';
export type { ConnectionState, Session, SupervisorOptions } from './supervisor.js';
