import { tmpdir } from 'node:os';
import { formatCount } from '../src/base/units.js';
import { defineCommand } from '../src/cli/command.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { openResultOutput } from '../src/cli/output.js';
import type { LoadProgress } from '../src/loadtest/api.js';
import { runBaseline } from '../src/loadtest/baseline.js';
import { compareRuns, refuseIncomparable } from '../src/loadtest/compare.js';
import { type LoadTestOptions, runLoadTest } from '../src/loadtest/load-test.js';
import type { Interval, LoadResult } from '../src/loadtest/result.js';
import { readResult } from '../src/loadtest/result-file.js';
import { partOf } from '../src/loadtest/segment.js';
import { type PoolPoint, poolWords, runSweep } from '../src/loadtest/sweep.js';
import { hasPassed } from '../src/loadtest/verdict.js';
import { refuseScripts } from '../src/loadtest/wire/script.js';
import { wireWorkload } from '../src/loadtest/wire/wire-workload.js';
import { WorkloadError } from '../src/loadtest/workloads/errors.js';
import { readWork } from '../src/loadtest/workloads/read-work.js';
import {
  type DatabaseTarget,
  openTargetFor,
  type ReachableTarget,
  type Target,
} from '../src/loadtest/workloads/registry.js';
import { sqlWorkload } from '../src/loadtest/workloads/sql.js';
import type { SqlWork } from '../src/loadtest/workloads/sql-target.js';
import type { PoolSize } from '../src/loadtest/workloads/sqlite.js';
import { logLifeCycle } from '../src/pool/life-cycle-log.js';
import { type Format, isFormatOf, rendererOf, renderReport } from '../src/report/registry.js';
import { limitsOf, modelOf, warmupMs, warmupOf } from './loadtest-model.js';
import { type LoadContext, options as optionTable, targetArgument } from './loadtest-options.js';
import { gateOfParent, loadInProcesses, processCount, tellParent } from './loadtest-processes.js';
import { httpPreset, PROFILES } from './loadtest-profiles.js';
import { withPublished } from './loadtest-publish.js';
import { rules } from './loadtest-rules.js';
import { gateOf, segmentIn, segmentOf, segmentOrigin } from './loadtest-segments.js';
import { surroundingsOf } from './loadtest-surroundings.js';
import { inOptions, type LoadSubject, profileOf, type Subject, withSubject } from './loadtest-target.js';
import { tellWaits } from './loadtest-waits.js';

