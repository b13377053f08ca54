import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/base/random.js';
import { Breaker, resolveBreaker } from '../../src/http/breaker.js';
import { createHttpPool, type HttpPoolOptions } from '../../src/http/index.js';
import { rateGate } from '../../src/http/rate-limit.js';
import { RetryBudget, resolveRetry, retryAfterMs, retryWaitMs } from '../../src/http/retry.js';
import type { BreakerState } from '../../src/snapshot/http.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

describe('the circuit breaker', () => {
  function breakerOf(options = {}) {
    const clock = new VirtualClock();
    const turns: [BreakerState, BreakerState][] = [];
    const breaker = new Breaker(
      resolveBreaker(options),
      clock,
      () => 0.5,
      (from, to) => turns.push([from, to]),
    );
    const call = (outcome: 'success' | 'failure' | 'nothing') => {
      const admission = breaker.admit();
      if (admission !== null) breaker.settle(admission, outcome);
      return admission !== null;
    };
    return { clock, breaker, turns, call };
  }

  it('opens at half of twenty calls, and not with fewer', () => {
    const { breaker, call } = breakerOf();
    for (let at = 0; at < 19; at++) call('failure');
    expect(breaker.state).toBe('closed');
    call('failure');
    expect([breaker.state, call('success')]).toEqual(['open', false]);
  });

  it('opens at exactly half', () => {
    const { breaker, call } = breakerOf();
    for (let at = 0; at < 10; at++) call('success');
    for (let at = 0; at < 9; at++) call('failure');
    expect(breaker.state).toBe('closed');
    call('failure');
    expect([breaker.state, breaker.failureShare]).toEqual(['open', 0.5]);
  });

  it('counts failures of the last ten seconds only', async () => {
    const { clock, breaker, call } = breakerOf();
    for (let at = 0; at < 15; at++) call('failure');
    await clock.advance(11_000);
    for (let at = 0; at < 19; at++) call('success');
    expect([breaker.state, breaker.failureShare]).toEqual(['closed', 0]);
    await clock.advance(100_000);
    expect(breaker.failureShare).toBe(null);
  });

  it('takes what shows nothing for nothing', () => {
    const { breaker, call } = breakerOf({ minCalls: 1 });
    for (let at = 0; at < 100; at++) call('nothing');
    expect([breaker.state, breaker.failureShare]).toEqual(['closed', null]);
  });

  it('lets one try when its time is over: it closes, or opens again', async () => {
    const { clock, breaker, turns, call } = breakerOf({ minCalls: 1, openMs: 1000 });
    call('failure');
    await clock.advance(999);
    expect(breaker.admit()).toBe(null);
    await clock.advance(1);
    const probe = breaker.admit();
    expect([probe, breaker.admit()]).toEqual([{ probe: true }, null]);
    breaker.settle(probe as { probe: boolean }, 'failure');
    expect(breaker.state).toBe('open');
    await clock.advance(1000);
    expect(call('nothing')).toBe(true);
    expect(breaker.state).toBe('half-open');
    expect(call('success')).toBe(true);
    expect(turns.map(([, to]) => to)).toEqual(['open', 'half-open', 'open', 'half-open', 'closed']);
  });

  it('is not moved by what was sent before it opened', async () => {
    const { clock, breaker, call } = breakerOf({ minCalls: 1, openMs: 1000 });
    const early = breaker.admit();
    call('failure');
    breaker.settle(early as { probe: boolean }, 'success');
    expect(breaker.state).toBe('open');
    await clock.advance(2000);
    const probe = breaker.admit();
    breaker.settle({ probe: false }, 'failure');
    breaker.settle({ probe: false }, 'success');
    expect([breaker.state, probe?.probe]).toEqual(['half-open', true]);
  });
});

describe('the options of the circuit breaker', () => {
  it.each([
    [{ windowMs: 0 }, false],
    [{ windowMs: Number.NaN }, false],
    [{ openMs: 0 }, false],
    [{ windowMs: 1, openMs: 1 }, true],
    [{ minCalls: 0 }, false],
    [{ minCalls: 1.5 }, false],
    [{ minCalls: 1 }, true],
    [{ failureShare: 0 }, false],
    [{ failureShare: 1.01 }, false],
    [{ failureShare: 1 }, true],
    [{ probes: 0 }, false],
    [{ probes: 1.5 }, false],
    [{ probes: 4 }, false],
    [{ probes: 3 }, true],
  ])('%j may be: %s', (options, valid) => {
    if (valid) expect(resolveBreaker(options)).toMatchObject(options);
    else expect(() => resolveBreaker(options)).toThrow(expect.objectContaining({ code: 'ERR_HTTP_OPTION' }));
  });
});

