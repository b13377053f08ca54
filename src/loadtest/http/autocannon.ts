import { onAbort } from '../../base/abort.js';
import { type Clock, systemClock } from '../../base/clock.js';
import { Histogram } from '../../base/histogram.js';
import { Aggregator } from '../aggregate.js';
import type { Workload } from '../api.js';
import { eventLoop, NOT_MEASURED, startClientMeter } from '../client-meter.js';
import { distributionOf } from '../distribution.js';
import { codeOf, messageOf } from '../failures.js';
import { type LoadTestOptions, resultOf } from '../load-test.js';
import { createModel } from '../models.js';
import type { LoadResult } from '../result.js';
import type { RunOutcome } from '../runner.js';
import { type HttpWork, workWords } from './http-workload.js';
import { StatusError } from './status-error.js';
import type { HttpLoad } from './types.js';

export interface AutocannonOptions extends Omit<LoadTestOptions, 'workload' | 'warmup'> {
  readonly work: HttpWork;
  /** How the report calls the target. */
  readonly target: string;
  /** Each with one request under way at a time. */
  readonly connections: number;
  /** How long a request may take. */
  readonly timeoutMs: number;
  /** Runs before, and is not counted; null: nothing does. */
  readonly warmupMs: number | null;
}

/** It looks for its own end this often, and counts until then. */
const SAMPLE_MS = 100;
const LOOK_MS = 100;
/** To a server that is gone it would connect again and again, without a pause. */
const MOST_ERRORS = 1000;

/**
 * Has autocannon send the requests, over sockets of its own: what a server can do, without a pool between. Its
 * latencies are whole milliseconds, and its correction of coordinated omission takes the expected interval for 1 ms
 * whatever the rate is (9.0.0, lib/run.js): it is never given a rate, with which it does not correct, and the time of
 * each response goes into our own histogram.
 */
export async function runAutocannon(options: AutocannonOptions): Promise<LoadResult> {
  const { work, model, connections, warmupMs, clock = systemClock, client = eventLoop } = options;
  const never = new AbortController().signal;
  const { stop = never, abort = never, iterations = null, durationMs = null } = options;
  const cannon = await loadCannon(options, clock, stop);
  const openedAt = clock.now();
  let warmed = 0;
  if (warmupMs !== null) {
    await cannon({ iterations: null, durationMs: warmupMs }, { response: () => warmed++, failure: () => {} });
  }
  const warmup =
    warmupMs === null ? null : { iterations: warmed, failed: 0, elapsedMs: clock.now() - openedAt };

  const aggregator = new Aggregator(
    createModel(model),
    options.onInterval && { onInterval: options.onInterval },
  );
  const statuses = new Map<number, number>();
  const meter = client === null ? null : startClientMeter(client, clock);
  meter?.resume();
  const startedAtMs = clock.wallTime();
  const startedAt = clock.now();
  let bytes = 0;
  let seq = 0;
  let endedMs = 0;
  const record = (error: unknown, tookMs: number): void => {
    endedMs = clock.now() - startedAt;
    const dueMs = Math.max(0, endedMs - tookMs);
    const times = { dueMs, startedMs: dueMs, acquiredMs: null, endedMs };
    aggregator.begin(dueMs);
    aggregator.record(
      { seq: seq++, ...times, errorCode: error === null ? null : codeOf(error) },
      error === null ? '' : messageOf(error),
    );
  };
  const stopLooking = repeat(clock, () => {
    const elapsedMs = clock.now() - startedAt;
    const { ended, failed } = aggregator;
    const done = Math.max(ended / (iterations ?? Infinity), elapsedMs / (durationMs ?? Infinity));
    options.onProgress?.({
      phase: 'load',
      elapsedMs,
      fraction: Math.min(1, done),
      ended,
      failed,
      waiting: 0,
    });
  });
  const own = await cannon(
    { iterations, durationMs },
    {
      response(status, size, tookMs) {
        bytes += size;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        record(status >= 400 ? new StatusError(status) : null, tookMs);
      },
      failure: (error) => record(error, 0),
    },
  ).finally(stopLooking);
  const figures = meter?.stop() ?? NOT_MEASURED;

  const outcome: RunOutcome = {
    warmup,
    measurements: {
      ...aggregator.finish({ elapsedMs: endedMs, started: seq, abandoned: 0, dropped: 0 }),
      // How long a request that failed has taken is not told.
      failure: distributionOf(new Histogram()),
    },
    record: null,
    lateMs: null,
    partial: abort.aborted ? 'aborted' : stop.aborted ? 'interrupted' : null,
    startedAtMs,
    poolBefore: null,
    poolAfter: null,
  };
  const http: HttpLoad = {
    engine: 'autocannon',
    statuses: [...statuses]
      .map(([status, count]) => ({ status, count }))
      .sort((a, b) => b.count - a.count || a.status - b.status),
    bytes,
    pool: null,
    autocannon: { connections, ...own },
  };
  const description = {
    target: options.target,
    work: `${workWords(work)}, sent by autocannon`,
    ...{ simple: false, inProcess: false, statements: [] },
  };
  return resultOf({ ...options, workload: NAMED }, { description }, outcome, figures, { http });
}

