/** A label that has been gone for this long gives up its place. Prometheus has marked its series stale by then. */
const KEPT_MS = 3_600_000;

/**
 * Chooses the labels with their own series: the first ones, up to a bound. They keep their places while they exist
 * and for an hour after, so no series moves back and forth between itself and the rest.
 */
export class LabelSlots {
  readonly #most: number;
  readonly #seenAtMs = new Map<string, number>();
  #nowMs = 0;

  constructor(most: number) {
    this.#most = most;
  }

  /** The next reading begins. */
  next(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.#seenAtMs.size < this.#most) return;
    for (const [key, seenAtMs] of this.#seenAtMs) if (nowMs - seenAtMs > KEPT_MS) this.#seenAtMs.delete(key);
  }

  take(key: string): boolean {
    if (!this.#seenAtMs.has(key) && this.#seenAtMs.size >= this.#most) return false;
    this.#seenAtMs.set(key, this.#nowMs);
    return true;
  }
}
