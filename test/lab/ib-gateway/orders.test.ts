import { afterEach, describe, expect, it } from 'vitest';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import type { GatewayOptions } from '../../../src/lab/ib-gateway/options.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { type OrderWish, orderRequest, RawClient } from './raw-client.js';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

/** A gateway whose prices stand still until a test moves its clock. */
async function gatewayWith(options: GatewayOptions = {}) {
  const clock = new VirtualClock();
  const gateway = await startGateway({ clock, messagesPerSecond: null, ...options });
  gateways.push(gateway);
  const { port } = gateway;
  const ready = (clientId: number, versions = 'v100..193') => RawClient.ready({ port, clientId, versions });
  return { clock, gateway, ready };
}

/** A limit that is always reached, and one that never is. */
const HIGH = 5000;
const LOW = 1;

/** The messages about orders, from the given one on: the type, and what distinguishes it. */
function story(client: RawClient, from = 0): string[] {
  return client.messages.slice(from).flatMap((fields) => {
    const [type, ...rest] = fields;
    if (type === '5') return [`open ${rest[0]} ${STATES.find((state) => rest.includes(state))}`];
    if (type === '3') return [`status ${rest[0]} ${rest[1]} ${rest[2]}/${rest[3]}`];
    if (type === '11') return [`fill ${rest[1]} ${rest[18]}`];
    if (type === '59') return [`commission ${rest[2]}`];
    return type === '4' && rest[1] !== '-1' ? [`error ${rest[1]} ${rest[2]}`] : [];
  });
}
const STATES = ['PreSubmitted', 'Submitted', 'Filled', 'Cancelled', 'Inactive'];

/** What is told of an order until all is quiet. */
async function place(client: RawClient, id: number, wish: OrderWish = {}): Promise<string[]> {
  const before = client.messages.length;
  client.say(...orderRequest(id, wish));
  await client.inStep();
  return story(client, before);
}

async function cancel(client: RawClient, id: number): Promise<string[]> {
  const before = client.messages.length;
  client.say(4, id, '', '', '');
  await client.inStep();
  return story(client, before);
}

