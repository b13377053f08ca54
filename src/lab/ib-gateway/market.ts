import { type Random, seededRandom } from '../../base/random.js';
import type { Bar, History, Instrument, Position, WrittenBars } from './wire/model.js';
import type { ContractQuery, HistoryQuery } from './wire/requests.js';
import { Since } from './wire/versions.js';

export interface Quote {
  readonly bid: number;
  readonly ask: number;
  readonly last: number;
  readonly bidSize: number;
  readonly askSize: number;
  readonly lastSize: number;
}

/** A kind that is not here has a layout of its own (bonds, funds), or no price (combinations). */
const KINDS: Readonly<Record<string, { readonly multiplier: string; readonly expires: boolean }>> = {
  STK: { multiplier: '', expires: false },
  ETF: { multiplier: '', expires: false },
  IND: { multiplier: '', expires: false },
  CASH: { multiplier: '', expires: false },
  CRYPTO: { multiplier: '', expires: false },
  FUT: { multiplier: '50', expires: true },
  OPT: { multiplier: '100', expires: true },
};
/** The gateway knows every symbol of up to five letters; `NOSUCH` is an example of one that it does not know. */
const KNOWN_SYMBOL = /^[A-Z]{1,5}$/;
const DEFAULT_EXPIRY = '20271217';
/** No history has more, whatever is asked for: the fault of a large one is the client's to see, not the gateway's. */
const MOST_BARS = 100_000;
const SECONDS_PER = { S: 1, D: 86_400, W: 7 * 86_400, M: 30 * 86_400, Y: 365 * 86_400 } as const;
const BAR_SECONDS = {
  sec: 1,
  min: 60,
  hour: 3600,
  day: 86_400,
  week: 7 * 86_400,
  month: 30 * 86_400,
} as const;

/** Instruments by name and by number. What it makes up depends on the names and the seed alone. */
export class Market {
  readonly #seed: number;
  readonly #byConId = new Map<number, Instrument>();
  readonly #quotes = new Map<number, { tick: number; quote: Quote }>();
  /** Oldest first. */
  readonly #histories = new Map<string, KeptBars>();
  #keptBars = 0;
  readonly #askedOnce = new Set<string>();

  constructor(seed: number) {
    this.#seed = seed;
  }

