import { describe, expect, it } from 'vitest';
import type { LoadModel, LoadPlan, LoadProgress, WorkloadRun } from '../../src/loadtest/api.js';
import { createModel } from '../../src/loadtest/models.js';
import { runLoad } from '../../src/loadtest/runner.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { type Service, serviceOn, uninterrupted } from './helpers.js';

const closed = (workers: number): LoadModel => createModel({ kind: 'closed', workers });
const bursts = (size: number, count: number | null, intervalMs: number): LoadModel =>
  createModel({ kind: 'burst', size, count, intervalMs });

function planOf(plan: Partial<LoadPlan> & { model: LoadModel }): LoadPlan {
  return { iterations: null, durationMs: null, warmup: null, ...plan };
}

async function runOn(clock: VirtualClock, service: Service, plan: LoadPlan) {
  const run = serviceOn(clock, service);
  const outcome = await clock.run(runLoad(run, plan, uninterrupted(clock)));
  return { run, outcome, measurements: outcome.measurements };
}

describe('a closed load', () => {
  it('starts an iteration of each worker at once, and the next when the last has ended', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: closed(3), iterations: 6 });
    const { run, measurements } = await runOn(clock, { places: 3, serviceMs: () => 10 }, plan);
    expect(run.begun).toEqual([0, 0, 0, 10, 10, 10]);
    expect(measurements).toMatchObject({ started: 6, succeeded: 6, failed: 0, elapsedMs: 20 });
    expect(measurements.throughputPerSecond).toBe(300);
  });

  it('does as many iterations as asked for, however many workers there are', async () => {
    for (const [workers, iterations] of [
      [50, 7],
      [4, 10],
      [1, 3],
    ] as const) {
      const clock = new VirtualClock();
      const plan = planOf({ model: closed(workers), iterations });
      const { measurements } = await runOn(clock, { places: 2, serviceMs: () => 5 }, plan);
      expect(measurements.succeeded).toBe(iterations);
    }
  });

  it('begins nothing after its duration, but waits for what has begun', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: closed(1), durationMs: 25 });
    const { run, measurements } = await runOn(clock, { places: 1, serviceMs: () => 10 }, plan);
    expect(run.begun).toEqual([0, 10, 20]);
    expect(measurements.elapsedMs).toBe(30);
  });

  it('ends at whichever limit comes first', async () => {
    const byCount = planOf({ model: closed(1), iterations: 2, durationMs: 1000 });
    const byTime = planOf({ model: closed(1), iterations: 1000, durationMs: 25 });
    const service = { places: 1, serviceMs: () => 10 };
    expect((await runOn(new VirtualClock(), service, byCount)).measurements.succeeded).toBe(2);
    expect((await runOn(new VirtualClock(), service, byTime)).measurements.succeeded).toBe(3);
  });

  it('tells waiting for the pool and being served apart', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: closed(2), iterations: 2 });
    const { measurements } = await runOn(clock, { places: 1, serviceMs: () => 10 }, plan);
    expect(measurements.wait).toMatchObject({ minMs: 0, maxMs: 10, count: 2 });
    expect(measurements.service).toMatchObject({ minMs: 10, maxMs: 10, count: 2 });
    expect(measurements.response).toMatchObject({ minMs: 10, maxMs: 20, meanMs: 15 });
  });

  it('lets the event loop have its turn though its iterations never wait for anything', async () => {
    let now = 0;
    const clock = new VirtualClock();
    const busy: WorkloadRun = {
      description: { target: '', work: '', simple: true, inProcess: true, statements: [] },
      // Each takes a millisecond of the one thread there is.
      iterate: async () => clock.block(1),
      snapshot: () => null,
      close: async () => {},
    };
    const turn = setImmediate(() => {
      now = clock.now();
    });
    await clock.run(runLoad(busy, planOf({ model: closed(4), durationMs: 1000 }), uninterrupted(clock)));
    clearImmediate(turn);
    expect(now).toBeGreaterThan(0);
    expect(now).toBeLessThan(20);
  });
});

