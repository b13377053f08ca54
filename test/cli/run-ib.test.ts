import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.js';
import { createIbPool } from '../../src/ib/pool.js';
import { startGateway } from '../../src/lab/ib-gateway/index.js';
import { openSource } from '../../src/sources/registry.js';
import { watch } from '../../src/watch/index.js';
import { bin, dist, poolctl, root, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-run-ib-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('an application with a pool of broker connections', () => {
  it('is seen by poolctl run with no change to it, and tells each step of its life with --verbose', async () => {
    await using gateway = await startGateway();
    const trader = join(root, 'test/watch/apps/trader.mjs');
    const ib = pathToFileURL(join(dist, 'src/ib/index.js')).href;
    const command = ['node', trader, ib, String(gateway.port)];
    const env = { XDG_RUNTIME_DIR: folder };
    const { child, finished } = start(bin, ['run', '--verbose', '--', ...command], { env, stdin: 'open' });
    if (child.stdout === null || child.stdin === null) throw new Error('no pipes');
    await once(child.stdout, 'data');
    await gateway.inject({ kind: 'drop', clientIds: [6] });
    const [socket = ''] = await readdir(join(folder, 'poolctl'));
    const source = openSource(`pool:${join(folder, 'poolctl', socket)}`, { env: {}, clock: systemClock });
    const signal = new AbortController().signal;
    const poolNow = async () => (await source.read(signal)).pools[0];
    await eventually(
      async () => (await poolNow())?.ib?.connections.some(({ ready }) => ready === 2) ?? false,
    );
    expect(await poolNow()).toMatchObject({
      name: 'broker',
      driver: 'ib-worker',
      inUse: 1,
      holders: [{ site: expect.stringMatching(/trader\.mjs:\d+/) }],
      ib: {
        port: gateway.port,
        clientIds: [5, 6],
        clientIdsFree: 30,
        pacing: { limitPerSecond: 50, messagesPerSecond: 45 },
        connections: [
          { clientId: 5, state: 'ready', upstream: 'up', ready: 1 },
          { clientId: 6, state: 'ready', upstream: 'up', ready: 2, lost: 1 },
        ],
      },
    });
    const top = await poolctl(['top', '--once'], { env });
    expect(top.stdout).toMatch(
      /^Broker 127\.0\.0\.1:\d+, pacing \d+ of 50\/s at most, headroom \d+ %, 1 reconnect/m,
    );
    await source[Symbol.asyncDispose]();
    child.stdin.end();
    const { code, stderr } = await finished;
    expect(code).toBe(0);
    const lines = stderr.split('\n');
    for (const line of [
      'poolctl: Initialized IBKR connection pool (worker)',
      'poolctl: Creating worker IBKR connection... (Client ID: 5)',
      `poolctl: Connected to IBKR at 127.0.0.1:${gateway.port} (Client ID: 5, server version 193)`,
      'poolctl: Lease 1 acquired connection (Client ID: 5, active users: 1)',
      'poolctl: Lease 1 released connection (Client ID: 5, active users: 0)',
      `poolctl: Reconnected to IBKR at 127.0.0.1:${gateway.port} (Client ID: 6, server version 193)`,
      'poolctl: Closing connection pool and disconnecting from IBKR (active users: 0)',
      'poolctl: Closed IBKR connection pool',
    ]) {
      expect(lines).toContain(line);
    }
  });

  it('says nothing of its life without --verbose, and nothing else at all', async () => {
    await using gateway = await startGateway();
    const trader = join(root, 'test/watch/apps/trader.mjs');
    const ib = pathToFileURL(join(dist, 'src/ib/index.js')).href;
    const { code, stderr } = await poolctl(['run', '--', 'node', trader, ib, String(gateway.port)], {
      env: { XDG_RUNTIME_DIR: folder },
    });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  it('may watch it by itself', async () => {
    await using gateway = await startGateway();
    await using pool = createIbPool({ port: gateway.port });
    const watched = watch(pool, { name: 'orders' });
    await pool.withIb((ib) => ib.currentTime());
    expect(watched.snapshots()).toMatchObject([
      { name: 'orders', driver: 'ib-shared', live: 1, counters: { acquired: 1 }, ib: { clientIds: [1] } },
    ]);
  });
});
