import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { CheckResult, DoctorResult, ExaminedTarget } from '../../src/doctor/types.js';
import { formatsOf } from '../../src/report/registry.js';
import type { RenderOptions } from '../../src/report/render-options.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';

const doctorReports = await renderersOf('doctor');

const PLAIN: RenderOptions = { color: false, unicode: true, width: 80, cwd: '/' };
const golden = (name: string) => join(import.meta.dirname, '../../fixtures/report/doctor', name);

const server = 'postgres://app@db/shop';
const pooler = 'pgbouncer://stats@db:6432/';
const TARGETS: readonly ExaminedTarget[] = [
  { kind: 'postgres', label: server, what: 'PostgreSQL 18.4, as app', problem: null },
  { kind: 'pgbouncer', label: pooler, what: 'PgBouncer 1.18.0, as stats', problem: null },
];
const about = {
  title: 'it is as it should be',
  why: 'If it is not, something happens that nobody wants to see.',
};

const RESULTS: readonly CheckResult[] = [
  {
    ...{ check: 'pg-monitor', status: 'fail', ...about, subjects: [server] },
    summary: 'app sees its own sessions alone, and this goes on for so long that it does not fit in a line',
    evidence: ['pg_read_all_stats: no'],
    fix: {
      steps: [{ kind: 'sql', at: server, as: 'a superuser', text: 'GRANT pg_monitor TO "app"' }],
      risk: 'It sees the texts of all queries then.',
    },
  },
  {
    ...{ check: 'fleet-sum', status: 'fail', ...about, subjects: [server, pooler] },
    summary: '200 connections at most, of 97 that the server has',
    evidence: ['database shop: (25 + 5) x 5 users = 150', 'application: (5 + 5) x 5 instances = 50'],
    fix: {
      steps: [
        { kind: 'sql', at: server, text: "ALTER SYSTEM SET max_connections = '300'" },
        { kind: 'restart', at: server, text: 'systemctl restart postgresql' },
        { kind: 'ini', at: pooler, text: 'max_db_connections = 50' },
        { kind: 'ini', at: pooler, text: 'max_user_connections = 25' },
        { kind: 'console', at: pooler, as: 'one of admin_users', text: 'RELOAD' },
        { kind: 'env', at: null, text: 'DB_POOL_SIZE=2' },
        {
          kind: 'code',
          at: null,
          text: 'Close the pool when the application ends, also on SIGTERM, and do not forget about it.',
        },
      ],
      risk: 'Queries wait.',
    },
  },
  {
    ...{ check: 'pooler-auth', status: 'warn', ...about, subjects: [pooler] },
    ...{ summary: 'auth_type is md5', evidence: [], fix: null },
  },
  {
    ...{ check: 'reset-query', status: 'pass', ...about, subjects: [pooler] },
    ...{ summary: 'DISCARD ALL', evidence: ['pool_mode = session'], fix: null },
  },
  ...['sqlite-wal-size', 'sqlite-file-system'].map(
    (check): CheckResult => ({
      ...{ check, status: 'skipped', ...about, subjects: [] },
      ...{ summary: 'needs a target sqlite:', evidence: [], fix: null },
    }),
  ),
];

function resultOf(results: readonly CheckResult[], targets = TARGETS): DoctorResult {
  const count = (status: string): number => results.filter((one) => one.status === status).length;
  return {
    ...{ schema: 1, kind: 'doctor', targets, results },
    counts: { pass: count('pass'), warn: count('warn'), fail: count('fail'), skipped: count('skipped') },
    passed: count('fail') === 0,
  };
}

const failed = resultOf(RESULTS);
const problem = { message: 'cannot connect: no', hint: 'start it', code: null };
const unread: ExaminedTarget = { kind: 'postgres', label: 'postgres://b/x', what: null, problem };
const incomplete = resultOf([RESULTS[3] as CheckResult], [...TARGETS, unread]);

describe('the report of the doctor', () => {
  it.each(formatsOf('doctor'))('as %s is like its golden', async (format) => {
    const name = format === 'text' ? 'txt' : format === 'junit' ? 'xml' : format;
    await expect(doctorReports[format](failed, PLAIN)).toMatchFileSnapshot(golden(`failed.${name}`));
    await expect(doctorReports[format](incomplete, PLAIN)).toMatchFileSnapshot(golden(`incomplete.${name}`));
  });

  it.each([80, 60, 120])('fits in %i columns', (width) => {
    const lines = doctorReports.text(failed, { ...PLAIN, width }).split('\n');
    expect(lines.filter((line) => widthOf(line) > width)).toEqual([]);
  });

  it('has the same words in colour', () => {
    const plain = doctorReports.text(failed, PLAIN);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are escape sequences
    expect(doctorReports.text(failed, { ...PLAIN, color: true }).replace(/\u001b\[\d+m/g, '')).toBe(plain);
  });

  it('shows nothing of hostile text as it is', () => {
    const evil = 'a|b\n```\u001b[31m<script>]]>&"';
    const steps = [{ kind: 'sql' as const, at: evil, text: `SELECT '${evil}'` }];
    const one: CheckResult = {
      ...{ check: 'made', status: 'fail', ...about, subjects: [evil], summary: evil },
      ...{ evidence: [evil], fix: { steps, risk: 'none' } },
    };
    const hostile = resultOf([one], [{ kind: 'postgres', label: evil, what: evil, problem: null }]);
    for (const format of formatsOf('doctor'))
      expect(doctorReports[format](hostile, PLAIN)).not.toContain('\u001b');
    expect(doctorReports.junit(hostile, PLAIN)).not.toContain('<script>');
    expect(doctorReports.markdown(hostile, PLAIN)).toContain('````sql');
    expect(doctorReports.text(hostile, PLAIN).split('\n')).not.toContain('```');
  });
});
