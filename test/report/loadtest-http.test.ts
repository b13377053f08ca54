import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { HttpLoad } from '../../src/loadtest/http/types.js';
import type { LoadResult } from '../../src/loadtest/result.js';
import { widthOf } from '../../src/report/text.js';
import { renderersOf } from '../helpers/reports.js';
import { comparable } from '../loadtest/comparable.js';

const loadReports = await renderersOf('loadtest');

const PLAIN = { color: false, unicode: true, width: 80, cwd: '/' };
const NONE = { connect: 0, stale: 0, lost: 0, timeout: 0, status: 0 };
const CLOSED = {
  ...{
    expiry: 0,
    maxIdle: 0,
    maxLifetime: 0,
    evicted: 0,
    server: 0,
    aborted: 0,
    timeout: 0,
    error: 0,
    shutdown: 0,
  },
};

const result = comparable({ stretches: 3, perSecond: 300, waitMs: 4, failedShare: 0.02 });
const times = result.measurements.service;
const nothing = { ...times, count: 0 };

const THROUGH_POOL: HttpLoad = {
  engine: 'pool',
  statuses: [
    { status: 200, count: 882 },
    { status: 503, count: 18 },
  ],
  bytes: 1_234_567,
  pool: {
    unpooled: false,
    sent: 912,
    reuseRatio: 0.978,
    retried: { ...NONE, status: 10, stale: 2 },
    retriesDenied: 6,
    timeouts: { pool: 0, connect: 0, read: 0, write: 0, total: 0 },
    closed: { ...CLOSED, server: 12, maxIdle: 5 },
    circuitRefused: 40,
    breakerBefore: 'closed',
    transitions: [
      { atMs: 310, from: 'closed', to: 'open' },
      { atMs: 2900, from: 'open', to: 'half-open' },
    ],
    transitionsInAll: 2,
    connect: times,
    tls: nothing,
    firstByte: times,
  },
  autocannon: null,
};

const BY_AUTOCANNON: HttpLoad = {
  ...{ engine: 'autocannon', statuses: [{ status: 200, count: 900 }], bytes: 90_000, pool: null },
  autocannon: { connections: 10, completed: 900, requestsPerSecond: 299.4, errors: 1, timeouts: 0 },
};

const work = { name: 'http', target: 'http://127.0.0.1:8080/quotes?...', work: 'GET' };
const pool = { ...result.pool.options, profile: 'medium', size: 20, maxOverflow: 0, timeoutMs: 5000 };
const http = { maxKeepalive: 10, keepaliveExpiryMs: 30_000, retries: 3, breaker: true, http2: false };

const RESULTS: Readonly<Record<string, LoadResult>> = {
  'http-pool': {
    ...result,
    workload: { ...result.workload, ...work },
    pool: { ...result.pool, options: { ...pool, http } },
    http: THROUGH_POOL,
  },
  'http-autocannon': {
    ...result,
    workload: { ...result.workload, ...work },
    measurements: { ...result.measurements, wait: nothing, service: nothing },
    pool: { options: pool, figures: null },
    http: BY_AUTOCANNON,
  },
};

describe('the report of a load over HTTP', () => {
  it.each(Object.keys(RESULTS))('%s, as text', async (name) => {
    const text = loadReports.text(RESULTS[name] as LoadResult, PLAIN);
    await expect(text).toMatchFileSnapshot(
      join(import.meta.dirname, '../../fixtures/report/loadtest', `${name}.txt`),
    );
    expect(text.split('\n').filter((line) => widthOf(line) > 80)).toEqual([]);
  });

  it.each(['markdown', 'html'] as const)('as %s says the same of it', (format) => {
    const text = loadReports[format](RESULTS['http-pool'] as LoadResult, PLAIN);
    for (const words of [
      '200: 882',
      '97.8 %',
      '12: 2 closed by the server when used again, 10 for their status',
    ])
      expect(text).toContain(words);
    expect(loadReports[format](RESULTS['http-autocannon'] as LoadResult, PLAIN)).toContain('299/s');
  });
});
