import { describe, expect, it } from 'vitest';
import { ClientIds } from '../../src/ib/client-ids.js';
import { type ConnectionOptions, IbConnection } from '../../src/ib/connection.js';
import { IbError } from '../../src/ib/errors.js';
import { VirtualClock } from '../helpers/virtual-clock.js';
import { FakeLine } from './fake-line.js';

const TARGET = { host: '127.0.0.1', port: 7497, clientId: 7 };

function start(options: ConnectionOptions = {}) {
  const clock = new VirtualClock();
  const line = new FakeLine();
  const states: string[] = [];
  const connection = new IbConnection(TARGET, {
    clock,
    line,
    random: () => 0.5,
    onState: (state) => states.push(state.kind),
    ...options,
  });
  /** Dials, and is ready. */
  const connect = async (): Promise<void> => {
    const ready = connection.ready();
    await clock.settle();
    line.last.beReady();
    await ready;
  };
  return { clock, line, states, connection, connect };
}

describe('the first connect', () => {
  it('is ready at nextValidId and managedAccounts, in whatever order, and not before', async () => {
    const { clock, line, connection } = start();
    const ready = connection.ready();
    await clock.settle();
    expect(line.last.target).toEqual(TARGET);
    line.last.say('tcp');
    await clock.advance(5);
    line.last.say('server', 176, '20260101 10:00:00 Greenwich Mean Time');
    line.last.say('nextValidId', 42);
    line.last.say('info', 'Market data farm connection is OK:usfarm', 2104);
    await clock.settle();
    expect(connection.state.kind).toBe('connecting');
    line.last.say('managedAccounts', 'DU1,DU2,');
    await expect(ready).resolves.toEqual({
      epoch: 1,
      serverVersion: 176,
      accounts: ['DU1', 'DU2'],
      nextOrderId: 42,
      phasesMs: { load: 0, tcp: 0, version: 5, ready: 5 },
    });
    await connection.close();
    expect(clock.timers).toEqual({ foreground: 0, background: 0 });
  });

  it.each([
    ['nothing answers', [], 'ERR_IB_HANDSHAKE', /nobody answered at 127\.0\.0\.1:7497 within 10000 ms/],
    [
      'the port says nothing',
      [['tcp']],
      'ERR_IB_HANDSHAKE',
      /the port answered, but no gateway said its version/,
    ],
    [
      'the gateway is not ready',
      [['tcp'], ['server', 193, 'now'], ['nextValidId', 1]],
      'ERR_IB_HANDSHAKE',
      /said its version, but was not ready/,
    ],
    [
      'the connection is refused',
      [['error', 'connect ECONNREFUSED 127.0.0.1:7497', 502, -1], ['disconnected']],
      'ERR_IB_CONNECT',
      /cannot connect to 127\.0\.0\.1:7497: connection refused by 127\.0\.0\.1:7497 \(ECONNREFUSED\)/,
    ],
    ['the gateway hangs up', [['tcp'], ['disconnected']], 'ERR_IB_CONNECT', /hung up before it was ready/],
    [
      'something else listens there',
      [['tcp'], ['broken', "it says 'HTTP/1.1 400 Bad Request'", true]],
      'ERR_IB_NOT_A_GATEWAY',
      /no gateway listens at 127\.0\.0\.1:7497: it says 'HTTP/,
    ],
    [
      'the version is another',
      [['tcp'], ['error', 'Unsupported Version 201', 506, -1]],
      'ERR_IB_VERSION',
      /speaks another version: Unsupported Version 201/,
    ],
    [
      'the client id is in use',
      [
        ['tcp'],
        ['server', 193, 'now'],
        ['info', 'Unable to connect as the client id is already in use.', 326],
      ],
      'ERR_IB_CLIENT_ID_IN_USE',
      /client id 7 is in use/,
    ],
  ] as const)('fails, closed and with no further attempt, when %s', async (_, said, code, message) => {
    const { clock, line, connection } = start();
    const ready = connection.ready();
    ready.catch(() => {});
    await clock.settle();
    for (const [event, ...args] of said) line.last.say(event, ...args);
    await clock.advance(60_000);
    await expect(ready).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(connection.ready()).rejects.toMatchObject({ code });
    expect(line.links).toHaveLength(1);
    expect(line.last.closed).toBe(true);
    expect(clock.timers.foreground).toBe(0);
  });

  it('is tried again as often as allowed', async () => {
    const { clock, line, connection } = start({ firstAttempts: 3 });
    const ready = connection.ready();
    ready.catch(() => {});
    for (let attempt = 1; attempt <= 3; attempt++) {
      await clock.settle();
      expect(line.links).toHaveLength(attempt);
      line.last.say('disconnected');
      expect(connection.state.kind).toBe(attempt < 3 ? 'waiting' : 'failed');
      await clock.advance(1000);
    }
    await expect(ready).rejects.toMatchObject({ code: 'ERR_IB_CONNECT' });
    expect(line.links).toHaveLength(3);
  });

  it('fails at once where the package is missing', async () => {
    const { clock, line, connection } = start({ firstAttempts: 9 });
    line.prepareError = new IbError('ERR_IB_PACKAGE', "the package '@stoqey/ib' cannot be loaded");
    const ready = connection.ready();
    ready.catch(() => {});
    await clock.advance(60_000);
    await expect(ready).rejects.toMatchObject({ code: 'ERR_IB_PACKAGE' });
    expect(connection.figures().supervisor.attempts).toBe(1);
  });
});

