import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { follow, newPool, newPoolOn } from '../helpers/pools.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

describe('waiting', () => {
  it('has one timer for all of them', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, leakWatch: false });
    await pool.acquire();
    const waiting = Array.from({ length: 1000 }, (_, i) =>
      follow(pool.acquire({ timeoutMs: 200 + ((i * 37) % 800) }), clock),
    );
    await clock.settle();
    expect(clock.timers).toEqual({ foreground: 1, background: 0 });
    await clock.advance(600);
    expect(clock.timers.foreground).toBe(1);
    await clock.advance(400);
    expect(waiting.every(({ state }) => state === 'rejected')).toBe(true);
    await clock.advance(1000);
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('lets mixed time-outs expire in the order of their deadlines, each at its time, while service stays FIFO', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    const held = await pool.acquire();
    const random = seededRandom(7);
    const timeouts = Array.from({ length: 200 }, () => 1 + Math.floor(random() * 2000));
    const waiting = timeouts.map((timeoutMs) => follow(pool.acquire({ timeoutMs }), clock));
    await clock.advance(1000);
    timeouts.forEach((timeoutMs, i) => {
      const { state, atMs } = waiting[i]!;
      expect([state, atMs]).toEqual(timeoutMs <= 1000 ? ['rejected', timeoutMs] : ['pending', null]);
    });
    const left = waiting.filter(({ state }) => state === 'pending');
    const served: unknown[] = [];
    pool.on('acquire', () => served.push(left.findIndex(({ state }) => state === 'pending')));
    let lease = held;
    for (const next of left) {
      lease.release();
      await clock.settle();
      expect(next.state).toBe('fulfilled');
      lease = next.value!;
    }
    expect(served).toEqual(left.map((_, i) => i));
  });

  it('keeps the deadlines of the others right when many leave from the middle', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0 });
    await pool.acquire();
    const random = seededRandom(8);
    const waiting = Array.from({ length: 500 }, () => {
      const controller = new AbortController();
      const timeoutMs = 100 + Math.floor(random() * 1000);
      return {
        controller,
        timeoutMs,
        outcome: follow(pool.acquire({ signal: controller.signal, timeoutMs }), clock),
      };
    });
    const leaving = waiting.filter(() => random() < 0.8);
    for (const { controller } of leaving) controller.abort();
    await clock.advance(1100);
    for (const each of waiting) {
      const { error, atMs } = each.outcome;
      if (leaving.includes(each)) expect(error?.code).toBe('ERR_POOL_ABORTED');
      else expect([error?.code, atMs]).toEqual(['ERR_POOL_TIMEOUT', each.timeoutMs]);
    }
  });

  it('rejects a crowd in portions, between which the loop turns', async () => {
    class CountingClock extends VirtualClock {
      turns = 0;
      override defer(callback: () => void): void {
        super.defer(() => {
          this.turns++;
          callback();
        });
      }
    }
    const { pool, clock } = newPoolOn(new CountingClock(), { size: 1, maxOverflow: 0, timeoutMs: 100 });
    await pool.acquire();
    const waiting = Array.from({ length: 3000 }, () => follow(pool.acquire(), clock));
    await clock.advance(100);
    expect(waiting.every(({ state, atMs }) => state === 'rejected' && atMs === 100)).toBe(true);
    expect(clock.turns).toBeGreaterThanOrEqual(10);
    expect(pool.snapshot()).toMatchObject({ waiting: 0, peakWaiting: 3000, counters: { timedOut: 3000 } });
  });

  it('serves who comes while a crowd is being rejected', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, timeoutMs: 100 });
    const held = await pool.acquire();
    for (let i = 0; i < 1000; i++) follow(pool.acquire(), clock);
    await clock.advance(99);
    const patient = follow(pool.acquire({ timeoutMs: 5000 }), clock);
    pool.on('acquireTimeout', () => held[Symbol.dispose]());
    await clock.advance(500);
    const { timedOut, acquired } = pool.snapshot().counters;
    // The first one rejected caused the release; it went to another of the crowd, who still holds it.
    expect([timedOut, acquired]).toEqual([999, 2]);
    expect(patient.state).toBe('pending');
  });

  it('refuses more than maxWaiting at once, saying so, and takes new ones when there is room', async () => {
    const { pool, clock } = newPool({ size: 1, maxOverflow: 0, maxWaiting: 2, timeoutMs: 100 });
    const held = await pool.acquire();
    const waiting = [pool.acquire(), pool.acquire()].map((each) => follow(each, clock));
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'ERR_POOL_QUEUE_FULL',
      message: expect.stringContaining('2 acquires wait already'),
      hint: expect.stringContaining('shed load'),
    });
    expect(pool.snapshot()).toMatchObject({ waiting: 2, counters: { refused: 1 } });
    held.release();
    await clock.settle();
    const third = follow(pool.acquire(), clock);
    await clock.settle();
    expect([waiting[0], waiting[1], third].map((each) => each?.state)).toEqual([
      'fulfilled',
      'pending',
      'pending',
    ]);
  });

  it('counts against maxWaiting only those for whom there is no place left to open', async () => {
    const { pool, clock } = newPool({ size: 3, maxOverflow: 1, maxWaiting: 0 });
    const crowd = Array.from({ length: 6 }, () => follow(pool.acquire(), clock));
    await clock.settle();
    expect(crowd.map(({ state, error }) => error?.code ?? state)).toEqual([
      ...Array(4).fill('fulfilled'),
      ...Array(2).fill('ERR_POOL_QUEUE_FULL'),
    ]);
  });
});
