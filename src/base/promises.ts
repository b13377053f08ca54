import { setMaxListeners } from 'node:events';
import type { Clock } from './clock.js';

/** Calls a function that may throw before it returns its promise, as if it had been rejected. */
export async function invoke<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

/** Drivers may return anything from a method that has nothing to wait for. */
export function isPromise(value: unknown): value is Promise<unknown> {
  return typeof (value as PromiseLike<unknown> | null | undefined)?.then === 'function';
}

export function ignore(): void {}

/** The thrown value as an Error: JavaScript lets anything be thrown. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}

/** Lets any number of operations hang on one signal; more than ten Node takes for a leak, and warns on stderr. */
export function allowManyListeners(signal: AbortSignal): void {
  // Signals of other makers know no such limit.
  if (signal instanceof EventTarget) setMaxListeners(Number.POSITIVE_INFINITY, signal);
}

/**
 * The operation's own outcome, or a rejection with the signal's reason as soon as it aborts; what the operation
 * gives later is the caller's to clean up. `onTimeout` is called after `timeoutMs`, and should abort.
 */
export function untilAborted<T>(
  operation: Promise<T>,
  signal: AbortSignal,
  clock: Clock,
  timeoutMs: number | null,
  onTimeout: () => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = timeoutMs === null ? null : clock.setTimer(onTimeout, timeoutMs);
    const abort = (): void => reject(asError(signal.reason));
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    operation.then(resolve, reject).finally(() => {
      timer?.cancel();
      signal.removeEventListener('abort', abort);
    });
  });
}

/** Waits until the function that `hand` receives is called, but no longer than `graceMs`. */
export function graceFor(clock: Clock, graceMs: number, hand: (done: () => void) => void): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.setTimer(resolve, graceMs);
    hand(() => {
      timer.cancel();
      resolve();
    });
  });
}
