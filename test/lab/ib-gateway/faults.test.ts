import { afterEach, describe, expect, it } from 'vitest';
import { type Fault, toFault, toFaultPlan } from '../../../src/lab/ib-gateway/faults.js';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import type { GatewayOptions } from '../../../src/lab/ib-gateway/options.js';
import { encodeHello } from '../../../src/lab/ib-gateway/wire/frames.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { historyRequest, RawClient } from './raw-client.js';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

async function gatewayWith(options: GatewayOptions = {}) {
  const clock = new VirtualClock();
  const gateway = await startGateway({ clock, ...options });
  gateways.push(gateway);
  const { port } = gateway;
  return { clock, gateway, port, ready: (clientId: number) => RawClient.ready({ port, clientId }) };
}

/** By now whatever a socket has been given has been looked at on both sides: another client was served behind it. */
async function meanwhile({ port }: { readonly port: number }): Promise<void> {
  const client = await RawClient.greeted({ port });
  await client.hangUp();
}

describe('at the door', () => {
  it('slow-accept: the first answer comes only after the delay', async () => {
    const { clock, gateway, port } = await gatewayWith();
    const id = await gateway.inject({ kind: 'slow-accept', fromMs: 200, toMs: 200, times: 1 });
    const slow = await RawClient.connect({ port });
    slow.socket.write(encodeHello('v100..193'));
    await meanwhile({ port });
    await clock.advance(199);
    await meanwhile({ port });
    expect(slow.messages).toEqual([]);
    await clock.advance(1);
    await slow.until(({ messages }) => messages.length > 0);
    expect(await gateway.heal(id)).toBe(1);
    expect(await gateway.heal(id)).toBe(0);
  });

  it('silent-handshake: connections of that time are never answered, those after are', async () => {
    const { clock, gateway, port, ready } = await gatewayWith();
    await gateway.inject({ kind: 'silent-handshake', forMs: 5000 });
    const silent = await RawClient.connect({ port });
    silent.socket.write(encodeHello('v100..193'));
    while (gateway.counts().bytes.received === 0) await new Promise((resolve) => void setImmediate(resolve));
    await clock.advance(60_000);
    await ready(1);
    expect(silent.pieces).toEqual([]);
    expect(gateway.counts().connections.open).toBe(2);
  });

  it('refuse: nobody listens, and those who are there stay', async () => {
    const { gateway, port, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'refuse' });
    await expect(RawClient.connect({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await client.inStep();
    await gateway.heal();
    await ready(2);
  });

  it.each([
    ['a version that is all binary, and then nothing', 222, []],
    ['an old one, and goes on', 120, ['15', '9']],
  ])('server-version: a client is told %s', async (_, version, expected) => {
    const { gateway, port } = await gatewayWith();
    await gateway.inject({ kind: 'server-version', version, times: 1 });
    const client = await RawClient.greeted({ port });
    expect(client.messages[0]?.[0]).toBe(String(version));
    client.say(71, 2, 1, '');
    await meanwhile({ port });
    if (expected.length > 0) await client.heard(9);
    expect(client.messages.slice(1, 3).map(([type]) => type)).toEqual(expected);
  });

  it('move-port: all are told the new port and dropped; the old one is shut', async () => {
    const { gateway, port, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'move-port', port: 0 });
    expect(await client.over).toBe('end');
    expect(gateway.port).not.toBe(port);
    expect(client.of(4).at(-1)?.[4]).toContain(`the new port - ${gateway.port}`);
    expect(client.codes()).toContain(1300);
    await expect(RawClient.connect({ port })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    await RawClient.ready({ port: gateway.port, clientId: 1 });
  });

  it('move-port to a port that is taken changes nothing', async () => {
    const { gateway, port, ready } = await gatewayWith();
    const other = await gatewayWith();
    await expect(gateway.inject({ kind: 'move-port', port: other.port })).rejects.toMatchObject({
      code: 'ERR_IB_GATEWAY_LISTEN',
    });
    expect(gateway.port).toBe(port);
    await ready(1);
  });
});

describe('on a connection', () => {
  it('latency: messages come late, in order, and none is lost', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'latency', fromMs: 50, toMs: 2000 });
    client.say(49, 1);
    client.say(8, 1, 1);
    client.say(17, 1);
    while (gateway.counts().messages.received < 4) await new Promise((resolve) => void setImmediate(resolve));
    await gateway.heal();
    // What is sent after the fault is over still comes behind what was sent before.
    client.say(49, 1);
    while (gateway.counts().messages.received < 5) await new Promise((resolve) => void setImmediate(resolve));
    expect(client.of(49)).toEqual([]);
    await clock.advance(6000);
    await client.until(() => client.of(49).length === 2);
    expect(client.messages.slice(-4).map(([type]) => type)).toEqual(['49', '9', '15', '49']);
  });

  it('latency is the same for the same seed', async () => {
    const delays = async (seed: number): Promise<(number | null)[]> => {
      const { clock, gateway, ready } = await gatewayWith({ seed });
      const client = await ready(1);
      await gateway.inject({ kind: 'latency', fromMs: 0, toMs: 1000 });
      const due: (number | null)[] = [];
      for (let n = 0; n < 3; n++) {
        client.say(49, 1);
        while (clock.nextTimerAt === null) await new Promise((resolve) => void setImmediate(resolve));
        due.push(clock.nextTimerAt);
        await clock.advance(1000);
        await client.until(() => client.of(49).length === n + 1);
      }
      return due;
    };
    expect(await delays(7)).toEqual(await delays(7));
    expect(await delays(7)).not.toEqual(await delays(8));
  });

  it('slice: one byte at a time', async () => {
    const { gateway, clock, ready } = await gatewayWith();
    const client = await ready(1);
    await client.until(() => client.codes().includes(2158));
    client.pieces.length = 0;
    await gateway.inject({ kind: 'slice', bytes: 1 });
    client.say(8, 1, 1);
    while (client.of(9).length < 2) await clock.settle();
    expect(Buffer.concat(client.pieces).length).toBe(4 + '9\x001\x001\0'.length);
    expect(client.pieces.length).toBeGreaterThan(1);
  });

  it('mute: what is named is read, counted and not answered', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    const id = await gateway.inject({ kind: 'mute', requests: ['history'] });
    client.say(...historyRequest(1, 'AAPL'));
    await client.inStep();
    expect(client.of(17)).toEqual([]);
    expect(gateway.counts()).toMatchObject({
      messages: { muted: 1, receivedByType: { history: 1 } },
      history: { open: 1 },
    });
    await gateway.heal(id);
    client.say(...historyRequest(2, 'MSFT'));
    await client.heard(17);
  });

  it('half-open: nothing is answered and nothing is closed, for those with the ids', async () => {
    const { clock, gateway, ready } = await gatewayWith();
    const [one, two] = [await ready(1), await ready(2)];
    await gateway.inject({ kind: 'half-open', clientIds: [1], forMs: 10_000 });
    one.say(49, 1);
    await two.inStep();
    await clock.advance(9999);
    await two.inStep();
    expect(one.of(49)).toEqual([]);
    expect(gateway.counts().clients.ids).toEqual([1, 2]);
    await clock.advance(1);
    expect(await one.over).toMatch(/end|ECONNRESET/);
    while (gateway.counts().connections.open > 1) await two.inStep();
  });

  it.each([
    ['reset', 'ECONNRESET'],
    ['close', 'end'],
  ] as const)('drop: after so many bytes, by %s', async (manner, how) => {
    const { clock, gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await client.until(() => client.codes().includes(2158));
    client.pieces.length = 0;
    await gateway.inject({ kind: 'drop', afterBytes: 10, manner });
    client.say(...historyRequest(1, 'AAPL'));
    await client.until(() => client.pieces.length > 0);
    await clock.advance(20);
    expect(await client.over).toBe(how);
    while (gateway.counts().connections.open > 0) await clock.settle();
    expect(Buffer.concat(client.pieces)).toHaveLength(10);
    expect(gateway.counts().connections).toMatchObject({ endedByGateway: 1, endedByClient: 0 });
  });

  it('drop: picks as many as it is told to, by the seed', async () => {
    const { gateway, ready } = await gatewayWith({ seed: 3 });
    const clients = await Promise.all([1, 2, 3, 4].map(ready));
    await gateway.inject({ kind: 'drop', pick: 2 });
    while (gateway.counts().connections.open > 2) await new Promise((resolve) => void setImmediate(resolve));
    const [first] = clients.filter(({ socket }) => !socket.destroyed);
    expect(first).toBeDefined();
    expect(gateway.counts().clients.ids).toHaveLength(2);
  });

  it.each([0x00ff_ffff, 0x7fff_ffff, 0xffff_fff0])(
    'corrupt-length: the next message announces %d bytes, once',
    async (length) => {
      const { gateway, ready } = await gatewayWith();
      const client = await ready(1);
      await client.until(() => client.codes().includes(2158));
      client.pieces.length = 0;
      await gateway.inject({ kind: 'corrupt-length', length });
      client.say(49, 1);
      client.say(8, 1, 1);
      await client.until(() => Buffer.concat(client.pieces).includes('9\x001\x001\0'));
      const bytes = Buffer.concat(client.pieces);
      expect(bytes.readUInt32BE()).toBe(length);
      const second = bytes.indexOf('9\x001\x001\0', 8);
      expect(bytes.readUInt32BE(second - 4)).toBe('9\x001\x001\0'.length);
    },
  );

  it.each([true, false])('garbage: random bytes, framed: %s', async (framed) => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await client.until(() => client.codes().includes(2158));
    client.pieces.length = 0;
    await gateway.inject({ kind: 'garbage', bytes: 40, framed });
    await client.until(() => Buffer.concat(client.pieces).length === (framed ? 44 : 40));
    if (framed) expect(Buffer.concat(client.pieces).readUInt32BE()).toBe(40);
  });

  it('notice: any code and text', async () => {
    const { gateway, ready } = await gatewayWith();
    const client = await ready(1);
    await gateway.inject({ kind: 'notice', code: 354, text: 'not subscribed', id: 9 });
    await client.until(() => client.codes(9).includes(354));
  });
});

