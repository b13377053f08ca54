import { onAbort } from '../base/abort.js';
import type { Clock } from '../base/clock.js';
import { Aggregator } from './aggregate.js';
import type { LoadPlan, LoadProgress, Phase, RunSnapshot, Sample, StartGate, WorkloadRun } from './api.js';
import { arrive } from './arrivals.js';
import { Patience } from './drain.js';
import { codeOf, IterationTimeout, isPoolTimeout, messageOf } from './failures.js';
import { type IterationHost, RunningIteration, starterOf, UnderWay } from './iterations.js';
import type { LoadRecord } from './record.js';
import type { Interruption, Interval, Measurements } from './result.js';
import { shareOf, WHOLE } from './segment.js';

const LOOK_MS = 100;

export interface RunOptions {
  readonly clock: Clock;
  /** Aborts when no new iteration may begin: what is under way is waited for, and the result is partial. */
  readonly stop: AbortSignal;
  /** Aborts when not even that may be waited for. */
  readonly abort: AbortSignal;
  /** How long iterations under way are waited for at the end. Default 10,000; null: as long as it takes. */
  readonly drainTimeoutMs?: number | null;
  /** Cancels an iteration that takes longer. Default null: none is. */
  readonly iterationTimeoutMs?: number | null;
  /** Called when the run stops waiting: whatever is still under way must be canceled. */
  readonly onGiveUp?: () => void;
  /** Told when the measurement begins; never, if it was interrupted before. */
  readonly onBegin?: () => void;
  /** Told when measured iterations get under way, and when none is: between bursts, and at the end. */
  readonly onActive?: (active: boolean) => void;
  /** Told of each stretch of the timeline when it is over. */
  readonly onInterval?: (interval: Interval) => void;
  /** Called ten times a second. */
  readonly onProgress?: (progress: LoadProgress) => void;
  /** The start that the run has in common with others. Default: none. */
  readonly gate?: StartGate;
}

export interface RunOutcome {
  /** Iterations that ended before the measurement began; null if there was no warm-up. */
  readonly warmup: {
    readonly iterations: number;
    readonly failed: number;
    readonly elapsedMs: number;
  } | null;
  readonly measurements: Measurements;
  /** Everything that was recorded, for a merge; null unless the plan is that of a segment. */
  readonly record: LoadRecord | null;
  readonly partial: Interruption | null;
  /** Wall clock, ms since the epoch. */
  readonly startedAtMs: number;
  /** How long after the common start the measurement began; null without one. */
  readonly lateMs: number | null;
  /** The pool when the measurement began, and when it was over. */
  readonly poolBefore: RunSnapshot | null;
  readonly poolAfter: RunSnapshot | null;
}

/** The moment at which the measurement begins, and what there was before. */
interface Start {
  /** All times of the measurement count from here. */
  readonly at: number;
  readonly begunAt: number;
  readonly wallMs: number;
  readonly pool: RunSnapshot | null;
  readonly warmup: RunOutcome['warmup'];
}

export const DEFAULT_DRAIN_MS = 10_000;

/**
 * Drives an opened workload by a plan. Never rejects because an iteration failed: failures are counted. Rejects with the
 * error of the gate if that refuses the run.
 */
