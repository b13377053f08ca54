import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Control, startControl } from '../../../src/lab/ib-gateway/control.js';
import { connectControl } from '../../../src/lab/ib-gateway/control-client.js';
import { type Gateway, startGateway } from '../../../src/lab/ib-gateway/gateway.js';
import { eventually } from '../../helpers/eventually.js';
import { VirtualClock } from '../../helpers/virtual-clock.js';
import { RawClient } from './raw-client.js';

const cleanUp: (Gateway | Control)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0)) await each.close();
});

async function controlled() {
  const gateway = await startGateway();
  const control = await startControl(gateway, { host: '127.0.0.1', port: 0 });
  cleanUp.push(control, gateway);
  return { gateway, control };
}

/** What is answered to a text, until the gateway hangs up or `lines` have come. */
async function talk(control: Control, text: string, lines: number): Promise<unknown[]> {
  const auth = `${JSON.stringify({ do: 'auth', token: control.token })}\n`;
  const [first, ...answers] = await raw(control, auth + text, lines + 1);
  expect(first).toEqual({ ok: true });
  return answers;
}

/** The same for a client that does not say the token first. */
async function raw({ port }: Control, text: string, lines: number): Promise<unknown[]> {
  const socket = connect(port, '127.0.0.1').setEncoding('utf8');
  let answer = '';
  socket.on('error', () => {}).write(text);
  const closed = new Promise((resolve) => void socket.on('close', resolve));
  socket.on('data', (more: string) => {
    answer += more;
    if (answer.split('\n').length > lines) socket.destroy();
  });
  await closed;
  return answer
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

/** Resolves when it is closed, by an error too. */
function closing(socket: Socket): Promise<unknown> {
  return new Promise((resolve) => void socket.on('error', () => {}).once('close', resolve));
}

describe('the control socket', () => {
  it('tells the counts, injects faults and heals them', async () => {
    const { gateway, control } = await controlled();
    await using steering = await connectControl(control);
    expect(await steering.info()).toEqual({ host: '127.0.0.1', port: gateway.port, serverVersion: 193 });
    const client = await RawClient.ready({ port: gateway.port, clientId: 5 });
    expect(await steering.counts()).toEqual({ ...gateway.counts(), takenAtMs: expect.any(Number) });
    const id = await steering.inject({ kind: 'refuse' });
    await expect(RawClient.connect(gateway)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    expect(await steering.heal(id)).toBe(1);
    await RawClient.ready({ port: gateway.port, clientId: 6 });
    await steering.inject({ kind: 'drop', clientIds: [5] });
    expect(await client.over).toBe('ECONNRESET');
    expect((await steering.counts()).faults).toEqual({ refuse: 1, drop: 1 });
    await steering.clearCounts();
    expect(await steering.counts()).toMatchObject({
      connections: { accepted: 0, open: 1 },
      clients: { ids: [6] },
      faults: {},
    });
  });

  it('follows a gateway whose port has moved', async () => {
    const { gateway, control } = await controlled();
    await using steering = await connectControl(control);
    await steering.inject({ kind: 'move-port', port: 0 });
    expect((await steering.info()).port).toBe(gateway.port);
  });

  it('answers in order what came in one piece, byte by byte, or with blank lines between', async () => {
    const { control } = await controlled();
    const text = '{"do":"info"}\n\n{"do":"heal"}\r\n{"do":"counts"}\n';
    expect(await talk(control, text, 3)).toMatchObject([
      { ok: true, serverVersion: 193 },
      { ok: true, healed: 0 },
      { ok: true, counts: { schema: 1 } },
    ]);
  });

  it.each([
    ['{}', "'do' is counts, clear, info, inject or heal"],
    ['{"do":"inject"}', 'a fault is an object with a kind'],
    ['{"do":"inject","fault":{"kind":"slice"}}', 'slice: bytes is missing'],
    ['{"do":"heal","id":"1"}', 'id is not a number'],
  ])('says what is wrong with %s, and goes on', async (line, error) => {
    const { control } = await controlled();
    expect(await talk(control, `${line}\n{"do":"heal"}\n`, 2)).toMatchObject([
      { ok: false, error: expect.stringContaining(error) },
      { ok: true },
    ]);
  });

  it.each([
    ['a browser', 'POST / HTTP/1.1\r\n\r\n{"do":"inject","fault":{"kind":"lost"}}\n'],
    ['a list', '[]\n{"do":"inject","fault":{"kind":"lost"}}\n'],
    ['a line without end', 'x'.repeat(200_000)],
  ])('hangs up on %s', async (_, text) => {
    const { gateway, control } = await controlled();
    expect(await raw(control, text, 5)).toEqual([]);
    expect(await talk(control, text, 5)).toEqual([]);
    expect(gateway.counts().faults).toEqual({});
  });

  it.each([
    ['no token', '{"do":"info"}\n{"do":"counts"}\n'],
    ['a wrong token', '{"do":"auth","token":"wrong-token-of-16"}\n{"do":"info"}\n'],
    ['a token that is no text', '{"do":"auth","token":["x"]}\n{"do":"info"}\n'],
    ['an empty token', '{"do":"auth","token":""}\n{"do":"info"}\n'],
    ['a fault', '{"do":"inject","fault":{"kind":"lost"}}\n'],
  ])('tells nothing and does nothing for %s', async (_, text) => {
    const { gateway, control } = await controlled();
    expect(await raw(control, text, 5)).toEqual([{ ok: false, error: 'token' }]);
    expect(gateway.counts().faults).toEqual({});
  });

  it('hangs up on a stranger that sends without end, or is silent for 5 s', async () => {
    const { gateway } = await controlled();
    const clock = new VirtualClock();
    const control = await startControl(gateway, { host: '127.0.0.1', port: 0, clock });
    cleanUp.push(control);
    expect(await raw(control, 'x'.repeat(1_000_000), 5)).toEqual([]);
    const silent = connect(control.port, '127.0.0.1');
    const closed = closing(silent);
    silent.write('{"do":');
    await eventually(async () => {
      await clock.advance(5000);
      return silent.closed;
    });
    await closed;
  });

  it('drops the oldest of too many strangers, and no client', async () => {
    const { control } = await controlled();
    await using steering = await connectControl(control);
    const strangers = Array.from({ length: 40 }, () => connect(control.port, '127.0.0.1'));
    await Promise.race(strangers.map(closing));
    expect(await steering.info()).toMatchObject({ host: '127.0.0.1' });
    for (const one of strangers) one.destroy();
  });

  it('rejects a client with a wrong token, and says what to do', async () => {
    const { control } = await controlled();
    await expect(connectControl({ ...control, token: 'wrong-token-of-16' })).rejects.toMatchObject({
      code: 'ERR_IB_GATEWAY_CONTROL',
      message: `the control socket at 127.0.0.1:${control.port} refuses the token`,
      hint: expect.stringContaining('--control-token'),
    });
  });

  it('rejects what is asked when its process is killed, and throws nothing past its callers', async () => {
    const killed = createServer((socket) => {
      socket.once('data', () => void socket.write('{"ok":true}\n'));
      socket.on('data', (bytes) => {
        if (bytes.includes('counts')) socket.resetAndDestroy();
      });
    }).listen(0, '127.0.0.1');
    await once(killed, 'listening');
    const { port } = killed.address() as AddressInfo;
    const client = await connectControl({ host: '127.0.0.1', port, token: 'a'.repeat(22) });
    await expect(client.counts()).rejects.toMatchObject({ code: 'ERR_IB_GATEWAY_CONTROL' });
    killed.close();
  });

  it('rejects what is asked when the gateway ends, or has ended', async () => {
    const { gateway, control } = await controlled();
    const steering = await connectControl(control);
    await control.close();
    await gateway.close();
    await expect(steering.counts()).rejects.toMatchObject({ code: 'ERR_IB_GATEWAY_CONTROL' });
    await expect(connectControl(control)).rejects.toMatchObject({
      code: 'ERR_IB_GATEWAY_CONTROL',
      message: `no control socket at 127.0.0.1:${control.port}`,
    });
  });
});
