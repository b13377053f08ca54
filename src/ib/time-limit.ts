import { onAbort } from '../base/abort.js';
import type { Clock, Timer } from '../base/clock.js';
import { asError, ignore } from '../base/promises.js';
import { IbError } from './errors.js';

/** The time that a request has, and the signal of its caller. The time stands still while the pacing holds the request. */
export class TimeLimit {
  /** Called once when the time is up, or the caller has aborted. */
  onOver: ((error: Error) => void) | null = null;
  readonly #clock: Clock;
  readonly #name: string;
  readonly #timeoutMs: number;
  #leftMs: number;
  #timer: Timer | null = null;
  #runningSince = 0;
  #error: Error | null = null;
  readonly #stopWatching: () => void;

  constructor(clock: Clock, name: string, timeoutMs: number, signal: AbortSignal | undefined) {
    this.#clock = clock;
    this.#name = name;
    this.#timeoutMs = timeoutMs;
    this.#leftMs = timeoutMs;
    this.#stopWatching =
      signal === undefined ? ignore : onAbort(signal, () => this.#over(asError(signal.reason)));
    if (signal?.aborted) this.#error = asError(signal.reason);
  }

  check(): void {
    if (this.#error !== null) throw this.#error;
  }

  race<T>(work: Promise<T>): Promise<T> {
    this.run();
    return new Promise<T>((resolve, reject) => {
      this.onOver = reject;
      work.then(resolve, reject);
    }).finally(() => this.pause());
  }

  /** Waits so long, or until `wake` aborts. The time of the request stands still; its caller may still abort. */
  wait(forMs: number, wake: AbortSignal): Promise<void> {
    this.pause();
    return new Promise<void>((resolve, reject) => {
      if (this.#error !== null) {
        reject(this.#error);
        return;
      }
      const end = (): void => {
        this.onOver = null;
        timer.cancel();
        stopWatching();
      };
      const timer = this.#clock.setTimer(() => {
        end();
        resolve();
      }, forMs);
      const stopWatching = onAbort(wake, () => {
        end();
        resolve();
      });
      this.onOver = (error) => {
        end();
        reject(error);
      };
    });
  }

  pause(): void {
    if (this.#timer === null) return;
    this.#timer.cancel();
    this.#timer = null;
    this.#leftMs -= this.#clock.now() - this.#runningSince;
  }

  run(): void {
    if (this.#timer !== null || this.#error !== null) return;
    this.#runningSince = this.#clock.now();
    this.#timer = this.#clock.setTimer(() => {
      const text = `${this.#name}: no answer within ${Math.round(this.#timeoutMs)} ms`;
      this.#over(new IbError('ERR_IB_TIMEOUT', text));
    }, this.#leftMs);
  }

  end(): void {
    this.#timer?.cancel();
    this.#stopWatching();
  }

  #over(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#timer?.cancel();
    this.onOver?.(error);
  }
}