describe('an order', () => {
  it('at the market is filled at once, in the order of a real gateway: fill, status, commission', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    client.say(61, 1);
    expect(await place(client, 5, { type: 'MKT' })).toEqual([
      'open 5 PreSubmitted',
      'status 5 PreSubmitted 0/100',
      'fill 5 100',
      'open 5 Filled',
      'status 5 Filled 100/0',
      'open 5 Filled',
      'commission 1',
    ]);
    const aapl = client.of(61).filter(([, , , , symbol]) => symbol === 'AAPL');
    expect(aapl.map((fields) => fields[14])).toEqual(['100', '200']);
  });

  it.each([
    ['BUY', HIGH],
    ['SELL', LOW],
  ])('to %s with the limit %d is filled at the market price', async (action, limit) => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    const told = await place(client, 5, { action, limit });
    expect(told.at(-2)).toBe('open 5 Filled');
    const [, , , , , price] = client.of(3).at(-1) ?? [];
    expect(Number(price)).toBeGreaterThan(200);
    expect(Number(price)).toBeLessThan(260);
  });

  it('has an average price without the digits that binary fractions add', async () => {
    const { ready } = await gatewayWith({ seed: 2 });
    const client = await ready(1);
    for (let id = 1; id <= 40; id++) await place(client, id, { type: 'MKT', quantity: id });
    expect(client.of(3).flatMap(([, , , , , price = '']) => (price.length > 8 ? [price] : []))).toEqual([]);
  });

  it('with a limit waits until the price is there, and keeps prices moving until then', async () => {
    const { clock, ready } = await gatewayWith();
    const client = await ready(1);
    expect(await place(client, 5, { limit: 229.05 })).toEqual([
      'open 5 Submitted',
      'status 5 Submitted 0/100',
    ]);
    await clock.advance(20_000);
    await client.inStep();
    expect(story(client).at(-3)).toBe('status 5 Filled 100/0');
    await clock.advance(1000);
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it('for more than is shown is filled in parts, and the commission is that of the whole', async () => {
    const { clock, ready } = await gatewayWith();
    const client = await ready(1);
    const told = await place(client, 5, { type: 'MKT', quantity: 5000 });
    expect(told[4]).toMatch(/^status 5 Submitted \d+\/\d+$/);
    const canceled = await cancel(client, 5);
    const [, filled, left] = /Cancelled (\d+)\/(\d+)/.exec(canceled[0] ?? '') ?? [];
    expect(Number(filled) + Number(left)).toBe(5000);
    expect(canceled[1]).toBe('error 5 202');
    await place(client, 6, { type: 'MKT', quantity: 5000 });
    await clock.advance(20_000);
    await client.inStep();
    const fills = client.of(11).filter(([, , id]) => id === '6');
    expect(fills.length).toBeGreaterThan(1);
    expect(fills.at(-1)?.[24]).toBe('5000');
    const commissions = client.of(59).slice(-fills.length);
    expect(commissions.reduce((sum, [, , , amount]) => sum + Number(amount), 0)).toBeCloseTo(25);
  });

  it('that is canceled has its status first and then 202; it cannot be canceled again', async () => {
    const { ready } = await gatewayWith();
    const [client, other] = [await ready(1), await ready(2)];
    await place(client, 5, { limit: LOW });
    expect(await cancel(other, 5)).toEqual(['error 5 10147']);
    expect(await cancel(client, 5)).toEqual(['status 5 Cancelled 0/100', 'error 5 202']);
    expect(await cancel(client, 5)).toEqual(['error 5 10148']);
    expect(client.of(4).at(-1)?.[4]).toContain('state: Cancelled');
    expect(await cancel(client, 5)).toEqual(['error 5 10147']);
  });

  it('can be changed while it lives, under the same permanent number', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    await place(client, 5, { limit: LOW, reference: 'mine' });
    expect(await place(client, 5, { limit: 2 })).toEqual(['open 5 Submitted', 'status 5 Submitted 0/100']);
    const [one, two] = client.of(3);
    expect(two?.[6]).toBe(one?.[6]);
    expect(await place(client, 5, { limit: 2, action: 'SELL' })).toEqual(['error 5 105']);
    expect(await place(client, 5, { limit: 2.001 })).toEqual(['error 5 110']);
    const filled = await place(client, 5, { limit: HIGH });
    expect(filled).toContain('status 5 Filled 100/0');
    expect(await place(client, 5, { limit: 2 })).toEqual(['error 5 104']);
  });

  it.each([
    ['an unknown contract', { symbol: 'NOSUCH' }, 200],
    ['a price between two steps', { limit: 100.005 }, 110],
    ['an unknown account', { limit: LOW, account: 'U999' }, 321],
    ['no side', { limit: LOW, action: '' }, 321],
    ['a parent that does not exist', { limit: LOW, parentId: 4 }, 10006],
    ['a what-if that is not transmitted', { limit: LOW, whatIf: true, transmit: false }, 413],
  ])('with %s is refused under its own id', async (_, wish, code) => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    expect(await place(client, 5, wish)).toEqual([`error 5 ${code}`]);
  });

  it('with an id of a canceled one is a duplicate', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    await place(client, 5, { limit: LOW });
    await cancel(client, 5);
    expect(await place(client, 5, { limit: LOW })).toEqual(['error 5 103']);
  });

  it('says of itself what the client said of it', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    const wish = { limit: LOW, reference: 'mine', ocaGroup: 'g', ocaType: 2, outsideRth: true, tif: 'GTC' };
    await place(client, 5, { ...wish, algorithm: 'Adaptive', hedge: 'D' });
    const [open] = client.of(5);
    expect(open?.slice(13, 27)).toEqual([
      'BUY',
      '100',
      'LMT',
      '1',
      '',
      'GTC',
      'g',
      'DU1234567',
      '',
      '0',
      'mine',
      '1',
      '1000000',
      '1',
    ]);
    expect(open?.[53]).toBe('2');
  });

  it('that only asks what if shows margins and is not placed, wherever its flag stands', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    for (const [id, more] of [{}, { algorithm: 'Adaptive' }, { hedge: 'D' }].entries()) {
      expect(await place(client, 5 + id, { type: 'MKT', whatIf: true, ...more })).toEqual([
        `open ${5 + id} PreSubmitted`,
      ]);
      const open = client.of(5).at(-1) ?? [];
      const at = open.indexOf('PreSubmitted');
      expect(open[at - 1]).toBe('1');
      expect(open.slice(at + 1, at + 7)).toEqual([
        '250000.00',
        '225000.00',
        '1000000.00',
        expect.stringMatching(/^6\d{3}\.\d\d$/),
        expect.stringMatching(/^6\d{3}\.\d\d$/),
        '0.00',
      ]);
    }
    client.say(16, 1);
    await client.heard(53);
    client.say(8, 1, 1);
    await client.until(() => client.of(9).length === 2);
    // Its id counts as used.
    expect(client.of(9).at(-1)?.[2]).toBe('8');
    expect(gateway.counts().orders.placed).toBe(3);
    expect(client.of(3)).toEqual([]);
  });

  it('that is good for a moment only is canceled for the rest', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    expect(await place(client, 5, { limit: LOW, tif: 'IOC' })).toEqual([
      'open 5 Submitted',
      'status 5 Submitted 0/100',
      'status 5 Cancelled 0/100',
      'error 5 202',
    ]);
    const some = await place(client, 6, { limit: HIGH, tif: 'IOC', quantity: 5000 });
    expect(some.at(-2)).toMatch(/^status 6 Cancelled [1-9]\d*\/[1-9]\d*$/);
    expect(await place(client, 7, { limit: HIGH, tif: 'FOK', quantity: 5000 })).toContain(
      'status 7 Cancelled 0/5000',
    );
  });

  it.each([
    ['STP', { aux: 231 }],
    ['MIT', { aux: 229 }],
    ['TRAIL', { trailingPercent: 0.3 }],
    ['TRAIL', { trailingPercent: '1.7976931348623157E308', aux: 0.5 }],
    ['STP LMT', { aux: 230.5, limit: HIGH }],
  ])('of type %s is submitted when the price triggers it, and then filled', async (type, wish) => {
    const { clock, ready } = await gatewayWith();
    const client = await ready(1);
    expect(await place(client, 5, { type, ...wish })).toEqual([
      'open 5 PreSubmitted',
      'status 5 PreSubmitted 0/100',
    ]);
    await clock.advance(60_000);
    await client.inStep();
    const told = story(client);
    expect(told).toContain('status 5 Submitted 0/100');
    expect(told.at(-1)).toBe('commission 1');
  });
});