describe('a load in bursts', () => {
  it('starts the bursts at equal distances, from start to start', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: bursts(2, 3, 100), iterations: 6 });
    const { run, measurements } = await runOn(clock, { places: 2, serviceMs: () => 30 }, plan);
    expect(run.begun).toEqual([0, 0, 100, 100, 200, 200]);
    expect(measurements.elapsedMs).toBe(230);
  });

  it('tells when work is under way, so that the pauses between bursts can be left out', async () => {
    const active = async (intervalMs: number) => {
      const clock = new VirtualClock();
      const run = serviceOn(clock, { places: 1, serviceMs: () => 10 });
      const told: string[] = [];
      const onActive = (is: boolean) => void told.push(`${is ? 'from' : 'to'} ${clock.now()}`);
      const warmup = { workers: 1, iterations: 1, durationMs: null, settleMs: null };
      const plan = planOf({ model: bursts(2, 3, intervalMs), iterations: 6, warmup });
      await clock.run(runLoad(run, plan, { ...uninterrupted(clock), onActive }));
      return told.join(', ');
    };
    expect(await active(100)).toBe('from 10, to 30, from 110, to 130, from 210, to 230');
    // A short breath is no pause: to look at the clocks each time would be the most that there is to do.
    expect(await active(30)).toBe('from 10, from 40, from 70, to 90');
    expect(await active(15)).toBe('from 10, to 70');
  });

  it('starts a burst on time although the one before has not drained, and says so', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: bursts(3, 2, 20), iterations: 6 });
    const { run, measurements } = await runOn(clock, { places: 1, serviceMs: () => 10 }, plan);
    expect(run.begun).toEqual([0, 0, 0, 20, 20, 20]);
    expect(measurements.bursts).toMatchObject([
      { index: 0, atMs: 0, size: 3, drainMs: 30, overran: true, maxMs: 30 },
      { index: 1, atMs: 20, size: 3, drainMs: 40, overran: true, maxMs: 40 },
    ]);
  });

  it('counts response times from when iterations were due, though the loop was blocked then', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: bursts(1, 2, 50), iterations: 2 });
    const run = serviceOn(clock, { places: 1, serviceMs: () => 5 });
    const outcome = runLoad(run, plan, uninterrupted(clock));
    await clock.advance(10);
    clock.block(70);
    const { measurements } = await clock.run(outcome);
    expect(run.begun).toEqual([0, 80]);
    expect(measurements.response.maxMs).toBe(35);
    expect(measurements.lag.maxMs).toBe(30);
  });

  it('goes on until its duration is over where no number of bursts is given', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: bursts(2, null, 100), durationMs: 250 });
    const { measurements } = await runOn(clock, { places: 2, serviceMs: () => 1 }, plan);
    expect(measurements.bursts).toHaveLength(3);
  });
});

describe('an open load', () => {
  it('drops and counts what is due while too much is under way', async () => {
    const clock = new VirtualClock();
    const model: LoadModel = {
      kind: 'open',
      dueAt: (n) => n * 10,
      maxInFlight: 2,
      burstSize: null,
      ramp: null,
    };
    const { run, measurements } = await runOn(
      clock,
      { places: 2, serviceMs: () => 35 },
      planOf({ model, iterations: 6 }),
    );
    expect(run.begun).toEqual([0, 10, 40, 50]);
    expect(measurements).toMatchObject({ started: 4, dropped: 2, succeeded: 4, bursts: null });
  });

  it('hides no stall: each arrival of a stalled second is late by its share of it', async () => {
    const clock = new VirtualClock();
    const model: LoadModel = {
      kind: 'open',
      dueAt: (n) => n * 100,
      maxInFlight: null,
      burstSize: null,
      ramp: null,
    };
    // The one connection is held for a second by the first iteration.
    const service = { places: 1, serviceMs: (seq: number) => (seq === 0 ? 1000 : 1) };
    const { measurements } = await runOn(clock, service, planOf({ model, iterations: 20 }));
    expect(measurements.response.maxMs).toBe(1000);
    expect(measurements.timeline.rows.at(-1)?.p99Ms).toBe(1);
    const { count } = measurements.wait;
    const slow = measurements.wait.bucketsUs.filter(([us]) => us > 1000).reduce((sum, [, n]) => sum + n, 0);
    expect({ count, slow }).toEqual({ count: 20, slow: 10 });
  });
});

