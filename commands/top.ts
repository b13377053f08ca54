import { type FileHandle, open, readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Attached } from '../src/attach/attach.js';
import { fileFault } from '../src/base/file-fault.js';
import { ValueError } from '../src/base/units.js';
import { type CommandContext, defineCommand, restArguments } from '../src/cli/command.js';
import { confirm, requireTerminal } from '../src/cli/confirm.js';
import { UnavailableError, UsageError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, value } from '../src/cli/options.js';
import { duration, path, processId, size, text } from '../src/cli/value-types.js';
import { ignoredRemark } from '../src/db/postgres-place.js';
import { type Moment, type MomentOptions, momentOf, settingsIn } from '../src/diagnosis/moment.js';
import { clearRecording } from '../src/leases/file.js';
import { DEFAULT_LEAK_MS } from '../src/pool/leak-watch.js';
import { printable } from '../src/report/text.js';
import type { Tick } from '../src/snapshot/reading.js';
import { expandAddresses, openSources } from '../src/sources/addresses.js';
import { SOURCE_FORMS } from '../src/sources/registry.js';
import type { StatsSource } from '../src/sources/types.js';
import { demoSources } from '../src/top/demo.js';
import { LeaseFiles } from '../src/top/lease-files.js';
import { liveFeed, readOnce } from '../src/top/live.js';
import {
  beginningOf,
  lastTicksOf,
  parseRecording,
  type Recording,
  recordingHeader,
  recordingLine,
  replayFeed,
  ticksOf,
} from '../src/top/recording.js';
import { RecordingPacker } from '../src/top/recording-file.js';
import { jsonLine, onceReport } from '../src/top/report.js';
import type { Feed } from '../src/top/session.js';
import { threadedSizes } from '../src/top/size-thread.js';
import type { SocketOwner } from '../src/watch/directory.js';
import { DEFAULT_LIMIT_BYTES } from '../src/watch/record/to-file.js';
import { actOn } from './top-actions.js';

const options = {
  demo: flag({
    summary: 'show a simulated application with a leak',
    config: false,
    group: 'Sources',
  }),
  replay: value({
    summary: 'replay the readings recorded in FILE',
    type: path('FILE'),
    default: null,
    config: false,
    group: 'Sources',
  }),
  replayAt: value({
    summary: 'start the replay this long after its beginning',
    type: duration(),
    default: 0,
    config: false,
    group: 'Sources',
  }),
  attach: value({
    summary: 'attach this Node process of your own, and show it too',
    type: processId,
    default: null,
    config: false,
    group: 'Sources',
  }),
  yes: flag({ summary: 'attach without a question', short: 'y', config: false, group: 'Sources' }),
  interval: value({
    summary: 'time between readings; + and - change it',
    short: 'i',
    type: duration({ leastMs: 100 }),
    default: 1000,
    group: 'Sources',
  }),
  once: flag({
    summary: 'print one reading and exit; the default without a terminal',
    config: false,
    group: 'Output',
  }),
  json: flag({
    summary: 'print each reading as a line of JSON',
    config: false,
    group: 'Output',
  }),
  record: value({
    summary: 'record all readings in FILE, compressed unless it ends in .jsonl',
    type: path('FILE'),
    default: null,
    config: false,
    group: 'Output',
  }),
  recordLeases: value({
    summary: 'have the applications record every lease into FILE, for poolctl size',
    type: path('FILE'),
    default: null,
    config: false,
    group: 'Output',
  }),
  recordLimit: value({
    summary: 'end a recording of leases at this size of its file',
    type: size({ least: 4096 }),
    default: DEFAULT_LIMIT_BYTES,
    config: false,
    group: 'Output',
  }),
  allowActions: flag({
    summary: 'let c cancel a query and t end a backend, after a question',
    config: false,
    group: 'Safety',
  }),
};

const sourcesArgument = {
  sources: restArguments({
    summary: `${SOURCE_FORMS} (default: pool:, which means all your published applications)`,
    type: text('SOURCE'),
  }),
};

type Context = CommandContext<typeof options, typeof sourcesArgument>;

