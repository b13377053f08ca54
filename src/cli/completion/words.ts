import type { CatalogEntry } from '../catalog.js';
import type { CommandTable } from '../command.js';
import { flagOf, type OptionSpec } from '../options.js';

/** The completions of a value. */
export type Completion = 'file' | 'folder' | 'none' | readonly string[];

export interface CompletedOption {
  /** With its dashes. */
  readonly flag: string;
  /** With its dash; null for none. */
  readonly short: string | null;
  readonly summary: string;
  readonly repeatable: boolean;
  /** null for a switch. */
  readonly value: { readonly placeholder: string; readonly completion: Completion } | null;
}

export interface CompletedCommand {
  /** One word, or two for a command in a group. */
  readonly name: string;
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly {
    readonly name: string;
    readonly variadic: boolean;
    readonly completion: Completion;
  }[];
}

export interface FirstWord {
  readonly name: string;
  readonly summary: string;
  /** The second words of a group. */
  readonly seconds: readonly { readonly name: string; readonly summary: string }[];
}

/** The data that a shell needs to complete command lines. */
export interface CompletionWords {
  readonly first: readonly FirstWord[];
  readonly commands: readonly CompletedCommand[];
}

export function completionWords(table: CommandTable, catalog: readonly CatalogEntry[]): CompletionWords {
  const first = Object.entries(table).map(([name, entry]) => ({
    name,
    summary: entry.summary,
    seconds:
      'load' in entry
        ? []
        : Object.entries(entry.commands).map(([second, { summary }]) => ({ name: second, summary })),
  }));
  return {
    first: [...first, { name: 'help', summary: 'show all options of a command', seconds: [] }],
    commands: catalog.map(({ command, table: options }) => ({
      name: command.name,
      options: [...Object.entries(options).flatMap(([key, spec]) => optionsOf(key, spec)), HELP],
      arguments: Object.entries(command.arguments).map(([name, { variadic, placeholder, words }]) => ({
        name,
        variadic,
        completion: completionOf(placeholder, words),
      })),
    })),
  };
}

const HELP: CompletedOption = {
  ...{ flag: '--help', short: '-h', summary: 'show this help', repeatable: false, value: null },
};

function optionsOf(key: string, spec: OptionSpec<unknown>): CompletedOption[] {
  const { short, summary, kind, placeholder, words, negatable } = spec;
  const option = {
    flag: flagOf(key),
    short: short === null ? null : `-${short}`,
    summary,
    repeatable: kind === 'list',
    value: kind === 'flag' ? null : { placeholder, completion: completionOf(placeholder, words) },
  };
  return negatable
    ? [option, { ...option, flag: `--no-${option.flag.slice(2)}`, short: null, summary: `not: ${summary}` }]
    : [option];
}

function completionOf(placeholder: string, words: readonly string[] | null): Completion {
  if (words !== null) return words;
  if (/^(?:FILE|PATH)/.test(placeholder)) return 'file';
  return placeholder === 'FOLDER' ? 'folder' : 'none';
}
