/** Acquires of one Promise.all begin in one turn of the program, or within so many milliseconds. */
const WINDOW_MS = 25;
/** A larger burst than the last one is remembered for so long. */
const REMEMBERED_MS = 10_000;

/** Acquires that began together. */
export interface Burst {
  count: number;
  readonly at: number;
  /** Holds the stack of one of them; null where none was sampled. */
  site: Error | null;
}

/** Sorts acquires into bursts, and remembers the largest of the last seconds: between two bursts nobody waits. */
export class Bursts {
  #now: Burst | null = null;
  #largest: Burst | null = null;
  /** No callback of the program has run since the last acquire. */
  #sameTurn = false;
  readonly #endTurn = (): void => {
    this.#sameTurn = false;
  };

  /** The burst that an acquire belongs to. */
  add(since: number, site: Error | null): Burst {
    // A busy machine can halt the program in the middle of a turn.
    if (this.#now === null || (!this.#sameTurn && since - this.#now.at > WINDOW_MS))
      this.#now = { count: 0, at: since, site };
    if (!this.#sameTurn) queueMicrotask(this.#endTurn);
    this.#sameTurn = true;
    const burst = this.#now;
    burst.count++;
    burst.site ??= site;
    const isOld = this.#largest !== null && since - this.#largest.at > REMEMBERED_MS;
    if (this.#largest === null || isOld || burst.count >= this.#largest.count) this.#largest = burst;
    return burst;
  }

  get largest(): Burst | null {
    return this.#largest;
  }
}

/** The most of these callers that are of one burst. */
export function askedTogether(waiting: Iterable<{ readonly burst: Burst }>): number {
  const counts = new Map<Burst, number>();
  for (const { burst } of waiting) counts.set(burst, (counts.get(burst) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
