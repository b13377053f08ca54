import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type ConnectionOptions, IbConnection } from '../../src/ib/connection.js';
import type { Tick } from '../../src/ib/contracts.js';
import { threadLine } from '../../src/ib/link.js';
import { createPacer } from '../../src/ib/pacing.js';
import { type Gateway, type GatewayOptions, startGateway } from '../../src/lab/ib-gateway/index.js';
import { eventually } from '../helpers/eventually.js';

const AAPL = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const HISTORY = { contract: AAPL, barSize: '1 min', duration: '3600 S' };
const QUICK = {
  heartbeatMs: 200,
  heartbeatTimeoutMs: 200,
  handshakeTimeoutMs: 500,
  reconnectMs: 20,
  reconnectMostMs: 100,
};

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function gatewayWith(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway(options);
  endings.push(() => gateway.close());
  return gateway;
}

function connectTo(
  { port }: { readonly port: number },
  options: ConnectionOptions = {},
  clientId = 1,
): IbConnection {
  const connection = new IbConnection({ host: '127.0.0.1', port, clientId }, { ...QUICK, ...options });
  endings.push(() => connection.close());
  return connection;
}

async function listening(server: Server): Promise<{ port: number }> {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  endings.push(() => new Promise((resolve) => void server.close(resolve)));
  return { port: (server.address() as AddressInfo).port };
}

