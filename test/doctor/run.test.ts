import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_OPTIONS, doctor as doctorOf } from '../../src/doctor/doctor.js';
import { fail, forEach, pass } from '../../src/doctor/outcome.js';
import { CHECKS } from '../../src/doctor/registry.js';
import { runChecks } from '../../src/doctor/run.js';
import { sqlName, sqlText } from '../../src/doctor/sql-text.js';
import type { Check, Targets } from '../../src/doctor/types.js';
import { Unknowable } from '../../src/doctor/unknowable.js';
import { describeWithPostgres, newDatabase } from '../helpers/postgres.js';
import { doctor, examine } from './bench.js';

const NONE: Targets = {
  postgres: [],
  mysql: [],
  pgbouncer: [],
  pool: [],
  sqlite: [],
  recording: [],
  settings: null,
  unreadable: [],
};
const file = (label: string) => ({ kind: 'sqlite' as const, label, url: label, ask: async () => [] });
const gone = {
  kind: 'sqlite' as const,
  label: 'gone',
  problem: { message: 'it is gone', hint: null, code: null },
};

function made(run: Check['run'], more: Partial<Check> = {}): Check {
  return {
    id: 'made',
    title: 'it is made',
    needs: ['sqlite'],
    why: 'because',
    details: 'none',
    run,
    ...more,
  };
}

const run = (check: Check, targets: Partial<Targets>) =>
  runChecks(
    [check],
    { targets: { ...NONE, ...targets }, options: DEFAULT_OPTIONS, signal: new AbortController().signal },
    [],
  );