export const command = defineCommand({
  name: 'top',
  summary: 'show live who holds connections and what blocks them',
  description:
    'Shows the pools of running applications and the PgBouncer and PostgreSQL behind them. The first line names\n' +
    'the problem and its cause, such as a leak with its line of code, lock waits, or a pool that is too small. It\n' +
    'only reads. Press ? for the keys.',
  arguments: sourcesArgument,
  options,
  endsByInterrupt: true,
  rules: [
    {
      of: ['demo', 'replay', 'attach'],
      check: ({ options: { demo, replay, attach }, arguments: { sources } }) =>
        [demo, replay !== null, sources.length > 0 || attach !== null].filter(Boolean).length > 1
          ? `--demo, --replay and ${attach === null ? 'sources' : '--attach'} do not go together`
          : null,
    },
    {
      of: ['attach', 'yes'],
      check: ({ options: { attach, yes } }) => (yes && attach === null ? '--yes needs --attach' : null),
    },
    {
      of: ['record', 'replay'],
      check: ({ options: { record, replay } }) =>
        record !== null && replay !== null ? '--record and --replay do not go together' : null,
    },
    {
      of: ['replayAt', 'replay'],
      check: ({ options: { replayAt, replay } }) =>
        replayAt > 0 && replay === null ? '--replay-at needs --replay' : null,
    },
    {
      of: ['recordLeases', 'demo', 'replay'],
      check: ({ options: { recordLeases, demo, replay } }) =>
        recordLeases !== null && (demo || replay !== null)
          ? '--record-leases needs a running application'
          : null,
    },
    {
      of: ['allowActions', 'demo', 'replay'],
      check: ({ options: { allowActions, demo, replay } }) =>
        allowActions && (demo || replay !== null) ? '--allow-actions needs a real database' : null,
    },
  ],
  examples: [
    { command: 'poolctl top --demo', meaning: 'a demo, with nothing running' },
    { command: 'poolctl top --attach 4711', meaning: 'a process that was started without poolctl' },
    { command: 'poolctl top', meaning: 'all your applications under poolctl run' },
    {
      command: 'poolctl top pool: postgres://app@db/shop pgbouncer://stats@db:6432/pgbouncer',
      meaning: 'from the line of code to the backend and what blocks it',
    },
    { command: 'poolctl top --once --json postgres://app@db/shop', meaning: 'one reading, for a script' },
  ],
  async run(context) {
    const { options: given, io } = context;
    const remark = ignoredRemark(context.arguments.sources);
    if (remark !== null) context.warn(remark);
    const recording = given.replay === null ? null : await readRecording(given.replay, context);
    const recorder = given.record === null ? null : await openRecorder(given.record, context);
    let attached: Awaited<ReturnType<typeof attachedTo>> | null = null;
    let sources: readonly StatsSource[] = [];
    let leases: LeaseFiles | null = null;
    try {
      if (given.attach !== null) attached = await attachedTo(given.attach, context);
      leases = await openLeases(context);
      if (recording === null) sources = await sourcesOf(context, attached?.source ?? null, leases);
      if (isScreen(context)) await showScreen(context, sources, { recording, recorder, leases });
      else return await print(context, sources, recording, recorder);
    } finally {
      await Promise.allSettled(sources.map(async (source) => source[Symbol.asyncDispose]()));
      tellLeases(leases, context);
      await attached?.detach();
      await recorder?.close();
    }
    const interruption = io.interrupts.interruption();
    // Ctrl-C is how many end a screen; being ended from outside is something else.
    return interruption === null || interruption.signal === 'SIGINT' ? ExitCode.Ok : interruption.exitCode;
  },
});

/** Whether there is somebody to look and to press keys. */
function isScreen({ options: { once, json, output }, io }: Context): boolean {
  const { TERM, CI } = io.env;
  const inCi = CI !== undefined && CI !== '' && CI !== '0' && CI !== 'false';
  return (
    !once && !json && output === null && io.stdout.isTty && io.keyboard.isTty && TERM !== 'dumb' && !inCi
  );
}

/** The recording that is played, and those that are made. */
interface Recordings {
  readonly recording: Recording | null;
  readonly recorder: Recorder | null;
  readonly leases: LeaseFiles | null;
}