export const command = defineCommand({
  name: 'loadtest',
  summary: 'load-test a connection pool and judge the result',
  description:
    'Load-tests a connection pool and judges the result: throughput, response times split into waiting and\n' +
    'service, errors, and a verdict with its reasons. Without a target it loads a temporary SQLite file, which\n' +
    'needs no server. poolctl only reads from your target unless you pass --allow-writes.\n\n' +
    "There are four load models. 'concurrent' runs each worker in a loop. 'burst' starts many iterations at once, then\n" +
    "pauses. 'rate' starts them by the clock, however long earlier ones take. 'ramp' raises the rate until the target\n" +
    'breaks.',
  arguments: targetArgument,
  options: optionTable,
  rules,
  examples: [
    { command: 'poolctl loadtest', meaning: 'a pool under load, without any setup' },
    {
      command: 'poolctl loadtest postgres://app@localhost/shop --query-type mixed',
      meaning: 'your own PostgreSQL, read only',
    },
    {
      command: 'poolctl loadtest postgres://app@localhost/shop --engine wire --num-workers 8 --pool-size 8',
      meaning: 'the limit of the server: messages without a driver',
    },
    {
      command: 'poolctl loadtest mysql://app@localhost/shop --prepare-threshold 1',
      meaning: 'your own MySQL or MariaDB, with prepared statements',
    },
    {
      command: 'poolctl loadtest http://127.0.0.1:8080/quotes --baseline unpooled',
      meaning: 'the benefit of keep-alive for an HTTP server',
    },
    {
      command: 'poolctl loadtest --module ./target.js --num-workers 20',
      meaning: 'a pool of your own, of anything',
    },
    {
      command: 'poolctl loadtest ws://127.0.0.1:8765/feed --symbols-file symbols.txt',
      meaning: 'latency, gaps and reconnects of a WebSocket feed',
    },
    {
      command: "poolctl loadtest --threshold 'p99<50ms' --threshold 'errors<=0' --format json -o result.json",
      meaning: 'a gate for CI',
    },
    {
      command: 'poolctl loadtest --num-queries 5000 --num-workers 200 --query-type complex',
      meaning: 'heavy queries from many workers',
    },
    {
      command: 'poolctl loadtest --test-type burst --burst-size 500 --num-bursts 5 --burst-interval 1s',
      meaning: 'sudden bursts',
    },
    {
      command: 'poolctl loadtest --test-type rate --rate 500/s --duration 30s',
      meaning: 'a fixed arrival rate, so that no stall is hidden',
    },
    {
      command:
        'poolctl loadtest postgres://app@db/shop --allow-remote --segment auto/8 --emit kubernetes -o load.yaml',
      meaning: 'a load from eight pods, as a manifest',
    },
    {
      command: 'poolctl loadtest --sweep pool-size=2,4,8,16,32',
      meaning: 'the smallest pool size that is enough',
    },
    {
      command: `poolctl loadtest sqlite:app.db --sql 'SELECT * FROM orders WHERE id = ?' --params '[[1],[2]]'`,
      meaning: 'your own query on your own data',
    },
  ],
  presetFor({ options, arguments: { target } }) {
    if (target?.kind === 'feed') return null;
    if (target?.kind === 'http') return httpPreset(options.profile ?? null);
    const profile = profileOf(options, target);
    return { name: profile, values: PROFILES[profile] };
  },
  async run(context) {
    const { emit, agents, queue } = context.options;
    if (agents !== null && queue !== null)
      return (await import('./loadtest-agents.js')).loadOnAgents(context, agents, queue);
    if (emit !== null) return (await import('./loadtest-emit.js')).emitManifest(context, emit);
    const count = processCount(context);
    if (count > 1) return loadInProcesses(context, count);
    const { module } = context.options;
    const given = context.arguments.target ?? { kind: 'temporary' as const };
    const target = module === null ? given : { kind: 'module' as const, file: module };
    if (isDatabase(target)) return loadDatabase(context, target);
    try {
      if (target.kind === 'module') {
        const { moduleTest } = await import('./loadtest-module.js');
        const test = await moduleTest(context, target.file);
        return await withPublished(context, (opened) => drive(context, { ...test, opened }));
      }
      if (target.kind === 'feed') {
        const { feedLoad } = await import('./loadtest-feed.js');
        return await feedLoad(context, target.url);
      }
      const { httpTest } = await import('./loadtest-http.js');
      const test = await httpTest(context, target.url);
      return await withPublished(context, (opened) => drive(context, { ...test, opened }));
    } catch (error) {
      throw error instanceof WorkloadError && error.code === 'ERR_TARGET_MODULE'
        ? usageErrorOf(error)
        : inOptions(error);
    }
  },
});

function isDatabase(target: Target): target is DatabaseTarget {
  return target.kind !== 'feed' && target.kind !== 'http' && target.kind !== 'module';
}

interface Test extends LoadSubject {
  readonly opened: (pool: object) => void;
}

async function loadDatabase(context: LoadContext, target: DatabaseTarget): Promise<ExitCode> {
  const work = await workOf(context);
  const { engine, pipeline } = context.options;
  if (engine === 'wire' && target.kind === 'postgres' && work.kind === 'scripts')
    refuseScripts(work.scripts, pipeline);
  try {
    return await withSubject(context, target, (subject) =>
      withPublished(context, (opened) => drive(context, { ...databaseTest(context, subject, work), opened })),
    );
  } catch (error) {
    throw error instanceof WorkloadError && error.code !== 'ERR_NO_ANSWER' ? usageErrorOf(error) : error;
  }
}

function databaseTest(
  { options, io, log }: LoadContext,
  { target, profile, pool, remark }: Subject,
  work: SqlWork,
): LoadSubject {
  const wire = wireOptions(options, target);
  const part = segmentIn({ options, io });
  return {
    // The wire engine has a fixed number of connections, which it keeps.
    pool: wire === null ? pool : { ...pool, maxOverflow: 0, recycleMs: null, prePing: false },
    workload(size, unpooled, opened) {
      const common = {
        target: openTargetFor(target, {
          pool: size,
          allowWrites: options.allowWrites,
          folder: io.cwd,
          tempFolder: tmpdir(),
          clock: io.clock,
          ...(part !== null && { segment: part }),
          onRemark: remark,
          onOpen: (database) => {
            opened(database.pool);
            if (options.verbose) logLifeCycle(database.pool, log);
          },
          isRaw: wire !== null,
        }),
        work,
        profile,
        // Nobody's data is in a temporary file.
        allowWrites: options.allowWrites || target.kind === 'temporary',
        clock: io.clock,
      };
      return wire === null ? sqlWorkload({ ...common, unpooled }) : wireWorkload({ ...common, ...wire });
    },
  };
}

