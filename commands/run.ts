import { mkdtemp, rm } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileFault } from '../src/base/file-fault.js';
import { ValueError } from '../src/base/units.js';
import { defineCommand, restArguments } from '../src/cli/command.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import type { ExitCode } from '../src/cli/exit-codes.js';
import { codeOfSignal } from '../src/cli/foreground.js';
import type { Io } from '../src/cli/io.js';
import { value } from '../src/cli/options.js';
import { duration, path, size, text, type ValueType } from '../src/cli/value-types.js';
import { clearRecording } from '../src/leases/file.js';
import { metricsUrl } from '../src/watch/otel/otlp.js';
import { parsePublishPort } from '../src/watch/publish-port.js';
import { DEFAULT_LIMIT_BYTES } from '../src/watch/record/to-file.js';

/** `off`, or an address of this machine. */
const publishType: ValueType<string> = {
  placeholder: 'ADDRESS',
  parse(source) {
    if (source.trim() === 'off') return 'off';
    const { host, port } = parsePublishPort(source);
    if (port === 0) throw new ValueError(`'${source}' names no port that could be found`);
    return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
  },
  show: (address) => address,
};

/** An endpoint of a collector. */
const otlpType: ValueType<string> = {
  placeholder: 'URL',
  parse(source) {
    try {
      return metricsUrl(source.trim()).href;
    } catch {
      throw new ValueError(`'${source}' is not a URL like http://127.0.0.1:4318`);
    }
  },
  show: (url) => url,
};

const options = {
  name: value({
    summary: 'name of the application in poolctl top',
    type: text('NAME'),
    default: null,
    defaultText: 'the name in its package.json',
    env: 'POOLCTL_NAME',
  }),
  publish: value({
    summary: 'publish on this port of 127.0.0.1 and the ones above it; off: do not publish',
    type: publishType,
    default: null,
    defaultText: 'a private socket',
    env: 'POOLCTL_PUBLISH',
  }),
  otlp: value({
    summary: 'send OpenTelemetry metrics to this OTLP/HTTP endpoint',
    type: otlpType,
    default: null,
    defaultText: "only to the application's own meter provider",
    env: 'POOLCTL_OTLP',
  }),
  recordLeases: value({
    summary: 'record every lease into FILE, for poolctl size',
    type: path('FILE'),
    default: null,
    env: 'POOLCTL_RECORD_LEASES',
  }),
  recordLimit: value({
    summary: 'end the recording at this size of the file',
    type: size({ least: 4096 }),
    default: DEFAULT_LIMIT_BYTES,
    env: 'POOLCTL_RECORD_LIMIT',
  }),
  leakAfter: value({
    summary: 'report a lease as a leak after this time',
    type: duration({ leastMs: 1 }),
    default: 60_000,
    env: 'POOLCTL_LEAK_AFTER',
  }),
};

/** As it is: an argument of somebody else's may be empty. */
const anyText: ValueType<string> = { placeholder: 'COMMAND', parse: (source) => source, show: (one) => one };

const programArguments = {
  program: restArguments({ summary: 'the command and its arguments, after --', type: anyText }),
};

