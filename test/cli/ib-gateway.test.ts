import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { connectControl } from '../../src/lab/ib-gateway/control-client.js';
import { eventually } from '../helpers/eventually.js';
import { type TestIo, testIo } from '../helpers/io.js';
import { RawClient } from '../lab/ib-gateway/raw-client.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-ib-gateway-'));
  await writeFile(join(folder, 'day.json'), '[{"kind":"notice","code":2137,"text":"hello","everyMs":5}]');
  await writeFile(join(folder, 'wrong.json'), '[{"kind":"notice","code":2137}]');
  await writeFile(join(folder, 'no.json'), 'faults');
});
afterAll(() => rm(folder, { recursive: true }));

function start(argv: readonly string[], io: TestIo = testIo({ cwd: folder })) {
  const finished = runMain({ commands, version: () => '1.2.3' }, ['ib', 'gateway', ...argv], io);
  return { io, finished };
}

describe('poolctl ib gateway', () => {
  it('says in one line where it listens, and ends by Ctrl-C with 0', async () => {
    const { io, finished } = start(['--port', '0']);
    await eventually(() => io.out() !== '');
    const [, port = '', controlPort = '', token = ''] =
      /^gateway at 127\.0\.0\.1:(\d+), control at 127\.0\.0\.1:(\d+) with token ([\w-]{22}), server version 193\n$/.exec(
        io.out(),
      ) ?? [];
    const client = await RawClient.ready({ port: Number(port), clientId: 3 });
    await using steering = await connectControl({ host: '127.0.0.1', port: Number(controlPort), token });
    expect((await steering.counts()).clients.ids).toEqual([3]);
    io.interrupts.receive('SIGINT');
    expect(await finished).toBe(0);
    await client.over;
    expect(io.err()).toBe('');
    await expect(RawClient.connect({ port: Number(port) })).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  it('says it in JSON, takes every option, and plays the faults of a file', async () => {
    const options =
      '--port 0 --control-port 0 --format json --server-version 151 --seed 9 --account DU1 --account DU2 ' +
      '--client-cap 3 --over-cap silence --message-limit 0 --strikes 0 --no-history-pacing ' +
      '--market-data-lines 5 --tick-interval 1s --faults day.json --speed 2 --verbose';
    const { io, finished } = start(options.split(' '));
    await eventually(() => io.out() !== '');
    const told = JSON.parse(io.out()) as { port: number };
    expect(told).toEqual({
      schema: 1,
      host: '127.0.0.1',
      port: expect.any(Number),
      controlPort: expect.any(Number),
      controlToken: expect.stringMatching(/^[\w-]{22}$/),
      serverVersion: 151,
    });
    const client = await RawClient.ready({ port: told.port, clientId: 3 });
    expect(client.messages[0]?.[0]).toBe('151');
    expect((await client.heard(15))[2]).toBe('DU1,DU2');
    await client.heardCode(2137);
    io.interrupts.receive('SIGINT');
    expect(await finished).toBe(0);
    expect(io.err()).toContain('client 3 ready, version 151');
  });

  it('ends by SIGTERM with 143', async () => {
    const { io, finished } = start(['--port', '0']);
    await eventually(() => io.out() !== '');
    io.interrupts.receive('SIGTERM');
    expect(await finished).toBe(143);
  });

  it('takes its port from IBKR_PORT', async () => {
    const { io, finished } = start([], testIo({ cwd: folder, env: { IBKR_PORT: '0' } }));
    await eventually(() => io.out() !== '');
    expect(io.out()).not.toContain(':7497');
    io.interrupts.receive('SIGINT');
    await finished;
  });

  it.each(['--port', '--control-port'])('a taken %s is exit 3, and what to do', async (option) => {
    const server = createServer().listen(0, '127.0.0.1');
    await eventually(() => server.listening);
    const { port } = server.address() as AddressInfo;
    const { io, finished } = start(['--port', '0', option, String(port)]);
    expect(await finished).toBe(3);
    expect(io.err()).toContain(`cannot listen at 127.0.0.1:${port}: the address is in use (EADDRINUSE`);
    expect(io.err()).toContain('hint: something listens there already');
    server.close();
  });

  it.each([
    ['an address that others reach', ['--host', '0.0.0.0'], 2, 'give --allow-remote if that is meant'],
    ['an address of another machine', ['--host', '192.0.2.1'], 2, '--allow-remote'],
    ['one that this machine has not', ['--host', '192.0.2.1', '--allow-remote'], 3, 'EADDRNOTAVAIL'],
    ['a version of protobuf', ['--server-version', '201'], 2, '--server-version'],
    ['a version before the text protocol', ['--server-version', '99'], 2, '--server-version'],
    ['a port that does not exist', ['--port', '65536'], 2, '--port'],
    ['a plan that is not there', ['--faults', 'none.json'], 3, 'cannot read none.json'],
    ['a plan that is not JSON', ['--faults', 'no.json'], 2, 'no.json is not JSON'],
    ['a wrong fault', ['--faults', 'wrong.json'], 2, 'fault 1: notice: text is missing'],
    ['an argument', ['now'], 2, "unexpected argument 'now'"],
    ['a misspelt option', ['--serverversion', '5'], 2, '--server-version'],
  ])('refuses %s', async (_, argv, code, message) => {
    const { io, finished } = start(['--port', '0', ...argv]);
    expect(await finished).toBe(code);
    expect(io.err()).toContain(message);
    expect(io.out()).toBe('');
  });
});