describe('failures', () => {
  it('are counted by code, with an example, and kept out of the response times', async () => {
    const clock = new VirtualClock();
    const busy = Object.assign(new Error('database is locked\nat length'), { code: 'SQLITE_BUSY' });
    const plan = planOf({ model: closed(1), iterations: 10 });
    const { measurements } = await runOn(
      clock,
      {
        places: 1,
        serviceMs: (seq) => (seq % 2 === 0 ? 10 : 500),
        fails: (seq) => (seq === 3 ? new RangeError('odd') : seq % 2 === 1 ? busy : null),
      },
      plan,
    );
    expect(measurements.errors).toEqual([
      { code: 'SQLITE_BUSY', count: 4, example: 'database is locked' },
      { code: 'RangeError', count: 1, example: 'odd' },
    ]);
    expect(measurements.response).toMatchObject({ count: 5, maxMs: 10 });
    expect(measurements.failure).toMatchObject({ count: 5, minMs: 500 });
    expect(measurements.successRate).toBe(0.5);
  });

  it('of waiting too long are the pool time-outs that they are', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: closed(3), iterations: 3 });
    const { measurements, outcome } = await runOn(
      clock,
      { places: 1, serviceMs: () => 1000, timeoutMs: 200 },
      plan,
    );
    expect(measurements.errors).toMatchObject([{ code: 'ERR_POOL_TIMEOUT', count: 2 }]);
    expect(measurements.failure).toMatchObject({ count: 2, maxMs: 200 });
    expect(outcome.poolAfter?.counters.timedOut).toBe(2);
  });
});

describe('a warm-up', () => {
  it.each([
    ['by iterations', { iterations: 5, durationMs: null, settleMs: null }],
    ['by time', { iterations: null, durationMs: 25, settleMs: null }],
  ])('of a closed load, %s, goes over into the measurement without a break', async (_, limit) => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 2, serviceMs: () => 10 });
    const active: [boolean, number][] = [];
    const onActive = (is: boolean) => void active.push([is, clock.now()]);
    const plan = planOf({ model: closed(2), iterations: 4, warmup: { workers: 2, ...limit } });
    const { warmup, measurements, poolBefore } = await clock.run(
      runLoad(run, plan, { ...uninterrupted(clock), onActive }),
    );
    expect(active).toEqual([
      [true, 30],
      [false, 50],
    ]);
    expect(run.begun).toEqual([0, 0, 10, 10, 20, 20, 30, 30, 40, 40]);
    expect(warmup?.elapsedMs).toBe(30);
    expect(measurements).toMatchObject({ started: 4, succeeded: 4, elapsedMs: 20, throughputPerSecond: 200 });
    expect(poolBefore?.counters.created).toBe(2);
  });

  it('leaves its figures, its failures and its connects out', async () => {
    const clock = new VirtualClock();
    let served = 0;
    const service = {
      places: 1,
      connectMs: () => 500,
      serviceMs: () => 10,
      fails: () => (served++ < 2 ? new Error('cold') : null),
    };
    const warmup = { workers: 1, iterations: 3, durationMs: null, settleMs: null };
    const { outcome, measurements } = await runOn(
      clock,
      service,
      planOf({ model: closed(1), iterations: 2, warmup }),
    );
    expect(outcome.warmup).toEqual({ iterations: 3, failed: 2, elapsedMs: 530 });
    expect(measurements).toMatchObject({ succeeded: 2, failed: 0, response: { maxMs: 10 } });
  });

  it('can wait for the pool to stop opening connections, but not for ever', async () => {
    for (const [settleMs, elapsedMs] of [
      [null, 10],
      [50, 50],
      [10_000, 500],
    ] as const) {
      const clock = new VirtualClock();
      // The second connection takes its time.
      const service = { places: 2, connectMs: (nth: number) => nth * 500, serviceMs: () => 10 };
      const warmup = { workers: 2, iterations: null, durationMs: 10, settleMs };
      const { outcome } = await runOn(clock, service, planOf({ model: closed(2), iterations: 4, warmup }));
      expect(outcome.warmup?.elapsedMs).toBe(elapsedMs);
    }
  });

  it('of bursts is a closed load that drains before the first of them', async () => {
    const clock = new VirtualClock();
    const warmup = { workers: 3, iterations: 3, durationMs: null, settleMs: null };
    const { run, measurements } = await runOn(
      clock,
      { places: 2, serviceMs: () => 10 },
      planOf({ model: bursts(2, 2, 100), iterations: 4, warmup }),
    );
    expect(run.begun).toEqual([0, 0, 0, 10, 10, 30, 30, 130, 130]);
    expect(measurements).toMatchObject({ started: 4, elapsedMs: 110 });
    expect(measurements.bursts).toMatchObject([{ atMs: 0 }, { atMs: 100 }]);
  });
});

