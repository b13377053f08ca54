import { seededRandom } from '../base/random.js';
import type { RecordedPool } from '../leases/recording.js';
import { Fate } from '../leases/recording.js';
import { algorithmOf } from './algorithm.js';
import { assumptionsOf } from './assumptions.js';
import { erlangSize, erlangWait } from './erlang.js';
import { halved, loadOf, type Workload, workloadOf } from './load.js';
import { Overhead } from './overhead.js';
import { WaitSlices } from './quantiles.js';
import { Redraw } from './redraw.js';
import { type Load, type Replay, replay } from './replay.js';
import { curveOf } from './slowdown.js';
import type { Interval, PoolSizing, Recommendation, Shorten, SizeRow, Slowdown, Waits } from './types.js';

export interface SizeOptions {
  /** The longest p99 wait that is good enough, in milliseconds. */
  readonly targetMs: number;
  /** So many times the arrivals of the recording. */
  readonly growth: number;
  /** Sizes that are shown whatever is recommended. */
  readonly sizes: readonly number[];
}

/** With fewer acquires there is no 99th percentile. */
export const LEAST_ACQUIRES = 100;
const MOST_ROWS = 40;
/** Larger sizes are not looked for. */
const MOST_SIZE = 2000;
/** Call sites that are tried with half the hold, those that hold most. */
const MOST_TRIED = 6;
const MOST_GROWTH = 32;
const DRAWS = 40;
/** Longer recordings vary less, and take longer to replay. */
const MOST_REDRAWN = 10_000;
const SEED = 23;
/** With fewer recorded checks of idle connections it is not known how long one takes. */
const LEAST_CHECKS = 5;
/** With fewer it is not known how long the slowest take. */
const MANY_CHECKS = 100;
const CLOSE = 0.1;
/** Waits that differ by less are alike. */
const CLOSE_MS = 1;

/** Replays a recorded pool at other sizes. It needs LEAST_ACQUIRES. */
export function sizePool(
  pool: RecordedPool,
  file: string,
  durationMs: number,
  options: SizeOptions,
): PoolSizing {
  return new PoolAnalysis(pool, durationMs, options).result(file);
}

class PoolAnalysis {
  readonly #pool: RecordedPool;
  readonly #durationMs: number;
  readonly #options: SizeOptions;
  readonly #workload: Workload;
  readonly #overhead: Overhead | null;
  readonly #load: Load;
  readonly #timeoutMs: number | null;
  readonly #connectMs: Float64Array;
  /** How long the recorded checks of idle connections took; empty where there were too few. */
  readonly #checkMs: Float64Array;
  readonly #p99s = new Map<number, number>();
  /** The search for a certain size and the table want the same ones, and each takes dozens of replays. */
  readonly #intervalsBySize = new Map<number, SizeRow['intervals']>();
  #draws: readonly Load[] | null = null;

  constructor(pool: RecordedPool, durationMs: number, options: SizeOptions) {
    this.#pool = pool;
    this.#durationMs = durationMs;
    this.#options = options;
    this.#workload = workloadOf(pool, durationMs);
    this.#timeoutMs = typeof pool.acquireTimeoutMs === 'number' ? pool.acquireTimeoutMs : null;
    this.#connectMs = Float64Array.from(pool.connects.flatMap(({ tookMs }) => tookMs ?? []));
    this.#load = loadOf(this.#workload, this.#slowdown, { growth: options.growth });
    this.#checkMs = pool.size === null ? new Float64Array(0) : this.#checksAt(pool.size);
    this.#overhead = pool.size === null ? null : this.#overheadAt(pool.size);
  }

