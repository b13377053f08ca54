import { describe, expect, it } from 'vitest';
import { HealthCheck, NOBODY } from '../../src/health/check.js';
import { HEALTH_LIMITS } from '../../src/health/health.js';
import type { Reading } from '../../src/snapshot/reading.js';
import type { StatsSource } from '../../src/sources/types.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { pool, reading } from '../top/helpers.js';

const NEVER = new AbortController().signal;

function sourceOf(label: string, read: StatsSource['read'], kind: StatsSource['kind'] = 'pool'): StatsSource {
  return { label, kind, read, [Symbol.asyncDispose]: async () => {} };
}

const giving = (label: string, own: Partial<Reading>) =>
  sourceOf(label, async () => reading({ source: label, ...own }), own.kind ?? 'pool');

function checked(
  sources: readonly StatsSource[],
  { nobodyPublishes = false, stop = NEVER, clock = new VirtualClock() } = {},
) {
  const check = new HealthCheck({ clock, limits: HEALTH_LIMITS, timeoutMs: 5000 });
  const byLabel = new Map(sources.map((one) => [one.label, one]));
  return { check, report: check.check({ sources: byLabel, nobodyPublishes }, stop) };
}

const easy = pool({ name: 'easy', holders: [], live: 1, overflow: 0 });