describe('the rate limit', () => {
  it('lets a burst through, then so many a second, first come first served', async () => {
    const clock = new VirtualClock();
    const gate = rateGate(clock, { perSecond: 10, burst: 3 });
    const times: [number, number][] = [];
    for (let at = 0; at < 10; at++) if (gate.tryPass()) times.push([at, clock.now()]);
    expect(times.length).toBe(3);
    for (let at = 0; at < 5; at++) gate.enter(() => times.push([at, Math.floor(clock.now() / 100)]));
    await clock.advance(510);
    expect(times.slice(3)).toEqual([0, 1, 2, 3, 4].map((at) => [at, at + 1]));
    expect([gate.waiting, clock.timers.foreground]).toEqual([0, 0]);
  });

  it('is not held up by those who leave, nor kept alive by them', async () => {
    const clock = new VirtualClock();
    const gate = rateGate(clock, { perSecond: 1 });
    gate.tryPass();
    const gone = gate.enter(() => {
      throw new Error('it has left');
    });
    let went = false;
    gate.enter(() => {
      went = true;
    });
    gone?.();
    await clock.advance(1010);
    expect(went).toBe(true);
    gate.enter(() => {})?.();
    expect(clock.timers.foreground).toBe(0);
  });

  it('stands still while the server says so', async () => {
    const clock = new VirtualClock();
    const gate = rateGate(clock, { perSecond: 100 });
    gate.pause(5000);
    expect(gate.tryPass()).toBe(false);
    let wentAt = 0;
    gate.enter(() => {
      wentAt = clock.now();
    });
    await clock.advance(10_000);
    expect(Math.floor(wentAt)).toBe(5001);
  });
});

describe('retries', () => {
  it.each([
    ['120', 120_000],
    [' 0 ', 0],
    ['Thu, 01 Jan 2026 00:00:30 GMT', 30_000],
    ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
    ['-5', null],
    ['1.5', null],
    ['soon', null],
    ['', null],
    [null, null],
  ])('read Retry-After %j as %s ms', (header, ms) => {
    expect(retryAfterMs(header, Date.UTC(2026, 0, 1))).toBe(ms);
  });

  it('wait at random up to a bound that doubles, and no longer than the cap', () => {
    const retry = resolveRetry({});
    const bounds = [1, 2, 3, 4, 10, 1000].map((n) => retryWaitMs(n, retry, () => 1));
    expect(bounds).toEqual([500, 1000, 2000, 4000, 20_000, 20_000]);
    const random = seededRandom(1);
    const waits = Array.from({ length: 200 }, () => retryWaitMs(1, retry, random));
    expect(Math.min(...waits)).toBeLessThan(50);
    expect(Math.max(...waits)).toBeGreaterThan(450);
  });

  it('have a budget: ten, or a tenth of the requests of the last ten seconds', async () => {
    const clock = new VirtualClock();
    const budget = new RetryBudget(clock);
    const retry = resolveRetry({});
    const taken = () => {
      let count = 0;
      while (budget.take(retry)) count++;
      return count;
    };
    expect(taken()).toBe(10);
    for (let at = 0; at < 500; at++) budget.note();
    expect(taken()).toBe(40);
    await clock.advance(10_000);
    expect(taken()).toBe(10);
  });
});

describe('options that are wrong', () => {
  it.each<[string, HttpPoolOptions]>([
    ['maxConnections is 0', { maxConnections: 0 }],
    ['maxConnectionsPerOrigin is 1.5', { maxConnectionsPerOrigin: 1.5 }],
    ['maxKeepalive is -1', { maxKeepalive: -1 }],
    ['keepaliveExpiryMs is NaN', { keepaliveExpiryMs: Number.NaN }],
    ['timeouts.readMs is -5', { timeouts: { readMs: -5 } }],
    ['retry: total is -1', { retry: { total: -1 } }],
    ['retry: budgetShare', { retry: { budgetShare: 2 } }],
    ['breaker: probes', { breaker: { probes: 4 } }],
    ['breaker: failureShare', { breaker: { failureShare: 0 } }],
    ["http2 is 'yes'", { http2: 'yes' as 'auto' }],
    ["there is no preset 'huge'", { preset: 'huge' as 'large' }],
  ])('are refused: %s', (message, options) => {
    expect(() => createHttpPool(options)).toThrow(
      expect.objectContaining({ code: 'ERR_HTTP_OPTION', message: expect.stringContaining(message) }),
    );
  });

  it('of the presets are 10, 20 and 30 connections, half of them kept, and the timeouts are those of the docs', () => {
    const sizes = (['small', 'medium', 'large'] as const).map((preset) => {
      const { maxConnections, maxKeepalive } = createHttpPool({ preset }).settings;
      return [maxConnections, maxKeepalive];
    });
    expect(sizes).toEqual([
      [10, 5],
      [20, 10],
      [30, 15],
    ]);
    const { timeouts, keepaliveExpiryMs, maxConnections, retry } = createHttpPool().settings;
    expect({ timeouts, keepaliveExpiryMs, maxConnections, total: retry?.total }).toEqual({
      timeouts: { connectMs: 10_000, readMs: 30_000, writeMs: 10_000, poolMs: 5000, totalMs: null },
      keepaliveExpiryMs: 30_000,
      maxConnections: 20,
      total: 3,
    });
  });
});
