import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileFault } from '../src/base/file-fault.js';
import { formatDuration, formatMs } from '../src/base/units.js';
import { type ArgumentTable, defineCommand, optionalArgument, requiredArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { confirm as confirmed, requireTerminal } from '../src/cli/confirm.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { value } from '../src/cli/options.js';
import { choice, duration, path } from '../src/cli/value-types.js';
import { isLoopback } from '../src/db/postgres-place.js';
import { type Ask, ConsoleError, commandFor, textOf } from '../src/pgbouncer/console.js';
import { type PauseResult, pauseGuarded, saysNotPaused } from '../src/pgbouncer/pause.js';
import { type ReadFile, reloadChecked } from '../src/pgbouncer/reload.js';
import { isBefore } from '../src/pgbouncer/versions.js';
import type { AdminResult } from '../src/report/pgbouncer/admin.js';
import { type Format, formatsOf, renderReport } from '../src/report/registry.js';
import type { RenderOptions } from '../src/report/render-options.js';
import { printable } from '../src/report/text.js';
import {
  type Access,
  accessTo,
  askerOf,
  type ConsoleContext,
  consoleOptions,
  databaseType,
  explained,
  isRefusal,
  timeoutOption,
  withConsole,
  yesOption,
} from './pgbouncer-console.js';
import { startGuard } from './pgbouncer-guarding.js';

const base = { ...consoleOptions, yes: yesOption, format: formatOption(formatsOf('pgbouncerAdmin')) };
const withTimeout = { ...base, timeout: timeoutOption('maximum time for an answer', 10_000) };

const oneDatabase = { database: requiredArgument({ summary: 'name of the database', type: databaseType }) };
const maybeDatabase = {
  database: optionalArgument({ summary: 'name of a database (default: all)', type: databaseType }),
};

/** The common part of all commands to the console. */
interface AdminContext extends ConsoleContext {
  readonly options: ConsoleContext['options'] & {
    readonly yes: boolean;
    readonly format: Format<'pgbouncerAdmin'>;
  };
  readonly render: RenderOptions;
  write(result: string): Promise<void>;
  warn(message: string): void;
}

const guarded = {
  ...base,
  timeout: timeoutOption('maximum wait for servers in use', 10_000),
};

export const pause = defineCommand({
  name: 'pgbouncer pause',
  summary: 'pause PgBouncer for a while; it always resumes',
  description:
    'Waits until all servers are free, and pauses. It resumes after --hold, on Ctrl-C, or if servers stay in use for\n' +
    'longer than --timeout. A second process resumes if this one is killed. Clients wait meanwhile. If the pause\n' +
    'times out, poolctl lists who is still at work.',
  arguments: maybeDatabase,
  options: {
    ...guarded,
    hold: value({
      summary: 'time to stay paused; clients wait up to query_wait_timeout',
      type: duration(),
      default: 60_000,
      group: 'Console',
    }),
  },
  endsByInterrupt: true,
  examples: [
    {
      command: 'poolctl pgbouncer pause shop --hold 30s',
      meaning: 'restart the server of one database meanwhile',
    },
    {
      command: 'poolctl pgbouncer pause --timeout 5s --yes',
      meaning: 'all databases, until Ctrl-C or for a minute',
    },
  ],
  run: (context) => runGuarded(context, 'PAUSE', context.arguments.database, context.options),
});

export const kill = defineCommand({
  name: 'pgbouncer kill',
  summary: 'drop all connections of a database',
  description:
    'Drops all clients and servers of a database, and accepts clients again after --hold. KILL alone would leave\n' +
    'the database paused.',
  arguments: oneDatabase,
  options: {
    ...guarded,
    hold: value({
      summary: 'time until new clients are accepted',
      type: duration(),
      default: 0,
      group: 'Console',
    }),
  },
  endsByInterrupt: true,
  run: (context) => runGuarded(context, 'KILL', context.arguments.database, context.options),
});

export const resume = simple({
  verb: 'RESUME',
  summary: 'end a pause',
  asks: false,
  arguments: maybeDatabase,
  said: (scope) => `${scope} goes on`,
});

export const reconnect = simple({
  verb: 'RECONNECT',
  summary: 'replace each server connection once it is free',
  asks: true,
  arguments: maybeDatabase,
  said: (scope) => `each server connection of ${scope} is replaced as soon as it is free`,
});

export const disable = simple({
  verb: 'DISABLE',
  summary: 'refuse new clients of a database',
  asks: true,
  arguments: oneDatabase,
  said: (scope) => `${scope} takes no new clients, until poolctl pgbouncer enable`,
});

export const enable = simple({
  verb: 'ENABLE',
  summary: 'accept new clients of a database again',
  asks: false,
  arguments: oneDatabase,
  said: (scope) => `${scope} takes new clients`,
});

export const reload = defineCommand({
  name: 'pgbouncer reload',
  summary: 'reload the configuration and verify it',
  description:
    'Reloads pgbouncer.ini, shows the changes, and compares the active settings with the file: before 1.25 PgBouncer\n' +
    'answers OK even if it cannot read the file. Exits with 1 if a setting of the file is not active.',
  arguments: {},
  options: {
    ...withTimeout,
    file: value({
      summary: 'the pgbouncer.ini to compare with',
      type: path('FILE'),
      default: null,
      defaultText: 'the active one, if on this machine',
      group: 'Console',
    }),
  },
  async run(context) {
    const { options, io } = context;
    const access = await accessTo(context);
    return withConsole(
      access,
      async (ask) => {
        const signal = limit(context, options.timeout);
        await confirm(context, access, ask, signal, 'Reload the configuration of');
        const host = /@?([^@/]*?)(?::\d+)?\/?(?:\?.*)?$/.exec(
          access.address.replace(/^.*@|^\w+:\/\//, ''),
        )?.[1];
        const result = await reloadChecked(ask, signal, fileReader(options.file, host ?? '', io.cwd));
        await write(context, { schema: 1, kind: 'reload', ...result });
        return result.notTaken.length > 0 ? ExitCode.Failed : ExitCode.Ok;
      },
      'RELOAD',
    );
  },
});

export const shutdown = defineCommand({
  name: 'pgbouncer shutdown',
  summary: 'shut PgBouncer down',
  description: 'Shuts PgBouncer down and waits until it no longer listens.',
  arguments: {},
  options: {
    ...withTimeout,
    waitFor: value({
      summary: 'wait for servers (transactions) or clients to finish (1.23 or later)',
      type: choice(['servers', 'clients'], 'WHAT'),
      default: null,
      defaultText: 'nothing',
      group: 'Console',
    }),
  },
  async run(context) {
    const { options } = context;
    const access = await accessTo(context);
    const { waitFor } = options;
    const signal = limit(context, options.timeout);
    const ended = await withConsole(
      access,
      async (ask) => {
        const version = textOf(Object.values((await ask('SHOW VERSION', signal))[0] ?? {})[0]).replace(
          /^\D+/,
          '',
        );
        if (waitFor !== null && isBefore(version, '1.23')) {
          throw new UsageError([
            `--wait-for: PgBouncer ${version} can only end at once; pause it first, for transactions to end`,
          ]);
        }
        await confirm(
          context,
          access,
          ask,
          signal,
          waitFor === null ? 'End at once' : `End, after its ${waitFor},`,
        );
        const command = waitFor === null ? 'SHUTDOWN' : `SHUTDOWN WAIT_FOR_${waitFor.toUpperCase()}`;
        // One that ends at once does not answer: its connection breaks.
        return ask(command, signal).then(
          () => false,
          (error: unknown) => {
            if (isRefusal(error) || signal.aborted) throw error;
            return true;
          },
        );
      },
      'SHUTDOWN',
    );
    if (ended) await untilNobodyListens(access, signal);
    const said = ended ? `the pooler at ${access.label} has ended` : `the pooler at ${access.label} ends`;
    await write(context, { schema: 1, kind: 'done', command: 'SHUTDOWN', said });
    return ExitCode.Ok;
  },
});

interface SimpleSpec<Arguments extends ArgumentTable> {
  readonly verb: 'RESUME' | 'RECONNECT' | 'DISABLE' | 'ENABLE';
  readonly summary: string;
  /** Not what only gives service back: that is done at once. */
  readonly asks: boolean;
  readonly arguments: Arguments;
  said(scope: string): string;
}

/** A command that is answered at once. */
function simple<Arguments extends ArgumentTable>({
  verb,
  summary,
  asks,
  said,
  ...spec
}: SimpleSpec<Arguments>) {
  return defineCommand({
    name: `pgbouncer ${verb.toLowerCase()}`,
    summary,
    arguments: spec.arguments,
    options: withTimeout,
    async run(context) {
      const given = (context.arguments as { readonly database?: unknown }).database;
      const database = typeof given === 'string' ? given : null;
      const access = await accessTo(context);
      const scope = database === null ? 'the pooler' : `'${database}'`;
      return withConsole(
        access,
        async (ask) => {
          const signal = limit(context, context.options.timeout);
          const command = commandFor(verb, database);
          if (asks) await confirm(context, access, ask, signal, `${capitalized(verb)} ${scope} at`);
          const before = await ask(command, signal).then(
            () => null,
            (error: Error) => {
              if (verb === 'RESUME' && isRefusal(error) && saysNotPaused(error)) return error;
              throw error;
            },
          );
          if (before !== null) {
            const all = database === null ? '; a single database is resumed by its name' : '';
            throw new ConsoleError('ERR_PGBOUNCER_REFUSED', `${before.message}${all}`, null);
          }
          await write(context, { schema: 1, kind: 'done', command, said: said(scope) });
          return ExitCode.Ok;
        },
        verb,
      );
    },
  });
}

async function runGuarded(
  context: AdminContext,
  verb: 'PAUSE' | 'KILL',
  database: string | null,
  { timeout, hold }: { readonly timeout: number; readonly hold: number },
): Promise<ExitCode> {
  const { io } = context;
  const { stop } = io.interrupts;
  const access = await accessTo(context);
  const scope = database === null ? 'the pooler' : `'${database}'`;
  const question = verb === 'KILL' ? `Drop all connections of ${scope} at` : `Pause ${scope} at`;
  const sender = access.open();
  const asker = access.open();
  try {
    await confirm(
      context,
      access,
      askerOf(asker),
      AbortSignal.any([stop, AbortSignal.timeout(timeout)]),
      question,
    );
    const result = await pauseGuarded(
      { verb, database, timeoutMs: timeout, holdMs: hold },
      {
        ...{ send: askerOf(sender), ask: askerOf(asker), stop, clock: io.clock },
        isLost: (error) => !isRefusal(error),
        arm: (resumeCommand) => startGuard({ address: access.address, resume: resumeCommand }),
        onSent() {
          if (verb === 'PAUSE')
            context.warn(`waiting until the servers of ${printable(scope)} are free; Ctrl-C gives up`);
        },
        onReached(waitedMs) {
          if (verb === 'PAUSE')
            context.warn(
              `${printable(scope)} is paused, after ${formatMs(waitedMs)}; it goes on in ${formatDuration(hold)}, or on Ctrl-C`,
            );
        },
      },
    );
    await write(context, { schema: 1, kind: 'pause', ...result });
    return exitCodeOf(result, context);
  } catch (error) {
    throw explained(error, verb, access.label);
  } finally {
    await sender.close();
    await asker.close();
  }
}

function exitCodeOf({ end }: PauseResult, { io }: AdminContext): ExitCode {
  switch (end) {
    case 'held':
    case 'interrupted':
      return ExitCode.Ok;
    case 'timeout':
      return ExitCode.Failed;
    case 'stopped':
      return io.interrupts.interruption()?.exitCode ?? ExitCode.Interrupted;
  }
}

/** Asks on the terminal, with the figures that tell how much hangs on it. */
async function confirm(
  { io, options }: AdminContext,
  access: Access,
  ask: Ask,
  signal: AbortSignal,
  question: string,
): Promise<void> {
  if (options.yes) return;
  requireTerminal(io, options.passwordStdin);
  const pools = (await ask('SHOW POOLS', signal)).filter(({ database }) => database !== 'pgbouncer');
  const sum = (column: string): number => pools.reduce((all, row) => all + Number(row[column] ?? 0), 0);
  const [clients, waiting, busy] = ['cl_active', 'cl_waiting', 'sv_active'].map(sum);
  const figures = `${(clients ?? 0) + (waiting ?? 0)} clients, ${busy} servers in use`;
  const isYes = await confirmed(io, `${printable(question)} ${printable(access.label)} (${figures})?`);
  if (!isYes) throw new UsageError(['not confirmed; nothing was done']);
}

/** Reads what the pooler says is its file, if that can be the same file here. */
function fileReader(named: string | null, host: string, cwd: string): ReadFile {
  return async (own) => {
    const path = named ?? own;
    if (path === null) return 'it names no file; --file does';
    if (named === null && !(await isLoopback(host || '127.0.0.1').catch(() => false)))
      return 'it is on another machine; --file names a copy';
    return readFile(resolve(cwd, path), 'utf8').then(
      (content) => ({ path, text: content }),
      (error: unknown) => {
        const why = `${path}: ${fileFault(error)}`;
        if (named !== null) throw new UsageError([`--file: ${why}`]);
        return `${why}; --file names another`;
      },
    );
  };
}

async function untilNobodyListens(access: Access, signal: AbortSignal): Promise<void> {
  for (;;) {
    const server = access.open();
    const isGone = await server
      .use((ask) => ask('SHOW VERSION'), signal)
      .then(
        () => false,
        (error: unknown) => {
          if (!signal.aborted) return true;
          throw error;
        },
      )
      .finally(() => server.close());
    if (isGone) return;
    await new Promise((done) => void setTimeout(done, 50));
    if (signal.aborted)
      throw new ConsoleError(
        'ERR_PGBOUNCER_REFUSED',
        `there is still a PgBouncer at ${access.label}`,
        'with so_reuseport several share the port: each has to be ended',
      );
  }
}

async function write(context: AdminContext, result: AdminResult): Promise<void> {
  await context.write(await renderReport('pgbouncerAdmin', context.options.format, result, context.render));
}

function limit({ io }: AdminContext, timeoutMs: number): AbortSignal {
  return AbortSignal.any([io.interrupts.stop, AbortSignal.timeout(timeoutMs)]);
}

function capitalized(word: string): string {
  return word.slice(0, 1) + word.slice(1).toLowerCase();
}