export const command = defineCommand({
  name: 'run',
  summary: 'run an application and watch its connection pools',
  description:
    'Runs a command and watches the pools of every Node process in it (pg, postgres, mysql2, mariadb, mssql, mongodb,\n' +
    'knex, tarn, generic-pool, TypeORM, Sequelize), without changes to the code. poolctl top shows them. Input, output, signals and the exit\n' +
    'code are those of the command. A process that exits with leases still held reports where they were acquired.\n' +
    'When the command ends, the causes that the last readings of its processes show follow, with their repairs.',
  arguments: programArguments,
  options,
  endsByInterrupt: true,
  examples: [
    { command: 'poolctl run -- node app.js', meaning: 'then run poolctl top in another terminal' },
    { command: 'poolctl run --name orders -- npm start', meaning: 'with a name of its own' },
    {
      command: 'poolctl run --publish 127.0.0.1:9876 -- node app.js',
      meaning: 'in a container',
    },
    {
      command: 'poolctl run --record-leases leases.rec -- node app.js',
      meaning: 'then poolctl size leases.rec',
    },
    {
      command: 'node --import poolctl/register app.js',
      meaning: 'one process, without the poolctl command',
    },
  ],
  async run({ options, arguments: { program }, io, warn }) {
    const { name, publish, otlp, leakAfter, recordLeases, recordLimit, verbose } = options;
    const [first = '', ...args] = program;
    if (first === '') {
      throw new UsageError([{ message: 'no command to run', hint: 'write poolctl run -- node app.js' }]);
    }
    const runtime = /(?:^|[\\/])(bun|bunx|deno)(?:\.exe)?$/.exec(first)?.[1];
    if (runtime !== undefined) {
      warn(
        `${runtime} does not load the watch of pools: NODE_OPTIONS is for Node. Run the application with node to see its pools`,
      );
    }
    const recording = recordLeases === null ? null : resolve(io.cwd, recordLeases);
    if (recording !== null) await clearRecording(recording);
    const env = {
      ...io.env,
      NODE_OPTIONS: withPreload(io.env.NODE_OPTIONS ?? ''),
      POOLCTL_LEAK_AFTER: `${leakAfter}ms`,
      ...(name === null ? {} : { POOLCTL_NAME: name }),
      ...(publish === null ? {} : { POOLCTL_PUBLISH: publish }),
      ...(otlp === null ? {} : { POOLCTL_OTLP: otlp }),
      ...(recording === null
        ? {}
        : { POOLCTL_RECORD_LEASES: recording, POOLCTL_RECORD_LIMIT: `${recordLimit}B` }),
      ...(verbose ? { POOLCTL_VERBOSE: '1' } : {}),
    };
    const folder = await mkdtemp(join(io.user.tempFolder, 'poolctl-exit-')).catch(() => null);
    const end = await io
      .foreground({
        ...{ command: first, args, cwd: io.cwd },
        env: folder === null ? env : { ...env, POOLCTL_EXIT_FOLDER: folder },
      })
      .catch((error: unknown) => {
        throw notStarted(first, error, io.env.PATH ?? '');
      })
      .finally(async () => {
        if (folder === null) return;
        io.stderr.tell(await causesAtExit(folder, io));
        await rm(folder, { recursive: true, force: true });
      });
    if (end.signal !== null) io.endBy(end.signal);
    // The exit code of the command, whatever it means.
    return (end.code ?? codeOfSignal(end.signal ?? '')) as ExitCode;
  },
});

/** The diagnosis of what the processes of the command left behind when they exited. A fault of ours is no fault of theirs. */
async function causesAtExit(
  folder: string,
  { clock, cwd, env }: Pick<Io, 'clock' | 'cwd' | 'env'>,
): Promise<string> {
  try {
    const { readLeftBehind } = await import('../src/sources/left-behind.js');
    const readings = await readLeftBehind(folder);
    if (readings.length === 0) return '';
    const [{ momentOf, settingsIn }, { findingsAtExit }, { exitReport }, { maskSecrets }] = await Promise.all(
      [
        import('../src/diagnosis/moment.js'),
        import('../src/diagnosis/at-exit.js'),
        import('../src/report/run/exit-report.js'),
        import('../src/base/secrets.js'),
      ],
    );
    const sources = readings.map((reading) => {
      const { source: label, kind } = reading;
      return { label, kind, reading, stale: null, readMs: null };
    });
    const { diagnosis } = momentOf({ atMs: clock.wallTime(), sources }, null, {
      ...{ cwd, settings: settingsIn(env) },
    });
    return maskSecrets(exitReport(findingsAtExit(diagnosis.findings)));
  } catch {
    return '';
  }
}

/** Beside this file in the build, and made from CommonJS, which is what --require takes. */
const PRELOAD = fileURLToPath(new URL('../src/watch/preload.cjs', import.meta.url));

/**
 * Ours comes first, to see all that other preloads load. Only Yarn's Plug'n'Play has to come before it: until that is
 * loaded, Node reads no package out of Yarn's archives.
 */
function withPreload(given: string): string {
  const ours = `--require ${quoted(PRELOAD)}`;
  const pnp = /(?:^|\s)(?:--require|-r)[\s=]+(?:"(?:\\.|[^"\\])*\.pnp\.c?js"|\S*\.pnp\.c?js)(?=\s|$)/.exec(
    given,
  );
  const end = pnp === null ? 0 : pnp.index + pnp[0].length;
  return [given.slice(0, end), ours, given.slice(end)]
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .join(' ');
}

/** As NODE_OPTIONS wants it: a path may hold blanks. */
function quoted(path: string): string {
  return `"${path.replace(/[\\"]/g, '\\$&')}"`;
}

function notStarted(program: string, error: unknown, path: string): UnavailableError {
  const places = path.split(delimiter).length;
  const missing = /[\\/]/.test(program)
    ? 'there is no such file'
    : `it is in none of the ${places} folders of PATH`;
  const hint = /\.[cm]?[jt]s$/.test(program) ? { hint: `poolctl run -- node ${program}` } : {};
  return new UnavailableError(`cannot run ${program}: ${fileFault(error, missing)}`, {
    cause: error,
    ...hint,
  });
}
