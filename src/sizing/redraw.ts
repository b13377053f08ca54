import type { Random } from '../base/random.js';
import type { Load } from './replay.js';

/** Parts of the recording whose arrivals are drawn anew as one block. */
const BLOCKS = 30;

/**
 * Draws other recordings of the same length from one. Arrivals come in blocks of a thirtieth of the recording, each from up
 * to one block earlier or later, so bursts and the curve of the day remain. Each acquire gets the work of a random one of its
 * call site. Replays of such draws show what another order of long and short holds does to the queue, which drawing the
 * waits themselves cannot show (a bootstrap of the inputs of a simulation; Barton and Schruben 1993).
 */
export class Redraw {
  readonly #load: Load;
  readonly #site: Int32Array;
  readonly #bySite = new Map<number, number[]>();

  /** `site` is the call site of each acquire of the load. */
  constructor(load: Load, site: Int32Array) {
    this.#load = load;
    this.#site = site;
    for (const [at, of] of site.entries()) {
      const alike = this.#bySite.get(of);
      if (alike === undefined) this.#bySite.set(of, [at]);
      else alike.push(at);
    }
  }

  draw(random: Random): Load {
    const { arrivalMs, workMs } = this.#load;
    const from = arrivalMs[0] ?? 0;
    const spanMs = (arrivalMs.at(-1) ?? 0) - from;
    const blockMs = spanMs / BLOCKS;
    const drawn: { readonly arrivalMs: number; readonly workMs: number }[] = [];
    for (let block = 0; block < BLOCKS; block++) {
      const start = block * blockMs;
      const source = Math.min(spanMs - blockMs, Math.max(0, start + (2 * random() - 1) * blockMs));
      // The last arrival of the recording belongs to its last block.
      const end = firstFrom(arrivalMs, from + source + blockMs * (1 + 1e-9));
      for (let at = firstFrom(arrivalMs, from + source); at < end; at++) {
        const alike = this.#bySite.get(this.#site[at] ?? 0) ?? [at];
        const other = alike[Math.floor(random() * alike.length)] ?? at;
        drawn.push({ arrivalMs: (arrivalMs[at] ?? 0) - source + start, workMs: workMs[other] ?? 0 });
      }
    }
    drawn.sort((one, other) => one.arrivalMs - other.arrivalMs);
    return {
      count: drawn.length,
      arrivalMs: Float64Array.from(drawn, (one) => one.arrivalMs),
      workMs: Float64Array.from(drawn, (one) => one.workMs),
    };
  }
}

/** The first arrival at or after this time. */
function firstFrom(arrivalMs: Float64Array, atMs: number): number {
  let [low, high] = [0, arrivalMs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((arrivalMs[middle] ?? 0) < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}