export async function runLoad(run: WorkloadRun, plan: LoadPlan, options: RunOptions): Promise<RunOutcome> {
  const { clock, stop, onBegin = () => {}, onActive = () => {}, onProgress } = options;
  const { drainTimeoutMs = DEFAULT_DRAIN_MS, iterationTimeoutMs = null } = options;
  const patience = new Patience(drainTimeoutMs, clock);
  const gaveUp = new AbortController();
  const abort = AbortSignal.any([options.abort, gaveUp.signal]);
  const openedAt = clock.now();
  const { segment, model } = plan;
  const aggregator = new Aggregator(model, {
    keep: segment !== undefined,
    ...(segment !== undefined && { segment }),
    ...(options.onInterval && { onInterval: options.onInterval }),
  });
  const ownPlan = {
    ...plan,
    iterations: plan.iterations === null ? null : shareOf(plan.iterations, segment ?? WHOLE),
  };
  const gate = options.gate ?? null;
  let refusal: { readonly error: unknown } | null = null;
  /** The run ends by itself where more load would show nothing new. */
  const enough = new AbortController();
  const warm = { ended: 0, failed: 0 };
  const measurement: { start: Start | null } = { start: null };
  let started = 0;
  let waiting = 0;
  let endedMs = 0;
  let arrivalsMs: number | null = null;
  const underWay = new UnderWay();
  /** When the run ended for good; iterations that end later are not part of the result. */
  let sealedAt: number | null = null;
  onAbort(abort, () => {
    sealedAt ??= clock.now();
  });

  function begin(setAt?: number): Start {
    run.begin?.();
    const now = clock.now();
    const at = setAt ?? now;
    const warmup = { iterations: warm.ended, failed: warm.failed, elapsedMs: now - openedAt };
    const wallMs = clock.wallTime() - (now - at);
    const start = { at, begunAt: now, wallMs, pool: run.snapshot(), warmup: plan.warmup && warmup };
    measurement.start = start;
    patience.begin();
    return start;
  }

  const host: IterationHost = {
    clock,
    acquired() {
      waiting--;
    },
    ended(iteration, error, endedAt) {
      const { start } = measurement;
      const { dueAt, startedAt, acquiredAt } = iteration;
      if (acquiredAt === null) waiting--;
      // From then on those under way are counted as abandoned.
      if (sealedAt !== null) return iteration.onEnd(endedAt);
      underWay.remove(iteration);
      if (error === null || isAnswer(error)) patience.answered(endedAt, endedAt - startedAt);
      if (iteration.measured && start !== null) {
        const { at } = start;
        const sample: Sample = {
          seq: iteration.seq,
          dueMs: dueAt - at,
          startedMs: startedAt - at,
          acquiredMs: acquiredAt === null ? null : acquiredAt - at,
          endedMs: endedAt - at,
          errorCode: error === null ? null : codeOf(error),
        };
        endedMs = sample.endedMs;
        aggregator.record(sample, error === null ? '' : messageOf(error));
      } else if (start === null) {
        warm.ended++;
        if (error !== null) warm.failed++;
      }
      iteration.onEnd(endedAt);
    },
  };
  const startWork = starterOf(run);

  function iterate(
    seq: number,
    dueAt: number,
    startedAt: number,
    measured: boolean,
    onEnd: (at: number) => void,
  ): void {
    const iteration = new RunningIteration(host, seq, dueAt, startedAt, measured, onEnd);
    underWay.add(iteration);
    if (measured) {
      started++;
      aggregator.begin(dueAt - (measurement.start?.at ?? dueAt));
    }
    waiting++;
    if (iterationTimeoutMs !== null) iteration.limitTo(iterationTimeoutMs);
    startWork(iteration);
  }

  const settled = () => (run.snapshot()?.creating ?? 0) === 0;
  const arrivals = arrive(plan, {
    ...{ clock, abort, iterate, settled, onActive, gate },
    stop: AbortSignal.any([stop, enough.signal]),
    onRefused(error) {
      refusal ??= { error };
      enough.abort();
    },
    begin(setAt) {
      const { at } = begin(setAt);
      onBegin();
      return at;
    },
    onEnd(afterMs) {
      if (arrivalsMs !== null && arrivalsMs <= afterMs) return;
      arrivalsMs = afterMs;
      aggregator.endArrivals(afterMs);
    },
    onDrop: (dueAt) => aggregator.drop(dueAt - (measurement.start?.at ?? dueAt)),
  });
  const endsByItself = () =>
    measurement.start !== null && (plan.model.kind === 'open' || plan.durationMs !== null);
  const stopLooking = every(LOOK_MS, clock, () => {
    const { start } = measurement;
    const now = clock.now();
    const elapsedMs = now - (start?.at ?? openedAt);
    if (arrivals.ended) patience.drain(now);
    const givesUpAt = patience.givesUpAt(endsByItself());
    if (givesUpAt !== null && now >= givesUpAt && underWay.size > 0) {
      gaveUp.abort(new Error('the run ended before the iteration did'));
      options.onGiveUp?.();
      return;
    }
    if (start !== null) {
      aggregator.gauge(elapsedMs, waiting);
      // No segment knows whether the whole has broken, and the others would go on without its part.
      if (segment === undefined && aggregator.isBroken(elapsedMs)) enough.abort();
    }
    onProgress?.({
      phase: phaseOf(start, arrivals.ended),
      elapsedMs,
      fraction:
        start === null
          ? fractionOf(plan.warmup ?? plan, warm.ended, elapsedMs)
          : fractionOf(ownPlan, aggregator.ended, elapsedMs),
      ended: start === null ? warm.ended : aggregator.ended,
      failed: start === null ? warm.failed : aggregator.failed,
      waiting,
      underWay: underWay.size,
      quietMs: underWay.size === 0 ? 0 : now - patience.lastAnswerAt,
      givesUpInMs: givesUpAt === null ? null : givesUpAt - now,
    });
  });
  await arrivals.drained;
  stopLooking();
  sealedAt ??= clock.now();
  const refused = refusal as { readonly error: unknown } | null;
  if (refused !== null) throw refused.error;

  // There is none yet if it was interrupted while it was warming up.
  const { at, begunAt, wallMs, pool, warmup } = measurement.start ?? begin();
  const abandoned = underWay.list().filter(({ measured }) => measured);
  for (const { dueAt, startedAt, acquiredAt } of abandoned) {
    const acquiredMs = acquiredAt === null ? null : acquiredAt - at;
    aggregator.abandon({ dueMs: dueAt - at, startedMs: startedAt - at, acquiredMs }, sealedAt - at);
  }
  const silentSince = underWay.size === 0 ? null : patience.silentSince(sealedAt, timesOf(underWay.list()));
  const elapsedMs = abandoned.length > 0 ? sealedAt - at : endedMs;
  const measurements = aggregator.finish({
    ...{ elapsedMs, started, abandoned: abandoned.length, dropped: arrivals.dropped },
    arrivalsMs: arrivalsMs ?? elapsedMs,
    silentFromMs: silentSince === null ? null : silentSince - at,
  });
  const startsAt = gate?.startsAt ?? null;
  return {
    warmup,
    measurements,
    record: segment === undefined ? null : aggregator.loadRecord(),
    lateMs: startsAt === null ? null : begunAt - startsAt,
    partial: options.abort.aborted ? 'aborted' : stop.aborted ? 'interrupted' : null,
    startedAtMs: wallMs,
    poolBefore: pool,
    poolAfter: run.snapshot(),
  };
}

