import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.js';
import { proofOf } from '../../src/base/token.js';
import type { App } from '../../src/snapshot/reading.js';
import type { PublishedPools } from '../../src/watch/protocol.js';
import { type PublishAt, type Published, publish } from '../../src/watch/publish.js';
import { keepToken, keptToken } from '../../src/watch/token-file.js';
import { TOKEN } from '../helpers/token.js';
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
  const port = (number = 0): PublishAt => ({ kind: 'port', host: '127.0.0.1', port: number, token: TOKEN });
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
    if (port !== undefined) {
      const { challenge } = (await next()) as { challenge: string };
      socket.write(`${proofOf(TOKEN, challenge)}\n`);
    }
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
    const { address } = await start(port());
    const { socket, next } = await reader(address);
    socket.write('\n');
    expect(await next()).toMatchObject({ takenAtMs: 1 });
    const [, taken] = address.split(':');
    await expect(start(port(Number(taken)))).rejects.toThrow(/cannot publish the pools: .*EADDRINUSE/);
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
      at: port(),
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

  describe('on a port, which any user of the machine reaches', () => {
    /** All that a peer hears before the application hangs up on what it says. */
    async function heard(address: string, answer: (challenge: string) => string | null): Promise<string> {
      const [, host, number] = /^([\d.]+):(\d+)$/.exec(address) ?? [];
      const socket = connect(Number(number), host).setEncoding('utf8');
      sockets.push(socket);
      socket.on('error', () => {});
      let text = '';
      const closed = new Promise((resolve) => void socket.once('close', resolve));
      socket.on('data', (more: string) => {
        const isFirst = text === '';
        text += more;
        if (!isFirst) return;
        const said = answer((JSON.parse(text) as { challenge: string }).challenge);
        if (said !== null) socket.write(said);
      });
      await closed;
      return text;
    }
    const CHALLENGE = /^\{"schema":1,"challenge":"[\w-]{22}"\}\n$/;
    const REFUSED = /^\{"schema":1,"challenge":"[\w-]{22}"\}\n\{"schema":1,"refused":true\}\n$/;

    it.each<[string, (challenge: string) => string]>([
      ['another token', (challenge) => `${proofOf('another-token-of-16', challenge)}\n`],
      ['the proof of another challenge', () => `${proofOf(TOKEN, 'A'.repeat(22))}\n`],
      ['the token itself', () => `${TOKEN}\n`],
      ['nothing', () => '\n'],
      ['a request of HTTP', () => 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
      ['a line without end', () => 'x'.repeat(10_000_000)],
      ['a proof, and more at once', (challenge) => `${proofOf(TOKEN, challenge)}\nread\n`],
    ])('tell nothing to a peer that answers with %s', async (_, answer) => {
      const { address } = await start(port());
      const text = await heard(address, answer);
      // The system may drop what we said while the peer was still sending.
      expect(REFUSED.test(text) || CHALLENGE.test(text)).toBe(true);
      expect(reads).toBe(0);
    });

    it('hang up on a peer that proves nothing in time', async () => {
      const clock = new VirtualClock();
      const { address } = await start(port(), clock);
      let challenged: () => void = () => {};
      const first = new Promise<void>((resolve) => {
        challenged = resolve;
      });
      const silent = heard(address, () => {
        challenged();
        return 'half a pr';
      });
      await first;
      await clock.advance(5000);
      expect(await silent).toMatch(CHALLENGE);
    });

    it('drop the oldest of too many strangers, and no reader', async () => {
      const { address } = await start(port());
      const known = await reader(address);
      const strangers = Array.from({ length: 40 }, () => heard(address, () => null));
      await Promise.race(strangers);
      known.socket.write('\n');
      expect(await known.next()).toMatchObject({ takenAtMs: 1 });
      await reader(address);
    });

    it('keep a random token in a file that only its owner reads, and remove it at the end', async () => {
      const { owner } = place() as Extract<PublishAt, { kind: 'socket' }>;
      const published = await start({ kind: 'port', host: '127.0.0.1', port: 0, owner });
      const file = String(published.tokenFile);
      expect(dirname(file)).toBe(join(folder, 'poolctl'));
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
      const [host = '', number] = published.address.split(':');
      expect(await keptToken(owner, { host, port: Number(number) })).toBe(published.token);
      expect(await keptToken(owner, { host: 'localhost', port: Number(number) })).toBe(published.token);
      published.close();
      expect(existsSync(file)).toBe(false);
    });

    it('replace a link that stands in place of the file, and do not follow it', async () => {
      const { owner } = place() as Extract<PublishAt, { kind: 'socket' }>;
      mkdirSync(join(folder, 'poolctl'), { mode: 0o700 });
      writeFileSync(join(folder, 'precious'), 'kept');
      symlinkSync(join(folder, 'precious'), join(folder, 'poolctl', '127.0.0.1-5.token'));
      const file = await keepToken(owner, { host: '127.0.0.1', port: 5 }, TOKEN);
      expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('kept');
      expect(lstatSync(String(file)).isSymbolicLink()).toBe(false);
    });

    it('say their token where it cannot be kept', async () => {
      const { owner } = place() as Extract<PublishAt, { kind: 'socket' }>;
      writeFileSync(join(folder, 'poolctl'), 'no folder');
      const published = await start({ kind: 'port', host: '127.0.0.1', port: 0, owner });
      expect(published).toMatchObject({ tokenFile: null, token: expect.stringMatching(/^[\w-]{22}$/) });
    });
  });
});
