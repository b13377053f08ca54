import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.js';
import type { App } from '../../src/snapshot/reading.js';
import type { PublishedPools } from '../../src/watch/protocol.js';
import { type PublishAt, type Published, publish } from '../../src/watch/publish.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

const app: App = { name: 'shop', pid: 42, host: 'here', node: 'v20', startedAtMs: 1 };

/** What the sockets of this process have to say by now is said. */
async function passingBy(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

describe.skipIf(process.platform === 'win32')('pools that are published', () => {
  let folder: string;
  let reads: number;
  const open: Published[] = [];
  const sockets: Socket[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'poolctl-publish-'));
    reads = 0;
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const published of open.splice(0)) published.close();
    await rm(folder, { recursive: true });
  });

  const place = (): PublishAt => ({
    kind: 'socket',
    owner: {
      platform: process.platform,
      env: { XDG_RUNTIME_DIR: folder },
      uid: process.getuid?.() ?? null,
      userName: 'me',
      tempFolder: tmpdir(),
    },
    pid: 42,
    thread: 0,
  });
  const read = (): PublishedPools => {
    reads++;
    return { takenAtMs: reads, pools: [], gaps: [] };
  };

  async function start(at: PublishAt = place(), clock: Clock = systemClock): Promise<Published> {
    const published = await publish({ app, at, read, clock });
    open.push(published);
    return published;
  }

  /** A reader that has been greeted; `next` is its next line. */
  async function reader(address: string) {
    const [, host, port] = /^([\d.]+):(\d+)$/.exec(address) ?? [];
    const socket = port === undefined ? connect(address) : connect(Number(port), host);
    sockets.push(socket);
    socket.on('error', () => {});
    const lines = createInterface(socket)[Symbol.asyncIterator]();
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
    expect(await next()).toEqual({ schema: 1, app });
    return { socket, next };
  }

  it('greet each reader, and answer each line it sends, whatever it says', async () => {
    const clock = new VirtualClock();
    const { socket, next } = await reader((await start(place(), clock)).address);
    expect(reads).toBe(0);
    socket.write('\n');
    expect(await next()).toEqual({ takenAtMs: 1, pools: [], gaps: [] });
    // Nothing is sent unasked.
    await passingBy();
    await clock.advance(500);
    await passingBy();
    expect(reads).toBe(1);
    socket.write('{"what":"ever"}\nabc\n');
    expect(await next()).toMatchObject({ takenAtMs: 2 });
    await clock.advance(50);
    expect(await next()).toMatchObject({ takenAtMs: 3 });
  });

  it('answer no line that is not over yet', async () => {
    const { address } = await start();
    const slow = await reader(address);
    slow.socket.write('half a li');
    const other = await reader(address);
    other.socket.write('\n');
    expect(await other.next()).toMatchObject({ takenAtMs: 1 });
    await passingBy();
    expect(slow.socket.bytesRead).toBe(Buffer.byteLength(`${JSON.stringify({ schema: 1, app })}\n`));
    slow.socket.write('ne\n');
    expect(await slow.next()).toHaveProperty('takenAtMs');
  });

  it('are private to the user, and their socket is removed with them', async () => {
    const published = await start();
    expect(statSync(published.address).mode & 0o777).toBe(0o600);
    expect(statSync(dirname(published.address)).mode & 0o777).toBe(0o700);
    published.close();
    expect(existsSync(published.address)).toBe(false);
  });

  it('take the place of a socket that a killed process left behind', async () => {
    mkdirSync(join(folder, 'poolctl'), { mode: 0o700 });
    writeFileSync(join(folder, 'poolctl', '42-0.sock'), '');
    const { socket, next } = await reader((await start()).address);
    socket.write('\n');
    expect(await next()).toMatchObject({ takenAtMs: 1 });
  });

  it('can be reached by a port of this machine', async () => {
    const { address } = await start({ kind: 'port', host: '127.0.0.1', port: 0 });
    const { socket, next } = await reader(address);
    socket.write('\n');
    expect(await next()).toMatchObject({ takenAtMs: 1 });
    const [, port] = address.split(':');
    await expect(start({ kind: 'port', host: '127.0.0.1', port: Number(port) })).rejects.toThrow(
      /cannot publish the pools: .*EADDRINUSE/,
    );
  });

  it('are read at most twenty times a second, by however many readers', async () => {
    const clock = new VirtualClock();
    const { address } = await start(place(), clock);
    const readers = [await reader(address), await reader(address), await reader(address)];
    for (const { socket } of readers) socket.write('\n\n\n');
    await Promise.all(readers.map(({ next }) => next()));
    expect(reads).toBe(1);
    await clock.advance(49);
    expect(reads).toBe(1);
    await clock.advance(1);
    await Promise.all(readers.map(({ next }) => next()));
    expect(reads).toBe(2);
  });

  it('are told to a reader that asks and does not listen no more than once', async () => {
    const { address } = await start();
    const big = { takenAtMs: 1, pools: [], gaps: ['x'.repeat(5_000_000)] };
    let readsOfDeaf = 0;
    const deaf = await publish({
      app,
      at: { kind: 'port', host: '127.0.0.1', port: 0 },
      read: () => {
        readsOfDeaf++;
        return big;
      },
      clock: systemClock,
    });
    open.push(deaf);
    const { socket } = await reader(deaf.address);
    socket.pause();
    for (let n = 0; n < 20; n++) socket.write('\n');
    // Another one is served meanwhile, several times over.
    const other = await reader(address);
    for (let n = 0; n < 5; n++) {
      other.socket.write('\n');
      await other.next();
    }
    expect(readsOfDeaf).toBe(1);
  });

  it('cut a reader off that asks without end', async () => {
    const { socket } = await reader((await start()).address);
    socket.write('\n'.repeat(1000));
    await once(socket, 'close');
    expect(reads).toBe(0);
  });

  it('make room for a new reader by dropping the one that was silent longest', async () => {
    const { address } = await start();
    const first = await reader(address);
    const gone = once(first.socket, 'close');
    for (let n = 0; n < 16; n++) await reader(address);
    await gone;
    const last = await reader(address);
    last.socket.write('\n');
    expect(await last.next()).toMatchObject({ takenAtMs: 1 });
  });

  it('end a reader instead of the application if they cannot be read', async () => {
    const published = await publish({
      app,
      at: place(),
      read() {
        throw new Error('made up');
      },
      clock: systemClock,
    });
    open.push(published);
    const { socket } = await reader(published.address);
    socket.write('\n');
    await once(socket, 'close');
  });
});
