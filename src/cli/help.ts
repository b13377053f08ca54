import { Option, Command as Program } from 'commander';
import type { ArgumentTable, Command, CommandGroup, CommandTable } from './command.js';
import type { Output } from './io.js';
import { flagOf, type OptionSpec, type OptionTable } from './options.js';

const LONGEST_PLACEHOLDER = 20;

/** The help of poolctl itself: what commands there are. */
export function programHelp(commands: CommandTable, output: Output): string {
  const program = new Program('poolctl')
    .usage('<command> [options]')
    .description('The tool to open when a connection pool runs dry.')
    .helpOption('-h, --help', 'show this help')
    .option('-V, --version', 'print the version')
    .configureHelp({ helpWidth: helpWidth(output) });
  for (const [name, { summary }] of Object.entries(commands)) program.command(name).description(summary);
  program.helpCommand('help <command>', 'show all options of a command');
  return program.helpInformation();
}

/** The help of a group: what commands there are in it. */
export function groupHelp(name: string, { summary, commands }: CommandGroup, output: Output): string {
  const program = new Program(`poolctl ${name}`)
    .usage('<command> [options]')
    .description(`${capitalized(summary)}.`)
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureHelp({ helpWidth: helpWidth(output) });
  for (const [second, entry] of Object.entries(commands)) program.command(second).description(entry.summary);
  return program.helpInformation();
}

/** The help of one command, with every option, its default and its environment variable. */
export function commandHelp(command: Command, table: OptionTable, output: Output): string {
  const program = new Program(`poolctl ${command.name}`)
    .usage(['[options]', ...argumentNames(command.arguments)].join(' '))
    .description(paragraphs(command.description ?? `${capitalized(command.summary)}.`))
    .configureHelp({ helpWidth: helpWidth(output), optionTerm: ({ flags }) => termOf(flags, table) });
  for (const [name, { summary, required, variadic }] of Object.entries(command.arguments)) {
    program.argument(argumentName(name, required, variadic), summary);
  }
  addOptions(program, table);
  program
    .addOption(new Option('-h, --help', 'show this help').helpGroup(headingOf('Common options')))
    .helpOption(false);
  return program.helpInformation() + examplesOf(command);
}

/** Declares the options to commander: to parse they stay texts, to be read later; to help they are described. */
export function addOptions(program: Program, table: OptionTable): Program {
  for (const [key, spec] of Object.entries(table)) {
    const short = spec.short === null ? '' : `-${spec.short}, `;
    const value = spec.kind === 'flag' ? '' : ` <${isLong(spec) ? 'WORD' : spec.placeholder}>`;
    const option = new Option(`${short}${flagOf(key)}${value}`, describe(spec)).helpGroup(
      headingOf(spec.group),
    );
    if (spec.kind !== 'flag') option.argParser(collect);
    program.addOption(option);
    if (!spec.negatable) continue;
    const negated = new Option(`--no-${flagOf(key).slice(2)}`);
    program.addOption(negated.hideHelp());
  }
  return program;
}

/** Many words in one column would leave the other none: commander then breaks no lines at all. */
function isLong({ placeholder }: OptionSpec<unknown>): boolean {
  return placeholder.length > LONGEST_PLACEHOLDER;
}

function collect(text: string, before: unknown): readonly string[] {
  return [...(Array.isArray(before) ? before.map(String) : []), text];
}

function describe(spec: OptionSpec<unknown>): string {
  const { summary, defaultText, env, kind } = spec;
  const words = isLong(spec) ? spec.placeholder.split('|') : [];
  const facts = [
    ...(words.every((word) => summary.includes(word)) ? [] : [`one of ${words.join(', ')}`]),
    ...(kind === 'list' ? ['repeatable'] : []),
    ...(defaultText === null ? [] : [`default: ${defaultText}`]),
    ...(env === null ? [] : [`env: ${env}`]),
  ];
  return facts.length === 0 ? summary : `${summary} (${facts.join(', ')})`;
}

/** `--[no-]pre-ping` stands for both. */
function termOf(flags: string, table: OptionTable): string {
  const key = Object.keys(table).find((one) => flagOf(one) === flags);
  return key !== undefined && table[key]?.negatable ? `--[no-]${flags.slice(2)}` : flags;
}

function argumentNames(table: ArgumentTable): string[] {
  return Object.entries(table).map(([name, { required, variadic }]) =>
    argumentName(name, required, variadic),
  );
}

function argumentName(name: string, required: boolean, variadic: boolean): string {
  const inner = variadic ? `${name}...` : name;
  return required ? `<${inner}>` : `[${inner}]`;
}

function examplesOf({ examples = [] }: Command): string {
  if (examples.length === 0) return '';
  return `\nExamples:\n${examples.map(({ command, meaning }) => `  ${meaning}:\n    ${command}\n`).join('')}`;
}

/** Single line breaks are the source's; the help breaks lines where the terminal ends. */
function paragraphs(text: string): string {
  return text.replaceAll(/(?<!\n)\n(?!\n)/g, ' ');
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function headingOf(group: string): string {
  return `${group}:`;
}

/** Help is for reading: wider than this, lines are hard to follow. */
function helpWidth(output: Output): number {
  return Math.min(100, output.columns);
}
