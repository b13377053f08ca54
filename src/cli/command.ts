import type { RenderOptions } from '../report/render-options.js';
import type { CommonOptions } from './common-options.js';
import type { ExitCode } from './exit-codes.js';
import type { Io } from './io.js';
import type { OptionTable, Origin, Preset, ValuesOf } from './options.js';
import type { Progress } from './progress.js';
import type { ValueType } from './value-types.js';

/** A positional argument, as data. Its key in the table names it in the help and in the code. */
export interface ArgumentSpec<T> {
  readonly summary: string;
  readonly required: boolean;
  /** Stands for a value: `FILE`, `PATH`. */
  readonly placeholder: string;
  /** The words that it takes, where these are all that it takes. */
  readonly words: readonly string[] | null;
  /** Takes all that follow; only the last argument can. */
  readonly variadic: boolean;
  readonly fallback: T;
  read(texts: readonly string[]): T;
}

export type ArgumentTable = Readonly<Record<string, ArgumentSpec<unknown>>>;

/** One subcommand: parsed, resolved and checked by the shell, then run. */
export interface CommandSpec<Options extends OptionTable, Arguments extends ArgumentTable> {
  readonly name: string;
  /** One line for the list of commands, without a full stop. */
  readonly summary: string;
  /** A few lines for the command's own help. */
  readonly description?: string;
  readonly arguments: Arguments;
  /** Its own options; CommonOptions come on top, and one of the same key here replaces the common one. */
  readonly options: Options;
  /** Impossible combinations. All rules are asked, and all complaints shown at once. */
  readonly rules?: readonly Rule<Options, Arguments>[];
  readonly examples?: readonly Example[];
  /** For screens and servers, which end by Ctrl-C as a matter of course: the code that `run` gives stands. */
  readonly endsByInterrupt?: boolean;
  /** Defaults that depend on what was given, as a profile does. */
  presetFor?(given: Given<Options, Arguments>): Preset<Options> | null;
  /** Does the work; gives the exit code of the verdict. Throws UsageError, UnavailableError and typed errors. */
  run(context: CommandContext<Options, Arguments>): Promise<ExitCode>;
}

export interface Example {
  readonly command: string;
  readonly meaning: string;
}

/** The values given explicitly by flag, environment or config file, as far as it could be read. */
export interface Given<Options, Arguments> {
  readonly options: Partial<ValuesOf<Options>>;
  readonly arguments: ValuesOf<Arguments>;
}

export interface Rule<Options, Arguments> {
  /** The options that the rule reads. It is skipped where one of these could not be read, to spare a second complaint. */
  readonly of: readonly (keyof Options & string)[];
  /** A complaint as a clause, or null. */
  check(facts: RuleFacts<Options, Arguments>): string | null;
}

export interface RuleFacts<Options, Arguments> {
  readonly options: ValuesOf<Options>;
  readonly arguments: ValuesOf<Arguments>;
  readonly origins: { readonly [Key in keyof Options]: Origin };
  /** Whether the option was given as a flag: what an environment or a config file says in general may not matter. */
  hasFlag(key: keyof Options & string): boolean;
}

export interface CommandContext<Options extends OptionTable, Arguments extends ArgumentTable> {
  readonly io: Io;
  /** The words after the name of the command, as they were typed. */
  readonly argv: readonly string[];
  /** poolctl's own, for results that are compared later. */
  readonly version: string;
  /** All commands, for those that describe the command line. */
  readonly commands: CommandTable;
  readonly options: ValuesOf<Omit<CommonOptions, keyof Options> & Options>;
  readonly arguments: ValuesOf<Arguments>;
  readonly origins: { readonly [Key in keyof Options]: Origin };
  /** The texts of options that were given: by flag, environment or config file. They may hold secrets. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** How to draw the result: fits stdout, or the file of `--output`. */
  readonly render: RenderOptions;
  /** The progress bar on stderr; draws nothing where that is no terminal, or `--quiet` was given. */
  readonly progress: Progress;
  /** Writes the result to stdout or the file of `--output`. May be called several times. */
  write(result: string): Promise<void>;
  /** A line on stderr that the user should see; starts with `poolctl: `. */
  warn(message: string): void;
  /** A line on stderr for `--verbose` only. */
  log(message: string): void;
}

/** A command without its own types, as the shell handles it. */
export type Command = CommandSpec<OptionTable, ArgumentTable>;

/** Facts about a command before it is loaded. */
export interface CommandEntry {
  readonly summary: string;
  load(): Promise<Command>;
}

/** Commands that belong together: `poolctl pgbouncer pause`. Such a command's name has both words. */
export interface CommandGroup {
  readonly summary: string;
  /** By the second word. */
  readonly commands: Readonly<Record<string, CommandEntry>>;
}

export type CommandTable = Readonly<Record<string, CommandEntry | CommandGroup>>;

/** Every command by its whole name, those of groups by both words. */
export function allCommands(table: CommandTable): Readonly<Record<string, CommandEntry>> {
  return Object.fromEntries(
    Object.entries(table).flatMap(([name, one]) =>
      'load' in one
        ? [[name, one]]
        : Object.entries(one.commands).map(([second, entry]) => [`${name} ${second}`, entry]),
    ),
  );
}

/** Ties a command's types together; changes nothing. */
export function defineCommand<Options extends OptionTable, Arguments extends ArgumentTable>(
  spec: CommandSpec<Options, Arguments>,
): CommandSpec<Options, Arguments> {
  return spec;
}

/** An argument that must be given. */
export function requiredArgument<T>(spec: {
  readonly summary: string;
  readonly type: ValueType<T>;
}): ArgumentSpec<T> {
  return {
    summary: spec.summary,
    placeholder: spec.type.placeholder,
    words: spec.type.words ?? null,
    required: true,
    variadic: false,
    // Never seen by the command: a missing one is a usage error.
    fallback: undefined as T,
    read: ([first = '']) => spec.type.parse(first),
  };
}

/** An argument that may be left out; it is null then. */
export function optionalArgument<T>(spec: {
  readonly summary: string;
  readonly type: ValueType<T>;
}): ArgumentSpec<T | null> {
  return {
    summary: spec.summary,
    placeholder: spec.type.placeholder,
    words: spec.type.words ?? null,
    required: false,
    variadic: false,
    fallback: null,
    read: ([first = '']) => spec.type.parse(first),
  };
}

/** All remaining arguments. */
export function restArguments<T>(spec: {
  readonly summary: string;
  readonly type: ValueType<T>;
}): ArgumentSpec<readonly T[]> {
  return {
    summary: spec.summary,
    placeholder: spec.type.placeholder,
    words: spec.type.words ?? null,
    required: false,
    variadic: true,
    fallback: [],
    read: (texts) => texts.map((one) => spec.type.parse(one)),
  };
}

/** The rule that an option makes sense only while another one has certain values. */
export function onlyWith<Options extends OptionTable, Key extends keyof Options & string>(
  option: keyof Options & string,
  other: Key,
  values: readonly ValuesOf<Options>[Key][],
  phrase: string,
): Rule<Options, ArgumentTable> {
  return {
    of: [option, other],
    check: ({ options, hasFlag }) => (hasFlag(option) && !values.includes(options[other]) ? phrase : null),
  };
}
