import { seededRandom } from '../base/random.js';

/** Replayed waits below it, in milliseconds, are none. */
const NONE_MS = 0.001;

/**
 * The time that it takes to lend an idle connection, and to get a turn of the event loop: what those waited who had no
 * queue before them. It is added to the replayed waits that are none.
 */
export class Overhead {
  /** One value for each acquire; NaN for those that had a queue before them. */
  readonly #own: Float64Array;
  readonly #sample: Float64Array;

  /** `waitedMs` was recorded, `replayedMs` is the replay at the recorded size. */
  constructor(waitedMs: Float64Array, replayedMs: Float64Array) {
    this.#own = waitedMs.map((waited, at) => ((replayedMs[at] ?? 0) <= NONE_MS ? waited : Number.NaN));
    this.#sample = this.#own.filter((own) => !Number.isNaN(own));
  }

  added(waitMs: Float64Array): Float64Array {
    const random = seededRandom(3);
    const sample = this.#sample;
    if (sample.length === 0) return waitMs;
    return waitMs.map((wait, at) => {
      if (wait > NONE_MS) return wait;
      const own = this.#own[at] ?? Number.NaN;
      return Number.isNaN(own) ? (sample[Math.floor(random() * sample.length)] ?? 0) : own;
    });
  }
}
