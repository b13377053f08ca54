import type { Sizing, SizingReason } from '../snapshot/sizing.js';
import { type Flow, FlowSampler, flowOf, type Slice } from './flow-sample.js';
import type { SizeBounds } from './size-bounds.js';

/** A measurement has at least so many slices, and at most so many, or is precise enough before. */
const LEAST_SLICES = 4;
const MOST_SLICES = 32;
/** In logarithms: of a step, and at least. */
const PRECISE_SHARE = 0.06;
const PRECISE = 0.015;
/** A result this many standard errors from the decision needs no more slices. */
const CLEAR = 2;
/** A try begins from a flow whose standard error is at most this share of the step, if that can be had. */
const KNOWN = 0.2;
/** All places are taken at nearly every moment: the rate says what the size achieves, else the response time does. */
const SATURATED = 0.9;
/** Waits below this share of the response time are not worth a larger pool. */
const WAIT_SHARE = 0.01;
/** Growth has to gain this much, in logarithms, or this share of the growth itself. */
const LEAST_GAIN = 0.025;
const GAIN_SHARE = 0.15;
/** A smaller size may lose this much, and a whole descent that much. */
const MOST_LOSS = 0.015;
const MOST_DESCENT = 0.04;
/** Below saturation, growth has to shorten the wait by this share. */
const WAIT_GAIN = 0.3;
/** Steps by which the size is tried: the first, then bolder ones as long as they succeed in one direction. */
const STEPS_UP = [1.2, 1.5, 2] as const;
const STEPS_DOWN = [0.83, 0.7, 0.5] as const;
/** A try that fails is repeated after this long, then after twice as long, and so on. */
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 60_000;
/** A change of the rate, or of the hold time, by this factor at one size means that something else has changed. */
const NEW_RATE = 1.3;
const NEW_HOLD = 2;
/** A try whose places are not taken after this long ends: they cannot be opened. */
const FILL_MS = 5000;
/** A size that the server has refused is not tried again for this long, twice as long after the next refusal. */
const FIRST_CEILING_MS = 5000;
const LONGEST_CEILING_MS = 300_000;
/** The first size beyond an old ceiling, as a share of it. */
const BEYOND = 0.1;
/** A server that refuses gets this share of the requests (TCP's cut is 0.5, CUBIC's 0.7: RFC 9438). */
const CUT = 0.7;

type Direction = 'up' | 'down';

interface Try {
  readonly direction: Direction;
  /** The size before, and its flow. */
  readonly from: number;
  readonly before: Flow;
  readonly startedAt: number;
  /** Leases are not counted before the new size has taken effect. */
  effectiveAt: number | null;
}

/**
 * Chooses how many leases may be out at once. Pure arithmetic on the numbers it receives: it has no clock and no timer.
 *
 * The method is hill climbing on measured throughput, as in the thread pool of .NET (Hellerstein, Morrison, Eilebrecht:
 * Optimizing Concurrency Levels in the .NET ThreadPool, 2008), with BBR's rule of trying a little more and a little less
 * than what was found (Cardwell et al.: BBR: Congestion-Based Congestion Control, 2016). By Little's law the throughput is
 * the size divided by the hold time. So a step up pays exactly if the hold time grows by less than the size. Limiters that
 * compare latency with its minimum (TCP Vegas, Netflix's Gradient2, Envoy's gradient controller) take a slower server for
 * a queue, and throttle it. The comparison of neighboring sizes at the same time does not have this fault.
 *
 * Hysteresis: a step up must gain 2.5 % or more, and a step down may lose 1 % or less. A failed try is repeated after 1 s,
 * 2 s, 4 s and so on, up to 60 s. A change of throughput or hold time at the same size sets these pauses back.
 */
export class AdaptiveSize {
  #bounds: SizeBounds;
  /** The size that tries start from. */
  #settled: number;
  #size: number;
  #reason: SizingReason = 'start';
  readonly #sampler: FlowSampler;
  #slices: Slice[] = [];
  /** The first slice is that of a program that warms up. */
  #isCold = true;
  #try: Try | null = null;
  /** Positions in STEPS_UP and STEPS_DOWN. A pool begins with bold steps up. */
  readonly #step = { up: STEPS_UP.length - 1, down: 0 };
  readonly #pauseMs = { up: 0, down: 0 };
  readonly #dueAt = { up: Number.NEGATIVE_INFINITY, down: Number.NEGATIVE_INFINITY };
  /** The flow at the settled size when it was settled. */
  #reference: Flow | null = null;
  /** The rate at which the present descent began. */
  #descentFrom: number | null = null;
  #allowed = Number.POSITIVE_INFINITY;
  #ceiling = { size: Number.POSITIVE_INFINITY, until: 0, pauseMs: FIRST_CEILING_MS };
  #cutAt = Number.NEGATIVE_INFINITY;
  /** The most leases that were out in the present try. */
  #peakInUse = 0;
  #lastMove: Direction | null = null;
  #reversals = 0;

