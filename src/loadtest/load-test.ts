import { arch, availableParallelism, platform } from 'node:os';
import { type Clock, systemClock } from '../base/clock.js';
import { seededRandom } from '../base/random.js';
import { advise } from './advice.js';
import type { LoadProgress, WarmupPlan, Workload, WorkloadRun } from './api.js';
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
  ServerFigures,
  WireFigures,
} from './result.js';
import { type RunOutcome, runLoad } from './runner.js';
import { judgeThresholds, type Threshold } from './thresholds.js';
import { judge, unjudged } from './verdict.js';

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
    const plan = {
      model: createModel(model),
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
  const pool = { options: settings, figures: poolFigures(outcome.poolBefore, outcome.poolAfter) };
  const observed = { measurements, model, pool, http, server, workload: description, client };
  const bottleneck = judgeBottleneck(observed);
  const ownFault = ownLimit(observed, bottleneck);
  const asMeasured = judge({ measurements, simple: description.simple, model });
  const verdict = ownFault === null ? asMeasured : unjudged(asMeasured, ownFault);
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
    thresholds: judgeThresholds(thresholds, { measurements, pool }, ownFault),
    measurements,
    pool,
    http,
    ...(wire && { wire }),
    server,
    client: judged.client,
    advice: advise(judged),
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