describe.each([
  ['in this thread', () => ({})],
  ['on a thread of its own', () => ({ line: threadLine() })],
] as const)('a connection %s', (_, line) => {
  it.each([151, 176, 193])('asks for everything there is, at server version %d', async (serverVersion) => {
    const gateway = await gatewayWith({ serverVersion, accounts: ['DU1', 'DU2'] });
    const connection = connectTo(gateway, line());
    expect(await connection.ready()).toMatchObject({ epoch: 1, serverVersion, accounts: ['DU1', 'DU2'] });
    expect(Math.abs((await connection.currentTime()) - Date.now())).toBeLessThan(5000);
    expect(await connection.managedAccounts()).toEqual(['DU1', 'DU2']);
    const details = await connection.contractDetails(AAPL);
    expect(details[0]?.contract).toMatchObject({ symbol: 'AAPL', currency: 'USD' });
    const bars = await connection.historicalData(HISTORY);
    expect(bars.length).toBeGreaterThan(10);
    for (const bar of bars) expect(bar.high).toBeGreaterThanOrEqual(bar.low);
    expect(await connection.positions()).toEqual(expect.any(Array));
    const values = await connection.accountValues('DU1');
    expect(values.map(({ key }) => key)).toContain('NetLiquidation');
    await expect(connection.contractDetails({ symbol: 'NOSUCH', secType: 'STK' })).rejects.toMatchObject({
      code: 'ERR_IB_NO_CONTRACT',
    });
    const ticks: Tick[] = [];
    const subscription = connection.subscribe(AAPL, (tick) => ticks.push(tick));
    await eventually(() => ticks.some(({ kind }) => kind === 'price'));
    subscription.close();
    await eventually(() => gateway.counts().subscriptions.open.marketData === 0);
    const orderId = await connection.nextOrderId();
    const order = { action: 'BUY', orderType: 'LMT', totalQuantity: 1, lmtPrice: 1 };
    expect(await connection.placeOrder(orderId, AAPL, order)).toMatchObject({ orderId });
    expect((await connection.cancelOrder(orderId)).status).toMatch(/cancel/i);
    expect(gateway.counts().badInput).toEqual({});
    await connection.close();
    await eventually(() => gateway.counts().connections.open === 0);
    const { open } = gateway.counts().subscriptions;
    expect(Object.values(open).every((count) => count === 0)).toBe(true);
  });

  it('comes back after a drop in the middle of an answer, which is asked for again', async () => {
    const gateway = await gatewayWith();
    const connection = connectTo(gateway, line());
    await connection.ready();
    await gateway.inject({ kind: 'drop', afterBytes: 500 });
    const bars = await connection.historicalData({ ...HISTORY, barSize: '5 mins' });
    expect(bars.length).toBeGreaterThan(5);
    expect(connection.figures()).toMatchObject({
      reconnects: 1,
      requests: { lost: 1, retried: 1, answered: 1 },
    });
    expect(gateway.counts().clients.readyById).toEqual({ 1: 2 });
  });

  it('finds a half-open connection by the heartbeat, and streams go on in the next', async () => {
    const gateway = await gatewayWith({ tickIntervalMs: 20 });
    const connection = connectTo(gateway, line());
    let ticks = 0;
    connection.subscribe(AAPL, () => ticks++);
    await connection.ready();
    await eventually(() => ticks > 0);
    const id = await gateway.inject({ kind: 'half-open' });
    await eventually(() => connection.figures().supervisor.heartbeatsMissed === 1);
    // Its half-open ghost still holds the client id.
    await eventually(() => connection.figures().supervisor.idCollisions >= 1);
    await gateway.heal(id);
    await eventually(() => connection.state.kind === 'ready');
    ticks = 0;
    await eventually(() => ticks > 0);
    expect(connection.figures()).toMatchObject({ reconnects: 1, subscriptions: { wanted: 1, live: 1 } });
    expect(gateway.counts().subscriptions.open.marketData).toBe(1);
  });

  it('gives up on a silent handshake, and closes the socket', async () => {
    const gateway = await gatewayWith();
    await gateway.inject({ kind: 'silent-handshake' });
    const connection = connectTo(gateway, { ...line(), handshakeTimeoutMs: 100 });
    await expect(connection.ready()).rejects.toMatchObject({
      code: 'ERR_IB_HANDSHAKE',
      message: expect.stringContaining('the port answered, but no gateway said its version'),
    });
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('knows that an HTTP server is no gateway', async () => {
    const server = createHttpServer();
    const place = await listening(server);
    const connection = connectTo(place, line());
    await expect(connection.ready()).rejects.toMatchObject({
      code: 'ERR_IB_NOT_A_GATEWAY',
      message: `no gateway listens at 127.0.0.1:${place.port}: it says 'HTTP/1.1 400 Bad Request'`,
    });
  });

  it('says when nobody listens, and when the client id is in use', async () => {
    const gateway = await gatewayWith();
    await connectTo(gateway, line()).ready();
    const second = connectTo(gateway, line());
    await expect(second.ready()).rejects.toMatchObject({ code: 'ERR_IB_CLIENT_ID_IN_USE' });
    expect(gateway.counts().clients.duplicateIds).toBe(1);
    await gateway.close();
    await expect(connectTo(gateway, line(), 2).ready()).rejects.toMatchObject({ code: 'ERR_IB_CONNECT' });
  });

  it('refuses a gateway that speaks only protobuf', async () => {
    const gateway = await gatewayWith();
    await gateway.inject({ kind: 'server-version', version: 213 });
    await expect(connectTo(gateway, line()).ready()).rejects.toMatchObject({ code: 'ERR_IB_VERSION' });
  });

  it.each([
    ['a negative length', { kind: 'corrupt-length', length: -4 }],
    ['a length that no message has', { kind: 'corrupt-length', length: 0x7fffffff }],
    ['a length that never comes to an end', { kind: 'corrupt-length', length: 0x00ffffff }],
    ['garbage without frames', { kind: 'garbage', bytes: 400, framed: false }],
  ] as const)('recovers from %s', async (__, fault) => {
    const gateway = await gatewayWith();
    const connection = connectTo(gateway, line());
    await connection.ready();
    await gateway.inject(fault);
    // Some faults wait for the next message to go wrong with.
    await connection.currentTime().catch(() => {});
    await eventually(() => connection.figures().reconnects === 1);
    expect(await connection.currentTime()).toBeGreaterThan(0);
  });

  it('outlives garbage in a frame', async () => {
    const gateway = await gatewayWith();
    const connection = connectTo(gateway, line());
    await connection.ready();
    await gateway.inject({ kind: 'garbage', bytes: 400, framed: true });
    expect(await connection.currentTime()).toBeGreaterThan(0);
  });

  it('reads what comes one byte at a time', async () => {
    const gateway = await gatewayWith();
    await gateway.inject({ kind: 'slice', bytes: 1 });
    const connection = connectTo(gateway, { ...line(), handshakeTimeoutMs: 10_000, heartbeatMs: 5000 });
    expect((await connection.contractDetails(AAPL)).length).toBeGreaterThan(0);
  });
});

describe('many connections', () => {
  it('that are dropped at once are all ready again, each with its own client id', async () => {
    const gateway = await gatewayWith();
    const pacer = createPacer();
    const connections = Array.from({ length: 16 }, (_, i) => connectTo(gateway, { pacer }, 100 + i));
    await Promise.all(connections.map((connection) => connection.ready()));
    await gateway.inject({ kind: 'drop' });
    await eventually(() =>
      connections.every((one) => one.figures().reconnects === 1 && one.state.kind === 'ready'),
    );
    const { clients, connections: sockets, errors } = gateway.counts();
    expect(clients.ids).toEqual(connections.map(({ clientId }) => clientId));
    expect(clients.duplicateIds).toBe(0);
    expect(sockets.open).toBe(16);
    expect(errors[100]).toBeUndefined();
  });

  it("keep to the gateway's pace together; without pacing they do not", async () => {
    for (const enabled of [true, false]) {
      const gateway = await gatewayWith({ strikes: null });
      const pacer = createPacer({ enabled });
      const connections = Array.from({ length: 4 }, (_, i) =>
        connectTo(gateway, { pacer, heartbeatMs: 5000, heartbeatTimeoutMs: 5000 }, i + 1),
      );
      await Promise.all(connections.map((connection) => connection.ready()));
      const asked = connections.flatMap((connection) =>
        Array.from({ length: 30 }, () => connection.currentTime({ timeoutMs: 1500 })),
      );
      const outcomes = await Promise.allSettled(asked);
      const { errors, messages } = gateway.counts();
      if (enabled) {
        expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual([]);
        expect(messages.mostPerSecond).toBeLessThanOrEqual(50);
        expect(errors[100]).toBeUndefined();
        expect(pacer.snapshot().headroom).toBeCloseTo(0.1);
      } else expect(errors[100]).toBeGreaterThan(0);
    }
  });
});

describe('a large answer', () => {
  it('is decoded in time in proportion to its length', async () => {
    const gateway = await gatewayWith();
    const connection = connectTo(gateway, { heartbeatMs: 5000, heartbeatTimeoutMs: 5000 });
    await connection.ready();
    const bars = await connection.historicalData({ ...HISTORY, barSize: '1 secs', duration: '1 D' });
    expect(bars.length).toBeGreaterThan(20_000);
    expect(connection.figures().reconnects).toBe(0);
  });
});

it('a server that hangs up at once is no riddle', async () => {
  const place = await listening(createServer((socket) => socket.destroy()));
  await expect(connectTo(place).ready()).rejects.toMatchObject({ code: 'ERR_IB_CONNECT' });
});
