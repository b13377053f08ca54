import type { Clock } from '../base/clock.js';

/** Before the first answer, a statement may be slow. Silence of this long is taken for a server that is gone. */
const FIRST_ANSWER_MS = 60_000;
/** A server is silent only if it stays so for this many times its slowest answer. */
const BY_SLOWEST = 10;
const LEAST_SILENCE_MS = 1000;
/** In a drain the wait is bounded, so less is enough to call it silence. */
const BY_SLOWEST_AT_END = 3;

/**
 * Decides when a run has waited long enough. A drain ends after its limit. Where the end of the arrivals depends on
 * answers (a number of iterations, or a warm-up), silence ends the run too.
 */
export class Patience {
  readonly #limitMs: number | null;
  #lastAnswerAt: number | null = null;
  #slowestMs = 0;
  #drainingSince: number | null = null;
  readonly #openedAt: number;

  /** `limitMs` null: waits without limit. */
  constructor(limitMs: number | null, clock: Clock) {
    this.#limitMs = limitMs;
    this.#openedAt = clock.now();
  }

  /** The target has answered an iteration, with a result or an error. */
  answered(at: number, tookMs: number): void {
    this.#lastAnswerAt = at;
    if (tookMs > this.#slowestMs) this.#slowestMs = tookMs;
  }

  /** The measurement begins: a warm-up slows the first answers down by opening connections. */
  begin(): void {
    this.#slowestMs = 0;
  }

  /** When the target answered last; before that, when the run was opened. */
  get lastAnswerAt(): number {
    return this.#lastAnswerAt ?? this.#openedAt;
  }

  drain(now: number): void {
    this.#drainingSince ??= now;
  }

  /** When the run gives up at the latest; null if it waits for as long as it takes. */
  givesUpAt(endsByItself: boolean): number | null {
    if (this.#limitMs === null) return null;
    if (this.#drainingSince !== null) return this.#drainingSince + this.#limitMs;
    if (endsByItself) return null;
    const silenceMs =
      this.#lastAnswerAt === null
        ? Math.max(this.#limitMs, FIRST_ANSWER_MS)
        : Math.max(this.#limitMs, BY_SLOWEST * this.#slowestMs);
    return (this.#lastAnswerAt ?? this.#openedAt) + silenceMs;
  }

  /**
   * Since when the target has not answered, although it used to; null if it did, or never has. The silence must have
   * begun while iterations still arrived: after that a few slow ones are silent too. And most iterations that it leaves
   * must be no older, else they were stuck while others were answered.
   */
  silentSince(now: number, acquiredAt: readonly number[]): number | null {
    const at = this.#lastAnswerAt;
    if (at === null) return null;
    const leastMs = Math.max(LEAST_SILENCE_MS, BY_SLOWEST_AT_END * this.#slowestMs);
    if ((this.#drainingSince ?? now) - at < leastMs) return null;
    const stuck = acquiredAt.filter((time) => at - time >= leastMs).length;
    return stuck * 2 > acquiredAt.length ? null : at;
  }
}
