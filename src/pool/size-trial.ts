import type { Flow } from './flow-sample.js';

export type Direction = 'up' | 'down';

/** All places are taken at nearly every moment: the rate says what the size achieves, else the response time does. */
export const SATURATED = 0.9;
/** Growth has to gain this much, in logarithms, or this share of the growth itself. */
const LEAST_GAIN = 0.025;
const GAIN_SHARE = 0.15;
/** A smaller size may lose this much, and a whole descent that much. */
const MOST_LOSS = 0.015;
const MOST_DESCENT = 0.04;
/** Below saturation, growth has to shorten the wait by this share. */
const WAIT_GAIN = 0.3;
/** The sizes take so many turns at most. A step up takes more of them, unless its gain is plain. */
const MOST_TURNS = 6;
const LEAST_TURNS = 2;
const LEAST_TURNS_UP = 4;
/** A gain of this, in logarithms, needs no second turn if it is so many standard errors from the decision. */
const PLAIN_GAIN = 0.5;
const PLAIN = 3;
/** The throughput follows the size if a smaller one loses this share of what it is smaller by. */
const FOLLOWS = 0.35;
/** A result this many standard errors from the decision needs no further turn. */
const CLEAR = 2;
/** After so many turns, one standard error does for a step down. */
const CERTAIN_TURNS = 3;

/**
 * Compares a size with the one that a pool has. The two take turns, and each turn of the new size is compared with the
 * turns of the old one before and after it. A program that warms up, or others that use the same machine, change both
 * alike. A comparison of one stretch of time with the next would take that for an effect of the size.
 *
 * This is the square wave of the .NET thread pool, which looks for the answer of the throughput to changes of the size that
 * it makes itself (Hellerstein, Morrison, Eilebrecht: Optimizing Concurrency Levels in the .NET ThreadPool, 2008).
 */
export class SizeTrial {
  readonly direction: Direction;
  readonly from: number;
  readonly to: number;
  /** Losses of the steps down before this one. */
  readonly #lostBefore: number;
  /** At `from`, then at `to`, and so on. */
  readonly #flows: Flow[];

  constructor(direction: Direction, from: number, to: number, before: Flow, lostBefore: number) {
    this.direction = direction;
    this.from = from;
    this.to = to;
    this.#flows = [before];
    this.#lostBefore = lostBefore;
  }

  /** The size whose turn it is. */
  get size(): number {
    return this.#flows.length % 2 === 1 ? this.to : this.from;
  }

  get before(): Flow {
    return this.#flows[0] as Flow;
  }

  /** The flow at the new size, in its last turn. */
  get tried(): Flow {
    return this.#flows[this.#flows.length - (this.#flows.length % 2 === 0 ? 1 : 2)] as Flow;
  }

  /** The flow at the old size, in its last turn. */
  get held(): Flow {
    return this.#flows[this.#flows.length - (this.#flows.length % 2 === 0 ? 2 : 1)] as Flow;
  }

  /** Takes the flow of a turn that is over. Returns whether the new size is better; null: not known yet. */
  add(flow: Flow): boolean | null {
    this.#flows.push(flow);
    if (this.direction === 'up' && this.before.queued < SATURATED) return isShorterWait(this.before, flow);
    const { gain } = this;
    const error = this.#error;
    const turns = Math.floor(this.#flows.length / 2);
    if (this.#flows.length === 2) return this.#atOnce(gain, error);
    const least = this.direction === 'up' ? LEAST_TURNS_UP : LEAST_TURNS;
    const doubt = turns < least ? Number.POSITIVE_INFINITY : error;
    return this.direction === 'up' ? this.#isGain(gain, doubt, turns) : this.#isNoLoss(gain, doubt, turns);
  }

  /** Whether the throughput follows the size: a smaller one will be wrong for a while. */
  get isNeeded(): boolean {
    return this.direction === 'down' && this.gain < FOLLOWS * this.#growth;
  }

  /** The gain in throughput by the new size so far, in logarithms. */
  get gain(): number {
    return meanOf(this.#gains);
  }

  /** By each of its turns. */
  get #gains(): number[] {
    const gains: number[] = [];
    for (let at = 1; at < this.#flows.length; at += 2) {
      const flow = this.#flows[at] as Flow;
      const before = this.#flows[at - 1] as Flow;
      const after = this.#flows[at + 1] ?? before;
      gains.push((gainOf(before, flow) + gainOf(after, flow)) / 2);
    }
    return gains;
  }

  #atOnce(gain: number, error: number): boolean | null {
    if (this.direction === 'down') return gain < -MOST_LOSS - PLAIN * error ? false : null;
    const isPlain = gain >= PLAIN_GAIN && gain > this.#needed + PLAIN * error;
    return isPlain ? true : gain < this.#needed - PLAIN * error ? false : null;
  }

  #isGain(gain: number, error: number, turns: number): boolean | null {
    if (turns >= MOST_TURNS) return gain >= this.#needed + error;
    return Math.abs(gain - this.#needed) > CLEAR * error ? gain > this.#needed : null;
  }

  /** A step up needs proof of its gain. A step down needs none: the next step up corrects a wrong one. */
  #isNoLoss(gain: number, error: number, turns: number): boolean | null {
    const loss = -gain;
    const isAllowed = loss <= MOST_LOSS + error && this.#lostBefore + loss <= MOST_DESCENT + error;
    if (turns >= MOST_TURNS || loss > MOST_LOSS + CLEAR * error) return isAllowed;
    return turns >= CERTAIN_TURNS && loss < MOST_LOSS - error ? isAllowed : null;
  }

  /** In logarithms. */
  get #growth(): number {
    return Math.log(this.to / this.from);
  }

  get #needed(): number {
    return Math.max(LEAST_GAIN, GAIN_SHARE * this.#growth);
  }

  /** Standard error of the mean gain: by the scatter of the turns, and no less than that of the slices within them says. */
  get #error(): number {
    const gains = this.#gains;
    const within = Math.hypot(...this.#flows.map(({ rateError }) => rateError)) / gains.length / Math.SQRT2;
    if (gains.length < LEAST_TURNS) return Math.hypot(this.before.rateError, this.tried.rateError);
    const mean = meanOf(gains);
    const squares = gains.reduce((sum, each) => sum + (each - mean) ** 2, 0);
    return Math.max(within, Math.sqrt(squares / (gains.length - 1) / gains.length));
  }
}

/** By throughput. Where the larger size has room for all, the time that an answer takes says it too. */
function gainOf(before: Flow, flow: Flow): number {
  const gain = Math.log(flow.rate / before.rate);
  const isRelieved = before.queued >= SATURATED && flow.queued < SATURATED;
  return isRelieved ? Math.max(gain, Math.log(totalOf(before) / totalOf(flow))) : gain;
}

function totalOf({ holdMs, waitMs }: Flow): number {
  return holdMs + waitMs;
}

/** Whether waits became shorter by more than leases became longer. */
function isShorterWait(before: Flow, flow: Flow): boolean {
  const won = before.waitMs - flow.waitMs;
  const doubt = Math.hypot(before.totalError * before.holdMs, flow.totalError * flow.holdMs);
  return won >= WAIT_GAIN * before.waitMs && flow.holdMs - before.holdMs <= won + doubt;
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}
