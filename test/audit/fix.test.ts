import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ts } from 'ts-morph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { repair } from '../../src/audit/fix.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-fix-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function auditText(text: string) {
  await writeFile(join(folder, 'a.ts'), text);
  return audit(['a.ts'], { cwd: folder }).findings;
}

async function repaired(text: string) {
  return repair('a.ts', text, await auditText(text));
}

function inFunction(lines: string, head = "import { Pool } from 'pg';\nconst pool = new Pool();\n"): string {
  return `${head}export async function work(id: number, done: (of: unknown) => void) {\n${lines}\n}\n`;
}

async function expectClean(text: string) {
  expect(await auditText(text)).toEqual([]);
  const { diagnostics } = ts.transpileModule(text, {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ESNext },
  });
  expect(diagnostics).toEqual([]);
}

describe('a repair', () => {
  it('puts the work into try and the release into finally, with comments, blank lines and strings as they were', async () => {
    const { text } = await repaired(
      inFunction(`  // borrowed
  const client = await pool.connect(); // now
  const { rows } = await client.query(\`
select *
  from carts\`);

  // not needed any more
  client.release(); // back
  return rows;`),
    );
    expect(text).toBe(
      inFunction(`  // borrowed
  const client = await pool.connect(); // now
  try {
    const { rows } = await client.query(\`
select *
  from carts\`);
    return rows;
  } finally {
    // not needed any more
    client.release(); // back
  }`),
    );
    await expectClean(text);
  });

  it('adds a release where there is none', async () => {
    const { text } = await repaired(
      inFunction("  const client = await pool.connect();\n  await client.query('select 1');"),
    );
    expect(text).toContain('  } finally {\n    client.release();\n  }\n}');
    await expectClean(text);
  });

  it('ends try before work that goes on without the lease', async () => {
    const { text } = await repaired(
      inFunction(
        "  const client = await pool.connect();\n  await client.query('select 1');\n  client.release();\n  await fetch('http://localhost');",
      ),
    );
    expect(text).toContain("  }\n  await fetch('http://localhost');\n}");
    await expectClean(text);
  });

  it('ends try there too where the names of the work are not needed any more', async () => {
    const { text } = await repaired(
      inFunction(
        "  const client = await pool.connect();\n  const sql = 'select 1';\n  await client.query(sql);\n  client.release();\n  await fetch('http://localhost');",
      ),
    );
    expect(text).toContain('    await client.query(sql);\n  } finally {');
    expect(text).toContain("  }\n  await fetch('http://localhost');\n}");
    await expectClean(text);
  });

  it('takes what only computes into try where it needs the names of the work', async () => {
    const { text } = await repaired(
      inFunction(
        "  const client = await pool.connect();\n  const { rows } = await client.query('select 1');\n  client.release();\n  for (const row of rows) delete row.at;\n  return rows.map(String);",
      ),
    );
    expect(text).toContain(
      '    for (const row of rows) delete row.at;\n    return rows.map(String);\n  } finally {',
    );
    await expectClean(text);
  });

  it('keeps line ends of Windows, and tabs', async () => {
    const source = inFunction(
      "\tconst client = await pool.connect();\n\tawait client.query('select 1');\n\tclient.release();",
    ).replaceAll('\n', '\r\n');
    const { text } = await repaired(source);
    expect(text).toContain(
      "\r\n\ttry {\r\n\t\tawait client.query('select 1');\r\n\t} finally {\r\n\t\tclient.release();\r\n\t}\r\n",
    );
    expect(text.replaceAll('\r\n', '')).not.toContain('\n');
    await expectClean(text);
  });

  it('uses await using for a session where the file has it already', async () => {
    const head =
      "import { createDatabase } from 'poolctl';\nconst db = createDatabase('sqlite:a.db');\nexport async function other() {\n  await using session = await db.getDb();\n  await session.query('select 1');\n}\n";
    const lines =
      "  const session = await db.getDb();\n  const { rows } = await session.query('select 1');\n  await session.close();\n  return rows;";
    const { text } = await repaired(inFunction(lines, head));
    expect(text).toContain(
      "{\n  await using session = await db.getDb();\n  const { rows } = await session.query('select 1');\n  return rows;\n}",
    );
    await expectClean(text);
    const { text: older } = await repaired(
      inFunction(
        lines,
        head.replace('await using', 'const').replace(');\n}', ');\n  await session.close();\n}'),
      ),
    );
    expect(older).toContain('  } finally {\n    await session.close();\n  }');
    await expectClean(older);
  });

  it('takes releases in branches away that a finally does for all', async () => {
    const { text } = await repaired(
      inFunction(`  let client = await pool.connect();
  const { rows } = await client.query('select $1', [id]);
  if (rows.length === 0) {
    client.release();
    return null;
  }
  try {
    await client.query('update a set b = 1');
  } catch (error) {
    done(error);
    client.release();
    return null;
  }
  client.release();
  return rows;`),
    );
    expect(text).toBe(
      inFunction(`  let client = await pool.connect();
  try {
    const { rows } = await client.query('select $1', [id]);
    if (rows.length === 0) {
      return null;
    }
    try {
      await client.query('update a set b = 1');
    } catch (error) {
      done(error);
      return null;
    }
    return rows;
  } finally {
    client.release();
  }`),
    );
    await expectClean(text);
  });

  it('gives a finally to the try in which a variable from outside gets the lease', async () => {
    const { text } = await repaired(
      inFunction(`  let client: PoolClient;
  try {
    client = await pool.connect();
    const { rows } = await client.query('select $1', [id]);
    client.release();
    return rows;
  } catch (error) {
    done(error);
    return null;
  }`),
    );
    expect(text).toBe(
      inFunction(`  let client: PoolClient | undefined;
  try {
    client = await pool.connect();
    const { rows } = await client.query('select $1', [id]);
    return rows;
  } catch (error) {
    done(error);
    return null;
  } finally {
    client?.release();
  }`),
    );
    await expectClean(text);
  });

  it('takes a guarded release of the catch away, too', async () => {
    const { text } = await repaired(
      inFunction(`  let client;
  try {
    client = await pool.connect();
    await client.query('BEGIN');
    await client.query('update a set b = $1', [id]);
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    if (client) await client.query('ROLLBACK');
    if (client) client.release();
    throw error;
  }`),
    );
    expect(text).toContain("    await client.query('COMMIT');\n  } catch (error) {");
    expect(text).toContain('    throw error;\n  } finally {\n    client?.release();\n  }');
    expect(text.match(/release\(/g)).toHaveLength(1);
    await expectClean(text);
  });

  it('rolls back what is begun and committed, where an error comes between', async () => {
    const { text } = await repaired(
      inFunction(`  const client = await pool.connect();
  await client.query('BEGIN');
  await client.query('update a set b = $1', [id]);
  await client.query('COMMIT');
  client.release();`),
    );
    expect(text).toContain(
      "  } catch (error) {\n    await client.query('ROLLBACK');\n    throw error;\n  } finally {\n    client.release();\n  }",
    );
    await expectClean(text);
  });

  it('ends clients that are made per call, with the parts that they are used by', async () => {
    const head = "import { MongoClient } from 'mongodb';\nconst url = 'mongodb://localhost';\n";
    const { text } = await repaired(
      inFunction(
        "  const client = await MongoClient.connect(url);\n  const db = client.db('shop');\n  const found = await db.collection('a').countDocuments();\n  await client.close();\n  return found;",
        head,
      ),
    );
    expect(text).toContain('    return found;\n  } finally {\n    await client.close();\n  }');
    await expectClean(text);
  });

  it('closes handles whose work is done without promises', async () => {
    const head = "import Database from 'better-sqlite3';\n";
    const { text } = await repaired(
      inFunction(
        "  const db = new Database('a.db');\n  const insert = db.prepare('insert into a values (?)');\n  for (const one of [id]) insert.run(one);\n  db.close();",
        head,
      ),
    );
    expect(text).toContain(
      '    for (const one of [id]) insert.run(one);\n  } finally {\n    db.close();\n  }',
    );
    await expectClean(text);
  });

  it.each([
    ['a lease that is handed on', "done(client);\n  await client.query('select 1');\n  client.release();"],
    ['work that is not awaited', "void client.query('select 1');\n  await fetch('x');\n  client.release();"],
    [
      'a function that knows the lease',
      "done(() => client);\n  await client.query('select 1');\n  client.release();",
    ],
    [
      'a release in a loop',
      "for (const one of [id]) {\n    await client.query('a');\n    if (one > 1) {\n      client.release();\n      break;\n    }\n  }",
    ],
    [
      'work after a release that waits',
      "if (id > 1) {\n    client.release();\n    return await fetch('x');\n  }\n  await client.query('a');\n  client.release();",
    ],
    ['a release that says why', "await client.query('a');\n  client.release(true);"],
    [
      'names that are needed later',
      "const a = await client.query('a');\n  client.release();\n  await fetch(String(a));",
    ],
    [
      'a transaction that others end',
      "await client.query('BEGIN');\n  await client.query('a');\n  client.release();",
    ],
    [
      'a part of the lease that is handed on',
      "const statement = client.prepare('a');\n  done(statement);\n  client.release();",
    ],
    [
      'a helper that may roll back and release itself',
      "await client.query('BEGIN');\n  await save(client);\n  await client.query('COMMIT');\n  client.release();",
    ],
    ['statements on one line', "await client.query('a'); client.release();"],
  ])('leaves %s alone', async (_, lines) => {
    const source = inFunction(`  const client = await pool.connect();\n  ${lines}`);
    expect(await repaired(source)).toEqual({ text: source, repaired: [] });
  });

  it('leaves a variable that can change alone', async () => {
    const source = inFunction(
      "  let client = await pool.connect();\n  if (id > 1) client = await pool.connect();\n  await client.query('select 1');\n  client.release();",
    );
    expect((await repaired(source)).text).toBe(source);
  });
});
