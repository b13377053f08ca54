// A made-up code base for the speed of the audit: modules that import each other, and among them the density of acquire
// calls, of wrappers in other files and of files with the words of leases that was counted in 17 real trees (1.34
// million lines, 11,089 files, 702 acquire calls, 1,036 files that had to be parsed).
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Of the 17 trees. */
const LINES_PER_FILE = 120;
const LINES_PER_ACQUIRE = 1900;
const SHARE_WITH_WORDS = 0.093;

/**
 * Writes the tree and says what is in it.
 * @param {string} folder
 * @param {{ lines: number, density: number, types: string }} options density: 1 is that of the sample; types: where the
 *   types of pg are
 */
export function writeTree(folder, { lines, density, types }) {
  const files = Math.round(lines / LINES_PER_FILE);
  const acquires = Math.round((lines / LINES_PER_ACQUIRE) * density);
  const withWords = Math.max(acquires / 2, files * SHARE_WITH_WORDS * density);
  const random = generator(1);
  let written = 0;
  let acquired = 0;
  const add = (/** @type {string} */ name, /** @type {string} */ text) => {
    const path = join(folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    written += text.split('\n').length - 1;
  };
  add('tsconfig.json', tsconfig(types));
  written = 0;
  const pools = Math.max(1, Math.round(acquires / 40));
  for (let at = 0; at < pools; at++) add(`src/db/pool${at}.ts`, poolModule(at));
  for (let at = 0; at < files && written < lines; at++) {
    const hasWords = random() < withWords / files;
    const wants = hasWords ? Math.min(acquires - acquired, 1 + Math.floor(random() * 3)) : 0;
    acquired += wants;
    const functions = [];
    for (let one = 0; one < wants; one++) functions.push(leaseFunction(one, random));
    if (hasWords && wants === 0) functions.push(impostor());
    add(nameOf(at), ordinaryModule(at, functions, Math.floor(random() * pools), random));
  }
  return { files: files + pools, lines: written, acquires: acquired + pools * 2 };
}

/** @param {number} at */
function nameOf(at) {
  return `src/area${at % 40}/part${Math.floor(at / 40) % 12}/module${at}.ts`;
}

/** @param {string} types */
function tsconfig(types) {
  return JSON.stringify({
    compilerOptions: {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      target: 'es2022',
      module: 'nodenext',
      types: ['node'],
      typeRoots: [types],
      paths: { pg: [`${types}/pg`] },
    },
    include: ['src'],
  });
}

/** Two wrappers, the second of the first. @param {number} at */
function poolModule(at) {
  return `import { Pool } from 'pg';

const pool = new Pool({ max: ${10 + at} });

export async function borrow() {
  const client = await pool.connect();
  client.on('error', () => {});
  return client;
}

export async function openSession(name: string) {
  const client = await borrow();
  return { name, client };
}

export { pool };
`;
}

/** @param {number} at @param {() => number} random */
function leaseFunction(at, random) {
  const kind = random();
  const work = `const { rows } = await client.query('select * from orders where id = $1', [id]);`;
  if (kind < 0.25)
    return `export async function straight${at}(id: number) {
  const client = await pool.connect();
  ${work}
  client.release();
  return rows;
}`;
  if (kind < 0.5)
    return `export async function guarded${at}(id: number) {
  const client = await pool.connect();
  try {
    ${work}
    for (const row of rows) {
      if (row.total > id) await client.query('update orders set big = true where id = $1', [row.id]);
      else if (row.total < 0) return null;
    }
    return rows;
  } finally {
    client.release();
  }
}`;
  if (kind < 0.75)
    return `export async function wrapped${at}(id: number) {
  const client = await borrow();
  try {
    await client.query('BEGIN');
    ${work}
    await client.query('COMMIT');
    return rows;
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    client.release();
  }
}`;
  return `export async function throughTwo${at}(id: number) {
  const { client } = await openSession('orders');
  try {
    ${work}
    return rows;
  } finally {
    client.release();
  }
}`;
}

/** Has the words, and lends nothing. */
function impostor() {
  return `const gate = { acquire: async () => () => {}, connect: () => 1 };
export async function locked(work: () => Promise<void>) {
  const release = await gate.acquire();
  try {
    gate.connect();
    await work();
  } finally {
    release();
  }
}`;
}

/**
 * @param {number} at
 * @param {readonly string[]} functions
 * @param {number} pool
 * @param {() => number} random
 */
function ordinaryModule(at, functions, pool, random) {
  const others = [1, 2, 3].map(() => Math.floor(random() * at)).filter((one) => one < at);
  const unique = [...new Set(others)];
  const imports = unique.map(
    (one) => `import { Model${one}, list${one}, total${one} } from '${relativeName(at, one)}';`,
  );
  if (functions.length > 0)
    imports.push(
      `import { borrow, openSession, pool } from '../../db/pool${pool}.js';`,
      'export { borrow, openSession, pool };',
    );
  const parts = [];
  const size = LINES_PER_FILE - imports.length - functions.join('\n').split('\n').length - 22;
  for (let lines = 0, part = 0; lines < size; part++) {
    const text = filler(at, part, unique, random);
    lines += text.split('\n').length + 1;
    parts.push(text);
  }
  return `${imports.join('\n')}

export interface Row${at} {
  readonly id: number;
  readonly name: string;
  readonly total: number | null;
  readonly tags: readonly string[];
  readonly at?: Date;
}

export class Model${at} {
  readonly #rows = new Map<number, Row${at}>();

  put(row: Row${at}): this {
    this.#rows.set(row.id, { ...row, tags: [...row.tags, '${at}'] });
    return this;
  }

  get(id: number): Row${at} | undefined {
    return this.#rows.get(id);
  }
}

export const list${at}: readonly Row${at}[] = [{ id: ${at}, name: 'm${at}', total: null, tags: [] }];

export function total${at}(rows: readonly Row${at}[]): number {
  return rows.reduce((sum, { total }) => sum + (total ?? 0), 0);
}

${[...parts, ...functions].join('\n\n')}
`;
}

/** @param {number} from @param {number} to */
function relativeName(from, to) {
  const [, area, part, file] = nameOf(to).replace(/\.ts$/, '.js').split('/');
  return nameOf(from).startsWith(`src/${area}/${part}/`) ? `./${file}` : `../../${area}/${part}/${file}`;
}

/**
 * @param {number} at
 * @param {number} part
 * @param {readonly number[]} others
 * @param {() => number} random
 */
function filler(at, part, others, random) {
  const name = `step${part}of${at}`;
  const other = others[Math.floor(random() * others.length)];
  const kind = random();
  if (kind < 0.3 && other !== undefined)
    return `export function ${name}(model: Model${other}, ids: readonly number[]) {
  const found = ids.map((id) => model.get(id)).filter((row) => row !== undefined);
  const names = found.map(({ name, tags }) => \`\${name}: \${tags.join(', ')}\`);
  if (names.length === 0) return { names: list${other}.map(({ name }) => name), sum: 0 };
  return { names, sum: total${other}(found) };
}`;
  if (kind < 0.6)
    return `export async function ${name}(load: (page: number) => Promise<Row${at}[]>, limit = ${part + 3}) {
  const pages: Row${at}[] = [];
  for (let page = 0; page < limit; page++) {
    const rows = await load(page);
    if (rows.length === 0) break;
    for (const row of rows) {
      switch (row.tags[0]) {
        case 'open':
          pages.push({ ...row, total: (row.total ?? 0) + 1 });
          break;
        case undefined:
          continue;
        default:
          pages.push(row);
      }
    }
  }
  return pages.sort((a, b) => a.id - b.id);
}`;
  if (kind < 0.8)
    return `export const ${name} = {
  id: 'area.${at}.${part}',
  limits: { least: ${part}, most: ${part * 7 + 3}, unit: 'ms' as const },
  describe(value: number): string {
    if (value < this.limits.least) return 'too little';
    return value > this.limits.most ? 'too much' : \`\${value} \${this.limits.unit}\`;
  },
};`;
  return `export type Event${part}of${at} =
  | { readonly kind: 'added'; readonly row: Row${at} }
  | { readonly kind: 'removed'; readonly id: number };

export function ${name}(events: readonly Event${part}of${at}[], rows = new Map<number, Row${at}>()) {
  for (const event of events) {
    if (event.kind === 'added') rows.set(event.row.id, event.row);
    else rows.delete(event.id);
  }
  return rows;
}`;
}

/** The same numbers in every run: mulberry32. @param {number} seed */
function generator(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
