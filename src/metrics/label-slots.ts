/** What has been gone for so long gives its place to another: Prometheus has put its series away by then. */
const KEPT_MS = 3_600_000;

/**
 * Who has series of its own: the first ones that came, up to a bound. They keep their places while they are there and
 * for an hour after, so that nothing moves to and fro between its own series and those of the rest.
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
