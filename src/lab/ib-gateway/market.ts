import { type Random, seededRandom } from '../../base/random.js';
import { contractsFor, knownByNumber } from './contracts.js';
import { barStarts, barsIn, hoursText, sessionOf, sessionsBefore } from './hours.js';
import type { Bar, History, Instrument, WrittenBars } from './wire/model.js';
import type { ContractQuery, HistoryQuery } from './wire/request-types.js';
import { Since } from './wire/versions.js';

export interface Quote {
  readonly bid: number;
  readonly ask: number;
  readonly last: number;
  readonly bidSize: number;
  readonly askSize: number;
  readonly lastSize: number;
}

/** No history has more, whatever is asked for: the fault of a large one is the client's to see, not the gateway's. */
const MOST_BARS = 100_000;
const MOST_DAYS = 1000;
/** Texts of trading hours that are kept: those of a day, for each kind of instrument. */
const MOST_HOURS = 100;
const DEFAULT_NOW_MS = Date.UTC(2026, 0, 5);
const BAR_SECONDS = {
  sec: 1,
  min: 60,
  hour: 3600,
  day: 86_400,
  week: 7 * 86_400,
  month: 30 * 86_400,
} as const;

/** Instruments by name and by number, with prices that depend on their names and the seed alone. */
export class Market {
  readonly #seed: number;
  readonly #wallTime: () => number;
  readonly #byConId = new Map<number, Instrument>();
  readonly #quotes = new Map<number, { tick: number; quote: Quote }>();
  /** By the text of the query: most clients ask for few contracts, many times. */
  readonly #found = new Map<string, readonly Instrument[]>();
  readonly #hours = new Map<string, string>();
  /** Oldest first. */
  readonly #histories = new Map<string, KeptBars>();
  #keptBars = 0;
  readonly #askedOnce = new Set<string>();

  /** `wallTime` gives milliseconds since the epoch: which options and futures there are depends on the date. */
  constructor(seed: number, wallTime: () => number = () => DEFAULT_NOW_MS) {
    this.#seed = seed;
    this.#wallTime = wallTime;
  }

  /** The instrument that is meant; null if none fits the description, and `ambiguous` if several do. */
  find(query: ContractQuery): Instrument | 'ambiguous' | null {
    const found = this.lookUp(query);
    return found.length > 1 ? 'ambiguous' : (found[0] ?? null);
  }

