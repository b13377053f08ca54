import { monitorEventLoopDelay } from 'node:perf_hooks';
import { onAbort } from '../../base/abort.js';
import type { Clock } from '../../base/clock.js';
import { type HistogramSnapshot, percentileUs } from '../../base/histogram.js';
import { asError, ignore } from '../../base/promises.js';
import { type Random, seededRandom } from '../../base/random.js';
import { IbError } from '../../ib/errors.js';
import { localLine, threadLine } from '../../ib/link.js';
import type { IbLog } from '../../ib/log.js';
import { createPacer, type Pacer, type PacingOptions } from '../../ib/pacing.js';
import { createIbPool, type IbPool, type IbPoolOptions } from '../../ib/pool.js';
import type { RequestCounters, Topology } from '../../snapshot/broker.js';
import type { GatewayCounts } from '../ib-gateway/census.js';
import type { ControlClient } from '../ib-gateway/control-client.js';
import { fasterClock } from '../ib-gateway/fast-clock.js';
import type { Fault } from '../ib-gateway/faults.js';
import type { Breakage } from './breakages.js';
import { compareCounts } from './comparison.js';
import type { StressGateway } from './gateways.js';
import { Meter, peakWithin, spreadOf } from './meter.js';
import type { IbCheck, IbComparison, IbRunFigures, IbSpread } from './types.js';

export interface TrialOptions {
  readonly gateway: StressGateway;
  readonly topology: Topology;
  /** Workers of a basic test. */
  readonly workers: number;
  /** The number for each worker. */
  readonly requests: number;
  /** The first client id. */
  readonly clientIdBase: number;
  readonly seed: number;
  readonly speed: number;
  /** How many times longer than usual a slow machine is waited for. */
  readonly patience: number;
  readonly pacing: PacingOptions;
  /** The pacer of a real gateway, which all runs share. Default: a pacer made of `pacing`. */
  readonly pacer: Pacer | null;
  readonly breakage: Breakage | null;
  /** Ends the work at the first failure, where it can. Default false. */
  readonly bail?: boolean;
  /** The machine's clock. */
  readonly clock: Clock;
  readonly stop: AbortSignal;
  readonly memoryBytes: (() => number) | null;
}

/** The outcome of a trial. */
export interface TrialOutcome {
  readonly checks: readonly IbCheck[];
  readonly comparisons: readonly IbComparison[] | null;
  readonly figures: IbRunFigures;
  /** Whether it was stopped. */
  readonly stopped: boolean;
  /**
   * The longest that this process or that of the gateway stood still, in milliseconds of the machine's clock, but for
   * what the work itself is to blame for.
   */
  readonly stalledMs: number;
}

const LOOK_MS = 5;
/** The time on the machine's clock within which immediate effects must show. */
const SOON_MS = 5000;
/** A user who stops it does not wait longer for the pools. */
const STOPPED_MS = 500;
/** A trial that is longer under way hangs; by its own clock it may take longer than that. */
const LONGEST_MS = 45_000;
/** The interval at which the loop's delay is sampled. Each measured delay contains it. */
const LAG_RESOLUTION_MS = 10;
const COUNTERS = {
  asked: 0,
  answered: 0,
  failed: 0,
  timedOut: 0,
  lost: 0,
  retried: 0,
  late: 0,
} as const satisfies RequestCounters;

/** Runs the work of one test or scenario, and then compares, closes and looks at what is left. */
export async function runTrial(
  work: (trial: Trial) => Promise<void>,
  longestMs: number,
  options: TrialOptions,
): Promise<TrialOutcome> {
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const delay = (ns: number): number => Math.max(0, ns / 1e6 - LAG_RESOLUTION_MS);
  const trial = new Trial(options, () => delay(lag.max));
  let stalledMs = 0;
  try {
    await trial.run(work, longestMs);
    await trial.compare();
    await trial.end();
    if (!options.stop.aborted) stalledMs = (await options.gateway.stalledMs()) ?? 0;
  } finally {
    lag.disable();
    await trial.abandon();
  }
  const loopLag = { p99: delay(lag.percentile(99)), max: delay(lag.max) };
  const ownMs = loopLag.max <= 1.1 * trial.blockedMs ? 0 : loopLag.max;
  return { ...trial.outcome(loopLag), stalledMs: Math.max(stalledMs, ownMs) };
}

interface Entry {
  readonly at: number;
  readonly entry: IbLog;
}

