import { execFile, spawnSync } from 'node:child_process';
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './bin.js';
import { freePort, type Guarded, serverUser, startGuarded } from './guarded.js';

/** How to reach a server; plain data, since it crosses into the processes that run the tests. */
export interface MysqlAddress {
  readonly port: number;
  /** The path of its Unix socket. */
  readonly socket: string;
  readonly user: string;
  readonly password: string;
}

/** A MariaDB of this run's own, in a temporary folder. It takes TLS, with the certificate in fixtures/tls. */
export interface MysqlServer extends MysqlAddress {
  /** Ends it, and removes its folder. */
  remove(): Promise<void>;
  /** Ends it, and keeps its data and port. */
  stop(): Promise<void>;
  start(): Promise<void>;
  pid(): Promise<number>;
}

const SETTINGS = [
  '--bind-address=127.0.0.1',
  '--max-connections=60',
  '--character-set-server=utf8mb4',
  '--skip-name-resolve',
  // Nothing of it has to survive a crash of the machine.
  ...['--innodb-flush-log-at-trx-commit=0', '--innodb-flush-method=nosync', '--skip-innodb-doublewrite'],
  ...['--innodb-buffer-pool-size=16M', '--innodb-log-file-size=8M', '--sync-binlog=0', '--skip-log-bin'],
  ...['--key-buffer-size=1M', '--aria-pagecache-buffer-size=8M', '--performance-schema=OFF'],
];

/** As in `mariadbd --version`; null where it is not installed. */
export function findMariaDb(): string | null {
  const { stdout } = spawnSync('mariadbd', ['--version'], { encoding: 'utf8', env: PATHS });
  return /Ver (\S+)/.exec(stdout ?? '')?.[1] ?? null;
}

/** Debian puts servers where only root's path leads. */
const PATHS = { PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin:/sbin`, LC_ALL: 'C' };

/** Starts Debian's MariaDB. Throws where there is none. Settings are flags. */
export async function startMariaDb(settings: readonly string[] = []): Promise<MysqlServer> {
  if (findMariaDb() === null) throw new Error('mariadbd is not installed');
  const user = serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-my-'));
  const data = join(folder, 'data');
  const address = {
    port: await freePort(),
    socket: join(folder, 's'),
    user: 'root',
    password: "p:w/d @?#%'",
  };
  const run = (program: string, args: readonly string[]) =>
    promisify(execFile)(program, [...args], {
      ...user,
      cwd: '/',
      env: { ...PATHS, HOME: folder, TMPDIR: folder },
    });
  let server: Guarded | null = null;
  const stop = async (): Promise<void> => {
    await server?.stop();
    server = null;
  };
  const remove = async (): Promise<void> => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  };
  const pidFile = join(folder, 'pid');
  try {
    await mkdir(data);
    for (const name of ['server.crt', 'server.key']) {
      await copyFile(join(root, 'fixtures/tls', name), join(folder, name));
      await chmod(join(folder, name), 0o600);
    }
    for (const path of [folder, data, join(folder, 'server.crt'), join(folder, 'server.key')]) {
      if (user.uid !== undefined && user.gid !== undefined) await chown(path, user.uid, user.gid);
    }
    await run('mariadb-install-db', [
      ...['--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db'],
      ...['--skip-log-bin', '--innodb-flush-log-at-trx-commit=0', '--innodb-log-file-size=8M'],
    ]);
    const start = async (): Promise<void> => {
      const flags = [
        ...['--no-defaults', `--datadir=${data}`, `--port=${address.port}`, `--socket=${address.socket}`],
        // In a folder that they share, servers remove each other's temporary tables when they start.
        ...[
          `--tmpdir=${folder}`,
          `--pid-file=${pidFile}`,
          `--ssl-cert=${folder}/server.crt`,
          `--ssl-key=${folder}/server.key`,
        ],
        ...SETTINGS,
        ...settings,
      ];
      server = await startGuarded(['/usr/sbin/mariadbd', ...flags], {
        user,
        folder,
        stopSignal: 'TERM',
        ready: /ready for connections/,
      });
    };
    await start();
    const quoted = `'${address.password.replaceAll("'", "''")}'`;
    const accounts = ['root@localhost', "root@'127.0.0.1'", "root@'::1'"];
    await run('mariadb', [
      ...['--no-defaults', '-u', 'root', '-S', address.socket, '-e'],
      accounts.map((one) => `ALTER USER IF EXISTS ${one} IDENTIFIED BY ${quoted};`).join(' '),
    ]);
    const pid = async () => Number((await readFile(pidFile, 'utf8')).trim());
    return { ...address, start, stop, remove, pid };
  } catch (error) {
    await remove();
    throw error;
  }
}
