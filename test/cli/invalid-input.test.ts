import { describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { allCommands, type Command } from '../../src/cli/command.js';
import { commonOptions } from '../../src/cli/common-options.js';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { runMain } from '../../src/cli/main.js';
import { flagOf, type OptionSpec, type OptionTable } from '../../src/cli/options.js';
import { testIo } from '../helpers/io.js';

/** Every command, with its work replaced: what gets as far as that was not refused. */
const all: readonly Command[] = await Promise.all(
  Object.values(allCommands(commands)).map(async (entry) => ({
    ...(await entry.load()),
    run: async () => ExitCode.Ok,
  })),
);

const HUGE = '99999999999999999999';

/** Values that no option of that kind takes, by what stands for the value in the help; and one that most take. */
const KINDS: Readonly<Record<string, { readonly bad: readonly string[]; readonly good: string }>> = {
  N: { bad: ['', ' ', '-5', 'NaN', 'Infinity', '1e999', HUGE, '1.5', '5x', '0x10', '5s'], good: '300' },
  X: { bad: ['', 'NaN', '-5', 'Infinity', '1e999', HUGE, '5x', '5%'], good: '1' },
  DURATION: {
    bad: ['', 'NaN', '-5s', '5x', '5ss', 's', '1e999s', `${HUGE}d`, 'Infinity', '5 apples'],
    good: '5s',
  },
  TIME: { bad: ['', 'NaN', '-5s', '5x', `${HUGE}d`, '1.5ms'], good: '5s' },
  RATE: {
    bad: ['', '5', 'NaN/s', '-5/s', '5/x', '5/0s', '5/-1s', '/s', '1e999/s', `${HUGE}/s`],
    good: '50/s',
  },
  PERCENT: { bad: ['', 'NaN', '-5%', '5x', '1e999%', '1001%', '%'], good: '5%' },
  SIZE: { bad: ['', 'NaN', '-5MB', '5x', '1e999', `${HUGE}GB`, '5MBB'], good: '3MB' },
  'DURATION|N': { bad: ['', '-5', '-5s', '5x', 'NaN', `${HUGE}d`], good: '1s' },
  'FILE[@WEIGHT]': { bad: ['', 'a.sql@0'], good: 'a.sql' },
  'NAME=VALUE': { bad: ['', '=', '1=2', 'a'], good: 'a=1' },
  "'NAME: VALUE'": { bad: ['', ':', 'a', 'a b: c', 'a: b\nc: d'], good: 'Accept: */*' },
  'pool-size=N,N,...': {
    bad: ['', 'pool-size', 'pool-size=', 'pool-size=a', 'size=1,2', 'pool-size=-1'],
    good: '',
  },
  EXPRESSION: { bad: ['', 'p99', 'p99<', 'p99<NaN', 'p99<5x', 'nosuch<5ms'], good: '' },
  'N|auto': { bad: ['', '0', '-1', '1.5', 'all', HUGE], good: '' },
  'I/N': { bad: ['', '0/4', '5/4', '1', 'a/b', '1/0', '-1/2', `1/${HUGE}`], good: '' },
  'HH:MM:SSZ': { bad: ['', '5s', 'noon', '25:00:00Z', '12:00', '2026-13-01T00:00:00Z'], good: '' },
  JSON: { bad: [''], good: '' },
  URL: { bad: ['', 'foo', 'postgres://u@h/db', 'pgbouncer://u@h:99999/', 'pgbouncer://u@h/db'], good: '' },
};

/** Any text will do for these. */
const TEXTS = /^(?:TEXT|FILE|FOLDER|GLOB|GITREF|SQL|SYMBOL|HOST|SOURCE|IMAGE|FIELD)$/;

/** Options that take some text, but not any, and so are checked with a word that is not theirs. */
const isWords = (spec: OptionSpec<unknown>) =>
  KINDS[spec.placeholder] === undefined && !TEXTS.test(spec.placeholder);

/** What each command must be given. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  compare: ['a.json', 'b.json'],
  completion: ['bash'],
  run: ['--', 'true'],
  'pgbouncer init': ['postgres://app@127.0.0.1/shop'],
  'pgbouncer show': ['pools'],
  'pgbouncer kill': ['shop'],
  'pgbouncer disable': ['shop'],
  'pgbouncer enable': ['shop'],
  'metrics serve': ['--source', 'pool:/x'],
};

/** Names that may be anything, and settings of which an empty one is a value. */
// A token may be any word too, and nothing shows it afterwards.
const ANY_NAME = new Set([
  ...['name', 'account', 'user', 'adminUser', 'statsUser', 'column', 'cacheLocation', 'controlToken', 'pool'],
]);
const MAY_BE_EMPTY = (command: string, { placeholder }: OptionSpec<unknown>) =>
  command === 'pgbouncer init' && placeholder === 'TEXT';

async function run(command: Command, argv: readonly string[]) {
  const io = testIo();
  const words = command.name.split(' ');
  const leaf = { summary: command.summary, load: async () => command };
  const [first = '', second] = words;
  const table =
    second === undefined
      ? { [first]: leaf }
      : { [first]: { summary: 'a group', commands: { [second]: leaf } } };
  const given = [...words, ...argv, ...(ARGUMENTS[command.name] ?? [])];
  const exitCode = await runMain({ commands: table, version: () => '1' }, given, io);
  return { exitCode, out: io.out(), err: io.err() };
}

/** What is wrong with how a command refuses these arguments; null if nothing is. */
async function flawOf(
  command: Command,
  argv: readonly string[],
  says: readonly string[],
): Promise<string | null> {
  const { exitCode, out, err } = await run(command, argv);
  const flaws = [
    exitCode === 2 ? '' : `exit ${exitCode}`,
    out === '' ? '' : 'writes to stdout',
    err.startsWith('poolctl: ') ? '' : 'does not begin with poolctl:',
    ...says.map((text) =>
      err.split(text).length === 2 ? '' : `says ${JSON.stringify(text)} ${err.split(text).length - 1} times`,
    ),
    /\bundefined\b|\bnull\b|\[object|Error:|commander|ERR_|EISDIR|ENOENT|\n {4}at /.test(err)
      ? 'in foreign words'
      : '',
    /--help' for usage\.\n$/.test(err) ? '' : 'does not say how to get help',
  ].filter((flaw) => flaw !== '');
  return flaws.length === 0
    ? null
    : `poolctl ${command.name} ${argv.map((arg) => JSON.stringify(arg)).join(' ')}: ${flaws.join(', ')}\n${err}`;
}

function tableOf(command: Command): OptionTable {
  return { ...commonOptions, ...command.options };
}

/** What is given, and what the complaint says exactly once. */
type Case = readonly [argv: readonly string[], says: readonly string[]];

describe.each(all.map((command) => [command.name, command] as const))('poolctl %s', (_name, command) => {
  const options = Object.entries(tableOf(command));
  const valued = options.filter(([, spec]) => spec.kind !== 'flag');

  async function expectNoFlaw(cases: readonly Case[]) {
    const flaws = [];
    for (const [argv, says] of cases) flaws.push(await flawOf(command, argv, says));
    expect(flaws.filter((flaw) => flaw !== null)).toEqual([]);
  }

  it('refuses values that are empty, negative, huge, no number, or in a wrong unit, as they were typed', async () => {
    await expectNoFlaw(
      valued.flatMap(([key, spec]) =>
        (KINDS[spec.placeholder]?.bad ?? []).map((bad) => {
          const isQuoted = bad.trim() !== '' && !bad.includes('\n') && spec.placeholder !== "'NAME: VALUE'";
          return [
            [`${flagOf(key)}=${bad}`],
            [`${flagOf(key)}: `, ...(isQuoted ? [`'${bad}'`] : [])],
          ] as const;
        }),
      ),
    );
  });

  it('refuses an empty text, and words that are none of an option', async () => {
    await expectNoFlaw(
      valued
        .filter(([, spec]) => KINDS[spec.placeholder] === undefined && !MAY_BE_EMPTY(command.name, spec))
        .flatMap(([key, spec]): readonly Case[] => {
          const empty: Case = [[`${flagOf(key)}=`], [`${flagOf(key)}: `]];
          const wrong: Case = [[`${flagOf(key)}=no~such`], [`${flagOf(key)}: `, 'no~such']];
          return isWords(spec) && !ANY_NAME.has(key) ? [empty, wrong] : [empty];
        }),
    );
  });

  it('refuses one bad value among several, whichever is the last', async () => {
    await expectNoFlaw(
      valued.flatMap(([key, spec]) => {
        const kind = KINDS[spec.placeholder];
        const bad = kind?.bad.at(-1);
        if (kind === undefined || kind.good === '' || bad === undefined) return [];
        const both = [`${flagOf(key)}=${bad}`, `${flagOf(key)}=${kind.good}`];
        return [both, both.toReversed()].map((argv) => [argv, [`${flagOf(key)}: `]] as const);
      }),
    );
  });

  it('refuses an option without its value, and a switch with one', async () => {
    await expectNoFlaw(
      options.flatMap(([key, spec]): readonly Case[] => {
        const name = flagOf(key);
        if (spec.bare !== null) return [];
        if (spec.kind === 'flag') return [[[`${name}=5`], [`${name} takes no value`]]];
        return [[[name, '--print-config'], [`${name} needs a value, but --print-config follows`]]];
      }),
    );
  });

  it('corrects each misspelled option', async () => {
    await expectNoFlaw(
      options.map(([key]) => {
        const name = flagOf(key);
        const misspelled = `${name.slice(0, 3)}${name.slice(4)}q`;
        return [[misspelled], [`unknown option ${misspelled}\n`]] as const;
      }),
    );
  });
});

describe('every option', () => {
  it('is of a kind whose bad values are known here', () => {
    const places = all.flatMap((command) =>
      Object.values(tableOf(command)).map(({ placeholder }) => placeholder),
    );
    for (const kind of Object.keys(KINDS)) expect(places).toContain(kind);
  });
});
