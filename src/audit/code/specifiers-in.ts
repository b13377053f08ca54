import type { SourceUnit } from './unit.js';

const IMPORT = /\b(?:from|import|require)\b\s*\(?\s*(['"])([^'"\n]+)\1/g;

const known = new WeakMap<SourceUnit, readonly string[]>();

/** Everything that a file imports, as it is written. Read from the text: the file need not be parsed. */
export function importsOf(unit: SourceUnit): readonly string[] {
  let found = known.get(unit);
  if (found === undefined) {
    const text = unit.language === 'typescript' ? unit.source : unit.text;
    found = [...new Set([...text.matchAll(IMPORT)].map(([, , specifier = '']) => specifier))];
    known.set(unit, found);
  }
  return found;
}
