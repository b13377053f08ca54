import { describe, expect, it } from 'vitest';
import { ClientIds } from '../../src/ib/client-ids.js';
import { type ConnectionOptions, IbConnection } from '../../src/ib/connection.js';
import type { IbLog } from '../../src/ib/log.js';
import { createPacer } from '../../src/ib/pacing.js';
import { createIbPool, type IbPoolOptions } from '../../src/ib/pool.js';
import { POOL_BRAND } from '../../src/pool/brand.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { FakeLine, type FakeLink } from './fake-line.js';

const TARGET = { host: '127.0.0.1', port: 7497, clientId: 7 };

function connectionOn(options: ConnectionOptions = {}) {
  const clock = new VirtualClock();
  const line = new FakeLine();
  const states: string[] = [];
  const connection = new IbConnection(TARGET, {
    ...{ clock, line, random: () => 0.5 },
    onState: (state) => states.push(state.kind === 'ready' ? state.upstream : state.kind),
    ...options,
  });
  const connect = async (): Promise<void> => {
    const ready = connection.ready();
    await clock.settle();
    line.last.beReady();
    await ready;
  };
  const retryInMs = (): number | null =>
    connection.state.kind === 'waiting' ? connection.state.retryInMs : null;
  return { clock, line, states, connection, connect, retryInMs };
}

describe('a connection', () => {
  it.each([
    ['short of a second, in which case the next wait is longer', 999, 100],
    ['a second, after which waits begin anew', 1000, 50],
  ])('was ready for %s', async (_, ms, wait) => {
    const { clock, line, connect, connection, retryInMs } = connectionOn();
    await connect();
    await clock.advance(ms);
    line.last.say('disconnected');
    expect(retryInMs()).toBe(wait);
    await connection.close();
  });

  it.each<[string, number]>([
    ['new port is 7500', 7500],
    ['new port is 65535.', 65_535],
    ['new port is 65536', 7497],
    ['the port was reset', 7497],
  ])('is told another port by its gateway: %s', async (text, port) => {
    const { clock, line, connect, connection } = connectionOn();
    await connect();
    line.last.say('info', text, 1300);
    line.last.say('disconnected');
    await clock.advance(5000);
    expect(line.last.target.port).toBe(port);
    await connection.close();
  });

  it('says how long its gateway has been silent, and what it took to get ready, whenever that was', async () => {
    const { clock, connect, connection } = connectionOn({ heartbeatMs: 1000, heartbeatTimeoutMs: 500 });
    await clock.advance(10_000);
    await connect();
    expect(connection.state).toMatchObject({ session: { phasesMs: { load: 0, ready: 0 } } });
    await clock.advance(1500);
    expect(connection.state).toMatchObject({
      cause: {
        message: expect.stringMatching(/has said nothing for 1500 ms, and did not answer within 500 ms$/),
      },
    });
    await connection.close();
  });

  it('reports each change of what is upstream once', async () => {
    const { line, states, connect, connection } = connectionOn();
    await connect();
    for (const code of [1102, 2110, 1100, 1101, 1102]) line.last.say('info', 'a notice', code);
    expect(states).toEqual(['connecting', 'connecting', 'up', 'down', 'up']);
    expect(connection.figures().supervisor.upstreamLost).toBe(2);
    await connection.close();
  });

  it.each<[string, (link: FakeLink) => void, RegExp]>([
    ['closed', (link) => link.say('disconnected'), /127\.0\.0\.1:7497 was closed$/],
    [
      'closed by an error of the socket',
      (link) => {
        link.say('error', 'read ECONNRESET', 502, -1);
        link.say('disconnected');
      },
      /was closed: read ECONNRESET$/,
    ],
    [
      'closed after an error of something else',
      (link) => {
        link.say('error', 'no such order', 135, -1);
        link.say('disconnected');
      },
      /was closed$/,
    ],
    ['broken', (link) => link.say('broken', 'a frame of 2 GB'), /is of no use: a frame of 2 GB$/],
  ])('says why it is gone: %s', async (_, end, message) => {
    const { line, connect, connection } = connectionOn();
    await connect();
    end(line.last);
    expect(connection.state).toMatchObject({
      kind: 'waiting',
      cause: { code: 'ERR_IB_CONNECTION_LOST', message: expect.stringMatching(message) },
    });
    expect(connection.figures().supervisor).toMatchObject({ lost: 1, heartbeatsMissed: 0 });
    await connection.close();
  });

  it('counts messages that cannot be read, before and after it is ready', async () => {
    const { clock, line, connection } = connectionOn();
    const ready = connection.ready();
    await clock.settle();
    line.last.say('error', 'Unknown message id', 505, -1);
    line.last.beReady();
    await ready;
    line.last.say('error', 'Unknown message id', 505, -1);
    line.last.say('error', 'another', 504, -1);
    expect(connection.figures().supervisor.unreadable).toBe(2);
    expect(connection.state.kind).toBe('ready');
    await connection.close();
  });

  it.each([
    ['a version that is no number', ['server', 'HTTP/1.1', 'now'], 'ERR_IB_NOT_A_GATEWAY'],
    ['a version of the past', ['error', 'too old', 503, -1], 'ERR_IB_VERSION'],
  ] as const)('fails at %s', async (_, [event, ...args], code) => {
    const { clock, line, connection } = connectionOn();
    const ready = connection.ready();
    ready.catch(() => {});
    await clock.settle();
    line.last.say(event, ...args);
    await expect(ready).rejects.toMatchObject({ code, hint: expect.any(String) });
  });

  it('passes over notices on its way, and tells how far it is', async () => {
    const { clock, line, connection } = connectionOn();
    const [first, second] = [connection.ready(), connection.ready()];
    await clock.settle();
    expect(connection.state).toMatchObject({ kind: 'connecting', attempt: 1, phase: 'dialling' });
    line.last.say('info', 'a notice', 2104);
    line.last.say('server', 193, 'now');
    expect(connection.state).toMatchObject({ kind: 'connecting', phase: 'handshake' });
    line.last.say('managedAccounts', 'DU1');
    line.last.say('nextValidId', 1);
    expect(await first).toEqual(await second);
    expect(line.links).toHaveLength(1);
    await connection.close();
  });

  it('is given the time again in which nobody looked, where that was more than half of it', async () => {
    for (const [lateMs, expected] of [
      [250, 'waiting'],
      [251, 'ready'],
    ] as const) {
      const { clock, connect, connection } = connectionOn({ heartbeatMs: 1000, heartbeatTimeoutMs: 500 });
      await connect();
      await clock.advance(1000);
      clock.block(500 + lateMs);
      await clock.settle();
      expect(connection.state.kind, `${lateMs} ms late`).toBe(expected);
      await connection.close();
    }
  });
});

