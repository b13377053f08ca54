import { Histogram } from '../base/histogram.js';
import { type Distribution, percentileMs } from './distribution.js';
import type { LateRecord } from './record.js';

interface WindowTotals {
  readonly arrivalsMs: number;
  readonly elapsedMs: number;
  readonly succeeded: number;
  readonly ended: number;
  /** Service times of iterations that succeeded. */
  readonly response: Distribution;
  readonly service: Distribution;
}

/**
 * Computes rates over the time in which iterations arrived. An iteration that begins in that time ends a little after
 * it, so iterations that end within one usual response time of it still count; a longer drain does not.
 *
 * `steady` is a rate by the clock: the usual time is the median of being served, without waiting, because a queue that
 * grows would otherwise count as served. For workers and bursts the drain counts as a whole, unless it is longer than
 * two p99 response times; then only one of them counts.
 */
export class ServedWindow {
  readonly #kind: 'steady' | 'other';
  /** How long after the end of the arrivals iterations ended. */
  readonly #lateEnds = new Histogram();
  readonly #lateSuccesses = new Histogram();
  #closedMs = Number.POSITIVE_INFINITY;

  constructor(kind: 'steady' | 'other') {
    this.#kind = kind;
  }

  /** The arrivals have ended. */
  close(atMs: number): void {
    this.#closedMs = Math.min(this.#closedMs, atMs);
  }

  record(endedMs: number, succeeded: boolean): void {
    if (endedMs <= this.#closedMs) return;
    this.#lateEnds.recordMs(endedMs - this.#closedMs);
    if (succeeded) this.#lateSuccesses.recordMs(endedMs - this.#closedMs);
  }

  /** How long after the end of the arrivals iterations ended, for a merge. */
  late(): LateRecord {
    return { ends: this.#lateEnds.toText(), successes: this.#lateSuccesses.toText() };
  }

  /** Adds those of a segment. */
  absorb({ ends, successes }: LateRecord): void {
    this.#lateEnds.addText(ends);
    this.#lateSuccesses.addText(successes);
  }

  finish(totals: WindowTotals): { throughputPerSecond: number; endedPerSecond: number } {
    const { arrivalsMs, elapsedMs, succeeded, ended } = totals;
    const graceMs = this.#graceMs(totals);
    const isWhole = this.#kind === 'other' && elapsedMs <= arrivalsMs + 2 * graceMs;
    const lengthMs =
      this.#kind === 'steady' ? arrivalsMs : isWhole ? elapsedMs : Math.min(elapsedMs, arrivalsMs + graceMs);
    const rate = (count: number, late: Histogram) =>
      lengthMs > 0 ? ((count - (isWhole ? 0 : countAbove(late, graceMs))) / lengthMs) * 1000 : 0;
    return {
      throughputPerSecond: rate(succeeded, this.#lateSuccesses),
      endedPerSecond: rate(ended, this.#lateEnds),
    };
  }

  #graceMs({ response, service }: WindowTotals): number {
    if (this.#kind === 'other') return percentileMs(response, 99) ?? 0;
    // Without a pool, nothing separates waiting from being served: the fastest response had the least of it.
    return (service.count > 0 ? service.p50Ms : response.minMs) ?? 0;
  }
}

function countAbove(histogram: Histogram, ms: number): number {
  return histogram
    .snapshot()
    .buckets.reduce((sum, [upToUs, count]) => sum + (upToUs * 0.99 > ms * 1000 ? count : 0), 0);
}