async function showScreen(
  context: Context,
  sources: readonly StatsSource[],
  { recording, recorder, leases }: Recordings,
): Promise<void> {
  const { io, options: given } = context;
  const { clock } = io;
  await using sizes = leases === null ? null : threadedSizes(() => leases.sources, clock);
  const { runSession } = await import('../src/top/session.js');
  const timing = { clock, intervalMs: given.interval };
  const feed = recorded(
    recording === null
      ? liveFeed(sources, timing)
      : replayFeed(recording, { ...timing, fromMs: startOf(recording, given.replayAt) }),
    recorder,
  );
  try {
    await runSession({
      terminal: io.stdout,
      keyboard: io.keyboard,
      feed,
      clock,
      drawing: { color: context.render.color, unicode: io.stdout.unicode, ...optionsOf(io) },
      state: {
        intervalMs: given.interval,
        allowActions: given.allowActions,
        mode: given.demo ? 'demo' : recording === null ? null : 'replay',
        recordsLeases: leases !== null,
      },
      act: given.allowActions ? (action) => actOn(action, context.arguments.sources, io) : null,
      ...{ sizes, stop: io.interrupts.stop },
    });
  } finally {
    await feed[Symbol.asyncDispose]();
  }
}

async function print(
  context: Context,
  sources: readonly StatsSource[],
  recording: Recording | null,
  recorder: Recorder | null,
): Promise<ExitCode> {
  const { io, options: given, render } = context;
  const { clock } = io;
  const { stop } = io.interrupts;
  const timing = { clock, intervalMs: given.interval };
  const drawing = { color: render.color, unicode: render.unicode, cwd: io.cwd, width: render.width };
  if (given.once || !given.json) {
    const ticks = recording === null ? await readOnce(sources, timing, stop) : lastTicks(recording);
    for (const tick of ticks) recorder?.write(tick);
    const moment = ticks.reduce<Moment | null>((before, tick) => momentOf(tick, before, optionsOf(io)), null);
    if (moment === null) throw new Error('there is at least one tick, in a recording too');
    await context.write(given.json ? jsonLine(moment) : onceReport(moment, drawing));
    return exitCodeOf(moment.tick);
  }
  if (recording !== null) {
    let moment: Moment | null = null;
    for (const tick of ticksOf(recording, startOf(recording, given.replayAt))) {
      if (stop.aborted || io.stdout.closed) break;
      moment = momentOf(tick, moment, optionsOf(io));
      await context.write(jsonLine(moment));
    }
    return ExitCode.Ok;
  }
  const feed = recorded(liveFeed(sources, timing), recorder);
  try {
    await printLines(context, feed);
  } finally {
    await feed[Symbol.asyncDispose]();
  }
  const interruption = io.interrupts.interruption();
  return interruption === null || interruption.signal === 'SIGINT' ? ExitCode.Ok : interruption.exitCode;
}

function optionsOf({ cwd, env }: Context['io']): MomentOptions {
  return { cwd, settings: settingsIn(env) };
}

/** The end of a recording, as far back as rates are told from at the usual interval. */
function lastTicks(recording: Recording): readonly Tick[] {
  return lastTicksOf(recording, 12);
}

/** The time in a recording at which the replay begins. */
function startOf(recording: Recording, afterMs: number): number {
  return beginningOf(recording) + afterMs;
}

/** Until the reader goes away, or a signal comes. */
function printLines(context: Context, feed: Feed): Promise<void> {
  const { io } = context;
  return new Promise((resolvePromise, reject) => {
    const { stop } = io.interrupts;
    const end = (): void => resolvePromise();
    stop.addEventListener('abort', end, { once: true });
    if (stop.aborted) return end();
    let moment: Moment | null = null;
    feed.start((tick) => {
      moment = momentOf(tick, moment, optionsOf(io));
      context.write(jsonLine(moment)).then(() => {
        if (io.stdout.closed) end();
      }, reject);
    });
  });
}

/** Not one source could be read: there is nothing to say of the pools. */
function exitCodeOf({ sources }: Tick): ExitCode {
  return sources.every(({ reading }) => reading === null) ? ExitCode.Unavailable : ExitCode.Ok;
}

/** Throws where it cannot be attached, and where the user does not want it. */
async function attachedTo(pid: number, { options: { yes }, io }: Context): Promise<Attached> {
  if (!yes) requireTerminal(io);
  const { askAndAttach } = await import('../src/attach/ask.js');
  const attached = await askAndAttach({
    ...{ pid, name: null, leakAfterMs: DEFAULT_LEAK_MS, ownPid: io.pid, abort: io.interrupts.abort },
    owner: ownerIn(io),
    hand: fileURLToPath(new URL('../bin/attach-hand.js', import.meta.url)),
    script: fileURLToPath(new URL('../src/watch/attach/attached.cjs', import.meta.url)),
    confirm: yes ? null : (plan) => confirm(io, `${plan}Attach?`),
  });
  if (attached === null) throw new UnavailableError(`process ${pid} was not attached: the answer was no`);
  return attached;
}

