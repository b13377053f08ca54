import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { bin, type RunOptions, start } from '../helpers/bin.js';
import { checksum, makePlace, type Place, rowsOf, SMALL } from './loadtest-helpers.js';

let place: Place;
beforeEach(async () => {
  place = await makePlace();
});
afterEach(async () => {
  // However it ended: the folder of the temporary database is gone.
  expect(await place.left()).toEqual([]);
  await place.remove();
});

/** Starts `poolctl loadtest` as a process of its own. */
function run(argv: readonly string[], options: RunOptions = {}) {
  const env = { TMPDIR: place.tmp, ...options.env };
  return start(bin, ['loadtest', ...argv], { cwd: place.folder, ...options, env });
}

/** A load that goes on until it is stopped. Its log tells when the hundredth iteration has begun. */
const ENDLESS = [
  ...['--warmup=none', '--num-workers=4', '--pool-size=2', '--max-overflow=0'],
  ...['--duration=20d', '--verbose'],
];
const UNDER_WAY = 'by lease 100';
/** A load whose iterations never end by themselves; two leases were for the set-up. */
const STUCK = [...ENDLESS, '--sql', '\\sleep 20d\nSELECT 1;\n\\sleep 20d', '--pool-size=4'];
const ALL_STUCK = 'by lease 6';
/** Two of one kind could arrive as one; of these two either may be seen first, and decides the code. */
const TWO_SIGNALS = ['SIGINT', 'SIGTERM'] as const;
const EITHER_CODE = [130, 143];

