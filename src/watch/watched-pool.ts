import type { Clock } from '../base/clock.js';
import { poolSnapshot } from '../pool/pool-snapshot.js';
import type { WatchedSnapshot } from '../snapshot/pool.js';
import type { LeaseBook } from './lease-book.js';
import type { Making } from './making.js';
import type { Observed } from './observations.js';
import type { PoolFacts } from './pools/kind.js';
import type { LeaseRecorder } from './record/recorder.js';
import { stateOf } from './resources.js';

/** A pool that can be asked how it is doing. */
export interface WatchedPool {
  /** Given by the caller of watch(), or derived; unique within its watcher. */
  readonly name: string;
  /** Closed, and empty. Throws as `snapshot` does. */
  readonly over: boolean;
  /** Throws where the pool is of a version with other insides. */
  snapshot(): WatchedSnapshot;
  /** Begins to record its leases. Absent where it has none that could be recorded. */
  record?(recorder: LeaseRecorder): void;
}

/** How a foreign pool is asked. */
export interface ForeignPool {
  name(): string;
  readonly driver: string;
  read(): PoolFacts;
  readonly book: LeaseBook;
  readonly clock: Clock;
  /** When and where it was made; null where that was not seen. */
  readonly made: Making | null;
  /** The line that is responsible for its making. */
  madeAt(): string | null;
}

/** A foreign pool: what it says itself, and the book that is kept of it. */
export function watchedPool({ name, driver, read, book, clock, made, madeAt }: ForeignPool): WatchedPool {
  return {
    get name() {
      return name();
    },
    get over() {
      const { closed, live } = read();
      // One that is closed and still asked for connections is not over for those who ask.
      return closed && live === 0 && !book.observed.hasRefusedWithin(REFUSED_MS);
    },
    record(recorder) {
      book.tape = recorder.add(() => {
        const { size, live, idle, inUse, waiting, pending, resources, setup } = read();
        return {
          facts: {
            ...{ name: name(), driver, library: driver, size, leakAfterMs: book.leakAfterMs },
            acquireTimeoutMs: setup?.acquireTimeoutMs ?? null,
            maxIdleMs: setup?.maxIdleMs ?? null,
          },
          ...{ live, idle, inUse, waiting, gaveUp: book.gaveUp(pending), open: book.open(resources) },
        };
      });
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
        create: book.creates.count === 0 ? null : book.creates.snapshot(),
        holders,
        closed: facts.closed,
        setup: { ...facts.setup, leakAfterMs: book.leakAfterMs },
        observed: observedOf(facts, book, made === null ? null : clock.now() - made.at, madeAt()),
      });
    },
  };
}

/** So long a closed pool is shown whose connections are still asked for. */
const REFUSED_MS = 60_000;

function observedOf(facts: PoolFacts, book: LeaseBook, ageMs: number | null, site: string | null): Observed {
  const resources = [...facts.resources];
  const waiters = facts.waiters === undefined ? null : book.waiters(facts.waiters, resources);
  return {
    ...book.observed.snapshot((stacks) => book.blamesOf(stacks)),
    ageMs,
    site,
    address: facts.address ?? null,
    waiterSites: waiters?.sites ?? [],
    nestedWaiters: waiters?.nested ?? null,
    askedTogether: waiters?.together ?? null,
    burst: book.burst(),
    openIdle: book.openIdle(resources),
  };
}
