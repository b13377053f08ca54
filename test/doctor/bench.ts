import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { expect } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { CheckResult, DoctorResult, FixStep, Status } from '../../src/doctor/types.js';
import { eventually } from '../helpers/eventually.js';
import { freePort, type Guarded, serverUser, startGuarded } from '../helpers/guarded.js';
import { type TestIo, type TestIoOptions, testIo } from '../helpers/io.js';
import type { PostgresAddress, PostgresServer } from '../helpers/postgres-server.js';
import { TOKEN_ENV } from '../helpers/token.js';

/** Runs `poolctl doctor ...argv` in this process. */
export async function doctor(
  argv: readonly string[],
  options: TestIoOptions = {},
  change?: (io: TestIo) => TestIo,
): Promise<{ code: number; out: string; err: string }> {
  const made = testIo({ ...options, env: { ...TOKEN_ENV, ...options.env } });
  const code = await runMain({ commands, version: () => '1' }, ['doctor', ...argv], change?.(made) ?? made);
  return { code, out: made.out(), err: made.err() };
}

/** The same, with what it found. */
export async function examine(
  argv: readonly string[],
  options: TestIoOptions = {},
): Promise<DoctorResult & { readonly code: number }> {
  const { code, out, err } = await doctor([...argv, '--format=json'], options);
  if (out === '') throw new Error(`the doctor says nothing (${code}): ${err}`);
  return { ...(JSON.parse(out) as DoctorResult), code };
}

/** Where the steps of a repair are taken. */
export interface Patient {
  readonly targets: readonly string[];
  /** Flags beside the targets. */
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** That of the run cannot be restarted. */
  readonly server?: PostgresAddress & Partial<Pick<PostgresServer, 'stop' | 'start'>>;
  readonly pooler?: Pooler;
  /** Asks a MySQL server as its administrator. */
  readonly mysql?: (sql: string) => Promise<readonly Record<string, unknown>[]>;
  /** What a person does where a step says it in prose, with what the step before gave. */
  byHand?(text: string, rows: readonly Record<string, unknown>[]): Promise<void>;
}

/**
 * One check, both ways: it must not pass, and with its repair applied as printed it must. Gives what it found first, and
 * then.
 */
export async function provesBothWays(
  check: string,
  status: Exclude<Status, 'pass' | 'skipped'>,
  patient: Patient,
): Promise<readonly [before: CheckResult, after: CheckResult]> {
  const argv = [...patient.targets, ...(patient.flags ?? []), `--only=${check}`];
  const env = { ...patient.env };
  const before = await examine(argv, { env });
  const found = before.results.find((one) => one.status === status);
  if (found === undefined || found.fix === null)
    throw new Error(`${check} is not '${status}': ${JSON.stringify(before.results, null, 1)}`);
  expect(before.code).toBe(status === 'fail' ? 1 : 0);
  await applySteps(found.fix.steps, patient, env);
  // What is reloaded is in force a moment later.
  let now: CheckResult | undefined;
  await eventually(async () => {
    const { results } = await examine(argv, { env });
    now = results.find(({ subjects }) => subjects.join() === found.subjects.join());
    return now?.status === 'pass';
  }).catch((cause: unknown) => {
    throw new Error(`${check} does not pass once repaired: ${JSON.stringify(now, null, 1)}`, { cause });
  });
  if (now === undefined) throw new Error('it has passed');
  return [found, now];
}

export async function applySteps(
  steps: readonly FixStep[],
  { server, pooler, mysql, byHand }: Patient,
  env: Record<string, string> = {},
): Promise<void> {
  expect(steps.length).toBeGreaterThan(0);
  let rows: readonly Record<string, unknown>[] = [];
  for (const { kind, at, text } of steps) {
    switch (kind) {
      case 'sql': {
        if (mysql !== undefined) {
          rows = await mysql(text);
          break;
        }
        if (server === undefined) throw new Error('there is no server to repair');
        const database = /\/([^/]*)$/.exec(at ?? '')?.[1] ?? 'postgres';
        rows = await sql(server, text, database || 'postgres');
        break;
      }
      case 'restart':
        await server?.stop?.();
        await server?.start?.();
        break;
      case 'ini':
        await pooler?.setLine(text);
        break;
      case 'console':
        await pooler?.tell(text);
        break;
      case 'env': {
        const [, name = '', value = ''] = /^(\w+)=(.*)$/s.exec(text) ?? [];
        env[name] = value;
        break;
      }
      case 'code':
        // Without it, the test's clients only behave from then on.
        await byHand?.(text, rows);
        break;
    }
  }
}

/** Asks as the superuser. What was reloaded is waited for. */
export async function sql(
  server: PostgresAddress,
  text: string,
  database = 'postgres',
): Promise<readonly Record<string, unknown>[]> {
  return withClient(server, async (client) => (await client.query<Record<string, unknown>>(text)).rows, {
    database,
  });
}

export interface Login {
  readonly database?: string;
  readonly user?: string;
  readonly password?: string;
}

export async function connected(
  { port, user, password }: Pick<PostgresAddress, 'port' | 'user' | 'password'>,
  login: Login = {},
): Promise<pg.Client> {
  const client = new pg.Client({ host: '127.0.0.1', port, user, password, database: 'postgres', ...login });
  client.on('error', () => {});
  await client.connect();
  return client;
}

