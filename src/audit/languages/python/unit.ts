import { ts } from 'ts-morph';
import type { SourceUnit } from '../../code/unit.js';
import type { PythonModules } from './modules.js';
import { lineOfNotebook, notebookCode } from './notebook.js';
import { type Translated, translate } from './translate.js';

/** A Python file, translated when its code is first read. */
export function pythonUnit(
  place: Pick<SourceUnit, 'index' | 'path' | 'name' | 'source' | 'language'>,
  modules: PythonModules,
): SourceUnit {
  const notebook = isNotebook(place.path) ? notebookCode(place.source) : null;
  let done: Translated | null = null;
  const translated = (): Translated => {
    done ??= translate(notebook?.text ?? place.source, place.path, modules);
    return done;
  };
  const toFile = (position: number) => notebook?.toFile(position) ?? position;
  return {
    ...place,
    kind: ts.ScriptKind.TS,
    get text() {
      return translated().text;
    },
    get errors() {
      return translated().errors.map(({ from, to }) => ({ from: toFile(from), to: toFile(to) }));
    },
    toSource: (position) => toFile(translated().toSource(position)),
    ...(notebook === null ? {} : { lineAsWritten: lineOfNotebook, code: notebook.text }),
  };
}

export function isNotebook(path: string): boolean {
  return path.endsWith('.ipynb');
}

/**
 * Whether Python may call one of the functions that a pattern names. A file need not be translated for an `open()` whose
 * line begins with `with`, nor for a method of that name.
 */
export function mayCall(source: string, pattern: RegExp): boolean {
  for (const { 0: name, index } of source.matchAll(pattern)) {
    const line = source.slice(source.lastIndexOf('\n', index) + 1, index);
    if (/\bdef[ \t]+$|^[ \t]*#/.test(line)) continue;
    if (name !== 'open') return true;
    if (!/^\s*(async\s+)?with\b|^\s*#/.test(line) && (!/\.$/.test(line) || MODULES.test(line))) return true;
  }
  return false;
}

const MODULES = /\b(io|codecs|gzip|bz2|lzma|tarfile)\.$/;
