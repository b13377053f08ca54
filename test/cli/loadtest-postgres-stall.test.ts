import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { readFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/db/database.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { bin, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { describeWithPostgres } from '../helpers/postgres.js';
import { type PostgresServer, startPostgres } from '../helpers/postgres-server.js';
import { loadtest, resultOf } from './loadtest-helpers.js';

const RATE = 200;
const SECONDS = 6;
const STALL_MS = 1000;
const PLACES = 20;
const EVERY_MS = 1000 / RATE;
/** Nothing takes that long but for the stall. */
const SLOW_MS = 50;

/** Stops every process of the server, and gives the way to have them go on. */
async function stop(server: PostgresServer): Promise<() => void> {
  const postmaster = await server.pid();
  // The postmaster first, so that it makes no more.
  process.kill(postmaster, 'SIGSTOP');
  const children = readFileSync(`/proc/${postmaster}/task/${postmaster}/children`, 'utf8');
  const all = [postmaster, ...children.trim().split(' ').map(Number)];
  for (const pid of all) process.kill(pid, 'SIGSTOP');
  return () => {
    for (const pid of all) process.kill(pid, 'SIGCONT');
  };
}

/** Stops the server for a while, and tells for how long that really was. */
async function stall(server: PostgresServer): Promise<number> {
  const goOn = await stop(server);
  const stoppedAt = performance.now();
  // This is what is tested, and nothing that could be waited for in another way.
  await setTimeout(STALL_MS);
  const stoppedMs = performance.now() - stoppedAt;
  goOn();
  return stoppedMs;
}

/** Resolves when so many iterations have been given a connection. */
function lent(count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    const onAcquire = (message: unknown): void => {
      if (!(message as { pool: string }).pool.startsWith('postgres://') || --left > 0) return;
      unsubscribe('poolctl:pool:acquire', onAcquire);
      resolve();
    };
    subscribe('poolctl:pool:acquire', onAcquire);
  });
}

function slowOnesOf({ measurements }: LoadResult): number {
  return measurements.response.bucketsUs
    .filter(([upToUs]) => upToUs > SLOW_MS * 1000)
    .reduce((sum, [, count]) => sum + count, 0);
}

/** Whether iterations were slow at other times than when the stall ended, in one second or two. */
function wasBusyOtherwise({ measurements }: LoadResult): boolean {
  return measurements.timeline.rows.filter(({ p99Ms }) => (p99Ms ?? 0) > SLOW_MS).length > 2;
}

