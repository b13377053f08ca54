import { onAbort } from '../../base/abort.js';
import { type Clock, systemClock } from '../../base/clock.js';
import type { QueryOptions } from '../../db/connection.js';
import type { Database, Session } from '../../db/database.js';
import type { Probe, Workload, WorkloadContext, WorkloadRun } from '../api.js';
import { poolInfo } from '../pool-figures.js';
import type { Bindings } from './bindings.js';
import { openTransaction } from './errors.js';
import { iterationWork } from './iteration-work.js';
import { type Prepared, prepare } from './prepare.js';
import { type Script, statementsOf } from './script.js';
import type { OpenTarget, SqlWorkloadOptions } from './sql-target.js';

/** Iterations that borrow a session, run one script on it, and give it back. */
export function sqlWorkload(options: SqlWorkloadOptions): Workload {
  const { work } = options;
  return {
    name: work.kind === 'built-in' ? work.type : 'sql',
    async open(context) {
      let target: OpenTarget | null = null;
      try {
        target = await options.target.open(context);
        const prepared = await prepare(target, options, context.stop);
        return startRun(target, prepared, options, context);
      } catch (error) {
        await target?.close({ atOnce: true });
        throw openError(error);
      }
    },
  };
}

function startRun(
  { database, title, inProcess, server, close }: OpenTarget,
  prepared: Prepared,
  { work, clock = systemClock, profile = null, unpooled = false }: SqlWorkloadOptions,
  context: WorkloadContext,
): WorkloadRun {
  const { scripts, work: words, sqlOf } = prepared;
  const workOf = iterationWork(prepared, context.random);
  const sleeps = sleeper(clock);
  const borrow = unpooled ? connectionPerIteration(database, context.signal) : sessionPerIteration(database);
  const run = async (
    script: Script,
    session: Queries,
    bound: Bindings,
    options: QueryOptions | undefined,
  ): Promise<void> => {
    for (const step of script.steps) {
      if (step.kind === 'statement') {
        await session.query(sqlOf(step.statement), bound.valuesOf(step.statement), options);
      } else if (step.kind === 'set') bound.variables.set(step.variable, step.to.evaluate(bound));
      else await sleeps.sleep(step.ms);
    }
  };
  return {
    description: {
      target: title,
      work: words,
      simple: work.kind === 'built-in' && work.type === 'simple',
      inProcess,
      statements: scripts.flatMap(statementsOf).map(({ text }) => text),
    },
    pool: poolInfo(database.pool.settings, profile),
    async iterate(seq, probe, signal) {
      const { script, bound } = workOf(seq);
      const options = signal && { signal };
      await borrow(probe, (session) => run(script, session, bound, options), options);
    },
    begin: () => database.pool.resetPeaks(),
    snapshot: () => database.pool.snapshot(),
    ...(server === undefined ? {} : { server }),
    async close() {
      sleeps.end();
      await close({ atOnce: context.signal.aborted });
    },
  };
}

type Queries = Pick<Session, 'query'>;
type Borrow = (
  probe: Probe,
  use: (queries: Queries) => Promise<void>,
  options: QueryOptions | undefined,
) => Promise<void>;

function sessionPerIteration(database: Database): Borrow {
  return async (probe, use, options) => {
    const session = await database.getDb(options);
    probe.acquired();
    try {
      await use(session);
      if (session.inTransaction) throw openTransaction();
    } finally {
      await session.close();
    }
  };
}

/**
 * The work of an application without a pool. Where a connection is a thread of ours (SQLite), the thread is still
 * borrowed, and only the database is opened anew on it: to start a thread is nothing that such an application does.
 */
function connectionPerIteration({ pool, dialect }: Database, ended: AbortSignal): Borrow {
  if (dialect === 'sqlite') {
    return (probe, use, options) =>
      pool.use(async (connection) => {
        await connection.reopen?.();
        probe.acquired();
        await use(connection);
      }, options);
  }
  const { driver } = pool.settings;
  return async (probe, use, { signal } = {}) => {
    const until = signal === undefined ? ended : AbortSignal.any([signal, ended]);
    const connection = await driver.create(until, { slotId: 0, info: {} });
    // No pool knows this connection, so nothing else would close it under a query that does not return.
    const stopWatching = onAbort(until, () => void driver.destroy(connection, 'unwanted'));
    try {
      probe.acquired();
      await use(connection);
    } finally {
      stopWatching();
      if (!until.aborted) await driver.destroy(connection, 'unwanted');
    }
  };
}

/** Pauses that can be cut short, so that a run can end while it sleeps. */
function sleeper(clock: Clock): { sleep(ms: number): Promise<void>; end(): void } {
  const wakes = new Set<() => void>();
  let ended = false;
  return {
    sleep: (ms) =>
      new Promise((resolve) => {
        if (ended) return resolve();
        const wake = () => {
          timer.cancel();
          wakes.delete(wake);
          resolve();
        };
        const timer = clock.setTimer(wake, ms);
        wakes.add(wake);
      }),
    end() {
      ended = true;
      for (const wake of wakes) wake();
    },
  };
}

/** A failed open is reported by the database's error, which says why and what to do. */
export function openError(error: unknown): unknown {
  const isCreate = error instanceof Error && 'code' in error && error.code === 'ERR_POOL_CREATE';
  return isCreate && error.cause instanceof Error && 'hint' in error.cause ? error.cause : error;
}
