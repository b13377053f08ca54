import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { explainedRepair } from '../../src/audit/fix.js';

const FOLDER = mkdtempSync(join(tmpdir(), 'poolctl-python-fix-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));

const OPTIONS = { parsesUsing: false, versionOf: () => null };

function leaksIn(name: string, code: string) {
  writeFileSync(join(FOLDER, name), code);
  return audit([join(FOLDER, name)], { cwd: FOLDER }).findings.filter(({ rule }) => rule === 'leak');
}

function repaired(code: string, name = 'code.py') {
  const found = leaksIn(name, code);
  expect(found).not.toEqual([]);
  return explainedRepair(name, code, found, OPTIONS);
}

const HEAD = 'import sqlite3\nfrom contextlib import closing\n\n';

/** Code that leaks, and the same with `--fix`. */
const CASES: Readonly<Record<string, readonly [leaks: string, fixed: string]>> = {
  'a release at the end': [
    `import sqlite3


def names(path):
    connection = sqlite3.connect(path)  # read only
    # all of them
    rows = connection.execute(
        """
  select name
  from users"""
    ).fetchall()
    connection.close()
    return rows
`,
    `from contextlib import closing
import sqlite3


def names(path):
    with closing(sqlite3.connect(path)) as connection:  # read only
        # all of them
        rows = connection.execute(
            """
  select name
  from users"""
        ).fetchall()
    return rows
`,
  ],
  'a release inside try': [
    `${HEAD}def save(path, row):
    connection = sqlite3.connect(path)
    try:
        connection.execute("insert into t values (?)", row)
        connection.commit()
        connection.close()
    except ValueError as error:
        print(error)
`,
    `${HEAD}def save(path, row):
    with closing(sqlite3.connect(path)) as connection:
        try:
            connection.execute("insert into t values (?)", row)
            connection.commit()
            connection.close()
        except ValueError as error:
            print(error)
`,
  ],
  'with that does not close': [
    `${HEAD}def count(path):
    with sqlite3.connect(path) as connection:
        return connection.execute("select 1").fetchone()[0]
`,
    `${HEAD}def count(path):
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute("select 1").fetchone()[0]
`,
  ],
  'a session, which closes by itself': [
    `from sqlalchemy.orm import Session


def rename(engine, old, new):
\tsession = Session(engine)
\tsession.execute("update users set name = :new", {"old": old, "new": new})

\tsession.commit()
\tsession.close()
`,
    `from sqlalchemy.orm import Session


def rename(engine, old, new):
\twith Session(engine) as session:
\t\tsession.execute("update users set name = :new", {"old": old, "new": new})

\t\tsession.commit()
`,
  ],
  'an asynchronous client': [
    `import httpx


async def page(url):
    client = httpx.AsyncClient()
    response = await client.get(url)
    await client.aclose()
    return response.text
`,
    `import httpx


async def page(url):
    async with httpx.AsyncClient() as client:
        response = await client.get(url)
    return response.text
`,
  ],
  'a pool, which takes back by a call': [
    `from psycopg2.pool import SimpleConnectionPool

pool = SimpleConnectionPool(1, 5)


def run(sql):
    connection = pool.getconn()
    connection.cursor().execute(sql)
    pool.putconn(connection)
    return True
`,
    `from psycopg2.pool import SimpleConnectionPool

pool = SimpleConnectionPool(1, 5)


def run(sql):
    connection = pool.getconn()
    try:
        connection.cursor().execute(sql)
    finally:
        pool.putconn(connection)
    return True
`,
  ],
};

describe('--fix in Python', () => {
  it.each(Object.entries(CASES))('repairs %s', (_, [leaks, fixed]) => {
    expect(repaired(leaks).text).toBe(fixed);
    expect(leaksIn('fixed.py', fixed)).toEqual([]);
  });

  it('writes files that Python can read', () => {
    const files = Object.values(CASES).map(([leaks], index) => {
      const path = join(FOLDER, `repaired${index}.py`);
      writeFileSync(path, repaired(leaks).text);
      return path;
    });
    const parse = 'import ast, sys\nfor path in sys.argv[1:]: ast.parse(open(path).read())';
    const { status, stderr } = spawnSync('python3', ['-c', parse, ...files], { encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
  });

  it('keeps the line ends of a file', () => {
    const [leaks, fixed] = CASES['a release inside try'] ?? ['', ''];
    expect(repaired(leaks.replaceAll('\n', '\r\n')).text).toBe(fixed.replaceAll('\n', '\r\n'));
  });

  it.each([
    [
      'a cursor that is returned',
      'connection = sqlite3.connect(path)\n    return connection.execute("select 1")',
    ],
    [
      'a lease that is stored',
      'connection = sqlite3.connect(path)\n    kept = [connection]\n    connection.execute("x")',
    ],
    [
      'a use in a handler around',
      'try:\n        connection = sqlite3.connect(path)\n        connection.execute("x")\n        connection.close()\n    except ValueError:\n        connection.rollback()',
    ],
    [
      'a second variable of that name',
      'connection = sqlite3.connect(path)\n    connection.execute("x")\n    connection = None',
    ],
    [
      'a function inside',
      'connection = sqlite3.connect(path)\n    connection.execute("x")\n    later(lambda: connection.close())\n    fail()',
    ],
  ])('leaves %s alone, and says why', (_, code) => {
    const text = `${HEAD}def work(path, box):\n    ${code}\n`;
    const { text: after, refused } = repaired(text);
    expect(after).toBe(text);
    expect(refused[0]?.reason).toMatch(/\w/);
  });

  it('leaves what is read from a session before its end alone', () => {
    const text =
      'from sqlalchemy.orm import Session\n\n\ndef first(engine):\n    session = Session(engine)\n    return session.query(User).first()\n';
    expect(repaired(text).refused[0]?.reason).toContain('would be used after its end');
  });
});
