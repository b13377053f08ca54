import { chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { type Guarded, serverUser, startGuarded } from '../helpers/guarded.js';
import { type TestIo, type TestIoOptions, testIo } from '../helpers/io.js';

/** Runs `poolctl pgbouncer ...argv` in this process. */
export async function pgbouncer(
  argv: readonly string[],
  options: TestIoOptions = {},
  change?: (io: TestIo) => TestIo,
) {
  const made = testIo(options);
  const io = change?.(made) ?? made;
  const code = await runMain({ commands, version: () => '1' }, ['pgbouncer', ...argv], io);
  return { code, out: made.out(), err: made.err() };
}

export async function newFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'poolctl-init-'));
}

/** Starts the installed PgBouncer on the files in a folder, which become those of its user; removes them at the end. */
export async function startOn(folder: string): Promise<Guarded> {
  const user = serverUser();
  if (user.uid !== undefined && user.gid !== undefined) {
    for (const name of ['.', ...(await readdir(folder))]) await chown(join(folder, name), user.uid, user.gid);
  }
  const server = await startGuarded(['pgbouncer', join(folder, 'pgbouncer.ini')], {
    ...{ user, folder, stopSignal: 'INT', ready: /process up/ },
  });
  return {
    ...server,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Logs in with `pg`, asks one thing, and goes. */
export async function askAs(
  port: number,
  { user, password, database }: { user: string; password: string; database: string },
  sql = 'select current_user as who',
): Promise<readonly Record<string, unknown>[]> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database });
  client.on('error', () => {});
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}
