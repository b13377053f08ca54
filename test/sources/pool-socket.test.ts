import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { proofOf } from '../../src/base/token.js';
import { findSockets } from '../../src/sources/discovery.js';
import { Poller } from '../../src/sources/poller.js';
import { openSource } from '../../src/sources/registry.js';
import type { StatsSource } from '../../src/sources/types.js';
import type { SocketOwner } from '../../src/watch/directory.js';
import { type Published, publish } from '../../src/watch/publish.js';
import { eventually } from '../helpers/eventually.js';
import { describeWithPostgres, newDatabase, type OwnDatabase } from '../helpers/postgres.js';
import { TOKEN, TOKEN_ENV } from '../helpers/token.js';
import { type App, startApp } from './apps.js';

const options = { env: {}, clock: systemClock };
const HELLO = {
  schema: 1,
  app: { name: 'shop', pid: 4711, host: 'here', node: 'v20', startedAtMs: 5 },
};
const POOL = {
  ...{
    schema: 1,
    name: 'orders',
    driver: 'pg',
    takenAtMs: 9,
    size: 5,
    live: 3,
    idle: 1,
    inUse: 2,
    waiting: 4,
  },
  counters: { acquired: 12 },
  holders: [
    { leaseId: 1, ageMs: 2500, site: '/app/orders.js:88:3', leaked: true, localPort: 4001, backendPid: -7 },
  ],
};

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-socket-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('the source pool:', () => {
  let servers: Server[];
  let sockets: Socket[];
  let sources: StatsSource[];

  beforeEach(() => {
    servers = [];
    sockets = [];
    sources = [];
  });
  afterEach(async () => {
    for (const source of sources) await source[Symbol.asyncDispose]();
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  /** Listens, says `hello` to each who comes, and lets `answer` write what it likes to each line. */
  const listen = async (hello: string, answer: (socket: Socket) => void): Promise<string> => {
    const server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      socket.write(hello);
      socket.on('data', () => answer(socket));
    }).listen(0, '127.0.0.1');
    servers.push(server);
    await once(server, 'listening');
    return `pool:127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  const lineOf = (value: unknown): string => `${JSON.stringify(value)}\n`;
  const sourceOf = (address: string): StatsSource => {
    const source = openSource(address, options);
    sources.push(source);
    return source;
  };
  const read = (source: StatsSource, signal = new AbortController().signal) => source.read(signal);
  const readFrom = async (hello: string, answer: string) =>
    read(sourceOf(await listen(hello, (socket) => void socket.write(answer))));

  it('reads what an application says of its pools; what it does not say is null', async () => {
    const published = { takenAtMs: 9, pools: [POOL], gaps: ['a bundled copy of pg'] };
    const reading = await readFrom(lineOf(HELLO), lineOf(published));
    expect(reading.gaps).toEqual([{ what: 'pools', why: 'a bundled copy of pg' }]);
    expect(reading.pools).toMatchObject([
      {
        ...{ app: HELLO.app, name: 'orders', size: 5, inUse: 2, waiting: 4, maxOverflow: null, wait: null },
        counters: { acquired: 12, timedOut: null },
        holders: [
          {
            leaseId: 1,
            ageMs: 2500,
            leaked: true,
            localPort: 4001,
            backendPid: -7,
            lastSql: null,
            busy: null,
          },
        ],
      },
    ]);
  });

  it('asks again on the same connection, and puts together what comes in pieces', async () => {
    const text = lineOf({ takenAtMs: 9, pools: [{ ...POOL, name: 'Bestellungen äöü' }], gaps: [] });
    const bytes = Buffer.from(text);
    const address = await listen(lineOf(HELLO), (socket) => {
      for (let i = 0; i < bytes.length; i += 7) socket.write(bytes.subarray(i, i + 7));
    });
    const source = sourceOf(address);
    for (let i = 0; i < 3; i++) expect((await read(source)).pools[0]?.name).toBe('Bestellungen äöü');
    expect(sockets).toHaveLength(1);
  });

  it.each<[string, string, string, RegExp]>([
    ['no JSON', 'HTTP/1.1 400 Bad Request\r\n\r\n', '', /no JSON/],
    ['a list', '[]\n', '', /no object/],
    ['nothing', 'null\n', '', /no object/],
    ['another schema', lineOf({ ...HELLO, schema: 2 }), '', /newer/],
    ['no process', lineOf({ schema: 1, app: { name: 'x', pid: '1' } }), '', /which process/],
    ['an answer that is no JSON', lineOf(HELLO), '{"pools":[\n', /no JSON/],
    ['an answer without pools', lineOf(HELLO), '{"pools":{"length":9}}\n', /any pools/],
    ['an answer nested without end', lineOf(HELLO), `{"pools":${'['.repeat(1e5)}\n`, /no JSON/],
  ])('refuses %s', async (_, hello, answer, words) => {
    await expect(readFrom(hello, answer)).rejects.toMatchObject({
      code: 'ERR_SOURCE_ANSWER',
      message: expect.stringMatching(words),
      hint: expect.any(String),
    });
  });

  it('a malformed pool is a gap, and hostile fields come to nothing', async () => {
    const hostile = {
      ...{ ...POOL, inUse: '2' },
    };
    const strange = {
      ...POOL,
      ...{ size: -1, maxOverflow: 77, longestWaitMs: 'long', createError: 'x'.repeat(50_000) },
      ...{ counters: { acquired: -3, released: {} }, wait: { count: 1, sumUs: 'a' }, more: 'fields' },
      holders: [
        null,
        5,
        { leaseId: 'x' },
        { leaseId: 2, localPort: 70_000, backendPid: 1.5, busy: 'yes', site: 7 },
      ],
    };
    const text = JSON.stringify({ takenAtMs: 1, pools: [hostile, null, strange], gaps: [5, 'told'] });
    const proto = text
      .replace('"maxOverflow":77', '"maxOverflow":1e400')
      .replace('"counters":{', '"__proto__":{"polluted":1},"counters":{"__proto__":{"a":1},');
    const reading = await readFrom(lineOf(HELLO), `${proto}\n`);
    expect(reading.gaps.map(({ what }) => what)).toEqual(['pools', 'pool 1', 'pool 2']);
    const [pool] = reading.pools;
    expect(pool).toMatchObject({
      ...{ size: null, maxOverflow: null, longestWaitMs: null, wait: null, hold: null },
      counters: { acquired: null, released: null },
      holders: [{ leaseId: 2, localPort: null, backendPid: null, busy: null, site: null }],
    });
    expect(pool?.createError).toHaveLength(10_000);
    // From a newer version, as far as this one knows: a recording keeps it.
    expect(pool).toHaveProperty('more', 'fields');
    expect({}).not.toHaveProperty('polluted');
  });

  it('what only some kinds of pools tell is taken over, and is left out where it makes no sense', async () => {
    const setup = { acquireTimeoutMs: 'never', recycleMs: 5, prePing: 'yes', statementTimeoutMs: 'soon' };
    const connection = {
      clientId: 3,
      state: 'ready',
      upstream: 'up',
      supervisor: { idCollisions: 2, lost: -1 },
    };
    const ib = {
      ...{ host: 'gw', port: 4002, clientIds: [3, 'x', -1], clientIdsFree: 4 },
      pacing: { limitPerSecond: 50, messagesPerSecond: 45, peakSecond: 45, sent: 99, waiting: 0 },
      connections: [connection, { clientId: 'x' }, null],
    };
    const feed = { ...{ symbols: 7, live: 6, capacity: 10, stale: 1 }, connections: [{ id: 1 }] };
    const broken = { ...POOL, ib: { host: 'gw' }, feed: { symbols: '7' }, setup: 7 };
    const text = JSON.stringify({ takenAtMs: 1, pools: [{ ...POOL, setup, ib, feed }, broken], gaps: [] });
    const { pools } = await readFrom(lineOf(HELLO), `${text}\n`);
    expect(pools[0]).toMatchObject({
      setup: { acquireTimeoutMs: 'never', recycleMs: 5, prePing: null, statementTimeoutMs: null },
      ib: {
        ...{ clientIds: [3], clientIdsFree: 4, pacing: { peakSecond: 45, longestWaitMs: null } },
        connections: [{ clientId: 3, upstream: 'up', attempts: null, lost: null, idCollisions: 2 }],
      },
      feed: { symbols: 7, stale: 1, dropped: null, connections: [] },
    });
    for (const part of ['ib', 'feed', 'setup']) expect(pools[1]).not.toHaveProperty(part);
  });

  it('a line that does not end is cut off', async () => {
    const chunk = 'x'.repeat(1_000_000);
    const address = await listen(lineOf(HELLO), (socket) => {
      const more = (): void => {
        while (!socket.destroyed && socket.write(chunk));
      };
      socket.on('drain', more);
      more();
    });
    await expect(read(sourceOf(address))).rejects.toMatchObject({
      code: 'ERR_SOURCE_ANSWER',
      message: expect.stringContaining('does not stop sending'),
    });
  });

  it('an answer that comes too late is not taken for the next one', async () => {
    const asked: Socket[] = [];
    const answer = (name: string) => lineOf({ takenAtMs: 1, pools: [{ ...POOL, name }], gaps: [] });
    const source = sourceOf(await listen(lineOf(HELLO), (socket) => void asked.push(socket)));
    const giveUp = new AbortController();
    const first = read(source, giveUp.signal);
    await eventually(() => asked.length === 1);
    giveUp.abort(new Error('too late'));
    await expect(first).rejects.toThrow('too late');
    asked[0]?.write(answer('late'));
    const second = read(source);
    await eventually(() => asked.length === 2);
    asked[1]?.write(answer('in time'));
    expect((await second).pools[0]?.name).toBe('in time');
  });

  it('one that speaks unasked is refused, since its answers would be those to older questions', async () => {
    const answer = lineOf({ takenAtMs: 1, pools: [], gaps: [] });
    const source = sourceOf(await listen(lineOf(HELLO), (socket) => void socket.write(answer + answer)));
    await read(source);
    await expect(read(source)).rejects.toThrow('unasked');
  });

  it('one that has gone between two readings is connected to again', async () => {
    const source = sourceOf(
      await listen(
        lineOf(HELLO),
        (socket) => void socket.write(lineOf({ takenAtMs: 1, pools: [], gaps: [] })),
      ),
    );
    await read(source);
    const [first] = sockets;
    first?.destroy();
    // The other end hears of it a moment later.
    await eventually(async () => (await read(source).catch(() => null)) !== null);
    expect(sockets).toHaveLength(2);
  });

  it('one that hangs up is told, and connected to again', async () => {
    let times = 0;
    const address = await listen(lineOf(HELLO), (socket) => {
      if (++times === 1) socket.destroy();
      else socket.write(lineOf({ takenAtMs: 1, pools: [], gaps: [] }));
    });
    const source = sourceOf(address);
    await expect(read(source)).rejects.toMatchObject({ code: 'ERR_SOURCE_UNREACHABLE' });
    expect((await read(source)).pools).toEqual([]);
  });

  it.each([
    ['pool:', 'write pool:/path/to/the.sock or pool:127.0.0.1:9100'],
    ['pool:orders', 'write pool:/path/to/the.sock or pool:127.0.0.1:9100'],
    ['pool:127.0.0.1:0', 'write pool:/path/to/the.sock or pool:127.0.0.1:9100'],
    ['pool:127.0.0.1:70000', 'write pool:/path/to/the.sock or pool:127.0.0.1:9100'],
    ['redis://app:secret@host/0', expect.stringMatching(/^there is pool:PATH/)],
    ['orders.sock', expect.stringMatching(/^there is pool:PATH/)],
    ['postgres://app:secret@host:99999/db', 'write postgres://user@host:port/database'],
    ['postgres://app:secret/db', 'write postgres://user@host:port/database'],
    ['postgres://app:secret?x@host/db', 'write postgres://user@host:port/database'],
    ['postgres:app:secret@host/db', 'write postgres://user@host:port/database'],
    ['prometheus:me:secret@host/metrics', 'write prometheus:http://host:9090/metrics'],
    ['pgbouncer://app:secret@host:6432/orders', 'write pgbouncer://user@host:6432/, without one'],
  ])('the address %s is refused with a hint, and without its password', (address, hint) => {
    const thrown = (() => {
      try {
        return openSource(address, options);
      } catch (error) {
        return error;
      }
    })();
    expect(thrown).toMatchObject({ code: 'ERR_SOURCE_ADDRESS', hint });
    expect(String(thrown)).not.toContain('secret');
  });

  describe('of an application that publishes on a port', () => {
    const published: Published[] = [];
    afterEach(() => {
      for (const one of published.splice(0)) one.close();
    });
    const ownerIn = (env: Record<string, string>): SocketOwner => ({
      ...{ platform: process.platform, env, uid: process.getuid?.() ?? null },
      ...{ userName: 'me', tempFolder: folder },
    });
    const onPort = async (token: string | null, owner?: SocketOwner): Promise<string> => {
      const one = await publish({
        app: HELLO.app,
        at: { kind: 'port', host: '127.0.0.1', port: 0, token, ...(owner && { owner }) },
        read: () => ({ takenAtMs: 1, pools: [], gaps: ['told'] }),
        clock: systemClock,
      });
      published.push(one);
      return `pool:${one.address}`;
    };
    const readAs = (address: string, env: Record<string, string>, owner?: SocketOwner) => {
      const source = openSource(address, { env, clock: systemClock, ...(owner && { owner }) });
      sources.push(source);
      return read(source);
    };

    it('knows the token from POOLCTL_TOKEN, and from the file of its own user', async () => {
      const given = await onPort(TOKEN);
      expect((await readAs(given, TOKEN_ENV)).gaps).toHaveLength(1);
      const owner = ownerIn({ XDG_RUNTIME_DIR: folder });
      const kept = await onPort(null, owner);
      expect((await readAs(kept, {}, owner)).gaps).toHaveLength(1);
      expect((await readAs(kept.replace('127.0.0.1', 'localhost'), {}, owner)).gaps).toHaveLength(1);
    });

    it.each<[string, Record<string, string>, RegExp]>([
      ['no token', {}, /^the application at 127\.0\.0\.1:\d+ needs a token$/],
      [
        'a wrong token',
        { POOLCTL_TOKEN: 'wrong-token-of-16' },
        /^the application at 127\.0\.0\.1:\d+ does not accept this token$/,
      ],
      [
        'a token that is none',
        { POOLCTL_TOKEN: 'sh0rt' },
        /^POOLCTL_TOKEN: a token has 16 to 256 characters/,
      ],
    ])('is refused with %s', async (_, env, words) => {
      const address = await onPort(TOKEN);
      const refused = await readAs(address, env, ownerIn({ XDG_RUNTIME_DIR: folder })).catch(
        (error) => error,
      );
      expect(refused).toMatchObject({ code: 'ERR_SOURCE_TOKEN', message: expect.stringMatching(words) });
      expect(`${refused.message} ${refused.hint}`).not.toMatch(/wrong-token|sh0rt/);
    });

    it('never sends the token itself, which an impostor at the port would learn', async () => {
      let heard = '';
      const address = await listen(lineOf({ schema: 1, challenge: 'chosen' }), () => {});
      servers[0]?.on('connection', (socket) => socket.on('data', (bytes) => (heard += bytes)));
      const stop = new AbortController();
      const source = openSource(address, { env: TOKEN_ENV, clock: systemClock });
      sources.push(source);
      const reading = read(source, stop.signal).catch(() => {});
      await eventually(() => heard !== '');
      stop.abort();
      await reading;
      expect(heard).toBe(`${proofOf(TOKEN, 'chosen')}\n`);
    });
  });

  it.each([
    ['nothing there', () => join(folder, '1-0.sock'), /no such socket/],
    [
      'a file',
      async () => {
        await writeFile(join(folder, '1-0.sock'), '');
        return join(folder, '1-0.sock');
      },
      /no socket|does not publish/,
    ],
  ])('%s is told', async (_, pathOf, hint) => {
    await expect(read(sourceOf(`pool:${await pathOf()}`))).rejects.toMatchObject({
      code: 'ERR_SOURCE_UNREACHABLE',
      hint: expect.stringMatching(hint),
    });
  });
});

describe('the folder of sockets', () => {
  const signal = new AbortController().signal;
  const ownerAt = (runtime: string, uid = process.getuid?.() ?? 0): SocketOwner => ({
    ...{ platform: 'linux', env: { XDG_RUNTIME_DIR: runtime }, uid, userName: 'me', tempFolder: tmpdir() },
  });

  it('may be missing', async () => {
    expect(await findSockets(ownerAt(join(folder, 'nowhere')), signal)).toEqual([]);
  });

  it('is not trusted where it is another user’s, a link, or no folder', async () => {
    await mkdir(join(folder, 'poolctl'));
    const notOurs = { code: 'ERR_SOCKET_FOLDER', hint: expect.any(String) };
    await expect(findSockets(ownerAt(folder, 4_000_000), signal)).rejects.toMatchObject(notOurs);
    await mkdir(join(folder, 'linked'));
    await symlink(join(folder, 'poolctl'), join(folder, 'linked/poolctl'));
    await expect(findSockets(ownerAt(join(folder, 'linked')), signal)).rejects.toMatchObject(notOurs);
    await mkdir(join(folder, 'file'));
    await writeFile(join(folder, 'file/poolctl'), '');
    await expect(findSockets(ownerAt(join(folder, 'file')), signal)).rejects.toMatchObject(notOurs);
  });

  it('is closed to others, and what is no socket of ours in it is left alone', async () => {
    const place = join(folder, 'poolctl');
    await mkdir(place);
    await chmod(place, 0o755);
    await writeFile(join(place, 'notes.txt'), '');
    expect(await findSockets(ownerAt(folder), signal)).toEqual([]);
    expect((await stat(place)).mode & 0o777).toBe(0o700);
    expect(await readdir(place)).toEqual(['notes.txt']);
  });
});

describeWithPostgres('published applications', () => {
  let own: OwnDatabase;
  let apps: App[];

  beforeEach(async () => {
    own = await newDatabase();
    apps = [];
  });
  afterEach(async () => {
    for (const app of apps) await app.end();
  });

  const start = async (name: string): Promise<App> => {
    const app = await startApp({ name, url: own.url(), folder });
    apps.push(app);
    return app;
  };
  const owner = (): SocketOwner => ({
    ...{ platform: process.platform, env: { XDG_RUNTIME_DIR: folder }, userName: 'me', tempFolder: tmpdir() },
    uid: process.getuid?.() ?? null,
  });
  const find = () => findSockets(owner(), new AbortController().signal);

  it('are found; the socket of one that was killed is removed', async () => {
    const [one, two] = [await start('one'), await start('two')];
    const both = [one, two].map(({ address, path, pid }) => ({ address, path, pid }));
    expect(await find()).toEqual(both.sort((a, b) => a.pid - b.pid));
    await one.end();
    expect(await find()).toEqual([{ address: two.address, path: two.path, pid: two.pid }]);
    expect(await readdir(join(folder, 'poolctl'))).toHaveLength(1);
  });

  it('one that is killed keeps its last reading, and says why it is stale', async () => {
    const app = await start('one');
    await (await app.begin('select 1')).done();
    await using poller = new Poller([openSource(app.address, options)], {
      clock: systemClock,
      intervalMs: 60,
    });
    const state = () => poller.states()[0];
    await eventually(() => state()?.reading?.pools[0]?.holders[0] !== undefined);
    await app.end();
    await eventually(() => state()?.stale !== null && (state()?.stale?.failures ?? 0) > 1);
    expect(state()).toMatchObject({
      reading: { pools: [{ inUse: 1, holders: [{ site: expect.stringContaining('app.mjs') }] }] },
      stale: { hint: 'the application has ended, or does not publish there', ended: true },
    });
  });

  it('one that is stopped delays nothing: not the finding, not the others, not the end', async () => {
    const [stopped, lively] = [await start('stopped'), await start('lively')];
    stopped.child.kill('SIGSTOP');
    expect(await find()).toHaveLength(2);
    const sources = [stopped, lively].map(({ address }) => openSource(address, options));
    {
      await using poller = new Poller(sources, { clock: systemClock, intervalMs: 60, limitMs: 300 });
      await eventually(() => poller.states()[1]?.reading != null);
      await eventually(() => poller.states()[0]?.stale?.why === 'no answer within 300ms');
      stopped.child.kill('SIGCONT');
      poller.refresh();
      await eventually(() => poller.states()[0]?.reading?.pools[0]?.app?.name === 'stopped');
      stopped.child.kill('SIGSTOP');
    }
  });
});