describe('the run of checks', () => {
  const fine = made(forEach('sqlite', ({ label }) => pass(`${label} is well`)));

  it('skips a check whose targets were not named', async () => {
    const { results, passed } = await run(
      made(() => [], { needs: ['sqlite', 'settings'] }),
      {},
    );
    expect(results).toMatchObject([{ check: 'made', status: 'skipped', subjects: [] }]);
    expect(results[0]?.summary).toMatch(/^needs a target sqlite: and the application's settings/);
    expect(passed).toBe(true);
  });

  it('judges what could be read, and says of the rest why not', async () => {
    const { results } = await run(fine, { sqlite: [file('a'), file('b')], unreadable: [gone] });
    expect(results.map(({ status, subjects, summary }) => [status, subjects, summary])).toEqual([
      ['pass', ['a'], 'a is well'],
      ['pass', ['b'], 'b is well'],
      ['skipped', ['gone'], 'could not be read: it is gone'],
    ]);
    expect((await run(fine, { unreadable: [gone] })).results).toHaveLength(1);
  });

  it('lets a check judge what could not be read, if it wants to', async () => {
    const check = made(
      ({ targets }) =>
        targets.unreadable.map(({ label }) => ({
          ...fail('gone', [], { steps: [], risk: '' }),
          subjects: [label],
        })),
      { judgesUnreadable: true },
    );
    expect((await run(check, { unreadable: [gone] })).results).toMatchObject([
      { status: 'fail', subjects: ['gone'] },
    ]);
  });

  it('skips what cannot be known, of one target alone', async () => {
    const check = made(
      forEach('sqlite', ({ label }) => {
        if (label === 'a') throw new Unknowable('nobody knows');
        return pass('known');
      }),
    );
    const { results, counts } = await run(check, { sqlite: [file('a'), file('b')] });
    expect(results.map(({ status, summary }) => [status, summary])).toEqual([
      ['skipped', 'nobody knows'],
      ['pass', 'known'],
    ]);
    expect(counts).toEqual({ pass: 1, warn: 0, fail: 0, skipped: 1 });
  });

  it('does not take a defect of a check for a result', async () => {
    const check = made(() => {
      throw new TypeError('a defect');
    });
    await expect(run(check, { sqlite: [file('a')] })).rejects.toThrow('a defect');
  });
});

describe('the checks', () => {
  it('have names of their own, and say what is to be said', () => {
    expect(new Set(CHECKS.map(({ id }) => id)).size).toBe(CHECKS.length);
    for (const { id, title, why, details, needs } of CHECKS) {
      expect(id).toMatch(/^[a-z][a-z0-9]*(-[a-z0-9]+)+$/);
      expect(title).toMatch(/^\S.*[^.]$/);
      expect({ id, why }).toEqual({ id, why: expect.stringMatching(/\.$/s) });
      expect({ id, details }).toEqual({ id, details: expect.stringMatching(/\.$/s) });
      // Whatever is there: it joins all targets.
      if (id !== 'cause-now') expect(needs.length).toBeGreaterThan(0);
    }
  });
});

describe('names in SQL', () => {
  it.each([
    ['plain', '"plain"', "'plain'"],
    ['a"b\'c', '"a""b\'c"', "'a\"b''c'"],
    ['line\nback\\slash', 'U&"line\\+00000aback\\\\slash"', "U&'line\\+00000aback\\\\slash'"],
  ])('%j', (name, asName, asText) => {
    expect([sqlName(name), sqlText(name)]).toEqual([asName, asText]);
  });
});

describe('poolctl doctor', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-doctor-run-'));
    await writeFile(join(folder, '.env'), 'DB_POOL_SIZE=5\nDB_POOL_PRE_PING=false\nDB_POOL_RECYCLE=never\n');
    await writeFile(
      join(folder, 'poolctl.config.json'),
      '{"doctor": {"prePing": true, "skip": ["fleet-sum"]}}',
    );
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('lists its checks', async () => {
    const { code, out, err } = await doctor(['--list']);
    expect({ code, err }).toEqual({ code: 0, err: '' });
    expect(out.trim().split('\n')).toHaveLength(CHECKS.length + 1);
    expect(out).toMatch(/^fleet-sum +postgres +the sum of all pools/m);
  });

  it.each(CHECKS.map(({ id }) => [id]))('explains %s', async (id) => {
    const { code, out } = await doctor(['--explain', id]);
    expect(code).toBe(0);
    expect(out.startsWith(`${id}: `)).toBe(true);
    expect(Math.max(...out.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it.each([
    [['--only=fleet-sm'], "there is no check 'fleet-sm'; did you mean fleet-sum?"],
    [['--skip=zzzzzzzz'], "there is no check 'zzzzzzzz'; poolctl doctor --list shows all"],
    [['--explain=x'], "there is no check 'x'"],
    [['--memory=much'], '--memory'],
    [['--instances=0'], '--instances'],
  ])('refuses %j', async (argv, message) => {
    const { code, err } = await doctor(argv);
    expect({ code, err }).toEqual({ code: 2, err: expect.stringContaining(message) });
  });

  it('runs those that are named, in its own order, but for those left out', async () => {
    const ids = async (...argv: string[]) =>
      (await examine(['--pool-size=5', ...argv])).results.map(({ check }) => check);
    expect(await ids('--only=fleet-sum,pg-monitor', '--only=reset-query')).toEqual([
      'pg-monitor',
      'reset-query',
      'fleet-sum',
    ]);
    expect(await ids('--only=fleet-sum,pg-monitor', '--skip=fleet-sum')).toEqual(['pg-monitor']);
  });

  it('takes the settings of the application from flags, the environment, a file of it, and the config file', async () => {
    const argv = ['--only=stale-connections,fleet-sum'];
    const text = async (more: string[], env: Record<string, string> = {}) => {
      const { targets, results } = await examine([...argv, ...more], { cwd: folder, env });
      return [targets[0]?.what, results.map(({ check, status }) => `${check} ${status}`)];
    };
    expect(await text([])).toEqual(['pre-ping on', ['stale-connections pass']]);
    expect(await text(['--dotenv=.env'])).toEqual([
      'pool size 5, recycle never, pre-ping off',
      ['stale-connections fail'],
    ]);
    expect(await text(['--dotenv=.env', '--pre-ping'], { DB_POOL_RECYCLE: '60' })).toEqual([
      'pool size 5, recycle 1m, pre-ping on',
      ['stale-connections pass'],
    ]);
  });

  it('exits 1 on a failed check, and on a warning only if it is strict', async () => {
    const only = '--only=stale-connections';
    expect((await doctor([only, '--no-pre-ping'])).code).toBe(1);
    expect((await doctor([only, '--pre-ping'])).code).toBe(0);
  });

  it('writes to a file, as JUnit for a CI server', async () => {
    const path = join(folder, 'doctor.xml');
    const argv = ['--only=stale-connections', '--no-pre-ping', '--format=junit', `--output=${path}`];
    expect(await doctor(argv)).toEqual({ code: 1, out: '', err: '' });
    expect(await readFile(path, 'utf8')).toContain(
      '<failure message="connections are not tested before use">',
    );
  });
});

describeWithPostgres('poolctl/doctor', () => {
  it('is there for programs', async () => {
    const database = await newDatabase();
    const checks = CHECKS.filter(({ id }) => id === 'pg-monitor');
    const result = await doctorOf({ targets: [database.url()], checks });
    expect(result).toMatchObject({
      kind: 'doctor',
      passed: true,
      results: [{ check: 'pg-monitor', status: 'pass' }],
    });
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(doctorOf({ targets: [database.url()], checks, signal })).rejects.toThrow('enough');
  });
});
