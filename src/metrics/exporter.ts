import { Registry } from 'prom-client';
import type { Clock } from '../base/clock.js';
import { asError, ignore, invoke, untilAborted } from '../base/promises.js';
import { maskSecrets } from '../base/secrets.js';
import { formatDuration } from '../base/units.js';
import { type Moment, type MomentOptions, momentOf } from '../diagnosis/moment.js';
import type { Reading, SourceState } from '../snapshot/reading.js';
import { SourceError } from '../sources/errors.js';
import type { StatsSource } from '../sources/types.js';
import { Exposition, type SourceReading } from './exposition.js';
import { Instances } from './instances.js';
import type { Compat } from './metric.js';

export interface ExporterOptions {
  readonly clock: Clock;
  readonly compat: readonly Compat[];
  /** Pools, databases and the like of each source that have series of their own. */
  readonly maxPools: number;
  /** How long a source may take. */
  readonly limitMs: number;
  /** Finds sources that come and go, by their addresses; null looks for none. */
  readonly discovery: Discovery | null;
  /** The setup of the application, for the diagnosis. Default: not known. */
  readonly settings?: MomentOptions['settings'];
  /** Told once when a source cannot be read, when that changes, and when it can be read again. */
  readonly log: (message: string) => void;
}

export interface Discovery {
  find(signal: AbortSignal): Promise<readonly string[]>;
  open(address: string): StatsSource;
}

/** Reads sources when it is asked for their metrics. Owns them. */
export class Exporter implements AsyncDisposable {
  readonly contentType: string;
  readonly #targets: readonly Target[];
  readonly #options: ExporterOptions;
  readonly #exposition: Exposition;
  readonly #registry = new Registry();
  readonly #stop = new AbortController();
  /** By address. */
  readonly #found = new Map<string, Target>();
  readonly #instances = new Instances();
  #moment: Moment | null = null;
  #findProblem: string | null = null;
  #underWay: Promise<string> | null = null;

  constructor(sources: readonly StatsSource[], options: ExporterOptions) {
    this.#options = options;
    this.#targets = labelled(sources).map(([source, label]) => new Target(source, label, options));
    this.#exposition = new Exposition(options);
    this.contentType = this.#registry.contentType;
  }