describe('a pool of broker connections', () => {
  function poolOn(options: IbPoolOptions = {}) {
    const clock = new VirtualClock();
    const lines: FakeLine[] = [];
    const log: IbLog[] = [];
    const pool = createIbPool({
      ...{ clock, random: () => 0.5, topology: 'worker', workers: 2, heartbeatMs: 1e9 },
      line: () => {
        const line = new FakeLine();
        lines.push(line);
        return line;
      },
      log: (entry) => void log.push(entry),
      pacer: createPacer({ clock }),
      ...options,
    });
    /** Whatever was dialled is ready. */
    const answer = async (): Promise<void> => {
      await clock.settle();
      for (const line of lines) for (const link of line.links) link.beReady();
      await clock.settle();
    };
    const acquire = async () => {
      const lease = pool.acquire();
      await answer();
      return lease;
    };
    return { clock, lines, log, pool, answer, acquire };
  }

  it('measures waits and holds, and knows its peaks', async () => {
    const { clock, pool, answer, acquire } = poolOn();
    const [first, second] = [await acquire(), await acquire()];
    const third = pool.acquire();
    await clock.advance(40);
    expect(pool.snapshot()).toMatchObject({
      ...{ size: 2, maxOverflow: 0, live: 2, idle: 0, inUse: 2, creating: 0, waiting: 1 },
      ...{ peakWaiting: 1, peakInUse: 2, longestWaitMs: 40, longestHoldMs: 40 },
    });
    first.release();
    await answer();
    (await third).release();
    await clock.advance(10);
    second.release();
    second.release();
    expect(pool.snapshot()).toMatchObject({
      ...{ idle: 2, inUse: 0, waiting: 0, longestWaitMs: null, peakInUse: 2, peakWaiting: 1 },
      ...{ wait: { count: 3, maxUs: 40_000 }, hold: { count: 3, maxUs: 50_000 } },
      counters: { acquired: 3, released: 3, created: 2, waited: 1, doubleReleased: 1, destroyed: 0 },
    });
    await clock.run(pool.close());
    expect(pool.snapshot().counters.destroyed).toBe(2);
  });

  it('counts what is being opened as such, and a lease as leaked from its threshold on', async () => {
    const { clock, pool, answer } = poolOn({ leakMs: 1000 });
    const acquired = pool.acquire();
    await clock.settle();
    expect(pool.snapshot()).toMatchObject({ live: 1, creating: 1, idle: 0, inUse: 0 });
    await answer();
    const lease = await acquired;
    await clock.advance(999);
    expect(pool.snapshot().holders).toMatchObject([{ leaseId: 1, ageMs: 999, leaked: false }]);
    await clock.advance(1);
    expect(pool.snapshot().holders).toMatchObject([{ ageMs: 1000, leaked: true }]);
    lease.release();
    await clock.run(pool.close());
  });

  it('turns away at the very moment who has waited for as long as it may', async () => {
    const { clock, pool, acquire } = poolOn({ workers: 1, acquireTimeoutMs: 50, name: 'broker' });
    const lease = await acquire();
    const { foreground } = clock.timers;
    const [early, late] = [pool.acquire(), pool.acquire({ timeoutMs: 80 })];
    const outcomes: string[] = [];
    early.catch(() => outcomes.push('early'));
    late.catch(() => outcomes.push('late'));
    expect(clock.timers.foreground).toBe(foreground + 1);
    await clock.advance(49);
    expect(outcomes).toEqual([]);
    await clock.advance(1);
    expect(outcomes).toEqual(['early']);
    await clock.advance(30);
    expect(outcomes).toEqual(['early', 'late']);
    await expect(early).rejects.toThrow("pool 'broker' has 1 of 1 workers in use, 2 waiting");
    await expect(late).rejects.toThrow('1 of 1 workers in use, 1 waiting');
    expect(pool.snapshot().counters).toMatchObject({ timedOut: 2, waited: 2 });
    expect(clock.timers.foreground).toBe(foreground);
    lease.release();
    await clock.run(pool.close());
  });

  it('leaves no timer behind when those who waited are served, or give up', async () => {
    const { clock, pool, acquire, answer } = poolOn({ workers: 1 });
    const lease = await acquire();
    const { foreground } = clock.timers;
    const abort = new AbortController();
    const given = pool.acquire({ signal: abort.signal });
    const served = pool.acquire();
    await clock.settle();
    expect(clock.timers.foreground).toBe(foreground + 1);
    abort.abort(new Error('given up'));
    await expect(given).rejects.toThrow('given up');
    lease.release();
    await answer();
    (await served).release();
    expect(clock.timers.foreground).toBe(foreground);
    await clock.run(pool.close());
  });

  it('closes a connection when it was idle for long enough, and not one that is lent again', async () => {
    const { clock, pool, acquire } = poolOn({ workers: 1, idleMs: 1000 });
    (await acquire()).release();
    await clock.advance(999);
    expect(pool.snapshot().live).toBe(1);
    const lease = await acquire();
    await clock.advance(5000);
    expect(pool.snapshot()).toMatchObject({ live: 1, inUse: 1 });
    lease.release();
    await clock.advance(1000);
    expect(pool.snapshot()).toMatchObject({ live: 0, ib: { clientIdsFree: 32 } });
    await clock.run(pool.close());
  });

  it('opens ahead what is missing, and not more than there may be', async () => {
    const { clock, pool, answer, acquire, lines } = poolOn({ workers: 3 });
    await acquire();
    const warmed = pool.warm(2);
    await answer();
    await warmed;
    expect(lines).toHaveLength(2);
    const all = pool.warm(99);
    await answer();
    await all;
    expect(pool.snapshot()).toMatchObject({ live: 3, idle: 2, inUse: 1 });
    await clock.run(pool.close({ graceMs: 0 }));
  });

  it('lends a connection that is ready before one that reconnects', async () => {
    const { clock, pool, acquire, lines } = poolOn();
    const [first, second] = [await acquire(), await acquire()];
    first.release();
    second.release();
    lines[0]?.last.say('disconnected');
    const lease = await pool.acquire();
    expect(lease.connection).toBe(second.connection);
    expect((await pool.acquire()).connection).toBe(first.connection);
    await clock.run(pool.close({ graceMs: 0 }));
  });

  it('tells each step of its life once', async () => {
    const { clock, pool, acquire, lines, log, answer } = poolOn({ workers: 1, clientId: 5 });
    const lease = await acquire();
    lines[0]?.last.say('disconnected');
    await clock.advance(5000);
    await answer();
    lease.release();
    await clock.run(pool.close());
    expect(log).toMatchObject([
      { kind: 'initialized', topology: 'worker' },
      { kind: 'creating', clientId: 5 },
      { kind: 'connected', clientId: 5, epoch: 1 },
      { kind: 'acquired', leaseId: 1, clientId: 5, users: 1 },
      { kind: 'lost', clientId: 5 },
      { kind: 'connected', clientId: 5, epoch: 2 },
      { kind: 'released', leaseId: 1, clientId: 5, users: 0 },
      { kind: 'closing', users: 0 },
      { kind: 'closed' },
    ]);
  });

  it('waits at its close for those who hold a lease, for as long as it is told and no longer', async () => {
    for (const [graceMs, releasedAt, closedAt] of [
      [1000, 400, 400],
      [1000, null, 1000],
      [0, null, 0],
    ] as const) {
      const { clock, pool, acquire } = poolOn({ workers: 1 });
      const lease = await acquire();
      const since = clock.now();
      if (releasedAt !== null) clock.setTimer(() => lease.release(), releasedAt);
      await clock.run(pool.close({ graceMs }));
      expect(clock.now() - since).toBe(closedAt);
    }
  });

  it('is closed at once where nobody holds a lease', async () => {
    const { clock, pool, acquire } = poolOn();
    (await acquire()).release();
    const since = clock.now();
    await clock.run(pool.close({ graceMs: 1000 }));
    expect(clock.now()).toBe(since);
  });

  it('says how it is set up, `never` where there is no limit', async () => {
    const { pool } = poolOn();
    expect(pool.snapshot().setup).toMatchObject({
      ...{ acquireTimeoutMs: 30_000, recycleMs: 'never', maxIdleMs: 'never', leakAfterMs: 60_000 },
    });
    const given = poolOn({ acquireTimeoutMs: null, idleMs: 7, leakMs: 8 }).pool;
    expect(given.snapshot().setup).toMatchObject({
      ...{ acquireTimeoutMs: 'never', maxIdleMs: 7, leakAfterMs: 8 },
    });
    expect(poolOn({ topology: 'shared', workers: 9 }).pool.snapshot()).toMatchObject({
      ...{ driver: 'ib-shared', size: null, maxOverflow: null },
    });
  });

  it('is over when it is closed, and its last connection is', async () => {
    const { clock, pool, acquire } = poolOn({ workers: 1 });
    const isOver = () => pool[POOL_BRAND].isOver();
    expect(isOver()).toBe(false);
    const lease = await acquire();
    const closed = pool.close();
    await clock.settle();
    expect(isOver()).toBe(false);
    lease.release();
    await clock.run(closed);
    expect(isOver()).toBe(true);
  });

  it.each([1, 65_535])('may be at port %i', (port) => {
    expect(createIbPool({ port }).name).toBe(`ib 127.0.0.1:${port}`);
  });

  it.each([0, 65_536, 1.5])('is at no port %d', (port) => {
    expect(() => createIbPool({ port })).toThrow('port must be a whole number from 1 to 65535');
  });

  it('gives a client id back only when its connection is closed', async () => {
    const clientIds = new ClientIds({ base: 1, most: 1 });
    const { clock, pool, acquire } = poolOn({ workers: 1, clientIds });
    (await acquire()).release();
    expect(clientIds.free).toBe(0);
    await clock.run(pool.close());
    expect(clientIds.free).toBe(1);
  });
});