describe('the process', () => {
  it('ends by itself when the result is out', async () => {
    const { code, signal, stdout, stderr } = await run(SMALL).finished;
    expect({ signal, stderr }).toEqual({ signal: null, stderr: '' });
    expect(code).toBe(0);
    expect(stdout).toContain('20 iterations');
  });

  it('takes DB_POOL_SIZE and the like from its environment', async () => {
    const env = { DB_POOL_SIZE: '3', DB_MAX_OVERFLOW: '1' };
    const { stdout } = await run(['--num-queries=10', '--warmup=none'], { env }).finished;
    expect(stdout).toContain('pool      3 + 1 overflow');
  });

  it('tells whether poolctl itself was the bottleneck', async () => {
    const { stdout } = await run([...SMALL, '--num-queries=500']).finished;
    expect(stdout).toMatch(/\nlimit\n.*poolctl itself/s);
  });

  it('ends quietly when nobody reads its result, with the code of the verdict', async () => {
    const { child, finished } = run([...SMALL, '--format=json']);
    child.stdout?.destroy();
    expect(await finished).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  it.skipIf(process.platform === 'win32')('can be piped into head', () => {
    const line = `'${process.execPath}' '${bin}' loadtest ${SMALL.join(' ')} --format=json | head -1`;
    const env = { PATH: process.env.PATH, TMPDIR: place.tmp };
    const { stdout, stderr } = spawnSync('/bin/sh', ['-c', line], { encoding: 'utf8', env });
    expect({ stdout, stderr }).toEqual({ stdout: '{\n', stderr: '' });
  });

  it.skipIf(!existsSync('/dev/full'))('says it when stdout cannot take the result', async () => {
    const full = await open('/dev/full', 'w');
    const { code, stderr } = await run(SMALL, { stdout: full.fd }).finished;
    await full.close();
    expect(code).toBe(3);
    expect(stderr).toBe(
      'poolctl: the output stdout cannot be written: no space left on the device (ERR_OUTPUT)\n',
    );
  });

  it.skipIf(!existsSync('/dev/full'))(
    'gives the result to stdout when the output file cannot take it',
    async () => {
      const { code, stdout, stderr } = await run([...SMALL, '-o', '/dev/full']).finished;
      expect(code).toBe(3);
      expect(stdout).toMatch(/\d iterations in /);
      expect(stderr).toContain('hint: the result is on stdout instead');
    },
  );

  it('keeps an old result until there is a new one', async () => {
    await writeFile(join(place.folder, 'result.txt'), 'the old one');
    const { child, finished, seen } = run([...STUCK, '-o', 'result.txt']);
    await seen(ALL_STUCK);
    expect(await readFile(join(place.folder, 'result.txt'), 'utf8')).toBe('the old one');
    for (const signal of TWO_SIGNALS) child.kill(signal);
    expect(EITHER_CODE).toContain((await finished).code);
    expect(await readFile(join(place.folder, 'result.txt'), 'utf8')).toContain('PARTIAL');
  });
});

describe('a signal', () => {
  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s stops the load, and the partial result is shown and marked: exit %d',
    async (signal, code) => {
      const { child, finished, seen } = run([...ENDLESS, '--format=json']);
      await seen(UNDER_WAY);
      child.kill(signal);
      const ended = await finished;
      expect(ended).toMatchObject({ code, signal: null });
      const result = JSON.parse(ended.stdout) as LoadResult;
      expect(result).toMatchObject({ partial: 'interrupted', measurements: { failed: 0, abandoned: 0 } });
      // What was under way was waited for.
      expect(result.measurements.succeeded).toBe(result.measurements.started);
      expect(result.measurements.succeeded).toBeGreaterThan(90);
    },
  );

  it('marks the partial result in the text too', async () => {
    const { child, finished, seen } = run(ENDLESS);
    await seen(UNDER_WAY);
    child.kill('SIGINT');
    expect((await finished).stdout).toContain('PARTIAL   interrupted before its end');
  });

  it('after the first gives up what is under way', async () => {
    const { child, finished, seen } = run([...STUCK, '--format=json']);
    await seen(ALL_STUCK);
    for (const signal of TWO_SIGNALS) child.kill(signal);
    const { code, signal, stdout } = await finished;
    expect(EITHER_CODE).toContain(code);
    expect(signal).toBeNull();
    expect(JSON.parse(stdout)).toMatchObject({
      partial: 'aborted',
      measurements: { started: 4, succeeded: 0, abandoned: 4 },
      verdict: { band: null },
    });
  });

  it('stops a warm-up as well', async () => {
    const { child, finished, seen } = run([...ENDLESS, '--warmup=20d', '--format=json']);
    await seen(UNDER_WAY);
    child.kill('SIGINT');
    const { code, stdout } = await finished;
    expect(code).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ partial: 'interrupted', measurements: { started: 0 } });
  });

  it('stops the making of the data, and then there is no result', async () => {
    const { child, finished, seen } = run([...SMALL, '--verbose']);
    await seen('by lease 1');
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await finished;
    // It may have come too late to stop anything.
    expect([143, 0]).toContain(code);
    if (stdout === '') expect(stderr).toContain('poolctl: stopped by SIGTERM');
  });

  it("leaves a user's file whole, and nothing beside it", async () => {
    const file = place.database('orders.db', { wal: true });
    const before = await checksum(file);
    for (const signals of [['SIGINT'], ['SIGTERM'], TWO_SIGNALS] as const) {
      const { child, finished, seen } = run(['sqlite:orders.db', ...ENDLESS]);
      await seen(UNDER_WAY);
      for (const signal of signals) child.kill(signal);
      expect((await finished).signal).toBe(null);
    }
    expect(await checksum(file)).toBe(before);
    expect((await readdir(place.folder)).filter((name) => name.startsWith('orders'))).toEqual(['orders.db']);
  });

  it('leaves no half of a transaction behind', async () => {
    const file = place.database('orders.db');
    const sql =
      "BEGIN IMMEDIATE; UPDATE orders SET day = :iteration; UPDATE orders SET day = day || '!'; COMMIT";
    const { child, finished, seen } = run(['sqlite:orders.db', ...ENDLESS, '--allow-writes', '--sql', sql]);
    await seen(UNDER_WAY);
    child.kill('SIGINT');
    child.kill('SIGTERM');
    await finished;
    expect(
      rowsOf(file, "SELECT count(DISTINCT day) AS days, min(day) LIKE '%!' AS whole FROM orders"),
    ).toEqual([{ days: 1, whole: 1 }]);
  });
});

describe('a defect', () => {
  it('while the load is under way is told, is exit 70, and leaves nothing behind', async () => {
    const planted = join(place.folder, 'planted.mjs');
    await writeFile(
      planted,
      `import { subscribe } from 'node:diagnostics_channel';
      let acquired = 0;
      subscribe('poolctl:pool:acquire', () => {
        if (++acquired === 100) throw new TypeError('planted');
      });`,
    );
    await access(planted);
    const nodeArgs = ['--import', pathToFileURL(planted).href];
    const { code, signal, stderr } = await run(ENDLESS, { nodeArgs }).finished;
    expect({ code, signal }).toEqual({ code: 70, signal: null });
    expect(stderr).toContain('poolctl: something went wrong inside poolctl');
    expect(stderr).toContain('TypeError: planted');
    expect(stderr).not.toContain('did not end by itself');
  });
});
