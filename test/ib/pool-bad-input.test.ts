import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Worker } from 'node:worker_threads';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { IbConnection } from '../../src/ib/connection.js';
import { createIbPool, type IbPool, type IbPoolOptions } from '../../src/ib/pool.js';
import {
  type Fault,
  type Gateway,
  type GatewayOptions,
  startGateway,
} from '../../src/lab/ib-gateway/index.js';
import { encodeFrame } from '../../src/lab/ib-gateway/wire/frames.js';
import type { Topology } from '../../src/snapshot/broker.js';
import { eventually } from '../helpers/eventually.js';
import { RawClient } from '../lab/ib-gateway/raw-client.js';

const AAPL = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const ORDER = { action: 'BUY', orderType: 'LMT', totalQuantity: 1, lmtPrice: 1 };
const QUICK = {
  handshakeTimeoutMs: 15_000,
  heartbeatMs: 2000,
  heartbeatTimeoutMs: 2000,
  reconnectMs: 20,
  reconnectMostMs: 100,
};

/** The threads of this process, to be ended from outside, and to see that none is left. */
const threads = new Set<Worker>();
const seen = (worker: Worker): void => {
  threads.add(worker);
  worker.once('exit', () => threads.delete(worker));
};
beforeAll(() => void process.on('worker', seen));
afterAll(() => void process.off('worker', seen));

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function gatewayWith(options: GatewayOptions = {}, ...faults: readonly Fault[]): Promise<Gateway> {
  const gateway = await startGateway(options);
  endings.push(() => gateway.close());
  for (const fault of faults) await gateway.inject(fault);
  return gateway;
}

/** Something that listens, and how many are connected to it. */
interface Place {
  readonly port: number;
  open(): number;
}

function placeOf(gateway: Gateway): Place {
  return { port: gateway.port, open: () => gateway.counts().connections.open };
}

async function listening(server: Server): Promise<Place> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(async () => void server.close());
  return { port: (server.address() as AddressInfo).port, open: () => sockets.size };
}

/** A server that says this to whoever connects. */
function saying(bytes: Buffer): Promise<Place> {
  return listening(createServer((socket) => void socket.resume().write(bytes)));
}

function poolOf({ port }: { readonly port: number }, options: IbPoolOptions = {}): IbPool {
  const pool = createIbPool({ ...QUICK, port, ...options });
  endings.push(() => pool.close({ graceMs: 0 }));
  return pool;
}

/** A request that the gateway has read, and not answered. */
async function unanswered<T>(gateway: Gateway, ask: () => Promise<T>): Promise<Promise<T>[]> {
  const { muted } = gateway.counts().messages;
  const asked = ask();
  asked.catch(() => {});
  await eventually(() => gateway.counts().messages.muted > muted);
  return [asked];
}

