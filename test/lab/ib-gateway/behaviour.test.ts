import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import type { GatewayOptions } from '../../../src/lab/ib-gateway/options.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { historyRequest, RawClient, stock } from './raw-client.js';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

/** A gateway whose time stands still until a test moves it. */
async function gatewayWith(options: GatewayOptions = {}) {
  const clock = new VirtualClock();
  const gateway = await startGateway({ clock, ...options });
  gateways.push(gateway);
  const { port } = gateway;
  return { clock, gateway, port, ready: (clientId: number) => RawClient.ready({ port, clientId }) };
}

describe('client ids', () => {
  it('in use are refused with 326, and the connection closes 0.7 s later', async () => {
    const { clock, gateway, port, ready } = await gatewayWith();
    await ready(1);
    const second = await RawClient.greeted({ port });
    second.say(71, 2, 1, '');
    expect((await second.heard(4)).slice(2, 4)).toEqual(['-1', '326']);
    await clock.advance(699);
    expect(gateway.counts().connections.open).toBe(2);
    await clock.advance(1);
    expect(await second.over).toBe('end');
    expect(second.of(9)).toEqual([]);
    expect(gateway.counts().clients.duplicateIds).toBe(1);
  });

  it('are free again when their holder hangs up', async () => {
    const { ready, gateway } = await gatewayWith();
    await (await ready(1)).hangUp();
    await ready(1);
    expect(gateway.counts().clients.readyById).toEqual({ 1: 2 });
  });

  it('of a half-open holder stay in use until the gateway notices', async () => {
    const { clock, gateway, port, ready } = await gatewayWith();
    const holder = await ready(1);
    await gateway.inject({ kind: 'half-open', forMs: 10_000 });
    await holder.hangUp();
    const second = await RawClient.greeted({ port });
    second.say(71, 2, 1, '');
    await second.heardCode(326);
    await clock.advance(10_000);
    await ready(1);
  });

  it('the cap: the next connection is closed without a word', async () => {
    const { gateway, port, ready } = await gatewayWith({ clientCap: 2 });
    await ready(1);
    await ready(2);
    const third = await RawClient.connect({ port });
    expect(await third.over).toMatch(/end|ECONNRESET/);
    expect(third.pieces).toEqual([]);
    expect(gateway.counts()).toMatchObject({
      connections: { overCap: 1, open: 2 },
      clients: { mostAtOnce: 2 },
    });
  });
});

describe('message pacing', () => {
  it('counts the messages of all clients together, and refuses those beyond 50 in any second with 100', async () => {
    const { clock, gateway, ready } = await gatewayWith({ strikes: null });
    const [one, two] = [await ready(1), await ready(2)];
    for (let n = 0; n < 25; n++) one.say(49, 1);
    await one.until(() => one.of(49).length === 25);
    await clock.advance(500);
    for (let n = 0; n < 26; n++) two.say(49, 1);
    await two.heardCode(100);
    expect(two.of(49)).toHaveLength(25);
    // A bucket that is refilled would let through another 25 now, before the first ones are a second old.
    await clock.advance(499);
    two.say(49, 1);
    await two.until(() => two.codes().filter((code) => code === 100).length === 2);
    await clock.advance(1);
    await two.inStep();
    expect(gateway.counts()).toMatchObject({ messages: { mostPerSecond: 52 }, errors: { 100: 2 } });
  });

  it('goes on as it was when the counts are cleared', async () => {
    const { gateway, ready } = await gatewayWith({ messagesPerSecond: 5 });
    const client = await ready(1);
    for (let n = 0; n < 5; n++) await client.inStep();
    gateway.clearCounts();
    expect(gateway.counts()).toMatchObject({
      messages: { received: 0, mostPerSecond: 5 },
      connections: { accepted: 0, open: 1, mostOpen: 1 },
      clients: { mostAtOnce: 1 },
    });
    client.say(49, 1);
    await client.heardCode(100);
  });

  it('ends the connection of a client at its third error 100', async () => {
    const { ready } = await gatewayWith({ messagesPerSecond: 5 });
    const client = await ready(1);
    for (let n = 0; n < 20; n++) client.say(49, 1);
    await client.over;
    expect(client.codes().filter((code) => code === 100)).toHaveLength(3);
  });
});

