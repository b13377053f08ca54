import type { PoolSize } from './types.js';

const SOURCE = /\.[cm]?[jt]sx?$/;
const NOT_PRODUCTION =
  /(?:^|\/)(?:tests?|__tests__|spec|e2e|fixtures?|examples?|benchmarks?|docs?|scripts?)\/|\.(?:test|spec|d)\.[cm]?[jt]sx?$/;

/** Whether a file is source that runs in production. */
export function isProductionSource(file: string): boolean {
  return SOURCE.test(file) && !NOT_PRODUCTION.test(file);
}

/** An options object up to its end, as far as objects inside it are nested once. */
const OBJECT = String.raw`\{(?:[^{}]|\{[^{}]*\})*\}`;

/** The place of a pool size that is a number: the object that has it, and its name there. */
const FORMS: readonly (readonly [needs: RegExp, object: RegExp, size: RegExp])[] = [
  [
    /['"]pg(?:-pool)?['"]/,
    new RegExp(String.raw`\bnew\s+(?:\w+\.)?Pool\s*(?:<[^>]*>)?\(\s*(${OBJECT})`, 'g'),
    /\bmax\s*:\s*(\d+)/,
  ],
  [
    /['"](?:mysql2?|mariadb)(?:\/promise)?['"]/,
    new RegExp(String.raw`\bcreatePool\s*\(\s*(${OBJECT})`, 'g'),
    /\bconnectionLimit\s*:\s*(\d+)/,
  ],
  [/\b(?:knex|sequelize)\b/i, new RegExp(String.raw`\bpool\s*:\s*(${OBJECT})`, 'g'), /\bmax\s*:\s*(\d+)/],
  [
    /\btypeorm\b|\bDataSource\b/i,
    new RegExp(String.raw`\bextra\s*:\s*(${OBJECT})`, 'g'),
    /\b(?:max|connectionLimit)\s*:\s*(\d+)/,
  ],
  [/\btypeorm\b|\bDataSource\b/i, /(\bpoolSize\s*:\s*\d+)/g, /\bpoolSize\s*:\s*(\d+)/],
];

/** The pool sizes that a file gives as numbers. */
export function poolSizesIn(file: string, source: string): PoolSize[] {
  const text = source
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, ' '))
    .replace(/(^|\s)\/\/.*$/gm, '$1');
  return FORMS.flatMap(([needs, object, name]) => {
    if (!needs.test(text)) return [];
    return [...text.matchAll(object)].flatMap((match) => {
      const found = name.exec(match[1] ?? '');
      if (found === null) return [];
      const offset = match.index + match[0].indexOf(match[1] ?? '') + found.index;
      return [{ size: Number(found[1]), file, line: text.slice(0, offset).split('\n').length }];
    });
  });
}