/** One test or scenario under way: what it may use, and what is noted of it. */
export class Trial {
  /** As fast as the gateway's. */
  readonly clock: Clock;
  readonly random: Random;
  readonly topology: Topology;
  readonly workers: number;
  readonly requests: number;
  /** Shared by all pools of the trial. */
  readonly pacer: Pacer;
  readonly meter: Meter;
  readonly isLive: boolean;
  /** How long the work has blocked the loop on purpose, at most, in milliseconds of the machine's clock. */
  blockedMs = 0;
  readonly clientIdBase: number;
  readonly #options: TrialOptions;
  readonly #lagMs: () => number;
  readonly #checks: IbCheck[] = [];
  readonly #log: Entry[] = [];
  readonly #pools = new Set<IbPool>();
  readonly #roundTrips: number[] = [];
  readonly #injectedAt: number[] = [];
  readonly #over = new AbortController();
  #requestCounts: RequestCounters = COUNTERS;
  #comparisons: IbComparison[] | null = null;
  #lastCounts: GatewayCounts | null = null;
  #stopped = false;

  /** `lagMs`: how late the loop of this process was at most, so far. */
  constructor(options: TrialOptions, lagMs: () => number = () => 0) {
    this.#lagMs = lagMs;
    const { clock, speed, seed, topology, workers, requests, gateway, pacing, breakage } = options;
    this.#options = options;
    this.clock = speed === 1 ? clock : fasterClock(clock, speed);
    this.random = seededRandom(seed);
    this.topology = topology;
    this.workers = workers;
    this.requests = requests;
    this.clientIdBase = options.clientIdBase;
    this.isLive = gateway.control === null;
    this.pacer = options.pacer ?? createPacer({ clock: this.clock, ...pacing, ...breakage?.pacing });
    this.meter = new Meter(this.clock);
  }

  /** How its pools are broken on purpose; null where they are not. */
  get breakage(): Breakage | null {
    return this.#options.breakage;
  }

  get bails(): boolean {
    return this.#options.bail === true;
  }

  /** The checks so far that did not hold. */
  get failed(): readonly IbCheck[] {
    return this.#checks.filter(({ ok }) => !ok);
  }

  get log(): readonly Entry[] {
    return this.#log;
  }

  /** Milliseconds of the machine's clock, for deadlines that guard against a slow machine. */
  real(ms: number): number {
    return ms * this.#options.speed * this.#options.patience;
  }

