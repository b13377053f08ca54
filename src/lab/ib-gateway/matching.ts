import type { Quote } from './market.js';
import type { Instrument, Order } from './wire/model.js';

/** The part of an order that changes with prices only. */
export interface Trigger {
  /** Whether its stop or touch price was reached; true for orders without one. */
  readonly isHit: boolean;
  /** The current stop of a trailing order; null for other orders. */
  readonly stop: number | null;
}

export interface Fill {
  readonly quantity: number;
  readonly price: number;
}

const STOPS = new Set(['STP', 'STP LMT', 'STP PRT']);
const TOUCHES = new Set(['MIT', 'LIT']);
const TRAILS = new Set(['TRAIL', 'TRAIL LIMIT']);
const MARKETS = new Set(['MKT', 'MTL', 'MKT PRT', 'STP', 'STP PRT', 'MIT', 'TRAIL']);
const LIMITS = new Set(['LMT', 'STP LMT', 'LIT', 'TRAIL LIMIT', 'REL', 'MIDPRICE']);

/** Whether an order waits for a price before it goes to the exchange. */
export function isConditional({ terms: { orderType } }: Order): boolean {
  return STOPS.has(orderType) || TOUCHES.has(orderType) || TRAILS.has(orderType);
}

/** Gives the trigger of an order after a price. */
export function triggered(order: Order, before: Trigger, { last }: Quote): Trigger {
  const { orderType, auxPrice, action, trailStopPrice, trailingPercent } = order.terms;
  if (before.isHit || !isConditional(order)) return { isHit: true, stop: before.stop };
  const isBuy = action === 'BUY';
  if (TRAILS.has(orderType)) {
    const percent = amountOf(trailingPercent);
    const distance = percent === null ? (amountOf(auxPrice) ?? 0) : (last * percent) / 100;
    const own = isBuy ? last + distance : last - distance;
    const given = before.stop ?? amountOf(trailStopPrice) ?? own;
    if (isBuy ? last >= given : last <= given) return { isHit: true, stop: given };
    return { isHit: false, stop: isBuy ? Math.min(given, own) : Math.max(given, own) };
  }
  const price = Number(auxPrice);
  const isAbove = last >= price;
  const isHit = STOPS.has(orderType) === isBuy ? isAbove : last <= price;
  return { isHit, stop: null };
}

/** Gives the part of an order that is executed at a price, no more than the size shown at it; null for none. */
export function fillOf(order: Order, { isHit }: Trigger, { bid, ask, bidSize, askSize }: Quote): Fill | null {
  const { orderType, action, limitPrice, timeInForce, allOrNone } = order.terms;
  const isBuy = action === 'BUY';
  const price = isBuy ? ask : bid;
  const limit = Number(limitPrice);
  const isReached = isBuy ? limit >= price : limit <= price;
  if (!isHit || timeInForce === 'OPG') return null;
  if (!MARKETS.has(orderType) && !(LIMITS.has(orderType) && limit > 0 && isReached)) return null;
  const remaining = order.quantity - order.filled;
  const shown = isBuy ? askSize : bidSize;
  const isWhole = timeInForce === 'FOK' || allOrNone === '1';
  if (isWhole && shown < remaining) return null;
  return { quantity: Math.min(remaining, shown), price };
}

/** null if the client left it unset: empty, 0, or the largest number there is. */
function amountOf(text: string): number | null {
  const amount = Number(text);
  return amount > 0 && amount < 1e300 ? amount : null;
}

/** The commission on so much of an order, about as the broker publishes it. */
export function commissionOf({ secType, multiplier }: Instrument, quantity: number, price: number): number {
  switch (secType) {
    case 'OPT':
    case 'FOP':
      return Math.max(1, 0.65 * quantity);
    case 'FUT':
      return 2.25 * quantity;
    case 'CASH':
    case 'CMDTY':
      return 2;
    case 'CRYPTO':
      return Math.max(1.75, 0.0018 * quantity * price * (Number(multiplier) || 1));
    default:
      return Math.max(1, 0.005 * quantity);
  }
}
