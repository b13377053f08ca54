import type { Database, Session } from '../../db/database.js';
import type { AcquireOptions } from '../../pool/options.js';
import type { QueuePool } from '../../pool/queue-pool.js';
import type { Workload } from '../api.js';
import { poolInfo } from '../pool-figures.js';
import type { WorkloadDescription } from '../result.js';

/** How the report calls what is tested. */
export interface WorkloadWords extends Partial<Pick<WorkloadDescription, 'target' | 'work' | 'simple'>> {
  /** Default 'own'. */
  readonly name?: string;
}

/**
 * Iterations that borrow a session of a database, work with it, and close it. The database is the caller's, and stays
 * open. An iteration fails if its work rejects.
 */
export function sessionWorkload(
  database: Database,
  work: (session: Session, seq: number, signal?: AbortSignal) => Promise<unknown>,
  words: WorkloadWords = {},
): Workload {
  const { pool, dialect } = database;
  return own(pool, (use, options) => database.withSession(use, options), work, {
    inProcess: dialect === 'sqlite',
    ...words,
  });
}

/** The same with a pool of anything: iterations acquire a resource and release it. */
export function poolWorkload<R>(
  pool: QueuePool<R>,
  work: (resource: R, seq: number, signal?: AbortSignal) => Promise<unknown>,
  words: WorkloadWords = {},
): Workload {
  return own(pool, (use, options) => pool.use(use, options), work, words);
}

function own<T>(
  pool: Pick<QueuePool<unknown>, 'name' | 'settings' | 'snapshot' | 'resetPeaks'>,
  lend: (use: (borrowed: T) => Promise<void>, options: AcquireOptions | undefined) => Promise<void>,
  work: (borrowed: T, seq: number, signal?: AbortSignal) => Promise<unknown>,
  words: WorkloadWords & { readonly inProcess?: boolean },
): Workload {
  const { name = 'own', target = pool.name, work: what = 'work of your own' } = words;
  const { simple = false, inProcess = false } = words;
  return {
    name,
    open: async () => ({
      description: { target, work: what, simple, inProcess, statements: [] },
      pool: poolInfo(pool.settings),
      iterate: (seq, probe, signal) =>
        lend(async (borrowed) => {
          probe.acquired();
          await work(borrowed, seq, signal);
        }, signal && { signal }),
      begin: () => pool.resetPeaks(),
      snapshot: () => pool.snapshot(),
      async close() {},
    }),
  };
}
