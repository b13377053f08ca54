import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { repair } from '../../src/audit/fix.js';
import { leastOf, targetOf } from '../../src/audit/target.js';

const ROOT = join(import.meta.dirname, '../..');
const PG = "import { Pool } from 'pg';\nconst pool = new Pool();\n";
const POOLCTL = "import { createDatabase } from 'poolctl';\nconst db = createDatabase('sqlite:a.db');\n";
const MYSQL =
  "import mysql from 'mysql2/promise';\nconst pool = mysql.createPool('mysql://localhost/shop');\n";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-merge-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(name: string, text: string) {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), text);
}

/** A function with these lines, audited and repaired as the command does it. */
async function repaired(lines: string, head = PG, name = 'a.ts'): Promise<string> {
  const type = name.endsWith('.ts') ? ': number' : '';
  const text = `${head}export async function work(id${type}) {\n${lines}\n}\n`;
  await write(name, text);
  const { findings } = audit([name], { cwd: folder });
  expect(findings.filter(({ rule }) => rule === 'leak')).not.toEqual([]);
  const path = join(folder, name);
  const result = repair(name, text, findings, targetOf(path));
  await writeFile(path, result.text);
  expect(audit([name], { cwd: folder }).findings.filter(({ rule }) => rule === 'leak')).toEqual(
    result.repaired.length > 0 ? [] : findings.filter(({ rule }) => rule === 'leak'),
  );
  const body = result.text.slice(result.text.indexOf('{\n', head.length) + 2, -3);
  return body;
}

const run = promisify(execFile);

/** What the compiler says of a file in the folder, types included. */
async function complaints(name: string): Promise<string> {
  const compilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowJs: true,
    target: 'es2022',
    lib: ['es2023', 'esnext.disposable'],
    module: 'nodenext',
    moduleDetection: 'force',
    types: ['node'],
    typeRoots: [join(ROOT, 'node_modules/@types')],
    paths: {
      pg: [join(ROOT, 'node_modules/@types/pg')],
      poolctl: [join(ROOT, 'src/index.ts')],
      '*': [join(ROOT, 'node_modules/*'), join(ROOT, 'node_modules/@types/*')],
    },
  };
  await write('check.json', JSON.stringify({ compilerOptions, files: [name] }));
  const tsc = join(ROOT, 'node_modules/typescript/bin/tsc');
  return await run(process.execPath, [tsc, '-p', 'check.json'], { cwd: folder }).then(
    () => '',
    ({ stdout }: { stdout: string }) => stdout,
  );
}

describe('a repair of a try that is there', () => {
  it('adds a finally to it, and takes the releases in it away', async () => {
    const text = await repaired(`  const client = await pool.connect();
  try {
    const { rows } = await client.query('select $1', [id]);
    if (rows.length === 0) {
      client.release();
      return null;
    }
    client.release();
    return rows[0];
  } catch (error) {
    console.error(error);
    throw error;
  }`);
    expect(text).toBe(`  const client = await pool.connect();
  try {
    const { rows } = await client.query('select $1', [id]);
    if (rows.length === 0) {
      return null;
    }
    return rows[0];
  } catch (error) {
    console.error(error);
    throw error;
  } finally {
    client.release();
  }`);
    expect(await complaints('a.ts')).toBe('');
  });

  it('moves a release that follows it into its finally, with what is said of it', async () => {
    const text = await repaired(`  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('update a set b = $1', [id]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  }
  // back to the pool
  client.release(); // at last`);
    expect(text).toBe(`  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    await client.query('update a set b = $1', [id]);
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK');
    throw error;
  } finally {
    // back to the pool
    client.release(); // at last
  }`);
    expect(await complaints('a.ts')).toBe('');
  });

  it('takes what stands before it into it, where its finally releases', async () => {
    const text = await repaired(`  const client = await pool.connect();
  // whose it is
  const { rows } = await client.query('select owner from carts where id = $1', [id]);

  try {
    await client.query('delete from carts where owner = $1', [rows[0].owner]);
  } finally {
    client.release();
  }`);
    expect(text).toBe(`  const client = await pool.connect();

  try {
    // whose it is
    const { rows } = await client.query('select owner from carts where id = $1', [id]);
    await client.query('delete from carts where owner = $1', [rows[0].owner]);
  } finally {
    client.release();
  }`);
    expect(await complaints('a.ts')).toBe('');
  });

  it('moves its finally out where it has a catch, which must not see more than before', async () => {
    const text = await repaired(`  const client = await pool.connect();
  const { rows } = await client.query('select owner from carts where id = $1', [id]);
  try {
    await client.query('delete from carts where owner = $1', [rows[0].owner]);
  } catch {
    console.error('stays');
  } finally {
    client.release();
  }`);
    expect(text).toBe(`  const client = await pool.connect();
  try {
    const { rows } = await client.query('select owner from carts where id = $1', [id]);
    try {
      await client.query('delete from carts where owner = $1', [rows[0].owner]);
    } catch {
      console.error('stays');
    }
  } finally {
    client.release();
  }`);
    expect(await complaints('a.ts')).toBe('');
  });

  it.each([
    [
      'a transaction that nobody rolls back',
      "try {\n    await client.query('BEGIN');\n    await client.query('COMMIT');\n    client.release();\n  } catch (error) {\n    throw error;\n  }",
    ],
    [
      'a release with more work behind it',
      "try {\n    await client.query('a');\n    client.release();\n    await fetch('http://localhost');\n  } catch (error) {\n    throw error;\n  }",
    ],
    [
      'names of the gap that are needed behind the try',
      "const { rows } = await client.query('a');\n  try {\n    await client.query('b');\n  } finally {\n    client.release();\n  }\n  return rows;",
    ],
    [
      'a name that is there twice',
      "const { rows } = await client.query('a');\n  try {\n    const { rows } = await client.query('b');\n    console.log(rows);\n  } finally {\n    client.release();\n  }",
    ],
    [
      'work in an open transaction before the try',
      "await client.query('BEGIN');\n  await client.query('b');\n  try {\n    await client.query('COMMIT');\n  } finally {\n    client.release();\n  }",
    ],
  ])('leaves %s alone', async (_, lines) => {
    const source = `  const client = await pool.connect();\n  ${lines}`;
    expect(await repaired(source)).toBe(source);
  });
});

