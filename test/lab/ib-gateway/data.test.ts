import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { historyRequest, RawClient, stock } from './raw-client.js';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

async function connected() {
  const clock = new VirtualClock({ wallStartMs: Date.UTC(2026, 0, 5, 16) });
  const gateway = await startGateway({ clock, marketDataLines: 2 });
  gateways.push(gateway);
  return { clock, gateway, client: await RawClient.ready({ port: gateway.port, clientId: 1 }) };
}

const aapl = stock('AAPL');
const marketData = (id: number, contract = aapl) => [1, 11, id, ...contract, 0, '', 0, 0, ''] as const;

describe('delayed data', () => {
  it('has the fields of delayed data, after the notice that it is delayed', async () => {
    const { clock, client } = await connected();
    client.say(59, 1, 3);
    client.say(...marketData(5));
    await client.inStep();
    await clock.advance(250);
    await client.inStep();
    const told = client.messages.flatMap(([type, , id, field]) => (id === '5' ? [[type, field]] : []));
    expect(told).toEqual([
      ['58', '3'],
      ['4', '10167'],
      ...[66, 67, 68].map((field) => ['1', String(field)]),
      ['2', '74'],
      ['1', '68'],
    ]);
  });

  it('is for those who ask for it only', async () => {
    const { client } = await connected();
    client.say(59, 1, 3);
    client.say(59, 1, 1);
    client.say(...marketData(5));
    await client.inStep();
    expect(client.of(1).map(([, , , field]) => field)).toEqual(['1', '2', '4']);
    expect(client.codes(5)).toEqual([]);
  });
});

describe('streams', () => {
  it('tick-by-tick: three at once for up to 400 lines, of all clients together (10190)', async () => {
    const { gateway, client } = await connected();
    const other = await RawClient.ready({ port: gateway.port, clientId: 2 });
    for (const id of [5, 6]) client.say(97, id, ...aapl, 'Last', 0, false);
    await client.inStep();
    for (const id of [5, 6]) other.say(97, id, ...aapl, 'Last', 0, false);
    await other.inStep();
    expect([client.codes(5), client.codes(6), other.codes(5), other.codes(6)]).toEqual([
      [],
      [],
      [],
      [10_190],
    ]);
    client.say(98, 5);
    await client.inStep();
    other.say(97, 7, ...aapl, 'Last', 0, false);
    await other.inStep();
    expect(other.codes(7)).toEqual([]);
  });

  it('tick-by-tick: a tick at each price, past ticks first, until it is canceled', async () => {
    const { clock, gateway, client } = await connected();
    client.say(97, 5, ...aapl, 'BidAsk', 3, false);
    await client.inStep();
    await clock.advance(500);
    await client.inStep();
    expect(client.of(97)[0]?.slice(1, 3)).toEqual(['5', '3']);
    expect(client.of(99).map((fields) => [...fields.slice(1, 3), fields.length])).toEqual(
      Array(3).fill(['5', '3', 9]),
    );
    client.say(98, 5);
    await client.inStep();
    expect(gateway.counts().subscriptions.open.tickByTick).toBe(0);
    await clock.advance(500);
    await client.inStep();
    expect(client.of(99)).toHaveLength(3);
  });

  it('real-time bars: one every five seconds, with the prices in between', async () => {
    const { clock, client } = await connected();
    client.say(50, 3, 5, ...aapl, 5, 'TRADES', true, '');
    await client.inStep();
    await clock.advance(15_250);
    await client.inStep();
    const bars = client.of(50);
    const starts = bars.map(([, , , time]) => Number(time));
    expect(starts).toEqual([0, 5, 10].map((after) => Date.UTC(2026, 0, 5, 16) / 1000 + after));
    for (const [, , , , open, high, low, close] of bars) {
      expect(Number(high)).toBeGreaterThanOrEqual(Math.max(Number(open), Number(close)));
      expect(Number(low)).toBeLessThanOrEqual(Math.min(Number(open), Number(close)));
    }
  });

  it('lines are shared by market data and real-time bars', async () => {
    const { client } = await connected();
    client.say(...marketData(5));
    client.say(50, 3, 6, ...aapl, 5, 'TRADES', true, '');
    client.say(...marketData(7));
    client.say(50, 3, 8, ...aapl, 5, 'TRADES', true, '');
    await client.inStep();
    expect([5, 6, 7, 8].map((id) => client.codes(id))).toEqual([[], [], [101], [101]]);
  });

  it('history that is kept up to date: the bar under way, and then the next one', async () => {
    const { clock, client } = await connected();
    client.say(...historyRequest(5, 'AAPL', { keep: true }));
    await client.inStep();
    await clock.advance(10_000);
    await client.inStep();
    const times = client.of(90).map(([, , , time]) => time);
    expect([...new Set(times)]).toEqual(
      [0, 5, 10].map((at) => `20260105 16:00:${String(at).padStart(2, '0')} UTC`),
    );
    const second = client.of(90).filter(([, , , time]) => time === times[25]);
    const highs = second.map(([, , , , , , high]) => Number(high));
    expect(highs).toEqual([...highs].sort((a, b) => a - b));
    const lows = second.map(([, , , , , , , low]) => Number(low));
    expect(lows).toEqual([...lows].sort((a, b) => b - a));
    expect(new Set(highs).size + new Set(lows).size).toBeGreaterThan(2);
  });

  it('profit and loss follow the prices', async () => {
    const { clock, client } = await connected();
    client.say(92, 5, '', '');
    client.say(94, 6, '', '', 265598);
    await client.inStep();
    await clock.advance(250);
    await client.inStep();
    const amounts = client.of(94).map(([, , daily]) => daily);
    expect(new Set(amounts).size).toBe(2);
    expect(client.of(95).map(([, , position]) => position)).toEqual(['100', '100']);
  });

  it('end with 1101 if they come from the vendor, and go on if they do not', async () => {
    const { gateway, client } = await connected();
    client.say(...marketData(5));
    client.say(97, 6, ...aapl, 'Last', 0, false);
    client.say(61, 1);
    await client.inStep();
    await gateway.inject({ kind: 'lost' });
    await gateway.inject({ kind: 'restored', dataLost: true });
    expect(gateway.counts().subscriptions).toMatchObject({
      lost: 2,
      open: { marketData: 0, tickByTick: 0, positions: 1 },
    });
  });
});

describe('history', () => {
  it('of type SCHEDULE lists the sessions', async () => {
    const { client } = await connected();
    client.say(...historyRequest(5, 'AAPL', { what: 'SCHEDULE', duration: '3 D', barSize: '1 day' }));
    await client.inStep();
    expect(client.of(17)).toEqual([]);
    expect(client.of(106)[0]?.slice(4)).toEqual([
      ...['UTC', '3'],
      ...['20260101-14:30:00', '20260101-21:00:00', '20260101'],
      ...['20260102-14:30:00', '20260102-21:00:00', '20260102'],
      ...['20260105-14:30:00', '20260105-21:00:00', '20260105'],
    ]);
  });

  it.each([
    ['trades of a crypto currency', stock('BTC').with(2, 'CRYPTO').with(7, 'PAXOS'), 'TRADES', 10299],
    ['a duration that is none', aapl, 'SCHEDULE', 321],
  ])('%s is refused', async (_, contract, what, code) => {
    const { gateway, client } = await connected();
    client.say(20, 5, ...contract, false, '', '1 min', '60 S', true, what, 1, false, '');
    await client.inStep();
    expect(client.codes(5)).toEqual([code]);
    expect(gateway.counts().history.open).toBe(0);
  });
});
