import { chmod, lstat, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueuePool } from '../../src/pool/queue-pool.js';
import { bundledIn } from '../../src/watch/bundled.js';
import {
  checkSocketFolder,
  ensureSocketFolder,
  type SocketOwner,
  socketFolder,
  socketPath,
  socketPid,
} from '../../src/watch/directory.js';
import { hook } from '../../src/watch/hooking.js';
import { isOwnPool, ownPool } from '../../src/watch/own-pool.js';
import { getPoolStats, type PoolWithSnapshot } from '../../src/watch/pool-stats.js';
import { isSpeakingPool, speakingPool } from '../../src/watch/speaking-pool.js';
import { FakeDriver } from '../helpers/fake-driver.js';
import { newPool } from '../helpers/pools.js';
import { VirtualClock } from '../helpers/virtual-clock.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-watch-'));
});
afterEach(() => rm(folder, { recursive: true }));

const owner = (own: Partial<SocketOwner> = {}): SocketOwner => ({
  ...{ platform: 'linux', env: {}, uid: process.getuid?.() ?? null, userName: 'me', tempFolder: '/tmp' },
  ...own,
});

describe('the folder of sockets', () => {
  it.each<[string, Partial<SocketOwner>, string]>([
    ['of the session', { env: { XDG_RUNTIME_DIR: '/run/user/7' } }, '/run/user/7/poolctl'],
    ['of the user', { uid: 7 }, '/tmp/poolctl-7'],
    ['not a relative one', { uid: 7, env: { XDG_RUNTIME_DIR: 'run' } }, '/tmp/poolctl-7'],
    ['of pipes', { platform: 'win32' }, '\\\\.\\pipe\\'],
  ])('is that %s', (_, own, expected) => {
    expect(socketFolder(owner(own))).toBe(expected);
  });

  it('has a name for each thread, by which its process is known', () => {
    const unix = owner({ uid: 7 });
    expect(socketPath(unix, 42, 1)).toBe('/tmp/poolctl-7/42-1.sock');
    expect(socketPid(unix, '42-1.sock')).toBe(42);
    for (const other of [
      '42-1.sock.old',
      'x42-1.sock',
      '42.sock',
      '12345678901-1.sock',
      '42-12345678901.sock',
    ])
      expect(socketPid(unix, other)).toBeNull();
    const windows = owner({ platform: 'win32', userName: 'my name' });
    expect(socketPath(windows, 42, 1)).toBe('\\\\.\\pipe\\poolctl-my_name-42-1');
    expect(socketPid(windows, 'poolctl-my_name-42-1')).toBe(42);
    expect(socketPid(windows, 'poolctl-my_name-42-12')).toBe(42);
    for (const other of ['poolctl-my_name-42-1x', 'poolctl-other-42-1', 'poolctl-my_name-x42-1'])
      expect(socketPid(windows, other)).toBeNull();
  });

  describe.skipIf(process.platform === 'win32')('on disk', () => {
    const there = () => owner({ env: { XDG_RUNTIME_DIR: folder } });
    const path = () => join(folder, 'poolctl');

    it('is made where it is missing, for its owner alone', async () => {
      expect(await checkSocketFolder(there())).toBe(false);
      expect(await ensureSocketFolder(there())).toBe(path());
      expect((await lstat(path())).mode & 0o777).toBe(0o700);
      expect(await checkSocketFolder(there())).toBe(true);
    });

    it('is closed to others where it was open', async () => {
      await mkdir(path());
      for (const mode of [0o755, 0o710, 0o701]) {
        await chmod(path(), mode);
        expect(await checkSocketFolder(there())).toBe(true);
        expect((await lstat(path())).mode & 0o777).toBe(0o700);
      }
    });

    it('is not trusted where it is something else, or somebody else’s', async () => {
      await expect(checkSocketFolder({ ...there(), uid: 987_654 })).resolves.toBe(false);
      await mkdir(path());
      await expect(checkSocketFolder({ ...there(), uid: 987_654 })).rejects.toMatchObject({
        code: 'ERR_SOCKET_FOLDER',
        message: expect.stringContaining('belongs to'),
      });
      await rm(path(), { recursive: true });
      await symlink(tmpdir(), path());
      await expect(ensureSocketFolder(there())).rejects.toMatchObject({ code: 'ERR_SOCKET_FOLDER' });
      await rm(path());
      await writeFile(path(), '');
      await expect(ensureSocketFolder(there())).rejects.toMatchObject({
        code: 'ERR_SOCKET_FOLDER',
        hint: expect.stringContaining('XDG_RUNTIME_DIR'),
      });
    });

    it('is none of files on Windows', async () => {
      expect(await ensureSocketFolder({ ...there(), platform: 'win32' })).toBe('\\\\.\\pipe\\');
      expect(await checkSocketFolder({ ...there(), platform: 'win32' })).toBe(true);
      await expect(lstat('\\\\.\\pipe\\')).rejects.toMatchObject({ code: 'ENOENT' });
    });
  });
});

