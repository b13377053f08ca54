import { mkdir, mkdtemp, readdir, readFile, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, normalize } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { root, start } from './helpers/bin.js';
import { type Installed, installPackage } from './helpers/installed.js';

let app: string;
let installed: Installed;
let doors: readonly string[];
let names: readonly string[];

beforeAll(async () => {
  app = await realpath(await mkdtemp(join(tmpdir(), 'poolctl-doors-')));
  installed = await installPackage(app);
  await mkdir(join(app, 'node_modules/@types'));
  await symlink(join(root, 'node_modules/@types/node'), join(app, 'node_modules/@types/node'), 'junction');
  await writeFile(join(app, 'package.json'), '{ "type": "module" }');
  const { exports } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Manifest;
  names = Object.keys(exports).flatMap((name) => (name.endsWith('.json') ? [] : [`poolctl${name.slice(1)}`]));
  doors = Object.values(exports).flatMap((door) => (typeof door === 'string' ? [] : [door.types]));
});
afterAll(() => rm(app, { recursive: true }));

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly types: string }>>;
  readonly typesVersions: Readonly<Record<'*', Readonly<Record<string, readonly string[]>>>>;
}

/** As strict as a program may be; also for the declarations of the package, which most leave unchecked. */
const STRICTEST = {
  compilerOptions: {
    target: 'ES2022',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    noPropertyAccessFromIndexSignature: true,
    verbatimModuleSyntax: true,
    skipLibCheck: false,
    // What is exported with an inferred type can only be declared if the package exports every name in it.
    declaration: true,
  },
};

/** Compiles a program, which must succeed, and answers where its JavaScript is. */
async function compile(name: string, source: string): Promise<string> {
  await writeFile(join(app, `${name}.ts`), source);
  await writeFile(join(app, `${name}.json`), JSON.stringify({ ...STRICTEST, files: [`${name}.ts`] }));
  const { stdout, stderr, code } = await start(
    join(root, 'node_modules/typescript/bin/tsc'),
    ['-p', join(app, `${name}.json`)],
    { cwd: app },
  ).finished;
  expect({ stdout, stderr, code }).toEqual({ stdout: '', stderr: '', code: 0 });
  return join(app, `${name}.js`);
}

