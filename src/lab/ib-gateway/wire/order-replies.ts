import type { Execution, OrderState } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

/** An unset number with a fraction, as the protocol writes it. */
export const UNSET = '1.7976931348623157E308';

export function orderStatus(order: OrderState, version: number): Reply {
  return [
    3,
    ...(version < Since.marketCapPrice ? [6] : []),
    order.id,
    order.status,
    order.filled,
    Math.round((order.quantity - order.filled) * 1e8) / 1e8,
    order.price,
    order.permId,
    order.parentId,
    order.lastPrice,
    order.clientId,
    '',
    ...(version >= Since.marketCapPrice ? [0] : []),
  ];
}

/** @param reqId of the request for executions; -1 for one that has just happened */
export function executionDetails(reqId: number, execution: Execution, time: string, version: number): Reply {
  const { order, execId, side, quantity, price, cumulative, averagePrice } = execution;
  const { instrument, terms } = order;
  return [
    11,
    ...(version < Since.lastLiquidity ? [10] : []),
    ...[reqId, order.id, instrument.conId, instrument.symbol, instrument.secType, instrument.expiry],
    ...[instrument.strike, instrument.right, instrument.multiplier, instrument.exchange],
    ...[instrument.currency, instrument.localSymbol, instrument.tradingClass],
    ...[execId, time, terms.account, venueOf(execution), side, quantity, price],
    ...[order.permId, order.clientId, 0, cumulative, averagePrice, terms.reference, '', ''],
    ...(version >= Since.models ? [terms.modelCode] : []),
    ...(version >= Since.lastLiquidity ? [2] : []),
    ...(version >= Since.pendingPriceRevision ? [0] : []),
    ...(version >= Since.submitter ? [''] : []),
  ];
}

export function commissionReport({ execId, commission, order, realizedProfit }: Execution): Reply {
  const profit = realizedProfit ?? UNSET;
  return [59, 1, execId, commission, order.instrument.currency, profit, UNSET, ''];
}

export function openOrdersEnd(): Reply {
  return [53, 1];
}

export function executionsEnd(id: number): Reply {
  return [55, 1, id];
}

export function completedOrdersEnd(): Reply {
  return [102];
}

/** An order to SMART is filled at one of the exchanges. */
export function venueOf({ order: { instrument } }: Execution): string {
  return instrument.exchange === 'SMART' ? instrument.primaryExchange || 'SMART' : instrument.exchange;
}
