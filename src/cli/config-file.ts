import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { fileFault } from '../base/file-fault.js';
import type { Problem } from './errors.js';
import type { OptionTable, Source } from './options.js';
import { flagOf } from './options.js';
import { didYouMean } from './suggest.js';

/** Looked for in the current directory where `--config` names no other. */
export const CONFIG_FILE = 'poolctl.config.json';

export interface ConfigFile {
  /** As it is shown: relative to the current directory where it lies below it. */
  readonly file: string;
  readonly content: Readonly<Record<string, unknown>>;
}

/**
 * Reads the config file: an object with one section per command, as in `{ "loadtest": { "poolSize": 5 } }`.
 * null where none was named and none is there. Problems go to `problems`.
 */
export async function readConfigFile(
  named: string | null,
  cwd: string,
  problems: Problem[],
): Promise<ConfigFile | null> {
  const path = resolve(cwd, named ?? CONFIG_FILE);
  const file = shownPath(path, cwd);
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (named === null && error.code === 'ENOENT') return null;
    problems.push({ message: `cannot read the config file ${file}: ${fileFault(error)}`, hint: null });
    return null;
  });
  if (text === null) return null;
  try {
    const content: unknown = JSON.parse(text.replace(/^\uFEFF/, ''));
    if (isObject(content)) return { file, content };
    problems.push({ message: `${file}: an object with one section per command is expected`, hint: null });
  } catch (error) {
    problems.push({
      message: `${file}${placeOf(error, text)}: not valid JSON: ${messageOf(error)}`,
      hint: null,
    });
  }
  return null;
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
  const source: Source = {
    texts,
    label: (key) => `${config?.file}: ${path(key)}`,
    origin: (key) => ({ kind: 'config', file: config?.file ?? CONFIG_FILE, key: path(key) }),
  };
  if (config === null) return source;
  for (const name of Object.keys(config.content)) {
    if (name === '$schema' || section.commands.includes(name)) continue;
    problems.push({
      message: `${config.file}: there is no command '${name}'`,
      hint: didYouMean(name, section.commands),
    });
  }
  const own = config.content[section.command];
  if (own === undefined) return source;
  if (!isObject(own)) {
    problems.push({ message: `${config.file}: ${section.command} is not an object`, hint: null });
    return source;
  }
  const known = Object.keys(table).filter((key) => table[key]?.config);
  for (const [key, value] of Object.entries(own)) {
    const spec = table[key];
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
    else texts.set(key, found);
  }
  return source;
}

/** A JSON value as the text that a flag would have; null if it is of a wrong type. */
function textsOf(value: unknown, { kind, takesObjects }: OptionTable[string]): readonly string[] | null {
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

function placeOf(error: unknown, text: string): string {
  const position = /at position (\d+)/.exec(messageOf(error))?.[1];
  if (position === undefined) return '';
  const before = text.slice(0, Number(position)).split('\n');
  return `:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function shownPath(path: string, cwd: string): string {
  const short = relative(cwd, path);
  return short.startsWith('..') ? path : short;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