describe('an interruption', () => {
  it('stops arrivals, waits for what is under way, and marks the result', async () => {
    for (const model of [closed(2), bursts(2, null, 15)]) {
      const clock = new VirtualClock();
      const run = serviceOn(clock, { places: 2, serviceMs: () => 10 });
      const stop = new AbortController();
      const outcome = runLoad(run, planOf({ model, durationMs: 10_000 }), {
        ...uninterrupted(clock),
        stop: stop.signal,
      });
      await clock.advance(5);
      stop.abort();
      const { partial, measurements } = await clock.run(outcome);
      expect(partial).toBe('interrupted');
      expect(measurements).toMatchObject({ started: 2, succeeded: 2, abandoned: 0, elapsedMs: 10 });
    }
  });

  it('a second time waits for nothing, and says how many were abandoned', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 2, serviceMs: (seq) => (seq === 0 ? 1 : 1e9) });
    const [stop, abort] = [new AbortController(), new AbortController()];
    const outcome = runLoad(run, planOf({ model: closed(2), durationMs: 10_000 }), {
      clock,
      stop: stop.signal,
      abort: abort.signal,
    });
    await clock.advance(5);
    stop.abort();
    await clock.advance(5);
    abort.abort();
    const { partial, measurements } = await outcome;
    expect(partial).toBe('aborted');
    expect(measurements).toMatchObject({ succeeded: 1, abandoned: 2, elapsedMs: 10 });
  });

  it('during the warm-up gives a result without iterations', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 1, serviceMs: () => 10 });
    const stop = new AbortController();
    const warmup = { workers: 1, iterations: 100, durationMs: null, settleMs: null };
    const outcome = runLoad(run, planOf({ model: closed(1), iterations: 5, warmup }), {
      ...uninterrupted(clock),
      stop: stop.signal,
    });
    await clock.advance(5);
    stop.abort();
    const { partial, measurements } = await clock.run(outcome);
    expect(partial).toBe('interrupted');
    expect(measurements).toMatchObject({ started: 0, elapsedMs: 0, successRate: null });
  });

  it('leaves no timer behind', async () => {
    const clock = new VirtualClock();
    const plan = planOf({ model: bursts(3, 2, 50), iterations: 6 });
    const { run } = await runOn(clock, { places: 3, serviceMs: () => 5 }, plan);
    await run.close();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });
});

describe('progress', () => {
  it('is told ten times a second, with phase, share done and those waiting', async () => {
    const clock = new VirtualClock();
    const run = serviceOn(clock, { places: 1, serviceMs: () => 90 });
    const told: LoadProgress[] = [];
    const plan = planOf({
      model: closed(3),
      durationMs: 200,
      warmup: { workers: 1, iterations: 2, durationMs: null, settleMs: null },
    });
    await clock.run(
      runLoad(run, plan, { ...uninterrupted(clock), onProgress: (progress) => void told.push(progress) }),
    );
    expect(told.map(({ phase, fraction, ended, waiting }) => ({ phase, fraction, ended, waiting }))).toEqual([
      { phase: 'warm-up', fraction: 0, ended: 0, waiting: 2 },
      { phase: 'warm-up', fraction: 0.5, ended: 1, waiting: 2 },
      // What was begun in the warm-up still goes on, and counts for nothing.
      { phase: 'load', fraction: 0.35, ended: 0, waiting: 2 },
      { phase: 'load', fraction: 0.85, ended: 0, waiting: 2 },
      { phase: 'drain', fraction: 1, ended: 0, waiting: 2 },
      { phase: 'drain', fraction: 1, ended: 2, waiting: 0 },
    ]);
  });
});
