import type { Clock } from './clock.js';
import { allowManyListeners } from './promises.js';

/**
 * The listeners of a signal, in the order in which they came. Node keeps listeners in a list and looks through all of it
 * to remove one, so a thousand operations on one signal would cost a million steps. Here they share one listener.
 */
class Watchers {
  readonly #signal: AbortSignal;
  readonly #callbacks = new Set<() => void>();

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Each call adds one, even with a callback that is there already: its wrapper is the key. */
  add(callback: () => void): () => void {
    const own = (): void => callback();
    if (this.#callbacks.size === 0) this.#listen();
    this.#callbacks.add(own);
    return () => {
      if (this.#callbacks.delete(own) && this.#callbacks.size === 0) this.#stopListening();
    };
  }

  #listen(): void {
    // Other parts of the program may watch the same signal.
    allowManyListeners(this.#signal);
    this.#signal.addEventListener('abort', this.#aborted);
  }

  #stopListening(): void {
    this.#signal.removeEventListener('abort', this.#aborted);
    watched.delete(this.#signal);
  }

  readonly #aborted = (): void => {
    this.#stopListening();
    for (const callback of this.#callbacks) {
      // One that was taken back by another before its turn is not in the set any more, and is not reached.
      this.#callbacks.delete(callback);
      try {
        callback();
      } catch (error) {
        // As with listeners of their own: an error of one is uncaught, and stops none of the others.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  };
}

const watched = new WeakMap<AbortSignal, Watchers>();

/** Calls back once if the signal aborts from now on; returns the way to take that back. Any number may watch one signal. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let watchers = watched.get(signal);
  if (watchers === undefined) {
    watchers = new Watchers(signal);
    watched.set(signal, watchers);
  }
  return watchers.add(callback);
}

/** Resolves after so many milliseconds, or at once when the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      timer.cancel();
      stopWatching();
      resolve();
    };
    const timer = clock.setTimer(end, ms);
    const stopWatching = onAbort(signal, end);
    if (signal.aborted) end();
  });
}
