import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import type { DatabaseOptions } from '../../src/db/connection.js';
import { createDatabase } from '../../src/db/database.js';
import {
  type DatabaseUnderTest,
  describeDatabase,
  type TestDatabase,
} from '../helpers/database-conformance.js';
import { engineOption } from '../helpers/sqlite-engine.js';

const sqlite: Omit<DatabaseUnderTest, 'title' | 'prepare' | 'can'> = {
  placeholder: () => '?',
  codes: {
    syntax: 'SQLITE_ERROR',
    notNull: 'SQLITE_CONSTRAINT_NOTNULL',
    parameterMissing: 'ERR_DB_PARAM',
  },
  positions: false,
  types: { key: 'integer primary key', text: 'text', real: 'real', bytes: 'blob', bigint: 'integer' },
  slow: 'with recursive c(n) as (select 1 union all select n + 1 from c where n < 2000000) select count(*) from c',
};

describeDatabase({
  ...sqlite,
  title: 'SQLite, a file, each connection on its own thread',
  can: { share: true, runInParallel: true, beKilled: true, beAway: true },
  prepare: () => prepareFile({ mode: 'worker' }),
});

describeDatabase({
  ...sqlite,
  title: 'SQLite, a file, in the calling thread',
  can: { share: true, runInParallel: false, beKilled: false, beAway: true },
  prepare: () => prepareFile({ mode: 'inline' }),
});

describeDatabase({
  ...sqlite,
  title: 'SQLite, in memory, on a thread',
  can: { share: false, runInParallel: false, beKilled: false, beAway: false },
  prepare: async () => prepareMemory({ mode: 'worker' }),
});

describeDatabase({
  ...sqlite,
  title: 'SQLite, in memory, in the calling thread',
  can: { share: false, runInParallel: false, beKilled: false, beAway: false },
  prepare: async () => prepareMemory({ mode: 'inline' }),
});

async function prepareFile(options: DatabaseOptions): Promise<TestDatabase> {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-db-'));
  const file = join(folder, 'test.db');
  // An empty file is an empty database. It must be there, so that to remove it takes the database away.
  await writeFile(file, '');
  const threads = watchThreads();
  return {
    open: (more) =>
      createDatabase(`sqlite:${file}`, { mustExist: true, ...engineOption(), ...options, ...more }),
    kill: threads.killOldest,
    allClosed: threads.allEnded,
    outage: {
      begin: () => rm(file, { force: true }),
      end: () => writeFile(file, ''),
    },
    async remove() {
      threads.stop();
      await rm(folder, { recursive: true });
    },
  };
}

function prepareMemory(options: DatabaseOptions): TestDatabase {
  const threads = watchThreads();
  return {
    open(more = {}) {
      // One connection is all there is, whatever size a test would like.
      const { size: _size, maxOverflow: _overflow, ...rest } = more;
      return createDatabase('sqlite::memory:', { ...engineOption(), ...options, ...rest });
    },
    kill: threads.killOldest,
    allClosed: threads.allEnded,
    outage: { begin: impossible, end: impossible },
    remove: async () => threads.stop(),
  };
}

interface Threads {
  killOldest(): Promise<void>;
  allEnded(): Promise<void>;
  stop(): void;
}

/** Node tells of every thread that is started: so a test can end one without the driver's doing. */
function watchThreads(): Threads {
  const alive = new Set<Worker>();
  const started = (worker: Worker): void => {
    alive.add(worker);
    worker.on('exit', () => void alive.delete(worker));
  };
  process.on('worker', started);
  return {
    async killOldest() {
      const [oldest] = alive;
      await oldest?.terminate();
    },
    async allEnded() {
      await Promise.all([...alive].map((worker) => once(worker, 'exit')));
    },
    stop: () => void process.off('worker', started),
  };
}

function impossible(): never {
  throw new Error('a database in memory cannot be taken away');
}
