import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import type { FeedFacts } from '../../src/lab/feed-server/feed.js';
import { startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import { carryOut, type FeedHandle, handleOf } from '../../src/lab/feed-server/orders.js';
import { runStress, type StressOptions } from '../../src/lab/ws-stress/stress.js';

const options: StressOptions = {
  symbols: 60,
  maxSymbolsPerConnection: 20,
  maxConnections: 3,
  placement: 'first-fit',
  batchesPerSecond: 50,
  faults: ['drop', 'slow', 'reject'],
  seed: 1,
  settleMs: 10_000,
  clock: systemClock,
  stop: new AbortController().signal,
};

async function localFeed(seen: (facts: FeedFacts) => FeedFacts = (facts) => facts): Promise<FeedHandle> {
  const server = await startFeedServer({ maxSymbols: 1e9, ticksPerSecond: 500 });
  const handle = handleOf(server.url, async (order) => carryOut(server.feed, order), server.close);
  return { ...handle, facts: async () => seen(await handle.facts()) };
}

it('passes where the server has what is wanted', async () => {
  await using feed = await localFeed();
  const result = await runStress(feed, options);
  expect(result.rounds.flatMap(({ checks }) => checks).filter(({ ok }) => !ok)).toEqual([]);
  expect(result).toMatchObject({
    passed: true,
    partial: false,
    symbols: 60,
    totals: { refused: 5, peakSymbols: 20 },
  });
  expect(result.rounds.map(({ name }) => name)).toEqual(['subscribe', 'drop', 'slow', 'reject']);
  expect(result.rounds[1]).toMatchObject({ lost: 3, gaps: 3, causes: ['closed'] });
});

it.each([
  [
    'a symbol is missing on the server',
    "the server's symbols are the wanted ones",
    (facts: FeedFacts) => ({
      ...facts,
      connections: facts.connections.map((each, at) =>
        at === 0 ? { ...each, symbols: each.symbols.slice(1) } : each,
      ),
    }),
  ],
  [
    'a symbol is on two connections',
    'no symbol is on two connections',
    (facts: FeedFacts) => ({ ...facts, onTwo: ['SYM00001'] }),
  ],
  [
    'a connection had too many',
    'no connection was ever above its cap',
    (facts: FeedFacts) => ({ ...facts, peakSymbols: 21 }),
  ],
  [
    'there were too many connections',
    'there were never more connections than allowed',
    (facts: FeedFacts) => ({ ...facts, peakConnections: 4 }),
  ],
])('fails where %s', async (_what, name, seen) => {
  await using feed = await localFeed(seen);
  const result = await runStress(feed, { ...options, faults: [] });
  expect(result.passed).toBe(false);
  expect(result.rounds[0]?.checks.filter(({ ok }) => !ok).map((each) => each.name)).toEqual([name]);
});

it('fails where the pool itself gives up', async () => {
  await using feed = await localFeed();
  await feed.setFaults({ refuseOpening: { status: 401, retryAfter: null } });
  const result = await runStress(feed, { ...options, faults: [], settleMs: 1000 });
  expect(result.passed).toBe(false);
  expect(result.rounds[0]?.checks[0]).toMatchObject({
    ok: false,
    detail: expect.stringContaining('HTTP 401'),
  });
});

it('ends after the round that is on when it is stopped', async () => {
  await using feed = await localFeed();
  const controller = new AbortController();
  const result = await runStress(feed, {
    ...options,
    stop: controller.signal,
    onRound: () => controller.abort(),
  });
  expect(result).toMatchObject({ partial: true, rounds: [{ name: 'subscribe' }] });
});
