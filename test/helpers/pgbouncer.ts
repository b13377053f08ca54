import { spawnSync } from 'node:child_process';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from 'vitest';
import { freePort, serverUser, startGuarded } from './guarded.js';
import { postgres } from './postgres.js';

export interface PgBouncer {
  readonly port: number;
  stop(): Promise<void>;
}

/** As in `pgbouncer --version`; null where it is not installed. */
export const pgbouncerVersion = findVersion();

/** What needs PgBouncer and a server behind it. */
export const describeWithPgBouncer = describe.skipIf(pgbouncerVersion === null || postgres === null);

/** Starts a PgBouncer before the server of this run, for every database of it, with settings beside the usual ones. */
export async function startPgBouncer(
  settings: Readonly<Record<string, string | number>> = {},
): Promise<PgBouncer> {
  if (postgres === null) throw new Error('there is no PostgreSQL in this run');
  const user = serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-bouncer-'));
  const port = await freePort();
  const file = join(folder, 'pgbouncer.ini');
  await writeFile(
    file,
    ini({
      databases: { '*': `host=127.0.0.1 port=${postgres.port}` },
      pgbouncer: {
        listen_addr: '127.0.0.1',
        listen_port: port,
        unix_socket_dir: '',
        auth_type: 'scram-sha-256',
        auth_file: join(folder, 'userlist.txt'),
        admin_users: postgres.user,
        pool_mode: 'transaction',
        default_pool_size: 20,
        ...settings,
      },
    }),
  );
  await writeFile(
    join(folder, 'userlist.txt'),
    `"${postgres.user}" "${postgres.password.replaceAll('"', '""')}"\n`,
  );
  for (const path of [folder, file, join(folder, 'userlist.txt')]) {
    await chmod(path, 0o700);
    if (user.uid !== undefined && user.gid !== undefined) await chown(path, user.uid, user.gid);
  }
  const server = await startGuarded(['pgbouncer', file], {
    user,
    folder,
    stopSignal: 'INT',
    ready: /process up/,
  });
  return {
    port,
    async stop() {
      await server.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function ini(sections: Readonly<Record<string, Readonly<Record<string, string | number>>>>): string {
  return Object.entries(sections)
    .flatMap(([name, values]) => [
      `[${name}]`,
      ...Object.entries(values).map(([key, value]) => `${key} = ${value}`),
    ])
    .join('\n');
}

function findVersion(): string | null {
  const { stdout } = spawnSync('pgbouncer', ['--version'], { encoding: 'utf8' });
  const version = /PgBouncer (\S+)/i.exec(stdout ?? '')?.[1] ?? null;
  if (version !== null) return version;
  if (process.env.POOLCTL_REQUIRE_SERVICES === '1') throw new Error('pgbouncer is not installed');
  process.stderr.write('not tested: everything through PgBouncer, which is not installed\n');
  return null;
}
