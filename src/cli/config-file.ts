import { readFile } from 'node:fs/promises';
import { dirname, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { fileFault } from '../base/file-fault.js';
import { findConfig, isConfigModule } from './config-search.js';
import type { Problem } from './errors.js';
import { JsoncError, type Place, parseJsonc } from './jsonc.js';
import type { OptionTable, Source } from './options.js';
import { flagOf } from './options.js';
import { didYouMean } from './suggest.js';

/** The purpose of reading a config. */
export interface ConfigPlace {
  readonly cwd: string;
  /** Id of this user; null on Windows. */
  readonly uid: number | null;
  warn(message: string): void;
}

export interface ConfigFile {
  /** As it is shown: relative to the current directory where it lies below it. */
  readonly file: string;
  /** The folder that relative paths in it start from; null where that is the current directory. */
  readonly folder: string | null;
  readonly content: Readonly<Record<string, unknown>>;
  /** Position of this member; null where it is unknown, as in a config that is a program. */
  placeOf(path: readonly string[]): Place | null;
}

/**
 * Reads the config file: an object with one section per command, as in `{ "loadtest": { "poolSize": 5 } }`. Without a
 * name it is the one of this folder, or of the nearest folder above that has one.
 * null where there is none. Problems go to `problems`.
 */
export async function readConfigFile(
  named: string | null,
  { cwd, uid, warn }: ConfigPlace,
  problems: Problem[],
): Promise<ConfigFile | null> {
  const { paths, foreign } =
    named === null ? await findConfig(cwd, uid) : { paths: [resolve(cwd, named)], foreign: [] };
  for (const path of foreign) {
    warn(`${path} is ignored, since it belongs to another user; name it with --config if you trust it`);
  }
  const [path] = paths;
  if (path === undefined) return null;
  if (paths.length > 1) {
    const names = paths.map((one) => shownPath(one, cwd)).join(' and ');
    problems.push({ message: `more than one config file: ${names}`, hint: 'keep one of them' });
    return null;
  }
  const file = shownPath(path, cwd);
  const folder = dirname(path) === cwd ? null : dirname(path);
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    problems.push({ message: `cannot read the config file ${file}: ${fileFault(error)}`, hint: null });
    return null;
  });
  if (text === null) return null;
  try {
    const read = isConfigModule(path) ? await moduleContent(path, text) : jsonContent(text);
    if (isObject(read.content)) return { file, folder, content: read.content, placeOf: read.placeOf };
    const where = isConfigModule(path) ? ' as the default export' : '';
    problems.push({
      message: `${file}: an object with one section per command is expected${where}`,
      hint: null,
    });
  } catch (error) {
    problems.push(problemOf(error, path, file));
  }
  return null;
}

interface Content {
  readonly content: unknown;
  placeOf(path: readonly string[]): Place | null;
}

function jsonContent(text: string): Content {
  const { value, placeOf } = parseJsonc(text);
  return { content: value, placeOf };
}

async function moduleContent(path: string, text: string): Promise<Content> {
  const { loadConfigModule } = await import('./config-module.js');
  const exported = await loadConfigModule(path, text);
  return { content: await exported.default, placeOf: () => null };
}

function problemOf(error: unknown, path: string, file: string): Problem {
  if (error instanceof JsoncError)
    return { message: `${at(file, error.place)}: not valid JSON: ${error.message}`, hint: null };
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  // The message of a file that is not only types names its place itself.
  const [, own] = message.split(`${path}:`);
  if (own !== undefined && /^\d+:\d+: /.test(own)) return { message: `${file}:${own}`, hint: null };
  return { message: `${at(file, placeIn(error, path))}: cannot be loaded: ${message}`, hint: null };
}

