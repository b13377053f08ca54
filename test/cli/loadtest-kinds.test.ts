import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { comparable } from '../loadtest/comparable.js';
import { loadtest, resultOf } from './loadtest-helpers.js';

const QUICK = ['--warmup=none', '--pool-size=2', '--max-overflow=0'];

describe('a load at a rate', () => {
  it('does what it is told', async () => {
    const result = await resultOf([...QUICK, '--test-type=rate', '--rate=200/s', '--num-queries=100']);
    expect(result).toMatchObject({
      model: { kind: 'rate', perSecond: 200, maxInFlight: 10_000 },
      measurements: { started: 100, dropped: 0 },
    });
    expect(result.measurements.elapsedMs).toBeGreaterThan(450);
  });
});

describe('a ramp', () => {
  it('does what it is told', async () => {
    const result = await resultOf([
      ...QUICK,
      ...[
        '--test-type=ramp',
        '--rate-from=50/s',
        '--rate-step=50/s',
        '--rate-to=100/s',
        '--step-duration=200ms',
      ],
      ...['--break-p99=10s', '--break-wait=9s', '--max-in-flight=500'],
    ]);
    expect(result.model).toEqual({
      ...{ kind: 'ramp', fromPerSecond: 50, toPerSecond: 100, stepPerSecond: 50, stepMs: 200 },
      ...{ limits: { p99Ms: 10_000, waitP99Ms: 9000 }, maxInFlight: 500 },
    });
    expect(result.measurements).toMatchObject({
      started: 30,
      stages: [
        { targetPerSecond: 50, due: 10 },
        { targetPerSecond: 100, due: 20 },
      ],
    });
  });
});

describe('a sweep', () => {
  const SWEEP = ['--warmup=none', '--num-workers=4', '--num-queries=40', '--rounds=2'];

  it('tries every size with every overflow, without overflow if nothing is said of it', async () => {
    const rowsOf = async (...argv: string[]) => {
      const { code, out } = await loadtest([...SWEEP, ...argv, '--format=json']);
      expect(code).toBe(0);
      return (
        JSON.parse(out) as { rows: { poolSize: number; maxOverflow: number; rounds: number }[] }
      ).rows.map(({ poolSize, maxOverflow, rounds }) => [poolSize, maxOverflow, rounds]);
    };
    expect(await rowsOf('--sweep=pool-size=3,1')).toEqual([
      [1, 0, 2],
      [3, 0, 2],
    ]);
    expect(await rowsOf('--sweep', 'pool-size=1,2 max-overflow=0,1', '--rounds=1')).toEqual([
      [1, 0, 1],
      [1, 1, 1],
      [2, 0, 1],
      [2, 1, 1],
    ]);
    expect(await rowsOf('--sweep=max-overflow=0,1', '--pool-size=2', '--rounds=1')).toEqual([
      [2, 0, 1],
      [2, 1, 1],
    ]);
    expect(await rowsOf('--sweep=pool-size=1,2', '--max-overflow=3', '--rounds=1')).toEqual([
      [1, 3, 1],
      [2, 3, 1],
    ]);
  }, 120_000);

  it('tells the knee and the regime', async () => {
    const { out, code } = await loadtest([...SWEEP, '--sweep=pool-size=1,2']);
    expect({ code, out }).toMatchObject({ code: 0, out: expect.stringMatching(/-BOUND: .*<- knee/s) });
  });
});

describe('a baseline', () => {
  it('does the same work with and without the pool', async () => {
    const argv = [
      '--baseline=unpooled',
      '--rounds=1',
      '--num-queries=60',
      '--num-workers=4',
      '--warmup=none',
    ];
    const { code, out } = await loadtest([...argv, '--format=json']);
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      ...{ schema: 1, kind: 'baseline', partial: false },
      pooled: { rounds: 1, failedShare: 0 },
      unpooled: { rounds: 1, failedShare: 0 },
      ratio: { median: expect.any(Number) },
    });
  });
});

