import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { poolctl, root } from '../helpers/bin.js';

/** The three ways in which sessions got lost in the code base that made the audit necessary, for two kinds of lease. */
const WRONG: Readonly<Record<string, string>> = {
  'no-cleanup.ts': `import { getDb } from './db.js';
export async function trades() {
  const session = await getDb();
  const results = await session.query('select * from trades');
  return results;
}
`,
  'early-return.ts': `import { getDb } from './db.js';
export async function update(condition: boolean) {
  const session = await getDb();
  if (condition) return;
  await session.close();
}
`,
  'exception.ts': `import { getDb } from './db.js';
import { riskyOperation } from './risk.js';
export async function risk() {
  const session = await getDb();
  await riskyOperation();
  await session.close();
}
`,
};

/** And the three ways in which it is done right. */
const RIGHT: Readonly<Record<string, string>> = {
  'db.ts': `import { createDatabase } from 'poolctl';
const db = createDatabase('sqlite:app.db');
export function getDb() {
  return db.getDb();
}
export const withSession = db.withSession.bind(db);
`,
  'risk.ts': `export async function riskyOperation() {
  if (Math.random() > 0.5) throw new Error('bad luck');
}
`,
  'scoped.ts': `import { getDb } from './db.js';
import { riskyOperation } from './risk.js';
export async function trades() {
  await using session = await getDb();
  const results = await session.query('select * from trades');
  await riskyOperation();
  return results;
}
`,
  'try-finally.ts': `import { getDb } from './db.js';
export async function update(condition: boolean) {
  const session = await getDb();
  try {
    if (condition) return null;
    return await session.query('update trades set done = true');
  } finally {
    await session.close();
  }
}
`,
  'lent.ts': `import { withSession } from './db.js';
import { riskyOperation } from './risk.js';
export async function risk() {
  return await withSession(async (session) => {
    await riskyOperation();
    return await session.query('select 1');
  });
}
`,
};

/** The same with clients of a node-postgres pool. */
function withClients(files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(files)
      .filter(([name]) => !['db.ts', 'risk.ts', 'scoped.ts', 'lent.ts'].includes(name))
      .map(([name, text]) => [
        `pg-${name}`,
        text
          .replace("import { getDb } from './db.js';", "import { Pool } from 'pg';\nconst pool = new Pool();")
          .replaceAll('getDb()', 'pool.connect()')
          .replaceAll('await session.close()', 'session.release()'),
      ]),
  );
}

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-ci-'));
  await write({ ...RIGHT, ...withClients(RIGHT) });
});
afterEach(() => rm(folder, { recursive: true }));

async function write(files: Readonly<Record<string, string>>) {
  await mkdir(join(folder, 'src'), { recursive: true });
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, 'src', name), text);
}

/** Runs a command line of the guide as a CI server does, with the tested build in the place of the installed one. */
async function step(line: string) {
  const [, ...argv] = line.replace(/^npx /, '').split(' ');
  return await poolctl(argv, { cwd: folder, env: { CI: 'true' } });
}

async function guideLine(pattern: RegExp): Promise<string> {
  const [, line] = pattern.exec(await readFile(join(root, 'docs/guides/ci.md'), 'utf8')) ?? [];
  if (line === undefined) throw new Error(`the guide has no ${pattern}`);
  return line;
}

describe('the CI step of the guide', () => {
  const steps = [
    ['GitHub Actions', /^ *- run: (npx poolctl audit-leaks .*)$/m],
    ['pre-commit', /^ *entry: (npx poolctl audit-leaks .*)$/m],
  ] as const;

  it.each(steps)('%s: passes what is right, and fails on each way to lose a session', async (_, pattern) => {
    const line = await guideLine(pattern);
    const first = await guideLine(/^(poolctl audit-leaks --baseline .* --update-baseline)$/m);
    expect(await step(first)).toMatchObject({ code: 0 });
    expect(await step(line)).toMatchObject({ code: 0, stderr: '' });
    for (const [name, text] of Object.entries({ ...WRONG, ...withClients(WRONG) })) {
      await write({ [name]: text });
      const { code, stdout } = await step(line);
      expect({ name, code }).toEqual({ name, code: 1 });
      expect(stdout).toContain(`src/${name}`);
      await rm(join(folder, 'src', name));
    }
    expect(await step(line)).toMatchObject({ code: 0 });
  });

  it.each(steps)('%s: works without a baseline too', async (_, pattern) => {
    const line = (await guideLine(pattern)).replace(' --baseline leaks.json', '');
    expect(await step(line)).toMatchObject({ code: 0, stderr: '' });
    await write(WRONG);
    const { code, stdout } = await step(`${line.replace(/ --format \w+/, '')} --format github`);
    expect(code).toBe(1);
    expect(stdout.match(/^::error .*$/gm)).toEqual([
      expect.stringMatching(/file=src\/early-return\.ts,line=3,.*not released where the function returns/),
      expect.stringMatching(/file=src\/exception\.ts,line=4,.*not released if this throws \(line 5\)/),
      expect.stringMatching(/file=src\/no-cleanup\.ts,line=3,.*never released/),
    ]);
  });
});