/** Settings of the wire engine; null if another one runs the load. */
function wireOptions({ engine, pipeline, batch }: LoadContext['options'], target: ReachableTarget) {
  if (engine !== 'wire' || target.kind !== 'postgres') return null;
  return { pipeline, batch, pooled: target.access.pgbouncer };
}

function drive(context: LoadContext, test: Test): Promise<ExitCode> {
  if (context.options.sweep.length > 0) return sweep(context, test);
  return context.options.baseline === null ? once(context, test) : baseline(context, test);
}

async function once(context: LoadContext, test: Test): Promise<ExitCode> {
  const { options, io, render } = context;
  // Read first: a wrong file should not cost a run.
  const earlier = options.compareWith === null ? null : await readResult(options.compareWith, io.cwd);
  // Loaded before the run, which may use up the file descriptors.
  const report = await rendererOf('loadtest', options.format);
  const segment = await segmentOf(context, optionTable);
  const from = segmentOrigin(context);
  if (segment !== null && from !== null)
    context.warn(`segment ${segment.index} of ${segment.count}, from ${from}`);
  const { parent } = io;
  const gate =
    parent === null
      ? await gateOf(context, warmupMs(context, test.pool))
      : gateOfParent(parent, io.clock, segment?.options ?? {});
  const hdrOutput = options.hdr === null ? null : await openResultOutput(options.hdr, io);
  try {
    const intervals: Interval[] = [];
    const result = await measure(context, test, test.pool, {
      onProgress(state) {
        context.progress.update({ label: LABELS[state.phase], share: state.fraction, note: noteOf(state) });
        if (parent !== null) tellParent(parent, state);
      },
      ...(hdrOutput && { onInterval: (interval) => intervals.push(interval) }),
      ...(segment && { segment }),
      ...(gate && { gate }),
    });
    if (hdrOutput !== null) {
      const { hdrLog } = await import('../src/report/loadtest/hdr.js');
      await hdrOutput.write(hdrLog(result, intervals));
    }
    await context.write(report(result, render));
    return await compareWith(earlier, result, context);
  } finally {
    await hdrOutput?.close();
  }
}

/** The exit code of the run, and of its comparison with an earlier one if there is one. */
async function compareWith(
  earlier: LoadResult | null,
  result: LoadResult,
  { options, render, ...context }: LoadContext,
): Promise<ExitCode> {
  // Only the whole can fail: a scheduler that stops at the first failure would end the other segments too.
  const passed = result.segment !== undefined || hasPassed(result, options) ? ExitCode.Ok : ExitCode.Failed;
  if (earlier === null) return passed;
  // An interrupted run has its own exit code, and says itself that it is partial.
  if (result.partial !== null) return passed;
  refuseIncomparable(earlier, result, options);
  const comparison = compareRuns(earlier, result, { tolerance: options.tolerance });
  const isText = options.format === 'text';
  const color = isText && render.color;
  const compared = await renderReport('compare', 'text', comparison, { ...render, color });
  if (isText) await context.write(`\n${compared}`);
  else for (const line of compared.trimEnd().split('\n')) context.warn(line);
  return comparison.regressions.length > 0 ? ExitCode.Failed : passed;
}

async function sweep(context: LoadContext, test: Test): Promise<ExitCode> {
  const { options } = context;
  const points = pointsOf(context, test.pool);
  const runs = points.length * options.rounds;
  const result = await runSweep({
    points,
    rounds: options.rounds,
    run(point, done) {
      const pool = { ...test.pool, size: point.poolSize, maxOverflow: point.maxOverflow };
      const onProgress = progressOf(context, done, runs, `a pool of ${poolWords(point)}`);
      return measure(context, test, pool, { onProgress });
    },
    stopped: () => context.io.interrupts.stop.aborted,
  });
  return reportRuns(context, result, (format, runs) => renderReport('sweep', format, runs, context.render));
}

