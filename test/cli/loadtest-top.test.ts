import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { commands } from '../../commands/index.js';
import { runMain } from '../../src/cli/main.js';
import { startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import { eventually } from '../helpers/eventually.js';
import { type TestIo, testIo } from '../helpers/io.js';
import { loadtest } from './loadtest-helpers.js';

it('poolctl top shows the HTTP pool and the feed of load tests that are published', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'poolctl-top-'));
  const env = { XDG_RUNTIME_DIR: folder };
  // Two tests in one process would take one name.
  const ioOf = (pid: number): TestIo => {
    const io = testIo({ env, columns: 100 });
    return { ...io, pid, user: { ...io.user, uid: userInfo().uid } };
  };
  let requests = 0;
  const server = createServer((_, response) => {
    requests++;
    setTimeout(() => response.end(), 20);
  }).listen(0, '127.0.0.1');
  await eventually(() => server.listening);
  await using feed = await startFeedServer({ ticksPerSecond: 500 });
  const { port } = server.address() as AddressInfo;
  const [overHttp, ofFeed] = [ioOf(1001), ioOf(1002)];
  const common = ['--publish', '--duration=1h', '--warmup=none'];
  const running = [
    loadtest([`http://127.0.0.1:${port}/quotes?key=s3cret`, '--pool-size=3', ...common], { io: overHttp }),
    loadtest([feed.url, '--symbols=20', '--max-symbols-per-websocket=10', ...common], { io: ofFeed }),
  ];
  try {
    await eventually(() => requests > 50 && feed.feed.facts().ticks > 100);
    const io = ioOf(1003);
    const code = await runMain({ commands, version: () => '0' }, ['top', '--once'], io);
    expect({ code: code < 2, err: io.err() }).toEqual({ code: true, err: '' });
    expect(io.out()).toMatch(/loadtest +\S+ +3\/3/);
    expect(io.out()).toMatch(/feed +\S+ +2\/3/);
    expect(io.out()).toContain('GET /quotes');
    expect(io.out()).not.toContain('s3cret');
  } finally {
    for (const io of [overHttp, ofFeed]) io.interrupts.receive('SIGINT');
    await Promise.all(running);
    server.closeAllConnections();
    await new Promise((resolve) => void server.close(resolve));
    await rm(folder, { recursive: true });
  }
});
