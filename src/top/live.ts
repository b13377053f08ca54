import type { Clock } from '../base/clock.js';
import { Poller } from '../sources/poller.js';
import type { StatsSource } from '../sources/types.js';
import type { Tick } from './feed.js';
import type { Feed } from './session.js';

export interface LiveOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
}

/** Sources that answer within this time of each other are one tick. */
const TOGETHER_MS = 40;

/** Reads sources, and tells of them together. Owns them. */
export function liveFeed(sources: readonly StatsSource[], { clock, intervalMs }: LiveOptions): Feed {
  let poller: Poller | null = null;
  let interval = intervalMs;
  return {
    start(onTick) {
      let pending = false;
      const tell = (): void => {
        pending = false;
        if (poller !== null) onTick({ atMs: clock.wallTime(), sources: poller.states() });
      };
      poller = new Poller(sources, {
        clock,
        intervalMs: interval,
        onChange() {
          if (pending) return;
          pending = true;
          clock.setTimer(tell, TOGETHER_MS, { background: true });
        },
      });
    },
    setInterval(ms) {
      interval = ms;
      if (poller !== null) poller.intervalMs = ms;
    },
    // Reading goes on, so that nothing is missed.
    setPaused() {},
    async [Symbol.asyncDispose]() {
      const running = poller;
      poller = null;
      if (running !== null) return running[Symbol.asyncDispose]();
      await Promise.all(sources.map((source) => source[Symbol.asyncDispose]()));
    },
  };
}

/** One tick: resolves when every source has answered or failed. */
export async function readOnce(
  sources: readonly StatsSource[],
  { clock, intervalMs }: LiveOptions,
  stop: AbortSignal,
): Promise<Tick> {
  const { promise, resolve } = deferred<Tick>();
  const poller = new Poller(sources, {
    clock,
    intervalMs,
    onChange() {
      const states = poller.states();
      if (states.every(({ reading, stale }) => reading !== null || stale !== null))
        resolve({ atMs: clock.wallTime(), sources: states });
    },
  });
  const giveUp = (): void => resolve({ atMs: clock.wallTime(), sources: poller.states() });
  stop.addEventListener('abort', giveUp, { once: true });
  try {
    return await promise;
  } finally {
    stop.removeEventListener('abort', giveUp);
    await poller[Symbol.asyncDispose]();
  }
}

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve: (value) => resolve(value) };
}