describe('a connection that was ready', () => {
  it('reconnects with a fresh link and its own client id, later and later', async () => {
    const { clock, line, states, connection, connect } = start();
    await connect();
    await clock.advance(2000);
    line.last.say('disconnected');
    const delays: number[] = [];
    for (let i = 0; i < 9; i++) {
      const { state } = connection;
      expect(state.kind).toBe('waiting');
      if (state.kind === 'waiting') delays.push(state.retryInMs);
      await clock.advance(delays.at(-1) ?? 0);
      expect(line.last.target.clientId).toBe(7);
      line.last.say('disconnected');
    }
    // Half of the full wait each, since that is what the dice say here.
    expect(delays).toEqual([50, 100, 200, 400, 800, 1600, 2500, 2500, 2500]);
    expect(new Set(line.links).size).toBe(10);
    expect(line.links.every(({ closed }) => closed)).toBe(true);
    await clock.advance(2500);
    line.last.beReady();
    expect(connection.state).toMatchObject({ kind: 'ready', session: { epoch: 2 } });
    expect(states.filter((state) => state === 'ready')).toHaveLength(2);
    await connection.close();
  });

  it('takes a client id in use for its own shadow, and tries again', async () => {
    const { clock, line, connection, connect } = start();
    await connect();
    line.last.say('disconnected');
    for (let i = 0; i < 3; i++) {
      await clock.advance(5000);
      line.last.say('server', 193, 'now');
      line.last.say('info', 'Unable to connect as the client id is already in use.', 326);
      expect(connection.state.kind).toBe('waiting');
    }
    await clock.advance(5000);
    line.last.beReady();
    expect(connection.figures()).toMatchObject({
      state: 'ready',
      reconnects: 1,
      supervisor: { idCollisions: 3 },
    });
    await connection.close();
  });

  it('finds a silent gateway within the heartbeat and its deadline', async () => {
    const { clock, line, connection, connect } = start({ heartbeatMs: 1000, heartbeatTimeoutMs: 500 });
    await connect();
    await clock.advance(999);
    expect(line.last.calls).toEqual([]);
    await clock.advance(1);
    expect(line.last.calls).toEqual([['reqCurrentTime']]);
    await clock.advance(499);
    expect(connection.state.kind).toBe('ready');
    await clock.advance(1);
    expect(connection.state).toMatchObject({ kind: 'waiting', cause: { code: 'ERR_IB_CONNECTION_LOST' } });
    expect(connection.figures().supervisor).toMatchObject({ lost: 1, heartbeatsMissed: 1 });
    await connection.close();
  });

  it('asks nothing while requests are answered, and goes on where it is answered', async () => {
    const { clock, line, connection, connect } = start({ heartbeatMs: 1000, heartbeatTimeoutMs: 500 });
    await connect();
    for (let i = 0; i < 10; i++) {
      await clock.advance(900);
      line.last.say('contractDetailsEnd', 1);
    }
    expect(line.last.calls).toEqual([]);
    for (let i = 1; i <= 5; i++) {
      await clock.advance(1000);
      expect(line.last.calls).toHaveLength(i);
      line.last.say('currentTime', 1);
    }
    expect(connection.figures()).toMatchObject({ state: 'ready', reconnects: 0 });
    await connection.close();
  });

  it('takes a gateway that sends ticks and answers nothing for dead', async () => {
    const { clock, line, connection, connect } = start({ heartbeatMs: 1000, heartbeatTimeoutMs: 500 });
    await connect();
    for (let i = 0; i < 15; i++) {
      line.last.say('tickPrice', 1, 1, 99.5, true);
      line.last.say('info', 'Market data farm connection is OK:usfarm', 2104);
      await clock.advance(100);
    }
    expect(connection.state).toMatchObject({
      kind: 'waiting',
      cause: {
        code: 'ERR_IB_CONNECTION_LOST',
        message: expect.stringContaining('goes on to send data, but has answered nothing for 1500 ms'),
      },
    });
    await connection.close();
  });

  it('does not take its own blocked loop for a dead gateway', async () => {
    const { clock, line, connection, connect } = start({ heartbeatMs: 1000, heartbeatTimeoutMs: 500 });
    await connect();
    await clock.advance(1000);
    // The answer lies in the socket while the loop stands still; it is read after the timers have fired.
    line.onArrived = (callback) => {
      line.last.say('currentTime', 1);
      callback();
    };
    clock.block(10_000);
    await clock.settle();
    expect(connection.figures()).toMatchObject({ state: 'ready', supervisor: { lost: 0 } });
    // Nothing lies there this time, but the gateway had only the time in which nobody looked.
    line.onArrived = (callback) => callback();
    await clock.advance(1000);
    clock.block(10_000);
    await clock.settle();
    expect(connection.state.kind).toBe('ready');
    await clock.advance(499);
    expect(connection.state.kind).toBe('waiting');
    await connection.close();
  });

  it('is not torn down by farms, 1100, 1101 or 1102, however often', async () => {
    const { clock, line, connection, connect } = start();
    await connect();
    for (let i = 0; i < 20; i++) {
      for (const code of [2103, 2105, 2104, 2106, 2158, 1100, i % 2 === 0 ? 1101 : 1102]) {
        line.last.say('info', 'a notice', code);
        await clock.advance(10);
      }
    }
    expect(connection.figures()).toMatchObject({
      state: 'ready',
      upstream: 'up',
      reconnects: 0,
      supervisor: { upstreamLost: 20, attempts: 1 },
    });
    line.last.say('info', 'Connectivity between IB and TWS has been lost.', 1100);
    expect(connection.figures()).toMatchObject({ state: 'ready', upstream: 'down' });
    await connection.close();
  });

  it('follows the gateway to another port', async () => {
    const { clock, line, connection, connect } = start();
    await connect();
    line.last.say(
      'info',
      'TWS socket port has been reset and this connection is being dropped. new port is 7500',
      1300,
    );
    line.last.say('disconnected');
    await clock.advance(5000);
    expect(line.last.target).toEqual({ ...TARGET, port: 7500 });
    await connection.close();
  });

  it('comes to an end in whatever state it is closed', async () => {
    for (const until of ['idle', 'connecting', 'ready', 'waiting'] as const) {
      const { clock, line, connection, connect } = start();
      const waiting = until === 'connecting' ? connection.ready() : null;
      if (until === 'ready' || until === 'waiting') await connect();
      await clock.settle();
      if (until === 'waiting') line.last.say('disconnected');
      expect(connection.state.kind).toBe(until);
      const rejection =
        waiting === null ? null : expect(waiting).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
      await connection.close();
      await rejection;
      await connection.close();
      expect(line.ended).toBe(true);
      expect(line.links.every(({ closed }) => closed)).toBe(true);
      expect(clock.timers).toEqual({ foreground: 0, background: 0 });
      await expect(connection.currentTime()).rejects.toMatchObject({ code: 'ERR_IB_CLOSED' });
    }
  });
});

describe('client ids', () => {
  it('are unique, the lowest free one first, and at most 32', () => {
    const ids = new ClientIds({ base: 10 });
    const taken = Array.from({ length: 32 }, () => ids.take());
    expect(taken).toEqual(Array.from({ length: 32 }, (_, i) => 10 + i));
    expect(() => ids.take()).toThrow(
      expect.objectContaining({ code: 'ERR_IB_POOL_EXHAUSTED', name: 'PoolExhaustedError' }),
    );
    ids.give(20);
    expect(ids.free).toBe(1);
    expect(ids.take()).toBe(20);
  });

  it.each([[{ base: -1 }], [{ base: 1.5 }], [{ most: 0 }]])('are refused for %o', (options) => {
    expect(() => new ClientIds(options)).toThrow(
      expect.objectContaining({ code: 'ERR_IB_OPTION', kind: 'usage' }),
    );
  });
});
