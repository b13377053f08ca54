import type { TestProject } from 'vitest/node';
import { type PostgresAddress, startPostgres } from './postgres-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of this run; null where there is none, and its tests are skipped. */
    postgres: PostgresAddress | null;
  }
}

/** One PostgreSQL for all test files of a run. It ends with the run, also with one that is killed. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  try {
    const { port, socket, user, password, remove } = await startPostgres();
    project.provide('postgres', { port, socket, user, password });
    return remove;
  } catch (error) {
    if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw error;
    const [reason] = String(error).split('\n');
    process.stderr.write(`not tested: everything on a PostgreSQL server, which did not start (${reason})\n`);
    project.provide('postgres', null);
    return undefined;
  }
}
