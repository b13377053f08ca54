import { describe, expect, it } from 'vitest';
import { hasProgram } from '../helpers/programs.js';
import { startHaproxy, startNginx, type WebServer, type WebServerSettings } from '../helpers/web-servers.js';
import { certificate, Opened, textOf } from './peers.js';

const NGINX: readonly [string, WebServerSettings][] = [
  ['one stream at a time', { http2_max_concurrent_streams: 1 }],
  ['8 streams', { http2_max_concurrent_streams: 8 }],
  ['32 streams', { http2_max_concurrent_streams: 32 }],
  ['128 streams', { http2_max_concurrent_streams: 128 }],
  ['a connection for 7 requests', { keepalive_requests: 7 }],
  ['a connection for 7 requests, and 8 streams', { keepalive_requests: 7, http2_max_concurrent_streams: 8 }],
  ['connections kept for a second', { keepalive_timeout: '1s' }],
  ['connections that are not kept', { keepalive_timeout: 0 }],
];

const HAPROXY: readonly [string, WebServerSettings][] = [
  ['3 streams', { 'tune.h2.max-concurrent-streams': 3 }],
  ['100 streams', { 'tune.h2.max-concurrent-streams': 100 }],
];

async function expectNoErrors(server: WebServer, requests: number): Promise<void> {
  const opened = new Opened();
  try {
    for (const http2 of ['auto', 'off'] as const) {
      const pool = opened.pool({ http2, tls: { ca: certificate }, timeouts: { poolMs: null } });
      const one = (at: number) =>
        textOf(pool.request(`${server.url}/${at}`, at % 2 === 0 ? {} : { method: 'POST', body: 'buy' }));
      const answers = await Promise.all(Array.from({ length: requests }, (_, at) => one(at)));
      // And one after the other, each on whatever the former has left.
      for (let at = 0; at < 30; at++) answers.push(await one(at));
      expect(new Set(answers)).toEqual(new Set(['ok']));
      const { http } = pool.snapshot();
      expect(http).toMatchObject({ failed: 0, circuitOpened: 0, retriesDenied: 0 });
      expect(http.origins[0]?.protocol).toBe(http2 === 'auto' ? 'h2' : 'h1');
    }
  } finally {
    await opened.close();
    await server.stop();
  }
}

describe.runIf(hasProgram('nginx', 'HTTP against nginx'))('nginx', () => {
  it.each(NGINX)('with %s makes no errors, over HTTP/2 and HTTP/1.1', async (_name, settings) => {
    await expectNoErrors(await startNginx(settings), settings.keepalive_timeout === 0 ? 40 : 200);
  });
});

// It sends the headers of an answer together with its body.
describe.runIf(hasProgram('haproxy', 'HTTP against HAProxy'))('HAProxy', () => {
  it.each(HAPROXY)('with %s makes no errors, over HTTP/2 and HTTP/1.1', async (_name, settings) => {
    await expectNoErrors(await startHaproxy(settings), 200);
  });
});
