import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { Instrumenter } from '@stryker-mutator/instrumenter';

/**
 * One change of one place. The first four fields name it in any later state of the file, whatever moves around it.
 *
 * @typedef {object} Mutant
 * @property {string} file
 * @property {string} in the trimmed line on which the mutant starts
 * @property {string} original
 * @property {string} replacement
 * @property {number} line counted from 1
 * @property {number} from the offset in the file at which the original starts
 * @property {string} place names it in this state of the file: `file:line:column:line:column:replacement`
 */

/** Mutates prose, or a word that the type checker compares with a union. Neither is a matter of unit tests. */
export const EXCLUDED_MUTATORS = ['StringLiteral'];

/**
 * All mutants that Stryker makes of these files.
 *
 * @param {readonly string[]} files
 * @returns {Promise<Mutant[]>}
 */
export async function mutantsOf(files) {
  const sources = files.map((name) => ({ name, content: readFileSync(name, 'utf8'), mutate: true }));
  const texts = new Map(sources.map(({ name, content }) => [name, content]));
  const options = { plugins: null, ignorers: [], excludedMutations: EXCLUDED_MUTATORS };
  const { mutants } = await new Instrumenter(silentLogger()).instrument(sources, options);
  const included = mutants.filter(({ status }) => status !== 'Ignored');
  return included.map((mutant) => describe(mutant, texts.get(mutant.fileName) ?? ''));
}

/** @param {Pick<import('@stryker-mutator/api/core').Mutant, 'fileName' | 'location' | 'replacement'>} mutant */
export function placeOf({ fileName, location: { start, end }, replacement }) {
  return [fileName, start.line, start.column, end.line, end.column, replacement].join(':');
}

/**
 * The same of a result, in which Stryker counts lines and columns from 1, and not from 0.
 *
 * @param {import('@stryker-mutator/api/core').MutantResult} result
 */
export function placeOfResult({ fileName, location: { start, end }, replacement }) {
  /** @param {import('@stryker-mutator/api/core').Position} position */
  const fromZero = ({ line, column }) => ({ line: line - 1, column: column - 1 });
  return placeOf({
    fileName: relative(process.cwd(), fileName).replaceAll('\\', '/'),
    location: { start: fromZero(start), end: fromZero(end) },
    replacement,
  });
}

/**
 * The mutants in a random order that depends only on the seed and on the mutants' own text: an edit of one line leaves
 * the places of all others as they are.
 *
 * @param {readonly Mutant[]} mutants
 * @param {string} seed
 */
export function shuffled(mutants, seed) {
  /** @type {Map<string, number>} */
  const seen = new Map();
  const ranked = mutants.map((mutant) => {
    const name = [mutant.file, mutant.in, mutant.original, mutant.replacement].join('\0');
    const times = seen.get(name) ?? 0;
    seen.set(name, times + 1);
    return { mutant, rank: createHash('sha256').update(`${seed}\0${name}\0${times}`).digest('hex') };
  });
  ranked.sort((a, b) => (a.rank < b.rank ? -1 : 1));
  return ranked.map(({ mutant }) => mutant);
}

/**
 * @param {import('@stryker-mutator/api/core').Mutant} mutant
 * @param {string} text of the file
 * @returns {Mutant}
 */
function describe(mutant, text) {
  const lines = text.split('\n');
  /** @param {import('@stryker-mutator/api/core').Position} position */
  const offset = ({ line, column }) =>
    lines.slice(0, line).reduce((sum, { length }) => sum + length + 1, column);
  const { start, end } = mutant.location;
  return {
    file: mutant.fileName,
    in: (lines[start.line] ?? '').trim(),
    original: text.slice(offset(start), offset(end)),
    replacement: mutant.replacement,
    line: start.line + 1,
    from: offset(start),
    place: placeOf(mutant),
  };
}

/** @returns {import('@stryker-mutator/api/logging').Logger} */
function silentLogger() {
  const no = () => false;
  const nothing = () => undefined;
  return {
    isTraceEnabled: no,
    isDebugEnabled: no,
    isInfoEnabled: no,
    isWarnEnabled: no,
    isErrorEnabled: no,
    isFatalEnabled: no,
    trace: nothing,
    debug: nothing,
    info: nothing,
    warn: nothing,
    error: nothing,
    fatal: nothing,
  };
}
