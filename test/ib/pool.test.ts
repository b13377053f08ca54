import { afterEach, describe, expect, it } from 'vitest';
import { ClientIds } from '../../src/ib/client-ids.js';
import { formatIbLog, type IbLog } from '../../src/ib/log.js';
import { createIbPool, type IbLease, type IbPool, type IbPoolOptions } from '../../src/ib/pool.js';
import { type Gateway, type GatewayOptions, startGateway } from '../../src/lab/ib-gateway/index.js';
import { eventually } from '../helpers/eventually.js';

const AAPL = { symbol: 'AAPL', secType: 'STK', exchange: 'SMART', currency: 'USD' };
const QUICK = { handshakeTimeoutMs: 2000, heartbeatMs: 1000, heartbeatTimeoutMs: 1000, reconnectMs: 20 };

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function gatewayWith(options: GatewayOptions = {}): Promise<Gateway> {
  const gateway = await startGateway(options);
  endings.push(() => gateway.close());
  return gateway;
}

function poolOf({ port }: { readonly port: number }, options: IbPoolOptions = {}): IbPool {
  const pool = createIbPool({ ...QUICK, port, ...options });
  endings.push(() => pool.close({ graceMs: 0 }));
  return pool;
}

describe('a shared pool', () => {
  it('has one connection for all, dialled at the first acquire, and says so in its log', async () => {
    const gateway = await gatewayWith();
    const log: IbLog[] = [];
    const pool = poolOf(gateway, { log: (entry) => log.push(entry) });
    expect(gateway.counts().connections.accepted).toBe(0);
    const leases = await Promise.all(Array.from({ length: 10 }, () => pool.acquire()));
    expect(new Set(leases.map(({ connection }) => connection)).size).toBe(1);
    expect(pool.snapshot()).toMatchObject({
      driver: 'ib-shared',
      size: null,
      live: 1,
      idle: 0,
      inUse: 10,
      peakInUse: 10,
      counters: { acquired: 10, created: 1, released: 0 },
      ib: { topology: 'shared', clientIds: [1], clientIdsFree: 31, reconnects: 0 },
    });
    expect(pool.snapshot().holders[0]?.site).toContain('pool.test.ts');
    for (const lease of leases) lease.release();
    await pool.close();
    await eventually(() => gateway.counts().connections.open === 0);
    const lines = log.map(formatIbLog);
    expect(lines.slice(0, 4)).toEqual([
      'Initialized IBKR connection pool (shared)',
      'Creating shared IBKR connection... (Client ID: 1)',
      `Connected to IBKR at 127.0.0.1:${gateway.port} (Client ID: 1, server version 193)`,
      'Lease 1 acquired connection (Client ID: 1, active users: 1)',
    ]);
    expect(lines.slice(-3)).toEqual([
      'Lease 10 released connection (Client ID: 1, active users: 0)',
      'Closing connection pool and disconnecting from IBKR (active users: 0)',
      'Closed IBKR connection pool',
    ]);
  });

  it('can be entered again by who is in it', async () => {
    const pool = poolOf(await gatewayWith());
    const [outer, inner] = await pool.withIb(async (ib) => [ib, await pool.withIb((again) => again)]);
    expect(inner).toBe(outer);
    await pool.withIb(async (ib) => expect(await ib.currentTime()).toBeGreaterThan(0));
    expect(pool.snapshot()).toMatchObject({
      inUse: 0,
      peakInUse: 2,
      idle: 1,
      counters: { acquired: 3, released: 3 },
    });
  });

  it('is closed by await using, its leases by using', async () => {
    const gateway = await gatewayWith();
    {
      await using pool = createIbPool({ ...QUICK, port: gateway.port });
      using lease = await pool.acquire();
      lease.release();
      expect(pool.snapshot().inUse).toBe(0);
    }
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('releases once, whatever the work does', async () => {
    const pool = poolOf(await gatewayWith());
    await expect(pool.withIb(() => Promise.reject(new Error('my own')))).rejects.toThrow('my own');
    const lease = await pool.acquire();
    lease.release();
    lease.release();
    expect(pool.snapshot()).toMatchObject({ inUse: 0, counters: { released: 2, doubleReleased: 1 } });
  });

  it('closes a connection that nobody used for a time, but not under a stream; the next acquire opens another', async () => {
    const gateway = await gatewayWith({ tickIntervalMs: 20 });
    const pool = poolOf(gateway, { idleMs: 30 });
    let ticks = 0;
    const stream = await pool.withIb((ib) => ib.subscribe(AAPL, () => ticks++));
    await eventually(() => ticks >= 20);
    expect(pool.snapshot().live).toBe(1);
    stream.close();
    await eventually(() => gateway.counts().connections.open === 0);
    expect(pool.snapshot()).toMatchObject({
      live: 0,
      counters: { created: 1, destroyed: 1 },
      ib: { clientIdsFree: 32 },
    });
    await pool.withIb((ib) => ib.currentTime());
    expect(gateway.counts().clients.readyById).toEqual({ 1: 2 });
  });

  it('fails as its first connect does, and is of use when the gateway is there', async () => {
    const gateway = await gatewayWith();
    const other = poolOf(gateway);
    await other.acquire();
    const pool = poolOf(gateway);
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_IB_CLIENT_ID_IN_USE' });
    expect(pool.snapshot()).toMatchObject({
      live: 0,
      createError: expect.stringContaining('client id 1 is in use'),
    });
    await other.close({ graceMs: 0 });
    await eventually(() => gateway.counts().connections.open === 0);
    await pool.acquire();
    expect(pool.snapshot()).toMatchObject({ live: 1, createError: null });
  });

  it('survives a drop: whoever holds it goes on', async () => {
    const gateway = await gatewayWith();
    const log: IbLog[] = [];
    const pool = poolOf(gateway, { log: (entry) => log.push(entry) });
    await pool.withIb(async (ib) => {
      await gateway.inject({ kind: 'drop' });
      await eventually(() => log.some(({ kind }) => kind === 'lost'));
      expect((await ib.contractDetails(AAPL)).length).toBeGreaterThan(0);
    });
    expect(pool.snapshot().ib.reconnects).toBe(1);
    expect(log.filter(({ kind }) => kind === 'connected')).toMatchObject([{ epoch: 1 }, { epoch: 2 }]);
  });
});

describe('a worker pool', () => {
  it('has a thread, a connection and a client id for each who works', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology: 'worker', workers: 4, clientId: 10 });
    const leases = await Promise.all(Array.from({ length: 4 }, () => pool.acquire()));
    expect(leases.map(({ connection }) => connection.clientId).sort()).toEqual([10, 11, 12, 13]);
    expect(gateway.counts().clients.ids).toEqual([10, 11, 12, 13]);
    expect(await Promise.all(leases.map(({ connection }) => connection.currentTime()))).toHaveLength(4);
    expect(pool.snapshot()).toMatchObject({ driver: 'ib-worker', size: 4, live: 4, inUse: 4, idle: 0 });
    // The fifth waits for one of them, and gets that one.
    const fifth = pool.acquire();
    await eventually(() => pool.snapshot().waiting === 1);
    leases[2]?.release();
    expect((await fifth).connection).toBe(leases[2]?.connection);
    expect(gateway.counts().connections.accepted).toBe(4);
    (await fifth).release();
    for (const lease of leases) lease.release();
    await pool.close();
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('tells whoever waits too long how things are, and forgets who gave up', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology: 'worker', workers: 1, acquireTimeoutMs: 50, name: 'broker' });
    const lease = await pool.acquire();
    await expect(pool.acquire()).rejects.toMatchObject({
      code: 'ERR_IB_TIMEOUT',
      message: expect.stringMatching(
        /^acquire timed out after \d+ ms: pool 'broker' has 1 of 1 workers in use, 1 waiting$/,
      ),
    });
    const abort = new AbortController();
    const waiting = pool.acquire({ signal: abort.signal, timeoutMs: null });
    await eventually(() => pool.snapshot().waiting === 1);
    abort.abort(new Error('never mind'));
    await expect(waiting).rejects.toThrow('never mind');
    expect(pool.snapshot()).toMatchObject({ waiting: 0, counters: { timedOut: 1, aborted: 1, waited: 2 } });
    lease.release();
    (await pool.acquire()).release();
  });

  it('refuses the one beyond the client ids before it dials', async () => {
    const gateway = await gatewayWith();
    const clientIds = new ClientIds({ base: 5, most: 2 });
    const pool = poolOf(gateway, { topology: 'worker', workers: 33, clientIds });
    const leases: IbLease[] = [await pool.acquire(), await pool.acquire()];
    await expect(pool.acquire()).rejects.toMatchObject({
      name: 'PoolExhaustedError',
      code: 'ERR_IB_POOL_EXHAUSTED',
    });
    expect(gateway.counts().connections.accepted).toBe(2);
    for (const lease of leases) lease.release();
    // Those that come back can be had again.
    (await pool.acquire()).release();
  });

  it('shares its pacing among all its threads, and one answer among all who ask the same', async () => {
    const gateway = await gatewayWith({ strikes: null });
    const pool = poolOf(gateway, { topology: 'worker', workers: 3, heartbeatMs: 5000 });
    await pool.warm();
    const work = async (): Promise<void> => {
      for (let i = 0; i < 5; i++) await pool.withIb((ib) => ib.contractDetails(AAPL));
    };
    await Promise.all(Array.from({ length: 12 }, work));
    const { errors, messages } = gateway.counts();
    expect(errors[100]).toBeUndefined();
    expect(messages.mostPerSecond).toBeLessThanOrEqual(50);
    const query = { contract: AAPL, barSize: '5 secs', duration: '600 S' };
    const same = await Promise.all(
      Array.from({ length: 3 }, () => pool.withIb((ib) => ib.historicalData(query))),
    );
    expect(same[1]).toEqual(same[0]);
    expect(gateway.counts().history.requests).toBe(1);
    expect(pool.snapshot().ib).toMatchObject({
      historiesShared: 2,
      pacing: { history: { open: 0, tenMinutes: 1 } },
    });
  });

  it('gives those who work time to end when it is closed, and lets nobody wait', async () => {
    const gateway = await gatewayWith();
    const pool = poolOf(gateway, { topology: 'worker', workers: 1 });
    const lease = await pool.acquire();
    const waiting = pool.acquire();
    await eventually(() => pool.snapshot().waiting === 1);
    const closed = pool.close();
    await expect(waiting).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    await expect(pool.acquire()).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    expect(await lease.connection.currentTime()).toBeGreaterThan(0);
    lease.release();
    await closed;
    expect(pool.snapshot()).toMatchObject({ closed: true, live: 0, ib: { clientIdsFree: 32 } });
    await eventually(() => gateway.counts().connections.open === 0);
  });
});

it.each([
  [{ workers: 0 }, 'workers must be a whole number from 1, got 0'],
  [{ port: 70_000 }, 'port must be a whole number from 1 to 65535, got 70000'],
  [{ clientId: -1 }, 'the first client id must be a whole number from 0 to 2147483615, got -1'],
])('%o is refused', (options, message) => {
  expect(() => createIbPool(options)).toThrow(
    expect.objectContaining({ code: 'ERR_IB_OPTION', kind: 'usage', message }),
  );
});
