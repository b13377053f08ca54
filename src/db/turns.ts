import { onAbort } from '../base/abort.js';
import { Deque } from '../base/deque.js';
import { queryAborted } from './errors.js';

/** Lets one through at a time, first come first served. */
export class Turns {
  #taken = false;
  /** Made for the first that waits, since nearly every session has none. */
  #waiting: Deque<() => void> | null = null;

  /** Answers null where the turn is the caller's at once; else a promise of it. An abort gives up the place. */
  take(signal: AbortSignal | undefined, sql: string | null): Promise<void> | null {
    if (!this.#taken) {
      this.#taken = true;
      return null;
    }
    if (signal?.aborted) return Promise.reject(queryAborted(signal, sql));
    this.#waiting ??= new Deque();
    const waiting = this.#waiting;
    return new Promise((resolve, reject) => {
      const go = (): void => {
        stopWatching?.();
        resolve();
      };
      const stopWatching =
        signal &&
        onAbort(signal, () => {
          waiting.remove(go);
          reject(queryAborted(signal, sql));
        });
      waiting.push(go);
    });
  }

  /** The turn is over; the next in line has it. */
  pass(): void {
    const next = this.#waiting?.shift();
    if (next === undefined) this.#taken = false;
    else next();
  }
}