/** When those got their connections that have one. */
function timesOf(underWay: readonly RunningIteration[]): number[] {
  return underWay.flatMap(({ acquiredAt }) => (acquiredAt === null ? [] : [acquiredAt]));
}

/** Whether the target said that, and not poolctl: a limit that passed shows no sign of life. */
function isAnswer(error: unknown): boolean {
  return !(error instanceof IterationTimeout) && !isPoolTimeout(codeOf(error));
}

function phaseOf(start: Start | null, ended: boolean): Phase {
  return start === null ? 'warm-up' : ended ? 'drain' : 'load';
}

/** How much of a run is done: by whichever limit is nearer; null where there is none. */
function fractionOf(
  { iterations, durationMs }: Pick<LoadPlan, 'iterations' | 'durationMs'>,
  ended: number,
  elapsedMs: number,
): number | null {
  if (iterations === null && durationMs === null) return null;
  const byCount = iterations === null ? 0 : ended / Math.max(1, iterations);
  const byTime = durationMs === null ? 0 : elapsedMs / Math.max(1, durationMs);
  return Math.min(1, Math.max(byCount, byTime));
}

/** Calls back half an interval from now, and from there on at equal distances: in the middle of each stretch. */
function every(intervalMs: number, clock: Clock, callback: () => void): () => void {
  let dueAt = clock.now() + intervalMs / 2;
  const set = () => clock.setTimer(tick, dueAt - clock.now(), { background: true });
  let timer = set();
  function tick(): void {
    callback();
    // Ticks that a blocked loop has missed are left out.
    while (dueAt <= clock.now()) dueAt += intervalMs;
    timer = set();
  }
  return () => timer.cancel();
}