describe.each<Topology>(['shared', 'worker'])('a %s pool', (topology) => {
  it.each<readonly [string, string, () => Promise<Place>]>([
    [
      'nobody listens',
      'ERR_IB_CONNECT',
      async () => {
        const gateway = await gatewayWith();
        await gateway.close();
        return placeOf(gateway);
      },
    ],
    ['an HTTP server answers', 'ERR_IB_NOT_A_GATEWAY', () => listening(createHttpServer())],
    [
      'another server greets',
      'ERR_IB_NOT_A_GATEWAY',
      () => saying(Buffer.from('220 mail.example ESMTP\r\n')),
    ],
    ['the first message is garbage', 'ERR_IB_NOT_A_GATEWAY', () => saying(encodeFrame(['gar', 'bage']))],
    [
      'a frame has no end',
      'ERR_IB_HANDSHAKE',
      () => saying(Buffer.concat([Buffer.from([0, 0xff, 0xff, 0xff]), Buffer.alloc(100)])),
    ],
    [
      'the version is there, and then garbage',
      'ERR_IB_CONNECT',
      () => saying(Buffer.concat([encodeFrame([193, 'now']), Buffer.alloc(64, 0xff)])),
    ],
    [
      'it speaks protobuf only',
      'ERR_IB_VERSION',
      async () => placeOf(await gatewayWith({}, { kind: 'server-version', version: 226 })),
    ],
    [
      'it says nothing',
      'ERR_IB_HANDSHAKE',
      async () => placeOf(await gatewayWith({}, { kind: 'silent-handshake' })),
    ],
    ['it hangs up', 'ERR_IB_CONNECT', () => listening(createServer((socket) => void socket.end().resume()))],
  ])('fails with a typed error where %s, and leaves nothing', async (_, code, open) => {
    const place = await open();
    // Where something is to be said, it may take its time.
    const handshakeTimeoutMs = code === 'ERR_IB_HANDSHAKE' ? 200 : 15_000;
    const pool = poolOf(place, { topology, workers: 2, handshakeTimeoutMs });
    const outcomes = await Promise.allSettled([pool.acquire(), pool.acquire()]);
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: { name: 'IbError', code } },
      { status: 'rejected', reason: { name: 'IbError', code } },
    ]);
    await eventually(
      () => place.open() === 0 && threads.size === 0 && pool.snapshot().ib.clientIdsFree === 32,
    );
    expect(pool.snapshot()).toMatchObject({
      live: 0,
      inUse: 0,
      waiting: 0,
      creating: 0,
      createError: expect.any(String),
      holders: [],
    });
  });

  it('fails at once where another has the client id, and gets it when that has gone', async () => {
    const gateway = await gatewayWith();
    const holder = await RawClient.ready({ port: gateway.port, clientId: 1 });
    const pool = poolOf(gateway, { topology });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_IB_CLIENT_ID_IN_USE', ibCode: 326 });
    expect(gateway.counts().clients.duplicateIds).toBe(1);
    await holder.hangUp();
    await eventually(
      () => gateway.counts().connections.open === 0 && pool.snapshot().ib.clientIdsFree === 32,
    );
    using lease = await pool.acquire();
    expect(lease.connection.clientId).toBe(1);
  });

  it('settles all that is under way when the connection breaks: reads are asked again, orders never', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology });
    using lease = await pool.acquire();
    const { connection } = lease;
    const orderId = await connection.nextOrderId();
    const mute = await gateway.inject({ kind: 'mute' });
    const [time] = await unanswered(gateway, () => connection.currentTime());
    const [details] = await unanswered(gateway, () => connection.contractDetails(AAPL));
    const [order] = await unanswered(gateway, () => connection.placeOrder(orderId, AAPL, ORDER));
    await gateway.heal(mute);
    await gateway.inject({ kind: 'drop' });
    await expect(order).rejects.toMatchObject({
      code: 'ERR_IB_CONNECTION_LOST',
      hint: expect.stringContaining('ask for the open orders first'),
    });
    expect(await time).toBeGreaterThan(0);
    expect(await details).toHaveLength(1);
    expect(connection.figures().requests).toMatchObject({ lost: 3, retried: 2, answered: 2 });
    expect(gateway.counts().messages.receivedByType).toMatchObject({ placeOrder: 1, contractDetails: 2 });
  });

  it('rejects at its deadline what waits for a gateway that is gone for good, and ends all the same', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology });
    using lease = await pool.acquire();
    await gateway.inject({ kind: 'mute' });
    const [time] = await unanswered(gateway, () => lease.connection.currentTime({ timeoutMs: 400 }));
    const [other] = await unanswered(gateway, () => lease.connection.contractDetails(AAPL));
    await gateway.close();
    await expect(time).rejects.toMatchObject({ code: 'ERR_IB_TIMEOUT' });
    const { connection } = lease;
    await expect(connection.nextOrderId({ timeoutMs: 100 })).rejects.toMatchObject({
      code: 'ERR_IB_TIMEOUT',
    });
    await expect(connection.placeOrder(5, AAPL, ORDER)).rejects.toMatchObject({
      code: 'ERR_IB_CONNECTION_LOST',
      message: expect.stringContaining('not sent'),
    });
    await pool.close({ graceMs: 0 });
    await expect(other).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    expect(threads.size).toBe(0);
    expect(pool.snapshot()).toMatchObject({ live: 0, closed: true });
  });

  it.each<readonly [string, Fault]>([
    ['garbage without frames', { kind: 'garbage', bytes: 400, framed: false }],
    ['garbage in a frame', { kind: 'garbage', bytes: 400, framed: true }],
    ['a frame of negative length', { kind: 'corrupt-length', length: 2 ** 32 - 4 }],
  ])('answers every request in spite of %s', async (_, fault) => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology, workers: 2 });
    await pool.warm();
    const answers = Array.from({ length: 6 }, () => pool.withIb((ib) => ib.contractDetails(AAPL)));
    await gateway.inject(fault);
    const more = Array.from({ length: 6 }, () => pool.withIb((ib) => ib.contractDetails(AAPL)));
    for (const details of await Promise.all([...answers, ...more])) expect(details).toHaveLength(1);
  });
});

describe('a worker pool whose thread crashes', () => {
  /** Ends the threads that there are, as a crash would. */
  async function crash(): Promise<void> {
    await Promise.all([...threads].map((thread) => thread.terminate()));
  }

  it('asks reads again in a new thread, rejects an order, and leaves no thread', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology: 'worker', workers: 2 });
    await pool.warm();
    expect(threads.size).toBe(2);
    const leases = [await pool.acquire(), await pool.acquire()];
    const [one, other] = leases.map(({ connection }) => connection) as [IbConnection, IbConnection];
    const mute = await gateway.inject({ kind: 'mute' });
    const orderId = await other.nextOrderId();
    const [details] = await unanswered(gateway, () => one.contractDetails(AAPL));
    const [order] = await unanswered(gateway, () => other.placeOrder(orderId, AAPL, ORDER));
    await gateway.heal(mute);
    await crash();
    expect(await details).toHaveLength(1);
    await expect(order).rejects.toMatchObject({ code: 'ERR_IB_CONNECTION_LOST' });
    expect(await other.currentTime()).toBeGreaterThan(0);
    expect(pool.snapshot().ib).toMatchObject({ clientIds: [1, 2], reconnects: 2 });
    expect(gateway.counts().clients).toMatchObject({ ids: [1, 2], readyById: { 1: 2, 2: 2 } });
    for (const lease of leases) lease.release();
    await pool.close();
    expect(threads.size).toBe(0);
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('fails with a typed error where that is before it was ready, and gives the client id back', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology: 'worker' });
    const first = pool.acquire();
    const failed = expect(first).rejects.toMatchObject({
      code: 'ERR_IB_CONNECT',
      message: expect.stringContaining('the thread of the connection ended'),
    });
    await eventually(() => threads.size === 1);
    await crash();
    await failed;
    await eventually(() => pool.snapshot().ib.clientIdsFree === 32);
    using lease = await pool.acquire();
    expect(lease.connection.clientId).toBe(1);
  });
});
