import { CommanderError, Command as Program } from 'commander';
import type { Command } from './command.js';
import type { Problem } from './errors.js';
import { addOptions } from './help.js';
import { flagOf, type OptionTable, type Source } from './options.js';
import { didYouMean } from './suggest.js';

/** A command line taken apart; nothing in it has been read yet. */
export interface ParsedLine {
  readonly flags: Source;
  readonly operands: readonly string[];
  readonly wantsHelp: boolean;
  readonly problems: readonly Problem[];
}

/** Takes the arguments behind the command's name apart. Unlike commander itself it goes on after a mistake. */
export function parseLine(command: Command, table: OptionTable, argv: readonly string[]): ParsedLine {
  const program = addOptions(new Program(command.name), table).helpOption(false).exitOverride();
  program.configureOutput({ writeErr: () => {} });
  const problems: Problem[] = [];
  const args = [...argv];
  const { operands, unknown } = parseCompletely(program, args, problems);
  const texts = textsOf(program, table);
  for (const [key, [given = '']] of texts) {
    // `--pool-size --num-workers 5`: commander takes the next argument, whatever it is.
    if (given.startsWith('--') && isFlagOf(table, given)) {
      problems.push({ message: `${flagOf(key)} needs a value, and ${given} follows`, hint: null });
      texts.delete(key);
    }
  }
  const flags = optionsIn(unknown);
  problems.push(...flags.filter((flag) => !isHelp(flag)).map((flag) => unknownOption(flag, table)));
  return {
    flags: { texts, label: flagOf, origin: () => ({ kind: 'flag' }) },
    operands,
    wantsHelp: flags.some(isHelp),
    problems,
  };
}

/** What commander parses; an option without its value, which can only be the last argument, is cut off. */
function parseCompletely(program: Program, args: string[], problems: Problem[]) {
  try {
    return program.parseOptions(args);
  } catch (error) {
    if (!(error instanceof CommanderError) || error.code !== 'commander.optionMissingArgument') throw error;
    const last = args.at(-1) ?? '';
    problems.push({ message: `${last} needs a value`, hint: null });
    // Parsing starts again from nothing; the options seen so far are set a second time to the same.
    for (const { attributeName } of program.options.map((option) => ({
      attributeName: option.attributeName(),
    }))) {
      program.setOptionValue(attributeName, undefined);
    }
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

function unknownOption(given: string, table: OptionTable): Problem {
  const [name = '', value] = given.split(/=(.*)/s);
  const keys = Object.keys(table);
  const key = keys.find((one) => name === flagOf(one) || name === `--no-${flagOf(one).slice(2)}`);
  if (key !== undefined && value !== undefined) return { message: `${name} takes no value`, hint: null };
  if (key !== undefined) return { message: `there is no ${name}`, hint: null };
  const candidates = keys.flatMap((one) => {
    const positive = flagOf(one);
    return table[one]?.negatable ? [positive, `--no-${positive.slice(2)}`] : [positive];
  });
  return { message: `unknown option ${name}`, hint: didYouMean(name, [...candidates, '--help']) };
}

function isFlagOf(table: OptionTable, given: string): boolean {
  const name = given.split('=')[0];
  return Object.keys(table).some((key) => flagOf(key) === name || `--no-${flagOf(key).slice(2)}` === name);
}

function isHelp(arg: string): boolean {
  return arg === '-h' || arg === '--help';
}