it('the compiler would see a name that a repair took away', async () => {
  await write(
    'a.ts',
    `${PG}export async function work() {\n  try {\n    const a = await pool.query('a');\n  } finally {\n    console.log(a);\n  }\n}\n`,
  );
  expect(await complaints('a.ts')).toContain("Cannot find name 'a'");
});

describe('await using', () => {
  const lines =
    "  const session = await db.getDb();\n  const { rows } = await session.query('select ?', [id]);\n  await session.close();\n  return rows;";
  const modern = { compilerOptions: { target: 'es2022', lib: ['es2023', 'esnext.disposable'] } };

  it('is written where tsconfig.json has the library for it, and compiles', async () => {
    await write('tsconfig.json', JSON.stringify(modern));
    expect(await repaired(lines, POOLCTL)).toBe(
      "  await using session = await db.getDb();\n  const { rows } = await session.query('select ?', [id]);\n  return rows;",
    );
    expect(await complaints('a.ts')).toBe('');
  });

  it('is written into a try that is there, which gets no finally', async () => {
    await write('tsconfig.json', JSON.stringify(modern));
    const text = await repaired(
      "  const session = await db.getDb();\n  try {\n    await session.query('select ?', [id]);\n    await session.close();\n  } catch (error) {\n    console.error(error);\n    throw error;\n  }",
      POOLCTL,
    );
    expect(text).toBe(
      "  await using session = await db.getDb();\n  try {\n    await session.query('select ?', [id]);\n  } catch (error) {\n    console.error(error);\n    throw error;\n  }",
    );
    expect(await complaints('a.ts')).toBe('');
  });

  it.each([
    ['there is no tsconfig.json', {}],
    ['the library is not named', { 'tsconfig.json': { compilerOptions: { target: 'es2022' } } }],
    [
      'TypeScript is too old for it',
      { 'tsconfig.json': modern, 'package.json': { devDependencies: { typescript: '~5.1.6' } } },
    ],
    [
      'it is not compiled away, and Node 22 is to run it',
      {
        'tsconfig.json': { compilerOptions: { target: 'esnext' } },
        'package.json': { engines: { node: '>=22' }, devDependencies: { typescript: '^5.9.0' } },
      },
    ],
  ])('is not written where %s', async (_, files) => {
    for (const [name, content] of Object.entries(files)) await write(name, JSON.stringify(content));
    expect(await repaired(lines, POOLCTL)).toContain('  } finally {\n    await session.close();\n  }');
    expect(await complaints('a.ts')).toBe('');
  });

  it('is written in JavaScript where Node 24 is the oldest that runs it', async () => {
    await write('package.json', JSON.stringify({ engines: { node: '>=24' } }));
    expect(await repaired(lines, POOLCTL, 'a.mjs')).toContain('await using session');
    await write('package.json', JSON.stringify({ engines: { node: '>=20 || >=24' } }));
    expect(await repaired(lines, POOLCTL, 'a.mjs')).toContain('finally');
  });

  it('is written for mysql2 from the version on that has it', async () => {
    const work =
      "  const connection = await pool.getConnection();\n  const [rows] = await connection.query('select ?', [id]);\n  connection.release();\n  return rows;";
    await write('tsconfig.json', JSON.stringify(modern));
    const installed = (version: string) =>
      write('node_modules/mysql2/package.json', JSON.stringify({ name: 'mysql2', version }));
    await installed('3.17.5');
    expect(await repaired(work, MYSQL)).toContain('finally');
    await installed('3.18.0');
    expect(await repaired(work, MYSQL)).toBe(
      "  await using connection = await pool.getConnection();\n  const [rows] = await connection.query('select ?', [id]);\n  return rows;",
    );
  });

  it('is known from what a tsconfig.json extends', async () => {
    await write(
      'tsconfig.base.json',
      `{ // as people write it\n "compilerOptions": { "lib": ["ESNext.Disposable"] }, }`,
    );
    await write('app/tsconfig.json', JSON.stringify({ extends: '../tsconfig.base.json' }));
    expect(targetOf(join(folder, 'app/src/a.ts')).parsesUsing).toBe(true);
    expect(targetOf(join(folder, 'a.ts')).parsesUsing).toBe(false);
  });

  it.each([
    ['>=20.19', '20.19.0'],
    ['^22 || >=24', '22.0.0'],
    ['v24.1.2', '24.1.2'],
    ['*', null],
    ['<24', null],
  ])('takes %s for %s at the least', (range, least) => expect(leastOf(range)).toBe(least));
});
