import { describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { allCommands } from '../../src/cli/command.js';
import { runMain } from '../../src/cli/main.js';
import { testIo } from '../helpers/io.js';

const names = Object.keys(allCommands(commands));
const groups = Object.entries(commands).flatMap(([name, entry]) => ('load' in entry ? [] : [name]));

async function helpOf(argv: readonly string[], columns = 80): Promise<readonly string[]> {
  const io = testIo({ columns });
  const exitCode = await runMain({ commands, version: () => '1.2.3' }, argv, io);
  expect({ argv, exitCode, err: io.err() }).toEqual({ argv, exitCode: 0, err: '' });
  return io.out().trimEnd().split('\n');
}

const pages: readonly (readonly string[])[] = [
  [],
  ['--help'],
  ['help'],
  ...groups.map((name) => [name]),
  ...names.flatMap((name) => [
    [...name.split(' '), '--help'],
    [...name.split(' '), '--help-all'],
    ['help', ...name.split(' ')],
  ]),
];

describe('a page of help', () => {
  it.each(pages)('%j %j %j fits 80 columns, on a wider terminal too', async (...argv) => {
    const words = argv.filter((word) => typeof word === 'string');
    for (const columns of [80, 200]) {
      for (const line of await helpOf(words, columns)) expect(line.length, line).toBeLessThanOrEqual(80);
    }
  });

  it('goes below its terms on a narrow terminal', async () => {
    const lines = await helpOf(['top', '--help'], 40);
    expect(lines).toContain('      --demo');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(80);
  });

  it('has examples that a shell reads as one command', async () => {
    const text = (await helpOf(['loadtest', '--help-all'])).join('\n');
    expect(text).toContain(
      "    poolctl loadtest --threshold 'p99<50ms' --threshold 'errors<=0' \\\n      --format json -o result.json",
    );
    expect(text).toContain("--sql 'SELECT * FROM orders WHERE id = ?' \\\n      --params '[[1],[2]]'");
  });
});

describe('poolctl loadtest --help', () => {
  it('is half as long as all of it, grouped by target, and says how to see the rest', async () => {
    const short = await helpOf(['loadtest', '--help']);
    const all = await helpOf(['loadtest', '--help-all']);
    const options = (lines: readonly string[]) =>
      lines.filter((line) => /^ {2}(-\w, | {4})--/.test(line)).length;
    expect(options(short) * 2).toBeLessThan(options(all));
    expect(short.filter((line) => /^[A-Z].*:$/.test(line))).toEqual([
      'Arguments:',
      'Load:',
      'Segments:',
      'Database targets:',
      'Feed targets:',
      'HTTP targets:',
      'Pool:',
      'Verdict:',
      'Output:',
      'Common options:',
      'Examples:',
    ]);
    expect(short.at(-1)).toMatch(/^Run 'poolctl loadtest --help-all' for all \d+ options\.$/);
    expect(await helpOf(['help', 'loadtest'])).toEqual(all);
  });
});