describeWithPostgres('a server that stands still', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server?.remove());

  const url = (): string => {
    const { user, password, port } = server;
    return `postgres://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}/postgres`;
  };

  describe.skipIf(process.platform !== 'linux')('under load', () => {
    it('keeps nobody from giving up', async () => {
      const argv = ['--warmup=none', '--num-workers=4', '--duration=20d', '--verbose', '--format=json'];
      const { child, finished, seen } = start(bin, ['loadtest', url(), ...argv]);
      await seen('by lease 100');
      const goOn = await stop(server);
      child.kill('SIGINT');
      child.kill('SIGTERM');
      const { code, signal, stdout } = await finished;
      goOn();
      expect([130, 143]).toContain(code);
      expect({ signal, stdout: JSON.parse(stdout) }).toMatchObject({
        signal: null,
        stdout: { partial: 'aborted' },
      });
    });

    it('ends the run after the drain timeout, and says when the server stopped answering', async () => {
      const warmUp = 200;
      const underWay = lent(warmUp + 200);
      const load = [`--warmup=${warmUp}`, '--num-workers=10', '--duration=2s', '--drain-timeout=6s'];
      const pool = ['--pool-size=5', '--max-overflow=0', '--no-pre-ping', '--sql', 'select pg_sleep(0.005)'];
      const running = loadtest([url(), ...load, ...pool, '--format=json']);
      await underWay;
      const goOn = await stop(server);
      const { code, out, err } = await running;
      goOn();
      const { measurements, verdict, advice } = JSON.parse(out) as LoadResult;
      expect(code).toBe(1);
      expect(measurements.abandoned).toBe(10);
      expect(measurements.response.atLeast?.count).toBeGreaterThanOrEqual(10);
      expect(measurements.response.maxMs).toBeGreaterThan(6000);
      expect(verdict.reason).toMatch(/The server stopped answering after .*; 10 iterations were abandoned/);
      expect(advice[0]?.text).toContain('The server stopped answering');
      expect(err).toMatch(/waiting for 10 iterations; the target has not answered for 5s/);
    });

    it('ends a run at a rate likewise, and loses no arrival', async () => {
      const warmUp = 200;
      const underWay = lent(warmUp + 100);
      const load = [
        `--warmup=${warmUp}`,
        '--test-type=rate',
        '--rate=100/s',
        '--duration=3s',
        '--drain-timeout=3s',
      ];
      const pool = ['--pool-size=5', '--max-overflow=0', '--no-pre-ping', '--sql', 'select pg_sleep(0.005)'];
      const running = loadtest([url(), ...load, ...pool, '--format=json']);
      await underWay;
      const goOn = await stop(server);
      const { code, out } = await running;
      goOn();
      const { measurements, verdict } = JSON.parse(out) as LoadResult;
      const { succeeded, failed, abandoned, dropped } = measurements;
      expect(code).toBe(1);
      expect(succeeded + failed + abandoned + dropped).toBe(300);
      expect(abandoned).toBeGreaterThanOrEqual(5);
      expect(measurements.response.atLeast?.count).toBe(abandoned);
      expect(verdict.reason).toMatch(/The server stopped answering after .*; \d+ iterations were abandoned/);
    });

    it('cancels on the server what takes longer than the iteration timeout', async () => {
      const sql = 'select pg_sleep(case when :iteration::int = 3 then 600 else 0 end)';
      const load = ['--warmup=none', '--num-workers=2', '--num-queries=20', '--iteration-timeout=2s'];
      const { measurements } = await resultOf([url(), ...load, '--sql', sql]);
      expect(measurements.errors).toMatchObject([{ code: 'ERR_ITERATION_TIMEOUT', count: 1 }]);
      expect(measurements.response.atLeast).toMatchObject({ count: 1 });
      const running =
        "select count(*)::int as n from pg_stat_activity where query like '%pg_sleep(case%' and state = 'active' and pid <> pg_backend_pid()";
      await using database = createDatabase(url(), { size: 1 });
      await eventually(async () => {
        const { rows } = await database.withSession((session) => session.query<{ n: number }>(running));
        return rows[0]?.n === 0;
      });
    });

    // A machine that stands still itself for as long would be seen as well: then once more.
    it('for a second is seen by every arrival of that second, and in the p99', { retry: 4 }, async () => {
      const load = ['--test-type=rate', `--rate=${RATE}/s`, `--duration=${SECONDS}s`];
      // Every connection is open by then: to open them would make the end of the stall a long one.
      const warmUp = 2000;
      const underWay = lent(warmUp + PLACES + 2 * RATE);
      const running = resultOf([
        ...[
          url(),
          ...load,
          `--warmup=${warmUp}`,
          `--pool-size=${PLACES}`,
          '--max-overflow=0',
          '--no-pre-ping',
        ],
        ...['--sql', 'SELECT 1'],
      ]);
      await underWay;
      const stalledMs = await stall(server);
      const result = await running;
      const { measurements } = result;
      expect(measurements).toMatchObject({ succeeded: RATE * SECONDS, failed: 0, dropped: 0 });
      // An arrival that was due when the server stopped waits all of it, the next 5 ms less, and so on.
      const arrivals = Array.from(
        { length: Math.floor(stalledMs / EVERY_MS) },
        (_, n) => stalledMs - n * EVERY_MS,
      );
      const slow = arrivals.filter((ms) => ms > SLOW_MS).length;
      const p99 = arrivals[Math.floor(0.01 * RATE * SECONDS)] ?? 0;
      expect(slowOnesOf(result)).toBeGreaterThanOrEqual(slow - 2);
      expect((measurements.response.p99Ms ?? 0) / p99).toBeGreaterThan(0.95);
      // What a machine with other things to do adds on top is no fault of the count.
      if (wasBusyOtherwise(result)) return;
      expect(slowOnesOf(result)).toBeLessThan(slow * 1.1);
      expect((measurements.response.p99Ms ?? 0) / p99).toBeLessThan(1.05);
      expect(measurements.response.p50Ms).toBeLessThan(SLOW_MS);
    });
  });
});
