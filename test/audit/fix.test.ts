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

  it.each([
    ['a lease that is handed on', "done(client);\n  await client.query('select 1');\n  client.release();"],
    ['work that is not awaited', "void client.query('select 1');\n  await fetch('x');\n  client.release();"],
    [
      'a function that knows the lease',
      "done(() => client);\n  await client.query('select 1');\n  client.release();",
    ],
    [
      'two releases',
      "if (id > 1) {\n    client.release();\n    return;\n  }\n  await client.query('a');\n  client.release();",
    ],
    ['a release that says why', "await client.query('a');\n  client.release(true);"],
    [
      'names that are needed later',
      "const a = await client.query('a');\n  client.release();\n  await fetch(String(a));",
    ],
    ['a transaction', "await client.query('BEGIN');\n  await client.query('COMMIT');\n  client.release();"],
    ['statements on one line', "await client.query('a'); client.release();"],
  ])('leaves %s alone', async (_, lines) => {
    const source = inFunction(`  const client = await pool.connect();\n  ${lines}`);
    expect(await repaired(source)).toEqual({ text: source, repaired: [] });
  });

  it('leaves a variable that can change alone', async () => {
    const source = inFunction(
      "  let client = await pool.connect();\n  await client.query('select 1');\n  client.release();",
    );
    expect((await repaired(source)).text).toBe(source);
  });
});