/** Every declaration file that a door leads to, and the packages that these name. */
async function declarations(door: string): Promise<{ files: string[]; packages: string[] }> {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = async (file: string): Promise<void> => {
    if (files.has(file)) return;
    files.add(file);
    const code = (await readFile(file, 'utf8')).replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
    for (const [, specifier = ''] of code.matchAll(/\b(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
      if (!specifier.startsWith('.')) packages.add(specifier);
      else await visit(normalize(join(dirname(file), specifier.replace(/\.js$/, '.d.ts'))));
    }
  };
  await visit(join(installed.folder, door));
  return { files: [...files], packages: [...packages] };
}

describe('the library', () => {
  it('has the same doors for compilers that read no exports', async () => {
    const { exports, typesVersions } = JSON.parse(
      await readFile(join(root, 'package.json'), 'utf8'),
    ) as Manifest;
    const expected = Object.entries(exports).flatMap(([name, door]) =>
      typeof door === 'string' || name === '.' ? [] : [[name.slice(2), [door.types]]],
    );
    expect(typesVersions).toEqual({ '*': Object.fromEntries(expected) });
  });

  it('names no third-party type in the declarations of any door', async () => {
    expect(doors.length).toBeGreaterThan(2);
    for (const door of doors) {
      const { files, packages } = await declarations(door);
      // One is there for what it does when it is loaded, and declares nothing.
      if (!door.includes('register')) expect(files.length).toBeGreaterThan(1);
      expect(packages.filter((name) => !name.startsWith('node:'))).toEqual([]);
    }
  });

  it.each([
    ['typescript', { module: 'NodeNext' }],
    ['typescript', { module: 'ESNext', moduleResolution: 'Bundler' }],
    ['typescript-6', { module: 'Node16' }],
    ['typescript-6', { module: 'CommonJS', moduleResolution: 'Node10', ignoreDeprecations: '6.0' }],
  ])(
    'has types that need no other package: %s, %j',
    async (compiler, resolution) => {
      const folder = await mkdtemp(join(tmpdir(), 'poolctl-alone-'));
      try {
        await installPackage(folder);
        const lines = names.map((name, at) => `import * as door${at} from '${name}';\nvoid door${at};`);
        // The same from CommonJS, with `require`.
        for (const file of ['alone.ts', 'alone.mts']) await writeFile(join(folder, file), lines.join('\n'));
        const compilerOptions = { target: 'ES2022', strict: true, types: [], noEmit: true, ...resolution };
        await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions }));
        const tsc = join(root, 'node_modules', compiler, 'bin/tsc');
        const { stdout, code } = await start(tsc, ['-p', folder], { cwd: folder }).finished;
        expect({ stdout, code }).toEqual({ stdout: '', code: 0 });
      } finally {
        await rm(folder, { recursive: true });
      }
    },
    120_000,
  );

  it('is used by the strictest of programs, with `using` and `await using`', async () => {
    const program = await compile(
      'sessions',
      `
import { createServer } from 'node:http';
import { createDatabase, currentSession, DatabaseError, QueuePool, runWithSession, sessionPerRequest } from 'poolctl';
import type { Connection, Database, DatabaseOptions, Driver, Lease, PoolSnapshot, QueryResult, Session } from 'poolctl';

const options: DatabaseOptions = { mode: 'inline', leakWatch: { thresholdMs: 1000 }, recycleMs: null };
await using db: Database = createDatabase('sqlite::memory:', options);

interface Order { readonly id: number; readonly label: string }

async function orders(session: Session): Promise<readonly Order[]> {
  const result: QueryResult<Order> = await session.query<Order>('select id, label from orders');
  return result.rows;
}

{
  await using session = await db.getDb({ timeoutMs: 1000, signal: AbortSignal.timeout(1000) });
  await session.exec('create table orders (id integer primary key, label text not null)');
  const id: number | bigint | null = await session.transaction(
    async (inner) => (await inner.query('insert into orders (label) values (?)', ['a'])).lastInsertRowid,
    { mode: 'immediate' },
  );
  console.log('id', id);
}
console.log('rows', await db.withSession(orders));
console.log('current', await runWithSession(db, async () => (await currentSession()).closed));

const failed: unknown = await db.withSession((session) => session.query('selec')).catch((error: unknown) => error);
if (failed instanceof DatabaseError) console.log('code', failed.code, failed.hint, failed.sql, failed.position);

interface Thing { readonly name: string }
const driver: Driver<Thing> = {
  name: 'things',
  create: async (signal) => ({ name: String(signal.aborted) }),
  destroy() {},
};
await using pool = new QueuePool<Thing>({ driver, size: 2, maxOverflow: 0, name: 'things' });
pool.on('acquire', ({ leaseId, waitedMs }) => console.log('acquired', leaseId, typeof waitedMs));
pool.hook('connect', (thing, { info }) => { info['seen'] = thing.name; });
{
  using lease: Lease<Thing> = await pool.acquire();
  console.log('lent', lease.resource.name, lease.info['seen']);
}
const { inUse, counters, wait }: PoolSnapshot = pool.snapshot();
console.log('back', inUse, counters.released, wait?.count);
const connections: QueuePool<Connection> = db.pool;
console.log('driver', connections.snapshot().driver);

const middleware = sessionPerRequest(db);
createServer((request, response) => middleware(request, response, () => void response.end()));

export const mistakes = [
  // @ts-expect-error a misspelt option
  () => createDatabase('sqlite::memory:', { sizes: 1 }),
  // @ts-expect-error a promise is no session
  () => db.getDb().query('select 1'),
  // @ts-expect-error a lease is not the resource
  async () => (await pool.acquire()).name,
];
`,
    );
    const { stdout, stderr } = await start(program, [], { cwd: app }).finished;
    expect(stderr).toBe('');
    expect(stdout.trimEnd().split('\n')).toEqual([
      'id 1',
      "rows [ { id: 1, label: 'a' } ]",
      'current false',
      'code SQLITE_ERROR null selec null',
      'acquired 1 number',
      'lent false false',
      'back 0 1 1',
      'driver sqlite',
    ]);
  });

  it('types a config, with defineConfig and with satisfies', async () => {
    await compile(
      'config',
      `
import { defineConfig, type PoolctlConfig } from 'poolctl';

export default defineConfig({
  loadtest: { poolSize: 5, poolTimeout: '10s', sqlFile: ['a.sql'], prePing: process.env['CI'] ? true : undefined },
  'audit-leaks': { rules: { leak: 'note' }, overrides: [{ files: 'src/**', minConfidence: 'high' }] },
});
export const other = { 'pgbouncer init': { poolMode: 'session' } } satisfies PoolctlConfig;
export const size: number = other['pgbouncer init'].poolMode.length;

export const mistakes = [
  // @ts-expect-error a misspelt option
  () => defineConfig({ loadtest: { poolsize: 5 } }),
  // @ts-expect-error a command that there is not
  () => ({ laodtest: {} }) satisfies PoolctlConfig,
  // @ts-expect-error a word that the option does not take
  () => defineConfig({ loadtest: { testType: 'brust' } }),
];
`,
    );
  });

  it('exports every name that its functions and results are made of', async () => {
    await compile(
      'declared',
      `
import { createDatabase, currentSession, logLifeCycle, percentileUs, PoolTimeoutError, QueuePool, runWithSession, sessionPerRequest } from 'poolctl';
import { expectNoLeaks, failOnLeak, LeakError } from 'poolctl/testing';

export const db = createDatabase('sqlite::memory:');
export const { pool, getDb, withSession, close } = db;
export const { settings } = pool;
export const { clock, random, leakWatch, driver } = settings;
export const snapshot = pool.snapshot();
export const { counters, holders, wait } = snapshot;
export const middleware = sessionPerRequest(db);
export const lend = () => pool.acquire();
export const lent = async () => (await pool.acquire()).fail(new Error());
export const session = () => currentSession(db);
export const run = (work: () => number) => runWithSession(db, work);
export const result = async () => (await getDb()).query('select 1');
export const reports = () => [expectNoLeaks, failOnLeak, logLifeCycle, percentileUs] as const;
export const leaks = (error: LeakError) => error.leaks;
export const facts = (error: PoolTimeoutError) => error.facts;
export const listen = (name: 'leak' | 'nested' | 'invalidate') => pool.on(name, (event) => event);
export const Made = QueuePool;
`,
    );
    const declared = await readFile(join(app, 'declared.d.ts'), 'utf8');
    expect(declared).not.toMatch(/poolctl\/dist/);
  });

  it('is loaded by CommonJS programs too, without a warning', async () => {
    await writeFile(
      join(app, 'old.cjs'),
      `const { createDatabase } = require('poolctl');
      const { expectNoLeaks } = require('poolctl/testing');
      const db = createDatabase('sqlite::memory:');
      db.withSession((session) => session.query('select 1 as one'))
        .then(({ rows }) => console.log(rows, expectNoLeaks(db)))
        .then(() => db.close());`,
    );
    expect(await start(join(app, 'old.cjs'), [], { cwd: app }).finished).toMatchObject({
      stdout: '[ { one: 1 } ] undefined\n',
      stderr: '',
      code: 0,
    });
  });

  it('does not keep a process alive whose pool was never closed', async () => {
    await writeFile(
      join(app, 'open.mjs'),
      `import { createDatabase } from 'poolctl';
      const db = createDatabase('sqlite:open.db', { size: 3, minIdle: 2, keepaliveMs: 600_000, maxIdleMs: 600_000 });
      await db.pool.fill();
      const ask = () => db.withSession((session) => session.query('select 1 as one'));
      const [{ rows }] = await Promise.all([ask(), ask(), ask()]);
      console.log(rows, db.pool.snapshot().idle > 0);`,
    );
    expect(await start(join(app, 'open.mjs'), [], { cwd: app }).finished).toMatchObject({
      ...{ stdout: '[ { one: 1 } ] true\n', stderr: '', code: 0, signal: null },
    });
    expect(await readdir(app)).toContain('open.db');
  });
});
