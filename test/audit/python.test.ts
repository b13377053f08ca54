import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { audit } from '../../src/audit/audit.js';
import { baselineOf, withoutBaseline } from '../../src/audit/baseline.js';

const ROOT = join(import.meta.dirname, '../../fixtures/audit-python');
const { findings, warnings, summary } = audit([ROOT], { cwd: ROOT, includeTests: true });
const FILES = readdirSync(ROOT, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.py') && !name.endsWith('__init__.py'))
  .sort();

const FOLDER = mkdtempSync(join(tmpdir(), 'poolctl-python-'));
afterAll(() => rmSync(FOLDER, { recursive: true }));

function auditOf(name: string, code: string) {
  writeFileSync(join(FOLDER, name), code);
  return audit([join(FOLDER, name)], { cwd: FOLDER });
}

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

  it('reads the code cells of notebooks, and shows their lines as they were written', () => {
    const found = findings.filter(({ file }) => file === 'notebooks/analysis.ipynb');
    expect(found).toMatchObject([{ line: 15, kind: 'never-released' }]);
    expect(found[0]?.trail[0]?.source).toBe('    connection = sqlite3.connect(path)  # "read" only');
    expect(summary.suppressed).toBe(1);
  });

  it('follows a helper in a file beside it', () => {
    writeFileSync(
      join(FOLDER, 'connections.py'),
      'import sqlite3\n\n\ndef open_db():\n    return sqlite3.connect("a")\n',
    );
    const code =
      'from connections import open_db\n\n\ndef work():\n    db = open_db()\n    db.execute("x")\n';
    writeFileSync(join(FOLDER, 'work.py'), code);
    expect(audit([FOLDER], { cwd: FOLDER }).findings).toMatchObject([{ file: 'work.py', line: 5 }]);
  });

  it('says where it cannot read a file, and calls nothing an error there', () => {
    const leak = 'import sqlite3\n\n\ndef f(path):\n    c = sqlite3.connect(path)\n    c.execute("x")\n';
    const broken = auditOf(
      'broken.py',
      `${leak}    g(1, = 2\n\n\ndef h(path):\n    c = sqlite3.connect(path)\n    c.execute("x")\n`,
    );
    expect(broken.warnings).toEqual([
      { file: 'broken.py', line: 7, reason: 'audited as far as it can be read: a syntax error' },
    ]);
    expect(broken.findings.map(({ line, severity }) => `${line} ${severity}`)).toEqual([
      '5 note',
      '11 error',
    ]);
    expect(auditOf('old.py', `${leak}    print >>log, "x"\n`).warnings).toEqual([]);
  });

  it('leaves out what a baseline has', () => {
    const before = auditOf(
      'known.py',
      'import sqlite3\n\n\ndef f(path):\n    c = sqlite3.connect(path)\n    c.execute("x")\n',
    );
    const baseline = baselineOf(before.findings);
    const after = auditOf(
      'known.py',
      'import sqlite3\n\nLIMIT = 1\n\n\ndef f(path):\n    c = sqlite3.connect(path)\n    c.execute("x")\n\n\ndef g(path):\n    c = sqlite3.connect(path)\n    c.execute("y")\n',
    );
    expect(withoutBaseline(after, baseline).findings).toMatchObject([{ line: 12 }]);
  });

  it('says where code runs', () => {
    const leak = '    c = sqlite3.connect("a")\n    c.execute("x")\n';
    const code = `import sqlite3\n\n\n@app.get("/")\ndef a():\n${leak}\n\n@celery.task\ndef b():\n${leak}\n\ndef c(db=Depends(get_db)):\n${leak}\n\ndef test_d():\n${leak}\n\ndef e():\n${leak}`;
    const found = auditOf('places.py', code).findings.filter(({ rule }) => rule === 'leak');
    expect(found.map(({ where, severity }) => `${where} ${severity}`)).toEqual([
      'request error',
      'loop error',
      'request error',
      'test note',
      'undefined error',
    ]);
  });
});