  /**
   * All metrics, read now. Several that ask at once get the same reading. A source that fails or does not answer
   * within the limit is down, and the others are told all the same: it never rejects for the sake of a source.
   */
  scrape(mostMs = this.#options.limitMs): Promise<string> {
    this.#underWay ??= this.#scrape(Math.min(mostMs, this.#options.limitMs)).finally(() => {
      this.#underWay = null;
    });
    return this.#underWay;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new SourceError('ERR_SOURCE_UNREACHABLE', 'the exporter has been closed'));
    await Promise.all([...this.#targets, ...this.#found.values()].map((target) => target.end()));
    await this.#underWay?.catch(ignore);
  }

  async #scrape(limitMs: number): Promise<string> {
    await this.#discover();
    const targets = [...this.#targets, ...this.#found.values()];
    const read = await Promise.all(targets.map((target) => target.read(limitMs)));
    this.#exposition.update(this.#diagnosed(read), this.#options.clock.now());
    this.#registry.clear();
    for (const metric of this.#exposition.measured()) this.#registry.registerMetric(metric as never);
    return this.#registry.metrics();
  }

  /** The readings, each with the causes that the diagnosis of all sources together names for it. */
  #diagnosed(read: readonly TargetReading[]): readonly SourceReading[] {
    const { clock, settings } = this.#options;
    const tick = { atMs: clock.wallTime(), steadyMs: clock.now(), sources: read.map(({ state }) => state) };
    this.#moment = momentOf(tick, this.#moment, { cwd: '', settings });
    const { findings } = this.#moment.diagnosis;
    const of = (label: string) => findings.filter(({ subject }) => subject.source === label);
    const labels = new Set(read.map(({ state }) => state.label));
    // Some are of no source, as a step of the clock is.
    const others = new Set(
      findings.flatMap(({ subject }) => (labels.has(subject.source) ? [] : subject.source)),
    );
    return [
      ...read.map(({ state, shown }) => ({ ...shown, findings: of(state.label) })),
      ...[...others].map((source) => ({ source, health: null, reading: null, findings: of(source) })),
    ];
  }

  async #discover(): Promise<void> {
    const { discovery, log } = this.#options;
    if (discovery === null || this.#stop.signal.aborted) return;
    let problem: string | null = null;
    try {
      const addresses = new Set(await discovery.find(this.#stop.signal));
      for (const [address, target] of this.#found) {
        if (addresses.has(address)) continue;
        this.#found.delete(address);
        this.#instances.gone(address);
        await target.end();
      }
      for (const address of addresses)
        if (!this.#found.has(address))
          this.#found.set(
            address,
            new Target(discovery.open(address), address, this.#options, (reading) =>
              this.#instances.labelOf(address, reading?.app?.name ?? null),
            ),
          );
    } catch (error) {
      problem = asError(error).message;
    }
    if (problem !== null && problem !== this.#findProblem)
      log(`applications cannot be looked for: ${maskSecrets(problem)}`);
    this.#findProblem = problem;
  }
}

interface TargetReading {
  /** As it is exported, under its label there. */
  readonly shown: SourceReading;
  /** As the diagnosis reads it, under a label of its own. */
  readonly state: SourceState;
}

/** One source, and what was said of it last. */
class Target {
  readonly #source: StatsSource;
  readonly #label: string;
  readonly #clock: Clock;
  readonly #log: (message: string) => void;
  readonly #stop = new AbortController();
  /** A reading that was given up and has not come to its end yet. */
  #busy = false;
  #problem: string | null = null;

  readonly #shownAs: (reading: Reading | null) => string;

  /** `shownAs`: its label in the metrics, where that depends on what was read. */
  constructor(
    source: StatsSource,
    label: string,
    { clock, log }: Pick<ExporterOptions, 'clock' | 'log'>,
    shownAs: (reading: Reading | null) => string = () => label,
  ) {
    this.#source = source;
    this.#label = label;
    this.#clock = clock;
    this.#log = log;
    this.#shownAs = shownAs;
  }

  async read(limitMs: number): Promise<TargetReading> {
    const { kind } = this.#source;
    const startedAt = this.#clock.now();
    let reading: Reading | null = null;
    let problem: string | null = null;
    try {
      reading = await this.#read(limitMs);
    } catch (error) {
      const { message, hint } = asError(error) as Error & { hint?: unknown };
      problem = maskSecrets(typeof hint === 'string' ? `${message}; ${hint}` : message);
    }
    if (problem !== this.#problem && !this.#stop.signal.aborted)
      this.#log(
        problem === null ? `${this.#label} can be read again` : `${this.#label} cannot be read: ${problem}`,
      );
    this.#problem = problem;
    const readMs = reading === null ? null : this.#clock.now() - startedAt;
    const label = this.#label;
    const stale =
      problem === null
        ? null
        : { sinceMs: this.#clock.wallTime(), why: problem, hint: null, failures: 1, retryMs: 0 };
    return {
      shown: { source: this.#shownAs(reading), health: { kind, up: reading !== null, readMs }, reading },
      state: { label, kind, reading: reading === null ? null : { ...reading, source: label }, stale, readMs },
    };
  }

  async end(): Promise<void> {
    this.#stop.abort(new SourceError('ERR_SOURCE_UNREACHABLE', 'the source has been closed'));
    await invoke(async () => this.#source[Symbol.asyncDispose]()).catch(ignore);
  }

  async #read(limitMs: number): Promise<Reading> {
    this.#stop.signal.throwIfAborted();
    if (this.#busy) throw timedOut('it has still not answered what it was asked before');
    const giveUp = new AbortController();
    const end = (): void => giveUp.abort(this.#stop.signal.reason);
    this.#stop.signal.addEventListener('abort', end);
    this.#busy = true;
    const read = invoke(() => this.#source.read(giveUp.signal)).finally(() => {
      this.#busy = false;
    });
    try {
      return await untilAborted(read, giveUp.signal, this.#clock, limitMs, () =>
        giveUp.abort(timedOut(`no answer within ${formatDuration(limitMs)}`)),
      );
    } finally {
      this.#stop.signal.removeEventListener('abort', end);
    }
  }
}

/** The same source named twice is two targets, which must not have the same series. */
function labelled(sources: readonly StatsSource[]): readonly (readonly [StatsSource, string])[] {
  const seen = new Map<string, number>();
  return sources.map((source) => {
    const label = maskSecrets(source.label);
    const count = (seen.get(label) ?? 0) + 1;
    seen.set(label, count);
    return [source, count === 1 ? label : `${label} #${count}`] as const;
  });
}

function timedOut(message: string): SourceError {
  return new SourceError('ERR_SOURCE_TIMEOUT', message, {
    hint: 'it may be stopped, overloaded, or cut off',
  });
}