describe('a plan', () => {
  it('happens at its times, again and again, with a jitter that the seed decides on', async () => {
    const times = async (seed: number) => {
      const clock = new VirtualClock();
      const seen: number[] = [];
      const gateway = await startGateway({
        clock,
        seed,
        faults: [{ kind: 'drop', atMs: 1000, everyMs: 1000, jitterMs: 500 }],
        log: (line) => {
          if (line.startsWith('fault')) seen.push(clock.now());
        },
      });
      gateways.push(gateway);
      await clock.advance(3500);
      return seen;
    };
    const seen = await times(1);
    expect(seen).toHaveLength(3);
    seen.forEach((at, index) => {
      expect(at).toBeGreaterThanOrEqual(1000 * (index + 1));
      expect(at).toBeLessThan(1000 * (index + 1) + 500);
    });
    expect(await times(1)).toEqual(seen);
    expect(await times(2)).not.toEqual(seen);
  });

  it('leaves no timer behind when the gateway is closed', async () => {
    const { clock, gateway, ready } = await gatewayWith({
      faults: [{ kind: 'lost', atMs: 500, everyMs: 100 }],
    });
    await ready(1);
    await gateway.inject({ kind: 'nightly-reset' });
    await gateway.inject({ kind: 'latency', fromMs: 1, toMs: 2, forMs: 1000 });
    await gateway.inject({ kind: 'refuse', forMs: 1000 });
    await gateway.close();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });
});

