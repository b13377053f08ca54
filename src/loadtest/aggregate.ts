import { Histogram, type HistogramText } from '../base/histogram.js';
import type { LoadModel, Sample, Segment } from './api.js';
import { BurstRecorder } from './bursts.js';
import { censoredDistribution, type Distribution, distributionOf } from './distribution.js';
import { ITERATION_TIMEOUT } from './failures.js';
import { CENSORED, type ErrorCount, KINDS, type LoadRecord } from './record.js';
import type { Interval, Measurements } from './result.js';
import { WHOLE } from './segment.js';
import { ServedWindow } from './served-window.js';
import { StageRecorder } from './stages.js';
import { TimelineRecorder } from './timeline.js';

/** Facts that the samples cannot show. */
export interface RunTotals {
  readonly elapsedMs: number;
  readonly started: number;
  readonly abandoned: number;
  readonly dropped: number;
  /** From the start to the end of the arrivals. Default: `elapsedMs`. */
  readonly arrivalsMs?: number;
  /** Default null. */
  readonly silentFromMs?: number | null;
}

/** How an aggregator is used, beyond adding up a whole load. */
export interface AggregatorOptions {
  readonly onInterval?: (interval: Interval) => void;
  /** The part of the load that is recorded. Default: the whole. */
  readonly segment?: Segment;
  /** Whether `record` will be asked for. Default false: a long run keeps figures only. */
  readonly keep?: boolean;
}

/**
 * Adds up iterations as they end, so the length of a run costs no memory. The response time of an iteration starts
 * when it was due, not when it started. Delays from a busy generator or a stalled target therefore stay visible. It
 * is the sum of the late start (zero in a closed load), waiting for the pool (started to acquired) and service
 * (acquired to ended). The figures cover iterations that succeeded. Times of failed ones are kept apart: a refusal
 * in 1 ms would improve the figures, and the count of timeouts already covers 10 s timeouts. An iteration without a
 * pool has a response time, but no parts.
 */
export class Aggregator {
  readonly #response = new Histogram();
  readonly #wait = new Histogram();
  readonly #service = new Histogram();
  readonly #failure = new Histogram();
  readonly #lag = new Histogram();
  readonly #exact: Readonly<Record<(typeof KINDS)[number], Histogram>>;
  /** Iterations that were given up: the time until then. */
  readonly #censored = { response: new Histogram(), wait: new Histogram(), service: new Histogram() };
  readonly #window: ServedWindow;
  readonly #errors = new Map<string, { count: number; example: string }>();
  readonly #timeline: TimelineRecorder;
  readonly #bursts: BurstRecorder | null;
  readonly #stages: StageRecorder | null;

