import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { bin, root, start } from '../helpers/bin.js';
import { describeWithMariaDb, newMysqlDatabase, type OwnMysql } from '../helpers/mysql.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-libraries-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  await mkdir(join(folder, 'run'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Leaves a lease out, and ends. Its site is on the line that says so. */
interface Program {
  readonly name: string;
  readonly text: string;
}

const POSTGRES_JS = `
const sql = postgres(process.env.DATABASE_URL, { max: 2, onnotice() {} });
let begun;
const hasBegun = new Promise((resolve) => { begun = resolve; });
async function report() {
  await sql.begin(async (tx) => { // here
    await tx\`select 1\`;
    begun();
    await new Promise(() => {});
  });
}
async function hold() {
  const reserved = await sql.reserve(); // and here
  await reserved\`select 2\`;
}
void report();
await hasBegun;
await hold();
process.exit();
`;
const inMain = (text: string): string => `async function main() {${text}}\nmain();`;
/**
 * Tells whether the statement that holds a lease runs. Each program sleeps for another time, since the statement of one
 * that has ended goes on.
 */
const running = (seconds: number): string =>
  `select 1 from pg_stat_activity where query like '%pg_sleep(${seconds})%' and datname = current_database() and pid <> pg_backend_pid()`;
const KNEX = `
const db = knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 2 } });
async function report() {
  await db.select(db.raw('pg_sleep(61)')); // here
}
report().catch(() => {});
while ((await db.raw(\`${running(61)}\`)).rows.length === 0);
process.exit();
`;
const OBJECTION = `
const { Model } = objection;
Model.knex(knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 2 } }));
class Backend extends Model { static tableName = 'pg_database' }
async function report() {
  await Backend.query().select(Model.raw('pg_sleep(62)')); // here
}
report().catch(() => {});
while ((await Model.knex().raw(\`${running(62)}\`)).rows.length === 0);
process.exit();
`;
const SEQUELIZE = `
const sequelize = new Sequelize(process.env.DATABASE_URL, { logging: false });
const Place = sequelize.define('place', { datname: DataTypes.TEXT }, { timestamps: false, tableName: 'pg_database' });
Place.removeAttribute('id');
async function report() {
  await Place.findAll({ where: sequelize.literal('pg_sleep(63) is not null') }); // here
}
await sequelize.query('select 1');
report().catch(() => {});
while ((await sequelize.query(\`${running(63)}\`))[0].length === 0);
process.exit();
`;
const BUNDLED = `
const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL });
await pool.connect(); // here
const things = genericPool.createPool({ create: async () => ({}), destroy: async () => {} }, { max: 2 });
await things.acquire(); // and here
const db = knex({ client: 'pg', connection: process.env.DATABASE_URL, pool: { min: 0, max: 2 } });
await db.transaction(); // here too
process.exit();
`;

/** Where the text has such a mark, as a site of the file. */
function sitesIn({ name, text }: Program): string[] {
  return text.split('\n').flatMap((line, i) => (/\/\/ .*here\b/.test(line) ? [`${name}:${i + 1}:`] : []));
}

async function exitReport(program: Program, env: Readonly<Record<string, string>>): Promise<string> {
  const file = join(folder, program.name);
  await writeFile(file, program.text);
  return reportOf(file, env);
}

async function reportOf(file: string, env: Readonly<Record<string, string>>): Promise<string> {
  const { stderr } = await start(bin, ['run', '--', process.execPath, file], {
    env: { XDG_RUNTIME_DIR: join(folder, 'run'), ...env },
  }).finished;
  return stderr;
}

async function bundled(program: Program, to: string, format: 'cjs' | 'esm'): Promise<string> {
  const source = join(folder, program.name);
  const outfile = join(folder, 'out', to);
  await writeFile(source, program.text);
  await build({
    entryPoints: [source],
    outfile,
    format,
    ...{ bundle: true, minify: true, platform: 'node', sourcemap: 'linked', logLevel: 'silent' },
    external: [
      'pg-native',
      'better-sqlite3',
      'sqlite3',
      'mysql',
      'mysql2',
      'oracledb',
      'tedious',
      'pg-query-stream',
    ],
    banner: format === 'esm' ? { js: BANNER } : {},
  });
  return outfile;
}
const BANNER = `import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);`;

describeWithPostgres('a library under poolctl run', () => {
  let database: OwnDatabase;
  const env = (): Readonly<Record<string, string>> => ({ DATABASE_URL: database.url() });
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterAll(async () => {
    // Statements that sleep do not notice that their client has gone.
    await database.shut();
    await database.allClosed();
  });

  it.each<Program>([
    { name: 'postgres.mjs', text: `import postgres from 'postgres';${POSTGRES_JS}` },
    { name: 'postgres.cjs', text: inMain(`const postgres = require('postgres');${POSTGRES_JS}`) },
    { name: 'knex.mjs', text: `import knex from 'knex';${KNEX}` },
    {
      name: 'objection.mjs',
      text: `import objection from 'objection'; import knex from 'knex';${OBJECTION}`,
    },
    { name: 'sequelize.mjs', text: `import { DataTypes, Sequelize } from 'sequelize';${SEQUELIZE}` },
  ])('has the line named that took a lease: $name', async (program) => {
    const report = await exitReport(program, env());
    for (const site of sitesIn(program)) expect(report).toContain(site);
  });

  it.each([
    ['in an ES module', 'bundle.mjs', 'esm'],
    ['in CommonJS', 'bundle.cjs', 'cjs'],
  ] as const)('is recognized in a minified bundle, %s', async (_, to, format) => {
    const head = `import pg from 'pg'; import genericPool from 'generic-pool'; import knex from 'knex';`;
    const text = format === 'esm' ? `${head}${BUNDLED}` : `${head}${inMain(BUNDLED)}`;
    const program = { name: `source-${format}.mjs`, text };
    const report = await reportOf(await bundled(program, to, format), env());
    expect(report).toContain('3 leases out at exit');
    for (const site of sitesIn(program)) expect(report).toContain(site);
  });

  it.each([
    ['in an ES module', 'driver.mjs', 'esm'],
    ['in CommonJS', 'driver.cjs', 'cjs'],
  ] as const)(
    'is recognized in a minified bundle though its pool is no object, %s',
    async (_, to, format) => {
      const head = `import postgres from 'postgres';`;
      const text = format === 'esm' ? `${head}${POSTGRES_JS}` : `${head}${inMain(POSTGRES_JS)}`;
      const program = { name: `driver-${format}-source.mjs`, text };
      const report = await reportOf(await bundled(program, to, format), env());
      for (const site of sitesIn(program)) expect(report).toContain(site);
    },
  );
});

describeWithMariaDb('the connector of MariaDB under poolctl run', () => {
  let database: OwnMysql;
  beforeAll(async () => {
    database = await newMysqlDatabase();
  });
  afterAll(() => database.remove());

  it('has the line named that took a lease, and its errors counted', async () => {
    const text = `
import mariadb from 'mariadb';
const url = new URL(process.env.DATABASE_URL);
const pool = mariadb.createPool({
  host: url.hostname, port: Number(url.port), user: url.username, password: decodeURIComponent(url.password),
  database: url.pathname.slice(1), connectionLimit: 2,
});
const connection = await pool.getConnection(); // here
await connection.query('select 1 as one');
process.exit();
`;
    const program = { name: 'mariadb.mjs', text };
    const report = await exitReport(program, { DATABASE_URL: database.url() });
    expect(report).toContain('1 lease out at exit');
    expect(report).toContain('last: select 1 as one');
    for (const site of sitesIn(program)) expect(report).toContain(site);
  });
});
