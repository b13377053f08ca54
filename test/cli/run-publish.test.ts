import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Hello, PublishedPools } from '../../src/watch/protocol.js';
import { bin, start } from '../helpers/bin.js';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'poolctl-published-'));
});
afterEach(() => rm(folder, { recursive: true }));

it('poolctl loadtest --publish shows its own pool, and removes its socket', async () => {
  const running = start(bin, ['loadtest', '--duration', '20s', '--num-workers', '20', '--publish', '-v'], {
    env: { XDG_RUNTIME_DIR: folder },
  });
  // Its pool tells of its connections.
  await running.seen('published at');
  const [name = ''] = await readdir(join(folder, 'poolctl'));
  const socket = connect(join(folder, 'poolctl', name));
  const lines = createInterface(socket)[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
  const { app } = (await next()) as Hello;
  expect(app).toMatchObject({ name: 'poolctl loadtest', pid: running.child.pid });
  let reading: PublishedPools;
  do {
    socket.write('\n');
    reading = (await next()) as PublishedPools;
  } while ((reading.pools[0]?.counters.acquired ?? 0) < 100);
  expect(reading.pools[0]).toMatchObject({
    driver: 'sqlite',
    closed: false,
    wait: { count: expect.any(Number) },
  });
  running.child.kill('SIGINT');
  const { code } = await running.finished;
  expect(code).toBe(130);
  expect(existsSync(join(folder, 'poolctl', name))).toBe(false);
  socket.destroy();
});
