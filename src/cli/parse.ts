import { CommanderError, Option, Command as Program } from 'commander';
import type { Command } from './command.js';
import { NODE_ENV_OPTIONS } from './dotenv.js';
import type { Problem } from './errors.js';
import { flagOf, type OptionTable, type Source } from './options.js';
import { didYouMean } from './suggest.js';

/** A command line taken apart; nothing in it has been read yet. */
export interface ParsedLine {
  readonly flags: Source;
  readonly operands: readonly string[];
  /** Whether operands may be missing because they stand behind an option that is not known. */
  readonly isIncomplete: boolean;
  readonly wantsHelp: 'short' | 'all' | null;
  readonly problems: readonly Problem[];
}

/** Takes the arguments behind the command's name apart. Unlike commander itself it goes on after a mistake. */
export function parseLine(command: Command, table: OptionTable, argv: readonly string[]): ParsedLine {
  const program = addOptions(new Program(command.name), table).helpOption(false).exitOverride();
  program.configureOutput({ writeErr: () => {} });
  const problems: Problem[] = [];
  const args = withBareWords(table, argv);
  const { operands, unknown } = parseCompletely(program, args, problems);
  const texts = textsOf(program, table);
  for (const { key, next } of withoutValue(table, args)) {
    problems.push({ message: `${flagOf(key)} needs a value, but ${next} follows`, hint: null });
    texts.delete(key);
  }
  const flags = optionsIn(unknown);
  const wrong = flags.filter((flag) => helpOf(flag) === null);
  problems.push(...wrong.map((flag) => unknownOption(flag, argv, table)));
  return {
    flags: { texts, label: flagOf, origin: () => ({ kind: 'flag' }) },
    operands,
    isIncomplete: wrong.length > 0,
    wantsHelp: flags.map(helpOf).find((help) => help !== null) ?? null,
    problems,
  };
}

/** Declares the options to commander. What it parses stays text, to be read later. */
function addOptions(program: Program, table: OptionTable): Program {
  for (const [key, spec] of Object.entries(table)) {
    const short = spec.short === null ? '' : `-${spec.short}, `;
    const option = new Option(`${short}${flagOf(key)}${spec.kind === 'flag' ? '' : ' <VALUE>'}`);
    if (spec.kind !== 'flag') option.argParser(collect);
    program.addOption(option);
    if (spec.negatable) program.addOption(new Option(negated(key)));
  }
  return program;
}

function collect(text: string, before: unknown): readonly string[] {
  return [...(Array.isArray(before) ? before.map(String) : []), text];
}

/**
 * Writes an option whose value may be left out with its value: `--color` as `--color=always`, `--no-color` as
 * `--color=never`. A word behind it is its value only if it is one of its words: others may be names of files.
 */
function withBareWords(table: OptionTable, argv: readonly string[]): string[] {
  const end = argv.indexOf('--');
  const own = end < 0 ? argv : argv.slice(0, end);
  const args: string[] = [];
  for (let at = 0; at < own.length; at++) {
    const arg = own[at] ?? '';
    const key = Object.keys(table).find(
      (one) => table[one]?.bare && (arg === flagOf(one) || arg === negated(one)),
    );
    const bare = key === undefined ? null : table[key]?.bare;
    if (key === undefined || bare == null) {
      args.push(arg);
      continue;
    }
    const next = own[at + 1];
    const hasValue = arg === flagOf(key) && next !== undefined && bare.words.includes(next);
    args.push(`${flagOf(key)}=${hasValue ? next : arg === flagOf(key) ? bare.on : bare.off}`);
    if (hasValue) at++;
  }
  return end < 0 ? args : [...args, ...argv.slice(end)];
}

/** `--pool-size --num-workers 5`: commander takes the next argument, whatever it is. */
function withoutValue(table: OptionTable, args: readonly string[]): { key: string; next: string }[] {
  const found: { key: string; next: string }[] = [];
  for (let at = 0; at < args.length && args[at] !== '--'; at++) {
    const arg = args[at] ?? '';
    const next = args[at + 1] ?? '';
    const key = Object.keys(table).find((one) => {
      const spec = table[one];
      return (
        spec?.kind !== 'flag' && (arg === flagOf(one) || (spec?.short != null && arg === `-${spec.short}`))
      );
    });
    if (key === undefined) continue;
    if (next.startsWith('--') && isFlagOf(table, next)) found.push({ key, next });
    at++;
  }
  return found;
}

/** The words that commander parses; an option without its value, which can only be the last argument, is cut off. */
function parseCompletely(program: Program, args: string[], problems: Problem[]) {
  try {
    return program.parseOptions(args);
  } catch (error) {
    if (!(error instanceof CommanderError) || error.code !== 'commander.optionMissingArgument') throw error;
    const last = args.at(-1) ?? '';
    problems.push({ message: `${last} needs a value`, hint: null });
    // Parsing starts again from nothing; the options seen so far are set a second time to the same.
    for (const option of program.options) program.setOptionValue(option.attributeName(), undefined);
    return program.parseOptions(args.slice(0, -1));
  }
}

function textsOf(program: Program, table: OptionTable): Map<string, readonly string[]> {
  const texts = new Map<string, readonly string[]>();
  for (const key of Object.keys(table)) {
    const given: unknown = program.getOptionValue(key);
    if (Array.isArray(given)) texts.set(key, given.map(String));
    else if (typeof given === 'boolean' && program.getOptionValueSource(key) === 'cli')
      texts.set(key, [String(given)]);
  }
  return texts;
}

/** The options among what commander did not know; what stands between them may be their values. */
function optionsIn(unknown: readonly string[]): string[] {
  const end = unknown.indexOf('--');
  return (end < 0 ? unknown : unknown.slice(0, end)).filter((arg) => arg.length > 1 && arg.startsWith('-'));
}

function unknownOption(given: string, argv: readonly string[], table: OptionTable): Problem {
  const [name = '', value] = given.split(/=(.*)/s);
  if (NODE_ENV_OPTIONS.includes(name)) {
    const file = value ?? argv[argv.indexOf(given) + 1] ?? 'FILE';
    return {
      message: `${name} is an option of Node, which loads that file into this process before poolctl starts, NODE_OPTIONS included`,
      hint: `to let poolctl read it, write --dotenv ${file}`,
    };
  }
  const keys = Object.keys(table);
  const key = keys.find((one) => name === flagOf(one) || name === negated(one));
  if (key !== undefined && value !== undefined) return { message: `${name} takes no value`, hint: null };
  if (key !== undefined) return { message: `${flagOf(key)} cannot be negated`, hint: null };
  const candidates = keys.flatMap((one) =>
    table[one]?.negatable ? [flagOf(one), negated(one)] : [flagOf(one)],
  );
  return {
    message: `unknown option ${name}`,
    hint: didYouMean(name, [...candidates, '--help', '--help-all']),
  };
}

function isFlagOf(table: OptionTable, given: string): boolean {
  const name = given.split('=')[0];
  return Object.keys(table).some((key) => flagOf(key) === name || negated(key) === name);
}

/** `poolSize` -> `--no-pool-size`. */
function negated(key: string): string {
  return `--no-${flagOf(key).slice(2)}`;
}

function helpOf(arg: string): 'short' | 'all' | null {
  if (arg === '--help-all') return 'all';
  return arg === '-h' || arg === '--help' ? 'short' : null;
}
