import { onAbort, pause } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { asError, invoke, untilAborted } from '../base/promises.js';
import { formatDuration } from '../base/units.js';
import { isSuspect, type Moment, type MomentOptions, momentOf, pressedKeys } from '../diagnosis/moment.js';
import type { Finding } from '../diagnosis/types.js';
import type { Reading, SourceState } from '../snapshot/reading.js';
import { LIVE } from '../sources/addresses.js';
import { SourceError } from '../sources/errors.js';
import type { StatsSource } from '../sources/types.js';
import { type HealthLimits, type HealthStatus, worstStatus } from './health.js';
import { healthOfReading, type Judgment, reasonOf, type SourceHealth, unreadable } from './of-reading.js';

/** One look at all pools of some sources. */
export interface HealthReport {
  readonly schema: 1;
  /** Milliseconds since the epoch. */
  readonly taken_at_ms: number;
  /** The status of the worst pool. */
  readonly status: HealthStatus;
  readonly pools: readonly SourceHealth[];
}

export interface HealthCheckOptions {
  readonly clock: Clock;
  readonly limits: HealthLimits;
  /** How long a source may take to answer. */
  readonly timeoutMs: number;
  /** How long after a look at something that waits or fails a second one follows, for rates. Default: none does. */
  readonly secondLookMs?: number | null;
  /** Sites in reasons are shown relative to it. Default: as they are. */
  readonly cwd?: string;
  /** The setup of the application, where it is known. */
  readonly settings?: MomentOptions['settings'];
}

/** The report if no source is left. */
export const NOBODY = 'no application of this user publishes its pools';

/** Reads sources and judges their pools, again and again; the sources stay the caller's. */
export class HealthCheck {
  readonly #options: HealthCheckOptions;
  /** The last reading of each source, by its label. */
  readonly #before = new Map<string, Reading>();
  #moment: Moment | null = null;
  #looks = 0;

  constructor(options: HealthCheckOptions) {
    this.#options = options;
  }

  /** Reads all sources at once. What one cannot tell is an `error` of its own; rejects only if `stop` aborts. */
  async check({ sources, nobodyPublishes }: Checked, stop: AbortSignal): Promise<HealthReport> {
    const { clock, secondLookMs = null } = this.#options;
    let states = await this.#readAll(sources, stop);
    let judgment = this.#judge(states);
    // A wait or failure of one reading may be gone in the next: rates need two readings.
    if (secondLookMs !== null && judgment.isSuspect && this.#looks < 2) {
      await pause(clock, secondLookMs, stop);
      states = await this.#readAll(sources, stop);
      judgment = this.#judge(states);
    }
    const found = states.map((state) => this.#found(state, judgment));
    if (nobodyPublishes) found.push({ label: LIVE, pools: [], mayBeEmpty: false, why: NOBODY });
    const pools = found.flatMap(({ pools }) => pools);
    // An application that has not opened a pool is no trouble while others have, but nothing to call healthy either.
    const silent = found.filter((one) => one.pools.length === 0 && (pools.length === 0 || !one.mayBeEmpty));
    const seen = [...pools, ...silent.map(({ label, why }) => unreadable(label, why))];
    const all = [...seen, ...elsewhere(judgment.findings, seen)];
    return {
      schema: 1,
      taken_at_ms: clock.wallTime(),
      status: worstStatus(all),
      pools: all,
    };
  }

  async #readAll(sources: Checked['sources'], stop: AbortSignal): Promise<readonly SourceState[]> {
    const states = await Promise.all([...sources.values()].map((source) => this.#read(source, stop)));
    stop.throwIfAborted();
    return states;
  }

  async #read(source: StatsSource, stop: AbortSignal): Promise<SourceState> {
    const { label, kind } = source;
    try {
      return { label, kind, reading: await this.#readInTime(source, stop), stale: null, readMs: null };
    } catch (error) {
      const why = asError(error).message;
      const stale = { sinceMs: this.#options.clock.wallTime(), why, hint: null, failures: 1, retryMs: 0 };
      return { label, kind, reading: null, stale, readMs: null };
    }
  }

  /** The diagnosis of these sources together, with what earlier looks tell of rates. */
  #judge(sources: readonly SourceState[]): Judgment & { readonly isSuspect: boolean } {
    const { clock, cwd = '', settings } = this.#options;
    this.#looks++;
    const tick = { atMs: clock.wallTime(), steadyMs: clock.now(), sources };
    const moment = momentOf(tick, this.#moment, { cwd, settings });
    this.#moment = moment;
    const pressed = pressedKeys(moment);
    return {
      findings: moment.diagnosis.findings,
      isPressed: (key) => pressed.has(key),
      isSuspect: isSuspect(moment),
    };
  }

  #found({ label, kind, reading, stale }: SourceState, judgment: Judgment): Found {
    if (reading === null || stale !== null) {
      const why = stale?.why ?? 'it has not been read';
      const { findings } = judgment;
      const own = findings.filter(
        ({ subject, explains }) => subject.key === label || explains.includes(label),
      );
      const row = unreadable(label, why);
      const told = { ...row, reasons: [...own.map(reasonOf), ...row.reasons], cause: own[0]?.cause ?? null };
      return { label, pools: [told], mayBeEmpty: false, why };
    }
    const pools = healthOfReading(reading, this.#options.limits, this.#before.get(label) ?? null, judgment);
    this.#before.set(label, reading);
    const gap = reading.gaps.find(({ what }) => what === 'pools');
    return { label, pools, mayBeEmpty: kind === 'pool', why: gap?.why ?? 'it has no pools' };
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

/** The subject of the row. */
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

/** Findings without a row of a pool, pooler or server, for example of a process. */
function elsewhere(findings: readonly Finding[], rows: readonly SourceHealth[]): readonly SourceHealth[] {
  const told = new Set(rows.flatMap(({ reasons }) => reasons));
  return findings
    .filter((finding) => !told.has(reasonOf(finding)))
    .map((finding) => ({
      ...unreadable(finding.subject.source, reasonOf(finding)),
      status: finding.severity === 'bad' ? ('critical' as const) : ('warning' as const),
      cause: finding.cause,
    }));
}
