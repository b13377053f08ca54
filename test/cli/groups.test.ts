import { describe, expect, it } from 'vitest';
import { defineCommand } from '../../src/cli/command.js';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { runMain } from '../../src/cli/main.js';
import { testIo } from '../helpers/io.js';
import { madeUpCommand } from './made-up-command.js';

const fill = defineCommand({
  name: 'paint fill',
  summary: 'fill a shape',
  arguments: {},
  options: {},
  async run(context) {
    await context.write('filled\n');
    return ExitCode.Ok;
  },
});

async function run(...argv: readonly string[]) {
  const io = testIo();
  const draw = madeUpCommand();
  const paint = {
    summary: 'do something with paint',
    commands: {
      fill: { summary: fill.summary, load: async () => fill },
      outline: { summary: 'draw around', load: () => Promise.reject(new Error('never loaded here')) },
    },
  };
  const commands = { draw: { summary: draw.summary, load: async () => draw }, paint };
  const exitCode = await runMain({ commands, version: () => '1' }, argv, io);
  return { exitCode, out: io.out(), err: io.err() };
}

describe('a group of commands', () => {
  it('runs the command of the second word', async () => {
    expect(await run('paint', 'fill')).toEqual({ exitCode: 0, out: 'filled\n', err: '' });
  });

  it('is one line in the list of all, and lists its own', async () => {
    const all = await run('--help');
    expect(all.out).toMatch(/paint +do something with paint/);
    expect(all.out).not.toContain('outline');
    const own = await run('paint', '--help');
    expect(own).toMatchObject({ exitCode: 0, err: '' });
    expect(own.out).toContain('Usage: poolctl paint <command> [options]');
    expect(own.out).toMatch(/outline +draw around/);
    expect(await run('help', 'paint')).toEqual(own);
    expect(await run('paint', '-h')).toEqual(own);
    expect(await run('paint')).toEqual(own);
  });

  it('has the help of each of its commands', async () => {
    const { out } = await run('help', 'paint', 'fill');
    expect(out).toContain('Usage: poolctl paint fill [options]');
    expect((await run('paint', 'fill', '--help')).out).toBe(out);
  });

  it.each([
    [['paint', 'fil'], "unknown command 'paint fil'\n  hint: did you mean fill?"],
    [['paint', '--sharp'], 'paint needs a command before --sharp\n  hint: its commands are fill, outline'],
    [['paint', 'toString'], "unknown command 'paint toString'"],
    [['help', 'paint', 'x'], "unknown command 'paint x'"],
    [['fill'], "unknown command 'fill'\n  hint: did you mean paint fill?"],
    [['outlin'], "unknown command 'outlin'"],
    [['paint', 'fill', '--sharp'], "unknown option --sharp\nRun 'poolctl paint fill --help' for usage."],
  ])('%j is a wrong command line: %s', async (argv, message) => {
    const { exitCode, out, err } = await run(...argv);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
    expect(err).toContain(message);
  });
});
