import { type Clock, systemClock } from '../../base/clock.js';
import type { Workload, WorkloadContext, WorkloadRun } from '../api.js';
import { poolInfo } from '../pool-figures.js';
import { iterationWork } from '../workloads/iteration-work.js';
import { type Prepared, prepare } from '../workloads/prepare.js';
import { statementsOf } from '../workloads/script.js';
import { openError } from '../workloads/sql.js';
import type { OpenTarget, SqlWorkloadOptions } from '../workloads/sql-target.js';
import { WireEngine } from './engine.js';
import type { LinkOptions } from './link.js';
import { refusePooler } from './pooler.js';
import { type WireScripts, wireScripts } from './script.js';

export interface WireWorkloadOptions extends Omit<SqlWorkloadOptions, 'unpooled'>, LinkOptions {
  /** A pooler may be in between: it must keep prepared statements. */
  readonly pooled: boolean;
}

/**
 * The iterations of the SQL workload, sent as PostgreSQL's own messages, as pgbench does: prepared statements, values and
 * results as text, without Describe. Rows are counted and not decoded, so this shows what the server and the network can
 * do. The target must open raw connections to PostgreSQL.
 */
export function wireWorkload(options: WireWorkloadOptions): Workload {
  const { work, pipeline, pooled } = options;
  return {
    name: work.kind === 'built-in' ? work.type : 'sql',
    async open(context) {
      let target: OpenTarget | null = null;
      try {
        target = await options.target.open(context);
        const prepared = await prepare(target, options, context.stop);
        const scripts = wireScripts(prepared, pipeline);
        if (pooled) await refusePooler(target, context.stop);
        return await startRun(target, prepared, scripts, options, context);
      } catch (error) {
        await target?.close({ atOnce: true });
        throw openError(error);
      }
    },
  };
}

async function startRun(
  { database, title, inProcess, server, close }: OpenTarget,
  prepared: Prepared,
  scripts: WireScripts,
  options: WireWorkloadOptions,
  context: WorkloadContext,
): Promise<WorkloadRun> {
  const { work, profile = null, pipeline, batch } = options;
  const clock: Clock = options.clock ?? systemClock;
  const workOf = iterationWork(prepared, context.random);
  const engine = new WireEngine(database, {
    ...{ pipeline, batch, clock, scripts },
    connections: database.pool.settings.size,
    timeoutMs: database.pool.settings.timeoutMs,
    workOf(seq) {
      const { script, bound } = workOf(seq);
      return { steps: scripts.stepsOf(script), bindings: bound };
    },
  });
  try {
    await engine.open(context.stop);
  } catch (error) {
    engine.close();
    throw error;
  }
  return {
    description: {
      target: title,
      work: prepared.work,
      simple: work.kind === 'built-in' && work.type === 'simple',
      inProcess,
      statements: prepared.scripts.flatMap(statementsOf).map(({ text }) => text),
    },
    pool: poolInfo(database.pool.settings, profile),
    iterate: () => Promise.reject(new Error('the wire engine starts iterations without promises')),
    start: (iteration) => engine.begin(iteration),
    begin: () => engine.resetCounts(),
    snapshot: () => engine.snapshot(),
    wire: () => engine.figures(),
    ...(server === undefined ? {} : { server }),
    async close() {
      engine.close();
      await close({ atOnce: context.signal.aborted });
    },
  };
}
