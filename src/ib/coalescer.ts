import { onAbort } from '../base/abort.js';
import { asError, ignore } from '../base/promises.js';

interface Work {
  readonly result: Promise<unknown>;
  readonly abort: AbortController;
  waiting: number;
}

/** Lets those who ask the same at the same time share one answer. */
export class Coalescer {
  readonly #works = new Map<string, Work>();
  #joined = 0;

  /** How many were spared a request of their own. */
  get joined(): number {
    return this.#joined;
  }

  has(key: string): boolean {
    return this.#works.has(key);
  }

  /** `start` is called for the first; its signal aborts when nobody waits for the answer any more. */
  share<T>(key: string, start: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (signal?.aborted) return Promise.reject(asError(signal.reason));
    const known = this.#works.get(key);
    if (known !== undefined) this.#joined++;
    const work = known ?? this.#start(key, start);
    work.waiting++;
    return new Promise<T>((resolve, reject) => {
      const leave = (): void => {
        if (--work.waiting > 0) return;
        // A caller that comes now must not get the answer to a question that was taken back.
        if (this.#works.get(key) === work) this.#works.delete(key);
        work.abort.abort(signal?.reason);
      };
      const stopWatching =
        signal === undefined
          ? ignore
          : onAbort(signal, () => {
              leave();
              reject(asError(signal.reason));
            });
      (work.result as Promise<T>).then(resolve, reject).finally(stopWatching);
    });
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<unknown>): Work {
    const abort = new AbortController();
    const work: Work = { result: start(abort.signal), abort, waiting: 0 };
    this.#works.set(key, work);
    const forget = (): void => {
      if (this.#works.get(key) === work) this.#works.delete(key);
    };
    work.result.then(forget, forget);
    return work;
  }
}