async function baseline(context: LoadContext, test: Test): Promise<ExitCode> {
  const { rounds } = context.options;
  const result = await runBaseline({
    rounds,
    run(pooled, done) {
      const onProgress = progressOf(context, done, rounds * 2, `${pooled ? 'with' : 'without'} the pool`);
      return measure(context, test, test.pool, { unpooled: !pooled, onProgress });
    },
    stopped: () => context.io.interrupts.stop.aborted,
  });
  return reportRuns(context, result, (format, runs) =>
    renderReport('baseline', format, runs, context.render),
  );
}

/** How far many runs are, while one of them goes on. */
function progressOf({ progress }: LoadContext, done: number, runs: number, what: string) {
  return ({ phase, fraction }: LoadProgress): void =>
    progress.update({
      label: LABELS[phase],
      share: (done + (phase === 'load' ? (fraction ?? 0) : 0)) / runs,
      note: `run ${done + 1} of ${runs}, ${what}`,
    });
}

/** Writes the report of many runs; null: they were interrupted before the first one ended. */
async function reportRuns<Result>(
  context: LoadContext,
  result: Result | null,
  rendered: (format: Format<'sweep' | 'baseline'>, result: Result) => Promise<string>,
): Promise<ExitCode> {
  const { options, io } = context;
  if (result === null) throw io.interrupts.stop.reason;
  const format = isFormatOf('sweep', options.format) ? options.format : 'text';
  await context.write(await rendered(format, result));
  return ExitCode.Ok;
}

/** Every size with every overflow. Without a word on overflow it is none, or all sizes would differ little. */
function pointsOf({ options, origins }: LoadContext, pool: PoolSize): PoolPoint[] {
  const values = (key: 'poolSize' | 'maxOverflow', other: number) => {
    const given = [...new Set(options.sweep.flatMap((each) => each[key]))];
    return given.length > 0 ? given : [other];
  };
  const overflow = origins.maxOverflow.kind === 'flag' ? options.maxOverflow : 0;
  const overflows = values('maxOverflow', overflow);
  return values('poolSize', pool.size).flatMap((poolSize) =>
    overflows.map((maxOverflow) => ({ poolSize, maxOverflow })),
  );
}

/** One load test on a pool of that size. */
function measure(
  context: LoadContext,
  { workload, opened, run = runLoadTest }: Test,
  pool: PoolSize,
  {
    unpooled = false,
    ...listeners
  }: Pick<LoadTestOptions, 'onProgress' | 'onInterval' | 'segment' | 'gate'> & {
    readonly unpooled?: boolean;
  },
): Promise<LoadResult> {
  const { options } = context;
  const model = modelOf(context);
  const part = segmentIn(context);
  const waits = tellWaits(context);
  return run({
    workload: workload(pool, unpooled, opened),
    model,
    ...limitsOf(options, model),
    warmup: warmupOf(options.warmup, part === null ? model : partOf(model, part), pool),
    seed: options.seed,
    thresholds: options.threshold.flatMap((one) => (one.kind === 'load' ? [one.threshold] : [])),
    drainTimeoutMs: options.drainTimeout,
    iterationTimeoutMs: options.iterationTimeout,
    ...surroundingsOf(context),
    ...listeners,
    onProgress(state) {
      waits.see(state);
      listeners.onProgress?.(state);
    },
  }).finally(waits.end);
}

async function workOf({ options, io }: LoadContext): Promise<SqlWork> {
  const work = await readWork({
    queryType: options.queryType,
    sql: options.sql,
    sqlFiles: options.sqlFile,
    params: options.params,
    paramsFile: options.paramsFile,
    defined: new Map(options.define),
    folder: io.cwd,
  });
  if ('problems' in work) throw new UsageError(work.problems);
  return work;
}

const LABELS: Readonly<Record<LoadProgress['phase'], string>> = {
  'warm-up': 'warming up',
  load: 'loading',
  drain: 'draining',
};

function noteOf({ ended, failed, waiting }: LoadProgress): string {
  const failures = failed === 0 ? '' : `${formatCount(failed)} failed, `;
  return `${formatCount(ended)} done, ${failures}${formatCount(waiting)} waiting`;
}

/** A wrong statement is a usage error: nothing was run. */
function usageErrorOf({ message, hint }: WorkloadError): UsageError {
  return new UsageError([{ message, hint }]);
}
