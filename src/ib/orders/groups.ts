import type { Contract, Order } from '../contracts.js';
import type { RequestOptions } from '../requests.js';
import type { OrderHandle } from './handle.js';
import type { OrderLedger } from './ledger.js';

/** Orders that belong together. Quantities and actions of the exits default to the opposite of the entry. */
export interface Bracket {
  readonly entry: Order;
  readonly takeProfit?: Order;
  readonly stopLoss?: Order;
  /** Further orders that wait for the entry. */
  readonly others?: readonly Order[];
}

export interface BracketOrders {
  readonly entry: OrderHandle;
  readonly takeProfit: OrderHandle | null;
  readonly stopLoss: OrderHandle | null;
  readonly others: readonly OrderHandle[];
}

/**
 * TWS holds an order with `transmit: false` until an order of the same bracket is sent with `transmit: true`: so the
 * entry never goes out without its exits. The references of the exits are that of the entry with a suffix.
 */
export function placeBracket(
  ledger: OrderLedger,
  contract: Contract,
  { entry, takeProfit, stopLoss, others = [] }: Bracket,
  options?: RequestOptions,
): BracketOrders {
  const exits = [takeProfit, stopLoss, ...others].filter((order) => order !== undefined);
  const parent = ledger.place(null, contract, { ...entry, transmit: exits.length === 0 }, options);
  const placeExit = (order: Order | undefined, suffix: string): OrderHandle | null => {
    if (order === undefined) return null;
    const isLast = order === exits.at(-1);
    const orderRef = order.orderRef ?? `${parent.orderRef}-${suffix}`;
    return ledger.place(
      null,
      contract,
      { ...opposite(entry), ...order, orderRef, parentId: parent.id, transmit: isLast },
      options,
    );
  };
  return {
    entry: parent,
    takeProfit: placeExit(takeProfit, 'take-profit'),
    stopLoss: placeExit(stopLoss, 'stop-loss'),
    others: others.flatMap((order, at) => placeExit(order, `exit-${at + 1}`) ?? []),
  };
}

/** `ocaType` 1 by default: the rest is canceled, and nothing is filled beyond what was meant. */
export function placeOca(
  ledger: OrderLedger,
  orders: readonly { readonly contract: Contract; readonly order: Order }[],
  options?: RequestOptions,
): OrderHandle[] {
  const given = orders[0]?.order.ocaGroup;
  const ocaGroup = typeof given === 'string' && given !== '' ? given : ledger.newRef('-oca');
  return orders.map(({ contract, order }) =>
    ledger.place(null, contract, { ocaType: 1, ...order, ocaGroup }, options),
  );
}

function opposite({ action, totalQuantity }: Order): Order {
  return { action: action === 'SELL' ? 'BUY' : 'SELL', totalQuantity };
}
