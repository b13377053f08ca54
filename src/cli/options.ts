import { parseBoolean, ValueError } from '../base/units.js';
import type { Problem } from './errors.js';
import type { ValueType } from './value-types.js';

/**
 * One option of a command, as data. Its key in the command's table is its one name: `poolSize` is `--pool-size` on
 * the command line, `poolSize` in the config file, and `options.poolSize` in the code.
 */
export interface OptionSpec<T> {
  /** A flag takes no value on the command line; a list may be given several times. */
  readonly kind: 'value' | 'list' | 'flag';
  /** One clause for the help, without a full stop. */
  readonly summary: string;
  readonly placeholder: string;
  /** One letter for `-x`; null for none. */
  readonly short: string | null;
  /** The heading that it stands under in the help. */
  readonly group: string;
  /** The environment variable that sets it; null for none. */
  readonly env: string | null;
  /** Whether the config file may set it. */
  readonly config: boolean;
  /** Whether an entry may be an object in the config file; as text it is JSON. */
  readonly takesObjects: boolean;
  /** Makes a relative path in a value start from this folder, which is that of the config file; null: holds no path. */
  readonly placedIn: ((text: string, folder: string) => string) | null;
  /** JSON Schema of the objects that it takes in a config file; null where it takes none. */
  readonly objectSchema: Readonly<Record<string, unknown>> | null;
  /** The words that it takes, where these are all that it takes. */
  readonly words: readonly string[] | null;
  /** For a flag: whether `--no-...` exists too. */
  readonly negatable: boolean;
  /** For an option whose value may be left out: the words that `--color` and `--no-color` stand for. */
  readonly bare: BareWords | null;
  /** Whether only `--help-all` shows it. */
  readonly advanced: boolean;
  readonly fallback: T;
  /** Help text for the default, where it is not the fallback itself; null says nothing. */
  readonly defaultText: string | null;
  /** For the command's own rules and the help: what the option applies to; empty: to everything. */
  readonly appliesTo: Scope;
  /** All texts given by one source. A value is the last of them, and the others must be readable too. Throws a ValueError. */
  read(texts: readonly string[]): T;
  show(value: T): string;
}

export interface BareWords {
  /** The values that may follow as a word of their own. */
  readonly words: readonly string[];
  readonly on: string;
  readonly off: string;
}

/** Circumstances and the values in which an option counts: `{ target: ['http', 'feed'] }`. */
export type Scope = Readonly<Record<string, readonly string[]>>;

export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The values of a table: every option has one. */
export type ValuesOf<Table> = {
  readonly [Key in keyof Table]: Table[Key] extends { readonly fallback: infer T } ? T : never;
};

interface Common {
  readonly summary: string;
  readonly short?: string;
  readonly group?: string;
  readonly env?: string;
  /** Default true. */
  readonly config?: boolean;
  /** Default false. */
  readonly takesObjects?: boolean;
  readonly defaultText?: string;
  readonly appliesTo?: Scope;
  /** Default false. */
  readonly advanced?: boolean;
}

/** An option with one value: `--pool-size 5`. */
export function value<T, const Fallback>(
  spec: Common & { readonly type: ValueType<T>; readonly default: Fallback; readonly bare?: BareWords },
): OptionSpec<T | Widened<Fallback>> {
  const fallback = spec.default as T | Widened<Fallback>;
  return {
    ...common(spec, spec.default === null ? '' : spec.type.show(spec.default as T & Fallback)),
    ...traits(spec.type),
    kind: 'value',
    negatable: false,
    bare: spec.bare ?? null,
    fallback,
    read(texts) {
      const values = texts.map((one) => spec.type.parse(one));
      const last = values.at(-1);
      return last === undefined ? fallback : last;
    },
    show: (given) => (given === null ? (spec.defaultText ?? '-') : spec.type.show(given as T)),
  };
}

/** An option that may be repeated: `--threshold 'p99<250ms' --threshold 'errors<1%'`. */
export function list<T>(spec: Common & { readonly type: ValueType<T> }): OptionSpec<readonly T[]> {
  return {
    ...common(spec, ''),
    ...traits(spec.type),
    kind: 'list',
    negatable: false,
    bare: null,
    fallback: [],
    read: (texts) => texts.map((one) => spec.type.parse(one)),
    show: (given) => (given.length === 0 ? '-' : given.map((one) => spec.type.show(one)).join(', ')),
  };
}

/** A switch: `--strict`; negatable ones also `--no-pre-ping`. A null default means: depends. */
export function flag<const Fallback extends boolean | null = false>(
  spec: Common & { readonly default?: Fallback; readonly negatable?: boolean },
): OptionSpec<boolean | Widened<Fallback>> {
  const fallback = (spec.default ?? (spec.default === null ? null : false)) as Widened<Fallback>;
  return {
    ...common(spec, fallback === true ? 'on' : ''),
    ...{ placeholder: '', placedIn: null, words: null, objectSchema: null },
    kind: 'flag',
    negatable: spec.negatable ?? false,
    bare: null,
    fallback,
    read: (texts) => parseBoolean(texts.at(-1) ?? ''),
    show: (given) => (given === null ? (spec.defaultText ?? '-') : given ? 'on' : 'off'),
  };
}

