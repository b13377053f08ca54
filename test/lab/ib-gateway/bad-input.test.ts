import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import type { GatewayOptions } from '../../../src/lab/ib-gateway/options.js';
import { encodeFrame, encodeHello } from '../../../src/lab/ib-gateway/wire/frames.js';
import { eventually } from '../../helpers/eventually.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { historyRequest, RawClient, stock } from './raw-client.js';

const gateways: Gateway[] = [];
afterEach(async () => {
  await Promise.all(gateways.splice(0).map((gateway) => gateway.close()));
});

async function gatewayWith(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway({ messagesPerSecond: null, ...options });
  gateways.push(gateway);
  return gateway;
}

/** That the gateway is well: a client is served. */
async function servesClients({ port }: Gateway): Promise<void> {
  const client = await RawClient.ready({ port, clientId: 99 });
  await client.inStep();
  await client.hangUp();
}

const frame = (length: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length);
  return bytes;
};

describe('what is no client of the protocol', () => {
  it.each([
    ['an HTTP client', Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'), 'not the TWS protocol'],
    ['a TLS client', Buffer.from('160301020001000001fc0303', 'hex'), 'not the TWS protocol'],
    ['random bytes', Buffer.from('00ff00ff00ff', 'hex'), 'not the TWS protocol'],
    ['a greeting without end', Buffer.from('API\0\x7f\xff\xff\xff', 'latin1'), 'frame too long'],
  ])('%s is hung up on', async (_, bytes, reason) => {
    const gateway = await gatewayWith();
    const client = await RawClient.connect(gateway);
    client.socket.write(bytes);
    await client.over;
    expect(client.pieces).toEqual([]);
    expect(gateway.counts().badInput).toEqual({ [reason]: 1 });
    await servesClients(gateway);
  });

  it.each([
    ['that speaks protobuf only', 'v201..226', '193', 'not protobuf'],
    ['that speaks protobuf only, of the newest floor', 'v213..225', '193', 'not protobuf'],
    ['of versions below 100', 'v38..76', '193', 'TWS API 9.72 or later'],
  ])('a client %s is told which versions there are, and then hung up on', async (_, hello, version, text) => {
    const gateway = await gatewayWith();
    const client = await RawClient.connect(gateway);
    client.socket.write(encodeHello(hello));
    expect(await client.over).toBe('end');
    expect(client.messages[0]?.[0]).toBe(version);
    expect(client.messages[1]?.slice(0, 4)).toEqual(['4', '2', '-1', '320']);
    expect(client.messages[1]?.[4]).toContain(text);
    expect(gateway.counts().badInput).toEqual({ 'no common version': 1 });
  });

  it('a client without length prefixes is told the same in the form that it reads', async () => {
    const gateway = await gatewayWith();
    const client = await RawClient.connect(gateway);
    client.socket.write('6');
    client.socket.write('3\0' + '7\0');
    expect(await client.over).toBe('end');
    const [version, , type, own, id, code, text] = Buffer.concat(client.pieces).toString().split('\0');
    expect([version, type, own, id, code]).toEqual(['76', '4', '2', '-1', '320']);
    expect(text).toContain('TWS API 9.72 or later');
    await servesClients(gateway);
  });

  it('is not waited for longer than 30 s', async () => {
    const clock = new VirtualClock();
    const gateway = await gatewayWith({ clock });
    const [silent, half] = [await RawClient.connect(gateway), await RawClient.connect(gateway)];
    half.socket.write(encodeHello('v100..193').subarray(0, 9));
    await eventually(() => gateway.counts().bytes.received === 9);
    await clock.advance(30_000);
    await Promise.all([silent.over, half.over]);
    await eventually(() => gateway.counts().connections.open === 0);
  });
});

describe('a client that speaks badly', () => {
  it.each([
    ['a request before START_API', encodeFrame([49, 1]), 'message before START_API'],
    ['a negative client id', encodeFrame([71, 2, -5, '']), 'negative client id'],
    ['an id that is no number', encodeFrame([71, 2, 'me', '']), 'message before START_API'],
    ['a huge length', frame(0x7fff_ffff), 'frame too long'],
    ['a negative length', frame(0xffff_ffff), 'frame too long'],
    ['an empty frame', frame(0), 'empty frame'],
  ])('with %s is hung up on', async (_, bytes, reason) => {
    const gateway = await gatewayWith();
    const client = await RawClient.greeted(gateway);
    client.socket.write(bytes);
    await client.over;
    expect(gateway.counts().badInput).toEqual({ [reason]: 1 });
    await servesClients(gateway);
  });

  it.each([
    ['half a contract', [9, 8, 5, 0, 'AAPL'], 320],
    ['an unknown type', [4711, 1], 321],
    ['no type', ['', ''], 320],
    ['a second START_API', [71, 2, 8, ''], 321],
    ['an order for nothing', [3, 5, ...stock('AAPL'), '', '', 'BUY', 0, 'LMT', 1], 201],
    ['an order without a number', [3, 5, ...stock('AAPL'), '', '', 'BUY', 'many', 'LMT', 1], 320],
    ['an unknown account', [6, 2, 1, 'U999'], 321],
    ['a symbol that steers terminals', [9, 8, 5, 0, '\u001b[31m', ...stock('').slice(2), 0, '', '', ''], 200],
  ])('with %s is told so, and goes on', async (_, fields, code) => {
    const gateway = await gatewayWith();
    const client = await RawClient.ready({ ...gateway, port: gateway.port, clientId: 1 });
    client.say(...fields);
    await client.heardCode(code);
    await client.inStep();
  });

  it('that stops in the middle of a message is forgotten when it goes', async () => {
    const gateway = await gatewayWith();
    const client = await RawClient.ready({ port: gateway.port, clientId: 1 });
    client.socket.write(encodeFrame(historyRequest(1, 'AAPL')).subarray(0, 20));
    await client.hangUp();
    await eventually(() => gateway.counts().connections.open === 0);
    expect(gateway.counts()).toMatchObject({ history: { requests: 0 }, connections: { endedByClient: 1 } });
  });

  it('with anything at all never ends the gateway', async () => {
    const gateway = await gatewayWith({ clientCap: 1000 });
    const random = seededRandom(4);
    for (let round = 0; round < 200; round++) {
      const client = await RawClient.greeted(gateway);
      client.say(71, 2, 1000 + round, '');
      const types = [1, 2, 3, 4, 6, 9, 20, 25, 59, 62, 63, 87, 99];
      for (let n = 0; n < 20; n++) {
        const type = types[Math.floor(random() * types.length)] ?? 0;
        const words = [
          '',
          '-1',
          '0',
          '1',
          '99999999999',
          'AAPL',
          'STK',
          'BAG',
          '1 D',
          '5 secs',
          'é\u0001',
          'x',
        ];
        const word = () => words[Math.floor(random() * words.length)] ?? '';
        client.say(type, ...Array.from({ length: Math.floor(random() * 25) }, word));
      }
      if (round % 2 === 0) client.socket.write(randomBytes(50));
      else await client.inStep();
      client.socket.destroy();
    }
    await eventually(() => gateway.counts().connections.open === 0);
    await servesClients(gateway);
  });
});

describe('a client that never reads', () => {
  it('gets no more than a bounded amount put by for it, whatever it asks for, and hinders nobody', async () => {
    const gateway = await gatewayWith({ historyLimits: null, tickIntervalMs: 1 });
    const socket = connect(gateway.port, '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    const requests = [encodeHello('v100..193'), encodeFrame([71, 2, 1, ''])];
    requests.push(encodeFrame([1, 11, 5, ...stock('AAPL'), 0, '', 0, 0, '']));
    // Each of them is worth about a megabyte.
    for (let id = 1; id <= 1000; id++) {
      requests.push(encodeFrame(historyRequest(id, 'AAPL', { duration: '20000 S', barSize: '1 secs' })));
    }
    socket.write(Buffer.concat(requests));
    const other = await RawClient.ready({ port: gateway.port, clientId: 2 });
    await eventually(() => gateway.counts().history.requests > 0);
    let before = -1;
    while (before !== gateway.counts().history.requests) {
      before = gateway.counts().history.requests;
      for (let n = 0; n < 50; n++) await other.inStep();
    }
    // What the system's own buffers take, and one megabyte.
    expect(before).toBeLessThan(30);
    expect(gateway.counts().bytes.sent).toBeLessThan(30_000_000);
    socket.destroy();
    await other.hangUp();
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('gets everything once it reads', async () => {
    const gateway = await gatewayWith({ historyLimits: null });
    const client = await RawClient.ready({ port: gateway.port, clientId: 1 });
    client.socket.pause();
    for (let id = 1; id <= 20; id++) {
      client.say(...historyRequest(id, 'AAPL', { duration: '20000 S', barSize: '1 secs' }));
    }
    const other = await RawClient.ready({ port: gateway.port, clientId: 2 });
    for (let n = 0; n < 50; n++) await other.inStep();
    expect(gateway.counts().history.requests).toBeLessThan(20);
    client.socket.resume();
    await client.until(() => client.of(17).length === 20);
  });
});
