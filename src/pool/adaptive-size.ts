import type { Sizing, SizingReason } from '../snapshot/sizing.js';
import { type Flow, FlowSampler, flowOf, type Slice } from './flow-sample.js';
import type { SizeBounds } from './size-bounds.js';
import { type Direction, SATURATED, SizeTrial } from './size-trial.js';

/** A measurement has so many slices, and between tries at most so many. */
const LEAST_SLICES = 4;
const MOST_SLICES = 32;
/** A try begins from a flow whose standard error is at most this share of the step, if that can be had. */
const KNOWN = 0.2;
/** Waits below this share of the response time are not worth a larger pool. */
const WAIT_SHARE = 0.01;
/** Steps by which the size is tried: the first, then bolder ones as long as they succeed in one direction. */
const STEPS_UP = [1.2, 1.5, 2] as const;
const STEPS_DOWN = [0.83, 0.7, 0.5] as const;
/** A try that fails is repeated after this long, then after twice as long, and so on. */
const FIRST_PAUSE_MS = 1000;
/** A smaller size is not tried again for this long where the throughput has followed the size. */
const NEEDED_PAUSE_MS = 8000;
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

/**
 * Chooses how many leases may be out at once. Pure arithmetic on the numbers it receives: it has no clock and no timer.
 *
 * The method is hill climbing on measured throughput, as in the thread pool of .NET (Hellerstein, Morrison, Eilebrecht:
 * Optimizing Concurrency Levels in the .NET ThreadPool, 2008), with BBR's rule of trying a little more and a little less
 * than what was found (Cardwell et al.: BBR: Congestion-Based Congestion Control, 2016). By Little's law the throughput is
 * the size divided by the hold time. So a step up pays exactly if the hold time grows by less than the size. Limiters that
 * compare latency with its minimum (TCP Vegas, Netflix's Gradient2, Envoy's gradient controller) take a slower server for
 * a queue, and throttle it. The comparison of neighboring sizes does not have this fault. See SizeTrial for how it is made.
 *
 * Hysteresis: a step up must gain 2.5 % or more, and a step down may lose 1.5 % or less. A failed try is repeated after 1 s,
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
  #trial: SizeTrial | null = null;
  /** When the present turn of the trial began, and when its size had taken effect; null before. */
  #turn: { startedAt: number; effectiveAt: number | null } = { startedAt: 0, effectiveAt: null };
  /** Positions in STEPS_UP and STEPS_DOWN. A pool begins with bold steps up. */
  readonly #step = { up: STEPS_UP.length - 1, down: 0 };
  readonly #pauseMs = { up: 0, down: 0 };
  readonly #dueAt = { up: Number.NEGATIVE_INFINITY, down: Number.NEGATIVE_INFINITY };
  /** The flow at the settled size when it was settled. */
  #reference: Flow | null = null;
  /** The loss of throughput by the present descent, in logarithms. */
  #descent = 0;
  #allowed = Number.POSITIVE_INFINITY;
  #ceiling = { size: Number.POSITIVE_INFINITY, until: 0, pauseMs: FIRST_CEILING_MS };
  #cutAt = Number.NEGATIVE_INFINITY;
  /** The most leases that were out in the present turn of a trial, and in the last turn of its new size. */
  #peakInUse = 0;
  #peakTried = 0;
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
    if (this.#trial !== null && this.#turn.effectiveAt === null)
      return this.#takesEffect(this.#trial, now, inUse, waiting);
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
    this.#trial = null;
    return this.#settle(this.#allowed, 'server-limit');
  }

  /** The server has refused one more while it had so many. Returns whether the size has changed. */
  refused(now: number, held: number): boolean {
    this.#lowerCeiling(now, held);
    if (this.#size <= this.#ceiling.size) return false;
    this.#trial = null;
    return this.#settle(this.#ceiling.size, 'server-limit');
  }

  /** The server was overloaded by so many: at most one cut in two response times. Returns whether the size has changed. */
  overloaded(now: number, inUse: number): boolean {
    if (now - this.#cutAt < Math.max(2 * this.#sampler.typicalMs, 100)) return false;
    this.#cutAt = now;
    this.#lowerCeiling(now, inUse - 1);
    this.#step.up = 0;
    const tried = this.#trial;
    if (tried?.direction === 'up') {
      // The size before this step was not too large.
      this.#trial = null;
      this.#pause('up', now);
      return this.#settle(tried.from, 'server-limit');
    }
    this.#trial = null;
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
    if (this.#trial !== null) return this.#judge(this.#trial, flowOf(this.#slices), now);
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
    this.#descent = 0;
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
    if (direction === 'up') this.#descent = 0;
    this.#trial = new SizeTrial(direction, from, target, flow, this.#descent);
    this.#reason = direction === 'up' ? 'trying-larger' : 'trying-smaller';
    return this.#beginTurn(this.#trial, now);
  }

  #beginTurn({ size }: SizeTrial, now: number): boolean {
    this.#turn = { startedAt: now, effectiveAt: null };
    this.#slices = [];
    this.#size = size;
    return true;
  }

  #takesEffect(trial: SizeTrial, now: number, inUse: number, waiting: number): boolean {
    const sinceMs = now - this.#turn.startedAt;
    const isLarger = this.#size === Math.max(trial.from, trial.to);
    const isFilled = isLarger ? inUse >= this.#size || waiting === 0 : inUse <= this.#size;
    if (!isFilled) return sinceMs > FILL_MS && this.#giveUpTry(now);
    if (sinceMs < this.#sampler.typicalMs) return false;
    this.#turn.effectiveAt = now;
    if (this.#size === trial.to) this.#peakInUse = 0;
    this.#sampler.restart(now);
    return false;
  }

  #giveUpTry(now: number): boolean {
    if (this.#trial === null) return false;
    const { direction, from } = this.#trial;
    this.#trial = null;
    this.#pause(direction, now);
    return this.#settle(from, direction === 'up' ? 'no-gain' : this.#reason);
  }

  #judge(trial: SizeTrial, flow: Flow, now: number): boolean {
    const { direction, from, to } = trial;
    if (this.#size === to) this.#peakTried = this.#peakInUse;
    const verdict = trial.add(flow);
    if (verdict === null) return this.#beginTurn(trial, now);
    this.#trial = null;
    const { before, tried, held, gain } = trial;
    if (!verdict) return this.#fail(trial, held, now);
    if (direction === 'down') this.#descent = Math.max(0, this.#descent - gain);
    // More places than are asked for would hide whether they are too many.
    const isRelieved = before.queued >= SATURATED && tried.queued < SATURATED;
    const size = isRelieved ? Math.max(from, Math.min(to, this.#peakTried)) : to;
    return this.#succeed(direction, size, tried, direction === 'up' ? 'gain' : 'no-loss', now);
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
    const hasChanged = size !== this.#size;
    if (hasChanged) this.#slices = [];
    this.#settled = size;
    this.#size = size;
    this.#reason = reason;
    return hasChanged;
  }

  #fail({ direction, from, isNeeded }: SizeTrial, held: Flow, now: number): boolean {
    this.#step[direction] = 0;
    this.#reference = held;
    this.#pause(direction, now, isNeeded ? NEEDED_PAUSE_MS : FIRST_PAUSE_MS);
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

  #pause(direction: Direction, now: number, leastMs = FIRST_PAUSE_MS): void {
    const pauseMs = Math.min(LONGEST_PAUSE_MS, Math.max(leastMs, 2 * this.#pauseMs[direction]));
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
