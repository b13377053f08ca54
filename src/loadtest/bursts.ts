import { Histogram } from '../base/histogram.js';
import type { Sample } from './api.js';
import { distributionOf } from './distribution.js';
import type { BurstRow } from './result.js';

interface Burst {
  readonly index: number;
  readonly atMs: number;
  readonly response: Histogram;
  readonly wait: Histogram;
  failed: number;
  lastEndedMs: number;
}

/** Collects what became of each burst. A finished burst keeps its figures only. */
export class BurstRecorder {
  readonly #size: number;
  readonly #dueAt: (n: number) => number;
  readonly #open = new Map<number, Burst>();
  readonly #rows: BurstRow[] = [];

  constructor(size: number, dueAt: (n: number) => number) {
    this.#size = size;
    this.#dueAt = dueAt;
  }

  record(sample: Sample): void {
    const index = Math.floor(sample.seq / this.#size);
    let burst = this.#open.get(index);
    if (burst === undefined) {
      const atMs = this.#dueAt(index * this.#size);
      burst = { index, atMs, response: new Histogram(), wait: new Histogram(), failed: 0, lastEndedMs: 0 };
      this.#open.set(index, burst);
    }
    if (sample.errorCode !== null) burst.failed++;
    else {
      burst.response.recordMs(sample.endedMs - sample.dueMs);
      if (sample.acquiredMs !== null) burst.wait.recordMs(sample.acquiredMs - sample.startedMs);
    }
    burst.lastEndedMs = sample.endedMs;
    if (burst.response.count + burst.failed === this.#size) this.#close(burst);
  }

  /** The bursts in order. Those that never ended have no time to drain. */
  finish(): BurstRow[] {
    for (const burst of [...this.#open.values()]) this.#close(burst);
    return this.#rows.sort((a, b) => a.index - b.index);
  }

  #close(burst: Burst): void {
    this.#open.delete(burst.index);
    const { index, atMs, failed, lastEndedMs } = burst;
    const response = distributionOf(burst.response);
    const size = response.count + failed;
    const drained = size === this.#size;
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
