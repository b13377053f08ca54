import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { ExitCode } from '../../src/cli/exit-codes.js';
import { runMain } from '../../src/cli/main.js';
import { type Fault, type GatewayOptions, startGateway } from '../../src/lab/ib-gateway/index.js';
import { encodeFrame } from '../../src/lab/ib-gateway/wire/frames.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import { RawClient } from '../lab/ib-gateway/raw-client.js';

const endings: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
});

async function gatewayWith(faults: readonly Fault[] = [], options: GatewayOptions = {}) {
  const gateway = await startGateway(options);
  endings.push(() => gateway.close());
  for (const fault of faults) await gateway.inject(fault);
  return gateway;
}

/** Something else that listens, and counts who is connected. */
async function listening(server: Server): Promise<{ port: number; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  endings.push(async () => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

async function ping(port: number, ...argv: string[]) {
  const io = testIo();
  const code = await runMain(
    { commands, version: () => '1.2.3' },
    ['ib', 'ping', `--port=${port}`, ...argv],
    io,
  );
  return { code, out: io.out(), err: io.err() };
}

describe('poolctl ib ping', () => {
  it('says in one line that a gateway is usable, with what was agreed on, and leaves nothing', async () => {
    const gateway = await gatewayWith([], { serverVersion: 176, accounts: ['DU1', 'DU2'] });
    const { code, out, err } = await ping(gateway.port, '--client-id=7');
    expect(out).toMatch(
      new RegExp(
        `^usable: gateway at 127\\.0\\.0\\.1:${gateway.port}, server version 176, accounts DU1 DU2, ` +
          'ready in [\\d.]+ (us|ms|s), round trip [\\d.]+ (us|ms|s), client id 7\\n$',
      ),
    );
    expect({ code, err }).toEqual({ code: ExitCode.Ok, err: '' });
    expect(gateway.counts()).toMatchObject({
      connections: { accepted: 1 },
      clients: { readyById: { 7: 1 } },
      messages: { receivedByType: { startApi: 1, currentTime: 2 } },
    });
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('says it in JSON, for scripts', async () => {
    const gateway = await gatewayWith();
    const { code, out } = await ping(gateway.port, '--format=json');
    expect(code).toBe(ExitCode.Ok);
    expect(JSON.parse(out)).toEqual({
      schema: 1,
      host: '127.0.0.1',
      port: gateway.port,
      clientId: 1,
      usable: true,
      serverVersion: 193,
      accounts: ['DU1234567'],
      phasesMs: {
        load: expect.any(Number),
        tcp: expect.any(Number),
        version: expect.any(Number),
        ready: expect.any(Number),
      },
      roundTripMs: expect.any(Number),
      upstream: 'up',
      error: null,
    });
  });

  it('takes the place and the client id from the environment', async () => {
    const gateway = await gatewayWith();
    const io = testIo({
      env: { IBKR_HOST: '127.0.0.1', IBKR_PORT: String(gateway.port), IBKR_CLIENT_ID: '12' },
    });
    const code = await runMain({ commands, version: () => '1.2.3' }, ['ib', 'ping'], io);
    expect(code).toBe(ExitCode.Ok);
    expect(gateway.counts().clients.readyById).toEqual({ 12: 1 });
  });

  it('tells a gateway that has lost its connection to IB, which is no failure of the gateway', async () => {
    const gateway = await gatewayWith([{ kind: 'lost' }]);
    const { code, out } = await ping(gateway.port);
    expect(out).toMatch(/^not usable, it has lost its connection to IB: gateway at .*\n$/);
    expect(code).toBe(ExitCode.Failed);
  });

  it.each<readonly [string, string, readonly Fault[], RegExp]>([
    [
      'says nothing',
      '300ms',
      [{ kind: 'silent-handshake' }],
      /the port answered, but no gateway said its version at \S+ within 300 ms \(ERR_IB_HANDSHAKE\)/,
    ],
    [
      'speaks protobuf only',
      '20s',
      [{ kind: 'server-version', version: 222 }],
      /speaks another version: Unsupported Version 222 \(ERR_IB_VERSION\)/,
    ],
    [
      'answers no request',
      '1500ms',
      [{ kind: 'mute' }],
      /was ready, and did not answer a request within 1500 ms \(ERR_IB_TIMEOUT\)/,
    ],
  ])('gives the reason, and exit 3, where a gateway %s', async (_, timeout, faults, reason) => {
    const gateway = await gatewayWith(faults);
    const { code, out } = await ping(gateway.port, `--timeout=${timeout}`);
    expect(out).toMatch(/^not usable: [^\n]*\n$/);
    expect(out).toMatch(reason);
    expect(code).toBe(ExitCode.Unavailable);
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it('gives the reason where a gateway is full', async () => {
    const gateway = await gatewayWith([], { clientCap: 1 });
    const holder = await RawClient.ready({ port: gateway.port, clientId: 9 });
    const { code, out, err } = await ping(gateway.port);
    expect(out).toMatch(/^not usable: the gateway at \S+ hung up before it was ready \(ERR_IB_CONNECT\)\n$/);
    expect(err).toContain('a gateway serves 32 clients at once');
    expect(code).toBe(ExitCode.Unavailable);
    await holder.hangUp();
  });

  it('gives the reason where the connection breaks in the middle of a request, and does not connect anew', async () => {
    const gateway = await gatewayWith();
    await gateway.inject({ kind: 'mute' });
    const finished = ping(gateway.port, '--timeout=20s');
    await eventually(() => gateway.counts().messages.muted > 0);
    await gateway.inject({ kind: 'drop' });
    const { code, out } = await finished;
    expect(out).toContain('(ERR_IB_CONNECTION_LOST)');
    expect(code).toBe(ExitCode.Unavailable);
    expect(gateway.counts().connections.accepted).toBe(1);
  });

  it('gives the reason where another has the client id', async () => {
    const gateway = await gatewayWith();
    const holder = await RawClient.ready({ port: gateway.port, clientId: 1 });
    const { code, out, err } = await ping(gateway.port);
    expect(out).toMatch(/^not usable: client id 1 is in use at \S+ \(ERR_IB_CLIENT_ID_IN_USE\)\n$/);
    expect(err).toContain('give --client-id another number');
    expect(code).toBe(ExitCode.Unavailable);
    await holder.hangUp();
  });

  it.each([
    ['an HTTP server that says so at once', () => createHttpServer(), /it says 'HTTP\/1\.1 400 Bad Request'/],
    [
      'an HTTP server that waits for a line',
      () =>
        createServer((socket) => {
          let heard = '';
          socket.on('data', (bytes) => {
            heard += bytes.toString('latin1');
            if (heard.includes('\r\n\r\n')) socket.end('HTTP/1.0 200 OK\r\n\r\n');
          });
        }),
      /it says 'HTTP\/1\.0 200 OK'/,
    ],
    [
      'a server that greets by itself',
      () => createServer((socket) => void socket.resume().write('SSH-2.0-Open\u001b[2JSSH\r\n')),
      /it says 'SSH-2\.0-Open\?\[2JSSH'/,
    ],
    [
      'one that sends garbage in frames',
      () =>
        createServer((socket) => void socket.resume().write(encodeFrame(['\u0001\u0002garbage', 'more']))),
      /its first message is not a version/,
    ],
  ])('takes %s for no gateway', async (_, make, reason) => {
    const { port, sockets } = await listening(make());
    const { code, out, err } = await ping(port, '--timeout=500ms');
    expect(out).toMatch(reason);
    expect(out).toContain('(ERR_IB_NOT_A_GATEWAY)');
    expect(err).toContain('TWS listens at 7496 (live) and 7497 (paper)');
    expect(code).toBe(ExitCode.Unavailable);
    await eventually(() => sockets.size === 0);
  });

  it('gives the reason where nobody listens, in JSON too', async () => {
    const gateway = await gatewayWith();
    const { port } = gateway;
    await gateway.close();
    const { code, out, err } = await ping(port, '--format=json');
    expect(JSON.parse(out)).toMatchObject({
      usable: false,
      port,
      error: { code: 'ERR_IB_CONNECT', message: expect.stringContaining('ECONNREFUSED') },
    });
    expect({ code, err }).toEqual({ code: ExitCode.Unavailable, err: '' });
  });

  it('writes an address of IPv6 as it is written with a port', async () => {
    const { out } = await ping(1, '--host=::1', '--timeout=20s');
    expect(out).toMatch(/^not usable: cannot connect to \[::1\]:1: /);
  });

  it('ends by Ctrl-C while it waits, and hangs up', async () => {
    const gateway = await gatewayWith([{ kind: 'silent-handshake' }]);
    const io = testIo();
    const finished = runMain(
      { commands, version: () => '1.2.3' },
      ['ib', 'ping', `--port=${gateway.port}`, '--timeout=1h'],
      io,
    );
    await eventually(() => gateway.counts().connections.open === 1);
    io.interrupts.receive('SIGINT');
    expect(await finished).toBe(ExitCode.Interrupted);
    expect(io.out()).toBe('');
    await eventually(() => gateway.counts().connections.open === 0);
  });

  it.each([
    [['--port=0'], '--port'],
    [['--client-id=-1'], '--client-id'],
    [['--timeout=5'], '--timeout'],
    [['now'], "unexpected argument 'now'"],
  ])('refuses %j, and touches nothing', async (argv, message) => {
    const { code, out, err } = await ping(7497, ...argv);
    expect(code).toBe(ExitCode.Usage);
    expect(err).toContain(message);
    expect(out).toBe('');
  });
});
