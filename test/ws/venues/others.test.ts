import { describe, expect, it } from 'vitest';
import { scriptedVenue } from '../scripted-venue.js';
import { BROKERS } from './brokers.js';
import { EXCHANGES } from './exchanges.js';
import { OTHER_VENUES } from './others.js';
import { heard, poolOf } from './setup.js';

const VENUES = Object.entries({ ...OTHER_VENUES, ...EXCHANGES, ...BROKERS });

// These adapters are not shipped: they show that the interface has words for venues that differ.
describe.each(VENUES)('the interface has words for %s', (_name, other) => {
  it('whose symbols are live, whose ticks come, and which has them again after a drop', async () => {
    await using server = await scriptedVenue(other.script);
    const pool = poolOf({ venue: other.venue(server.url) });
    const problems: unknown[] = [];
    pool.on('notUnderstood', ({ error }) => void problems.push(error));
    const subscriber = pool.subscriber({ policy: 'drop-oldest' });
    const how = other.mode === undefined ? {} : { mode: other.mode };
    const results = await subscriber.subscribe(other.symbols, how);
    const { refuses } = other;
    expect(results.map(({ symbol, outcome }) => [symbol, outcome])).toEqual(
      other.symbols.map((symbol) => [symbol, symbol === refuses ? 'refused' : 'live']),
    );
    const [first] = other.symbols;
    const next = async () => {
      for (let tick = await subscriber.next(); tick !== null; tick = await subscriber.next())
        if (tick.symbol === first) return tick.data;
      return null;
    };
    expect(await next()).toEqual(other.first);
    const gap = heard(pool, 'gap');
    server.sockets.at(-1)?.terminate();
    expect((await gap).symbols.map(({ symbol }) => symbol).sort()).toEqual(
      other.symbols.filter((symbol) => symbol !== refuses).sort(),
    );
    subscriber.take();
    subscriber.unsubscribe(other.symbols);
    await expect.poll(() => pool.snapshot().feed.symbols).toBe(0);
    expect(problems).toEqual([]);
  });
});
