import { describe, expect, it } from 'vitest';
import { Aggregator } from '../../src/loadtest/aggregate.js';
import { createModel } from '../../src/loadtest/models.js';
import { judge } from '../../src/loadtest/verdict.js';
import { waitTrend } from '../../src/loadtest/wait-trend.js';
import { sampleOf } from './helpers.js';

/** A closed run in which the iterations that end in each half of a second wait for so many ms. */
function closedRun(waitsMs: readonly number[], perHalf = 20) {
  const aggregator = new Aggregator(createModel({ kind: 'closed', workers: perHalf }));
  waitsMs.forEach((waitMs, half) => {
    for (let i = 0; i < perHalf; i++) {
      const endedMs = half * 500 + Math.floor((i * 500) / perHalf);
      aggregator.record(sampleOf({ dueMs: endedMs - waitMs - 1, acquiredMs: endedMs - 1, endedMs }));
    }
  });
  const started = waitsMs.length * perHalf;
  return aggregator.finish({ elapsedMs: waitsMs.length * 500, started, abandoned: 0, dropped: 0 });
}

function burstRun(waitsMs: readonly number[]) {
  const aggregator = new Aggregator(
    createModel({ kind: 'burst', size: 2, count: waitsMs.length, intervalMs: 1000 }),
  );
  waitsMs.forEach((waitMs, burst) => {
    const dueMs = burst * 1000;
    // Within each burst waits rise, from nothing to twice the mean.
    aggregator.record(sampleOf({ seq: burst * 2, dueMs, acquiredMs: dueMs, endedMs: dueMs + 1 }));
    const endedMs = dueMs + waitMs * 2 + 1;
    aggregator.record(sampleOf({ seq: burst * 2 + 1, dueMs, acquiredMs: endedMs - 1, endedMs }));
  });
  return aggregator.finish({ elapsedMs: waitsMs.length * 1000, started: 0, abandoned: 0, dropped: 0 });
}

describe('waits over a run', () => {
  it.each([
    ['rise when they go up all the way, to twice as long', [0, 10, 10, 20, 20, 40, 40], true],
    ['do not when they stay', [0, 20, 21, 20, 22, 20, 21], false],
    ['do not when they fall', [0, 80, 80, 40, 40, 20, 20], false],
    ['do not when they rise by less than double', [0, 30, 30, 40, 40, 55, 55], false],
    ['do not when they rise by a few ms only, whatever the factor', [0, 0.1, 0.1, 1, 1, 9, 9], false],
    [
      'do not when some moments are slow, and more of them late than early',
      [0, 15, 60, 16, 44, 14, 80],
      false,
    ],
    ['do not when a peak in the middle has gone again', [0, 10, 10, 90, 90, 25, 25], false],
  ])('%s', (_, waitsMs, rising) => {
    // The first half second is the start, in which the queue builds up: it counts for nothing.
    expect(waitTrend(closedRun(waitsMs), 20)).toMatchObject({ rising, why: null });
  });

  it('do not rise because the queue built up at the start', () => {
    const slowRampUp = [1, 30, 60, 90, 90, 90, 90, 90, 90, 90];
    expect(waitTrend(closedRun(slowRampUp), 60).rising).toBe(false);
    expect(waitTrend(closedRun(slowRampUp), 60).factor).toBeCloseTo(1, 1);
    expect(waitTrend(closedRun(slowRampUp), 1).factor).toBeGreaterThan(2);
  });

  it('are compared between bursts, not within them', () => {
    expect(waitTrend(burstRun([50, 50, 50, 50, 50, 50]), 2)).toMatchObject({ rising: false, factor: 1 });
    expect(waitTrend(burstRun([20, 22, 35, 38, 60, 70]), 2).rising).toBe(true);
    // Five bursts are enough if each of them waits longer than the one before.
    expect(waitTrend(burstRun([10, 15, 25, 30, 40]), 2).rising).toBe(true);
    expect(waitTrend(burstRun([12, 13, 26, 44, 15]), 2).rising).toBe(false);
  });

  it('cannot be told of a short run, or of one without a pool', () => {
    expect(waitTrend(closedRun([0, 10, 20]), 20).why).toBe('the run is too short to tell');
    expect(waitTrend(burstRun([10, 20, 40]), 2).why).toBe('the run is too short to tell');
    const aggregator = new Aggregator(createModel({ kind: 'closed', workers: 1 }));
    aggregator.record(sampleOf({ acquiredMs: null, endedMs: 5 }));
    const noPool = aggregator.finish({ elapsedMs: 5, started: 1, abandoned: 0, dropped: 0 });
    expect(waitTrend(noPool, 1).why).toBe('no waits were measured');
  });

  it('that rise make the verdict bad', () => {
    const verdict = judge({
      measurements: closedRun([0, 10, 10, 20, 20, 40, 40]),
      simple: true,
      model: { kind: 'closed', workers: 20 },
    });
    expect(verdict).toMatchObject({ band: 'bad', reason: expect.stringContaining('rise of waits x 4.00') });
  });
});
