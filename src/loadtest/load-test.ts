import { arch, availableParallelism, platform } from 'node:os';
import { type Clock, systemClock } from '../base/clock.js';
import { seededRandom } from '../base/random.js';
import { advise } from './advice.js';
import type { LoadProgress, StartGate, WarmupPlan, Workload, WorkloadRun } from './api.js';
import { judgeBottleneck, ownLimit } from './bottleneck.js';
import { type ClientSource, eventLoop, NOT_MEASURED, startClientMeter } from './client-meter.js';
import type { HttpLoad } from './http/types.js';
import { createModel, iterationsOf } from './models.js';
import { poolFigures } from './pool-figures.js';
import type {
  ClientFigures,
  Environment,
  Interval,
  LoadResult,
  ModelInfo,
  PoolInfo,
  SegmentPart,
  ServerFigures,
  Verdict,
  WireFigures,
} from './result.js';
import { type RunOutcome, runLoad } from './runner.js';
import { partOf } from './segment.js';
import { judgeThresholds, type Threshold } from './thresholds.js';
import { judge, unjudged } from './verdict.js';

/** The part of a load that a run is, and what identifies the load. */
export interface SegmentOptions
  extends Pick<SegmentPart, 'index' | 'count' | 'runId' | 'optionsHash' | 'options' | 'host'> {
  /** By how much the coordinator's clock is ahead of this machine's, in ms. Default null: not compared. */
  readonly clockOffsetMs?: number | null;
}

export interface LoadTestOptions {
  readonly workload: Workload;
  readonly model: ModelInfo;
  /** The run ends at whichever comes first; null: no such limit. Bursts also end after their count. */
  readonly iterations?: number | null;
  readonly durationMs?: number | null;
  /** Default null: none. */
  readonly warmup?: WarmupPlan | null;
  /** Makes runs repeatable. Default 1. */
  readonly seed?: number;
  readonly thresholds?: readonly Threshold[];
  /** For results that are compared later. Default: what the system tells. */
  readonly environment?: Environment;
  /** Readings of this process, to tell whether it was the bottleneck. Default: its event loop only; null: none. */
  readonly client?: ClientSource | null;
  readonly clock?: Clock;
  /**
   * How long the run waits at its end for iterations under way, and for a server that has stopped answering. Default
   * 10,000; null: as long as it takes.
   */
  readonly drainTimeoutMs?: number | null;
  /** Cancels an iteration that takes longer, and counts it as failed. Default null: none is. */
  readonly iterationTimeoutMs?: number | null;
  /** Aborts when no new iteration may begin. */
  readonly stop?: AbortSignal;
  /** Aborts to drop everything. */
  readonly abort?: AbortSignal;
  readonly onProgress?: (progress: LoadProgress) => void;
  /** Told of each stretch of the timeline, with its histograms, when it is over. */
  readonly onInterval?: (interval: Interval) => void;
  /**
   * Runs only this part of the load. `model` and `iterations` describe the whole. The result has no verdict and no
   * thresholds of its own, because `mergeSegments` judges the whole. Default: the whole load.
   */
  readonly segment?: SegmentOptions;
  /** The start that the run has in common with others. Default: none. */
  readonly gate?: StartGate;
}

/**
 * Opens a workload, drives it, closes it, and says what came of it. Rejects if the workload cannot be opened;
 * iterations that fail are counted. The workload is closed whatever happens.
 */
export async function runLoadTest(options: LoadTestOptions): Promise<LoadResult> {
  const { workload, model, clock = systemClock, seed = 1, client = eventLoop } = options;
  const never = new AbortController().signal;
  const { stop = never, abort = never } = options;
  const gaveUp = new AbortController();
  const signal = AbortSignal.any([abort, gaveUp.signal]);
  const run = await workload.open({ stop, signal, random: seededRandom(seed) });
  const meter = client === null ? null : startClientMeter(client, clock);
  let outcome: RunOutcome;
  let figures: ClientFigures;
  let http: HttpLoad | null = null;
  let wire: WireFigures | undefined;
  try {
    const { segment } = options;
    const plan = {
      model: createModel(segment === undefined ? model : partOf(model, segment)),
      ...(segment !== undefined && { segment }),
      iterations: least(options.iterations ?? null, iterationsOf(model)),
      durationMs: options.durationMs ?? null,
      warmup: options.warmup ?? null,
    };
    outcome = await runLoad(run, plan, {
      clock,
      stop,
      abort,
      onGiveUp: () => gaveUp.abort(new Error('the run stopped waiting')),
      ...(options.drainTimeoutMs !== undefined && { drainTimeoutMs: options.drainTimeoutMs }),
      ...(options.iterationTimeoutMs !== undefined && { iterationTimeoutMs: options.iterationTimeoutMs }),
      onBegin: () => run.server?.begin(),
      onActive: (active) => (active ? meter?.resume() : meter?.pause()),
      ...(options.onProgress && { onProgress: options.onProgress }),
      ...(options.onInterval && { onInterval: options.onInterval }),
      ...(options.gate && { gate: options.gate }),
    });
    http = run.http?.() ?? null;
    wire = run.wire?.();
  } finally {
    figures = meter?.stop() ?? NOT_MEASURED;
    run.server?.end();
    await run.close();
  }
  return resultOf(options, run, outcome, figures, {
    ...{ server: run.server?.figures() ?? null, http },
    ...(wire && { wire }),
  });
}