export async function withClient<T>(
  server: Pick<PostgresAddress, 'port' | 'user' | 'password'>,
  work: (client: pg.Client) => Promise<T>,
  login: Login = {},
): Promise<T> {
  const client = await connected(server, login);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** The URL of its superuser, or of another. */
export function urlOf(
  { port, user, password }: Pick<PostgresAddress, 'port' | 'user' | 'password'>,
  login: Login = {},
): string {
  const [who, secret] = [login.user ?? user, login.password ?? password].map(encodeURIComponent);
  return `postgres://${who}:${secret}@127.0.0.1:${port}/${encodeURIComponent(login.database ?? 'postgres')}`;
}

/** A setting of the whole server, as the server has it once it has read its files again. */
export async function setSystem(server: PostgresAddress, name: string, value: string): Promise<void> {
  await withClient(server, async (client) => {
    await client.query(`ALTER SYSTEM SET ${name} = '${value}'`);
    await client.query('SELECT pg_reload_conf()');
  });
  await eventually(async () => {
    const [row] = await sql(
      server,
      `SELECT count(*)::int AS n FROM pg_file_settings f JOIN pg_settings s USING (name)
       WHERE f.name = '${name}' AND f.sourcefile LIKE '%auto.conf' AND (s.source = 'configuration file' OR f.error IS NOT NULL)`,
    );
    return row?.n !== 0;
  });
}

/** A PgBouncer of a test's own, whose file can be changed. */
export interface Pooler {
  readonly port: number;
  /** Of its administrator, or of a user of its. */
  url(user?: string, password?: string): string;
  /** Puts `key = value` in the place of the line with that key. */
  setLine(line: string): Promise<void>;
  /** Puts settings in the place of those that were there, and reads them. */
  configure(settings: Settings): Promise<void>;
  /** Puts a line of userlist.txt in the place of that of the same user. */
  setUser(line: string): Promise<void>;
  /** Sends a command to the console, and waits until it is answered. */
  tell(command: string): Promise<readonly Record<string, unknown>[]>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

export type Settings = Readonly<Record<string, string | number>>;

export interface PoolerOptions {
  readonly settings?: Settings;
  readonly databases?: Settings;
  /** Users beside the superuser of the server, with their passwords. */
  readonly users?: Readonly<Record<string, string>>;
  /** What the shell is told first: `ulimit -n 500`. */
  readonly before?: string;
}

export async function startPooler(server: PostgresAddress, options: PoolerOptions = {}): Promise<Pooler> {
  const { databases = { '*': `host=127.0.0.1 port=${server.port}` }, users = {}, before = ':' } = options;
  const user = serverUser();
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-doctor-'));
  const [port, file] = [await freePort(), join(folder, 'pgbouncer.ini')];
  const fixed: Settings = {
    listen_addr: '127.0.0.1',
    listen_port: port,
    unix_socket_dir: '',
    auth_type: 'scram-sha-256',
    auth_file: join(folder, 'userlist.txt'),
    admin_users: server.user,
    pidfile: join(folder, 'pid'),
    pool_mode: 'transaction',
  };
  let settings: Settings = { ...fixed, ...options.settings };
  const write = async (): Promise<void> => {
    await writeFile(file, ini({ databases, pgbouncer: settings }));
  };
  const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;
  await write();
  const lines = new Map(
    Object.entries({ [server.user]: server.password, ...users }).map(([name, password]) => [
      quoted(name),
      `${quoted(name)} ${quoted(password)}\n`,
    ]),
  );
  const writeUsers = () => writeFile(join(folder, 'userlist.txt'), [...lines.values()].join(''));
  await writeUsers();
  for (const path of [folder, file, join(folder, 'userlist.txt')]) {
    await chmod(path, 0o700);
    if (user.uid !== undefined && user.gid !== undefined) await chown(path, user.uid, user.gid);
  }
  const process: Guarded = await startGuarded(['sh', '-c', `${before}; exec pgbouncer ${file}`], {
    ...{ user, folder, stopSignal: 'INT', ready: /process up/ },
  });
  const login = { port, user: server.user, password: server.password };
  const tell: Pooler['tell'] = (command) =>
    withClient(login, async (client) => (await client.query<Record<string, unknown>>(command)).rows, {
      database: 'pgbouncer',
    });
  return {
    port,
    tell,
    url: (who = server.user, password = server.password) =>
      `pgbouncer://${encodeURIComponent(who)}:${encodeURIComponent(password)}@127.0.0.1:${port}/`,
    async setLine(line) {
      const [, key = '', value = ''] = /^(\w+) = ?(.*)$/.exec(line) ?? [];
      settings = { ...settings, [key]: value };
      await write();
    },
    async setUser(line) {
      lines.set(/^"(?:[^"]|"")*"/.exec(line)?.[0] ?? '', `${line}\n`);
      await writeUsers();
    },
    async configure(wanted) {
      settings = { ...fixed, ...options.settings, ...wanted };
      await write();
      await tell('RELOAD');
    },
    kill: () => process.stop(),
    async stop() {
      await process.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function ini(sections: Readonly<Record<string, Settings>>): string {
  return Object.entries(sections)
    .flatMap(([name, values]) => [
      `[${name}]`,
      ...Object.entries(values).map(([key, value]) => `${key} = ${value}`),
    ])
    .join('\n');
}
