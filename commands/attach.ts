import { fileURLToPath } from 'node:url';
import { askAndAttach } from '../src/attach/ask.js';
import type { Attached } from '../src/attach/attach.js';
import { pause } from '../src/base/abort.js';
import { formatMs } from '../src/base/units.js';
import { type CommandContext, defineCommand, requiredArgument } from '../src/cli/command.js';
import { formatOption } from '../src/cli/common-options.js';
import { confirm, requireTerminal } from '../src/cli/confirm.js';
import { UnavailableError } from '../src/cli/errors.js';
import { ExitCode } from '../src/cli/exit-codes.js';
import { flag, value } from '../src/cli/options.js';
import { duration, processId, text } from '../src/cli/value-types.js';
import { type Moment, momentOf, settingsIn } from '../src/diagnosis/moment.js';
import { openSource } from '../src/sources/registry.js';
import { readOnce } from '../src/top/live.js';
import { jsonLine, onceReport } from '../src/top/report.js';

const options = {
  for: value({
    summary: 'watch for this time, then print and detach; Ctrl-C ends it early',
    type: duration({ leastMs: 0 }),
    default: 10_000,
  }),
  yes: flag({ summary: 'attach without a question', short: 'y', config: false }),
  name: value({
    summary: 'name of the application in the report',
    type: text('NAME'),
    default: null,
    defaultText: 'the name in its package.json',
  }),
  leakAfter: value({
    summary: 'report a lease as a leak after this time',
    type: duration({ leastMs: 1 }),
    default: 60_000,
    env: 'POOLCTL_LEAK_AFTER',
  }),
  format: formatOption(['text', 'json']),
};

const processArgument = {
  pid: requiredArgument({ summary: 'id of a Node process of your own', type: processId }),
};

type Context = CommandContext<typeof options, typeof processArgument>;

export const command = defineCommand({
  name: 'attach',
  summary: 'look into the pools of a Node process that runs already',
  description:
    'Watches the pools of a process that was started without poolctl, and prints who holds what. A lease that was out\n' +
    'before has no age and no line of code. It opens the inspector of the process for a moment, asks before it does\n' +
    'so, and removes everything again, even if it is killed. poolctl top --attach shows the process live. While it is\n' +
    'attached, poolctl top, doctor and health see it like one under poolctl run. Linux only.',
  arguments: processArgument,
  options,
  endsByInterrupt: true,
  examples: [
    { command: 'poolctl attach 4711', meaning: 'who holds the connections of process 4711' },
    { command: 'poolctl top --attach 4711', meaning: 'the same, live' },
    { command: 'poolctl attach 4711 --yes --for 1m --format json', meaning: 'for a script' },
  ],
  async run(context) {
    const {
      options: given,
      arguments: { pid },
      io,
    } = context;
    const { yes, name, leakAfter: leakAfterMs } = given;
    if (!yes) requireTerminal(io);
    const { uid, name: userName, tempFolder } = io.user;
    const attached = await askAndAttach({
      ...{ pid, name, leakAfterMs, ownPid: io.pid, abort: io.interrupts.abort },
      owner: { platform: io.host.platform, env: io.env, uid, userName, tempFolder },
      hand: fileURLToPath(new URL('../bin/attach-hand.js', import.meta.url)),
      script: fileURLToPath(new URL('../src/watch/attach/attached.cjs', import.meta.url)),
      confirm: yes ? null : (plan) => confirm(io, `${plan}Attach?`),
    });
    if (attached === null) {
      io.stderr.tell('Nothing was done.\n');
      return ExitCode.Ok;
    }
    let moment: Moment;
    try {
      moment = await watchFor(given.for, attached, context);
    } finally {
      await attached.detach();
    }
    context.log(`process ${pid} is as it was before`);
    const { color, unicode, width } = context.render;
    await context.write(
      given.format === 'json' ? jsonLine(moment) : onceReport(moment, { color, unicode, width, cwd: io.cwd }),
    );
    const interruption = io.interrupts.interruption();
    return interruption === null || interruption.signal === 'SIGINT' ? ExitCode.Ok : interruption.exitCode;
  },
});

/** Until the time is over, or a signal comes. Throws where the process ends before. */
async function watchFor(forMs: number, attached: Attached, context: Context): Promise<Moment> {
  const {
    io,
    options: { quiet },
  } = context;
  const { app, inspectorMs } = attached;
  if (!quiet) {
    const opened =
      inspectorMs === null
        ? 'its inspector was open before and stays so'
        : `its inspector was open for ${formatMs(inspectorMs)}`;
    io.stderr.tell(`Attached to ${app.name} (process ${app.pid}, Node ${app.node}); ${opened}.\n`);
  }
  const found = await attached.found;
  if (found !== null) {
    context.log(
      `searched ${found.objects} objects and ${found.functions} closures for pools, ${formatMs(found.longestMs)} at a time at most`,
    );
  }
  let hasEnded = false;
  const over = new AbortController();
  void attached.over.then(() => {
    hasEnded = true;
    over.abort();
  });
  await pause(io.clock, forMs, AbortSignal.any([io.interrupts.stop, over.signal]));
  if (hasEnded) throw new UnavailableError(`process ${app.pid} has ended while poolctl was attached`);
  const source = openSource(attached.source, { env: io.env, clock: io.clock });
  try {
    const timing = { clock: io.clock, intervalMs: 1000 };
    const ticks = await readOnce([source], timing, AbortSignal.any([io.interrupts.abort, over.signal]));
    const moments = { cwd: io.cwd, settings: settingsIn(io.env) };
    const moment = ticks.reduce<Moment | null>((before, tick) => momentOf(tick, before, moments), null);
    if (moment === null) throw new UnavailableError(`process ${app.pid} could not be read`);
    return moment;
  } finally {
    await source[Symbol.asyncDispose]();
  }
}