/** Position in the file at which an error was thrown, by its stack. */
function placeIn(error: unknown, path: string): Place | null {
  const stack = error instanceof Error ? (error.stack ?? '') : '';
  for (const name of [pathToFileURL(path).href, path]) {
    const begin = stack.indexOf(`${name}:`);
    const [, line, column] = /^:(\d+)(?::(\d+))?/.exec(stack.slice(begin + name.length)) ?? [];
    if (begin >= 0 && line !== undefined) return { line: Number(line), column: Number(column ?? 0) };
  }
  return null;
}

function at(file: string, place: Place | null): string {
  if (place === null) return file;
  return `${file}:${place.line}${place.column > 0 ? `:${place.column}` : ''}`;
}

/** The section of one command as a source of options. Sections of other commands only need to have a known name. */
export function configSource(
  config: ConfigFile | null,
  section: { readonly command: string; readonly commands: readonly string[] },
  table: OptionTable,
  problems: Problem[],
): Source {
  const texts = new Map<string, readonly string[]>();
  const path = (key: string) => `${section.command}.${key}`;
  const named = (...names: readonly string[]) =>
    config === null ? '' : at(config.file, config.placeOf(names));
  const source: Source = {
    texts,
    label: (key) => `${named(section.command, key)}: ${path(key)}`,
    origin: (key) => ({ kind: 'config', file: config?.file ?? '', key: path(key) }),
  };
  if (config === null) return source;
  for (const name of Object.keys(config.content)) {
    if (name === '$schema' || section.commands.includes(name)) continue;
    problems.push({
      message: `${named(name)}: there is no command '${name}'`,
      hint: didYouMean(name, section.commands),
    });
  }
  const own = Object.hasOwn(config.content, section.command) ? config.content[section.command] : undefined;
  if (own === undefined) return source;
  if (!isObject(own)) {
    problems.push({ message: `${named(section.command)}: ${section.command} is not an object`, hint: null });
    return source;
  }
  const known = Object.keys(table).filter((key) => table[key]?.config);
  for (const [key, value] of Object.entries(own)) {
    // A program may leave a value out in this way; JSON cannot.
    if (value === undefined) continue;
    const spec = Object.hasOwn(table, key) ? table[key] : undefined;
    if (spec === undefined || !spec.config) {
      const sameFlag = known.find((one) => flagOf(one) === `--${key}`);
      problems.push({
        message: `${source.label(key)}: ${spec === undefined ? 'unknown option' : `only ${flagOf(key)} can set this`}`,
        hint: sameFlag !== undefined ? `did you mean ${sameFlag}?` : didYouMean(key, known),
      });
      continue;
    }
    const found = textsOf(value, spec);
    if (found === null)
      problems.push({ message: `${source.label(key)}: ${expectedOf(spec.kind)}`, hint: null });
    else
      texts.set(
        key,
        found.map((one) => placed(one, spec, config.folder)),
      );
  }
  return source;
}

/** Relative paths in a config are relative to its folder. */
function placed(text: string, { placedIn }: OptionTable[string], folder: string | null): string {
  return folder === null || placedIn === null ? text : placedIn(text, folder);
}

/** A JSON value as the text that a flag would have; null if it is of a wrong type. */
function textsOf(
  value: unknown,
  { kind, takesObjects, bare }: OptionTable[string],
): readonly string[] | null {
  if (bare !== null && typeof value === 'boolean') return [value ? bare.on : bare.off];
  if (kind === 'flag') return typeof value === 'boolean' ? [String(value)] : null;
  const entries: readonly unknown[] = kind === 'list' && Array.isArray(value) ? value : [value];
  const texts = entries
    .filter((one) => typeof one === 'string' || typeof one === 'number' || (takesObjects && isObject(one)))
    .map((one) => (isObject(one) ? JSON.stringify(one) : String(one)));
  return texts.length === entries.length ? texts : null;
}

function expectedOf(kind: 'value' | 'list' | 'flag'): string {
  if (kind === 'flag') return 'true or false is expected';
  return kind === 'list' ? 'a text, or an array of texts, is expected' : 'a text or a number is expected';
}

function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