describe('a bracket', () => {
  async function placed() {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    const parent = await place(client, 5, { limit: LOW, transmit: false });
    const profit = await place(client, 6, { action: 'SELL', limit: HIGH, parentId: 5, transmit: false });
    return { clock, gateway, client, before: [...parent, ...profit], ready };
  }

  it('is invisible until its last order is transmitted', async () => {
    const { client, before } = await placed();
    client.say(16, 1);
    await client.heard(53);
    expect(before).toEqual([]);
    expect(client.of(5)).toEqual([]);
    const stop = { action: 'SELL', type: 'STP', aux: LOW, parentId: 5 };
    expect(await place(client, 7, stop)).toEqual([
      ...['open 5 Submitted', 'status 5 Submitted 0/100'],
      ...['open 6 PreSubmitted', 'status 6 PreSubmitted 0/100'],
      ...['open 7 PreSubmitted', 'status 7 PreSubmitted 0/100'],
    ]);
    expect(client.of(3).map((fields) => fields[7])).toEqual(['0', '5', '5']);
  });

  it('has children that work when the parent is filled, and of which one replaces the other', async () => {
    const { client } = await placed();
    await place(client, 7, { action: 'SELL', type: 'STP', aux: LOW, parentId: 5 });
    const told = await place(client, 5, { limit: HIGH, transmit: true });
    expect(told).toContain('status 5 Filled 100/0');
    expect(told).toContain('status 6 Submitted 0/100');
    const closed = await place(client, 6, { action: 'SELL', limit: LOW, parentId: 5 });
    expect(closed).toContain('status 6 Filled 100/0');
    expect(closed.slice(-2)).toEqual(['status 7 Cancelled 0/100', 'error 7 202']);
  });

  it('ends with its parent', async () => {
    const { client } = await placed();
    await place(client, 7, { action: 'SELL', type: 'STP', aux: LOW, parentId: 5 });
    expect(await cancel(client, 5)).toEqual([
      ...['status 5 Cancelled 0/100', 'error 5 202'],
      ...['status 6 Cancelled 0/100', 'error 6 202'],
      ...['status 7 Cancelled 0/100', 'error 7 202'],
    ]);
  });

  it('that was never transmitted is discarded without a status', async () => {
    const { client } = await placed();
    expect(await cancel(client, 6)).toEqual(['error 6 202', 'error 6 161']);
    expect(client.of(4).at(-2)?.[4]).toContain('discarded');
    expect(await place(client, 8, { action: 'SELL', limit: HIGH, parentId: 5, transmit: true })).toContain(
      'status 8 PreSubmitted 0/100',
    );
  });
});

describe('orders of one group', () => {
  it.each([
    [1, 'status 5 Cancelled 0/300'],
    [2, 'status 5 Submitted 0/200'],
    [3, 'status 5 Submitted 0/200'],
  ])('of type %d: a fill of one changes the other', async (ocaType, expected) => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    await place(client, 5, { limit: LOW, ocaGroup: 'g', ocaType, quantity: 300 });
    const told = await place(client, 6, { type: 'MKT', ocaGroup: 'g', ocaType });
    expect(told).toContain('status 6 Filled 100/0');
    expect(told).toContain(expected);
  });
});