/** Puts everything together that is known after a run. */
export function resultOf(
  options: LoadTestOptions,
  { description, pool: settings = NO_POOL }: Pick<WorkloadRun, 'description' | 'pool'>,
  outcome: RunOutcome,
  client: ClientFigures,
  {
    server = null,
    http = null,
    wire,
  }: { server?: ServerFigures | null; http?: HttpLoad | null; wire?: WireFigures } = {},
): LoadResult {
  const { model, workload, seed = 1, thresholds = [], environment = hostEnvironment() } = options;
  const { measurements, partial } = outcome;
  const segment = segmentPart(options, outcome);
  const own = segment === null ? model : partOf(model, segment);
  const pool = { options: settings, figures: poolFigures(outcome.poolBefore, outcome.poolAfter) };
  const observed = { measurements, model, pool, http, server, workload: description, client };
  const bottleneck = judgeBottleneck(observed);
  const ownFault = ownLimit(observed, bottleneck);
  const asMeasured = judge({ measurements, simple: description.simple, model: own });
  const verdict =
    segment !== null
      ? ofSegment(asMeasured, segment)
      : ownFault === null
        ? asMeasured
        : unjudged(asMeasured, ownFault);
  const judged = { ...observed, partial, verdict, client: { ...client, bottleneck } };
  return {
    schema: 1,
    kind: 'loadtest',
    startedAt: new Date(outcome.startedAtMs).toISOString(),
    environment,
    workload: { name: workload.name, ...description },
    model,
    limits: { iterations: options.iterations ?? iterationsOf(model), durationMs: options.durationMs ?? null },
    warmup: outcome.warmup,
    seed,
    partial,
    verdict,
    thresholds: segment === null ? judgeThresholds(thresholds, { measurements, pool }, ownFault) : [],
    measurements,
    pool,
    http,
    ...(wire && { wire }),
    server,
    client: judged.client,
    advice: segment === null ? advise(judged) : [],
    ...(segment !== null && { segment }),
  };
}

/** The criteria of a segment are shown, but they do not decide: only the whole can pass or fail. */
function ofSegment(asMeasured: Verdict, { index, count }: SegmentPart): Verdict {
  const notJudged = `this is segment ${index} of ${count}`;
  const reason = `This is segment ${index} of ${count}: 'poolctl merge' judges the whole.`;
  return { ...asMeasured, band: null, notJudged, reason };
}

/** The input of a merge; null if the run was the whole load. */
function segmentPart(
  { segment, thresholds = [] }: Pick<LoadTestOptions, 'segment' | 'thresholds'>,
  { measurements: { arrivalsMs, elapsedMs }, record, startedAtMs, lateMs }: RunOutcome,
): SegmentPart | null {
  if (segment === undefined || record === null) return null;
  const { clockOffsetMs = null } = segment;
  const begunAtMs = startedAtMs + (clockOffsetMs ?? 0);
  return {
    ...segment,
    thresholds: thresholds.map(({ expression }) => expression),
    startedAtMs: begunAtMs,
    arrivalsEndedAtMs: begunAtMs + arrivalsMs,
    endedAtMs: begunAtMs + elapsedMs,
    lateMs,
    clockOffsetMs,
    record,
  };
}

function hostEnvironment(): Environment {
  return { poolctl: null, node: null, platform: `${platform()} ${arch()}`, cores: availableParallelism() };
}

const NO_POOL: PoolInfo = {
  profile: null,
  size: 0,
  maxOverflow: 0,
  timeoutMs: null,
  recycleMs: null,
  prePing: false,
};

function least(a: number | null, b: number | null): number | null {
  return a === null ? b : b === null ? a : Math.min(a, b);
}
