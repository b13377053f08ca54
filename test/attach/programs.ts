import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root } from '../helpers/bin.js';

/** A part of a program that knows nothing of poolctl: one pool. */
export interface Kind {
  readonly name: string;
  /** The kind of its pool, as snapshots have it. */
  readonly driver: string;
  /** Tells it from the other pools of the program. */
  readonly size: number;
  readonly server: 'postgres' | 'mariadb' | null;
  readonly imports: Readonly<Record<string, string>>;
  /** Makes the pool, whose methods are looked at. `hold` takes a connection and keeps it; `use` gives it back. */
  readonly text: string;
  /** What its connections say was sent last in `hold`; null where they do not say it. */
  readonly sql: string | null;
}

const PG = `
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: 4 });
async function hold() {
  const client = await pool.connect(); // here
  await client.query('select 1 as held');
}
const use = () => pool.query('select 1');
`;

export const KINDS: readonly Kind[] = [
  {
    size: 4,
    name: 'pg',
    driver: 'pg',
    server: 'postgres',
    imports: { pg: 'pg' },
    text: PG,
    sql: 'select 1 as held',
  },
  {
    size: 5,
    ...{ name: 'mysql2', driver: 'mysql2', server: 'mariadb', imports: { mysql: 'mysql2' } },
    sql: 'select 1 as held',
    text: `
const pool = mysql.createPool({ uri: process.env.MYSQL_URL, connectionLimit: 5 }).promise();
async function hold() {
  const connection = await pool.getConnection(); // here
  await connection.query('select 1 as held');
}
const use = () => pool.query('select 1');
`,
  },
  {
    size: 6,
    ...{ name: 'knex', driver: 'tarn', server: 'postgres', imports: { knex: 'knex' } },
    sql: 'select 1 as held',
    text: `
const pool = knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 6 } });
async function hold() {
  const transaction = await pool.transaction(); // here
  await transaction.raw('select 1 as held');
}
const use = () => pool.raw('select 1');
`,
  },
  {
    size: 7,
    ...{ name: 'generic-pool', driver: 'generic-pool', server: null, imports: { generic: 'generic-pool' } },
    sql: null,
    text: `
const pool = generic.createPool({ create: async () => ({}), destroy: async () => {} }, { max: 7 });
async function hold() {
  await pool.acquire(); // here
}
const use = async () => pool.release(await pool.acquire());
`,
  },
  {
    size: 8,
    ...{ name: 'sequelize', driver: 'sequelize-pool', server: 'postgres', sql: 'START TRANSACTION;' },
    imports: { sequelizeModule: 'sequelize' },
    text: `
const pool = new sequelizeModule.Sequelize(process.env.DATABASE_URL, { logging: false, pool: { max: 8 } });
async function hold() {
  await pool.transaction(); // here
}
const use = () => pool.query('select 1');
`,
  },
  {
    size: 9,
    ...{ name: 'undici', driver: 'undici', server: null, sql: 'GET /slow' },
    imports: { undici: 'undici', http: 'node:http' },
    text: `
const server = http.createServer((request, response) => {
  if (request.url !== '/slow?token=secret') response.end('done');
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const pool = new undici.Pool('http://127.0.0.1:' + server.address().port, { connections: 9 });
const arrived = () => new Promise((resolve) => server.once('request', resolve));
async function hold() {
  const there = arrived();
  void pool.request({ path: '/slow?token=secret', method: 'GET' }).catch(() => {}); // here
  await there;
}
const use = async () => (await pool.request({ path: '/', method: 'GET' })).body.dump();
`,
  },
  {
    size: 3,
    ...{ name: 'poolctl', driver: 'postgresql', server: 'postgres', sql: 'select 1 as held' },
    imports: { poolctl: 'poolctl' },
    text: `
const pool = poolctl.createDatabase(process.env.DATABASE_URL, { size: 3, maxOverflow: 0 });
async function hold() {
  const session = await pool.getDb(); // here
  await session.query('select 1 as held');
}
const use = async () => {
  const session = await pool.getDb();
  await session.query('select 1');
  await session.close();
};
`,
  },
];

