import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { explain, markdownPage, topics } from '../../src/audit/explain.js';
import { PYTHON_RESOURCES } from '../../src/audit/languages/python/resources.js';
import { RESOURCES } from '../../src/audit/resources/index.js';
import { RULES } from '../../src/audit/rules.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-explain-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function findingsIn(code: string, name = 'example.ts') {
  const file = join(folder, name);
  await writeFile(file, code);
  return audit([file], { cwd: folder }).findings;
}

describe('what --explain prints', () => {
  it('has a text for each resource and each rule', () => {
    expect(new Set(topics()).size).toBe(
      RESOURCES.length + PYTHON_RESOURCES.length + Object.keys(RULES).length,
    );
    for (const topic of topics()) expect(explain(topic)).toContain('Repaired:');
  });

  it.each(RESOURCES.map(({ id, docs }) => ({ id, ...docs })))(
    'is true of $id: its leak is found',
    async ({ id, leaks }) => {
      expect(await findingsIn(leaks)).toMatchObject([{ resource: id, severity: 'error' }]);
    },
  );

  it.each(RESOURCES.map(({ id, docs }) => ({ id, ...docs })))(
    'is true of $id: its repair is clean',
    async ({ fixed }) => {
      expect((await findingsIn(fixed)).filter(({ severity }) => severity === 'error')).toEqual([]);
    },
  );

  it.each(PYTHON_RESOURCES.map(({ id, isReclaimed, docs }) => ({ id, isReclaimed, ...docs })))(
    'is true of $id in Python: its leak is found, and its repair is clean',
    async ({ id, isReclaimed, leaks, fixed }) => {
      const severity = isReclaimed === true ? 'note' : 'error';
      const isLeak = (one: { readonly rule: string; readonly severity: string }) =>
        one.rule === 'leak' && one.severity === severity;
      expect((await findingsIn(leaks, 'example.py')).filter(isLeak)).toMatchObject([{ resource: id }]);
      expect((await findingsIn(fixed, 'example.py')).filter(isLeak)).toEqual([]);
    },
  );

  const rules = Object.entries(RULES).map(([rule, docs]) => ({ rule, ...docs }));
  it.each(rules)('is true of $rule: it is found in the example', async ({ rule, leaks }) => {
    expect((await findingsIn(leaks)).map(({ kind }) => kind)).toContain(rule);
  });

  it.each(rules)('is true of $rule: nothing is found in the repaired one', async ({ fixed }) => {
    expect(await findingsIn(fixed)).toEqual([]);
  });
});

describe('docs/rules', () => {
  const folder = join(import.meta.dirname, '../../docs/rules');

  it('has a page for each resource and rule, and no other', async () => {
    expect((await readdir(folder)).sort()).toEqual(
      topics()
        .map((topic) => `${topic}.md`)
        .sort(),
    );
  });

  it.each(topics())('is current: %s (else run node scripts/rule-pages.mjs)', async (topic) => {
    expect(await readFile(join(folder, `${topic}.md`), 'utf8')).toBe(markdownPage(topic));
  });
});
