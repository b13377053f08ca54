import type { Reading, Tick } from '../snapshot/reading.js';

/**
 * Ages grow with each reading, though nothing happens, so that nothing repeats that could be compressed. A compressed
 * recording has the time since when in their place, which stays.
 */

type Row = Readonly<Record<string, unknown>>;

const OF_BACKEND = ['stateMs', 'transactionMs', 'queryMs', 'connectedMs'];
const OF_HOLDER = ['ageMs', 'idleMs'];
/** An age of more than a second is exact to this: by so much the answers of a server are early or late. */
const EXACT_MS = 25;

/** Puts times in the place of ages. It remembers those of the reading before. */
export class AgeKeeper {
  #before = new Map<string, number>();

  withTimes(tick: Tick): Tick {
    const now = new Map<string, number>();
    const kept = mapped(tick, (key, age, takenAtMs) => {
      const since = Math.round(takenAtMs - age);
      const before = this.#before.get(key);
      const same = before !== undefined && age > 1000 && Math.abs(before - since) <= EXACT_MS;
      now.set(key, same ? before : since);
      return same ? before : since;
    });
    this.#before = now;
    return kept;
  }
}

/** The opposite. */
export function withAges(tick: Tick): Tick {
  return mapped(tick, (_, since, takenAtMs) => Math.max(0, takenAtMs - since));
}

type Change = (key: string, value: number, takenAtMs: number) => number;

function mapped(tick: Tick, change: Change): Tick {
  return {
    ...tick,
    sources: tick.sources.map((state) =>
      state.reading === null ? state : { ...state, reading: readingWith(state.reading, change) },
    ),
  };
}

function readingWith(reading: Reading, change: Change): Reading {
  const { source, takenAtMs } = reading;
  const rowWith = <R extends object>(row: R, fields: readonly string[], name: string): R => {
    const changed: Record<string, unknown> = { ...(row as Row) };
    for (const field of fields) {
      const value = (row as Row)[field];
      if (typeof value === 'number') changed[field] = change(`${name} ${field}`, value, takenAtMs);
    }
    return changed as R;
  };
  return {
    ...reading,
    backends: reading.backends.map((one) => rowWith(one, OF_BACKEND, `${source} ${one.pid}`)),
    pools: reading.pools.map((pool) => ({
      ...pool,
      holders: pool.holders.map((one) => rowWith(one, OF_HOLDER, `${source} ${pool.name} ${one.leaseId}`)),
    })),
  };
}
