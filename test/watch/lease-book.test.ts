import { describe, expect, it } from 'vitest';
import { carry } from '../../src/watch/call-site.js';
import { LeaseBook, type LeaseBookOptions } from '../../src/watch/lease-book.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

function start(options: LeaseBookOptions = {}) {
  const clock = new VirtualClock();
  const book = new LeaseBook(clock, options);
  const state = { busy: null, localPort: null, backendPid: null };
  const things = [{ name: 'a' }, { name: 'b' }];
  const holders = () => book.holders(things, () => state);
  const counters = (pending: number | null = null) => book.counters(holders(), pending);
  const ask = () => book.ask(() => {});
  return { clock, book, things, holders, counters, ask };
}

describe('the accounts of a watched pool', () => {
  it('count each lease once, from when it is asked for to its end', async () => {
    const { clock, book, things, holders, counters, ask } = start();
    const asked = ask();
    await clock.advance(30);
    book.lend(things[0]!, asked);
    expect(counters()).toMatchObject({ acquired: 1, released: 0, leaked: 0 });
    await clock.advance(100);
    expect(holders()).toMatchObject([{ leaseId: 1, ageMs: 100, leaked: false }]);
    book.release(things[0]!);
    book.release(things[0]!);
    expect(counters()).toMatchObject({ acquired: 1, released: 1 });
    expect(holders()).toEqual([]);
    expect(book.waits.snapshot()).toMatchObject({ count: 1, maxUs: 30_000 });
    expect(book.holds.snapshot()).toMatchObject({ count: 1, maxUs: 100_000 });
  });

  it('end the lease before where a release went past them', () => {
    const { book, things, holders, counters } = start();
    book.lend(things[0]!, null);
    book.lend(things[0]!, null);
    expect(counters()).toMatchObject({ acquired: 2, released: 1 });
    expect(holders()).toMatchObject([{ leaseId: 2 }]);
    expect(book.peakInUse).toBe(1);
    book.release(things[0]!);
    expect(counters()).toMatchObject({ acquired: 2, released: 2 });
  });

  it('count an earlier caller once, also where its lease came and went between two readings', () => {
    const { book, things, counters } = start();
    book.beginLate([], 3);
    expect(counters(3)).toMatchObject({ acquired: 0, timedOut: 0 });
    book.release(things[0]!);
    expect(counters(2)).toMatchObject({ acquired: 1, released: 1, timedOut: 0 });
    book.meetLent(() => [things[1]!]);
    expect(counters(1)).toMatchObject({ acquired: 2, released: 1, timedOut: 0 });
    // The third one gives up, and nothing that comes later hides it.
    expect(counters(0)).toMatchObject({ acquired: 2, timedOut: 1 });
    book.release(things[1]!);
    expect(counters(0)).toMatchObject({ acquired: 2, released: 2, timedOut: 1 });
  });

  it('know the most that were out at once, and list the oldest lease first', () => {
    const { book, things, holders } = start();
    book.lend(things[1]!, null);
    book.lend(things[0]!, null);
    expect(holders().map(({ leaseId }) => leaseId)).toEqual([1, 2]);
    book.release(things[1]!);
    book.lend(things[1]!, null);
    expect(book.peakInUse).toBe(2);
  });

  it('call a lease a leak from its threshold on, while it is out and after', async () => {
    const { clock, book, things, holders, counters } = start({ leakAfterMs: 1000 });
    book.lend(things[0]!, null);
    await clock.advance(999);
    expect([holders()[0]?.leaked, counters().leaked]).toEqual([false, 0]);
    await clock.advance(1);
    expect([holders()[0]?.leaked, counters().leaked]).toEqual([true, 1]);
    book.release(things[0]!);
    expect(counters().leaked).toBe(1);
    book.lend(things[0]!, null);
    await clock.advance(999);
    book.release(things[0]!);
    expect(counters().leaked).toBe(1);
    expect(start().book.leakAfterMs).toBe(60_000);
  });

  it('take an acquire that neither got anything nor waits for one that timed out', () => {
    const { book, things, counters, ask } = start();
    ask();
    ask();
    ask();
    book.lend(things[0]!, null);
    book.createFailed(new Error('refused'));
    expect(counters(1)).toMatchObject({ timedOut: 0, createFailed: 1 });
    expect(counters(0)).toMatchObject({ timedOut: 1 });
    expect(counters(5)).toMatchObject({ timedOut: 0 });
    expect(counters(null)).toMatchObject({ timedOut: 0 });
    book.timedOut();
    expect(counters(null)).toMatchObject({ timedOut: 1 });
  });

  it('remember the last create that failed until one succeeds', () => {
    const { book, counters } = start();
    expect(book.createError).toBeNull();
    book.createFailed('refused');
    expect([book.createError, counters().created]).toEqual(['refused', 0]);
    book.created();
    expect([book.createError, counters().created, counters().createFailed]).toEqual([null, 1, 1]);
  });

  it('keep the stack of so many acquires a second, and of fewer that release by themselves', () => {
    const { book, ask } = start({ sitesPerSecond: 10 });
    const sampled = (times: number, make: () => { site: Error | null }): number =>
      Array.from({ length: times }, make).filter(({ site }) => site !== null).length;
    expect(sampled(50, ask)).toBe(10);
    expect(sampled(50, () => book.ask(() => {}, true))).toBe(1);
  });

  it('name the place in the application, not that in the library which acquired for it', () => {
    const { book, things, holders } = start();
    const site = Object.assign(new Error(), {
      stack: [
        'Error',
        '    at acquire (/app/node_modules/knex/lib/client.js:7:1)',
        '    at order (/app/src/orders.js:3:4)',
      ].join('\n'),
    });
    book.lend(things[0]!, { since: 0, site, releasesItself: false, burst: { count: 1, at: 0, site } });
    expect(holders()).toMatchObject([{ site: '/app/src/orders.js:3:4' }]);
    expect(holders()[0]?.stack).not.toContain('knex');
  });

  const stack = (...places: string[]) =>
    Object.assign(new Error(), {
      stack: ['Error', ...places.map((one) => `    at call (${one})`)].join('\n'),
    });
  const KNEX = '/app/node_modules/knex/lib';

  it('name the first call beyond the mapper, where an application is a package itself', () => {
    const { book, things, holders } = start();
    const made = stack(
      `${KNEX}/builder.js:1:1`,
      `${KNEX}/make.js:2:2`,
      '/app/node_modules/unleash/dist/store.js:3:3',
    );
    const own = stack(`${KNEX}/client.js:4:4`, `${KNEX}/runner.js:5:5`);
    for (const [at, site] of [own, null].entries())
      book.lend(
        things[at]!,
        carry(made, () => book.askedAt(site)),
      );
    const place = { site: '/app/node_modules/unleash/dist/store.js:3:3' };
    expect(holders()).toMatchObject([place, place]);
  });

  it('name no line of a mapper for a call that was not sampled', () => {
    const { book, things, holders } = start();
    const own = stack(`${KNEX}/client.js:4:4`, `${KNEX}/runner.js:5:5`);
    book.lend(
      things[0]!,
      carry(null, () => book.askedAt(own)),
    );
    expect(holders()).toMatchObject([{ site: null, stack: null }]);
  });

  it('count a lease of what cannot be noted on, and do not see it', () => {
    const { book, counters } = start();
    const frozen = Object.freeze({});
    book.lend(frozen, null);
    book.release(frozen);
    expect(counters()).toMatchObject({ acquired: 1, released: 0 });
    expect(book.holders([frozen, {}], () => ({ busy: null, localPort: null, backendPid: null }))).toEqual([]);
  });
});
