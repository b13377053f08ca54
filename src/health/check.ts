import { onAbort } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { asError, invoke, untilAborted } from '../base/promises.js';
import { formatDuration } from '../base/units.js';
import type { Reading } from '../snapshot/reading.js';
import { LIVE } from '../sources/addresses.js';
import { SourceError } from '../sources/errors.js';
import type { StatsSource } from '../sources/types.js';
import { type HealthLimits, type HealthStatus, worstStatus } from './health.js';
import { healthOfReading, type SourceHealth, unreadable } from './of-reading.js';

/** One look at all pools of some sources. */
export interface HealthReport {
  readonly schema: 1;
  /** Milliseconds since the epoch. */
  readonly taken_at_ms: number;
  /** That of the pool that is worst off. */
  readonly status: HealthStatus;
  readonly pools: readonly SourceHealth[];
}

export interface HealthCheckOptions {
  readonly clock: Clock;
  readonly limits: HealthLimits;
  /** How long a source may take to answer. */
  readonly timeoutMs: number;
}

/** What there is to say where no source is left. */
export const NOBODY = 'no application of this user publishes its pools';

/** Reads sources and judges their pools, again and again; the sources stay the caller's. */
export class HealthCheck {
  readonly #options: HealthCheckOptions;
  /** The last reading of each source, by its label. */
  readonly #before = new Map<string, Reading>();

  constructor(options: HealthCheckOptions) {
    this.#options = options;
  }

  /** Reads all sources at once. What one cannot tell is an `error` of its own; rejects only if `stop` aborts. */
  async check({ sources, nobodyPublishes }: Checked, stop: AbortSignal): Promise<HealthReport> {
    const found = await Promise.all([...sources.values()].map((source) => this.#read(source, stop)));
    stop.throwIfAborted();
    if (nobodyPublishes) found.push({ label: LIVE, pools: [], mayBeEmpty: false, why: NOBODY });
    const pools = found.flatMap(({ pools }) => pools);
    // An application that has not opened a pool is no trouble while others have, but nothing to call healthy either.
    const silent = found.filter((one) => one.pools.length === 0 && (pools.length === 0 || !one.mayBeEmpty));
    const all = [...pools, ...silent.map(({ label, why }) => unreadable(label, why))];
    return {
      schema: 1,
      taken_at_ms: this.#options.clock.wallTime(),
      status: worstStatus(all),
      pools: all,
    };
  }

  async #read(source: StatsSource, stop: AbortSignal): Promise<Found> {
    const { label, kind } = source;
    try {
      const reading = await this.#readInTime(source, stop);
      const pools = healthOfReading(reading, this.#options.limits, this.#before.get(label) ?? null);
      this.#before.set(label, reading);
      const gap = reading.gaps.find(({ what }) => what === 'pools');
      return { label, pools, mayBeEmpty: kind === 'pool', why: gap?.why ?? 'it has no pools' };
    } catch (error) {
      const { message } = asError(error);
      return { label, pools: [unreadable(label, message)], mayBeEmpty: false, why: message };
    }
  }

  async #readInTime(source: StatsSource, stop: AbortSignal): Promise<Reading> {
    const { clock, timeoutMs } = this.#options;
    const giveUp = new AbortController();
    const stopWatching = onAbort(stop, () => giveUp.abort(stop.reason));
    const late = (): void =>
      giveUp.abort(
        new SourceError('ERR_SOURCE_TIMEOUT', `no answer within ${formatDuration(timeoutMs)}`, {
          hint: 'it may be stopped, overloaded, or cut off',
        }),
      );
    try {
      const read = invoke(() => source.read(giveUp.signal));
      return await untilAborted(read, giveUp.signal, clock, timeoutMs, late);
    } finally {
      stopWatching();
    }
  }
}

/** What is looked at. */
interface Checked {
  readonly sources: ReadonlyMap<string, StatsSource>;
  /** Live applications were meant, and there is none. */
  readonly nobodyPublishes: boolean;
}

interface Found {
  readonly label: string;
  readonly pools: readonly SourceHealth[];
  readonly mayBeEmpty: boolean;
  /** Why there are none. */
  readonly why: string;
}
