import type { Market } from './market.js';
import { ANY_STOCK } from './market.js';
import type { Instrument, Position, Preview } from './wire/model.js';

/** The positions of the first account at the start. The second holds twice as much, and so on. */
const INITIAL = [
  ['AAPL', 100],
  ['MSFT', 50],
  ['SPY', -20],
] as const;
/** The share of a position's value that an account needs for it. */
const MARGIN_RATES: Readonly<Record<string, number>> = { FUT: 0.06, CASH: 0.03, CRYPTO: 1, OPT: 1, FOP: 1 };
const STOCK_RATE = 0.3;
const MAINTENANCE_SHARE = 0.9;
/** As in the values of accounts. */
const BEFORE = { initial: 250_000, maintenance: 225_000, equity: 1_000_000 };

/** The positions of all accounts. */
export class Holdings {
  readonly #byAccount: Map<string, Map<number, Position>>;

  constructor(accounts: readonly string[], market: Market) {
    this.#byAccount = new Map(accounts.map((account, index) => [account, initial(market, index + 1)]));
  }

  /** Positions that are not closed. */
  of(account: string): Position[] {
    return [...(this.#byAccount.get(account)?.values() ?? [])].filter(({ quantity }) => quantity !== 0);
  }

  position(account: string, conId: number): Position | null {
    return this.#byAccount.get(account)?.get(conId) ?? null;
  }

  /** Books a trade (negative quantities are sold); gives the position and the profit of the part that it closed. */
  trade(
    account: string,
    instrument: Instrument,
    quantity: number,
    price: number,
  ): { position: Position; realized: number | null } {
    const before = this.position(account, instrument.conId);
    const [held, cost] = [before?.quantity ?? 0, before?.averageCost ?? 0];
    const factor = Number(instrument.multiplier) || 1;
    const closed = held * quantity < 0 ? Math.min(Math.abs(held), Math.abs(quantity)) : 0;
    const realized = closed === 0 ? null : closed * (price * factor - cost) * Math.sign(held);
    const after = rounded(held + quantity);
    const isTurned = held * after < 0;
    const grown = (held * cost + quantity * price * factor) / (after || 1);
    const averageCost = rounded(after === 0 ? 0 : isTurned ? price * factor : closed > 0 ? cost : grown);
    const position = { instrument: before?.instrument ?? instrument, quantity: after, averageCost, price };
    this.#byAccount.get(account)?.set(instrument.conId, position);
    return { position, realized };
  }

  /** Previews the effect of a trade on the margins of the account. */
  preview(
    account: string,
    instrument: Instrument,
    quantity: number,
    price: number,
  ): Omit<Preview, 'commission'> {
    const held = this.position(account, instrument.conId)?.quantity ?? 0;
    const value = price * (Number(instrument.multiplier) || 1);
    const rate = MARGIN_RATES[instrument.secType] ?? STOCK_RATE;
    const initial = cents((Math.abs(held + quantity) - Math.abs(held)) * value * rate);
    const change = { initial, maintenance: cents(initial * MAINTENANCE_SHARE), equity: 0 };
    const after = {
      initial: cents(BEFORE.initial + change.initial),
      maintenance: cents(BEFORE.maintenance + change.maintenance),
      equity: BEFORE.equity,
    };
    return { before: BEFORE, change, after };
  }
}

function initial(market: Market, times: number): Map<number, Position> {
  const held = INITIAL.flatMap(([symbol, quantity]) => {
    const [instrument] = market.lookUp({ ...ANY_STOCK, symbol });
    if (instrument === undefined) return [];
    const { basePrice: price, conId } = instrument;
    return [
      [conId, { instrument, quantity: quantity * times, averageCost: cents(price * 0.95), price }] as const,
    ];
  });
  return new Map(held);
}

function cents(amount: number): number {
  return Math.round(amount * 100) / 100;
}

/** Takes out what binary fractions add. */
function rounded(quantity: number): number {
  return Math.round(quantity * 1e8) / 1e8;
}