describe('a bundle', () => {
  const script = async (text: string, bytes: number): Promise<string> => {
    const path = join(folder, 'app.js');
    await writeFile(path, text.padEnd(bytes, ' '));
    return path;
  };
  const LIBRARY = 'release called twice for the same resource: ';

  it('is told with the libraries in it', async () => {
    expect(bundledIn(await script(LIBRARY, 20_000))).toMatch(/^app\.js has sequelize-pool bundled/);
  });

  it('is none without a library, too small for one, or not there', async () => {
    expect(bundledIn(await script('', 20_000))).toBeNull();
    expect(bundledIn(await script(LIBRARY, 19_999))).toBeNull();
    expect(bundledIn(join(folder, 'none.js'))).toBeNull();
  });

  it('is looked for in scripts of up to 50 MB', async () => {
    const path = await script(LIBRARY, 20_000);
    await truncate(path, 50_000_000);
    expect(bundledIn(path)).toContain('sequelize-pool');
    await truncate(path, 50_000_001);
    expect(bundledIn(path)).toBeNull();
  });
});

describe('a method in whose place ours is put', () => {
  class Base {
    lend(_to: string) {
      return 'lent';
    }
  }
  const counting = (calls: string[]) => (original: (this: Base, ...args: unknown[]) => unknown) =>
    function lendWatched(this: Base, ...args: unknown[]) {
      calls.push(String(args[0]));
      return original.apply(this, args);
    };

  it('looks as before, works as before, and is hooked once', () => {
    const calls: string[] = [];
    const one = new Base();
    expect(hook(one, 'lend', counting(calls))).toBe(true);
    expect(hook(one, 'lend', counting(calls))).toBe(false);
    expect(one.lend('me')).toBe('lent');
    expect(calls).toEqual(['me']);
    expect([one.lend.name, one.lend.length, Object.keys(one)]).toEqual(['lend', 1, []]);
    // The application may put one of its own there again.
    one.lend = () => 'its own';
    expect(one.lend('me')).toBe('its own');
    expect(Reflect.deleteProperty(one, 'lend')).toBe(true);
    expect(new Base().lend('me')).toBe('lent');
  });

  it('stays as it was set: listed, or not to be written', () => {
    const own = Object.defineProperties(new Base(), {
      lend: { value: () => 'own', enumerable: true, writable: false, configurable: true },
    });
    hook(own, 'lend', counting([]));
    expect(Object.getOwnPropertyDescriptor(own, 'lend')).toMatchObject({ enumerable: true, writable: false });
  });

  it('is left alone where there is none, or it is hooked further up', () => {
    const calls: string[] = [];
    class Hooked extends Base {}
    hook(Hooked.prototype, 'lend', counting(calls));
    expect(hook(new Hooked(), 'lend', counting(calls))).toBe(false);
    expect(hook({ lend: 'no method' } as never, 'lend', counting(calls))).toBe(false);
    expect(hook({} as Base, 'lend', counting(calls))).toBe(false);
  });
});

