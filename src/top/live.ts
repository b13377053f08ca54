import type { Clock } from '../base/clock.js';
import type { SourceState, Tick } from '../snapshot/reading.js';
import { Poller } from '../sources/poller.js';
import type { StatsSource } from '../sources/types.js';
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
        if (poller !== null) onTick(tickOf(clock, poller));
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

/** Rates are told from this long at most. */
const RATES_OVER_MS = 1000;

/**
 * Each source read once, and a second time where there are rates, which are differences: one tick, or two. Resolves
 * when every source has answered or failed.
 */
export async function readOnce(
  sources: readonly StatsSource[],
  { clock, intervalMs }: LiveOptions,
  stop: AbortSignal,
): Promise<readonly Tick[]> {
  const { promise, resolve } = deferred<readonly Tick[]>();
  let first: Tick | null = null;
  const poller = new Poller(sources, {
    clock,
    intervalMs: Math.min(intervalMs, RATES_OVER_MS),
    onChange() {
      const tick = tickOf(clock, poller);
      if (first === null) {
        if (!tick.sources.every(isAnswered)) return;
        first = tick;
        if (!tick.sources.some(hasRates)) resolve([tick]);
      } else if (tick.sources.every((state, at) => state.stale !== null || state !== first?.sources[at]))
        // All of them again, also those without rates: leases are joined with backends of the same moment.
        resolve([first, tick]);
    },
  });
  const giveUp = (): void => resolve([...(first === null ? [] : [first]), tickOf(clock, poller)]);
  stop.addEventListener('abort', giveUp, { once: true });
  try {
    return await promise;
  } finally {
    stop.removeEventListener('abort', giveUp);
    await poller[Symbol.asyncDispose]();
  }
}

function tickOf(clock: Clock, poller: Poller): Tick {
  return { atMs: clock.wallTime(), steadyMs: clock.now(), sources: poller.states() };
}

function isAnswered({ reading, stale }: SourceState): boolean {
  return reading !== null || stale !== null;
}

/** Counters that only go up say more when they are read again. */
function hasRates({ reading }: SourceState): boolean {
  return reading !== null && (reading.pools.length > 0 || reading.pooler !== null || reading.server !== null);
}

function deferred<T>(): { readonly promise: Promise<T>; resolve(value: T): void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve: (value) => resolve(value) };
}
