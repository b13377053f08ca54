import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { testIo } from '../helpers/io.js';
import { newDatabase } from '../helpers/postgres.js';
import { loadtest, makePlace, type Place, type Ran, SMALL } from './loadtest-helpers.js';

let place: Place;
beforeAll(async () => {
  place = await makePlace();
});
afterAll(() => place.remove());

async function merge(...argv: readonly string[]): Promise<Ran> {
  const io = testIo({ cwd: place.folder });
  const code = await runMain({ commands, version: () => '9.8.7' }, ['merge', ...argv], io);
  return { code, out: io.out(), err: io.err() };
}

const nameOf = (index: number) => `part-${index}.json`;

/** Runs all segments, one after the other, and has them say that they ran at once. */
async function runSegments(count: number, argv: readonly string[]): Promise<string[]> {
  const names = Array.from({ length: count }, (_, at) => nameOf(at + 1));
  for (const [at, name] of names.entries()) {
    const segment = `--segment=${at + 1}/${count}`;
    const { code, err } = await loadtest([...argv, segment, '-f', 'json', '-o', name], { cwd: place.folder });
    expect([code, err.replaceAll(/^poolctl: waiting for .*\n/gm, '')]).toEqual([0, '']);
    await edit(name, (result) => {
      const lengthMs = result.segment.arrivalsEndedAtMs - result.segment.startedAtMs;
      result.segment.startedAtMs = 1e12;
      result.segment.arrivalsEndedAtMs = 1e12 + Math.max(100, Math.min(105, lengthMs));
    });
  }
  return names;
}

type Editable = { -readonly [K in keyof LoadResult]: LoadResult[K] } & {
  segment: { startedAtMs: number; arrivalsEndedAtMs: number; runId: string };
};

async function edit(name: string, change: (result: Editable) => void): Promise<void> {
  const file = join(place.folder, name);
  const result = JSON.parse(await readFile(file, 'utf8')) as Editable;
  change(result);
  await writeFile(file, JSON.stringify(result));
}

const LOAD = ['--warmup=none', '--num-workers=5', '--num-queries=101', '--pool-size=2', '--max-overflow=1'];