describe('--compare-with', () => {
  let folder: string;
  const RUN = [...QUICK, '--num-workers=2', '--duration=700ms'];

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-with-'));
    const { workload } = await resultOf([...RUN, '--num-queries=1']);
    const save = (name: string, perSecond: number, meanMs: number) =>
      writeFile(
        join(folder, name),
        JSON.stringify({ ...comparable({ perSecond, meanMs, p99Ms: meanMs * 3 }), workload }),
      );
    await save('slower.json', 1, 10_000);
    await save('faster.json', 1e9, 0.001);
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('tells how the run differs from an earlier one, and exits 1 on a regression', async () => {
    const better = await loadtest([...RUN, '--compare-with=slower.json'], { cwd: folder });
    expect(better.out).toMatch(/PASSED: (throughput, responses and failures are no worse|no difference)/);
    expect(better.code).toBe(0);
    const worse = await loadtest([...RUN, '--compare-with=faster.json'], { cwd: folder });
    expect(worse.out).toMatch(/WORSE: throughput/);
    expect(worse.code).toBe(1);
  });

  it('tells it on stderr where stdout is for another program', async () => {
    const argv = [...RUN, '--compare-with=faster.json', '--format=json'];
    const { code, out, err } = await loadtest(argv, { cwd: folder });
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ kind: 'loadtest' });
    expect(err).toContain('poolctl: WORSE: throughput');
  });

  it('reads the earlier result before anything runs', async () => {
    const { code, out, err } = await loadtest([...RUN, '--compare-with=none.json'], { cwd: folder });
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('none.json does not exist');
  });
});

describe('what does not go together', () => {
  it.each([
    [['--rate=5/s'], '--rate counts with --test-type rate only'],
    [['--test-type=rate', '--num-workers=5'], '--num-workers counts with --test-type concurrent only'],
    [['--test-type=rate', '--rate=5'], '--rate:'],
    [['--test-type=rate', '--rate=0/s'], '--rate:'],
    [['--test-type=ramp', '--duration=5s'], '--duration does not count with --test-type ramp'],
    [['--test-type=ramp', '--rate-from=9/s', '--rate-to=5/s'], '--rate-to is lower than --rate-from'],
    [['--sweep=pool-size=1,x'], "'x'"],
    [['--sweep=pool-size=3,3'], '--sweep needs at least two sizes'],
    [['--sweep=pool-size=0'], '--sweep:'],
    [['--sweep=size=1'], "'size=1' is not like pool-size=2,4,8"],
    [['--sweep=pool-size=1,2', '--pool-size=5'], '--pool-size is what --sweep tries'],
    [['--sweep=pool-size=1,2', '--strict'], '--strict is for a single run'],
    [
      ['--sweep=pool-size=1,2', '--format=html'],
      '--format of --sweep and --baseline is one of text, json, markdown',
    ],
    [['--sweep=pool-size=1,2', '--test-type=ramp'], '--sweep and --test-type ramp exclude each other'],
    [['--baseline=unpooled', '--sweep=pool-size=1,2'], '--baseline and --sweep exclude each other'],
    [['--baseline=other'], '--baseline:'],
    [['--rounds=2'], '--rounds needs --sweep or --baseline'],
    [['--tolerance=5%'], '--tolerance needs --compare-with'],
  ])('%j is told, and nothing is run', async (argv, message) => {
    const { code, out, err } = await loadtest(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });
});

describe('--hdr', () => {
  it('writes a log that other tools read, beside the report', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'poolctl-hdr-'));
    try {
      const argv = [...QUICK, '--num-queries=50', '--num-workers=2', '--format=json', '--hdr=times.hlog'];
      const { code, out } = await loadtest(argv, { cwd: folder });
      expect(code).toBe(0);
      expect(JSON.parse(out)).toMatchObject({ measurements: { succeeded: 50 } });
      const log = await readFile(join(folder, 'times.hlog'), 'utf8');
      expect(log).toMatch(/^#\[Histogram log format version 1\.3\]\n.*^Tag=response,0\.000,\S+,\S+,HIST/ms);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  it('is refused before the run where it cannot be written', async () => {
    const { code, out, err } = await loadtest([...QUICK, '--hdr=/nowhere/times.hlog']);
    expect({ code, out }).toEqual({ code: 3, out: '' });
    expect(err).toContain('/nowhere/times.hlog');
  });
});
