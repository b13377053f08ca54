import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { poolctl } from '../helpers/bin.js';
import { documentOf, fencesOf } from '../helpers/documents.js';

/** The command lines of the audit in the YAML of the guide, also as arguments of the action. */
const lines = fencesOf(documentOf('docs/guides/ci.md'))
  .filter(({ language }) => language === 'yaml')
  .flatMap(({ code }) => [...code.matchAll(/(?:npx poolctl|arguments:) (audit-leaks[^\n]*)/g)])
  .map(([, line = '']) => line.trim());

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-ci-'));
  await writeFile(
    join(folder, 'a.ts'),
    `import { Pool } from 'pg';\nexport async function a(pool: Pool) {\n  const client = await pool.connect();\n  await client.query('select 1');\n  client.release();\n}\n`,
  );
  await writeFile(
    join(folder, 'b.py'),
    'import psycopg\n\n\ndef b(url):\n    conn = psycopg.connect(url)\n    conn.execute("select 1")\n    conn.close()\n',
  );
});
afterAll(() => rm(folder, { recursive: true }));

it('shows a line for each service', () => {
  expect(lines.length).toBeGreaterThanOrEqual(5);
});

it.each([...new Set(lines)])('finds the leaks of both languages with: %s', async (line) => {
  const [baseline, report] = ['--baseline leaks.json', /--output (\S+)/.exec(line)?.[1] ?? null];
  const isBaselined = line.includes(baseline);
  if (isBaselined) await writeFile(join(folder, 'leaks.json'), '{ "schema": 1, "leaks": [] }');
  const { code, stdout, stderr } = await poolctl(line.split(' '), { cwd: folder });
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  if (report !== null) expect(existsSync(join(folder, report))).toBe(true);
  const text = report === null ? stdout : await readFile(join(folder, report), 'utf8');
  expect(text).toContain('a.ts');
  expect(text).toContain('b.py');
  if (report !== null) expect(JSON.parse(text)).toBeDefined();
});
