import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createHttpPool } from '../../src/http/http-pool.js';
import { createDatabase } from '../../src/index.js';
import { startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import { getPoolStats, watch } from '../../src/watch/index.js';
import { Watcher } from '../../src/watch/watcher.js';
import { SubscriptionPool } from '../../src/ws/subscription-pool.js';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0).reverse()) await each[Symbol.asyncDispose]();
});

async function feedPool(name: string) {
  const server = await startFeedServer();
  const pool = new SubscriptionPool({
    url: server.url,
    name,
    maxSymbolsPerConnection: 10,
    maxConnections: 2,
  });
  open.push(server, pool);
  return pool;
}

describe('a pool that speaks our snapshot', () => {
  it('is watched under its name, and forgotten when it is closed', async () => {
    const watcher = new Watcher(systemClock);
    const [first, second] = [await feedPool('quotes'), await feedPool('quotes')];
    for (const pool of [first, second]) watcher.add(pool);
    watcher.add(second, 'depth');
    await first.subscriber().subscribe(['A', 'B']);
    const { pools, gaps } = watcher.read();
    expect(gaps).toEqual([]);
    expect(pools).toMatchObject([
      { name: 'quotes', driver: 'ws:json', size: 2, inUse: 1, feed: { symbols: 2 } },
      { name: 'depth', inUse: 0 },
    ]);
    await first.close();
    expect(watcher.read().pools).toMatchObject([{ name: 'depth' }]);
  });

  it('is no other thing that has a snapshot', () => {
    const add = (value: object) => new Watcher(systemClock).add(value);
    expect(add({ snapshot: () => ({ schema: 1, name: 'x' }) })).toEqual([]);
    expect(add({ snapshot: () => null })).toEqual([]);
    const broken = {
      snapshot() {
        throw new Error('not now');
      },
    };
    expect(add(broken)).toEqual([]);
    expect(() => watch({ snapshot: () => 7 })).toThrow(TypeError);
  });
});

describe('the statistics of all pools', () => {
  it('are those of the pools that are named', async () => {
    const feed = await feedPool('quotes');
    await feed.subscriber().subscribe(['A', 'B', 'C', 'D', 'E']);
    const database = createDatabase('sqlite::memory:', { size: 1, maxOverflow: 0 });
    open.push({ [Symbol.asyncDispose]: () => database.close() });
    using _session = await database.pool.acquire();
    const [http, other] = [createHttpPool({ preset: 'small' }), createHttpPool()];
    open.push(http, other);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const gone = new AbortController();
    const { port } = server.address() as AddressInfo;
    const request = http.request(`http://127.0.0.1:${port}/`, { signal: gone.signal });
    await once(server, 'request');
    expect(getPoolStats([feed, http, other, database.pool])).toEqual({
      websocket: { connections: 1, total_symbols: 5, capacity_used: 0.25 },
      http: { pool_size: 30, active_connections: 1 },
      database: { pool_size: 1, checked_in: 0, checked_out: 1, overflow: 0 },
    });
    gone.abort();
    await expect(request).rejects.toThrow();
    server.closeAllConnections();
    server.close();
  });

  it('are those of all that are watched, where none is named', async () => {
    const feed = await feedPool('watched');
    watch(feed);
    await feed.subscriber().subscribe(['A']);
    expect(getPoolStats().websocket).toEqual({ connections: 1, total_symbols: 1, capacity_used: 0.05 });
    expect(getPoolStats([])).toMatchObject({
      websocket: { capacity_used: null },
      database: { pool_size: 0 },
    });
  });
});
