import type { Field } from './frames.js';
import type { Order } from './model.js';
import type { Reply } from './replies.js';
import { Since } from './versions.js';

/** Unset, as the protocol writes it for numbers of 64 bits. */
const NO_PERM_ID = '9223372036854775807';

/**
 * A finished order: its terms, how it ended, and when. It has neither an order id nor a client id. Layout: OrderDecoder
 * of the vendor's clients, from version 150 on. @stoqey/ib 1.6.10 cannot read it below version 177.
 *
 * @param completedTime with its zone: `20260105 16:00:00 UTC`
 */
export function completedOrder(
  { instrument, terms, ...order }: Order,
  completedTime: string,
  version: number,
): Reply {
  const since = (gate: number, ...fields: readonly Field[]): readonly Field[] =>
    version >= gate ? fields : [];
  const isPegged = /^PEG ?BENCH$/.test(terms.orderType);
  const isFilled = order.status === 'Filled';
  return [
    101,
    ...[instrument.conId, instrument.symbol, instrument.secType, instrument.expiry, instrument.strike],
    ...[instrument.right, instrument.multiplier, instrument.exchange, instrument.currency],
    ...[instrument.localSymbol, instrument.tradingClass],
    ...[terms.action, order.quantity, terms.orderType, terms.limitPrice, terms.auxPrice, terms.timeInForce],
    ...[terms.ocaGroup, terms.account, terms.openClose, terms.origin || 0, terms.reference, order.permId],
    ...[terms.outsideRth, terms.hidden, terms.discretionaryAmount || 0, terms.goodAfterTime],
    // The group, method and percentage of an adviser.
    ...['', '', ''],
    ...(version < Since.adviserProfilesGone ? [''] : []),
    ...[terms.modelCode, terms.goodTillDate, terms.rule80A, terms.percentOffset],
    // The settling firm, and how stock is borrowed.
    ...['', 0, '', -1],
    // Starting and reference prices, delta, and the range of the stock.
    ...['', '', '', '', ''],
    ...[
      terms.displaySize,
      0,
      terms.allOrNone || 0,
      terms.minQuantity,
      terms.ocaType,
      terms.triggerMethod || 0,
    ],
    ...[terms.volatility, terms.volatilityType || 0],
    // The delta-neutral order, continuous updates and their reference.
    ...['', '', 0, 0],
    ...[terms.trailStopPrice, terms.trailingPercent],
    // Legs: their description, number, prices and routing; then the scale.
    ...['', 0, 0, 0],
    ...['', '', ''],
    // Hedge, clearing account and intent, not held, delta-neutral contract, algorithm, solicited.
    ...['', '', 'IB', 0, 0, '', 0],
    order.status,
    ...[0, 0],
    ...(isPegged ? [0, 0, 0, 0, ''] : []),
    // Conditions, the stop price, the offset of the limit.
    ...[0, '', ''],
    // Cash quantity, price for a hedge, order container.
    ...['', 0, 0],
    // When it is canceled by itself.
    '',
    order.filled,
    // A future to refer to, whether the parent is canceled, the shareholder, imbalances, where it is routed.
    ...['', 0, '', 0, 0],
    NO_PERM_ID,
    completedTime,
    isFilled ? `Filled Size: ${order.filled}` : 'Cancelled by Trader',
    ...since(Since.peggedOffsets, '', '', '', '', ''),
    ...since(Since.customerAccount, ''),
    ...since(Since.professionalCustomer, 0),
    ...since(Since.submitter, ''),
  ];
}