  constructor(model: LoadModel, { onInterval, segment = WHOLE, keep = false }: AggregatorOptions = {}) {
    this.#exact = {
      ...{ response: this.#response, wait: this.#wait, service: this.#service },
      ...{ failure: this.#failure, lag: this.#lag },
    };
    this.#timeline = new TimelineRecorder(onInterval, { keep });
    this.#window = new ServedWindow(model.kind === 'open' && model.burstSize === null ? 'steady' : 'other');
    const { burstSize, dueAt, ramp } =
      model.kind === 'open' ? model : { burstSize: null, dueAt: () => 0, ramp: null };
    this.#bursts = burstSize === null ? null : new BurstRecorder(burstSize, dueAt, { segment, keep });
    this.#stages = ramp === null ? null : new StageRecorder(ramp, segment);
  }

  /** Everything that was recorded. Complete once it is finished; needs `keep`. */
  loadRecord(): LoadRecord {
    const timeline = this.#timeline.records();
    if (timeline === null) throw new Error('the aggregator was not told to keep what it records');
    const texts = <K extends string>(of: Readonly<Record<K, Histogram>>) =>
      Object.fromEntries(Object.entries<Histogram>(of).map(([kind, one]) => [kind, one.toText()])) as Record<
        K,
        HistogramText
      >;
    return {
      exact: texts(this.#exact),
      censored: texts(this.#censored),
      late: this.#window.late(),
      errors: this.#errorCounts(),
      timeline,
      bursts: this.#bursts?.records() ?? null,
      stages: this.#stages?.records() ?? null,
    };
  }

  /** Takes in what a segment recorded that began `shiftMs` after the first one. Throws a RangeError if it is damaged. */
  absorb(record: LoadRecord, shiftMs: number): void {
    for (const kind of KINDS) this.#exact[kind].addText(record.exact[kind]);
    for (const kind of CENSORED) this.#censored[kind].addText(record.censored[kind]);
    this.#window.absorb(record.late);
    for (const { code, count, example } of record.errors) this.#countError(code, example, count);
    this.#bursts?.absorb(record.bursts ?? [], shiftMs);
    this.#stages?.absorb(record.stages ?? []);
    this.#timeline.absorb(record.timeline, shiftMs);
  }

  get ended(): number {
    return this.#response.count + this.#failure.count;
  }

  get failed(): number {
    return this.#failure.count;
  }

  /** Whether there is no point in more load: a step of a ramp is broken. */
  isBroken(nowMs: number): boolean {
    return this.#stages?.isBroken(nowMs) ?? false;
  }

  /** An iteration that was due then begins. */
  begin(dueMs: number): void {
    this.#stages?.begin(dueMs);
  }

  /** An iteration that was due then does not begin: too many are under way. */
  drop(dueMs: number): void {
    this.#stages?.drop(dueMs);
  }

  /** Takes one iteration in, in the order in which they end; with the error's message if it failed. */
  record(sample: Sample, message = ''): void {
    const { dueMs, startedMs, acquiredMs, endedMs, errorCode } = sample;
    this.#lag.recordMs(startedMs - dueMs);
    this.#timeline.record(sample);
    this.#bursts?.record(sample);
    this.#stages?.record(sample);
    this.#window.record(endedMs, errorCode === null);
    if (errorCode === ITERATION_TIMEOUT) this.#censor(sample, endedMs);
    if (errorCode !== null) {
      this.#failure.recordMs(endedMs - dueMs);
      this.#countError(errorCode, message);
      return;
    }
    this.#response.recordMs(endedMs - dueMs);
    if (acquiredMs === null) return;
    this.#wait.recordMs(acquiredMs - startedMs);
    this.#service.recordMs(endedMs - acquiredMs);
  }

  /** No iteration begins any more; the arrivals took this long. */
  endArrivals(atMs: number): void {
    this.#window.close(atMs);
  }

  /** Takes in an iteration that is given up now: its response time is at least as long as it has been due. */
  abandon(iteration: Pick<Sample, 'dueMs' | 'startedMs' | 'acquiredMs'>, nowMs: number): void {
    this.#lag.recordMs(iteration.startedMs - iteration.dueMs);
    this.#censor(iteration, nowMs);
  }

  /** Notes how many iterations wait for a connection at this moment. */
  gauge(atMs: number, waiting: number): void {
    this.#timeline.gauge(atMs, waiting);
  }

  finish(totals: RunTotals): Measurements {
    const { elapsedMs, arrivalsMs = elapsedMs, silentFromMs = null } = totals;
    const succeeded = this.#response.count;
    const [response, service] = [distributionOf(this.#response), distributionOf(this.#service)];
    const { throughputPerSecond, endedPerSecond } = this.#window.finish({
      ...{ arrivalsMs, elapsedMs, succeeded, ended: this.ended, response, service },
    });
    return {
      ...totals,
      arrivalsMs,
      drainMs: Math.max(0, elapsedMs - arrivalsMs),
      silentFromMs,
      succeeded,
      failed: this.failed,
      throughputPerSecond,
      endedPerSecond,
      successRate: this.ended > 0 ? succeeded / this.ended : null,
      response: this.#with(this.#response, 'response'),
      wait: this.#with(this.#wait, 'wait'),
      service: this.#with(this.#service, 'service'),
      failure: distributionOf(this.#failure),
      lag: distributionOf(this.#lag),
      errors: this.#errorCounts(),
      timeline: this.#timeline.finish(elapsedMs),
      bursts: this.#bursts?.finish() ?? null,
      stages: this.#stages?.finish(elapsedMs) ?? null,
    };
  }

  #with(exact: Histogram, part: 'response' | 'wait' | 'service'): Distribution {
    return censoredDistribution(exact, this.#censored[part]);
  }

  #censor(
    { dueMs, startedMs, acquiredMs }: Pick<Sample, 'dueMs' | 'startedMs' | 'acquiredMs'>,
    nowMs: number,
  ): void {
    this.#censored.response.recordMs(nowMs - dueMs);
    if (acquiredMs === null) this.#censored.wait.recordMs(nowMs - startedMs);
    else {
      this.#wait.recordMs(acquiredMs - startedMs);
      this.#censored.service.recordMs(nowMs - acquiredMs);
    }
  }

  #countError(code: string, message: string, count = 1): void {
    const known = this.#errors.get(code);
    if (known !== undefined) known.count += count;
    else this.#errors.set(code, { count, example: message.split('\n', 1)[0] ?? '' });
  }

  /** The most frequent first. */
  #errorCounts(): ErrorCount[] {
    return [...this.#errors]
      .map(([code, { count, example }]) => ({ code, count, example }))
      .sort((a, b) => b.count - a.count || a.code.localeCompare(b.code));
  }
}
