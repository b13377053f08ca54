import type { Contract } from '../contracts.js';
import type { Commission, CompletedOrder, Fill, OpenOrder, WhatIf } from './types.js';

/** The gateway's messages about orders, as the client library decodes them, as far as they are used. */
export interface WireStatus {
  readonly orderId: number;
  readonly status: string;
  readonly filled: number | null;
  readonly remaining: number | null;
  readonly averageFillPrice: number | null;
  readonly permId: number | null;
  readonly parentId: number | null;
  readonly lastFillPrice: number | null;
  readonly clientId: number | null;
  readonly whyHeld: string | null;
}

export function toStatus(args: readonly unknown[]): WireStatus {
  const [orderId, status, filled, remaining, average, permId, parentId, lastPrice, clientId, whyHeld] = args;
  return {
    orderId: Number(orderId),
    status: String(status),
    filled: figure(filled),
    remaining: figure(remaining),
    averageFillPrice: figure(average),
    permId: id(permId),
    parentId: id(parentId),
    lastFillPrice: figure(lastPrice),
    clientId: figure(clientId),
    whyHeld: text(whyHeld),
  };
}

export function toOpenOrder([orderId, contract, order, state]: readonly unknown[]): OpenOrder {
  const fields = record(order);
  return {
    orderId: Number(orderId),
    clientId: figure(fields.clientId),
    permId: id(fields.permId),
    orderRef: text(fields.orderRef) ?? '',
    contract: record(contract) as Contract,
    order: fields,
    status: String(record(state).status ?? ''),
    filled: null,
    remaining: null,
    averageFillPrice: null,
  };
}

export function toCompletedOrder([contract, order, state]: readonly unknown[]): CompletedOrder {
  const fields = record(order);
  const { status, completedStatus, completedTime } = record(state);
  return {
    permId: id(fields.permId),
    orderRef: text(fields.orderRef) ?? '',
    contract: record(contract) as Contract,
    order: fields,
    status: String(status ?? ''),
    completedStatus: text(completedStatus),
    completedTime: text(completedTime),
    filled: figure(fields.filledQuantity),
  };
}

export function toFill([, contract, execution]: readonly unknown[]): Fill {
  const fields = record(execution);
  return {
    execId: String(fields.execId),
    orderId: id(fields.orderId),
    permId: id(fields.permId),
    clientId: figure(fields.clientId),
    orderRef: text(fields.orderRef) ?? '',
    contract: record(contract) as Contract,
    account: String(fields.acctNumber ?? ''),
    time: String(fields.time ?? ''),
    exchange: String(fields.exchange ?? ''),
    side: String(fields.side ?? ''),
    quantity: figure(fields.shares) ?? 0,
    price: figure(fields.price) ?? 0,
    cumulativeQuantity: figure(fields.cumQty),
    averagePrice: figure(fields.avgPrice),
    commission: null,
  };
}

export function toCommission([report]: readonly unknown[]): Commission {
  const fields = record(report);
  const amount = figure(fields.commission);
  return {
    execId: String(fields.execId),
    // -1 says that it is not known yet.
    amount: amount === -1 ? null : amount,
    currency: text(fields.currency),
    realizedPnl: figure(fields.realizedPNL),
  };
}

/** The answer to an order that is only tried out; null while the gateway has not calculated it. */
export function toWhatIf(state: unknown): WhatIf | null {
  const fields = record(state);
  const change = (name: string): WhatIf['initialMargin'] => ({
    before: figure(fields[`${name}Before`]),
    change: figure(fields[`${name}Change`]),
    after: figure(fields[`${name}After`]),
  });
  const initialMargin = change('initMargin');
  // A first message may come without any figure. Older gateways do not tell the change.
  if (initialMargin.change === null && initialMargin.after === null) return null;
  return {
    status: String(fields.status ?? ''),
    initialMargin,
    maintenanceMargin: change('maintMargin'),
    equityWithLoan: change('equityWithLoan'),
    commission: figure(fields.commission),
    minCommission: figure(fields.minCommission),
    maxCommission: figure(fields.maxCommission),
    commissionCurrency: text(fields.commissionCurrency),
    warning: text(fields.warningText),
  };
}

/**
 * The part of an execution id that a correction by IB leaves unchanged: all but its last part. Ids of another form
 * are taken whole.
 */
export function executionKey(execId: string): string {
  return /^[^.]+\.[^.]+\.[^.]+\.\d+$/.test(execId) ? execId.slice(0, execId.lastIndexOf('.')) : execId;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return (value ?? {}) as Readonly<Record<string, unknown>>;
}

/** Absent, empty, and IB's largest numbers are all ways to say nothing. */
function figure(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  const number = Number(value);
  return Number.isFinite(number) && Math.abs(number) < 1e300 ? number : null;
}

function id(value: unknown): number | null {
  const number = figure(value);
  return number === null || number === 0 || number === 2_147_483_647 ? null : number;
}

function text(value: unknown): string | null {
  return value === undefined || value === null || value === '' ? null : String(value);
}