  /** The instrument that is meant; null where there is none of that description. */
  find(query: ContractQuery): Instrument | null {
    if (query.symbol === '' && query.localSymbol === '') return this.#byConId.get(query.conId) ?? null;
    const symbol = query.symbol === '' ? query.localSymbol : query.symbol;
    const kind = KINDS[query.secType];
    if (kind === undefined || !KNOWN_SYMBOL.test(symbol)) return null;
    const currency = query.currency === '' ? 'USD' : query.currency;
    const expiry = kind.expires ? query.expiry || DEFAULT_EXPIRY : '';
    const strike = Number(query.strike) || 0;
    const right = query.secType === 'OPT' ? query.right.slice(0, 1) || 'C' : '';
    const identity = [symbol, query.secType, currency, expiry, strike, right].join('|');
    const hash = fnv(identity);
    const conId = 1 + (hash % 900_000_000);
    const known = this.#byConId.get(conId);
    const primaryExchange = query.primaryExchange || 'NASDAQ';
    const exchange = query.exchange || 'SMART';
    const instrument: Instrument = known ?? {
      conId,
      symbol,
      secType: query.secType,
      expiry,
      strike,
      right,
      multiplier: kind.multiplier,
      exchange,
      primaryExchange,
      currency,
      localSymbol: symbol,
      tradingClass: query.tradingClass || symbol,
      marketName: symbol,
      longName: `${symbol} INC`,
      validExchanges: `SMART,${primaryExchange}`,
      tradingHours: '20260105:1430-20260105:2100',
      minTick: 0.01,
      basePrice: 20 + (hash % 48_000) / 100,
    };
    // Whoever asks for ever new ones makes it no larger.
    if (known === undefined && this.#byConId.size < MOST_INSTRUMENTS) this.#byConId.set(conId, instrument);
    return exchange === instrument.exchange ? instrument : { ...instrument, exchange };
  }

  /** The price at a tick; everyone that looks at the same tick sees the same. */
  quote(instrument: Instrument, tick: number): Quote {
    const known = this.#quotes.get(instrument.conId);
    if (known?.tick === tick) return known.quote;
    const random = seededRandom(this.#seed ^ instrument.conId ^ Math.imul(tick, 0x9e3779b1));
    const last = round(instrument.basePrice * (1 + (random() - 0.5) / 100));
    const quote = {
      bid: round(last - 0.01),
      ask: round(last + 0.01),
      last,
      bidSize: 100 * (1 + Math.floor(random() * 20)),
      askSize: 100 * (1 + Math.floor(random() * 20)),
      lastSize: 100 * (1 + Math.floor(random() * 5)),
    };
    if (known !== undefined || this.#quotes.size < MOST_INSTRUMENTS)
      this.#quotes.set(instrument.conId, { tick, quote });
    return quote;
  }

  /** The bars asked for, oldest first, and their range; a complaint where the request makes no sense. */
  history(instrument: Instrument, query: HistoryQuery, nowMs: number, version: number): History | string {
    const barSeconds = barSecondsOf(query.barSize);
    const seconds = durationSeconds(query.duration);
    const endMs = query.end === '' ? nowMs : parseTime(query.end);
    if (barSeconds === null) return `invalid bar size '${query.barSize}'`;
    if (seconds === null) return `invalid duration '${query.duration}'`;
    if (endMs === null) return `invalid end time '${query.end}'`;
    const count = Math.min(MOST_BARS, Math.max(1, Math.floor(seconds / barSeconds)));
    const endSeconds = Math.floor(endMs / 1000 / barSeconds) * barSeconds;
    const range = (at: number) => timeText(at * 1000, false, version);
    const [start, end] = [range(endSeconds - seconds), range(endSeconds)];
    const writeTime = query.epochTimes ? String : timeWriter(barSeconds >= BAR_SECONDS.day, version);
    const key = [instrument.conId, endSeconds, barSeconds, count, writeTime(endSeconds)].join(' ');
    const known = this.#histories.get(key);
    if (known !== undefined) return { ...known, start, end };
    const random = seededRandom(this.#seed ^ instrument.conId ^ endSeconds);
    const bars = makeBars(instrument.basePrice, random, count, (back) =>
      writeTime(endSeconds - back * barSeconds),
    );
    this.#keep(key, bars);
    return { bars, start, end };
  }

  /**
   * Many clients ask for the same, and what was sent is written once: see historicalBars in replies.ts. To keep what is
   * asked for once would cost more than to make it.
   */
  #keep(key: string, bars: readonly Bar[]): void {
    if (bars.length > MOST_KEPT_BARS / 10) return;
    if (!this.#askedOnce.delete(key)) {
      if (this.#askedOnce.size >= MOST_INSTRUMENTS) this.#askedOnce.clear();
      this.#askedOnce.add(key);
      return;
    }
    this.#histories.set(key, { bars, written: {} });
    this.#keptBars += bars.length;
    for (const [oldest, its] of this.#histories) {
      if (this.#keptBars <= MOST_KEPT_BARS) return;
      this.#histories.delete(oldest);
      this.#keptBars -= its.bars.length;
    }
  }

  /** The bar that is being made, for a history that is kept up to date. */
  currentBar(instrument: Instrument, query: HistoryQuery, tick: number, nowMs: number, version: number): Bar {
    const { last, lastSize } = this.quote(instrument, tick);
    const barSeconds = barSecondsOf(query.barSize) ?? 60;
    const at = Math.floor(nowMs / 1000 / barSeconds) * barSeconds;
    const time = query.epochTimes ? String(at) : timeText(at * 1000, barSeconds >= BAR_SECONDS.day, version);
    const base = { time, open: last, high: last, low: last, close: last };
    return { ...base, volume: lastSize, average: last, count: 1 };
  }

  /** What each account holds. */
  positions(accountIndex: number): Position[] {
    return POSITIONS.flatMap(([symbol, quantity]) => {
      const instrument = this.find({ ...ANY_STOCK, symbol });
      if (instrument === null) return [];
      const averageCost = round(instrument.basePrice * 0.95);
      return [
        { instrument, quantity: quantity * (accountIndex + 1), averageCost, price: instrument.basePrice },
      ];
    });
  }
}

interface KeptBars {
  readonly bars: readonly Bar[];
  readonly written: WrittenBars;
}

/** `timeOf` is asked with how many bars before the last. */
function makeBars(
  basePrice: number,
  random: Random,
  count: number,
  timeOf: (back: number) => string,
): readonly Bar[] {
  const bars: Bar[] = [];
  let close = basePrice;
  for (let back = count - 1; back >= 0; back--) {
    const open = close;
    close = round(Math.max(0.01, open * (1 + (random() - 0.5) / 200)));
    const spread = random() / 10;
    bars.push({
      time: timeOf(back),
      open,
      high: round(Math.max(open, close) + spread),
      low: round(Math.max(0.01, Math.min(open, close) - spread)),
      close,
      volume: 100 + Math.floor(random() * 10_000),
      average: round((open + close) / 2),
      count: 1 + Math.floor(random() * 500),
    });
  }
  return bars;
}

const MOST_INSTRUMENTS = 10_000;
/** In all histories that are kept: some ten megabytes. */
const MOST_KEPT_BARS = 50_000;
const POSITIONS = [
  ['AAPL', 100],
  ['MSFT', 50],
  ['SPY', -20],
] as const;
const ANY_STOCK: ContractQuery = {
  conId: 0,
  symbol: '',
  secType: 'STK',
  expiry: '',
  strike: '',
  right: '',
  multiplier: '',
  exchange: '',
  primaryExchange: '',
  currency: '',
  localSymbol: '',
  tradingClass: '',
};

/** `30 secs` -> 30; null where it is no bar size. */
export function barSecondsOf(text: string): number | null {
  const [, count, unit] = /^(\d{1,2}) ?(sec|min|hour|day|week|month|[WM])s?$/.exec(text.trim()) ?? [];
  if (unit === undefined || Number(count) < 1) return null;
  const key = unit === 'W' ? 'week' : unit === 'M' ? 'month' : (unit as keyof typeof BAR_SECONDS);
  return Number(count) * BAR_SECONDS[key];
}

/** `2 D` -> 172800; null where it is no duration. */
function durationSeconds(text: string): number | null {
  const [, count, unit] = /^(\d{1,6}) ([SDWMY])$/.exec(text.trim()) ?? [];
  if (unit === undefined || Number(count) < 1) return null;
  return Number(count) * SECONDS_PER[unit as keyof typeof SECONDS_PER];
}

/** `20260105 16:00:00 UTC`, `20260105-16:00:00`; every zone is taken for UTC. null where it is no time. */
function parseTime(text: string): number | null {
  const [, year, month, day, hour, minute, second = '0'] =
    /^(\d{4})(\d{2})(\d{2})[ -]+(\d{2}):(\d{2})(?::(\d{2}))?(?: \S.*)?$/.exec(text.trim()) ?? [];
  if (minute === undefined) return null;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

/** `20260105`, `20260105 16:00:00 UTC`; before times named their zone there were two blanks and none. */
function timeText(ms: number, isDay: boolean, version: number): string {
  const iso = new Date(ms).toISOString();
  const day = iso.slice(0, 10).replaceAll('-', '');
  if (isDay) return day;
  const time = iso.slice(11, 19);
  return version >= Since.instrumentTimeZone ? `${day} ${time} UTC` : `${day}  ${time}`;
}

/** As timeText, for many times, in seconds, of which most are of the same day. */
function timeWriter(isDay: boolean, version: number): (atSeconds: number) => string {
  const [gap, zone] = version >= Since.instrumentTimeZone ? [' ', ' UTC'] : ['  ', ''];
  let day: number | null = null;
  let date = '';
  return (atSeconds) => {
    const own = Math.floor(atSeconds / BAR_SECONDS.day);
    if (own !== day) {
      day = own;
      date = timeText(atSeconds * 1000, true, version);
    }
    if (isDay) return date;
    const seconds = atSeconds - own * BAR_SECONDS.day;
    const minutes = Math.floor(seconds / 60);
    return `${date}${gap}${TWO[Math.floor(minutes / 60)]}:${TWO[minutes % 60]}:${TWO[seconds % 60]}${zone}`;
  };
}

const TWO = Array.from({ length: 60 }, (_, value) => String(value).padStart(2, '0'));

function round(price: number): number {
  return Math.round(price * 100) / 100;
}

/** FNV-1a, 32 bits. */
function fnv(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}
