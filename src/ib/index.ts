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
export type { CodeClass, CodeRule, CodeSubject, CodeVerdict } from './code-types.js';
export { CodeTable, defaultCodes } from './codes.js';
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
export { fileBudget } from './file-budget.js';
export type { Session } from './handshake.js';
export type { HistoryFacts, HistoryRules } from './history-log.js';
export { type Line, type Link, localLine, type Target, threadLine } from './link.js';
export { formatIbLog, type IbLog } from './log.js';
export type { Bracket, BracketOrders } from './orders/groups.js';
export { OrderHandle } from './orders/handle.js';
export type { LedgerOptions } from './orders/ledger.js';
export type { ExecutionFilter } from './orders/questions.js';
export {
  type Commission,
  type CompletedOrder,
  type Fill,
  type MarginChange,
  type OpenOrder,
  OrderError,
  type OrderEvent,
  type OrderMessage,
  type OrderOutcome,
  type OrderResult,
  type OrderState,
  type WhatIf,
} from './orders/types.js';
export { createPacer, type Paced, type Pacer, type PacingOptions, type Sent } from './pacing.js';
export { remotePacer, sharePacing } from './pacing-port.js';
export { type Ping, type PingOptions, pingGateway } from './ping.js';
export { type AcquireOptions, createIbPool, type IbLease, IbPool } from './pool.js';
export type { IbPoolOptions } from './pool-options.js';
export type { RawClient, RawEvent } from './raw-client.js';
export { type RedisEval, redisBudget } from './redis-budget.js';
export type { RequestOptions } from './requests.js';
export {
  type Claim,
  createSharedPacer,
  type SharedBudget,
  type SharedPacingOptions,
} from './shared-budget.js';
export type { MarketDataOptions, MarketDataType, StreamMessage, Subscription } from './subscriptions.js';
export type { ConnectionState, SupervisorOptions } from './supervisor.js';
