// Facts that node:sqlite does not report of a statement, read from its text by the rules of SQLite's own tokenizer.

/**
 * `count` is the highest number of a parameter, `names` are those with a name, prefix included. As in better-sqlite3
 * a numbered parameter, `?7`, has the name 7.
 * @typedef {{ readonly count: number, readonly names: readonly string[] }} Parameters
 */

const WORD = '[\\w$\\u0080-\\uffff]';
/** Strings, names in quotes and comments come first, for nothing inside of them counts. */
const TOKEN = new RegExp(
  [
    `'(?:[^']|'')*'|"(?:[^"]|"")*"|\`(?:[^\`]|\`\`)*\`|\\[[^\\]]*\\]`,
    '--[^\\n]*|/\\*[\\s\\S]*?(?:\\*/|$)',
    '\\?\\d*',
    `[:@#$](?:::)*${WORD}(?:${WORD}|::)*(?:\\([^)\\s]*\\))?`,
    `${WORD}+`,
    '[()]',
  ].join('|'),
  'g',
);

/**
 * @param {string} sql
 * @returns {Parameters}
 */
export function parametersOf(sql) {
  /** @type {Set<string>} */
  const names = new Set();
  let count = 0;
  for (const [token] of sql.matchAll(TOKEN)) {
    if (token === '?') count++;
    else if (/^[?:@#$]/.test(token) && !names.has(token)) {
      names.add(token);
      count = token.startsWith('?') ? Math.max(count, Number(token.slice(1))) : count + 1;
    }
  }
  return { count, names: [...names] };
}

/**
 * Whether a statement returns rows.
 * @param {string} sql
 * @returns {'reads' | 'writes'}
 */
export function kindOf(sql) {
  const words = [];
  let depth = 0;
  for (const [token] of sql.matchAll(TOKEN)) {
    if (token === '(') depth++;
    else if (token === ')') depth--;
    else if (depth === 0 && /^[a-z]/i.test(token)) words.push(token.toLowerCase());
  }
  const verb = words.find((word) => VERBS.has(word)) ?? '';
  return READING.has(verb) || words.includes('returning') ? 'reads' : 'writes';
}

const READING = new Set(['select', 'values', 'pragma', 'explain']);
const VERBS = new Set([
  ...READING,
  'insert',
  'replace',
  'update',
  'delete',
  'create',
  'drop',
  'alter',
  'begin',
]);
