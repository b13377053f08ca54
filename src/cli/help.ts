import { wrap } from '../report/text.js';
import type { ArgumentTable, Command, CommandGroup, CommandTable, Example } from './command.js';
import type { Output } from './io.js';
import { flagOf, type OptionSpec, type OptionTable } from './options.js';

/** Help is read beside code, and pasted into reviews. */
const WIDEST = 80;
/** A longer term stands on a line of its own. */
const LONGEST_TERM = 28;
/** Descriptions go below the terms where no more than this width is left. */
const NARROWEST_TEXT = 24;
const LONGEST_PLACEHOLDER = 20;
/** As many examples as a short page has. */
const SHORT_EXAMPLES = 5;

const EXIT_CODES: readonly Entry[] = [
  ['0', 'the command ran and the verdict is good'],
  ['1', 'the command ran and the verdict is bad: findings, a failed threshold or check'],
  ['2', 'the command line, the config file or a threshold is wrong; nothing ran'],
  ['3', 'a target, a file or an optional package is not available'],
  ['70', 'a defect in poolctl'],
  ['129, 130, 143', 'stopped before the verdict by SIGHUP, Ctrl-C (SIGINT) or SIGTERM'],
];

type Entry = readonly [term: string, text: string];

/** The help of poolctl itself: its commands, and the exit codes that all of them share. */
export function programHelp(commands: CommandTable, output: Output): string {
  const page = pageFor(output);
  return page.text(
    'Usage: poolctl <command> [options]',
    page.paragraph('Find connection leaks, load-test connection pools, and watch them live.'),
    page.list('Commands', summariesOf(commands)),
    page.list('Options', [
      ['-h, --help', 'show this help'],
      ['-V, --version', 'show the version'],
    ]),
    page.list('Exit codes', EXIT_CODES),
    page.paragraph("Run 'poolctl <command> --help' for the options of a command."),
  );
}

/** The help of a group of commands. */
export function groupHelp(name: string, { summary, commands }: CommandGroup, output: Output): string {
  const page = pageFor(output);
  return page.text(
    `Usage: poolctl ${name} <command> [options]`,
    page.paragraph(`${capitalized(summary)}.`),
    page.list('Commands', summariesOf(commands)),
    page.paragraph(`Run 'poolctl ${name} <command> --help' for the options of a command.`),
  );
}

/** The help of one command. `short` leaves out what is advanced. */
export function commandHelp(
  command: Command,
  table: OptionTable,
  { output, extent }: { readonly output: Output; readonly extent: 'short' | 'all' },
): string {
  const page = pageFor(output);
  const all = Object.entries(table);
  const shown = all.filter(([, { advanced }]) => extent === 'all' || !advanced);
  const hidden = all.length - shown.length;
  const groups = new Map<string, Entry[]>();
  for (const [key, spec] of shown) {
    groups.set(spec.group, [
      ...(groups.get(spec.group) ?? []),
      [termOf(key, spec), describe(spec, hidden > 0)],
    ]);
  }
  const common = groups.get('Common options') ?? [];
  groups.delete('Common options');
  const shownGroups = [...groups.values(), common].flat();
  const column = columnOf(shownGroups);
  const help: Entry = ['-h, --help', 'show this help'];
  const helpAll: Entry = ['    --help-all', `show all ${all.length} options`];
  return page.text(
    page.usage(command.name, Object.entries(command.arguments).map(argumentName)),
    page.paragraph(command.description ?? `${capitalized(command.summary)}.`),
    page.list('Arguments', argumentsOf(command.arguments)),
    ...[...groups].map(([group, entries]) => page.list(group, entries, column)),
    page.list('Common options', [...common, help, ...(hidden === 0 ? [] : [helpAll])], column),
    page.examples((command.examples ?? []).slice(0, hidden === 0 ? undefined : SHORT_EXAMPLES)),
    hidden === 0
      ? ''
      : page.paragraph(`Run 'poolctl ${command.name} --help-all' for all ${all.length} options.`),
  );
}