describe('requests for history', () => {
  it('that come too often are refused with 162 and the vendor’s words', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    client.say(...historyRequest(1, 'AAPL'));
    client.say(...historyRequest(2, 'AAPL'));
    await client.heardCode(162);
    expect(client.of(17)).toHaveLength(1);
    expect(client.of(4).at(-1)?.slice(2, 5)).toEqual([
      '2',
      '162',
      'Historical Market Data Service error message:Historical data request pacing violation',
    ]);
    expect(gateway.counts().history).toMatchObject({
      requests: 2,
      open: 0,
      refused: { 'identical request': 1 },
      byKey: { '0 AAPL STK    USD|SMART||60 S|5 secs|TRADES|rth': 2 },
    });
  });

  it('are open until they are answered, over all clients, and can be cancelled', async () => {
    const { gateway, ready } = await gatewayWith({ historyLimits: { open: 2 } });
    const [one, two] = [await ready(1), await ready(2)];
    await gateway.inject({ kind: 'lost' });
    one.say(...historyRequest(1, 'AAPL'));
    two.say(...historyRequest(1, 'MSFT'));
    await Promise.all([one.inStep(), two.inStep()]);
    expect(gateway.counts().history).toMatchObject({ open: 2, mostOpen: 2 });
    one.say(...historyRequest(2, 'IBM'));
    await one.heardCode(162);
    two.say(25, 1, 1);
    await two.heardCode(162);
    expect(two.of(4).at(-1)?.at(4)).toContain('query cancelled');
    expect(gateway.counts().history.open).toBe(1);
  });

  it('may be unreadable: an unknown bar size is 321', async () => {
    const { ready, gateway } = await gatewayWith();
    const client = await ready(1);
    client.say(...historyRequest(1, 'AAPL', { barSize: '7 moons' }));
    await client.heardCode(321);
    expect(gateway.counts().history.open).toBe(0);
  });
});

describe('market data', () => {
  const subscribe = (id: number, symbol = 'AAPL') => [1, 11, id, ...stock(symbol), 0, '', 0, 0, ''] as const;

  it('goes on until it is cancelled', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    client.say(...subscribe(5));
    await client.inStep();
    const before = client.of(1).length;
    await clock.advance(1000);
    await client.until(() => client.of(1).length === before + 4);
    client.say(2, 1, 5);
    await client.inStep();
    await clock.advance(5000);
    await client.inStep();
    expect(client.of(1)).toHaveLength(before + 4);
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
    expect(gateway.counts().subscriptions).toMatchObject({ opened: 1, canceled: 1, mostOpen: 1 });
  });

  it.each([
    ['a ticker id in use', 102, [subscribe(5), subscribe(5)]],
    ['one line too many', 101, [subscribe(5), subscribe(6), subscribe(7)]],
    ['cancelling what is not there', 300, [[2, 1, 9] as const]],
    ['an unknown contract', 200, [subscribe(5, 'NOSUCH')]],
  ])('%s is error %d', async (_, code, messages) => {
    const { ready } = await gatewayWith({ marketDataLines: 2 });
    const client = await ready(1);
    for (const fields of messages) client.say(...fields);
    await client.heardCode(code);
  });

  it('ends with the connection, and is counted as dropped, not as cancelled', async () => {
    const { gateway, ready } = await gatewayWith();
    const [one, two] = [await ready(1), await ready(2)];
    one.say(...subscribe(5));
    one.say(61, 1);
    await one.inStep();
    await one.hangUp();
    while (gateway.counts().connections.open > 1) await two.inStep();
    expect(gateway.counts().subscriptions).toMatchObject({
      open: { marketData: 0, positions: 0 },
      dropped: 2,
      canceled: 0,
    });
  });

  it('is delayed where the client has asked for that', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    client.say(59, 1, 3);
    client.say(...subscribe(5));
    expect(await client.heard(58)).toEqual(['58', '1', '5', '3']);
  });
});