type Limits = Pick<LoadTestOptions, 'iterations' | 'durationMs'>;

interface CannonListener {
  response(status: number, bytes: number, tookMs: number): void;
  failure(error: Error): void;
}

type OwnFigures = Omit<NonNullable<HttpLoad['autocannon']>, 'connections'>;

/** Gives what runs autocannon once, until a limit is reached or it is stopped, and resolves with what it says itself. */
async function loadCannon(
  { work, connections, timeoutMs }: AutocannonOptions,
  clock: Clock,
  stop: AbortSignal,
): Promise<(limits: Limits, listener: CannonListener) => Promise<OwnFigures>> {
  const { default: autocannon } = await import('autocannon');
  return (limits, listener) =>
    new Promise((resolve, reject) => {
      const { iterations = null, durationMs = null } = limits;
      // It may call back before it returns.
      let release = () => {};
      const instance = autocannon(
        {
          url: work.url,
          method: work.method as 'GET',
          headers: { ...work.headers },
          ...(work.body === null ? {} : { body: Buffer.from(work.body) }),
          connections,
          timeout: Math.max(1, Math.ceil(timeoutMs / 1000)),
          sampleInt: SAMPLE_MS,
          bailout: MOST_ERRORS,
          ...(iterations === null
            ? { duration: Math.max(SAMPLE_MS, durationMs ?? SAMPLE_MS) / 1000 }
            : { amount: Math.max(iterations, connections) }),
        },
        (error, result) => {
          release();
          if (error) reject(error);
          else resolve(figuresOf(result));
        },
      );
      // A number of requests is the only limit that it knows then.
      const timer =
        iterations !== null && durationMs !== null
          ? clock.setTimer(() => instance.stop?.(), durationMs)
          : null;
      const stopWatching = onAbort(stop, () => instance.stop?.());
      release = () => {
        timer?.cancel();
        stopWatching();
      };
      instance.on('response', (_client, status, bytes, tookMs) => listener.response(status, bytes, tookMs));
      instance.on('reqError', (error: Error) => listener.failure(error));
      if (stop.aborted) instance.stop?.();
    });
}

function figuresOf({
  requests,
  duration,
  errors,
  timeouts,
}: {
  readonly requests: { readonly total: number };
  readonly duration: number;
  readonly errors: number;
  readonly timeouts: number;
}): OwnFigures {
  const completed = requests.total;
  return { completed, requestsPerSecond: duration > 0 ? completed / duration : 0, errors, timeouts };
}

function repeat(clock: Clock, callback: () => void): () => void {
  const set = () => clock.setTimer(turn, LOOK_MS, { background: true });
  let timer = set();
  function turn(): void {
    callback();
    timer = set();
  }
  return () => timer.cancel();
}

/** `resultOf` asks a workload only for its name. */
const NAMED: Workload = {
  name: 'http',
  open: () => Promise.reject(new Error('autocannon opens its own sockets')),
};
