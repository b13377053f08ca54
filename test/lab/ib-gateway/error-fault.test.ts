import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import type { GatewayOptions } from '../../../src/lab/ib-gateway/options.js';
import { historyRequest, orderRequest, RawClient, stock } from './raw-client.js';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

async function gatewayWith(options: GatewayOptions = {}) {
  const gateway = await startGateway({ tickIntervalMs: 1e6, ...options });
  gateways.push(gateway);
  return { gateway, ready: (clientId: number) => RawClient.ready({ port: gateway.port, clientId }) };
}

describe('the fault error', () => {
  const market = (id: number, symbol: string) => [1, 11, id, ...stock(symbol), 0, '', 0, 0, ''] as const;

  it('refuses the next request of a kind under its own id, and no other', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'error', code: 162, requests: ['history'] });
    client.say(...market(4, 'AAPL'));
    client.say(...historyRequest(5, 'AAPL'));
    client.say(...historyRequest(6, 'MSFT'));
    await client.inStep();
    expect([4, 5, 6].map((id) => client.codes(id))).toEqual([[], [162], []]);
    expect(client.of(4).at(-1)?.[4]).toContain('query returned no data');
    expect(client.of(17).map(([, id]) => id)).toEqual(['6']);
    expect(gateway.counts().history.open).toBe(0);
  });

  it('advises: the request goes on', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'error', code: 10197, effect: 'advise', symbol: 'MSFT', times: 2 });
    await gateway.inject({ kind: 'error', code: 10349, effect: 'advise', requests: ['placeOrder'] });
    for (const [id, symbol] of ['AAPL', 'MSFT', 'MSFT', 'MSFT'].entries())
      client.say(...market(10 + id, symbol));
    client.say(...orderRequest(20, { type: 'MKT' }));
    await client.inStep();
    expect([10, 11, 12, 13, 20].map((id) => client.codes(id))).toEqual([[], [10197], [10197], [], [10349]]);
    expect(client.of(81)).toHaveLength(4);
    expect(client.of(3).at(-1)?.slice(1, 3)).toEqual(['20', 'Filled']);
  });

  it('rejects an order that was accepted, with its children', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({
      kind: 'error',
      code: 201,
      text: 'no margin',
      effect: 'reject',
      requests: ['placeOrder'],
    });
    client.say(...orderRequest(5, { type: 'MKT' }));
    await client.inStep();
    const told = client.messages
      .slice(-6, -1)
      .map(([type, , status, code]) => [type, type === '4' ? code : status]);
    expect(told.filter(([type]) => type !== '5')).toEqual([
      ['3', 'PreSubmitted'],
      ['4', '201'],
      ['3', 'Inactive'],
    ]);
    expect(client.of(4).at(-1)?.[4]).toBe('no margin');
    client.say(4, 5, '', '', '');
    await client.heardCode(10148);
    expect(gateway.counts().orders).toMatchObject({ placed: 1, byId: { '1/5': 1 } });
  });

  it('hits some requests only with a probability, the same for the same seed', async () => {
    const hits = async () => {
      const { gateway, ready } = await gatewayWith({ seed: 3, messagesPerSecond: null });
      const client = await ready(1);
      await gateway.inject({ kind: 'error', code: 200, requests: ['contractDetails'], probability: 0.5 });
      for (let id = 1; id <= 40; id++) client.say(9, 8, id, ...stock('AAPL'), 0, '', '', '');
      await client.inStep();
      await gateway.heal();
      client.say(9, 8, 99, ...stock('AAPL'), 0, '', '', '');
      await client.inStep();
      expect(client.codes(99)).toEqual([]);
      return client.of(4).map(([, , id]) => id);
    };
    const some = await hits();
    expect(some.length).toBeGreaterThan(10);
    expect(some.length).toBeLessThan(36);
    expect(await hits()).toEqual(some);
  });

  it('is for the clients that it names', async () => {
    const { gateway, ready } = await gatewayWith();
    const [one, two] = [await ready(1), await ready(2)];
    await gateway.inject({ kind: 'error', code: 321, clientIds: [2], forMs: 1000 });
    one.say(9, 8, 5, ...stock('AAPL'), 0, '', '', '');
    two.say(9, 8, 5, ...stock('AAPL'), 0, '', '', '');
    await one.heard(52);
    await two.heardCode(321);
    two.say(61, 1);
    await two.until(() => two.codes().filter((code) => code === 321).length === 2);
    expect(two.of(4).at(-1)?.[2]).toBe('-1');
  });
});
