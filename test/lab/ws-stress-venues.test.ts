import { expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { carryOut, type FeedHandle, handleOf } from '../../src/lab/feed-server/orders.js';
import { VENUE_NAMES, VENUES, type VenueName } from '../../src/lab/feed-server/venues/venue-names.js';
import { startVenueServer } from '../../src/lab/feed-server/venues/venue-server.js';
import type { VenueRules } from '../../src/lab/feed-server/venues/venue-wire.js';
import { STRESS_VENUES } from '../../src/lab/ws-stress/protocols.js';
import { runStress, type StressOptions } from '../../src/lab/ws-stress/stress.js';

const options: StressOptions = {
  ...{
    symbols: 40,
    maxSymbolsPerConnection: 20,
    maxConnections: 2,
    placement: 'first-fit',
    batchesPerSecond: 4,
  },
  ...{ faults: ['drop', 'rotate'], seed: 1, settleMs: 20_000 },
  clock: systemClock,
  stop: new AbortController().signal,
};

async function venue(name: VenueName, rules: Partial<VenueRules> = {}): Promise<FeedHandle> {
  const { wire, path } = VENUES[name];
  const { origin, market, close } = await startVenueServer(
    wire({ ...STRESS_VENUES[name].rules, connections: 3, ...rules }),
    { eventsPerSecond: 400 },
  );
  return handleOf(`${origin}${path}`, async (order) => carryOut(market, order), close);
}

it.each(VENUE_NAMES)('passes with the adapter of %s, and no tick is missing or comes twice', async (name) => {
  await using feed = await venue(name);
  const result = await runStress(feed, { ...options, venue: STRESS_VENUES[name] });
  expect(result.rounds.flatMap(({ checks }) => checks).filter(({ ok }) => !ok)).toEqual([]);
  expect(result).toMatchObject({ protocol: name, passed: true, partial: false });
  const rotate = result.rounds.at(-1)?.checks.find((check) => check.name.startsWith('no tick is missing'));
  expect(rotate?.detail).toMatch(/^0 missing and 0 twice among [1-9]/);
});

it('fails where a rule of the venue is broken', async () => {
  await using feed = await venue('okx', { dials: { most: 1, windowMs: 1000 } });
  const result = await runStress(feed, { ...options, faults: [], venue: STRESS_VENUES.okx });
  expect(result.passed).toBe(false);
  expect(result.rounds[0]?.checks.find(({ ok }) => !ok)).toMatchObject({
    name: 'no rule of the venue was broken',
    detail: '1 times: too many openings',
  });
});
