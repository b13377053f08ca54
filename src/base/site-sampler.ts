const WINDOW_MS = 1000;

/** Keeps within so many looks a second: below that all are worth one, above it an even sample. */
export class SiteSampler {
  readonly #budget: number;
  readonly #widened: () => void;
  /** One in so many is looked at. */
  #stride = 1;
  /** To pass over until the next one that is looked at. */
  #skip = 0;
  #windowStart = Number.NEGATIVE_INFINITY;
  #seen = 0;
  #looked = 0;

  /** Calls `widened` whenever it begins to skip some, and while it goes on. */
  constructor(perSecond: number, widened: () => void = () => {}) {
    this.#budget = perSecond;
    this.#widened = widened;
  }

  /** Whether none is passed over at present. */
  get seesAll(): boolean {
    return this.#stride === 1;
  }

  /** Whether this one's turn has come. Nearly always one subtraction: the window is looked at when the count ran out. */
  turn(now: number): boolean {
    if (--this.#skip > 0) return false;
    this.#seen += this.#stride;
    if (now - this.#windowStart >= WINDOW_MS) this.#nextWindow(now);
    else if (this.#looked >= this.#budget) {
      // More than foreseen within this window: widen the net's meshes at once.
      this.#stride *= 2;
      this.#skip = this.#stride;
      this.#widened();
      return false;
    }
    this.#skip = this.#stride;
    this.#looked++;
    return true;
  }

  /** A rush has left the meshes wide. Where it has been quiet since, the next one is looked at again. */
  rested(now: number): void {
    if (now - this.#windowStart >= WINDOW_MS) this.#skip = 0;
  }

  #nextWindow(now: number): void {
    const seconds = Math.max(1, (now - this.#windowStart) / WINDOW_MS);
    this.#stride = Math.max(1, Math.ceil(this.#seen / seconds / this.#budget));
    if (this.#stride > 1) this.#widened();
    this.#windowStart = now;
    this.#seen = 0;
    this.#looked = 0;
  }
}