describe('a health check', () => {
  it('has the pools of all sources, and the status of the worst', async () => {
    const sick = pool({ name: 'sick', waiting: 2 });
    const sources = [giving('pool:a', { pools: [easy] }), giving('pool:b', { pools: [sick, easy] })];
    const report = await checked(sources).report;
    expect(report).toMatchObject({ schema: 1, taken_at_ms: Date.UTC(2026, 0, 1), status: 'warning' });
    expect(report.pools.map(({ source, pool_name, status }) => [source, pool_name, status])).toEqual([
      ['pool:a', 'easy', 'healthy'],
      ['pool:b', 'sick', 'warning'],
      ['pool:b', 'easy', 'healthy'],
    ]);
  });

  it('says of each pool which application and process it belongs to', async () => {
    const homeless = { ...easy, app: null };
    const { pools } = await checked([giving('pool:a', { pools: [easy, homeless] })]).report;
    expect(pools).toMatchObject([
      { application: 'api', pid: 7 },
      { application: null, pid: null },
    ]);
  });

  it.each<[string, StatsSource[], boolean, readonly (readonly [source: string, reason: string | null])[]]>([
    ['no live application', [], true, [['pool:', NOBODY]]],
    ['nothing to look at', [], false, []],
    ['an application without a pool', [giving('pool:a', {})], false, [['pool:a', 'it has no pools']]],
    [
      'an application without a pool beside one that has some',
      [giving('pool:a', {}), giving('pool:b', { pools: [easy] })],
      false,
      [['pool:b', null]],
    ],
    [
      'metrics without a pool beside an application that has some',
      [giving('metrics', { kind: 'prometheus' }), giving('pool:b', { pools: [easy] })],
      false,
      [
        ['pool:b', null],
        ['metrics', 'it has no pools'],
      ],
    ],
    [
      'a source that says why it has no pools',
      [
        giving('pgb', {
          kind: 'pgbouncer',
          gaps: [
            { what: 'config', why: 'something else' },
            { what: 'pools', why: 'not allowed' },
          ],
        }),
      ],
      false,
      [['pgb', 'not allowed']],
    ],
    [
      'a source that cannot be read',
      [sourceOf('pool:a', () => Promise.reject(new Error('refused'))), giving('pool:b', { pools: [easy] })],
      false,
      [
        ['pool:a', 'refused'],
        ['pool:b', null],
      ],
    ],
    [
      'a source that throws at once',
      [
        sourceOf('pool:a', () => {
          throw new Error('broken');
        }),
      ],
      false,
      [['pool:a', 'broken']],
    ],
  ])('on %s', async (_, sources, nobodyPublishes, expected) => {
    const { status, pools } = await checked(sources, { nobodyPublishes }).report;
    expect(pools.map(({ source, reasons }) => [source, reasons[0] ?? null])).toEqual(expected);
    for (const one of pools) expect(one.status).toBe(one.reasons.length === 0 ? 'healthy' : 'error');
    expect(status).toBe(expected.some(([, reason]) => reason !== null) ? 'error' : 'healthy');
  });

  it('knows nothing of a source that it cannot read, and measures nothing as 0', async () => {
    const { pools } = await checked([sourceOf('pg', () => Promise.reject(new Error('refused')))]).report;
    expect(pools).toEqual([
      {
        ...{
          pool_name: 'pg',
          source: 'pg',
          status: 'error',
          reasons: ['refused'],
          application: null,
          pid: null,
        },
        ...{ size: null, checked_out: null, checked_in: null, overflow: null, total_capacity: null },
        ...{
          waiting: null,
          longest_wait_ms: null,
          leaked: null,
          timed_out: null,
          utilization_percent: null,
          cause: null,
        },
      },
    ]);
  });

  it('gives up on a source that does not answer in time, and tells it', async () => {
    const clock = new VirtualClock();
    let told: unknown = null;
    const silent = sourceOf('pool:a', (signal) => {
      signal.addEventListener('abort', () => {
        told = signal.reason;
      });
      return new Promise<never>(() => {});
    });
    const { report } = checked([silent], { clock });
    await clock.advance(4999);
    expect(told).toBeNull();
    await clock.advance(1);
    expect((await report).pools).toMatchObject([
      {
        status: 'error',
        cause: 'process-silent',
        reasons: [expect.stringContaining('event loop'), 'no answer within 5s'],
      },
    ]);
    expect(told).toMatchObject({ code: 'ERR_SOURCE_TIMEOUT' });
  });

  it('rejects where it is stopped, stops its sources, and no longer listens after an answer', async () => {
    const stop = new AbortController();
    const reasons: unknown[] = [];
    const listen = (signal: AbortSignal) =>
      signal.addEventListener('abort', () => reasons.push(signal.reason));
    const silent = sourceOf('pool:a', (signal) => {
      listen(signal);
      return new Promise<never>(() => {});
    });
    const answered = sourceOf('pool:b', async (signal) => {
      listen(signal);
      return reading({ pools: [easy] });
    });
    const { report } = checked([silent, answered], { stop: stop.signal });
    await Promise.resolve();
    await new VirtualClock().settle();
    const why = new Error('stopped');
    stop.abort(why);
    await expect(report).rejects.toBe(why);
    expect(reasons).toEqual([why]);
  });

  it('counts time-outs since its own last reading of the same pool of the same process', async () => {
    let at = 0;
    const pools = (name: string, pid: number, timedOut: number) => ({
      ...easy,
      ...{ name, counters: { ...easy.counters, timedOut }, app: { ...easy.app!, pid } },
    });
    const readings = [
      [pools('a', 1, 5), pools('a', 2, 50), pools('b', 1, 500)],
      [pools('a', 1, 7), pools('a', 2, 50), pools('b', 1, 501), pools('b', 3, 9)],
    ];
    const source = sourceOf('pool:a', async () => reading({ pools: readings[at++] ?? [] }));
    const { check, report } = checked([source]);
    expect((await report).pools.map(({ timed_out }) => timed_out)).toEqual([null, null, null]);
    const again = await check.check(
      { sources: new Map([['pool:a', source]]), nobodyPublishes: false },
      NEVER,
    );
    expect(again.pools.map(({ timed_out }) => timed_out)).toEqual([2, 0, 1, null]);
  });

  it('takes what a metric does not tell for unknown: no leaks, and the overflow that is open', async () => {
    const { maxOverflow: _, ...rest } = easy;
    const bare = (overflow: number | null) =>
      giving('metrics', {
        kind: 'prometheus',
        pools: [{ ...rest, maxOverflow: null, size: 10, inUse: 9, overflow, holders: [] }],
      });
    const of = async (overflow: number | null) => (await checked([bare(overflow)]).report).pools[0];
    expect(await of(5)).toMatchObject({ total_capacity: 15, leaked: null, status: 'healthy' });
    expect(await of(-2)).toMatchObject({ total_capacity: 10, overflow: 0 });
    expect(await of(null)).toMatchObject({ total_capacity: 10, overflow: null });
  });
});