  /** How long this process and that of the gateway stood still so far, the longest of each, by the clock of the trial. */
  async stalledMs(): Promise<number> {
    const { gateway, speed } = this.#options;
    return speed * (this.#lagMs() + ((await gateway.stalledMs()) ?? 0));
  }

  /** A pool to be tested, with the deadlines of a slow machine where it is not told others. Closed in the end. */
  pool(options: IbPoolOptions = {}): IbPool {
    const { gateway, breakage, clientIdBase } = this.#options;
    const { clock, random, pacer } = this;
    const { line = this.topology === 'worker' ? threadLine : () => localLine(clock), ...wanted } = options;
    const sound: IbPoolOptions & { readonly line: NonNullable<IbPoolOptions['line']> } = {
      host: gateway.host,
      port: gateway.port,
      clientId: clientIdBase,
      clock,
      random,
      pacer,
      handshakeTimeoutMs: this.real(10_000),
      heartbeatMs: this.real(5000),
      heartbeatTimeoutMs: this.real(5000),
      acquireTimeoutMs: this.real(20_000),
      ...wanted,
      line,
      log: (entry) => {
        this.#log.push({ at: clock.now(), entry });
        options.log?.(entry);
      },
    };
    const broken = breakage?.pool?.(sound) ?? sound;
    const pool = createIbPool({ ...broken, line: () => this.meter.line(broken.line()) });
    breakage?.made?.(pool);
    this.#pools.add(pool);
    return pool;
  }

  async close(pool: IbPool, graceMs = 0): Promise<void> {
    this.#note(pool);
    this.#pools.delete(pool);
    await pool.close({ graceMs });
  }

  /** The gateway's own counts. */
  async counts(): Promise<GatewayCounts> {
    this.#lastCounts = await this.#control().counts();
    return this.#lastCounts;
  }

  /** The address at which clients reach the gateway now. */
  async gatewayPort(): Promise<number> {
    return (await this.#control().info()).port;
  }

  async inject(fault: Fault): Promise<number> {
    // One that waits for something to be sent does not happen now.
    const isNow = fault.kind !== 'corrupt-length' && !(fault.kind === 'drop' && (fault.afterBytes ?? 0) > 0);
    if (isNow) this.#injectedAt.push(this.clock.now());
    return this.#control().inject(fault);
  }

  async heal(id?: number): Promise<void> {
    await this.#control().heal(id);
  }

  check(name: string, ok: boolean, detail: string): void {
    this.#checks.push({ name, ok, detail });
  }

  /** Waits on the trial's clock. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const signal = this.#over.signal;
      if (signal.aborted) {
        reject(asError(signal.reason));
        return;
      }
      const stopWatching = onAbort(signal, () => {
        timer.cancel();
        reject(asError(signal.reason));
      });
      const timer = this.clock.setTimer(() => {
        stopWatching();
        resolve();
      }, ms);
    });
  }

  /** Whether it became so within the time, in milliseconds of the trial's clock. */
  async becomes(isSo: () => boolean | Promise<boolean>, withinMs = this.real(SOON_MS)): Promise<boolean> {
    const { speed } = this.#options;
    const since = this.clock.now();
    while (!(await isSo())) {
      if (this.clock.now() - since > withinMs) return false;
      await this.sleep(LOOK_MS * speed);
    }
    return true;
  }

  /** As `becomes`, noted as a check. */
  async until(
    name: string,
    isSo: () => boolean | Promise<boolean>,
    withinMs = this.real(SOON_MS),
  ): Promise<boolean> {
    const since = this.clock.now();
    const ok = await this.becomes(isSo, withinMs);
    const tookMs = Math.round(this.clock.now() - since);
    this.check(name, ok, ok ? `after ${tookMs} ms` : `not within ${Math.round(withinMs)} ms`);
    return ok;
  }

  /** The answer, or the IbError that came instead. Anything else is thrown. */
  async ask<T>(request: () => Promise<T>): Promise<T | IbError> {
    const since = this.clock.now();
    try {
      const answer = await request();
      this.#roundTrips.push(this.clock.now() - since);
      return answer;
    } catch (error) {
      if (error instanceof IbError) return error;
      throw error;
    }
  }

  /** Checks that it fails with that code; gives how long it took, by the trial's clock. */
  async fails(name: string, code: string, request: () => Promise<unknown>): Promise<number> {
    const since = this.clock.now();
    const outcome = await this.ask(request);
    const tookMs = this.clock.now() - since;
    const seen = outcome instanceof IbError ? outcome.code : 'no error';
    this.check(name, seen === code, `${seen} after ${Math.round(tookMs)} ms`);
    return tookMs;
  }

  async run(work: (trial: Trial) => Promise<void>, longestMs: number): Promise<void> {
    const { clock, stop, patience } = this.#options;
    const limitMs = (LONGEST_MS + longestMs) * patience;
    const timer = clock.setTimer(() => this.#over.abort(new TrialOver('it hangs')), limitMs);
    const stopWatching = onAbort(stop, () => {
      this.#stopped = true;
      this.#over.abort(new TrialOver('it was stopped'));
    });
    try {
      if (stop.aborted) {
        this.#stopped = true;
        return;
      }
      await Promise.race([work(this), this.#untilOver()]);
    } catch (error) {
      if (error instanceof TrialOver) {
        if (!this.#stopped) this.check('it comes to an end', false, `not within ${limitMs / 1000} s`);
      } else if (error instanceof IbError) this.check('the pool does as it is told', false, error.message);
      else throw error;
    } finally {
      timer.cancel();
      stopWatching();
    }
  }

  /** The client's counts with the gateway's, when all has arrived. */
  async compare(): Promise<void> {
    if (this.isLive || this.#stopped || this.#over.signal.aborted) return;
    const look = async (): Promise<boolean> => {
      const counts = await this.counts();
      const streams = this.#connections().reduce((sum, { subscriptions }) => sum + subscriptions.live, 0);
      this.#comparisons = compareCounts(this.meter, { streams }, counts);
      return this.#comparisons.every(({ ok }) => ok);
    };
    await this.becomes(look, this.real(3000)).catch(ignore);
  }

  /** Closes all pools and sees what is left of them. */
  async end(): Promise<void> {
    if (this.#stopped || this.#over.signal.aborted) return;
    for (const pool of [...this.#pools]) await this.#within(this.close(pool));
    if (this.isLive) return;
    await this.heal();
    const nothing = async (): Promise<boolean> => {
      const { connections, subscriptions } = await this.counts();
      return connections.open === 0 && subscriptions.open.marketData === 0;
    };
    await this.becomes(nothing, this.real(3000)).catch(ignore);
    const { sockets, subscriptions, workers } = this.#leftovers();
    this.check(
      'nothing is left',
      sockets === 0 && subscriptions === 0 && workers === 0,
      `${sockets} sockets, ${subscriptions} subscriptions, ${workers} workers`,
    );
  }

  /** Ends everything, in any case. */
  async abandon(): Promise<void> {
    this.#over.abort(new TrialOver('it is over'));
    const pools = [...this.#pools];
    for (const pool of pools) this.#note(pool);
    this.#pools.clear();
    await Promise.all(pools.map((pool) => this.#within(pool.close({ graceMs: 0 }))));
    await this.#options.breakage?.end?.();
  }

  outcome(loopLag: IbRunFigures['loopLag']): Omit<TrialOutcome, 'stalledMs'> {
    const { meter } = this;
    const { memoryBytes } = this.#options;
    const pacing = this.pacer.snapshot();
    const peakSecond = peakWithin(meter.stamps, 1000);
    const gateway = this.#lastCounts;
    const limit = pacing?.limitPerSecond ?? 50;
    return {
      checks: this.#checks,
      comparisons: this.#comparisons,
      stopped: this.#stopped,
      figures: {
        workerStart: spreadOf(meter.loadMs),
        connect: {
          tcp: spreadOf(meter.tcpMs),
          handshake: spreadOf(meter.handshakeMs),
          ready: spreadOf(meter.readyMs),
        },
        detectMs: this.detectMs(),
        recoverMs: this.recoverMs(),
        attempts: {
          count: meter.dials.length,
          peakSecond: peakWithin(meter.dials, 1000),
          peak100ms: peakWithin(meter.dials, 100),
        },
        requests: this.#requestCounts,
        clientIds: { seen: meter.clientIds, unique: meter.idsUnique, collisions: meter.collisions },
        pacing: {
          sent: meter.stamps.length,
          peakSecond,
          gatewayPeakSecond: gateway?.messages.mostPerSecond ?? null,
          headroom: 1 - peakSecond / limit,
          queueWait: pacing === null ? null : spreadOfHistogram(pacing.wait),
          tooFast: meter.codes.get(100) ?? 0,
          historyRefused:
            gateway === null
              ? null
              : Object.values(gateway.history.refused).reduce((sum, count) => sum + count, 0),
        },
        roundTrip: spreadOf(this.#roundTrips),
        loopLag,
        rssBytes: memoryBytes?.() ?? null,
        leftovers: this.#leftovers(),
      },
    };
  }

  /** The longest from a fault until a pool knew of it; null where no connection was lost after one. */
  detectMs(): number | null {
    const found = this.#injectedAt.flatMap((at, index) => {
      const next = this.#injectedAt[index + 1] ?? Number.POSITIVE_INFINITY;
      const lost = this.#log.find((one) => one.entry.kind === 'lost' && one.at >= at);
      return lost === undefined || lost.at >= next ? [] : [lost.at - at];
    });
    return found.length === 0 ? null : Math.max(...found);
  }

  /** The longest from the loss of a connection until it was ready again; null where none was. */
  recoverMs(): number | null {
    const lostAt = new Map<number, number>();
    let longest: number | null = null;
    for (const { at, entry } of this.#log) {
      if (entry.kind === 'lost' && !lostAt.has(entry.clientId)) lostAt.set(entry.clientId, at);
      if (entry.kind !== 'connected') continue;
      const since = lostAt.get(entry.clientId);
      lostAt.delete(entry.clientId);
      if (since !== undefined) longest = Math.max(longest ?? 0, at - since);
    }
    return longest;
  }

  #leftovers(): IbRunFigures['leftovers'] {
    const counts = this.#lastCounts;
    return {
      sockets: counts?.connections.open ?? null,
      subscriptions: counts?.subscriptions.open.marketData ?? null,
      workers: this.meter.linesOpen,
    };
  }

  #connections() {
    return [...this.#pools].flatMap((pool) => pool.snapshot().ib.connections);
  }

  #note(pool: IbPool): void {
    for (const { requests } of pool.snapshot().ib.connections) {
      const sum = { ...this.#requestCounts };
      for (const key of Object.keys(COUNTERS) as (keyof RequestCounters)[]) sum[key] += requests[key];
      this.#requestCounts = sum;
    }
  }

  /** A pool that does not close is noted, and left. */
  async #within(closing: Promise<void>): Promise<void> {
    const { clock, patience, stop } = this.#options;
    await new Promise<void>((resolve) => {
      const timer = clock.setTimer(resolve, stop.aborted ? STOPPED_MS : SOON_MS * patience);
      closing.catch(ignore).finally(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #untilOver(): Promise<never> {
    const { signal } = this.#over;
    return new Promise((_, reject) => {
      onAbort(signal, () => reject(asError(signal.reason)));
    });
  }

  #control(): ControlClient {
    const { control } = this.#options.gateway;
    if (control === null) throw new TypeError('a real gateway cannot be steered');
    return control;
  }
}

/** It comes to no end of its own. */
class TrialOver extends Error {}

function spreadOfHistogram(histogram: HistogramSnapshot): IbSpread | null {
  const at = (percent: number): number => (percentileUs(histogram, percent) ?? 0) / 1000;
  if (histogram.count === 0) return null;
  return { count: histogram.count, p50: at(50), p90: at(90), p99: at(99), max: at(100) };
}
