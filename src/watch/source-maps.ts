import { readFileSync, statSync } from 'node:fs';
import { findSourceMap, SourceMap, type SourceMapPayload } from 'node:module';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { columnBefore, type Insertion, insertions, MARK, TAP } from './postgres-js/tap.js';

/** A place in a file. Lines and columns count from 1. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Larger files are not read: parsing their map would hold up the application. */
const MOST_BYTES = 20_000_000;
/** Maps are kept for as many files. */
const MOST_FILES = 200;

interface KnownMap {
  readonly map: SourceMap;
  /** Relative sources start here. */
  readonly folder: string;
  /** The code, and what was put into it as it was loaded. */
  readonly changed: { readonly code: string; readonly insertions: readonly Insertion[] } | null;
}

const known = new Map<string, KnownMap | null>();

/**
 * The place in the source from which this place was compiled; null where no source map tells. Maps are searched where Node
 * keeps them (--enable-source-maps, tsx), in the file, and beside it. A file is read once, when a place in it is shown.
 */
export function originalPlace({ file, line, column }: Place): Place | null {
  try {
    const found = nodesMap(file) ?? mapOf(file);
    if (found === null) return null;
    const { changed } = found;
    const before =
      changed === null ? column : columnBefore(changed.code, changed.insertions, { line, column });
    const entry = found.map.findEntry(line - 1, before - 1);
    if (!('originalSource' in entry)) return null;
    const { originalSource, originalLine, originalColumn } = entry;
    if (typeof originalSource !== 'string') return null;
    return {
      file: sourcePath(originalSource, found.folder),
      line: originalLine + 1,
      column: originalColumn + 1,
    };
  } catch {
    // A map that is malformed tells nothing.
    return null;
  }
}

/** The modules that Node has loaded, with the sources of transpilers that keep their output in memory. */
function nodesMap(file: string): KnownMap | null {
  const map = findSourceMap(file);
  return map === undefined ? null : { map, folder: dirname(file), changed: null };
}

function mapOf(file: string): KnownMap | null {
  const before = known.get(file);
  if (before !== undefined) return before;
  const map = readMap(file);
  if (known.size >= MOST_FILES) known.clear();
  known.set(file, map);
  return map;
}

function readMap(file: string): KnownMap | null {
  try {
    const code = textOf(file);
    const url = mapUrlIn(code);
    const changed = changeOf(code);
    if (url?.startsWith('data:') === true) return { ...parsed(dataOf(url), dirname(file)), changed };
    const path = url === null ? `${file}.map` : resolve(dirname(file), decodeURIComponent(url));
    return { ...parsed(textOf(path), dirname(path)), changed };
  } catch {
    return null;
  }
}

function textOf(path: string): string {
  if (statSync(path).size > MOST_BYTES) throw new Error('too large');
  return readFileSync(path, 'utf8');
}

/** The last one counts: those before it belong to what was bundled. */
function mapUrlIn(code: string): string | null {
  const at = code.lastIndexOf('# sourceMappingURL=');
  if (at < 0) return null;
  return /^\S+/.exec(code.slice(at + '# sourceMappingURL='.length))?.[0] ?? null;
}

function dataOf(url: string): string {
  const comma = url.indexOf(',');
  const data = url.slice(comma + 1);
  return url.slice(0, comma).endsWith(';base64')
    ? Buffer.from(data, 'base64').toString('utf8')
    : decodeURIComponent(data);
}

/** A bundle with postgres.js in it was changed as it was loaded. */
function changeOf(code: string): KnownMap['changed'] {
  if (!(TAP in globalThis) || !code.includes(MARK)) return null;
  const all = insertions(code);
  return all === null ? null : { code, insertions: all };
}

function parsed(text: string, folder: string): Omit<KnownMap, 'changed'> {
  const payload = JSON.parse(text) as SourceMapPayload;
  return { map: new SourceMap(payload), folder: resolve(folder, payload.sourceRoot ?? '') };
}

/** `webpack://shop/./src/app.ts` and the like name no file: their path within the project is shown. */
function sourcePath(source: string, folder: string): string {
  if (source.startsWith('file:')) return fileURLToPath(source);
  const bundlers = /^[a-z][\w-]+:\/\/[^/]*\/(.*)$/.exec(source)?.[1];
  return bundlers === undefined ? resolve(folder, source) : bundlers.replace(/^\.\//, '');
}
