import { type CommandContext, defineCommand, onlyWith, optionalArgument } from '../../src/cli/command.js';
import { formatOption } from '../../src/cli/common-options.js';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { runMain } from '../../src/cli/main.js';
import { flag, list, value } from '../../src/cli/options.js';
import { choice, count, duration, durationOrNever, text } from '../../src/cli/value-types.js';
import type { TestIo } from '../helpers/io.js';

const options = {
  shape: value({ summary: 'the shape', type: choice(['round', 'square']), default: 'round', group: 'Shape' }),
  corners: value({ summary: 'how many corners', type: count({ least: 3 }), default: 4, group: 'Shape' }),
  poolSize: value({
    summary: 'resources kept',
    type: count(),
    default: 5,
    env: 'DB_POOL_SIZE',
    group: 'Pool',
  }),
  poolTimeout: value({
    summary: 'how long to wait',
    type: durationOrNever({ bareUnit: 's' }),
    default: 30_000,
    env: 'DB_POOL_TIMEOUT',
    group: 'Pool',
  }),
  prePing: flag({ summary: 'ask before lending', default: true, negatable: true, env: 'DB_POOL_PRE_PING' }),
  pause: value({ summary: 'between two', type: duration(), default: null }),
  tag: list({ summary: 'a tag', type: text() }),
  strict: flag({ summary: 'be strict' }),
  format: formatOption(['text', 'json']),
};

type Options = typeof options;
const args = { target: optionalArgument({ summary: 'what to draw', type: text() }) };
type Context = CommandContext<Options, typeof args>;

/** A command that does what a test gives it to do, by default nothing. Its options are one of each kind. */
export function madeUpCommand(run: (context: Context) => Promise<ExitCode> = async () => ExitCode.Ok) {
  return defineCommand({
    name: 'draw',
    summary: 'draw a shape',
    arguments: args,
    options,
    rules: [onlyWith('corners', 'shape', ['square'], '--corners only applies to --shape square')],
    presetFor: ({ arguments: { target } }) =>
      target === 'large' ? { name: 'large', values: { poolSize: 100 } } : null,
    examples: [{ command: 'poolctl draw --shape square', meaning: 'a square' }],
    run,
  });
}

/** Runs `poolctl draw ...argv`, and gives the exit code and what `run` was given. */
export async function draw(
  argv: readonly string[],
  io: TestIo,
  work: (context: Context) => Promise<ExitCode | undefined> = async () => ExitCode.Ok,
) {
  let context: Context | null = null;
  const command = madeUpCommand(async (given) => {
    context = given;
    return (await work(given)) ?? ExitCode.Ok;
  });
  const exitCode = await runMain(madeUpProgram(command), ['draw', ...argv], io);
  return { exitCode, context: context as Context | null };
}

export function madeUpProgram(command = madeUpCommand()) {
  return {
    commands: {
      draw: { summary: command.summary, load: async () => command },
      erase: { summary: 'remove a shape', load: () => Promise.reject(new Error('never loaded here')) },
    },
    version: () => '9.8.7',
  };
}
