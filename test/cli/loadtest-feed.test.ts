import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type FeedServerOptions, startFeedServer } from '../../src/lab/feed-server/feed-server.js';
import type { FeedLoadResult } from '../../src/loadtest/feed/types.js';
import { bin, start } from '../helpers/bin.js';
import { eventually } from '../helpers/eventually.js';
import { testIo } from '../helpers/io.js';
import { certificate, key } from '../ws/certificate.js';
import { loadtest, makePlace, type Place } from './loadtest-helpers.js';

let place: Place;
beforeAll(async () => {
  place = await makePlace();
});
afterAll(() => place.remove());

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]();
});

async function feed(options: FeedServerOptions = {}) {
  const server = await startFeedServer({ ticksPerSecond: 2000, ...options });
  open.push(server);
  return server;
}

const SOON = ['--symbols=30', '--max-symbols-per-websocket=10', '--batch-rate=50/s', '--duration=400ms'];

async function resultOf(argv: readonly string[]): Promise<FeedLoadResult & { readonly code: number }> {
  const { code, out, err } = await loadtest([...argv, '--format=json']);
  if (code > 1 || err !== '') throw new Error(`exit ${code}: ${err}`);
  return { ...(JSON.parse(out) as FeedLoadResult), code };
}

describe('a load test of a feed', () => {
  it("counts what the feed's own counts say", async () => {
    const server = await feed();
    const result = await resultOf([server.url, ...SOON]);
    expect(result).toMatchObject({
      kind: 'feed-loadtest',
      target: `ws://127.0.0.1:${server.port}`,
      subscribing: { asked: 30, live: 30, refused: 0 },
      measurements: {
        symbolsHeard: 30,
        symbolsSilent: 0,
        gaps: 0,
        lost: [],
        stamp: { field: 'time', unit: 'ms' },
      },
      server: null,
    });
    expect(result.connections).toHaveLength(3);
    // All that it has ever sent, when each of its connections has said goodbye.
    const sent = server.feed.facts().ticks;
    const received = result.connections.reduce((sum, { ticks }) => sum + ticks, 0);
    expect(received).toBeLessThanOrEqual(sent);
    expect(result.measurements.ticks).toBeLessThanOrEqual(received);
    expect(result.measurements.latency?.count).toBe(result.measurements.ticks);
    const rows = result.measurements.timeline.rows;
    expect(rows.reduce((sum, { ticks }) => sum + ticks, 0)).toBe(result.measurements.ticks);
  });

  it('has a feed of its own in another process, which is asked to the last tick', async () => {
    const { code, stdout, stderr } = await start(bin, [
      'loadtest',
      'ws:built-in',
      ...SOON,
      '--tick-rate=3000/s',
      '--format=json',
    ]).finished;
    // How good it is depends on the machine.
    expect({ ran: code === 0 || code === 1, stderr }).toEqual({ ran: true, stderr: '' });
    const { server, measurements } = JSON.parse(stdout) as FeedLoadResult;
    expect(server?.sent).toBeGreaterThan(0);
    expect(server).toMatchObject({ received: server?.sent, symbols: 30, serverSymbols: 30 });
    expect(measurements.ticks).toBeLessThanOrEqual(server?.received ?? 0);
  });

  it('tells gaps, reconnects and what was lost, and goes on', async () => {
    const server = await feed();
    const io = testIo();
    const running = loadtest([server.url, ...SOON, '--duration=1h', '--format=json'], { io });
    const symbols = () => server.feed.facts().connections.flatMap((each) => each.symbols).length;
    const moreTicks = async () => {
      const before = server.feed.facts().ticks;
      await eventually(() => server.feed.facts().ticks > before + 300);
    };
    await eventually(() => symbols() === 30);
    // By then it has begun to count.
    await moreTicks();
    server.feed.drop(1);
    await eventually(() => server.feed.facts().opened === 4 && symbols() === 30);
    await moreTicks();
    io.interrupts.receive('SIGINT');
    const { measurements, verdict } = JSON.parse((await running).out) as FeedLoadResult;
    expect(measurements).toMatchObject({
      gaps: 1,
      gapSymbols: 10,
      reconnects: 1,
      lost: [{ cause: 'closed', count: 1 }],
    });
    expect(verdict.criteria.find(({ id }) => id === 'lost')?.band).toBe('marginal');
  });

  it('conflates for a slow consumer, and says how much', async () => {
    const server = await feed({ ticksPerSecond: 5000 });
    const { measurements } = await resultOf([server.url, ...SOON, '--refresh=100ms']);
    expect(measurements.conflated).toBeGreaterThan(measurements.taken ?? 0);
    const { measurements: without } = await resultOf([server.url, ...SOON, '--refresh=never']);
    expect(without).toMatchObject({ conflated: null, taken: null });
  });

  it('judges by thresholds of feeds', async () => {
    const server = await feed();
    const good = ['ticks>10/s', 'symbols>=100%', 'latency.p99<30s', 'gaps<=0', 'subscribe<20s'];
    const { thresholds } = await resultOf([server.url, ...SOON, ...good.map((one) => `--threshold=${one}`)]);
    expect(thresholds.map(({ passed }) => passed)).toEqual(good.map(() => true));
    const failed = await resultOf([server.url, ...SOON, '--threshold=ticks>1000000/s']);
    expect(failed).toMatchObject({ code: 1, thresholds: [{ passed: false }] });
  });

  it('says which symbols were refused, and is bad where many were', async () => {
    const server = await feed();
    server.feed.faults = { ...server.feed.faults, refuse: ['BAD'] };
    await writeFile(join(place.folder, 'symbols.txt'), '# mine\nAAPL\nBAD\n\nMSFT\r\nAAPL\n');
    const { code, out } = await loadtest(
      [server.url, '--symbols-file=symbols.txt', '--batch-rate=50/s', '--duration=300ms'],
      { cwd: place.folder },
    );
    expect(code).toBe(1);
    expect(out).toContain('2 of 3 confirmed');
    expect(out).toMatch(/BAD {7}symbols subscribed 66\.67 %/);
    expect(out).toContain("1 symbol was refused. Of 'BAD' the feed says: unknown symbol");
  });

  it('is bad where a feed confirms and then says nothing', async () => {
    const server = await feed({ ticksPerSecond: 0 });
    server.feed.faults = { ...server.feed.faults, mute: true };
    const { verdict, code, measurements } = await resultOf([server.url, ...SOON]);
    expect(verdict.reason).toContain('ticks 0 (good above 0, bad at 0)');
    expect(measurements).toMatchObject({ latency: null, stamp: null, symbolsSilent: 30 });
    expect(code).toBe(1);
  });

  it('keeps what was measured when it is interrupted, and ends at once before that', async () => {
    const server = await feed();
    const io = testIo();
    const running = loadtest([server.url, ...SOON, '--duration=1h', '--format=json'], { io });
    await eventually(() => server.feed.facts().ticks > 300);
    io.interrupts.receive('SIGINT');
    const { code, out } = await running;
    const result = JSON.parse(out) as FeedLoadResult;
    expect(code).toBe(130);
    expect(result.partial).toBe('interrupted');
    expect(result.measurements.ticks).toBeGreaterThan(0);

    const deaf = await feed();
    deaf.feed.faults = { ...deaf.feed.faults, deaf: true };
    const other = testIo();
    const waiting = loadtest([deaf.url, ...SOON], { io: other });
    await eventually(() => deaf.feed.facts().requests > 0);
    other.interrupts.receive('SIGINT');
    expect(await waiting).toMatchObject({ code: 130, out: '' });
  });
});

