import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit-python');
const { findings, warnings, summary } = audit([ROOT], { cwd: ROOT, includeTests: true });
const FILES = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.py') && !name.endsWith('__init__.py'))
  .sort();

describe('the audit of Python', () => {
  it('reads all fixtures', () => {
    expect(warnings).toEqual([]);
    expect(summary.files).toBeGreaterThanOrEqual(FILES.length);
  });

  it.each(FILES)('finds the leaks that are marked in %s, and no others', (name) => {
    const lines = readFileSync(join(ROOT, name), 'utf8').split('\n');
    const marked = lines.flatMap((line, index) => {
      const kind = / # leak: ([\w-]+)$/.exec(line)?.[1];
      return kind === undefined ? [] : [`${index + 1} ${kind}`];
    });
    const found = findings.filter(({ file, severity }) => file === name && severity === 'error');
    expect(found.map(({ line, kind }) => `${line} ${kind}`)).toEqual(marked);
  });

  it('gives places of the Python file', () => {
    const [first] = findings.filter(({ file }) => file === 'app/seed.py');
    expect(first).toMatchObject({ line: 9, column: 15, endLine: 9, endColumn: 23 });
    expect(first?.trail.map(({ line, source }) => [line, source.trim()])).toEqual([
      [9, 'session = get_db()  # leak: never-released'],
      [11, 'return results'],
    ]);
  });
});