  constructor(bounds: SizeBounds, now: number) {
    this.#bounds = bounds;
    this.#settled = bounds.start;
    this.#size = bounds.start;
    this.#sampler = new FlowSampler(now);
  }

  /** Leases that may be out at once. */
  get size(): number {
    return this.#size;
  }

  /** The size between tries. */
  get settled(): number {
    return this.#settled;
  }

  /** The choice, its reason and its bounds, as plain data. */
  figures(): Sizing {
    const most = Math.min(this.#allowed, this.#ceiling.size);
    return {
      size: this.#size,
      min: this.#bounds.min,
      max: this.#bounds.max,
      ceiling: most === Number.POSITIVE_INFINITY ? null : most,
      settled: this.#settled,
      reason: this.#reason,
      reversals: this.#reversals,
    };
  }

  /** A lease has begun. */
  began(waitedMs: number): void {
    this.#sampler.began(waitedMs);
  }

  /** A lease has ended well. Returns whether the size has changed. */
  ended(now: number, heldMs: number, inUse: number, waiting: number): boolean {
    if (this.#try !== null && this.#try.effectiveAt === null)
      return this.#takesEffect(this.#try, now, inUse, waiting);
    this.#peakInUse = Math.max(this.#peakInUse, inUse);
    // A pool whose places are all taken is full, also where exactly as many ask for them.
    const slice = this.#sampler.ended(now, heldMs, waiting > 0 || inUse >= this.#size);
    if (slice === null) return false;
    if (this.#isCold) {
      this.#isCold = false;
      return false;
    }
    this.#slices.push(slice);
    if (this.#slices.length > MOST_SLICES) this.#slices.shift();
    return this.#slices.length >= LEAST_SLICES && this.#decide(now);
  }

  /** The server allows so many at once, by its own statement. Returns whether the size has changed. */
  allows(most: number): boolean {
    this.#allowed = Math.max(this.#bounds.min, most);
    if (this.#size <= this.#allowed) return false;
    this.#try = null;
    return this.#settle(this.#allowed, 'server-limit');
  }

  /** The server has refused one more while it had so many. Returns whether the size has changed. */
  refused(now: number, held: number): boolean {
    this.#lowerCeiling(now, held);
    if (this.#size <= this.#ceiling.size) return false;
    this.#try = null;
    return this.#settle(this.#ceiling.size, 'server-limit');
  }

  /** The server was overloaded by so many: at most one cut in two response times. Returns whether the size has changed. */
  overloaded(now: number, inUse: number): boolean {
    if (now - this.#cutAt < Math.max(2 * this.#sampler.typicalMs, 100)) return false;
    this.#cutAt = now;
    this.#lowerCeiling(now, inUse - 1);
    this.#step.up = 0;
    const tried = this.#try;
    if (tried?.direction === 'up') {
      // The size before this step was not too large.
      this.#try = null;
      this.#pause('up', now);
      return this.#settle(tried.from, 'server-limit');
    }
    this.#try = null;
    const cut = Math.max(this.#bounds.min, Math.floor(Math.min(this.#size, inUse) * CUT));
    this.#pauseMs.up = 0;
    this.#dueAt.up = now;
    return this.#settle(cut, 'overload');
  }

  #lowerCeiling(now: number, size: number): void {
    const { until, pauseMs } = this.#ceiling;
    const isAgain = now < until + pauseMs;
    const nextMs = isAgain && until > 0 ? Math.min(LONGEST_CEILING_MS, 2 * pauseMs) : FIRST_CEILING_MS;
    this.#ceiling = { size: Math.max(this.#bounds.min, size), until: now + nextMs, pauseMs: nextMs };
  }

  #most(now: number): number {
    const { size, until } = this.#ceiling;
    // A limit of old may be higher now. A little more is tried first.
    const ceiling = now < until ? size : size + Math.max(1, Math.floor(size * BEYOND));
    return Math.min(this.#bounds.max, this.#allowed, ceiling);
  }

  // ---- the decisions ---------------------------------------------------------------------------------------------

  #decide(now: number): boolean {
    if (this.#try !== null) return this.#judge(this.#try, flowOf(this.#slices), now);
    this.#watchForChange(flowOf(this.#slices), now);
    const flow = flowOf(this.#slices);
    const isSaturated = flow.queued >= SATURATED;
    const total = flow.holdMs + flow.waitMs;
    const wantsMore = isSaturated || flow.waitMs > WAIT_SHARE * total;
    const step = STEPS_UP[this.#step.up] as number;
    if (flow.slices < MOST_SLICES && flow.rateError > KNOWN * Math.log(step)) return false;
    const most = this.#most(now);
    if (wantsMore && this.#settled < most && now >= this.#dueAt.up) return this.#begin('up', flow, most, now);
    if (isSaturated && this.#settled > this.#bounds.min && now >= this.#dueAt.down)
      return this.#begin('down', flow, most, now);
    if (!wantsMore && this.#reason === 'start') this.#reason = 'demand';
    return false;
  }

  /** Something else than the size has changed the flow: the tries of before say nothing of now. */
  #watchForChange(flow: Flow, now: number): void {
    const before = this.#reference;
    const newest = flowOf(this.#slices.slice(-LEAST_SLICES));
    if (before === null) {
      this.#reference = flow;
      return;
    }
    const doubt = 3 * Math.hypot(before.rateError, newest.rateError);
    const slower = Math.log(newest.holdMs / before.holdMs);
    const areSaturated = before.queued >= SATURATED && newest.queued >= SATURATED;
    const quicker = areSaturated ? Math.log(newest.rate / before.rate) : 0;
    const isSlower = slower > Math.log(NEW_HOLD) + doubt || -quicker > Math.log(NEW_RATE) + doubt;
    const isQuicker = -slower > Math.log(NEW_HOLD) + doubt || quicker > Math.log(NEW_RATE) + doubt;
    if (!isSlower && !isQuicker) return;
    this.#slices = this.#slices.slice(-LEAST_SLICES);
    this.#reference = newest;
    // A slower server needs many more at once, if more help at all.
    this.#step.up = isSlower ? STEPS_UP.length - 1 : 0;
    this.#step.down = 0;
    this.#resume(now);
  }

  #resume(now: number): void {
    this.#descentFrom = null;
    this.#pauseMs.up = 0;
    this.#pauseMs.down = 0;
    this.#dueAt.up = now;
    this.#dueAt.down = now;
  }

  #begin(direction: Direction, flow: Flow, most: number, now: number): boolean {
    const from = this.#settled;
    const steps = direction === 'up' ? STEPS_UP : STEPS_DOWN;
    const factor = steps[this.#step[direction]] as number;
    const target =
      direction === 'up'
        ? Math.min(most, Math.max(from + 1, Math.round(from * factor)))
        : Math.max(this.#bounds.min, Math.min(from - 1, Math.round(from * factor)));
    this.#try = { direction, from, before: flow, startedAt: now, effectiveAt: null };
    this.#slices = [];
    this.#size = target;
    this.#reason = direction === 'up' ? 'trying-larger' : 'trying-smaller';
    if (direction === 'down') this.#descentFrom ??= flow.rate;
    return true;
  }

  #takesEffect(tried: Try, now: number, inUse: number, waiting: number): boolean {
    const sinceMs = now - tried.startedAt;
    const isFilled = tried.direction === 'up' ? inUse >= this.#size || waiting === 0 : inUse <= this.#size;
    if (!isFilled) return sinceMs > FILL_MS && this.#giveUpTry(now);
    if (sinceMs < this.#sampler.typicalMs) return false;
    tried.effectiveAt = now;
    this.#peakInUse = 0;
    this.#sampler.restart(now);
    return false;
  }

  #giveUpTry(now: number): boolean {
    if (this.#try === null) return false;
    const { direction, from } = this.#try;
    this.#try = null;
    this.#pause(direction, now);
    return this.#settle(from, direction === 'up' ? 'no-gain' : this.#reason);
  }

  #judge({ direction, from, before }: Try, flow: Flow, now: number): boolean {
    // More places than are asked for would hide whether they are too many.
    const isRelieved = before.queued >= SATURATED && flow.queued < SATURATED;
    const size = isRelieved ? Math.max(from, Math.min(this.#size, this.#peakInUse)) : this.#size;
    const verdict =
      direction === 'up' ? this.#isGain(before, flow, from) : this.#isNoLoss(before, flow, from);
    if (verdict === null) return false;
    this.#try = null;
    if (!verdict) return this.#fail(direction, from, before, now);
    return this.#succeed(direction, size, flow, direction === 'up' ? 'gain' : 'no-loss', now);
  }

  /** Whether the larger size is better; null: not known yet. */
  #isGain(before: Flow, flow: Flow, from: number): boolean | null {
    if (before.queued < SATURATED) return isShorterWait(before, flow);
    const rateGain = Math.log(flow.rate / before.rate);
    const isRelieved = flow.queued < SATURATED;
    const gain = isRelieved ? Math.max(rateGain, Math.log(totalOf(before) / totalOf(flow))) : rateGain;
    const error = Math.hypot(before.rateError, flow.rateError);
    const needed = Math.max(LEAST_GAIN, GAIN_SHARE * Math.log(this.#size / from));
    if (this.#isKnown(before, flow, from) || Math.abs(gain - needed) > CLEAR * error)
      return gain >= Math.max(needed, 1.5 * error);
    return null;
  }

  /** Whether more slices would not make the comparison more precise, or need not. */
  #isKnown(before: Flow, flow: Flow, from: number): boolean {
    const needed = Math.max(PRECISE, PRECISE_SHARE * Math.abs(Math.log(this.#size / from)));
    return (
      flow.slices >= MOST_SLICES ||
      flow.rateError < before.rateError / 2 ||
      Math.hypot(before.rateError, flow.rateError) < needed
    );
  }

  #isNoLoss(before: Flow, flow: Flow, from: number): boolean | null {
    const loss = Math.log(before.rate / flow.rate);
    const error = Math.hypot(before.rateError, flow.rateError);
    const descent = this.#descentFrom === null ? 0 : Math.log(this.#descentFrom / flow.rate);
    if (this.#isKnown(before, flow, from) || Math.abs(loss - MOST_LOSS) > CLEAR * error)
      return loss <= MOST_LOSS + 0.5 * error && descent <= MOST_DESCENT + error;
    return null;
  }

  #succeed(direction: Direction, size: number, flow: Flow, reason: SizingReason, now: number): boolean {
    if (this.#lastMove !== null && this.#lastMove !== direction) {
      this.#reversals++;
    }
    this.#step[direction] = Math.min(this.#step[direction] + 1, STEPS_UP.length - 1);
    this.#step[direction === 'up' ? 'down' : 'up'] = 0;
    this.#lastMove = direction;
    this.#reference = flow;
    // The pool does not go back at once to the size that it has just left.
    this.#pause(direction === 'up' ? 'down' : 'up', now);
    if (direction === 'up') this.#descentFrom = null;
    const hasChanged = size !== this.#size;
    this.#settled = size;
    this.#size = size;
    this.#reason = reason;
    return hasChanged;
  }

  #fail(direction: Direction, from: number, before: Flow, now: number): boolean {
    this.#step[direction] = 0;
    this.#reference = before;
    this.#pause(direction, now);
    return this.#settle(from, direction === 'up' ? 'no-gain' : this.#settledReason(now));
  }

  #settledReason(now: number): SizingReason {
    return this.#settled >= Math.min(this.#allowed, this.#ceiling.size) && now < this.#ceiling.until
      ? 'server-limit'
      : this.#lastMove === 'down'
        ? 'no-loss'
        : this.#lastMove === 'up'
          ? 'gain'
          : 'no-gain';
  }

  #pause(direction: Direction, now: number): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(FIRST_PAUSE_MS, 2 * this.#pauseMs[direction]));
    this.#pauseMs[direction] = pauseMs;
    this.#dueAt[direction] = now + pauseMs;
  }

  /** Goes to a size, and measures anew. */
  #settle(size: number, reason: SizingReason): boolean {
    const hasChanged = size !== this.#size;
    this.#settled = size;
    this.#size = size;
    this.#reason = reason;
    this.#slices = [];
    return hasChanged;
  }
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
