import { expect, it } from 'vitest';
import { describeWithNginx, startNginx } from '../helpers/nginx.js';
import { certificate, Opened, textOf } from './peers.js';

const SETTINGS: readonly [string, Readonly<Record<string, string | number>>][] = [
  ['one stream at a time', { http2_max_concurrent_streams: 1 }],
  ['8 streams', { http2_max_concurrent_streams: 8 }],
  ['32 streams', { http2_max_concurrent_streams: 32 }],
  ['128 streams', { http2_max_concurrent_streams: 128 }],
  ['a connection for 7 requests', { keepalive_requests: 7 }],
  ['a connection for 7 requests, and 8 streams', { keepalive_requests: 7, http2_max_concurrent_streams: 8 }],
  ['connections kept for a second', { keepalive_timeout: '1s' }],
  ['connections that are not kept', { keepalive_timeout: 0 }],
];

describeWithNginx('nginx', () => {
  it.each(SETTINGS)('with %s makes no errors, over HTTP/2 and HTTP/1.1', async (_name, settings) => {
    const opened = new Opened();
    const nginx = await startNginx(settings);
    try {
      for (const http2 of ['auto', 'off'] as const) {
        const pool = opened.pool({ http2, tls: { ca: certificate }, timeouts: { poolMs: null } });
        const one = (at: number) =>
          textOf(pool.request(`${nginx.url}/${at}`, at % 2 === 0 ? {} : { method: 'POST', body: 'buy' }));
        const answers = await Promise.all(
          Array.from({ length: settings.keepalive_timeout === 0 ? 40 : 200 }, (_, at) => one(at)),
        );
        // And one after the other, each on whatever the former has left.
        for (let at = 0; at < 30; at++) answers.push(await one(at));
        expect(new Set(answers)).toEqual(new Set(['ok']));
        const { http } = pool.snapshot();
        expect(http).toMatchObject({ failed: 0, circuitOpened: 0, retriesDenied: 0 });
        expect(http.origins[0]?.protocol).toBe(http2 === 'auto' ? 'h2' : 'h1');
      }
    } finally {
      await opened.close();
      await nginx.stop();
    }
  });
});
