import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { renderersOf } from '../helpers/reports.js';
import { fullResult, hostileResult } from './full-result.js';

const loadReports = await renderersOf('loadtest');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/loadtest', name);

describe('the report of a load test', () => {
  it.each(['text', 'markdown', 'html', 'junit', 'csv'] as const)(
    'as %s is like its golden',
    async (format) => {
      await expect(loadReports[format](fullResult(), PLAIN)).toMatchFileSnapshot(golden(`full.${format}`));
    },
  );
});

describe('the JUnit report', () => {
  const attributes = (text: string) =>
    Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name, value]));

  it('has a case for each criterion and each threshold, and counts what failed', () => {
    const result = fullResult();
    const text = loadReports.junit(result, PLAIN);
    const [, suites = ''] = /<testsuites ([^>]*)>/.exec(text) ?? [];
    const cases = [...text.matchAll(/<testcase /g)].length;
    expect(cases).toBe(result.verdict.criteria.length + result.thresholds.length + 1);
    expect(attributes(suites)).toMatchObject({ tests: String(cases), failures: '3', skipped: '1' });
    expect([...text.matchAll(/<failure /g)]).toHaveLength(3);
  });
});

describe('the CSV report', () => {
  it('has a row for each stretch and a value for each column, empty where nothing was measured', () => {
    const result = fullResult();
    const [head = '', ...rows] = loadReports.csv(result, PLAIN).trimEnd().split('\r\n');
    expect(rows).toHaveLength(result.measurements.timeline.rows.length);
    expect(rows.map((row) => row.split(',').length)).toEqual(rows.map(() => head.split(',').length));
    expect(rows[2]).toMatch(/,,/);
  });
});

describe('hostile text', () => {
  const hostile: LoadResult = hostileResult();

  it.each(['html', 'junit'] as const)('is only text in %s', (format) => {
    const text = loadReports[format](hostile, PLAIN);
    expect(text).not.toContain('<script>');
    expect(text).not.toContain('<img');
    expect(text).toContain('&lt;script&gt;');
    // Nothing that XML does not allow at all.
    expect(text).not.toMatch(/(?![\t\n\r])[\p{Cc}\p{Cs}]/u);
  });

  it('breaks no table in Markdown and makes no mark-up', () => {
    const text = loadReports.markdown(hostile, PLAIN);
    const rows = text.split('\n').filter((line) => line.startsWith('| ERR'));
    expect(rows).toHaveLength(1);
    expect(rows[0]?.replaceAll('\\|', '').split('|')).toHaveLength(5);
    expect(text).toContain('&lt;script\\>');
  });
});
