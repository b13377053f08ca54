import { describe, expect, it } from 'vitest';
import { tooManyConnections } from '../../src/loadtest/connection-limits.js';
import type { ConnectionLimits, ServerSample } from '../../src/loadtest/result.js';
import { BackendSamples, GaugeRecorder, SampleCourse } from '../../src/loadtest/server-figures.js';

const rows = (...list: readonly (readonly [state: string, count: number, event?: string])[]) =>
  list.map(([state, count, event = '']) => ({ state, count, event }));

describe('what was seen of the backends', () => {
  it('is nothing where nobody looked', () => {
    expect(new BackendSamples().finish()).toBe(null);
  });

  it('is how many were in each state, on average over all looks and at most, the most frequent first', () => {
    const samples = new BackendSamples();
    samples.add(rows(['idle', 4]));
    samples.add(rows(['active', 1], ['active', 2, 'Lock:tuple'], ['idle', 1]));
    samples.add([]);
    samples.add(rows(['active', 9]));
    expect(samples.finish()).toMatchObject({
      samples: 4,
      states: [
        { state: 'active', mean: 3, most: 9 },
        { state: 'idle', mean: 1.25, most: 4 },
      ],
    });
  });

  it('is what active ones waited for, as a share of all that were active', () => {
    const samples = new BackendSamples();
    samples.add(rows(['active', 1], ['active', 2, 'Lock:tuple'], ['idle', 5, 'Client:ClientRead']));
    samples.add(rows(['active', 1]));
    expect(samples.finish()?.waits).toEqual([
      { event: null, share: 0.5 },
      { event: 'Lock:tuple', share: 0.5 },
    ]);
  });
});

describe('a gauge', () => {
  it('has a mean and a most, and is 0 where nothing was seen', () => {
    const gauge = new GaugeRecorder();
    expect(gauge.over()).toEqual({ mean: 0, most: 0 });
    for (const value of [1, 5, 0]) gauge.add(value);
    expect(gauge.over()).toEqual({ mean: 2, most: 5 });
  });
});

describe('the course of the looks', () => {
  const sample = (n: number): ServerSample => ({
    ...{ atMs: n * 200, active: n % 2, idle: null, inTransaction: 0, queued: n % 100 === 0 ? n : 0 },
  });

  it('is each look, while there are few', () => {
    const course = new SampleCourse();
    for (const n of [0, 1, 2]) course.add(sample(n));
    expect(course.finish()).toEqual([sample(0), sample(1), sample(2)]);
  });

  it('is bounded, however long the run, and keeps means and peaks', () => {
    const course = new SampleCourse();
    for (let n = 0; n < 10_001; n++) course.add(sample(n));
    const list = course.finish();
    expect(list.length).toBeGreaterThan(290);
    expect(list.length).toBeLessThanOrEqual(601);
    const times = list.map(({ atMs }) => atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(list.slice(0, -1).map(({ active }) => active))).toEqual(new Set([0.5]));
    expect(Math.max(...list.map(({ queued }) => queued ?? 0))).toBe(10_000);
    expect(list.every(({ idle }) => idle === null)).toBe(true);
  });
});

describe('a pool', () => {
  const limits = (changes: Partial<ConnectionLimits> = {}) => ({
    connections: { most: 60, reserved: 3, used: 7, left: 50, narrowest: 'server' as const, ...changes },
    pgbouncer: null,
  });

  it.each([
    [20, 30, null],
    [
      20,
      31,
      /^the pool may open 51 connections, and the server has 50 left: max_connections is 60, 3 reserved, 7 in use$/,
    ],
    [20, -1, /^the pool may open any number of connections/],
    [0, 0, /^the pool may open any number of connections/],
  ])('of %d + %d is held against what the server has left', (size, maxOverflow, words) => {
    const found = tooManyConnections({ size, maxOverflow }, limits());
    if (words === null) expect(found).toBe(null);
    else expect(found).toMatch(words);
  });

  it('is held against the limit of its role too', () => {
    const found = tooManyConnections({ size: 5, maxOverflow: 0 }, limits({ left: 2, narrowest: 'role' }));
    expect(found).toMatch(/5 connections, and 2 are left by the connection limit of its role$/);
  });

  it('is not judged where nothing is known', () => {
    expect(tooManyConnections({ size: 5, maxOverflow: -1 }, { connections: null, pgbouncer: null })).toBe(
      null,
    );
  });
});
