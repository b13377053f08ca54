import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { TopLine } from '../../src/top/report.js';
import { bin, root, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-drivers-'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
});
afterAll(() => rm(folder, { recursive: true }));

/** Runs a program until `top` sees what is wanted, and answers the last line that it printed. */
async function seen(
  text: string,
  env: Record<string, string>,
  isIt: (line: TopLine) => boolean,
): Promise<TopLine> {
  const file = join(folder, 'app.mjs');
  await writeFile(file, `${text}\nsetInterval(() => {}, 1000);\n`);
  const app = start(bin, ['run', '--name', 'shop', '--leak-after', '1s', '--', process.execPath, file], {
    env: { XDG_RUNTIME_DIR: folder, ...env },
  });
  let last: TopLine | null = null;
  try {
    await eventually(async () => {
      const io = testIo({ cwd: root, env: { XDG_RUNTIME_DIR: folder } });
      const user = { ...io.user, uid: process.getuid?.() ?? null };
      await runMain(
        { commands, version: () => '1' },
        ['top', '--once', '--json', '--interval', '250ms', 'pool:', ...Object.values(env)],
        {
          ...io,
          user,
        },
      );
      if (io.out() === '') return false;
      last = JSON.parse(io.out().trim().split('\n').at(-1) ?? '') as TopLine;
      return isIt(last);
    }).catch(() => expect({ said: last?.diagnosis, sources: last?.sources.length }).toBe('what was wanted'));
  } finally {
    app.child.kill('SIGTERM');
    await app.finished;
  }
  return last as unknown as TopLine;
}

const poolsOf = ({ sources }: TopLine) => sources.flatMap(({ reading }) => reading?.pools ?? []);

// There is no server of either here: the driver's own pool is watched up to the failure of its connect.
describe('a driver whose server is not there', () => {
  it('mssql: its pool and the error are seen, and named', async () => {
    const line = await seen(
      `import sql from 'mssql';
const pool = new sql.ConnectionPool({ server: '127.0.0.1', port: 1, user: 'a', password: 'b', database: 'c', pool: { max: 3 } });
await pool.connect().catch(() => {});`,
      {},
      ({ diagnosis }) => diagnosis.cause !== null,
    );
    expect(line.diagnosis.cause).toBe('server-down');
    expect(poolsOf(line)).toMatchObject([
      {
        driver: 'mssql',
        size: 3,
        live: 0,
        observed: { address: { host: '127.0.0.1', port: 1, database: 'c', user: 'a' } },
      },
    ]);
  });

  it('mongodb: its pool and the error are seen, and named', async () => {
    const line = await seen(
      `import { MongoClient } from 'mongodb';
const client = new MongoClient('mongodb://127.0.0.1:1/x', { maxPoolSize: 4, serverSelectionTimeoutMS: 500 });
await client.db().command({ ping: 1 }).catch(() => {});
const again = new MongoClient('mongodb://127.0.0.1:1/x', { maxPoolSize: 4 });
again.connect().catch(() => {});`,
      {},
      ({ diagnosis }) => diagnosis.cause !== null,
    );
    expect(line.diagnosis.cause).toBe('server-down');
    expect(poolsOf(line)).toContainEqual(expect.objectContaining({ driver: 'mongodb', size: 4, live: 0 }));
  });
});

describeWithPostgres('drizzle over postgres.js', () => {
  let database: OwnDatabase;
  beforeAll(async () => {
    database = await newDatabase();
  });
  afterAll(async () => {
    await database.shut();
    await database.allClosed();
  });

  it('has the line of a transaction named that nobody ends', async () => {
    const line = await seen(
      `import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/postgres-js';
import postgres from 'postgres';
const db = drizzle(postgres(process.env.DATABASE_URL, { max: 2, onnotice() {} }));
async function order() {
  await db.transaction(async (tx) => {
    await tx.execute(sql\`select 1\`);
    await new Promise(() => {});
  });
}
await Promise.all([order(), order(), order()]);`,
      { DATABASE_URL: database.url() },
      ({ diagnosis }) => diagnosis.cause === 'transaction-left-open',
    );
    expect(line.diagnosis.words).toMatch(/app\.mjs:6/);
    expect(poolsOf(line)).toMatchObject([{ driver: 'postgres', size: 2, inUse: 2 }]);
  });
});
