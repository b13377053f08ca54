// Makes the declarations complete without @types/node. With it they say the same as before; without it the types of Node
// in them are `any`.
import { readFileSync, writeFileSync } from 'node:fs';

/** The compiler's own way to accept that a module may be missing. */
const MAY_BE_MISSING = '// @ts-ignore: any, unless @types/node is installed';
const DISPOSABLE = '/// <reference lib="esnext.disposable" />';

/** @param {Iterable<string>} files declarations */
export function completeTypes(files) {
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const code = text.replace(/\/\*[\s\S]*?\*\//g, '');
    if (/\bNodeJS\.|\bimport\("node:/.test(code)) {
      throw new Error(
        `${file} names a type of Node without importing it: write import type { ... } from 'node:...'`,
      );
    }
    const lines = text
      .split('\n')
      .flatMap((line) =>
        /^(?:import|export) .*from 'node:[\w/]+';$/.test(line) ? [MAY_BE_MISSING, line] : [line],
      );
    if (/\bBuffer\b/.test(code) && !/import .*\bBuffer\b.* from/.test(code)) {
      lines.unshift(MAY_BE_MISSING, "import type { Buffer } from 'node:buffer';");
    }
    if (/\b(?:Async)?Disposable\b|\bSymbol\.(?:asyncD|d)ispose\b/.test(code)) lines.unshift(DISPOSABLE);
    const complete = lines.join('\n');
    if (complete !== text) writeFileSync(file, complete);
  }
}