  get #slowdown(): Slowdown {
    return this.#workload.slowdown;
  }

  result(file: string): PoolSizing {
    const { leases } = this.#pool;
    const { excluded, reserved, slowdown, heldMs, count, startup } = this.#workload;
    const { name, driver, size: recordedSize, connects } = this.#pool;
    const meanHoldMs = heldMs.reduce((sum, held) => sum + held, 0) / count;
    const ratePerMs = (count / (this.#durationMs - startup.untilMs)) * this.#options.growth;
    const recorded = new WaitSlices(this.#workload.askedMs, this.#workload.waitedMs);
    const recommendation = this.#recommendation();
    const times = this.#connectMs.slice().sort();
    return {
      ...{ file, name, driver, recordedSize, acquireTimeoutMs: this.#timeoutMs },
      durationMs: this.#durationMs,
      acquires: leases.count,
      acquiresPerSecond: (leases.count / this.#durationMs) * 1000,
      meanHoldMs,
      waits: recorded.waits(),
      timeouts: leases.fate.reduce((sum, fate) => sum + (fate === Fate.GaveUp ? 1 : 0), 0),
      peakInUse: this.#peakInUse(),
      connects: {
        count: connects.length,
        medianMs: times.length === 0 ? null : (times[times.length >> 1] ?? null),
      },
      replayed: recordedSize === null ? null : this.#check(recordedSize, recorded),
      ...{ excluded, reserved, slowdown, startup },
      rows: this.#sizes(recommendation).map((size) => this.#row(size, ratePerMs, meanHoldMs)),
      little: {
        meanInUse: ratePerMs * meanHoldMs,
        size: Math.max(1, Math.ceil(ratePerMs * meanHoldMs)) + reserved,
      },
      erlangSize: erlangSize(ratePerMs, meanHoldMs, 0.99, this.#options.targetMs) + reserved,
      recommendation,
      assumptions: assumptionsOf(this.#pool, this.#workload, {
        recommendation,
        growth: this.#options.growth,
        fewChecks: this.#fewChecks,
      }),
    };
  }

  #peakInUse(): number {
    const { gauges } = this.#pool;
    return Math.max(this.#workload.out.peak, ...gauges.map(({ inUse }) => inUse));
  }

  /** Connections that are open at the beginning: after a start that is left out, all of them. */
  get #warm(): number {
    const { connects, gauges } = this.#pool;
    if (this.#workload.startup.acquires > 0) return MOST_SIZE;
    const [first] = gauges;
    const before = (untilMs: number) => connects.filter(({ atMs }) => atMs <= untilMs).length;
    return first === undefined ? 0 : Math.max(0, first.live - before(first.atMs));
  }

  /** The replay of a load, without the connections that are reserved. */
  #replay(
    size: number,
    load: Load,
    slowdown: Pick<Slowdown, 'freeUpTo' | 'perLease'> = this.#slowdown,
    { connectMs = this.#connectMs, checkMs = this.#checkMs } = {},
  ): Replay {
    return replay(load, {
      size: Math.max(1, size - this.#workload.reserved),
      algorithm: algorithmOf(this.#pool),
      timeoutMs: this.#timeoutMs,
      ...{ connectMs, checkMs },
      warm: this.#warm,
      slowdown: curveOf(slowdown),
    });
  }

  #slices(size: number, load: Load, slowdown?: Pick<Slowdown, 'freeUpTo' | 'perLease'>): WaitSlices {
    const { waitMs } = this.#replay(size, load, slowdown);
    return new WaitSlices(load.arrivalMs, this.#overhead?.added(waitMs) ?? waitMs);
  }

  /** Waits at the recorded size that consisted of a check alone. */
  #checksAt(size: number): Float64Array {
    if (algorithmOf(this.#pool).pings) return waitsWithoutQueue(this.#workload, size);
    const load = loadOf(this.#workload, this.#slowdown, { leaks: true });
    const { checked, waitMs } = this.#replay(size, load, this.#slowdown, { checkMs: new Float64Array(0) });
    // One that did not wait at all got a connection that the replay took to be idle for longer than it was.
    const took = this.#workload.waitedMs.filter(
      (waited, at) => checked[at] === 1 && waitMs[at] === 0 && waited > 0,
    );
    return took.length < LEAST_CHECKS ? new Float64Array(0) : took;
  }

  #overheadAt(size: number): Overhead {
    const load = loadOf(this.#workload, this.#slowdown, { leaks: true });
    return new Overhead(this.#workload.waitedMs, this.#replay(size, load).waitMs);
  }

  #p99At(size: number): number {
    let p99 = this.#p99s.get(size);
    if (p99 === undefined) {
      p99 = this.#slices(size, this.#load).waits().p99Ms;
      this.#p99s.set(size, p99);
    }
    return p99;
  }

  // ---- the table --------------------------------------------------------------------------------------------------

  #sizes({ size, certainSize }: Recommendation): number[] {
    const most = 2 * Math.max(1, this.#peakInUse());
    const { size: recorded } = this.#pool;
    const named = [...this.#options.sizes, size, certainSize, recorded].filter((one) => one !== null);
    const step = most / MOST_ROWS;
    const even = Array.from({ length: Math.min(most, MOST_ROWS) }, (_, at) =>
      most <= MOST_ROWS ? at + 1 : Math.max(1, Math.round((at + 1) * step)),
    );
    const least = this.#workload.reserved + 1;
    return [...new Set([...even, ...named])].filter((one) => one >= least).sort((one, other) => one - other);
  }

  #row(size: number, ratePerMs: number, meanHoldMs: number): SizeRow {
    const { reserved, leakingMs } = this.#workload;
    const { busyMs, timeouts, timedOut, peakLive, waitMs, endMs } = this.#replay(size, this.#load);
    const slices = new WaitSlices(this.#load.arrivalMs, this.#overhead?.added(waitMs) ?? waitMs);
    const waits = slices.waits();
    const spanMs = Math.max(endMs, this.#durationMs / this.#options.growth);
    return {
      ...{ size, waits, timeouts, timeoutShare: timeouts / Math.max(1, timedOut.length) },
      intervals: this.#intervals(size, slices),
      utilization: Math.min(1, (busyMs + reserved * spanMs) / (size * spanMs)),
      connections: peakLive + reserved,
      erlangP99Ms: erlangWait(Math.max(1, size - reserved), ratePerMs, meanHoldMs, 0.99),
      withLeaks: leakingMs === null ? null : this.#leaking(size),
    };
  }

  #intervals(size: number, slices: WaitSlices): SizeRow['intervals'] {
    const known = this.#intervalsBySize.get(size);
    if (known !== undefined) return known;
    const intervals = this.#widened(size, slices);
    this.#intervalsBySize.set(size, intervals);
    return intervals;
  }

  /**
   * The spread between recordings, and that of what the recording does not decide: the slope of the slowdown, and how long
   * checks take where too few were recorded. A check is shorter than a connect.
   */
  #widened(size: number, slices: WaitSlices): SizeRow['intervals'] {
    const intervals = slices.intervals(this.#mostMs);
    const others = [
      ...this.#otherSlopes(size),
      ...this.#extremeChecks(size),
      // Another order of holds changes nothing while nobody has to queue.
      ...(intervals.p99Ms[1] < CLOSE_MS ? [] : this.#redrawn(size)),
    ];
    const wide = (interval: Interval, key: 'p50Ms' | 'p95Ms' | 'p99Ms'): Interval => [
      Math.min(interval[0], ...others.map((waits) => waits[key])),
      Math.max(interval[1], ...others.map((waits) => waits[key])),
    ];
    return {
      p50Ms: wide(intervals.p50Ms, 'p50Ms'),
      p95Ms: wide(intervals.p95Ms, 'p95Ms'),
      p99Ms: wide(intervals.p99Ms, 'p99Ms'),
    };
  }

  /** Waits of recordings that are drawn anew. The least and the most of 40 have 95 % of a further one between them. */
  #redrawn(size: number): Waits[] {
    this.#draws ??= this.#makeDraws();
    return this.#draws.map((load) => new WaitSlices(load.arrivalMs, this.#replay(size, load).waitMs).waits());
  }

  #makeDraws(): Load[] {
    if (this.#load.count > MOST_REDRAWN) return [];
    const random = seededRandom(SEED);
    const redraw = new Redraw(this.#load, this.#workload.site);
    return Array.from({ length: DRAWS }, () => redraw.draw(random));
  }

  #otherSlopes(size: number): Waits[] {
    if (this.#slowdown.kind !== 'measured') return [];
    const { freeUpTo, perLeaseInterval, perLease } = this.#slowdown;
    return perLeaseInterval
      .filter((slope) => slope !== perLease)
      .map((slope) => {
        const curve = { freeUpTo, perLease: slope };
        const load = loadOf(this.#workload, curve, { growth: this.#options.growth });
        return this.#slices(size, load, curve).waits();
      });
  }

  /** Waits with the longest and the shortest checks that are possible. */
  #extremeChecks(size: number): Waits[] {
    if (this.#fewChecks === null) return [];
    return [this.#connectMs, new Float64Array(0)].map((checkMs) => {
      const { waitMs } = this.#replay(size, this.#load, this.#slowdown, { checkMs });
      return new WaitSlices(this.#load.arrivalMs, waitMs).waits();
    });
  }

  /** Recorded checks of idle connections, where the pool makes any and few of them were recorded; else null. */
  get #fewChecks(): number | null {
    const { length } = this.#checkMs;
    return algorithmOf(this.#pool).checkIdleMs !== null && length < MANY_CHECKS ? length : null;
  }

  get #mostMs(): number {
    return this.#timeoutMs ?? Number.POSITIVE_INFINITY;
  }

  #leaking(size: number): SizeRow['withLeaks'] {
    const load = loadOf(this.#workload, this.#slowdown, { growth: this.#options.growth, leaks: true });
    const { waitMs, timeouts } = this.#replay(size, load);
    const slices = new WaitSlices(load.arrivalMs, this.#overhead?.added(waitMs) ?? waitMs);
    return {
      p99Ms: slices.waits().p99Ms,
      p99Interval: slices.intervals(this.#mostMs).p99Ms,
      timeouts,
    };
  }

  /** The recorded size replayed: where it does not come near to what was recorded, the model does not fit. */
  #check(size: number, recorded: WaitSlices): PoolSizing['replayed'] {
    const load = loadOf(this.#workload, this.#slowdown, { leaks: true });
    const slices = new WaitSlices(load.arrivalMs, this.#replay(size, load).waitMs);
    const interval = slices.intervals(this.#mostMs).p99Ms;
    const { p99Ms } = slices.waits();
    const was = recorded.waits().p99Ms;
    const isClose =
      Math.abs(p99Ms - was) <= Math.max(CLOSE_MS, CLOSE * was) || (was >= interval[0] && was <= interval[1]);
    return { p99Ms, interval, isClose };
  }

  // ---- the recommendation -----------------------------------------------------------------------------------------

  #recommendation(): Recommendation {
    const { targetMs, growth } = this.#options;
    const size = this.#smallest((of) => this.#p99At(of));
    return {
      size,
      p99Ms: size === null ? null : this.#p99At(size),
      obstacle: size === null ? this.#obstacle() : null,
      certainSize: size === null ? null : this.#certain(size),
      ...{ targetMs, growth },
      growthAllowed: size === null ? null : this.#growthAllowed(size),
      shorten: this.#shorten(size),
    };
  }

  /** With connects, or with pings, that take no time the target would be met, or it would not. */
  #obstacle(): 'connects' | 'pings' | 'slowdown' {
    const isMet = (times: { connectMs: Float64Array; checkMs?: Float64Array }): boolean => {
      const { waitMs } = this.#replay(MOST_SIZE, this.#load, this.#slowdown, times);
      return new WaitSlices(this.#load.arrivalMs, waitMs).waits().p99Ms <= this.#options.targetMs;
    };
    const none = new Float64Array(0);
    if (isMet({ connectMs: none })) return 'connects';
    return isMet({ connectMs: none, checkMs: none }) ? 'pings' : 'slowdown';
  }

  /** Upwards by doubling until one is enough, then by halves between. Sizes beyond the most that are ever out change nothing. */
  #smallest(p99At: (size: number) => number, most = MOST_SIZE): number | null {
    const { targetMs } = this.#options;
    let low = this.#workload.reserved;
    let high = low + 1;
    while (p99At(high) > targetMs) {
      if (high >= most) return null;
      low = high;
      high = Math.min(most, this.#workload.reserved + 2 * (high - this.#workload.reserved));
    }
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (p99At(middle) <= targetMs) high = middle;
      else low = middle;
    }
    return high;
  }

  #certain(from: number): number | null {
    const { targetMs } = this.#options;
    for (let size = from; size <= Math.min(MOST_SIZE, 2 * from + 10); size++) {
      if (this.#intervals(size, this.#slices(size, this.#load)).p99Ms[1] <= targetMs) return size;
    }
    return null;
  }

  #growthAllowed(size: number): number {
    const { targetMs, growth } = this.#options;
    const holds = (factor: number) => {
      const load = loadOf(this.#workload, this.#slowdown, { growth: factor });
      return this.#slices(size, load).waits().p99Ms <= targetMs;
    };
    let [low, high] = [growth, growth * 2];
    while (high < MOST_GROWTH * growth && holds(high)) [low, high] = [high, high * 2];
    for (let i = 0; i < 5; i++) {
      const middle = (low + high) / 2;
      if (holds(middle)) low = middle;
      else high = middle;
    }
    return low;
  }

  /** The call site whose halving makes the smallest size possible; of equals the one with the shortest waits. */
  #shorten(size: number | null): Shorten | null {
    const { heldMs, site, count } = this.#workload;
    const sums = new Map<number, { heldMs: number; count: number }>();
    let total = 0;
    for (let at = 0; at < count; at++) {
      const held = heldMs[at] ?? 0;
      total += held;
      const own = sums.get(site[at] ?? 0) ?? { heldMs: 0, count: 0 };
      own.heldMs += held;
      own.count++;
      sums.set(site[at] ?? 0, own);
    }
    const tried = [...sums]
      .filter(([of]) => this.#pool.sites[of] != null)
      .sort(([, one], [, other]) => other.heldMs - one.heldMs)
      .slice(0, MOST_TRIED)
      .flatMap(([of, own]): Shorten[] => {
        const load = halved(this.#workload, this.#load, of);
        const p99At = (at: number) => this.#slices(at, load).waits().p99Ms;
        const enough = this.#smallest(p99At, size ?? MOST_SIZE);
        const text = this.#pool.sites[of];
        if (enough === null || text == null) return [];
        return [
          {
            site: text,
            holdShare: own.heldMs / total,
            meanHoldMs: own.heldMs / own.count,
            sizeIfHalved: enough,
            p99MsIfHalved: p99At(enough),
          },
        ];
      });
    const [best] = tried.sort(
      (one, other) => one.sizeIfHalved - other.sizeIfHalved || one.p99MsIfHalved - other.p99MsIfHalved,
    );
    return best === undefined || (size !== null && best.sizeIfHalved >= size) ? null : best;
  }
}

/** Recorded waits of the acquires that came while a connection was free. */
function waitsWithoutQueue(
  { askedMs, startMs, heldMs, waitedMs }: Workload,
  size: number,
): Float64Array<ArrayBuffer> {
  const endMs = startMs.map((start, at) => start + (heldMs[at] ?? 0)).sort();
  let ended = 0;
  return waitedMs.filter((_, at) => {
    while ((endMs[ended] ?? Number.POSITIVE_INFINITY) <= (askedMs[at] ?? 0)) ended++;
    // Earlier acquires that have not ended wait, or have a connection.
    return at - ended < size;
  });
}