describe('orders of several clients', () => {
  it('are told to the client that placed them, and to the master, which may only look', async () => {
    const { ready } = await gatewayWith({ masterClientId: 9 });
    const [one, two, master] = [await ready(1), await ready(2), await ready(9)];
    await place(one, 5, { type: 'MKT' });
    await place(two, 6, { limit: LOW });
    await master.inStep();
    expect(story(master).filter((line) => !line.startsWith('open'))).toEqual([
      ...['status 5 PreSubmitted 0/100', 'fill 5 100', 'status 5 Filled 100/0', 'commission 1'],
      'status 6 Submitted 0/100',
    ]);
    expect(story(two)).toHaveLength(2);
    expect(await cancel(master, 6)).toEqual(['error 6 10147']);
  });

  it('all end by a global cancel, and each client hears of its own', async () => {
    const { ready } = await gatewayWith({ masterClientId: 9 });
    const [one, two, master] = [await ready(1), await ready(2), await ready(9)];
    await place(one, 5, { limit: LOW });
    await place(two, 6, { limit: LOW });
    one.say(58, '', '');
    await Promise.all([one.inStep(), two.inStep(), master.inStep()]);
    await two.inStep();
    expect(story(one).slice(-2)).toEqual(['status 5 Cancelled 0/100', 'error 5 202']);
    expect(story(two).slice(-2)).toEqual(['status 6 Cancelled 0/100', 'error 6 202']);
    expect(story(master).slice(-4)).toEqual([...story(one).slice(-2), ...story(two).slice(-2)]);
  });

  it('are listed: those of one client, those of all, and who may bind them', async () => {
    const { ready } = await gatewayWith();
    const [one, two] = [await ready(1), await ready(2)];
    await place(one, 5, { limit: LOW });
    await place(two, 6, { limit: LOW });
    const before = two.messages.length;
    two.say(5, 1);
    two.say(16, 1);
    two.say(15, 1, 1);
    await two.inStep();
    expect(story(two, before).filter((line) => line.startsWith('open'))).toEqual([
      'open 6 Submitted',
      ...['open 5 Submitted', 'open 6 Submitted'],
    ]);
    expect(two.of(4).at(-1)?.slice(2, 4)).toEqual(['-1', '327']);
  });
});

describe('after the fact', () => {
  it('executions are listed with their commissions, by what is asked for', async () => {
    const { ready } = await gatewayWith();
    const [one, two] = [await ready(1), await ready(2)];
    await place(one, 5, { type: 'MKT', reference: 'a' });
    await place(two, 6, { type: 'MKT', symbol: 'MSFT', action: 'SELL' });
    const ask = async (id: number, clientId: number, symbol = '', side = '') => {
      const before = one.messages.length;
      one.say(7, 3, id, clientId, '', '', symbol, '', '', side);
      await one.inStep();
      return one.messages
        .slice(before)
        .map(([type, first, , , , name]) => (type === '11' ? `${first} ${name}` : type));
    };
    expect(await ask(1, 0)).toEqual(['1 STK', '59', '1 STK', '59', '55', '49']);
    expect(await ask(2, 2)).toEqual(['2 STK', '59', '55', '49']);
    expect(await ask(3, 0, 'AAPL')).toEqual(['3 STK', '59', '55', '49']);
    expect(await ask(4, 0, '', 'SELL')).toEqual(['4 STK', '59', '55', '49']);
    expect(await ask(5, 0, 'IBM')).toEqual(['55', '49']);
  });

  it('finished orders are listed with how they ended', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    await place(client, 5, { type: 'MKT', reference: 'a' });
    await place(client, 6, { limit: LOW, reference: 'b' });
    await place(client, 7, { limit: LOW });
    await cancel(client, 6);
    client.say(99, 0);
    await client.heard(102);
    const seen = client
      .of(101)
      .map((fields) => [fields[22], ...STATES.filter((state) => fields.includes(state)), fields.at(-8)]);
    expect(seen).toEqual([
      ['a', 'Filled', 'Filled Size: 100'],
      ['b', 'Cancelled', 'Cancelled by Trader'],
    ]);
  });

  it('open orders come by themselves when their client connects again', async () => {
    const { ready } = await gatewayWith();
    const client = await ready(1);
    await place(client, 5, { limit: LOW, reference: 'a' });
    await client.hangUp();
    const again = await ready(1);
    await again.inStep();
    expect(story(again)).toEqual(['open 5 Submitted', 'status 5 Submitted 0/100']);
  });

  it('a restart that loses orders hands their ids out again', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await place(client, 5, { limit: LOW });
    await clock.advance(1000);
    await place(client, 6, { limit: LOW });
    await gateway.inject({ kind: 'restart', downMs: 0 });
    await client.over;
    await gateway.heal();
    const again = await ready(1);
    expect((await again.heard(9))[2]).toBe('6');
  });
});
