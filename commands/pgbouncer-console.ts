import { percentEncoded } from '../src/base/percent.js';
import { asError } from '../src/base/promises.js';
import { maskUrl, registerSecret } from '../src/base/secrets.js';
import { ValueError } from '../src/base/units.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import type { Io } from '../src/cli/io.js';
import { flag, value } from '../src/cli/options.js';
import { duration, type ValueType } from '../src/cli/value-types.js';
import { type Ask, ConsoleError } from '../src/pgbouncer/console.js';
import { consoleName } from '../src/pgbouncer/names.js';
import { SourceError } from '../src/sources/errors.js';
import { consoleAt, consoleError } from '../src/sources/pgbouncer.js';
import type { ServerConnection } from '../src/sources/server-connection.js';

const ADDRESS = 'pgbouncer://127.0.0.1:6432/';
const FORM = 'pgbouncer://USER@HOST:6432/';

/** The address of an admin console, checked before anything is connected. */
const consoleType: ValueType<string> = {
  placeholder: 'URL',
  parse(source) {
    if (!/^pgbouncer:\/\//i.test(source))
      throw new ValueError(`'${maskUrl(source)}' is not the address of a console; write ${FORM}`);
    try {
      consoleAt(source, {});
    } catch (error) {
      if (!(error instanceof SourceError)) throw error;
      throw new ValueError(error.message);
    }
    return source;
  },
  show: maskUrl,
};

/** The address of the console, and its user. */
export const consoleOptions = {
  at: value({
    summary: 'address of the admin console, pgbouncer://USER@HOST:6432/',
    type: consoleType,
    default: ADDRESS,
    group: 'Console',
  }),
  passwordStdin: flag({
    summary: 'read the password from stdin',
    config: false,
    group: 'Console',
  }),
};

export const timeoutOption = (summary: string, fallback: number) =>
  value({ summary, type: duration({ leastMs: 1 }), default: fallback, group: 'Console' });

export const yesOption = flag({
  summary: 'do not ask for confirmation',
  short: 'y',
  config: false,
  group: 'Console',
});

/** A database, as PgBouncer knows it: a name that its console can be told. */
export const databaseType: ValueType<string> = {
  placeholder: 'DATABASE',
  parse(source) {
    consoleName(source);
    if (source === 'pgbouncer') throw new ValueError("'pgbouncer' is the console itself");
    return source;
  },
  show: (name) => name,
};

/** One way to the console. */
export interface Access {
  /** As given, with the password where one was read from stdin. */
  readonly address: string;
  /** As it is shown. */
  readonly label: string;
  /** A connection of its own, opened when it is used. */
  open(): ServerConnection;
}

/** As much of a command's context as it takes to find the console. */
export interface ConsoleContext {
  readonly io: Io;
  readonly options: {
    readonly at: string;
    readonly passwordStdin: boolean;
  };
}

export async function accessTo({ options, io }: ConsoleContext): Promise<Access> {
  const { env } = io;
  const password = options.passwordStdin ? await passwordOf(io.readStdin()) : env.PGPASSWORD || null;
  const address = withPassword(options.at, password, options.passwordStdin);
  const first = consoleAt(address, env);
  const label = first.label.replace(/^postgres:/, 'pgbouncer:').replace(/\/pgbouncer$/, '/');
  return { address, label, open: () => consoleAt(address, env) };
}

/** Runs with one connection to the console, and tells what goes wrong in its words. */
export async function withConsole<T>(
  access: Access,
  use: (ask: Ask) => Promise<T>,
  doing: string,
): Promise<T> {
  const server = access.open();
  try {
    return await use(askerOf(server));
  } catch (error) {
    throw explained(error, doing, access.label);
  } finally {
    await server.close();
  }
}

export function askerOf(server: ServerConnection): Ask {
  return (command, signal) => server.use((ask) => ask(command), signal);
}

/** PgBouncer answered, and refused; other errors mean that it cannot be asked. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'PostgresError';
}

export function explained(thrown: unknown, doing: string, label: string): Error {
  const error = asError(thrown);
  if (error instanceof ConsoleError || error instanceof UsageError || error instanceof UnavailableError)
    return error;
  const code = 'code' in error ? String(error.code) : '';
  if (error.name === 'AbortError') return error;
  if (/admin access needed|not allowed/.test(error.message)) {
    const hint = 'put the user into admin_users of pgbouncer.ini; stats_users may only look on';
    return new ConsoleError('ERR_PGBOUNCER_RIGHTS', `${doing} is not for this user: ${error.message}`, hint);
  }
  if (code === 'ERR_CONNECTION_LOST') {
    const hint = 'look into its log: it was ended, or it crashed';
    const message = `PgBouncer at ${label} went away during ${doing}: ${error.message}`;
    return new ConsoleError('ERR_PGBOUNCER_GONE', message, hint);
  }
  if (error.name === 'PostgresError' && !/^cannot connect/.test(error.message))
    return new ConsoleError('ERR_PGBOUNCER_REFUSED', `PgBouncer refuses ${doing}: ${error.message}`, null);
  return 'code' in error && error.name !== 'SourceError' ? consoleError(error) : error;
}

async function passwordOf(stdin: Promise<string>): Promise<string> {
  const [password = ''] = (await stdin).split(/\r?\n/);
  if (password === '') throw new UsageError(['--password-stdin: there is no password on stdin']);
  registerSecret(password);
  return password;
}

/** Into the URL, so that one text says all to the process that guards a pause too. */
function withPassword(address: string, password: string | null, isAsked: boolean): string {
  const [, scheme = '', user = '', given, rest = ''] =
    /^(pgbouncer:\/\/)(?:([^:@/]*)(?::(.*))?@)?([^@]*)$/is.exec(address) ?? [];
  if (given !== undefined && isAsked)
    throw new UsageError(['--password-stdin: there is a password in the URL too']);
  if (scheme === '' || given !== undefined || password === null || user === '') return address;
  return `${scheme}${user}:${percentEncoded(password)}@${rest}`;
}
