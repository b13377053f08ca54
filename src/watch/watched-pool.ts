import type { Clock } from '../base/clock.js';
import { poolSnapshot } from '../pool/pool-snapshot.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import type { LeaseBook } from './lease-book.js';
import type { PoolFacts } from './pools/kind.js';
import { stateOf } from './resources.js';

/** A pool that can be asked how it is doing. */
export interface WatchedPool {
  /** Given by whoever watches it, or found by itself; unique within its watcher. */
  readonly name: string;
  /** Closed, and empty. Throws as `snapshot` does. */
  readonly over: boolean;
  /** Throws where the pool is of a version with other insides. */
  snapshot(): WatchedSnapshot;
}

/** How a foreign pool is asked. */
export interface ForeignPool {
  name(): string;
  readonly driver: string;
  read(): PoolFacts;
  readonly book: LeaseBook;
  readonly clock: Clock;
}

/** A foreign pool: what it says itself, and the book that is kept of it. */
export function watchedPool({ name, driver, read, book, clock }: ForeignPool): WatchedPool {
  return {
    get name() {
      return name();
    },
    get over() {
      const { closed, live } = read();
      return closed && live === 0;
    },
    snapshot() {
      const facts = read();
      const holders = book.holders(facts.resources, stateOf);
      return poolSnapshot({
        clock,
        name: name(),
        driver,
        size: facts.size,
        // None of them has an overflow.
        maxOverflow: facts.size === null ? null : 0,
        live: facts.live,
        overflow: 0,
        idle: facts.idle,
        inUse: facts.inUse,
        creating: facts.creating,
        waiting: facts.waiting,
        peakWaiting: null,
        peakInUse: book.peakInUse,
        longestWaitMs: facts.waitingSince === null ? null : clock.now() - facts.waitingSince,
        createError: book.createError,
        counters: book.counters(holders, facts.pending),
        wait: book.waits.snapshot(),
        hold: book.holds.snapshot(),
        holders,
        closed: facts.closed,
        setup: { ...facts.setup, leakAfterMs: book.leakAfterMs },
      });
    },
  };
}