/** A literal type is too narrow for a default: `default: 5` makes an option of numbers. */
type Widened<T> = T extends number ? number : T extends boolean ? boolean : T;

function common(spec: Common, defaultText: string) {
  return {
    summary: spec.summary,
    short: spec.short ?? null,
    group: spec.group ?? 'Options',
    env: spec.env ?? null,
    config: spec.config ?? true,
    takesObjects: spec.takesObjects ?? false,
    appliesTo: spec.appliesTo ?? {},
    advanced: spec.advanced ?? false,
    defaultText: spec.defaultText ?? (defaultText === '' ? null : defaultText),
  };
}

function traits<T>({ placeholder, placedIn, words, objectSchema }: ValueType<T>) {
  return {
    placeholder,
    placedIn: placedIn ?? null,
    words: words ?? null,
    objectSchema: objectSchema ?? null,
  };
}

/** `poolSize` -> `--pool-size`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** The origin of a value. */
export type Origin =
  | { readonly kind: 'flag' }
  | { readonly kind: 'env'; readonly name: string; readonly file: string | null }
  | { readonly kind: 'config'; readonly file: string; readonly key: string }
  | { readonly kind: 'preset'; readonly name: string }
  | { readonly kind: 'default' };

/** The texts of one source, before anything is read: per option key the texts given. */
export interface Source {
  readonly texts: ReadonlyMap<string, readonly string[]>;
  /** Names the place for a message: `--pool-size`, `DB_POOL_SIZE`, `poolctl.config.json: loadtest.poolSize`. */
  label(key: string): string;
  origin(key: string): Origin;
}

/** Values between what was given and the defaults, under a name: the profile of a kind of target. */
export interface Preset<Table> {
  readonly name: string;
  readonly values: Partial<ValuesOf<Table>>;
}

export interface Resolved<Table> {
  readonly values: ValuesOf<Table>;
  readonly origins: { readonly [Key in keyof Table]: Origin };
  /** Texts of the source that won, for each option that was given. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly Problem[];
  /** The options whose text could not be read; their values are the fallbacks. */
  readonly unreadable: ReadonlySet<string>;
}

/**
 * The one place that decides which source wins: the first of `sources` that has the option (flags, environment,
 * config file), then the preset, then the default. Only the winner's text is read.
 */
export function resolveOptions<Table extends OptionTable>(
  table: Table,
  sources: readonly Source[],
  presetFor: (given: Partial<ValuesOf<Table>>) => Preset<Table> | null,
): Resolved<Table> {
  const given: Record<string, unknown> = {};
  const origins: Record<string, Origin> = {};
  const texts = new Map<string, readonly string[]>();
  const problems: Problem[] = [];
  const unreadable = new Set<string>();
  for (const [key, spec] of Object.entries(table)) {
    const source = sources.find(({ texts }) => texts.has(key));
    if (source === undefined) continue;
    origins[key] = source.origin(key);
    const own = source.texts.get(key) ?? [];
    texts.set(key, own);
    try {
      given[key] = spec.read(own);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      unreadable.add(key);
      problems.push({ message: `${source.label(key)}: ${error.message}`, hint: null });
    }
  }
  const preset = presetFor(given as Partial<ValuesOf<Table>>);
  const presetValues: Readonly<Record<string, unknown>> = preset?.values ?? {};
  const values: Record<string, unknown> = {};
  for (const [key, spec] of Object.entries(table)) {
    if (key in given) values[key] = given[key];
    else if (presetValues[key] !== undefined && preset !== null) values[key] = presetValues[key];
    else values[key] = spec.fallback;
    origins[key] ??=
      presetValues[key] !== undefined && preset !== null
        ? { kind: 'preset', name: preset.name }
        : { kind: 'default' };
  }
  return {
    values: values as ValuesOf<Table>,
    origins: origins as Resolved<Table>['origins'],
    texts,
    problems,
    unreadable,
  };
}

/** The environment as a source; `file` holds what `--dotenv` loaded, which the real environment overrides. */
export function envSource(
  table: OptionTable,
  env: Readonly<Record<string, string | undefined>>,
  file: { readonly path: string; readonly values: Readonly<Record<string, string | undefined>> } | null,
): Source {
  const texts = new Map<string, readonly string[]>();
  const fromFile = new Set<string>();
  for (const [key, { env: name }] of Object.entries(table)) {
    if (name === null) continue;
    // An empty variable is what `FOO= cmd` and compose files write for "not set".
    const own = env[name] || undefined;
    const found = own ?? (file?.values[name] || undefined);
    if (found === undefined) continue;
    texts.set(key, [found]);
    if (own === undefined) fromFile.add(key);
  }
  const name = (key: string) => table[key]?.env ?? key;
  return {
    texts,
    label: (key) => (fromFile.has(key) ? `${file?.path}: ${name(key)}` : name(key)),
    origin: (key) => ({
      kind: 'env',
      name: name(key),
      file: fromFile.has(key) ? (file?.path ?? null) : null,
    }),
  };
}
