import { describe, expect, it } from 'vitest';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { runMain } from '../../src/cli/main.js';
import { testIo } from '../helpers/io.js';
import { draw, madeUpProgram } from './made-up-command.js';

async function complaintOf(argv: readonly string[]) {
  const io = testIo();
  const { exitCode, context } = await draw(argv, io);
  expect(exitCode).toBe(2);
  expect(context).toBeNull();
  expect(io.out()).toBe('');
  return io.err();
}

describe('a wrong command line', () => {
  it('is told in one line, with how to get help', async () => {
    expect(await complaintOf(['--pool-size', 'many'])).toBe(
      "poolctl: --pool-size: 'many' is not a whole number\nRun 'poolctl draw --help' for usage.\n",
    );
  });

  it('is told completely: every problem at once', async () => {
    const argv = [
      'a',
      'b',
      '--pool-size',
      'many',
      '--pool-sise=4',
      '--shape',
      'oval',
      '--tag',
      '',
      '--strict=yes',
    ];
    expect(await complaintOf(argv)).toBe(
      [
        'poolctl: 6 problems, nothing was run:',
        '  unknown option --pool-sise',
        '    hint: did you mean --pool-size?',
        '  --strict takes no value',
        "  unexpected argument 'b'",
        "  --shape: 'oval' is not one of round, square",
        "  --pool-size: 'many' is not a whole number",
        '  --tag: the value is empty',
        "Run 'poolctl draw --help' for usage.",
        '',
      ].join('\n'),
    );
  });

  it.each([
    [['--no-strict'], '--strict cannot be negated'],
    [['--no-pre-pin'], 'did you mean --no-pre-ping?'],
    [['--pool-size'], '--pool-size needs a value'],
    [['--strict', '--tag', 'x', '--pool-size'], '--pool-size needs a value'],
    [['--pool-size', '--strict'], '--pool-size needs a value, but --strict follows'],
    [['--pool-size=-1'], "--pool-size: '-1' is too low; 0 is the least"],
    [['--pool-size='], "--pool-size: '' is not a whole number"],
    [['--pool-timeout', '0x'], 'unknown unit'],
    [['-x'], 'unknown option -x'],
    [['--timeout', '5s'], 'did you mean --pool-timeout?'],
    [['--time-out=5s'], 'did you mean --pool-timeout?'],
    [['--env-file', '.env'], 'write --dotenv .env'],
    [['--env-file=.env'], '--env-file is an option of Node'],
    [['--pool-size', 'many', '--pool-size', '5'], "--pool-size: 'many' is not a whole number"],
    [['one', 'two'], "unexpected argument 'two'"],
    [['one', '--', '--two', 'three'], "unexpected arguments '--two', 'three'"],
    [['--corners', '5'], '--corners only applies to --shape square'],
  ])('%j: %s', async (argv, message) => {
    expect(await complaintOf(argv)).toContain(message);
  });

  it('draws no second complaint from a rule about a value that could not be read', async () => {
    const text = await complaintOf(['--corners', '5', '--shape', 'oval']);
    expect(text).not.toContain('only applies');
  });

  it('keeps what stands before a last option without value', async () => {
    expect(await complaintOf(['--pool-size', 'many', '--tag'])).toContain('2 problems');
  });
});

describe('a command', () => {
  const run = async (argv: readonly string[]) => {
    const io = testIo();
    const exitCode = await runMain(madeUpProgram(), argv, io);
    return { exitCode, out: io.out(), err: io.err() };
  };

  it('that is not given is answered with the help, and the exit codes in it', async () => {
    const { exitCode, out, err } = await run([]);
    expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
    expect(out).toContain('Exit codes:\n  0 ');
    for (const code of Object.values(ExitCode)) expect(out).toMatch(new RegExp(`\\b${code}\\b`));
    expect(out).toBe((await run(['--help'])).out);
  });

  it('must exist', async () => {
    expect((await run(['drwa'])).err).toContain("unknown command 'drwa'\n  hint: did you mean draw?");
    expect((await run(['paint'])).err).toContain('hint: commands are draw, erase');
    expect((await run(['toString'])).exitCode).toBe(2);
    expect((await run(['help', 'drwa'])).exitCode).toBe(2);
  });

  it('comes before its options', async () => {
    expect((await run(['--strict', 'draw'])).err).toContain(
      'unknown option --strict\n  hint: put options after',
    );
    expect((await run(['--hepl'])).err).toContain('did you mean --help?');
  });

  it('is listed in the help, and not loaded for it', async () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const { exitCode, out, err } = await run(argv);
      expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
      expect(out).toContain('Usage: poolctl <command> [options]');
      expect(out).toMatch(/draw +draw a shape/);
      expect(out).toMatch(/erase +remove a shape/);
    }
  });

  it('explains itself', async () => {
    const { exitCode, out } = await run(['draw', '--pool-size', 'many', '--help']);
    expect(exitCode).toBe(0);
    expect(out).toContain('Usage: poolctl draw [options] [target]');
    expect(out).toMatch(/--pool-size <N> +resources kept \(default: 5, env: DB_POOL_SIZE\)/);
    expect(out).toMatch(/--\[no-\]pre-ping +ask before lending \(default: on,\s+env:\s+DB_POOL_PRE_PING\)/);
    expect(out).toContain('Draw a shape.');
    expect(out).toMatch(/--shape <round\|square> +the shape \(default: round\)/);
    expect(out).toContain('Pool:');
    expect(out).toContain('Common options:');
    expect(out).toContain('Examples:\n  A square:\n    poolctl draw --shape square');
    expect((await run(['help', 'draw'])).out).toBe(out);
    expect((await run(['draw', '-h'])).out).toBe(out);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
  });

  it('is told apart from a value: -h behind an option belongs to it', async () => {
    const { context } = await draw(['--tag', '-h'], testIo());
    expect(context?.options.tag).toEqual(['-h']);
  });

  it('shows the version', async () => {
    expect(await run(['--version'])).toEqual({ exitCode: 0, out: '9.8.7\n', err: '' });
    expect((await run(['-V'])).out).toBe('9.8.7\n');
  });
});
