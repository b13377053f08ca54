import { afterEach, describe, expect, it } from 'vitest';
import { NO_FAULTS } from '../../src/lab/feed-server/feed.js';
import { type FeedServer, startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import type { SubscriptionPoolOptions } from '../../src/ws/options.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';
import { eventually } from '../helpers/eventually.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { type Application, type Options, provesRepair } from './applications.js';

const servers: FeedServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

async function serve(ticksPerSecond = 0): Promise<FeedServer> {
  const server = await startFeedServer({ ticksPerSecond });
  servers.push(server);
  return server;
}

const QUICK: Partial<SubscriptionPoolOptions> = {
  dials: { perSecond: 1000, perMinute: 10_000, burst: 100 },
  backoff: { baseMs: 5, capMs: 10 },
};

function feed(
  server: FeedServer,
  options: Partial<SubscriptionPoolOptions>,
  work: (pool: SubscriptionPool) => Promise<unknown>,
): Application {
  return {
    options: { name: 'quotes', url: server.url, ...QUICK, ...options },
    async start(given: Options) {
      const pool = new SubscriptionPool(given as unknown as SubscriptionPoolOptions);
      await work(pool);
      return { pools: [pool], end: () => pool.close() };
    },
  };
}

const symbols = (count: number): string[] => Array.from({ length: count }, (_, at) => `S${at}`);

describe('a check of feeds', () => {
  it('feed-capacity: a symbol finds no room', async () => {
    const server = await serve();
    const application = feed(server, { maxSymbolsPerConnection: 2, maxConnections: 1 }, async (pool) => {
      const subscriber = pool.subscriber();
      await subscriber.subscribe(symbols(2));
      await subscriber.subscribe(['one-more']).catch(() => {});
    });
    const [before, after] = await provesRepair('feed-capacity', 'fail', application);
    expect(before.summary).toBe(
      'quotes: 1 subscriptions were refused for lack of room, 2 of 2 symbols (100 %)',
    );
    expect(after.summary).toBe('quotes: 3 of 4 symbols (75 %)');
  });

  it('feed-capacity: there is little room', async () => {
    const server = await serve();
    const application = feed(server, { maxSymbolsPerConnection: 10, maxConnections: 1 }, (pool) =>
      pool.subscriber().subscribe(symbols(10)),
    );
    await provesRepair('feed-capacity', 'warn', application);
  });

  it('feed-stale: a connection that is open and mute', async () => {
    const server = await serve();
    const listen = async (pool: SubscriptionPool): Promise<void> => {
      await pool.subscriber().subscribe(symbols(3));
    };
    const mute = feed(server, { staleAfterMs: 20, isMarketOpen: () => true }, async (pool) => {
      server.feed.faults = { ...NO_FAULTS, mute: true };
      await listen(pool);
      await eventually(() => pool.snapshot().feed.stale > 0);
    });
    // While it is being probed it is degraded, and a moment later only found stale.
    const [before] = await provesRepair('feed-stale', 'either', {
      ...mute,
      start: (given) =>
        given.well === true ? feed(server, {}, listen).start(withoutWell(given)) : mute.start(given),
      repair(texts) {
        expect(texts[0]).toContain('isMarketOpen');
        server.feed.faults = NO_FAULTS;
        return { name: 'quotes', url: server.url, ...QUICK, well: true };
      },
    });
    expect(before.summary).toMatch(/connections were found stale|connections deliver nothing/);
  });

  it('feed-stale: nobody knows whether the market is open, and nothing has come for a long time', async () => {
    const clock = new VirtualClock();
    const server = await serve();
    let isMute = true;
    const [before, after] = await provesRepair('feed-stale', 'warn', {
      options: { name: 'quotes', url: server.url, ...QUICK, clock, pingIntervalMs: 1e9 },
      async start(given) {
        const pool = new SubscriptionPool(given as unknown as SubscriptionPoolOptions);
        await pool.subscriber({ onTick: () => {} }).subscribe(symbols(3));
        server.feed.publish(3);
        await eventually(() => pool.snapshot().feed.ticks > 0);
        if (isMute) await clock.advance(45_000);
        return { pools: [pool], end: () => pool.close() };
      },
      repair() {
        isMute = false;
        return { name: 'quotes', url: server.url, ...QUICK };
      },
    });
    expect(before.summary).toBe(
      'quotes: 1 of 1 connections are silent, which is normal only while the market is closed',
    );
    expect(before.evidence).toEqual(['connection 1: open, 3 symbols, last tick 45s ago']);
    expect(after.summary).toBe('quotes: 3 symbols on 1 connections');
  });

  it('feed-reconnects: a server that ends connections', async () => {
    const server = await serve();
    let ends = true;
    const application: Application = {
      ...feed(server, {}, async (pool) => {
        await pool.subscriber().subscribe(symbols(3));
        for (let times = 1; ends && times <= 3; times++) {
          server.feed.drop();
          await eventually(() => {
            const { connections } = pool.snapshot().feed;
            return connections.reduce((sum, { reconnects }) => sum + reconnects, 0) >= times;
          });
        }
      }),
      repair() {
        ends = false;
        return { name: 'quotes', url: server.url, ...QUICK };
      },
    };
    const [before, after] = await provesRepair('feed-reconnects', 'warn', application);
    expect(before.summary).toBe('quotes: reconnected 3 times in 1 min');
    expect(after.summary).toBe('quotes: reconnected 0 times in 1 min');
  });

  it.each(['drop-oldest', 'disconnect', 'conflate'] as const)(
    'feed-drops: a subscriber that is too slow, with %s',
    async (policy) => {
      const server = await serve(2000);
      const slow = feed(server, {}, async (pool) => {
        const subscriber = pool.subscriber({ policy, ...(policy === 'conflate' ? {} : { limit: 1 }) });
        await subscriber.subscribe(symbols(3));
        await eventually(() => {
          const { dropped, slowDisconnects, conflated } = pool.snapshot().feed;
          return dropped + slowDisconnects + conflated > 0;
        });
      });
      const quick = feed(server, {}, async (pool) => {
        await pool.subscriber({ onTick: () => {} }).subscribe(symbols(3));
        await eventually(() => pool.snapshot().feed.ticks > 0);
      });
      await provesRepair('feed-drops', policy === 'conflate' ? 'warn' : 'fail', {
        ...slow,
        start: (given) => (given.well === true ? quick.start(withoutWell(given)) : slow.start(given)),
        repair: () => ({ name: 'quotes', url: server.url, ...QUICK, well: true }),
      });
    },
  );
});

function withoutWell(options: Options): Options {
  const { well: _, ...rest } = options;
  return rest;
}
