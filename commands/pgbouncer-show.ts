import { asError } from '../src/base/promises.js';
import { defineCommand, requiredArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, list, value } from '../src/cli/options.js';
import { choice, duration, text } from '../src/cli/value-types.js';
import { SHOWN, type ShownTable, show } from '../src/pgbouncer/console.js';
import { showLine } from '../src/report/pgbouncer/show.js';
import { formatsOf, renderReport } from '../src/report/registry.js';
import { accessTo, askerOf, consoleOptions, explained, timeoutOption } from './pgbouncer-console.js';

const options = {
  ...consoleOptions,
  timeout: timeoutOption('maximum time for an answer', 10_000),
  column: list({
    summary: 'column to show; all that fit if none is given',
    type: text('NAME'),
    group: 'Output',
  }),
  watch: flag({
    summary: 'repeat until Ctrl-C',
    short: 'w',
    config: false,
    group: 'Output',
  }),
  every: value({
    summary: 'interval of --watch',
    type: duration({ leastMs: 100 }),
    default: 2000,
    group: 'Output',
  }),
  format: formatOption(formatsOf('pgbouncerShow')),
};

const HOME_AND_CLEAR = '\u001b[H\u001b[J';

export const command = defineCommand({
  name: 'pgbouncer show',
  summary: 'show pools, clients, servers and settings',
  description: `Shows a table of the admin console, with its column names: ${SHOWN.join(', ')}.`,
  arguments: { what: requiredArgument({ summary: 'table to show', type: choice(SHOWN, 'WHAT') }) },
  options,
  endsByInterrupt: true,
  examples: [
    {
      command: 'poolctl pgbouncer show pools --at pgbouncer://trader@127.0.0.1:6432/',
      meaning: 'who waits',
    },
    {
      command: 'poolctl pgbouncer show servers --watch --column database --column state --column link',
      meaning: 'three columns, as they change',
    },
  ],
  async run(context) {
    const { options, io, render } = context;
    const { what } = context.arguments;
    const access = await accessTo(context);
    const server = access.open();
    const doing = `SHOW ${what.toUpperCase()}`;
    const { stop } = io.interrupts;
    const read = (): Promise<ShownTable> => {
      const signal = AbortSignal.any([stop, AbortSignal.timeout(options.timeout)]);
      return show(askerOf(server), what, signal).catch((error: unknown) => {
        throw explained(error, doing, access.label);
      });
    };
    try {
      const first = withColumns(await read(), options.column);
      if (!options.watch) {
        await context.write(
          await renderReport('pgbouncerShow', options.format, { schema: 1, what, ...first }, render),
        );
        return ExitCode.Ok;
      }
      const clear = options.output === null && io.stdout.isTty ? HOME_AND_CLEAR : '';
      const write = async (table: ShownTable): Promise<void> => {
        const result = { schema: 1 as const, what, ...table };
        await context.write(
          options.format === 'json'
            ? showLine(result)
            : clear + (await renderReport('pgbouncerShow', 'text', result, render)),
        );
      };
      await write(first);
      while (await passes(options.every, stop)) {
        // A pooler that is being restarted is there again soon.
        const table = await read().catch((error: unknown) => asError(error));
        if (stop.aborted || io.stdout.closed) break;
        if (table instanceof Error) context.warn(table.message);
        else await write(narrowed(table, options.column));
      }
      return ExitCode.Ok;
    } finally {
      await server.close();
    }
  },
});

/** Waits; false if it was interrupted. */
function passes(ms: number, stop: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const done = (passed: boolean) => () => {
      clearTimeout(timer);
      stop.removeEventListener('abort', stopped);
      resolve(passed);
    };
    const stopped = done(false);
    const timer = setTimeout(done(true), ms);
    if (stop.aborted) stopped();
    stop.addEventListener('abort', stopped);
  });
}

function withColumns(table: ShownTable, wanted: readonly string[]): ShownTable {
  const missing = table.rows.length === 0 ? [] : wanted.filter((name) => !table.columns.includes(name));
  if (missing.length > 0)
    throw new UsageError([
      {
        message: `--column: there is no ${missing.join(', ')}`,
        hint: `there is ${table.columns.join(', ')}`,
      },
    ]);
  return narrowed(table, wanted);
}

function narrowed({ columns, rows }: ShownTable, wanted: readonly string[]): ShownTable {
  if (wanted.length === 0) return { columns, rows };
  return {
    columns: wanted,
    rows: rows.map((row) => wanted.map((name) => row[columns.indexOf(name)] ?? '')),
  };
}
