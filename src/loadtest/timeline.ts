import { Histogram } from '../base/histogram.js';
import type { Sample } from './api.js';
import { distributionOf } from './distribution.js';
import type { Interval, Timeline, TimelineRow } from './result.js';

/** Runs up to FINE_ROWS of these are told in them; longer ones by the second. */
const FINE_MS = 100;
const FINE_ROWS = 100;
const COARSE_MS = 1000;

/** The samples of one stretch of the run so far. */
interface Stretch {
  readonly index: number;
  readonly response: Histogram;
  readonly wait: Histogram;
  failed: number;
  waiting: number | null;
}

/**
 * Collects what happened when. It begins with tenths of a second, so that a run of half a second has a course too,
 * and goes over to whole seconds after ten of them. Finished seconds keep their figures only, so a run of hours
 * costs little. Iterations must come in the order in which they ended.
 */
export class TimelineRecorder {
  #intervalMs = FINE_MS;
  #open: Stretch[] = [];
  readonly #rows: TimelineRow[] = [];
  readonly #onInterval: (interval: Interval) => void;

  /** `onInterval` receives each stretch when it is over. */
  constructor(onInterval: (interval: Interval) => void = () => {}) {
    this.#onInterval = onInterval;
  }

  record(sample: Sample): void {
    const stretch = this.#at(sample.endedMs);
    if (sample.errorCode !== null) {
      stretch.failed++;
      return;
    }
    stretch.response.recordMs(sample.endedMs - sample.dueMs);
    if (sample.acquiredMs !== null) stretch.wait.recordMs(sample.acquiredMs - sample.startedMs);
  }

  /** Notes how many wait for a connection at this moment. */
  gauge(atMs: number, waiting: number): void {
    const stretch = this.#at(atMs);
    stretch.waiting = Math.max(stretch.waiting ?? 0, waiting);
  }

  finish(elapsedMs: number): Timeline {
    const intervalMs = this.#intervalMs;
    for (const stretch of this.#open) this.#close(stretch, lengthOf(stretch, intervalMs, elapsedMs));
    this.#open = [];
    // A look at the waiters just after the last iteration may have begun a stretch that no longer belongs to the run.
    const rows = this.#rows.filter(
      ({ lengthMs, succeeded, failed }) => lengthMs > 0 || succeeded + failed > 0,
    );
    return { intervalMs, rows };
  }

  #at(atMs: number): Stretch {
    let index = Math.floor(atMs / this.#intervalMs);
    if (this.#intervalMs === FINE_MS && index >= FINE_ROWS) {
      this.#coarsen();
      index = Math.floor(atMs / COARSE_MS);
    }
    let last = this.#open.at(-1) ?? this.#begin(0);
    while (last.index < index) {
      if (this.#intervalMs === COARSE_MS) {
        this.#close(last, COARSE_MS);
        this.#open.pop();
      }
      last = this.#begin(last.index + 1);
    }
    return last;
  }

  #begin(index: number): Stretch {
    const stretch = { index, response: new Histogram(), wait: new Histogram(), failed: 0, waiting: null };
    this.#open.push(stretch);
    return stretch;
  }

  #coarsen(): void {
    const fine = this.#open;
    this.#open = [];
    this.#intervalMs = COARSE_MS;
    for (const each of fine) {
      const whole = this.#at(each.index * FINE_MS);
      whole.response.add(each.response);
      whole.wait.add(each.wait);
      whole.failed += each.failed;
      if (each.waiting !== null) whole.waiting = Math.max(whole.waiting ?? 0, each.waiting);
    }
  }

  #close(stretch: Stretch, lengthMs: number): void {
    const { failed, waiting } = stretch;
    const response = distributionOf(stretch.response);
    const wait = distributionOf(stretch.wait);
    const atMs = stretch.index * this.#intervalMs;
    this.#onInterval({ atMs, lengthMs, response, wait });
    this.#rows.push({
      atMs,
      lengthMs,
      succeeded: response.count,
      failed,
      throughputPerSecond: lengthMs > 0 ? (response.count / lengthMs) * 1000 : 0,
      meanMs: response.meanMs,
      p50Ms: response.p50Ms,
      p99Ms: response.p99Ms,
      waitMeanMs: wait.meanMs,
      waitP99Ms: wait.p99Ms,
      waiting,
    });
  }
}

function lengthOf({ index }: Stretch, intervalMs: number, elapsedMs: number): number {
  return Math.max(0, Math.min(intervalMs, elapsedMs - index * intervalMs));
}