/** Tells what a watch leaves behind: the inspector, marks, listeners, and methods that are not the library's. */
const REST = `
const named = (one) => [String(one.name), String(one).slice(0, 60)];
const methodsOf = (one) => {
  const prototype = Object.getPrototypeOf(one);
  return Object.getOwnPropertyNames(prototype).map((key) => named(Object(Object.getOwnPropertyDescriptor(prototype, key).value)));
};
const actions = {
  hold: () => Promise.all(kinds.map(({ hold }) => hold())),
  use: () => Promise.all(kinds.map(({ use }) => use())),
  quit: () => process.exit(),
  async state() {
    const { url } = await import('node:inspector');
    const { EventEmitter } = await import('node:events');
    const { Socket } = await import('node:net');
    console.log(JSON.stringify({
      url: url() ?? null,
      marks: Reflect.ownKeys(globalThis).map(String).filter((key) => /poolctl.*(?:watcher|started|scopes)/.test(key)),
      exits: process.listenerCount('exit'),
      hooked: [named(EventEmitter.init), named(Socket.prototype.connect)],
      pools: kinds.map(({ pool }) => [Object.getOwnPropertySymbols(pool).map(String), methodsOf(pool)]),
    }));
  },
};
let before = Promise.resolve();
process.stdin.setEncoding('utf8').on('data', (text) => {
  for (const word of text.trim().split('\\n')) {
    before = before.then(() => actions[word]()).then(() => console.log(word), (error) => console.log('FAILED', error));
  }
});
console.log('ready');
`;

export interface RunningProgram {
  readonly pid: number;
  readonly child: ChildProcess;
  /** The file of the program, and the line on which a kind takes what it holds. */
  siteOf(kind: Kind): string;
  /** Has it do something, and resolves when that is done, with what it has printed. */
  act(word: 'hold' | 'use' | 'state' | 'quit'): Promise<string>;
  stderr(): string;
}

/** Starts a program with these pools in a folder of its own. */
export async function startProgram(
  kinds: readonly Kind[],
  { folder, env, isModule = true, node = process.execPath, args = [], uid }: StartOptions,
): Promise<RunningProgram> {
  await mkdir(folder, { recursive: true });
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules')).catch(() => {});
  const imports = new Map(kinds.flatMap((kind) => Object.entries(kind.imports)));
  const loads = [...imports].map(([name, from]) => {
    const source = from === 'poolctl' ? join(root, 'dist/src/index.js') : from;
    if (!isModule) return `const ${name} = require('${source}');`;
    return `import * as ${name}All from '${source}'; const ${name} = ${name}All.default ?? ${name}All;`;
  });
  const makes = kinds.map(
    ({ name, text }) =>
      `kinds.push(await (async () => {${text.replace('// here', `// here: ${name}`)}return { pool, hold, use }; })());`,
  );
  const body = `const kinds = [];\n${makes.join('\n')}\n${REST}`;
  const text = `${loads.join('\n')}\n${isModule ? body : `(async () => {${body}})();`}`;
  const file = join(folder, isModule ? 'app.mjs' : 'app.cjs');
  await writeFile(file, text);
  const child = spawn(node, [...args, file], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, TMPDIR: process.env.TMPDIR, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid }),
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    stderr += piece;
  });
  child.stdin.on('error', () => {});
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const until = async (word: string): Promise<string> => {
    const heard: string[] = [];
    for (;;) {
      const { value, done } = await lines.next();
      if (done === true || String(value).startsWith('FAILED')) throw new Error(`${String(value)}\n${stderr}`);
      if (value === word) return heard.join('\n');
      heard.push(String(value));
    }
  };
  await until('ready');
  return {
    ...{ pid: child.pid ?? 0, child },
    siteOf: ({ name }) =>
      `${file}:${text.split('\n').findIndex((one) => one.endsWith(`// here: ${name}`)) + 1}`,
    stderr: () => stderr,
    async act(word) {
      child.stdin.write(`${word}\n`);
      if (word !== 'quit') return until(word);
      await once(child, 'exit');
      return '';
    },
  };
}

export interface StartOptions {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** Default: true; false for CommonJS. */
  readonly isModule?: boolean;
  /** Default: the Node that runs the tests. */
  readonly node?: string;
  readonly args?: readonly string[];
  readonly uid?: number;
}