describe('segments of a load test', () => {
  it('run their share each, and a merge has the whole in every format', async () => {
    const names = await runSegments(3, LOAD);
    const { code, out, err } = await merge(
      ...names,
      '-f',
      'json',
      '--threshold',
      'errors<=0',
      '--threshold=iterations>=101',
    );
    // A busy machine may be too slow for a good verdict.
    expect([[0, 1].includes(code), err]).toEqual([true, '']);
    const whole = JSON.parse(out) as LoadResult;
    expect(whole.measurements.succeeded).toBe(101);
    expect(whole.segments?.rows.map(({ index, succeeded }) => [index, succeeded])).toEqual([
      [1, 34],
      [2, 34],
      [3, 33],
    ]);
    expect(whole.thresholds.map(({ passed }) => passed)).toEqual([true, true]);
    for (const format of ['text', 'markdown', 'html', 'junit', 'csv']) {
      const report = await merge(...names, '-f', format);
      expect([format, report.err]).toEqual([format, '']);
      if (format === 'csv') continue;
      expect(report.out).toMatch(/101|34/);
      expect(report.out).toContain('segment');
    }
    expect((await merge(...names)).out).toContain('in each of 3 segments: 9 connections in all');
  });

  it('that are missing make the verdict bad, and are named', async () => {
    const names = await runSegments(3, LOAD);
    const { code, out } = await merge(names[0] ?? '', names[2] ?? '');
    expect(code).toBe(1);
    expect(out).toContain('BAD       2 of 3 segments: 33.3 % of the load is missing.');
    expect(out).toContain('missing: 2');
    const junit = await merge(names[0] ?? '', names[2] ?? '', '-f', 'junit');
    expect(junit.out).toContain('name="segment 2 of 3" time="0"><failure message="it is missing">');
  });

  it('of different loads are refused, with what differs', async () => {
    const [first = ''] = await runSegments(2, [...LOAD, '--sql=SELECT 1', '--threshold=p99<9s']);
    await writeFile(join(place.folder, 'first.json'), await readFile(join(place.folder, first)));
    const [, second = ''] = await runSegments(2, [...LOAD, '--sql=SELECT 2', '--threshold=p99<8s']);
    const { code, err } = await merge('first.json', second);
    expect(code).toBe(3);
    expect(err).toContain('first.json and part-2.json ran with different options:');
    expect(err).toContain('--sql: SELECT 1 and SELECT 2');
    expect(err).toContain('--threshold: p99<9s and p99<8s');
  });

  it('that read the same file from other places belong together, and other content does not', async () => {
    await writeFile(join(place.folder, 'a.sql'), 'SELECT 1;');
    await writeFile(join(place.folder, 'b.sql'), 'SELECT 1;');
    const [first = ''] = await runSegments(2, [...LOAD, '--sql-file=a.sql']);
    await writeFile(join(place.folder, 'first.json'), await readFile(join(place.folder, first)));
    const [, second = ''] = await runSegments(2, [...LOAD, '--sql-file=b.sql']);
    expect((await merge('first.json', second)).err).toBe('');
    await writeFile(join(place.folder, 'b.sql'), 'SELECT 1 -- other\n;');
    await runSegments(2, [...LOAD, '--sql-file=b.sql']);
    const { code, err } = await merge('first.json', second);
    expect([code, err]).toEqual([3, expect.stringContaining('--sql-file: sha256 ')]);
  });

  it('have no verdict of their own: a threshold is judged on the whole', async () => {
    const names = await runSegments(2, [...LOAD, '--threshold=iterations>=101', '--strict']);
    const own = JSON.parse(await readFile(join(place.folder, names[0] ?? ''), 'utf8')) as LoadResult;
    expect([own.thresholds, own.verdict.band, own.advice]).toEqual([[], null, []]);
    expect(own.verdict.reason).toBe("This is segment 1 of 2: 'poolctl merge' judges the whole.");
    const { out } = await merge(...names, '-f', 'json');
    expect((JSON.parse(out) as LoadResult).thresholds).toMatchObject([{ passed: true, actual: 101 }]);
  });

  it.each([
    [['--segment=5/4'], "--segment: '5/4' is no segment: the first is 1/4, the last 4/4"],
    [['--segment=0/4'], "'0/4' is no segment"],
    [['--segment=1'], "'1' is not like 1/4"],
    [['--segment=1/8', '--num-workers=4'], '--num-workers 4 cannot be split over 8 segments'],
    [['--segment=1/8', '--num-queries=4'], '--num-queries 4 cannot be split over 8 segments'],
    [['--segment=1/8', '--sweep=pool-size=1,2'], '--sweep and --segment exclude each other'],
    [['--run-id=a'], '--run-id needs --segment'],
    [['--segment=1/2', '--start-at=noon'], "'noon' is no time with a time zone"],
  ])('are checked before anything runs: %j', async (argv, message) => {
    const { code, err } = await loadtest([...argv], { cwd: place.folder });
    expect(code).toBe(2);
    expect(err).toContain(message);
  });

  it('are read from the environment where a scheduler tells them, which is named', async () => {
    const run = (env: Readonly<Record<string, string>>, segment: string, more: readonly string[] = []) =>
      loadtest([...SMALL, `--segment=${segment}`, '-f', 'json', ...more], { cwd: place.folder, env });
    const { code, out, err } = await run({ CI_NODE_INDEX: '2', CI_NODE_TOTAL: '2' }, 'auto');
    expect(code).toBe(0);
    expect(err).toContain('poolctl: segment 2 of 2, from CI_NODE_INDEX=2 CI_NODE_TOTAL=2\n');
    expect((JSON.parse(out) as LoadResult).segment).toMatchObject({ index: 2, count: 2 });
    const none = await run({}, 'auto');
    expect([none.code, none.err]).toEqual([2, expect.stringContaining('--segment auto: no scheduler tells')]);
    const few = await run({ CI_NODE_INDEX: '2', CI_NODE_TOTAL: '3' }, 'auto');
    expect([few.code, few.err]).toEqual([
      2,
      expect.stringContaining('--num-workers 2 cannot be split over 3'),
    ]);
  });

  it('do not run if they come after the common start', async () => {
    const { code, err, out } = await loadtest(
      [...SMALL, '--segment=1/2', '--start-at=2026-01-01T00:00:00Z'],
      { cwd: place.folder },
    );
    expect([code, out]).toEqual([3, '']);
    expect(err).toContain('after the start, so it does not run (ERR_LATE_START)');
  });

  it('leave the server to the first segment, and the counts of all are compared with its own', async () => {
    const database = await newDatabase();
    const url = database.url();
    const names = await runSegments(2, [url, ...LOAD, '--sql=SELECT 1']);
    const parts = await Promise.all(
      names.map(async (name) => JSON.parse(await readFile(join(place.folder, name), 'utf8')) as LoadResult),
    );
    expect(parts.map(({ server }) => server?.leftToSegment?.index)).toEqual([undefined, 1]);
    expect(parts[0]?.server?.connections).not.toBeNull();
    const own = parts.map(({ server }) => server?.transactions?.own ?? server?.leftToSegment?.own ?? 0);
    expect(own[1]).toBeGreaterThan(50);
    const { out } = await merge(...names, '-f', 'json');
    const { server } = JSON.parse(out) as LoadResult;
    expect(server?.transactions?.own).toBe((own[0] ?? 0) + (own[1] ?? 0));
  });
});
