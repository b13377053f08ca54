import type { Instrument, Order, OrderTerms } from '../../../src/lab/ib-gateway/wire/model.js';

export const TERMS: OrderTerms = {
  ...{ action: 'BUY', orderType: 'LMT', limitPrice: '1', auxPrice: '', timeInForce: 'DAY', account: 'DU1' },
  ...{ reference: '', ocaGroup: '', ocaType: 0, outsideRth: false, hidden: false, openClose: '', origin: '' },
  ...{ displaySize: '', triggerMethod: '', discretionaryAmount: '', goodAfterTime: '', goodTillDate: '' },
  ...{ modelCode: '', rule80A: '', allOrNone: '', minQuantity: '', percentOffset: '', volatility: '' },
  ...{ volatilityType: '', trailStopPrice: '', trailingPercent: '' },
};

/** A limit order for ten that works. */
export function orderOf(instrument: Instrument): Order {
  return {
    ...{ id: 5, clientId: 2, permId: 77, parentId: 0, quantity: 10, filled: 0, price: 0, lastPrice: 0 },
    ...{ status: 'Submitted', instrument, terms: TERMS, commission: null },
  };
}
