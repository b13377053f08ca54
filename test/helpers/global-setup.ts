import type { TestProject } from 'vitest/node';
import { type MysqlAddress, startMariaDb } from './mysql-server.js';
import { type PostgresAddress, startPostgres } from './postgres-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The PostgreSQL of this run; null where there is none, and its tests are skipped. */
    postgres: PostgresAddress | null;
    /** The MariaDB of this run, likewise. */
    mariadb: MysqlAddress | null;
  }
}

/** One server of each kind for all test files of a run. They end with the run, also with one that is killed. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [postgres, mariadb] = await Promise.all([
    orNull('a PostgreSQL server', startPostgres()),
    orNull('a MariaDB server', startMariaDb()),
  ]);
  project.provide('postgres', postgres && addressOf(postgres));
  project.provide('mariadb', mariadb && addressOf(mariadb));
  return async () => void (await Promise.all([postgres?.remove(), mariadb?.remove()]));
}

async function orNull<T>(what: string, started: Promise<T>): Promise<T | null> {
  try {
    return await started;
  } catch (error) {
    if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw error;
    const [reason] = String(error).split('\n');
    process.stderr.write(`not tested: everything on ${what}, which did not start (${reason})\n`);
    return null;
  }
}

/** Functions do not cross into the processes that run the tests. */
function addressOf({ port, socket, user, password }: PostgresAddress): PostgresAddress {
  return { port, socket, user, password };
}