describe('faults as JSON', () => {
  it.each<Fault>([
    { kind: 'latency', fromMs: 1, toMs: 2, forMs: null, clientIds: [1, 2] },
    { kind: 'mute', requests: ['history', 'currentTime'] },
    { kind: 'restart' },
  ])('%j is one', (fault) => {
    expect(toFault(JSON.parse(JSON.stringify(fault)))).toEqual(fault);
  });

  it.each([
    [null, 'a fault is an object with a kind'],
    [[], 'a fault is an object with a kind'],
    [{}, 'no kind is no kind of fault; there are slow-accept'],
    [{ kind: 'constructor' }, '"constructor" is no kind of fault'],
    [{ kind: 'latency', fromMs: 5 }, 'latency: toMs is missing'],
    [{ kind: 'latency', fromMs: 5, toMs: 1 }, 'fromMs is more than toMs'],
    [{ kind: 'latency', fromMs: '5ms', toMs: 9 }, 'fromMs is not a number from 0'],
    [{ kind: 'drop', bytes: 5 }, 'drop: bytes is unknown'],
    [{ kind: 'slice', bytes: 0.5 }, 'bytes is not a whole number from 1'],
    [{ kind: 'mute', requests: ['hystory'] }, 'is not one of startApi'],
    [{ kind: 'farm', code: 2000 }, 'code is not one of 2103'],
    [{ kind: 'slice', bytes: 1, forMs: -1 }, 'forMs is not a number'],
    [{ kind: 'restart', atMs: 5 }, 'atMs is unknown'],
  ])('%j is refused', (value, message) => {
    expect(() => toFault(value)).toThrow(message);
  });

  it.each([
    [{}, 'a plan is a list of faults'],
    [[{ kind: 'lost' }, { kind: 'lots' }], 'fault 2: "lots" is no kind'],
    [[{ kind: 'restart', atTime: '24:00' }], 'atTime is not a time of day'],
    [[{ kind: 'restart', atTime: '23:45', everyMs: 5 }], 'goes with neither'],
    [[{ kind: 'lost', everyMs: 0 }], 'everyMs is 0'],
  ])('as a plan %j is refused', (value, message) => {
    expect(() => toFaultPlan(value)).toThrow(message);
  });
});