describe('what is no feed', () => {
  it('is said at once, and why', async () => {
    const peer = createServer((socket) => {
      socket.on('error', () => {}).on('data', () => socket.destroy());
      socket.write('220 smtp ready\r\n');
    });
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    const port = (peer.address() as AddressInfo).port;
    open.push({ [Symbol.asyncDispose]: () => new Promise((resolve) => void peer.close(() => resolve())) });
    const refusing = await feed();
    refusing.feed.faults = { ...refusing.feed.faults, refuseOpening: { status: 401, retryAfter: null } };
    const secure = await feed({ tls: { key, cert: certificate } });
    const plain = await feed();
    const http = `ws${secure.url.slice('wss'.length)}`;
    const cases: readonly (readonly [url: string, code: string])[] = [
      [`ws://127.0.0.1:${port}/`, 'ERR_FEED_NOT_WEBSOCKET'],
      ['ws://127.0.0.1:1/', 'ERR_FEED_CONNECT'],
      [refusing.url, 'ERR_FEED_AUTH'],
      [secure.url, 'ERR_FEED_TLS'],
      [plain.url.replace('ws:', 'wss:'), 'ERR_FEED_TLS'],
      [http, 'ERR_FEED_'],
      ['ws://no-such-host.invalid/', 'ENOTFOUND|EAI_AGAIN'],
    ];
    await Promise.all(
      cases.map(async ([url, expected]) => {
        const { code, out, err } = await loadtest([url, ...SOON]);
        expect({ url, code, out }).toEqual({ url, code: 3, out: '' });
        expect(err).toMatch(new RegExp(expected));
      }),
    );
  });

  it('is trusted where --ca says so, and shown what --header says', async () => {
    const secure = await feed({ tls: { key, cert: certificate } });
    expect((await loadtest([secure.url, ...SOON])).err).toContain('give its issuer with --ca FILE');
    await writeFile(join(place.folder, 'ca.pem'), certificate);
    const argv = ['--ca=ca.pem', '--header=Authorization: Bearer t0ken', '-v'];
    const { code, out, err } = await loadtest([secure.url, ...SOON, ...argv], { cwd: place.folder });
    expect(code).toBeLessThan(2);
    expect(err).toContain('connection 3 is open after');
    expect(out + err).not.toContain('t0ken');
  });

  it('is not asked where the options are wrong', async () => {
    const { code, err } = await loadtest([
      'ws://10.0.0.1/feed',
      '--num-workers=3',
      '--symbol=A',
      '--symbols=5',
      '--threshold=p99<1s',
      '--tick-rate=1/s',
      '--format=html',
    ]);
    expect(code).toBe(2);
    expect(err).toContain('--num-workers is for databases');
    expect(err).toContain('--symbol, --symbols-file and --symbols exclude each other');
    expect(err).toContain('--threshold p99<1s is not measured of a feed');
    expect(err).toContain('--tick-rate is for ws:built-in only');
    expect(err).toContain('--format of a feed is one of text, json');
    const remote = await loadtest(['ws://10.0.0.1/feed', '--symbol=A']);
    expect(remote.code).toBe(2);
    expect(remote.err).toContain('10.0.0.1 is not this machine');
    const nothing = await loadtest(['ws://127.0.0.1:1/feed']);
    expect(nothing.err).toContain('say what to subscribe');
    const other = await loadtest(['--symbols=5', '--threshold=gaps<=0']);
    expect(other.err).toContain('--symbols is for feeds only');
    expect(other.err).toContain('--threshold gaps<=0 is measured of feeds only');
  });
});