  /** All instruments that fit the description. */
  lookUp(query: ContractQuery): readonly Instrument[] {
    const { conId, symbol, secType, expiry, strike, right, multiplier, exchange } = query;
    const { primaryExchange, currency, localSymbol, tradingClass } = query;
    const key = `${conId}|${symbol}|${secType}|${expiry}|${strike}|${right}|${multiplier}|${exchange}|${primaryExchange}|${currency}|${localSymbol}|${tradingClass}`;
    const known = this.#found.get(key);
    if (known !== undefined) return known;
    const found = this.#lookUp(query);
    // The list of options and futures depends on the date, and an unknown number may be known later.
    if (found.length === 1 && this.#found.size < MOST_INSTRUMENTS) this.#found.set(key, found);
    return found;
  }

  #lookUp(query: ContractQuery): readonly Instrument[] {
    const numbered = query.conId > 0 ? this.#numbered(query.conId) : undefined;
    if (numbered !== undefined) {
      const { exchange } = query;
      return [exchange === '' || exchange === numbered.exchange ? numbered : { ...numbered, exchange }];
    }
    if (query.symbol === '' && query.localSymbol === '') return [];
    const found = contractsFor(query, this.#wallTime());
    for (const one of found) this.#remember(one);
    return found;
  }

  /** When an instrument is traded in the days to come, as contract details have it. */
  hours(instrument: Instrument, regularOnly: boolean): string {
    const nowMs = this.#wallTime();
    const { trading, secType } = instrument;
    const key = `${trading} ${secType} ${regularOnly} ${Math.floor(nowMs / 86_400_000)}`;
    const known = this.#hours.get(key);
    if (known !== undefined) return known;
    if (this.#hours.size >= MOST_HOURS) this.#hours.clear();
    const text = hoursText(sessionOf(instrument, regularOnly), nowMs);
    this.#hours.set(key, text);
    return text;
  }

  #numbered(conId: number): Instrument | undefined {
    const known = this.#byConId.get(conId);
    if (known !== undefined) return known;
    const description = knownByNumber(conId);
    return description === null
      ? undefined
      : contractsFor({ ...ANY_STOCK, ...description }, this.#wallTime())[0];
  }

  /** Clients that ask for ever new instruments do not fill the memory. */
  #remember(instrument: Instrument): void {
    if (this.#byConId.size < MOST_INSTRUMENTS || this.#byConId.has(instrument.conId))
      this.#byConId.set(instrument.conId, instrument);
  }

  /** The price at a tick; everyone that looks at the same tick sees the same. */
  quote(instrument: Instrument, tick: number): Quote {
    const known = this.#quotes.get(instrument.conId);
    if (known?.tick === tick) return known.quote;
    const random = seededRandom(this.#seed ^ instrument.conId ^ Math.imul(tick, 0x9e3779b1));
    const { basePrice, minTick, trading, secType } = instrument;
    const last = roundTo(basePrice * (1 + (random() - 0.5) / 100), minTick);
    const lot = secType === 'CASH' ? 100_000 : trading === 'stock' ? 100 : 1;
    const quote = {
      bid: Math.max(minTick, roundTo(last - minTick, minTick)),
      ask: roundTo(last + minTick, minTick),
      last,
      bidSize: lot * (1 + Math.floor(random() * 20)),
      askSize: lot * (1 + Math.floor(random() * 20)),
      lastSize: lot * (1 + Math.floor(random() * 5)),
    };
    if (known !== undefined || this.#quotes.size < MOST_INSTRUMENTS)
      this.#quotes.set(instrument.conId, { tick, quote });
    return quote;
  }

  /** The bars asked for, oldest first, and their range; a complaint if the request makes no sense. */
  history(instrument: Instrument, query: HistoryQuery, nowMs: number, version: number): History | string {
    const barSeconds = barSecondsOf(query.barSize);
    const duration = durationOf(query.duration);
    const endMs = query.end === '' ? nowMs : parseTime(query.end);
    if (barSeconds === null) return `invalid bar size '${query.barSize}'`;
    if (duration === null) return `invalid duration '${query.duration}'`;
    if (endMs === null) return `invalid end time '${query.end}'`;
    const session = sessionOf(instrument, query.regularHoursOnly);
    const wanted = barsIn(session, duration.count, duration.unit, barSeconds);
    const count = Math.min(MOST_BARS, Math.max(1, wanted));
    const endSeconds = Math.ceil(endMs / 1000);
    const [newest = endSeconds] = barStarts(session, 1, endSeconds, barSeconds);
    const end = timeText(endSeconds * 1000, false, version);
    const writeTime = query.epochTimes ? String : timeWriter(barSeconds >= BAR_SECONDS.day, version);
    const hours = query.regularHoursOnly ? 'regular' : 'all';
    const key = `${instrument.conId} ${newest} ${barSeconds} ${count} ${hours} ${writeTime(newest)}`;
    const known = this.#histories.get(key);
    if (known !== undefined) return { ...known, start: timeText(known.oldest * 1000, false, version), end };
    const starts = barStarts(session, count, endSeconds, barSeconds);
    const oldest = starts.at(-1) ?? newest;
    const start = timeText(oldest * 1000, false, version);
    const random = seededRandom(this.#seed ^ instrument.conId ^ newest);
    const bars = makeBars(instrument, random, count, (back) => writeTime(starts[back] as number));
    this.#keep(key, bars, oldest);
    return { bars, start, end };
  }

  /** The sessions of so many days; a complaint if the request makes no sense. Times have no zone of their own. */
  schedule(instrument: Instrument, query: HistoryQuery, nowMs: number): Schedule | string {
    const duration = durationOf(query.duration);
    const endMs = query.end === '' ? nowMs : parseTime(query.end);
    if (duration === null || duration.unit === 'S') return `invalid duration '${query.duration}'`;
    if (endMs === null) return `invalid end time '${query.end}'`;
    const session = sessionOf(instrument, query.regularHoursOnly);
    const days = Math.min(MOST_DAYS, barsIn(session, duration.count, duration.unit, BAR_SECONDS.day));
    const sessions = sessionsBefore(session, days, Math.ceil(endMs / 1000)).map(({ fromS, toS }) => ({
      start: scheduleTime(fromS),
      end: scheduleTime(toS),
      day: scheduleTime(fromS).slice(0, 8),
    }));
    const [first, last] = [sessions[0]?.start ?? '', sessions.at(-1)?.end ?? ''];
    return { start: first, end: last, sessions };
  }

  /**
   * Many clients ask for the same, and what was sent is written once: see historicalBars in replies.ts. To keep what is
   * asked for once would cost more than to make it.
   */
  #keep(key: string, bars: readonly Bar[], oldest: number): void {
    if (bars.length > MOST_KEPT_BARS / 10) return;
    if (!this.#askedOnce.delete(key)) {
      if (this.#askedOnce.size >= MOST_INSTRUMENTS) this.#askedOnce.clear();
      this.#askedOnce.add(key);
      return;
    }
    this.#histories.set(key, { bars, oldest, written: {} });
    this.#keptBars += bars.length;
    for (const [oldest, its] of this.#histories) {
      if (this.#keptBars <= MOST_KEPT_BARS) return;
      this.#histories.delete(oldest);
      this.#keptBars -= its.bars.length;
    }
  }

  /** When the bar of a query that is under way began, as its history writes it. */
  barTime(query: HistoryQuery, nowMs: number, version: number): string {
    const barSeconds = barSecondsOf(query.barSize) ?? 60;
    const at = Math.floor(nowMs / 1000 / barSeconds) * barSeconds;
    return query.epochTimes ? String(at) : timeText(at * 1000, barSeconds >= BAR_SECONDS.day, version);
  }
}

/** The time of an execution or of the like: `20260105 16:00:00 UTC`, without its zone where servers are older. */
export function timeText(ms: number, isDay: boolean, version: number): string {
  const iso = new Date(ms).toISOString();
  const day = iso.slice(0, 10).replaceAll('-', '');
  if (isDay) return day;
  const time = iso.slice(11, 19);
  return version >= Since.instrumentTimeZone ? `${day} ${time} UTC` : `${day}  ${time}`;
}

/** `20260105 16:00:00 UTC`, `20260105-16:00:00`; every zone is taken for UTC. null if it is not a time. */
export function parseTime(text: string): number | null {
  const [, year, month, day, hour, minute, second = '0'] =
    /^(\d{4})(\d{2})(\d{2})[ -]+(\d{2}):(\d{2})(?::(\d{2}))?(?: \S.*)?$/.exec(text.trim()) ?? [];
  if (minute === undefined) return null;
  return Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
}

/** Rounds to a multiple of the least step of a price. */
export function roundTo(price: number, step: number): number {
  const steps = Math.round(1 / step);
  return Math.round(price * steps) / steps;
}

export interface Schedule {
  readonly start: string;
  readonly end: string;
  readonly sessions: readonly { readonly start: string; readonly end: string; readonly day: string }[];
}

interface KeptBars {
  readonly bars: readonly Bar[];
  /** When the first of them starts, in seconds since the epoch. */
  readonly oldest: number;
  readonly written: WrittenBars;
}

/** `timeOf` is called with how many bars come after it. */
function makeBars(
  { basePrice, minTick, sizeStep }: Instrument,
  random: Random,
  count: number,
  timeOf: (back: number) => string,
): readonly Bar[] {
  const steps = Math.round(1 / minTick);
  const round = (price: number): number => Math.round(price * steps) / steps;
  const wick = basePrice / 2000;
  const bars: Bar[] = [];
  let close = round(basePrice);
  for (let back = count - 1; back >= 0; back--) {
    const open = close;
    close = round(Math.max(minTick, open * (1 + (random() - 0.5) / 200)));
    const spread = random() * wick;
    bars.push({
      time: timeOf(back),
      open,
      high: round(Math.max(open, close) + spread),
      low: round(Math.max(minTick, Math.min(open, close) - spread)),
      close,
      volume: sizeStep < 1 ? 1 + Math.floor(random() * 10) : 100 + Math.floor(random() * 10_000),
      average: round((open + close) / 2),
      count: 1 + Math.floor(random() * 500),
    });
  }
  return bars;
}

const MOST_INSTRUMENTS = 10_000;
/** In all histories that are kept: some ten megabytes. */
const MOST_KEPT_BARS = 50_000;
/** A description that says nothing but that a stock is meant. */
export const ANY_STOCK: ContractQuery = {
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

/** `2 D`; null if it is not a duration. */
function durationOf(text: string): { readonly count: number; readonly unit: string } | null {
  const [, count, unit] = /^(\d{1,6}) ([SDWMY])$/.exec(text.trim()) ?? [];
  return unit === undefined || Number(count) < 1 ? null : { count: Number(count), unit };
}

/** `20260105-14:30:00` */
function scheduleTime(seconds: number): string {
  const iso = new Date(seconds * 1000).toISOString();
  return `${iso.slice(0, 10).replaceAll('-', '')}-${iso.slice(11, 19)}`;
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
