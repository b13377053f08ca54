import { seededRandom } from '../../src/base/random.js';
import type { Sample, WorkloadRun } from '../../src/loadtest/api.js';
import type { RunOptions } from '../../src/loadtest/runner.js';
import { QueuePool } from '../../src/pool/queue-pool.js';
import type { VirtualClock } from '../helpers/virtual-clock.js';

const DESCRIPTION = {
  target: 'a temporary SQLite file with 50,000 made-up candles',
  work: 'the latest 20 candles of one symbol, by index',
  simple: true,
  inProcess: true,
  statements: ['SELECT ts, open, high, low, close, volume\nFROM candles WHERE symbol = :symbol'],
};

export interface Service {
  /** Connections. */
  readonly places: number;
  /** How long an iteration is served, by its number. */
  readonly serviceMs: (seq: number) => number;
  readonly maxOverflow?: number;
  readonly timeoutMs?: number;
  /** How long a connection takes to open, by its number. */
  readonly connectMs?: (nth: number) => number;
  /** Given an iteration's number, the error that it fails with after it was served. */
  readonly fails?: (seq: number) => Error | null;
}

/** A workload on a real pool, whose work is to let time pass on a virtual clock. */
export function serviceOn(
  clock: VirtualClock,
  { places, serviceMs, timeoutMs, maxOverflow = 0, connectMs = () => 0, fails = () => null }: Service,
): WorkloadRun & { closed: boolean; begun: number[] } {
  let created = 0;
  const pool = new QueuePool({
    driver: {
      name: 'service',
      async create() {
        const ms = connectMs(created++);
        if (ms > 0) await new Promise<void>((resolve) => void clock.setTimer(resolve, ms));
        return {};
      },
      destroy: () => {},
    },
    size: places,
    maxOverflow,
    timeoutMs: timeoutMs ?? null,
    leakWatch: false,
    // Its back-off is the only thing about a pool that is left to chance.
    random: seededRandom(1),
    clock,
  });
  const begun: number[] = [];
  return {
    description: DESCRIPTION,
    closed: false,
    begun,
    async iterate(seq, probe) {
      begun.push(clock.now());
      const lease = await pool.acquire();
      probe.acquired();
      await new Promise<void>((resolve) => void clock.setTimer(resolve, serviceMs(seq)));
      lease.release();
      const error = fails(seq);
      if (error !== null) throw error;
    },
    begin: () => pool.resetPeaks(),
    snapshot: () => pool.snapshot(),
    async close() {
      this.closed = true;
      await pool.close();
    },
  };
}

export function uninterrupted(clock: VirtualClock): RunOptions {
  const never = new AbortController().signal;
  return { clock, stop: never, abort: never };
}

/** A sample with what matters to the test; it succeeds unless it has an error code. */
export function sampleOf(times: Partial<Sample> & { endedMs: number }): Sample {
  const { seq = 0, dueMs = 0, startedMs = dueMs, acquiredMs = startedMs, endedMs, errorCode = null } = times;
  return { seq, dueMs, startedMs, acquiredMs, endedMs, errorCode };
}