/** Lays the parts of a page out for a terminal. */
function pageFor(output: Output) {
  const width = Math.min(WIDEST, output.columns);
  const indented = (text: string, indent: number) =>
    wrap(text, width - indent).map((line) => ' '.repeat(indent) + line);
  return {
    text: (...parts: readonly string[]) => `${parts.filter((part) => part !== '').join('\n\n')}\n`,
    usage: (name: string, names: readonly string[]) =>
      `Usage: poolctl ${[name, '[options]', ...names].join(' ')}`,
    // Single line breaks are the source's.
    paragraph: (text: string) =>
      text
        .split('\n\n')
        .map((part) => wrap(part, width).join('\n'))
        .join('\n\n'),
    list(title: string, entries: readonly Entry[], longest = columnOf(entries)): string {
      if (entries.length === 0) return '';
      const column = longest + 4;
      const isNarrow = width - column < NARROWEST_TEXT;
      const lines = entries.flatMap(([term, text]) => {
        if (isNarrow) return [`  ${term}`, ...indented(text, 6)];
        const below = indented(text, column);
        if (term.length > longest) return [`  ${term}`, ...below];
        const [first = '', ...others] = below;
        return [`  ${term.padEnd(longest)}  ${first.trimStart()}`.trimEnd(), ...others];
      });
      return [`${title}:`, ...lines].join('\n');
    },
    examples(examples: readonly Example[]): string {
      if (examples.length === 0) return '';
      const lines = examples.flatMap(({ command, meaning }) => [
        ...indented(`${capitalized(meaning)}:`, 2),
        ...continued(command, width - 4).map((line) => `    ${line}`),
      ]);
      return ['Examples:', ...lines].join('\n');
    },
  };
}

/** The width of the terms: of the longest that is not too long. */
function columnOf(entries: readonly Entry[]): number {
  return Math.max(0, ...entries.map(([term]) => term.length).filter((length) => length <= LONGEST_TERM));
}

/** Breaks a command line between its options, so that it can still be copied. */
function continued(command: string, width: number): string[] {
  if (command.length <= width) return [command];
  // A word is what the shell takes for one; an option keeps its value.
  const words =
    command.match(/--?[a-z][\w-]* (?:'[^']*'|"[^"]*"|[^\s'"-]\S*)|(?:'[^']*'|"[^"]*"|[^\s'"])+/g) ?? [];
  const lines: string[] = [];
  let line = '';
  for (const word of words) {
    const indent = lines.length === 0 ? '' : '  ';
    if (line === '') line = `${indent}${word}`;
    else if (line.length + 1 + word.length <= width - 2) line += ` ${word}`;
    else {
      lines.push(`${line} \\`);
      line = `  ${word}`;
    }
  }
  return [...lines, line];
}

function summariesOf(commands: Readonly<Record<string, { readonly summary: string }>>): readonly Entry[] {
  return Object.entries(commands).map(([name, { summary }]) => [name, summary]);
}

function argumentsOf(table: ArgumentTable): readonly Entry[] {
  return Object.entries(table).map(([name, { summary }]) => [name, summary]);
}

function argumentName([name, { required, variadic }]: readonly [string, ArgumentTable[string]]): string {
  const inner = variadic ? `${name}...` : name;
  return required ? `<${inner}>` : `[${inner}]`;
}

/** `-f, --format <FORMAT>`; `--[no-]pre-ping` stands for both. Options without a letter line up with those that have one. */
function termOf(key: string, spec: OptionSpec<unknown>): string {
  const { short, kind, negatable, bare } = spec;
  const letter = short === null ? '    ' : `-${short}, `;
  if (kind === 'flag') return `${letter}${negatable ? `--[no-]${flagOf(key).slice(2)}` : flagOf(key)}`;
  const value = isLong(spec) ? 'WORD' : spec.placeholder;
  return `${letter}${flagOf(key)}${bare === null ? ` <${value}>` : `[=${value}]`}`;
}

/** Many words in one column would leave the other none. */
function isLong({ placeholder }: OptionSpec<unknown>): boolean {
  return placeholder.length > LONGEST_PLACEHOLDER;
}

/** A short page leaves environment variables to the whole one. */
function describe(spec: OptionSpec<unknown>, isShort: boolean): string {
  const { summary, defaultText, env, kind } = spec;
  const words = isLong(spec) ? spec.placeholder.split('|') : [];
  const facts = [
    ...(words.every((word) => summary.includes(word)) ? [] : [`one of ${words.join(', ')}`]),
    ...(kind === 'list' ? ['repeatable'] : []),
    ...(defaultText === null ? [] : [`default: ${defaultText}`]),
    ...(env === null || isShort ? [] : [`env: ${env}`]),
  ];
  return facts.length === 0 ? summary : `${summary} (${facts.join(', ')})`;
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
