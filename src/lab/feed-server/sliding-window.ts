/** At most so many within any stretch of `windowMs`, wherever it begins. */
export class SlidingWindow {
  readonly #most: number;
  readonly #windowMs: number;
  #stamps: number[] = [];

  constructor(most: number, windowMs: number) {
    this.#most = most;
    this.#windowMs = windowMs;
  }

  /** When there is room for one more: `now`, or later. */
  roomAt(now: number): number {
    this.#forget(now);
    // Pings need no permission and may have filled it beyond the limit.
    const blocking = this.#stamps[this.#stamps.length - this.#most];
    return blocking === undefined ? now : blocking + this.#windowMs;
  }

  /** One goes now. */
  note(now: number): void {
    this.#forget(now);
    this.#stamps.push(now);
  }

  #forget(now: number): void {
    while ((this.#stamps[0] ?? Number.POSITIVE_INFINITY) + this.#windowMs <= now) this.#stamps.shift();
  }
}
