import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { refusedByCompiler } from './compile.mjs';
import { shuffled } from './mutants.mjs';

/**
 * So many mutants that compile, in the order of their places.
 *
 * @param {readonly import('./mutants.mjs').Mutant[]} all
 * @param {{ readonly size: number, readonly seed: string, readonly folder: string }} options `folder` is for working copies
 */
export function sampleOf(all, { size, seed, folder }) {
  /** @type {import('./mutants.mjs').Mutant[]} */
  const sample = [];
  const left = shuffled(all, seed);
  while (sample.length < size && left.length > 0) {
    const candidates = left.splice(0, 2 * size);
    const refused = refusedByCompiler(candidates, folder);
    sample.push(...candidates.filter((mutant) => !refused.has(mutant)).slice(0, size - sample.length));
  }
  return sample.sort((a, b) => (a.file === b.file ? a.from - b.from : a.file < b.file ? -1 : 1));
}

/** @param {string} text */
export function brief(text) {
  const line = text.replace(/\s+/g, ' ');
  return line.length > 150 ? `${line.slice(0, 100)} ... ${line.slice(-45)}` : line;
}

/**
 * What names a mutant in any state of its file.
 *
 * @typedef {Pick<import('./mutants.mjs').Mutant, 'file' | 'in' | 'original' | 'replacement'>} Name
 */

/**
 * The mutants that no test can notice.
 *
 * @returns {(Name & { reason: string })[]}
 */
export function equivalents() {
  return JSON.parse(readFileSync(join(import.meta.dirname, 'equivalent.json'), 'utf8'));
}

/**
 * @param {Name} a
 * @param {Name} b
 */
export function isSame(a, b) {
  return a.file === b.file && a.in === b.in && a.original === b.original && a.replacement === b.replacement;
}
