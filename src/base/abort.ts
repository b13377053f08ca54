import { allowManyListeners } from './promises.js';

/** Calls back once if the signal aborts from now on; returns the way to take that back. Any number may watch one signal. */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  allowManyListeners(signal);
  const listener = (): void => callback();
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