describe('the pacing', () => {
  it('has limits that follow from the one of the gateway', () => {
    const limits = (limitPerSecond?: number) => {
      const { messagesPerSecond } = createPacer(
        limitPerSecond === undefined ? {} : { limitPerSecond },
      ).snapshot();
      return messagesPerSecond;
    };
    expect([limits(), limits(1), limits(10), limits(100)]).toEqual([45, 1, 9, 90]);
  });

  it('keeps some room for urgent messages, half of what is left to the limit', async () => {
    const clock = new VirtualClock();
    const pacer = createPacer({ clock });
    let sent = 0;
    const send = (kind: 'request' | 'urgent') => pacer.send({ kind }, () => void sent++);
    for (let i = 0; i < 60; i++) void send('request');
    expect(sent).toBe(45);
    for (let i = 0; i < 60; i++) void send('urgent');
    expect(sent).toBe(48);
    await clock.advance(60_000);
    expect(sent).toBe(120);
  });

  it('says how long the first of those has waited that wait', async () => {
    const clock = new VirtualClock();
    const pacer = createPacer({ clock, messagesPerSecond: 1, urgentPerSecond: 1 });
    await clock.advance(10_000);
    for (let i = 0; i < 3; i++) void pacer.send({ kind: 'request' }, () => {});
    await clock.advance(100);
    void pacer.send({ kind: 'urgent' }, () => {});
    await clock.advance(200);
    expect(pacer.snapshot()).toMatchObject({ waiting: 3, longestWaitMs: 300 });
    await clock.advance(10_000);
    expect(pacer.snapshot()).toMatchObject({ waiting: 0, longestWaitMs: null });
  });

  it('lets nobody wait for ever, be there as many urgent ones as others', async () => {
    const clock = new VirtualClock();
    const pacer = createPacer({ clock, messagesPerSecond: 1, urgentPerSecond: 1 });
    const sent: string[] = [];
    for (const kind of ['request', 'request', 'urgent'] as const)
      void pacer.send({ kind }, () => void sent.push(kind));
    expect(sent).toEqual(['request']);
    await clock.advance(5000);
    expect(sent).toEqual(['request', 'urgent', 'request']);
  });

  it('sends nothing for who has given up before, though there is room', async () => {
    const clock = new VirtualClock();
    const pacer = createPacer({ clock });
    let sent = 0;
    const given = pacer.send(
      { kind: 'request' },
      () => void sent++,
      AbortSignal.abort(new Error('given up')),
    );
    await expect(given).rejects.toThrow('given up');
    expect(sent).toBe(0);
  });

  it('sends what a message sets off after those that were there before', async () => {
    const clock = new VirtualClock();
    const pacer = createPacer({ clock, messagesPerSecond: 2, urgentPerSecond: 2 });
    const sent: string[] = [];
    const send = (name: string, then: () => void = () => {}): void =>
      void pacer.send({ kind: 'request' }, () => {
        sent.push(name);
        then();
      });
    send('1');
    send('2');
    send('3', () => send('5'));
    send('4');
    await clock.advance(5000);
    expect(sent).toEqual(['1', '2', '3', '4', '5']);
  });

  it('gives an ordinary message its turn after nine urgent ones', async () => {
    const clock = new VirtualClock();
    const pacer = createPacer({ clock, limitPerSecond: 40, messagesPerSecond: 20, urgentPerSecond: 20 });
    const sent: string[] = [];
    const send = (kind: 'request' | 'urgent') => void pacer.send({ kind }, () => void sent.push(kind));
    for (let i = 0; i < 20; i++) send('request');
    sent.length = 0;
    send('request');
    for (let i = 0; i < 15; i++) send('urgent');
    await clock.advance(1100);
    expect(sent.indexOf('request')).toBe(9);
    expect(sent).toHaveLength(16);
  });
});
