import { type LogEntry, SlidingLog } from '../base/sliding-log.js';
import { optionError } from './errors.js';

const SERIES_MS = 2000;
const TEN_MINUTES_MS = 600_000;
/** Identities and series that are of no consequence any more are looked for whenever so many are known. */
const MANY = 1000;

/** IB's rules for history. Those with a window are for bars of 30 seconds or less. */
export interface HistoryRules {
  /** The same request not again within this many milliseconds. Default 15,000. */
  readonly identicalMs?: number;
  /** At most this many of one contract, exchange and tick type within 2 seconds. Default 5, since IB refuses 6. */
  readonly perSeries?: number;
  /** At most this many within 10 minutes; BID_ASK counts twice. Default 60. */
  readonly perTenMinutes?: number;
  /** At most this many open at once, whatever their bars. Default 50. */
  readonly open?: number;
}

/** A request for history, as IB's rules see it. */
export interface HistoryFacts {
  /** The same for identical requests. */
  readonly identity: string;
  /** The same for one contract, exchange and tick type. */
  readonly series: string;
  /** BID_ASK counts as two. */
  readonly weight: 1 | 2;
  /** Bars of 30 seconds or less. */
  readonly smallBars: boolean;
}

/** The room that one request for history takes up. */
export interface HistoryEntry {
  sent(now: number): void;
  /** It is no longer open. */
  over(): void;
}

/** One look along the queue, from its front. */
export interface HistoryPass {
  /**
   * Whether this one may go. If not, what it lacks is kept for it: those behind it that need the same wait as well,
   * or one that counts twice would never find room.
   */
  mayGo(facts: HistoryFacts): boolean;
}

/** Records requests for history, and decides by IB's rules which may be sent next. */
export class HistoryLog {
  readonly #identicalMs: number;
  readonly #perSeries: number;
  readonly #openLimit: number;
  readonly #marginMs: number;
  readonly #tenMinutes: SlidingLog;
  readonly #series = new Map<string, SlidingLog>();
  /** Until when the same request must not be sent again; Infinity while one is being sent. */
  readonly #identical = new Map<string, number>();
  #pruneAt = MANY;
  #open = 0;

  constructor(rules: HistoryRules, marginMs: number) {
    const { identicalMs = 15_000, perSeries = 5, perTenMinutes = 60, open = 50 } = rules;
    for (const [name, value, least] of [
      ['identicalMs', identicalMs, 0],
      ['perSeries', perSeries, 1],
      ['perTenMinutes', perTenMinutes, 1],
      ['open', open, 1],
    ] as const) {
      if (!(value >= least))
        throw optionError(`history.${name} must be a number from ${least}, got ${value}`);
    }
    this.#marginMs = Math.max(1, marginMs);
    this.#identicalMs = identicalMs + this.#marginMs;
    this.#perSeries = perSeries;
    this.#openLimit = open;
    this.#tenMinutes = new SlidingLog(perTenMinutes, TEN_MINUTES_MS + this.#marginMs);
  }

  pass(now: number): HistoryPass {
    const kept = new Set<string | SlidingLog>();
    const has = (thing: string | SlidingLog, room: boolean): boolean => {
      if (room && !kept.has(thing)) return true;
      kept.add(thing);
      return false;
    };
    return {
      mayGo: (facts) => {
        // A repeated request waits only for its twin, and keeps nothing from others.
        if (facts.smallBars && this.#identicalAt(facts, now) > now) return false;
        let room = has('open', this.#open < this.#openLimit);
        if (facts.smallBars) {
          room = has(`series ${facts.series}`, this.#hasSeriesRoom(facts, now)) && room;
          room = has(this.#tenMinutes, this.#tenMinutes.hasRoom(now, facts.weight)) && room;
        }
        return room;
      },
    };
  }

  /** When this one may go, as far as only time is in its way; Infinity where another must be over first. */
  roomAt(now: number, facts: HistoryFacts): number {
    if (this.#open >= this.#openLimit) return Number.POSITIVE_INFINITY;
    if (!facts.smallBars) return now;
    return Math.max(
      this.#identicalAt(facts, now),
      this.#series.get(facts.series)?.roomAt(now, 1) ?? now,
      this.#tenMinutes.roomAt(now, facts.weight),
    );
  }

  letIn({ identity, series: name, weight, smallBars }: HistoryFacts): HistoryEntry {
    this.#open++;
    let isOpen = true;
    const entries: (readonly [SlidingLog, LogEntry])[] = [];
    if (smallBars) {
      const series = this.#series.get(name) ?? new SlidingLog(this.#perSeries, SERIES_MS + this.#marginMs);
      this.#series.set(name, series);
      this.#identical.set(identity, Number.POSITIVE_INFINITY);
      entries.push([series, series.letIn(1)], [this.#tenMinutes, this.#tenMinutes.letIn(weight)]);
    }
    return {
      sent: (now) => {
        for (const [log, entry] of entries) log.sent(entry, now);
        if (smallBars) this.#identical.set(identity, now + this.#identicalMs);
        if (this.#identical.size + this.#series.size > this.#pruneAt) this.#prune(now);
      },
      over: () => {
        if (isOpen) this.#open--;
        isOpen = false;
      },
    };
  }

  figures(now: number): { open: number; openLimit: number; tenMinutes: number; tenMinutesLimit: number } {
    return {
      open: this.#open,
      openLimit: this.#openLimit,
      tenMinutes: this.#tenMinutes.used(now),
      tenMinutesLimit: this.#tenMinutes.most,
    };
  }

  #identicalAt({ identity }: HistoryFacts, now: number): number {
    return this.#identical.get(identity) ?? now;
  }

  #hasSeriesRoom({ series }: HistoryFacts, now: number): boolean {
    return this.#series.get(series)?.hasRoom(now, 1) ?? true;
  }

  #prune(now: number): void {
    for (const [identity, until] of this.#identical) if (until <= now) this.#identical.delete(identity);
    for (const [name, log] of this.#series) if (log.used(now) === 0) this.#series.delete(name);
    this.#pruneAt = Math.max(MANY, 2 * (this.#identical.size + this.#series.size));
  }
}
