import { Histogram } from '../base/histogram.js';
import type { Sample, Segment } from './api.js';
import { distributionOf } from './distribution.js';
import type { BurstRecord } from './record.js';
import type { BurstRow } from './result.js';
import { shareBetween, WHOLE } from './segment.js';

interface Burst {
  readonly index: number;
  readonly atMs: number;
  readonly response: Histogram;
  readonly wait: Histogram;
  failed: number;
  lastEndedMs: number;
}

/** Collects what became of each burst. A finished burst keeps its figures only, unless they are to be merged. */
export class BurstRecorder {
  readonly #size: number;
  readonly #dueAt: (n: number) => number;
  readonly #segment: Segment;
  readonly #open = new Map<number, Burst>();
  readonly #rows: BurstRow[] = [];
  readonly #records: BurstRecord[] | null;

  constructor(
    size: number,
    dueAt: (n: number) => number,
    { segment = WHOLE, keep = false }: { readonly segment?: Segment; readonly keep?: boolean } = {},
  ) {
    this.#size = size;
    this.#dueAt = dueAt;
    this.#segment = segment;
    this.#records = keep ? [] : null;
  }

  /** Everything that was recorded, once it is finished; null unless it was to be kept. */
  records(): readonly BurstRecord[] | null {
    return this.#records;
  }

  /** Adds what a segment recorded that began `shiftMs` after the first one. */
  absorb(records: readonly BurstRecord[], shiftMs: number): void {
    for (const { index, response, wait, failed, lastEndedMs } of records) {
      const burst = this.#at(index);
      burst.response.addText(response);
      burst.wait.addText(wait);
      burst.failed += failed;
      burst.lastEndedMs = Math.max(burst.lastEndedMs, lastEndedMs + shiftMs);
    }
  }

  record(sample: Sample): void {
    const burst = this.#at(Math.floor(sample.seq / this.#size));
    if (sample.errorCode !== null) burst.failed++;
    else {
      burst.response.recordMs(sample.endedMs - sample.dueMs);
      if (sample.acquiredMs !== null) burst.wait.recordMs(sample.acquiredMs - sample.startedMs);
    }
    burst.lastEndedMs = sample.endedMs;
    if (burst.response.count + burst.failed === this.#sizeOf(burst)) this.#close(burst);
  }

  /** The bursts in order. Those that never ended have no time to drain. */
  finish(): BurstRow[] {
    for (const burst of [...this.#open.values()]) this.#close(burst);
    return this.#rows.sort((a, b) => a.index - b.index);
  }

  #at(index: number): Burst {
    let burst = this.#open.get(index);
    if (burst === undefined) {
      const atMs = this.#dueAt(index * this.#size);
      burst = { index, atMs, response: new Histogram(), wait: new Histogram(), failed: 0, lastEndedMs: 0 };
      this.#open.set(index, burst);
    }
    return burst;
  }

  #sizeOf({ index }: Burst): number {
    return shareBetween(index * this.#size, (index + 1) * this.#size, this.#segment);
  }

  #close(burst: Burst): void {
    this.#open.delete(burst.index);
    const { index, atMs, failed, lastEndedMs } = burst;
    this.#records?.push({
      ...{ index, failed, lastEndedMs },
      response: burst.response.toText(),
      wait: burst.wait.toText(),
    });
    const response = distributionOf(burst.response);
    const size = response.count + failed;
    const drained = size === this.#sizeOf(burst);
    const nextMs = this.#dueAt((index + 1) * this.#size);
    this.#rows.push({
      index,
      atMs,
      size,
      failed,
      p50Ms: response.p50Ms,
      p99Ms: response.p99Ms,
      maxMs: response.maxMs,
      waitMeanMs: distributionOf(burst.wait).meanMs,
      drainMs: drained ? lastEndedMs - atMs : null,
      overran: nextMs > atMs && (!drained || lastEndedMs > nextMs),
    });
  }
}