describe('the link to the vendor', () => {
  it('lost is 1100, restored with data is 1102: subscriptions go on', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    client.say(1, 11, 5, ...stock('AAPL'), 0, '', 0, 0, '');
    await client.inStep();
    await gateway.inject({ kind: 'lost' });
    await client.heardCode(1100);
    const before = client.of(1).length;
    await clock.advance(1000);
    // What needs no vendor is answered all the same.
    await client.inStep();
    expect(client.of(1)).toHaveLength(before);
    await gateway.inject({ kind: 'restored', dataLost: false });
    await client.heardCode(1102);
    await clock.advance(250);
    await client.until(() => client.of(1).length > before);
    expect(gateway.counts().subscriptions).toMatchObject({ open: { marketData: 1 }, lost: 0 });
  });

  it('restored without data is 1101: the gateway has forgotten what was subscribed to', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    client.say(1, 11, 5, ...stock('AAPL'), 0, '', 0, 0, '');
    await client.inStep();
    const before = client.of(1).length;
    await gateway.inject({ kind: 'lost' });
    await gateway.inject({ kind: 'restored', dataLost: true });
    await client.heardCode(1101);
    await clock.advance(1000);
    await client.inStep();
    expect(client.of(1)).toHaveLength(before);
    expect(gateway.counts().subscriptions).toMatchObject({ open: { marketData: 0 }, lost: 1 });
  });

  it('is lost every night for a while: 1100 several times, then 1102, and no connection ends', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'nightly-reset', notices: 5, lastsMs: 14_000 });
    await clock.advance(13_999);
    await client.inStep();
    expect(client.codes().filter((code) => code >= 1000 && code < 2000)).toEqual(Array(5).fill(1100));
    await clock.advance(1);
    await client.heardCode(1102);
    expect(gateway.counts().connections).toMatchObject({ accepted: 1, open: 1 });
  });

  it('to a farm breaks and mends without anything else', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    for (let n = 0; n < 20; n++) await gateway.inject({ kind: 'farm', code: n % 2 === 0 ? 2103 : 2104 });
    await client.until(() => client.codes().length === 3 + 20);
    expect(gateway.counts()).toMatchObject({ errors: { 2103: 10, 2104: 11 }, connections: { open: 1 } });
  });
});

describe('a restart', () => {
  it('resets all connections, refuses new ones for a while, and loses the orders of the last moment', async () => {
    const { clock, gateway, port, ready } = await gatewayWith();
    const client = await ready(1);
    const order = (id: number) => [3, id, ...stock('AAPL'), '', '', 'BUY', 1, 'LMT', 1] as const;
    client.say(...order(1));
    await client.inStep();
    await clock.advance(1000);
    client.say(...order(2));
    await client.inStep();
    await gateway.inject({ kind: 'restart', downMs: 5000 });
    expect(await client.over).toBe('ECONNRESET');
    await expect(RawClient.connect({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await clock.advance(4999);
    await expect(RawClient.connect({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await clock.advance(1);
    const again = await retried(() => ready(1));
    again.say(16, 1);
    await again.heard(53);
    // Once by itself when the client connected, and once because it was asked for.
    expect(again.of(3).map(([, id]) => id)).toEqual(['1', '1']);
    expect(gateway.counts().orders).toMatchObject({ placed: 2, lost: 1, byId: { '1/1': 1, '1/2': 1 } });
  });

  it('happens every day at its time, by the plan', async () => {
    const wallStartMs = new Date(2026, 0, 5, 23, 44).getTime();
    const clock = new VirtualClock({ wallStartMs });
    const { gateway } = await gatewayWith({ clock, faults: [{ kind: 'restart', atTime: '23:45' }] });
    await clock.advance(59_999);
    expect(gateway.counts().faults).toEqual({});
    await clock.advance(1);
    expect(gateway.counts().faults).toEqual({ restart: 1 });
    await clock.advance(86_400_000);
    expect(gateway.counts().faults).toEqual({ restart: 2 });
  });
});

describe('options that make no sense', () => {
  it.each([
    [{ serverVersion: 99 }, 'ERR_IB_GATEWAY_OPTION'],
    [{ serverVersion: 201 }, 'ERR_IB_GATEWAY_OPTION'],
    [{ clientCap: 0 }, 'ERR_IB_GATEWAY_OPTION'],
    [{ tickIntervalMs: 0 }, 'ERR_IB_GATEWAY_OPTION'],
  ])('%j is refused with %s', async (options, code) => {
    await expect(startGateway(options)).rejects.toMatchObject({ code });
  });

  it('a port that is taken is told with what to do', async () => {
    const { port } = await gatewayWith();
    await expect(startGateway({ port })).rejects.toMatchObject({
      code: 'ERR_IB_GATEWAY_LISTEN',
      message: `cannot listen at 127.0.0.1:${port} (EADDRINUSE)`,
      hint: expect.stringContaining('another port'),
    });
  });
});

/** The port is opened again a moment after its time has come. */
async function retried<T>(attempt: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => void setImmediate(resolve));
    }
  }
}
