import { Histogram } from '../base/histogram.js';
import type { Sample } from './api.js';
import { distributionOf } from './distribution.js';
import type { StretchRecord, TimelineRecord } from './record.js';
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
  readonly #records: StretchRecord[] | null;

  /** `onInterval` receives each stretch when it is over. `keep` keeps the histograms of all of them, for a merge. */
  constructor(
    onInterval: (interval: Interval) => void = () => {},
    { keep = false }: { readonly keep?: boolean } = {},
  ) {
    this.#onInterval = onInterval;
    this.#records = keep ? [] : null;
  }

  /** Everything that was recorded, once it is finished; null unless it was to be kept. */
  records(): TimelineRecord | null {
    return this.#records && { intervalMs: this.#intervalMs, stretches: this.#records };
  }

  /**
   * Takes in what a segment recorded that began `shiftMs` after the first one. A stretch counts in the interval that its
   * middle falls into, which is its own if all segments began at once.
   */
  absorb({ intervalMs, stretches }: TimelineRecord, shiftMs: number): void {
    if (intervalMs === COARSE_MS && this.#intervalMs === FINE_MS) this.#coarsenAbsorbed();
    for (const { atMs, response, wait, failed, waiting } of stretches) {
      const stretch = this.#absorbedAt(atMs + shiftMs + intervalMs / 2);
      stretch.response.addText(response);
      stretch.wait.addText(wait);
      stretch.failed += failed;
      if (waiting !== null) stretch.waiting = (stretch.waiting ?? 0) + waiting;
    }
  }

  #absorbedAt(atMs: number): Stretch {
    if (this.#intervalMs === FINE_MS && atMs >= FINE_ROWS * FINE_MS) this.#coarsenAbsorbed();
    const index = Math.floor(atMs / this.#intervalMs);
    while (this.#open.length <= index) this.#open.push(newStretch(this.#open.length));
    return this.#open[index] as Stretch;
  }

  /** Puts stretches together that may be of any number of segments: their waiters are added up already. */
  #coarsenAbsorbed(): void {
    const fine = this.#open;
    this.#open = [];
    this.#intervalMs = COARSE_MS;
    for (const each of fine) addStretch(this.#absorbedAt(each.index * FINE_MS), each);
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
    const stretch = newStretch(index);
    this.#open.push(stretch);
    return stretch;
  }

  #coarsen(): void {
    const fine = this.#open;
    this.#open = [];
    this.#intervalMs = COARSE_MS;
    for (const each of fine) {
      addStretch(this.#at(each.index * FINE_MS), each);
    }
  }

  #close(stretch: Stretch, lengthMs: number): void {
    const { failed, waiting } = stretch;
    const response = distributionOf(stretch.response);
    const wait = distributionOf(stretch.wait);
    const atMs = stretch.index * this.#intervalMs;
    if (this.#records !== null && response.count + failed + (waiting ?? 0) > 0) {
      const [responseText, waitText] = [stretch.response.toText(), stretch.wait.toText()];
      this.#records.push({ atMs, response: responseText, wait: waitText, failed, waiting });
    }
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

function newStretch(index: number): Stretch {
  return { index, response: new Histogram(), wait: new Histogram(), failed: 0, waiting: null };
}

function addStretch(whole: Stretch, part: Stretch): void {
  whole.response.add(part.response);
  whole.wait.add(part.wait);
  whole.failed += part.failed;
  if (part.waiting !== null) whole.waiting = Math.max(whole.waiting ?? 0, part.waiting);
}

function lengthOf({ index }: Stretch, intervalMs: number, elapsedMs: number): number {
  return Math.max(0, Math.min(intervalMs, elapsedMs - index * intervalMs));
}