describe('a pool that speaks', () => {
  const words = { schema: 1, name: 'x', driver: 'y', counters: {}, holders: [] };
  const saying = (answer: unknown) => ({ snapshot: () => answer });

  it('is known by all that its snapshot must have', () => {
    expect(isSpeakingPool(saying(words))).toBe(true);
    const wrong = { schema: 2, name: 1, driver: 1, counters: 'none', holders: {} };
    for (const [field, value] of Object.entries(wrong))
      expect(isSpeakingPool(saying({ ...words, [field]: value })), field).toBe(false);
    expect(isSpeakingPool(saying(null))).toBe(false);
    expect(isSpeakingPool({})).toBe(false);
    expect(
      isSpeakingPool({
        snapshot() {
          throw new Error('not now');
        },
      }),
    ).toBe(false);
  });

  it('is over when it is closed and nothing of it is open any more', () => {
    const of = (closed: boolean, live: number) =>
      speakingPool(saying({ ...words, closed, live }) as never, () => 'given');
    expect([of(true, 0).over, of(true, 1).over, of(false, 0).over]).toEqual([true, false, false]);
    expect([of(true, 0).name, of(true, 0).snapshot().name]).toEqual(['given', 'given']);
  });
});

describe('a pool of our own', () => {
  it('tells how it is set up, `never` where there is no limit', () => {
    const of = (options: Partial<ConstructorParameters<typeof QueuePool<object>>[0]>) =>
      ownPool(
        new QueuePool<object>({ driver: new FakeDriver(), clock: new VirtualClock(), ...options }),
        () => 'given',
      ).snapshot().setup;
    expect(of({ timeoutMs: null, leakWatch: false })).toEqual({
      ...{ acquireTimeoutMs: 'never', recycleMs: 'never', maxIdleMs: 'never', prePing: false },
      ...{ statementTimeoutMs: null, leakAfterMs: 'never' },
    });
    expect(
      of({ timeoutMs: 5, recycleMs: 6, maxIdleMs: 7, prePing: true, leakWatch: { thresholdMs: 8 } }),
    ).toEqual({
      ...{ acquireTimeoutMs: 5, recycleMs: 6, maxIdleMs: 7, prePing: true },
      ...{ statementTimeoutMs: null, leakAfterMs: 8 },
    });
    expect(of({ leakWatch: { thresholdMs: null } })?.leakAfterMs).toBe('never');
  });

  it('is over when it is closed and its last resource is too', async () => {
    const { pool, clock } = newPool({ size: 1 });
    const watched = ownPool(pool as unknown as QueuePool<object>, () => 'given');
    expect(isOwnPool(pool)).toBe(true);
    expect(isOwnPool({ acquire() {} })).toBe(false);
    const lease = await pool.acquire();
    expect(watched.snapshot()).toMatchObject({
      name: 'given',
      holders: [{ leaseId: 1, lastSql: null, busy: null, localPort: null, backendPid: null }],
    });
    const closing = pool.close({ graceMs: 1000 });
    await clock.settle();
    expect([pool.snapshot().closed, watched.over]).toEqual([true, false]);
    lease.release();
    await clock.run(closing);
    expect(watched.over).toBe(true);
  });
});

describe('the statistics of pools', () => {
  const pool = (own: object): PoolWithSnapshot =>
    ({
      snapshot: () => ({ driver: 'pg', size: 5, idle: 1, inUse: 2, overflow: 0, ...own }),
    }) as unknown as PoolWithSnapshot;

  it('are added up by kind', () => {
    const feed = { driver: 'ws:json', size: 3, feed: { symbols: 30, capacity: 100 } };
    expect(
      getPoolStats([
        ...[pool({}), pool({ size: 7, overflow: 3 }), pool({ overflow: null })],
        ...[pool(feed), pool({ ...feed, feed: { symbols: 20, capacity: 100 } })],
        ...[pool({ driver: 'http', size: 20, http: {} }), pool({ driver: 'http', size: null, http: {} })],
        pool({ driver: 'ib-worker', size: 100, ib: {} }),
      ]),
    ).toEqual({
      websocket: { connections: 6, total_symbols: 50, capacity_used: 0.25 },
      http: { pool_size: 20, active_connections: 4 },
      database: { pool_size: 17, checked_in: 3, checked_out: 6, overflow: 3 },
    });
  });

  it('have null where there is no limit, and where there is no feed', () => {
    expect(getPoolStats([pool({}), pool({ size: null })])).toMatchObject({
      websocket: { connections: 0, capacity_used: null },
      database: { pool_size: null, checked_out: 4 },
    });
    expect(getPoolStats([]).database).toEqual({ pool_size: 0, checked_in: 0, checked_out: 0, overflow: 0 });
  });
});
