import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createDatabase } from '../../src/index.js';
import { thisProcess, type WatchedProcess } from '../../src/watch/process.js';
import { processWatcher } from '../../src/watch/process-watcher.js';
import { startWatching } from '../../src/watch/start.js';
import { eventually } from '../helpers/eventually.js';
import { freePort } from '../helpers/guarded.js';

const watcher = processWatcher();
const endings: (() => unknown)[] = [];
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-start-'));
});
afterEach(async () => {
  for (const end of endings.splice(0).reverse()) await end();
  await (await watcher.published)?.close();
  watcher.defaults = {};
  Reflect.deleteProperty(globalThis, Symbol.for('poolctl.started'));
  await rm(folder, { recursive: true });
});

/** Starts with this environment; gives what is written to stderr, and what is called at the exit. */
function start(env: Readonly<Record<string, string>>, own: Partial<WatchedProcess> = {}) {
  const said: string[] = [];
  const exits: (() => void)[] = [];
  const self = thisProcess();
  startWatching({
    ...{ ...self, env, script: null, thread: 0, label: 'process 42' },
    onExit: (callback) => void exits.push(callback),
    tell: (text) => void said.push(text),
    ...own,
  });
  return { said: () => said.join(''), exit: () => exits.map((call) => call()) };
}

function open(name: string) {
  const database = createDatabase('sqlite::memory:', { size: 1, name });
  endings.push(() => database.close());
  return database;
}

async function occupied(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1');
  await once(server, 'listening');
  endings.push(() => server.close());
  return server;
}

const poolsRead = () => watcher.read().pools.map(({ name }) => name);

describe('a program that is started under watch', () => {
  it('has its pools watched from when they are made, and says at its exit which leases are out', async () => {
    const started = start({ POOLCTL_PUBLISH: 'off', POOLCTL_LEAK_AFTER: '2s' });
    const lease = await open('orders').pool.acquire();
    expect(poolsRead()).toEqual(['orders']);
    expect(watcher.defaults).toEqual({ leakAfterMs: 2000 });
    expect(watcher.published).toBeNull();
    expect(started.said()).toBe('');
    started.exit();
    expect(started.said()).toMatch(/^poolctl: 1 lease out at exit\n {2}orders: 1 of 1\n/);
    lease.release();
  });

  it('is watched once, by the first of several preloads', () => {
    const first = start({ POOLCTL_PUBLISH: 'off' });
    const second = start({ POOLCTL_PUBLISH: 'off', POOLCTL_LEAK_AFTER: '2s' });
    expect(watcher.defaults).toEqual({});
    second.exit();
    expect([first.said(), second.said()]).toEqual(['', '']);
  });

  it('has each step in the life of a pool told if it asks for that, and else none', async () => {
    const quiet = start({ POOLCTL_PUBLISH: 'off' });
    await (await open('quiet').getDb()).close();
    expect(quiet.said()).toBe('');
    Reflect.deleteProperty(globalThis, Symbol.for('poolctl.started'));
    const verbose = start({ POOLCTL_PUBLISH: 'off', POOLCTL_VERBOSE: '1' });
    await (await open('loud').getDb()).close();
    expect(verbose.said()).toMatch(/^(?:poolctl: .*loud.*\n)+$/);
  });

  it('publishes its pools at the port that it names, as soon as there are any', async () => {
    const port = await freePort();
    const { said } = start({ POOLCTL_NAME: 'shop', POOLCTL_PUBLISH: `127.0.0.1:${port}` });
    open('orders');
    expect(await watcher.published).toMatchObject({ address: `127.0.0.1:${port}` });
    expect(said()).toBe('');
  });

  it('publishes at the next port where that one is taken, and says so', async () => {
    const { port } = (await occupied(0)).address() as AddressInfo;
    const { said } = start({ POOLCTL_PUBLISH: `127.0.0.1:${port}` });
    open('orders');
    const published = await watcher.published;
    await eventually(() => said() !== '');
    expect(said()).toBe(
      `poolctl: port ${port} is taken: process 42 publishes its pools at ${published?.address}\n`,
    );
  });

  it('goes on where no port is left to publish at', async () => {
    await occupied(65_535).catch(() => 'somebody else has it');
    const { said } = start({ POOLCTL_PUBLISH: '127.0.0.1:65535' });
    open('orders');
    await eventually(() => said() !== '');
    expect(said()).toMatch(/^poolctl: cannot publish the pools: .*EADDRINUSE/);
    expect(poolsRead()).toEqual(['orders']);
  });

  it.each<[string, Readonly<Record<string, string>>, RegExp]>([
    ['a time that is none', { POOLCTL_LEAK_AFTER: 'soon' }, /are not watched: .*soon/],
    ['an address that others reach', { POOLCTL_PUBLISH: '0.0.0.0:80' }, /can be reached from elsewhere/],
  ])('goes on without a watch for %s, and says why', (_, env, expected) => {
    expect(start(env).said()).toMatch(expected);
  });

  it('is told which library is bundled into it, and the gap is published', async () => {
    const script = join(folder, 'app.js');
    await writeFile(script, 'release called twice for the same resource: '.padEnd(20_000));
    const main = start({ POOLCTL_PUBLISH: 'off' }, { script });
    expect(main.said()).toMatch(/^poolctl: app\.js has sequelize-pool bundled into it/);
    expect(watcher.gaps.join()).toContain('app.js has sequelize-pool bundled');
    Reflect.deleteProperty(globalThis, Symbol.for('poolctl.started'));
    // Its threads run the same script, which is told once.
    expect(start({ POOLCTL_PUBLISH: 'off' }, { script, thread: 3 }).said()).toBe('');
  });
});
