import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Reading } from '../../src/snapshot/reading.js';
import { SourceError } from '../../src/sources/errors.js';
import { Poller, type PollerOptions } from '../../src/sources/poller.js';
import type { StatsSource } from '../../src/sources/types.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

type Read = (signal: AbortSignal) => Promise<Partial<Reading>>;

interface TestSource extends StatsSource {
  reads: number;
  closed: boolean;
  answer: Read;
}

describe('the poller', () => {
  let clock: VirtualClock;
  let poller: Poller | null;

  beforeEach(() => {
    clock = new VirtualClock();
    poller = null;
  });
  afterEach(async () => {
    await poller?.[Symbol.asyncDispose]();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  const source = (label: string, answer: Read = async () => ({})): TestSource => ({
    label,
    kind: 'pool',
    reads: 0,
    closed: false,
    answer,
    async read(signal) {
      this.reads++;
      return readingOf(label, clock.wallTime(), await this.answer(signal));
    },
    async [Symbol.asyncDispose]() {
      this.closed = true;
    },
  });
  const poll = (sources: TestSource[], options: Partial<PollerOptions> = {}): Poller => {
    poller = new Poller(sources, { clock, intervalMs: 1000, ...options });
    return poller;
  };
  const down: Read = async () => {
    throw new SourceError('ERR_SOURCE_UNREACHABLE', 'nobody there', { hint: 'start it' });
  };
  const never: Read = () => new Promise(() => {});

  it('reads at once, then once an interval from start to start', async () => {
    const one = source('one', () => new Promise((resolve) => void clock.setTimer(() => resolve({}), 300)));
    const states = poll([one]);
    expect(states.states()).toEqual([
      { label: 'one', kind: 'pool', reading: null, stale: null, readMs: null },
    ]);
    await clock.advance(300);
    expect(states.states()[0]).toMatchObject({ readMs: 300, stale: null, reading: { source: 'one' } });
    await clock.advance(699);
    expect(one.reads).toBe(1);
    await clock.advance(1);
    expect(one.reads).toBe(2);
    await clock.advance(300);
  });

  it('a failing source keeps its last reading, with since when and why, until it answers again', async () => {
    const one = source('one');
    const { states } = poll([one]);
    await clock.settle();
    one.answer = down;
    await clock.advance(1000);
    const [stale] = states.call(poller);
    expect(stale?.reading?.takenAtMs).toBe(clock.wallTime() - 1000);
    const sinceMs = clock.wallTime();
    expect(stale?.stale).toEqual({
      ...{ sinceMs, why: 'nobody there', hint: 'start it', failures: 1, retryMs: 1000 },
    });
    await clock.advance(1000);
    expect(poller?.states()[0]?.stale).toMatchObject({ sinceMs, failures: 2 });
    one.answer = async () => ({});
    await clock.advance(2000);
    expect(poller?.states()[0]).toMatchObject({ stale: null, reading: { takenAtMs: clock.wallTime() } });
  });

  it('is tried again after 1, 2, 4, 8 intervals, and then every 15 seconds', async () => {
    const one = source('one', down);
    const seen: number[] = [];
    poll([one], { onChange: () => void seen.push(clock.now() / 1000) });
    await clock.advance(62_000);
    expect(seen).toEqual([0, 1, 3, 7, 15, 30, 45, 60]);
  });

  it('an interval longer than that stays what it is', async () => {
    const one = source('one', down);
    poll([one], { intervalMs: 60_000 });
    await clock.advance(119_000);
    expect(one.reads).toBe(2);
  });

  it('neither a dead source nor one that heeds no signal delays the others', async () => {
    const [dead, quick] = [source('dead', never), source('quick')];
    const states = poll([dead, quick], { limitMs: 3000 });
    await clock.advance(2500);
    expect(quick.reads).toBe(3);
    expect(dead.reads).toBe(1);
    await clock.advance(600);
    expect(states.states()[0]?.stale).toMatchObject({ why: 'no answer within 3s', failures: 1 });
  });

  it('a source that throws instead of rejecting is one that fails', async () => {
    const one = source('one', () => {
      throw new Error('broken');
    });
    poll([one]);
    await clock.settle();
    expect(poller?.states()[0]?.stale?.why).toBe('broken');
  });

  it('each source may have an interval and a limit of its own', async () => {
    const slow = source('slow', never);
    const often = source('often');
    poll([]).add(slow, { limitMs: 100 });
    poller?.add(often, { intervalMs: 250 });
    await clock.advance(1000);
    expect(often.reads).toBe(5);
    expect(poller?.states()[0]?.stale?.why).toBe('no answer within 100ms');
  });

  it('a new interval counts from the last reading', async () => {
    const one = source('one');
    const running = poll([one], { intervalMs: 10_000 });
    await clock.advance(3000);
    running.intervalMs = 5000;
    await clock.advance(1999);
    expect(one.reads).toBe(1);
    await clock.advance(1);
    expect(one.reads).toBe(2);
    await clock.advance(1000);
    running.intervalMs = 500;
    await clock.settle();
    expect(one.reads).toBe(3);
  });

  it('a refresh does not wait for the interval, nor for the next try', async () => {
    const [one, two] = [source('one'), source('two', down)];
    const running = poll([one, two], { intervalMs: 10_000 });
    await clock.advance(10);
    running.refresh();
    await clock.settle();
    expect([one.reads, two.reads]).toEqual([2, 2]);
  });

  it('a source that is removed is read no more, and closed', async () => {
    const [one, two] = [source('one', never), source('two')];
    const running = poll([one, two]);
    await clock.advance(1500);
    await running.remove(one);
    expect(one.closed).toBe(true);
    expect(running.states().map(({ label }) => label)).toEqual(['two']);
  });

  it('all ends with it, also what is being read', async () => {
    let aborted: unknown = null;
    const one = source('one', (signal) => {
      signal.addEventListener('abort', () => {
        aborted = signal.reason;
      });
      return never(signal);
    });
    const two = source('two');
    const seen: string[] = [];
    const running = poll([one, two], { onChange: ({ label }) => void seen.push(label) });
    await clock.advance(100);
    await running[Symbol.asyncDispose]();
    expect(aborted).toBeInstanceOf(SourceError);
    expect([one.closed, two.closed, seen]).toEqual([true, true, ['two']]);
    expect(() => running.add(source('three'))).toThrow('closed');
  });
});

function readingOf(source: string, takenAtMs: number, more: Partial<Reading>): Reading {
  return {
    ...{ source, kind: 'pool', takenAtMs, pools: [], backends: [], server: null, pooler: null, gaps: [] },
    ...more,
  };
}
