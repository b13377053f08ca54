/** One level of the order book. */
export interface KiteLevel {
  readonly quantity: number;
  readonly price: number;
  readonly orders: number;
}

/** A packet of Kite Connect, with prices in rupees (or the unit of the instrument). Times are in seconds. */
export interface KiteTick {
  readonly token: number;
  readonly mode: 'ltp' | 'quote' | 'full';
  readonly isIndex: boolean;
  readonly lastPrice: number;
  readonly lastQuantity?: number;
  readonly averagePrice?: number;
  readonly volume?: number;
  readonly buyQuantity?: number;
  readonly sellQuantity?: number;
  readonly open?: number;
  readonly high?: number;
  readonly low?: number;
  readonly close?: number;
  readonly lastTradeTime?: number;
  readonly openInterest?: number;
  readonly openInterestHigh?: number;
  readonly openInterestLow?: number;
  readonly exchangeTime?: number;
  readonly bids?: readonly KiteLevel[];
  readonly asks?: readonly KiteLevel[];
}

const LTP = 8;
const INDEX_QUOTE = 28;
const INDEX_FULL = 32;
const QUOTE = 44;
const FULL = 184;
const LEVEL = 12;
const INDICES = 9;

/** By segment, the low byte of a token: currencies have more decimals. As Kite's own clients have it. */
function divisorOf(token: number): number {
  const segment = token & 0xff;
  if (segment === 3) return 10_000_000;
  return segment === 6 ? 10_000 : 100;
}

/**
 * Reads a binary message of Kite Connect 3: a count, then packets with their lengths, big-endian. Throws a RangeError
 * where the message does not hold what it says, before any of its packets is given.
 *
 * The layout is that of the documentation and of Kite's own clients (pykiteconnect, kiteconnectjs).
 */
export function readKiteMessage(bytes: Uint8Array): KiteTick[] {
  if (bytes.byteLength < 2) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint16(0);
  const ticks: KiteTick[] = [];
  let at = 2;
  for (let packet = 0; packet < count; packet++) {
    const length = view.getUint16(at);
    if (at + 2 + length > bytes.byteLength)
      throw new RangeError(
        `packet ${packet + 1} of ${count} goes beyond the ${bytes.byteLength} bytes of its message`,
      );
    ticks.push(readPacket(view, at + 2, length));
    at += 2 + length;
  }
  return ticks;
}

function readPacket(view: DataView, at: number, length: number): KiteTick {
  const token = view.getUint32(at);
  const isIndex = (token & 0xff) === INDICES;
  const divisor = divisorOf(token);
  const price = (offset: number): number => view.getInt32(at + offset) / divisor;
  const lastPrice = price(4);
  switch (length) {
    case LTP:
      return { token, mode: 'ltp', isIndex, lastPrice };
    case INDEX_QUOTE:
    case INDEX_FULL:
      return {
        ...{ token, mode: length === INDEX_FULL ? 'full' : 'quote', isIndex, lastPrice },
        ...{ high: price(8), low: price(12), open: price(16), close: price(20) },
        ...(length === INDEX_FULL ? { exchangeTime: view.getUint32(at + 28) } : {}),
      };
    case QUOTE:
    case FULL: {
      const quantity = (offset: number): number => view.getUint32(at + offset);
      return {
        ...{ token, mode: length === FULL ? 'full' : 'quote', isIndex, lastPrice },
        ...{ lastQuantity: quantity(8), averagePrice: price(12), volume: quantity(16) },
        ...{ buyQuantity: quantity(20), sellQuantity: quantity(24) },
        ...{ open: price(28), high: price(32), low: price(36), close: price(40) },
        ...(length === FULL ? readFull(view, at, divisor) : {}),
      };
    }
    default:
      throw new RangeError(`a packet of ${length} bytes is of no known kind`);
  }
}

function readFull(view: DataView, at: number, divisor: number): Partial<KiteTick> {
  const levels = (from: number): KiteLevel[] =>
    Array.from({ length: 5 }, (_, level) => {
      const offset = at + from + level * LEVEL;
      return {
        quantity: view.getUint32(offset),
        price: view.getInt32(offset + 4) / divisor,
        orders: view.getUint16(offset + 8),
      };
    });
  return {
    lastTradeTime: view.getUint32(at + 44),
    openInterest: view.getUint32(at + 48),
    openInterestHigh: view.getUint32(at + 52),
    openInterestLow: view.getUint32(at + 56),
    exchangeTime: view.getUint32(at + 60),
    bids: levels(64),
    asks: levels(124),
  };
}