function ownerIn({ env, host, user: { uid, name: userName, tempFolder } }: Context['io']): SocketOwner {
  return { platform: host.platform, env, uid, userName, tempFolder };
}

/** null where no leases are to be recorded. An earlier recording of that name is replaced. */
async function openLeases({
  options: { recordLeases, recordLimit },
  io,
}: Context): Promise<LeaseFiles | null> {
  if (recordLeases === null) return null;
  const path = resolve(io.cwd, recordLeases);
  await clearRecording(path);
  return new LeaseFiles({ path, limitBytes: recordLimit });
}

/** After the screen is closed. */
function tellLeases(leases: LeaseFiles | null, { warn, options: { quiet } }: Context): void {
  leases?.close();
  for (const problem of leases?.problems ?? []) warn(`the leases were not all recorded: ${problem}`);
  const paths = leases?.paths ?? [];
  if (paths.length > 0 && !quiet) warn(`leases are recorded; see: poolctl size ${paths.join(' ')}`);
}

/** `attached` is the address of the process that was attached; null without one. */
async function sourcesOf(
  { options: given, arguments: { sources }, io, warn }: Context,
  attached: string | null,
  leases: LeaseFiles | null,
): Promise<StatsSource[]> {
  const { clock, env, interrupts } = io;
  if (given.demo) return demoSources({ clock });
  const owner = ownerIn(io);
  const { addresses, nobodyPublishes } = await expandAddresses(
    attached === null ? sources : [attached, ...sources],
    owner,
    interrupts.abort,
  );
  // A missing application does not hide the other sources.
  if (nobodyPublishes && addresses.length > 0)
    warn('pool: no application of this user publishes its pools; start one with: poolctl run -- node app.js');
  if (nobodyPublishes && addresses.length === 0) {
    throw new UnavailableError('no application of this user publishes its pools', {
      hint: 'start one with: poolctl run -- node app.js; or name sources: poolctl top postgres://USER@HOST/DATABASE; or try --demo',
    });
  }
  const opened = openSources(addresses, { env, clock, owner, ...(leases === null ? {} : { leases }) });
  if (opened.problems.length > 0) throw new UsageError(opened.problems);
  return [...opened.sources.values()];
}

async function readRecording(path: string, { io }: Context): Promise<Recording> {
  const source = await readFile(resolve(io.cwd, path)).catch((cause: unknown) => {
    throw new UnavailableError(`cannot read the recording ${printable(path)}: ${fileFault(cause)}`, {
      cause,
    });
  });
  try {
    return parseRecording(source);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new UsageError([`--replay: ${printable(path)}: ${error.message}`]);
  }
}

/** Writes ticks to a file, in their order. */
interface Recorder {
  write(tick: Tick): void;
  /** Rejects if something could not be written. */
  close(): Promise<void>;
}

async function openRecorder(path: string, { io }: Context): Promise<Recorder> {
  const unavailable = (step: string) => (cause: unknown) => {
    throw new UnavailableError(`the recording ${printable(path)} cannot be ${step}: ${fileFault(cause)}`, {
      cause,
    });
  };
  const file: FileHandle = await open(resolve(io.cwd, path), 'w', 0o600).catch(unavailable('opened'));
  let failed: unknown = null;
  const fail = (error: unknown): void => {
    failed ??= error;
  };
  const packer = /\.jsonl$/i.test(path) ? null : new RecordingPacker();
  const piece = (tick: Tick): string | Promise<Buffer> =>
    packer === null ? recordingLine(tick) : packer.pack(tick);
  const head = packer === null ? recordingHeader() : RecordingPacker.head;
  let written: Promise<unknown> = file.appendFile(head).catch(fail);
  return {
    write(tick) {
      // After half a line nothing else could be read.
      written = written
        .then(async () => (failed === null ? file.appendFile(await piece(tick)) : null))
        .catch(fail);
    },
    async close() {
      try {
        await written;
      } finally {
        await file.close();
      }
      if (failed !== null) unavailable('written')(failed);
    },
  };
}

function recorded(feed: Feed, recorder: Recorder | null): Feed {
  if (recorder === null) return feed;
  return {
    ...feed,
    start: (onTick, onEnd) =>
      feed.start((tick) => {
        recorder.write(tick);
        onTick(tick);
      }, onEnd),
    [Symbol.asyncDispose]: () => feed[Symbol.asyncDispose](),
  };
}
