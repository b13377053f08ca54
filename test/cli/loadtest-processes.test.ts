import { readFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { LoadResult } from '../../src/loadtest/result.js';
import { bin, poolctl, type Running, start } from '../helpers/bin.js';

const TWO = ['loadtest', '--processes=2', '--num-workers=4', '--warmup=none', '--format=json'];
/** Long enough to be interrupted, however busy the machine is. */
const LONG = [...TWO, '--duration=2m'];

/** Starts a run, and gives the ids of its copies once all of them have started the load. */
async function running(argv: readonly string[]): Promise<Running & { readonly copies: readonly number[] }> {
  const run = start(bin, [...argv, '--verbose']);
  await run.seen('2 processes are ready');
  const { pid } = run.child;
  const copies = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').map(Number);
  return { ...run, copies };
}

async function gone(pid: number): Promise<void> {
  for (;;) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    await pause(20);
  }
}

describe.skipIf(process.platform !== 'linux')('loadtest --processes', () => {
  it('runs every iteration once over two processes, and judges the whole', async () => {
    const { code, stdout, stderr } = await poolctl([
      ...TWO,
      '--num-queries=1001',
      '--threshold=iterations>=1001',
    ]);
    // A busy machine may be too slow for a good verdict, or take seconds to begin.
    expect([0, 1]).toContain(code);
    expect(stderr.replaceAll(/^poolctl: waiting for .*\n/gm, '')).toBe('');
    const { measurements, segments, thresholds } = JSON.parse(stdout) as LoadResult;
    expect(measurements.succeeded).toBe(1001);
    expect(segments?.rows.map(({ succeeded }) => succeeded)).toEqual([501, 500]);
    expect(thresholds.map(({ passed }) => passed)).toEqual([true]);
  });

  it('reports a mistake once, as one process does', async () => {
    const { code, stdout, stderr } = await poolctl([...TWO, '--sql=SELECT nosuch']);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr.split('no such column: nosuch')).toHaveLength(2);
    expect(stderr).not.toContain('SIGINT');
  });

  it('is refused for a load that cannot be split', async () => {
    const { code, stderr } = await poolctl(['loadtest', '--processes=8', '--num-workers=4']);
    expect([code, stderr]).toEqual([
      2,
      expect.stringContaining('--num-workers 4 cannot be split over 8 processes'),
    ]);
  });

  it('stops all processes on Ctrl-C, with what they have done until then', async () => {
    const run = await running(LONG);
    await pause(500);
    run.child.kill('SIGINT');
    const { code, stdout } = await run.finished;
    expect(code).toBe(130);
    const { partial, measurements, segments } = JSON.parse(stdout) as LoadResult;
    expect([partial, segments?.missing]).toEqual(['interrupted', []]);
    expect(measurements.abandoned).toBe(0);
    await Promise.all(run.copies.map(gone));
  });

  it('reports a process that is killed as missing, and does not run its part again', async () => {
    const run = await running([...TWO, '--duration=2s']);
    process.kill(run.copies[1] ?? 0, 'SIGKILL');
    const { code, stdout, stderr } = await run.finished;
    expect(code).toBe(1);
    expect(stderr).toContain('of 2 was lost (SIGKILL)');
    const { verdict, segments } = JSON.parse(stdout) as LoadResult;
    expect([verdict.band, segments?.missing.length, segments?.rows.length]).toEqual(['bad', 1, 1]);
    expect(verdict.reason).toContain('1 of 2 segments: 50.0 % of the load is missing.');
  });

  it('leaves no process behind when it is killed itself', async () => {
    const run = await running(LONG);
    run.child.kill('SIGKILL');
    await Promise.all(run.copies.map(gone));
    expect((await run.finished).signal).toBe('SIGKILL');
  });
});
